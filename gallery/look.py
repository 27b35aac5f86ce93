"""Some sweeps as they stood at one moment, in memory: what every page filters, sorts and counts. No streamlit import.

A look is read once and never changes, so turning a page is a slice, and a filter or a facet is arithmetic on small arrays, whether the
sweeps have a thousand combinations or a hundred thousand. A run that finished later than `asof` still counts as running in it, so that
nothing moves under the reader's hand while a sweep runs. At 100,000 combinations it holds some 10 MB, and 0.8 MB per yardstick asked for.
"""

import gc
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from db import browse
from db.models import RUN_STATES
from db.queries import PARAMETERS
from gallery.likeness import Bytes, unpacked
from gallery.view import SWEEP, Value
from sweep.transfer.yardstick_names import MAIN_PROTOCOL, PROTOCOLS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
DONE = RUN_STATES.index("done")
RUNNING = RUN_STATES.index("running")
AT_ONCE = ("balance", "content_kept", "style_gained")
"""Yardsticks that are read with the runs, as there are controls for them: a pass over the runs each would take as long as that one."""


@dataclass(frozen=True, eq=False)
class Column:
    """One parameter of all combinations: places in its sorted values, None first."""

    codes: Ints
    values: tuple[Value, ...]

    @property
    def numbers(self) -> Floats:
        """The values as numbers, NaN for None and for text."""
        return np.array([value if isinstance(value, int | float) else np.nan for value in self.values], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Look:
    """Combinations by id (so by sweep and position), runs by id; a combination's run is a place among the runs.

    columns: what varies; constants: what does not. pair: a number for each pair of content and style, for each run.
    seq: finished_seq, 0 where a run had not finished; protocol: of y1's yardsticks, 0 for none, newer ones higher.
    """

    sweeps: tuple[str, ...]
    asof: int
    combination: Ints
    run_of: Ints
    columns: Mapping[str, Column]
    constants: Mapping[str, Value]
    run: Ints
    state: Ints
    seq: Ints
    protocol: Ints
    pair: Ints
    _measured: dict[str, Floats] = field(default_factory=dict)
    _signatures: list[tuple[Bytes, Mask]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def varying(self) -> tuple[str, ...]:
        """The parameters with several values, in the order people read them."""
        return tuple(name for name in PARAMETERS if name in self.columns)

    @cached_property
    def shared(self) -> Mask:
        """The combinations whose run other combinations here need too."""
        needed: Mask = np.bincount(self.run_of, minlength=len(self.run)) > 1
        return needed[self.run_of]

    def yardstick(self, connection: Connection, name: str) -> Floats:
        """A yardstick of every run, NaN where it was not measured by then. What has finished does not change, so any moment will do."""
        with self._lock:
            if name not in self._measured:
                values = np.full(len(self.run), np.nan)
                rows = browse.measured(connection, self.sweeps, self.asof, name)
                ids, found = _columns(rows, 2)
                places, known = self.places(np.array(ids, dtype=np.int64))
                values[places] = np.array(found, dtype=np.float64)[known]
                self._measured[name] = values
            return self._measured[name]

    def signatures(self, connection: Connection) -> tuple[Bytes, Mask]:
        """What the picture of every run looks like from afar, and of which runs that is known."""
        with self._lock:
            if not self._signatures:
                ids, packed = _columns(browse.signatures(connection, self.sweeps, self.asof), 2)
                places, known = self.places(np.array(ids, dtype=np.int64))
                found: list[bytes | None] = [None] * len(self.run)
                for place, one in zip(places.tolist(), compress(packed, known.tolist()), strict=True):
                    found[place] = one
                self._signatures.append(unpacked(found))
            return self._signatures[0]

    def remembered(self, name: str, make: Callable[[], Floats]) -> Floats:
        """What follows from a look alone, worked out once."""
        if name not in self._measured:
            self._measured[name] = make()
        return self._measured[name]

    def places(self, run_ids: Ints) -> tuple[Ints, Mask]:
        """(places of the runs that are known here, which of the ids those are)."""
        places = np.searchsorted(self.run, run_ids)
        known = np.zeros(len(run_ids), dtype=np.bool_)
        inside = places < len(self.run)
        known[inside] = self.run[places[inside]] == run_ids[inside]
        return places[known], known

    def kept_apart(self, yardstick: str) -> bool:
        """Whether values of this yardstick may come from different protocols, which are never mixed in an order."""
        return PROTOCOLS[yardstick] == MAIN_PROTOCOL


def take_look(connection: Connection, sweeps: Sequence[str], asof: int) -> Look:
    """Read the sweeps of these names as they stood when the run numbered `asof` had just finished."""
    with _no_collection():
        return _taken(connection, sweeps, asof)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hundreds of thousands of values are about to be read, and none is rubbish: looking for it would take a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _taken(connection: Connection, sweeps: Sequence[str], asof: int) -> Look:
    spread = browse.spread(connection, sweeps)
    varying = [name for name in PARAMETERS if spread.get(name, False)]
    ids, runs, sweep_ids, *parameters = _columns(browse.combinations(connection, sweeps, varying), 3 + len(varying))
    run_ids, states, seqs, protocols, *measured = _columns(browse.runs(connection, sweeps, AT_ONCE), 4 + len(AT_ONCE))
    run = np.array(run_ids, dtype=np.int64)
    run_of = np.searchsorted(run, np.array(runs, dtype=np.int64))
    columns = {name: _column(values) for name, values in zip(varying, parameters, strict=True)}
    if len(sweeps) > 1:
        names = browse.sweep_names(connection)
        columns[SWEEP] = _column([names[one] for one in sweep_ids])
    seq = np.array([value or 0 for value in seqs], dtype=np.int64)
    later = seq > asof
    state = _codes(states, RUN_STATES)
    state[later] = RUNNING
    protocol = np.array([int((text or "y0")[1:]) for text in protocols], dtype=np.int64)
    pair = np.zeros(len(run), dtype=np.int64)
    pair[run_of] = _pairs(connection, sweeps, columns)
    return Look(
        sweeps=tuple(sweeps), asof=asof, combination=np.array(ids, dtype=np.int64), run_of=run_of, columns=columns,
        constants=browse.constants(connection, sweeps, [name for name in PARAMETERS if name not in varying]),
        run=run, state=state, seq=np.where(later, 0, seq), protocol=np.where(later, 0, protocol), pair=pair,
        _measured={name: np.where(later, np.nan, np.array(one, dtype=np.float64)) for name, one in zip(AT_ONCE, measured, strict=True)},
    )  # fmt: skip


def _pairs(connection: Connection, sweeps: Sequence[str], columns: Mapping[str, Column]) -> Ints:
    """A number for the two pictures of every combination; one for all of one pair. Names tell, unless one has several pictures."""
    known = browse.pairs(connection, sweeps)
    pictures = {(row.content, row.style): tuple(row) for row in known}
    if len(pictures) < len(known):
        return _column([tuple(row) for row in browse.pair_of_each(connection, sweeps)]).codes
    number = {row[1:]: place for place, row in enumerate(pictures.values())}  # two names of one picture are one content
    only = Column(codes=np.zeros(1, dtype=np.int64), values=())
    content, style = (columns.get(name, only) for name in ("content", "style"))
    table = np.zeros((max(1, len(content.values)), max(1, len(style.values))), dtype=np.int64)
    places = [{value: place for place, value in enumerate(one.values)} for one in (content, style)]
    for (content_name, style_name), row in pictures.items():
        table[places[0].get(content_name, 0), places[1].get(style_name, 0)] = number[row[1:]]
    found: Ints = table[content.codes, style.codes]
    return found


def _columns(rows: Sequence[Any], width: int) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _column(values: Sequence[Any]) -> Column:
    """Python's own order and equality: numpy would make text of mixed values, and has no None."""
    distinct = sorted(set(values), key=lambda value: (value is not None, value if value is not None else 0))
    code = {value: place for place, value in enumerate(distinct)}
    return Column(codes=np.fromiter(map(code.__getitem__, values), dtype=np.int64, count=len(values)), values=tuple(distinct))


def _codes(values: Sequence[str], words: Sequence[str]) -> Ints:
    code = {word: place for place, word in enumerate(words)}
    return np.fromiter(map(code.__getitem__, values), dtype=np.int64, count=len(values))
