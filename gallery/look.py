"""Some sweeps as they stood at one moment, in memory: what every page filters, sorts and counts. No streamlit import.

A look is read once and never changes, so turning a page is a slice, and a filter or a facet is arithmetic on small arrays, whether the
sweeps have a thousand combinations or a hundred thousand. A run that finished later than `asof` still counts as running in it, so that
nothing moves under the reader's hand while a sweep runs. At 100,000 combinations it holds some 10 MB, and 0.8 MB per yardstick asked for.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    spread = browse.spread(connection, sweeps)
    varying = [name for name in PARAMETERS if spread.get(name, False)]
    rows = browse.combinations(connection, sweeps, varying)
    ids, runs, sweep_ids, contents, style_names, styles, *parameters = _columns(rows, 6 + len(varying))
    run_rows = browse.runs(connection, sweeps)
    run_ids, states, seqs, protocols = _columns(run_rows, 4)
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
    pairs = _column(list(zip(contents, style_names, styles, strict=True))).codes
    pair = np.zeros(len(run), dtype=np.int64)
    pair[run_of] = pairs
    return Look(
        sweeps=tuple(sweeps), asof=asof, combination=np.array(ids, dtype=np.int64), run_of=run_of, columns=columns,
        constants=browse.constants(connection, sweeps, [name for name in PARAMETERS if name not in varying]),
        run=run, state=state, seq=np.where(later, 0, seq), protocol=np.where(later, 0, protocol), pair=pair,
    )  # fmt: skip


def _columns(rows: Sequence[Any], width: int) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _column(values: Sequence[Any]) -> Column:
    """Python's own order and equality: numpy would make text of mixed values, and has no None."""
    distinct = sorted(set(values), key=lambda value: (value is not None, value if value is not None else 0))
    code = {value: place for place, value in enumerate(distinct)}
    return Column(codes=np.fromiter((code[value] for value in values), dtype=np.int64, count=len(values)), values=tuple(distinct))


def _codes(values: Sequence[str], words: Sequence[str]) -> Ints:
    code = {word: place for place, word in enumerate(words)}
    return np.fromiter((code[value] for value in values), dtype=np.int64, count=len(values))
