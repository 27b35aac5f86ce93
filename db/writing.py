"""Transactions of the store: each write one of its own, or, within a `batch`, all of them one together. Files always come first."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Engine

from db.artifacts import Artifacts
from db.rows import held
from sweep import events

FILES_AT_ONCE = 8
"""Written and waited for together: a disk makes several files durable in about the time of one."""


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
        self._seen: dict[Any, Any] = {}
        """What the open batch has looked at, and nobody can have changed meanwhile."""

    @contextlib.contextmanager
    def batch(self, told: Iterable[events.Event] = ()) -> Iterator[None]:
        """Within, all that this store writes is one transaction, begun by the first write; files of these events' pictures come before it.

        An exception takes all of it back, but for files, which nothing speaks of then.
        """
        carried = [getattr(event, "picture", None) for event in told]
        pictures = [picture for picture in carried if isinstance(picture, events.PictureFile)]
        self._written = dict(zip(map(id, pictures), self._put_all(pictures), strict=True)) if pictures else {}
        later: list[Callable[[], None]] = []
        try:
            with contextlib.ExitStack() as self._batch:
                yield
            later, self._later = self._later, []
        finally:
            self._batch = self._open = None
            self._written, self._later, self._seen = {}, [], {}
        for do in later:
            do()

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Within, batches share a connection: to open one costs about as much as the rows of a run. Folders for files are made ahead."""
        self.artifacts.prepare()
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

    def _held(self, connection: Connection, owner: str, event: events.Event) -> int | None:
        """The run an event speaks of, if its (owner, attempt) still holds it; not looked at twice in a batch where nothing released it."""
        known: int | None = self._seen.pop((owner, event.run_key, event.attempt), None)
        return known if known is not None else held(connection, owner, event)

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
        return self._put_all([picture])[0]

    def _put_all(self, pictures: list[events.PictureFile]) -> list[dict[str, Any]]:
        """All of them at once; one that cannot be written is told when the others are."""
        files = [file for picture in pictures for file in ((picture.data, picture.format), (picture.thumbnail, "webp"))]
        others = [self._threads.submit(self.artifacts.put, *file) for file in files[1:]]
        names = [self.artifacts.put(*files[0]), *(other.result() for other in others)]
        return [self._row(*one) for one in zip(pictures, names[::2], names[1::2], strict=True)]

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(FILES_AT_ONCE, "files")

    def _row(self, picture: events.PictureFile, sha256: str, thumbnail: str) -> dict[str, Any]:
        row = {"sha256": sha256, "width": picture.width, "height": picture.height, "mean_colour": picture.mean_colour}
        row |= {"bytes": len(picture.data), "format": picture.format, "original_name": None, "thumbnail": thumbnail}
        return row | {"signature": picture.signature}
