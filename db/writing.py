"""Transactions of the store: each write one of its own, or, within a `batch`, all of them one together. Files always come first."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Engine

from db.artifacts import Artifacts
from sweep import events


class Writing:
    """Where the store writes."""

    def __init__(self, engine: Engine, artifacts: Artifacts) -> None:
        self.engine = engine
        self.artifacts = artifacts
        self.checkpoints = artifacts.folder.parent / "checkpoints"
        self._kept: Connection | None = None
        self._batch: contextlib.ExitStack | None = None
        self._open: Connection | None = None
        self._written: dict[int, dict[str, Any]] = {}
        self._later: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def batch(self, told: Iterable[events.Event] = ()) -> Iterator[None]:
        """Within, all that this store writes is one transaction, begun by the first write; files of these events' pictures come before it.

        An exception takes all of it back, but for files, which nothing speaks of then.
        """
        carried = [getattr(event, "picture", None) for event in told]
        self._written = {id(picture): self._put(picture) for picture in carried if isinstance(picture, events.PictureFile)}
        later: list[Callable[[], None]] = []
        try:
            with contextlib.ExitStack() as self._batch:
                yield
            later, self._later = self._later, []
        finally:
            self._batch = self._open = None
            self._written, self._later = {}, []
        for do in later:
            do()

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Within, batches share a connection: to open one costs about as much as the rows of a run."""
        with self.engine.connect() as self._kept:
            try:
                yield
            finally:
                self._kept = None

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Connection]:
        if self._kept is None:
            with self.engine.begin() as connection:
                yield connection
        else:
            with self._kept.begin():
                yield self._kept

    def _transaction(self) -> contextlib.AbstractContextManager[Connection]:
        """The batch's, or one of its own. Every write asks here: a second connection would wait for the batch, and the batch for it."""
        if self._batch is None:
            return self.engine.begin()
        if self._open is None:
            self._open = self._batch.enter_context(self._begin())
        return contextlib.nullcontext(self._open)

    def _after_commit(self, do: Callable[[], None]) -> None:
        """Do it once what was written is there for good: at the batch's end, or now. So files are removed after their rows."""
        if self._batch is None:
            do()
        else:
            self._later.append(do)

    def _put(self, picture: events.PictureFile) -> dict[str, Any]:
        """Write a picture and its thumbnail; the row that speaks of them."""
        if (row := self._written.get(id(picture))) is not None:
            return row
        sha256 = self.artifacts.put(picture.data, picture.format)
        thumbnail = self.artifacts.put(picture.thumbnail, "webp")
        row = {"sha256": sha256, "width": picture.width, "height": picture.height, "mean_colour": picture.mean_colour}
        row |= {"bytes": len(picture.data), "format": picture.format, "original_name": None, "thumbnail": thumbnail}
        return row | {"signature": picture.signature}
