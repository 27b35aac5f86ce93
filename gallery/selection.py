"""The runs of a view in its order, and what surrounds them: counts, facets, percentiles, neighbours. No streamlit import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from db.models import RUN_STATES
from db.queries import PARAMETERS
from gallery.likeness import collapse
from gallery.look import DONE, Floats, Ints, Look
from gallery.sieve import FLAG, STARS, STATE, TAG, Sieve
from gallery.stretches import changes, size, start
from gallery.view import FLAGS, SWEEP, YARDSTICK_SORTS, Value
from sweep.transfer.yardstick_names import RISING


@dataclass(frozen=True, eq=False)
class Selected:
    """runs: places among the look's runs, in order. For each of them: first, the place of its first combination of the view; shared,
    how many combinations of the view need it; stands_for, how many near-duplicates it stands for, itself included."""

    runs: Ints
    first: Ints
    shared: Ints
    stands_for: Ints
    combinations: int
    varying: tuple[str, ...]
    """The parameters with several values in the view, in the order people read them."""

    def place(self, run: int) -> int | None:
        """Where a run (a place among the look's runs) stands, from 0; None where the view does not hold it."""
        found = np.flatnonzero(self.runs == run)
        return int(found[0]) if len(found) else None


@dataclass(frozen=True, kw_only=True)
class Facet:
    """The values of one parameter in the look, each with the runs that it would show under all other conditions."""

    name: str
    values: tuple[tuple[Value, int], ...]


def select(connection: Connection, sieve: Sieve) -> Selected:
    """Filter and sort. Pictures come first, then what has none; ties stay in the order of the plan."""
    look, view = sieve.look, sieve.view
    combinations = np.flatnonzero(sieve.fits())
    runs = look.run_of[combinations]
    shared = np.bincount(runs, minlength=len(look.run))
    first = np.zeros(len(look.run), dtype=np.int64)
    first[runs[::-1]] = combinations[::-1]  # of equal places numpy keeps what was written last
    present = np.flatnonzero(shared)
    keys = [first[present], *_order(connection, sieve, present)]
    if view.group in look.columns:
        keys.append(look.columns[view.group].codes[first[present]])
    ordered = present[np.lexsort(keys)]  # the last key counts most
    stands_for = np.ones(len(ordered), dtype=np.int64)
    if view.collapse:
        ordered, stands_for = collapse(ordered, look.pair, *look.signatures(connection))
    varying = tuple(name for name in look.varying if _several(look.columns[name].codes[combinations]))
    return Selected(
        runs=ordered, first=first[ordered], shared=shared[ordered], stands_for=stands_for,
        combinations=len(combinations), varying=varying,
    )  # fmt: skip


def _several(codes: Ints) -> bool:
    return bool(len(codes)) and bool((codes != codes[0]).any())


def _order(connection: Connection, sieve: Sieve, runs: Ints) -> list[Floats | Ints]:
    """Keys from the one that counts least to the one that counts most, small values first."""
    look, view = sieve.look, sieve.view
    if view.sort == "newest":
        return [-look.seq[runs]]
    if view.sort == "stars":
        return [-sieve.reviewed.stars[runs]]
    if view.sort not in YARDSTICK_SORTS:
        return []
    values = percentile(connection, look, view.sort) if view.within else _rising(connection, look, view.sort)
    value = values[runs]
    keys: list[Floats | Ints] = [np.nan_to_num(-value), np.isnan(value).astype(np.int64)]
    if look.kept_apart(view.sort):
        keys.append(-look.protocol[runs])
    return [*keys, (look.state[runs] != DONE).astype(np.int64)]


def _rising(connection: Connection, look: Look, name: str) -> Floats:
    """A yardstick turned so that more is better."""
    values = look.yardstick(connection, name)
    return values if RISING[name] else -values


def percentile(connection: Connection, look: Look, name: str) -> Floats:
    """For every run: the share of the other runs of its content-style pair (and protocol) that it is better than, a tie counting half.

    NaN where the yardstick was not measured; 1 for a run that is alone in its pair.
    """
    return look.remembered(f"{name} within its pair", lambda: _percentile(connection, look, name))


def _percentile(connection: Connection, look: Look, name: str) -> Floats:
    value = _rising(connection, look, name)
    found = np.full(len(value), np.nan)
    known = np.flatnonzero(~np.isnan(value))
    apart = look.protocol[known] if look.kept_apart(name) else np.zeros(len(known), dtype=np.int64)
    known = known[np.lexsort([value[known], apart, look.pair[known]])]
    apart = look.protocol[known] if look.kept_apart(name) else np.zeros(len(known), dtype=np.int64)
    new_group = changes(look.pair[known]) | changes(apart)
    new_tie = new_group | changes(value[known])
    worse = start(new_tie) - start(new_group)
    ties, others = size(new_tie) - 1, size(new_group) - 1
    found[known] = np.where(others > 0, (worse + ties / 2) / np.maximum(others, 1), 1.0)
    return found


def facet(sieve: Sieve, name: str) -> Facet:
    """Every value of a parameter in the look, with how many runs it would show."""
    look = sieve.look
    fits = np.flatnonzero(sieve.fits(without=name))
    column = look.columns.get(name)
    if column is None:
        return Facet(name=name, values=((look.constants.get(name), len(np.unique(look.run_of[fits]))),))
    counts = np.bincount(column.codes[fits], minlength=len(column.values))
    shared = fits[look.shared[fits]]
    if len(shared):  # a run is counted once for a value, however many combinations share it
        codes, runs = column.codes[shared], look.run_of[shared]
        counts -= np.bincount(codes, minlength=len(counts))
        counts += np.bincount(np.unique(codes * len(look.run) + runs) // len(look.run), minlength=len(counts))
    return Facet(name=name, values=tuple(zip(column.values, counts.tolist(), strict=True)))


def facets(sieve: Sieve) -> tuple[Facet, ...]:
    """One for every parameter that the sweeps vary or the view restricts."""
    restricted = {name for name, choice in sieve.view.choices if choice}
    return tuple(facet(sieve, name) for name in PARAMETERS if name in restricted or name in sieve.look.columns)


def state_counts(sieve: Sieve) -> dict[str, int]:
    """Runs per state under all conditions but that of states, in the order of a run's life."""
    return _counted(sieve.look.state[sieve.fitting_runs(without=STATE)], RUN_STATES)


def flag_counts(sieve: Sieve) -> dict[str, int]:
    """Runs per flag under all other conditions."""
    return _counted(sieve.reviewed.flag[sieve.fitting_runs(without=FLAG)], FLAGS)


def star_counts(sieve: Sieve) -> dict[int, int]:
    """Stars -> runs with just so many, under all other conditions."""
    counts = np.bincount(sieve.reviewed.stars[sieve.fitting_runs(without=STARS)], minlength=6)
    return {stars: int(amount) for stars, amount in enumerate(counts)}


def tag_counts(sieve: Sieve) -> dict[str, int]:
    """Tag -> runs that have it, under all other conditions; by name."""
    fits = sieve.fitting_runs(without=TAG)
    counts: dict[str, int] = {}
    for place, tags in sieve.reviewed.tags.items():
        for tag in tags:
            counts[tag] = counts.get(tag, 0) + int(fits[place])
    return dict(sorted(counts.items()))


def _counted(codes: Ints, words: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(codes, minlength=len(words))
    return {word: int(amount) for word, amount in zip(words, counts, strict=True) if amount}


def extent(connection: Connection, look: Look, name: str) -> tuple[float, float] | None:
    """The lowest and the highest value of a yardstick in a look; None where it was never measured."""
    values = look.yardstick(connection, name)
    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if len(known) else None


def parameters_of(look: Look, combination: int) -> Mapping[str, Value]:
    """The parameters of a combination (a place among the look's), as a mapping."""
    return {name: column.values[column.codes[combination]] for name, column in look.columns.items() if name != SWEEP} | dict(look.constants)
