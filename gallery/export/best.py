"""Which results are worth taking away."""

from collections.abc import Callable
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from db.models import Run, Sweep
from db.queries import Result, results, sweep_named
from sweep.errors import InputError
from sweep.transfer.yardstick_names import BY_NAME, MAIN_PROTOCOL, PROTOCOLS, RISING


def select_best(connection: Connection, sweep_name: str, top: int | None, per_pair: int | None, by: str) -> list[Result]:
    """The done runs of a sweep, best first by one yardstick, each run once (as its first combination).

    per_pair: at most so many of each content-style pair; top: at most so many in all; None: no limit. Runs without the yardstick come
    last, and of y1's those of an older protocol than the newest in the sweep: two protocols are never sorted together. Ties keep
    the order of the sweep.

    Raises:
        InputError: there is no such sweep or yardstick, a limit is under 1, or nothing is done yet.
    """
    check_order(by)
    for name, limit in (("top", top), ("per-pair", per_pair)):
        if limit is not None and limit < 1:
            raise InputError(f"--{name} is {limit}; give at least 1.")
    sweep = sweep_named(connection, sweep_name)
    done = results(connection, Sweep.id == sweep.id, Run.state == "done")
    once = list({result.run_key: result for result in reversed(done)}.values())[::-1]
    if not once:
        said = ", ".join(f"{count} {state}" for state, count in sweep.states.items()) or "none planned"
        raise InputError(f"no run of the sweep {sweep_name!r} is done yet ({said}); `stylesweep run` its file, or wait for it.")
    best = sorted(once, key=_order(once, by))
    if per_pair is not None:
        best = _first_of_each_pair(best, per_pair)
    return best[:top]


def check_order(by: str) -> None:
    """Refuse what results cannot be ordered by.

    Raises:
        InputError: it is no yardstick, or one of which neither more nor less is better.
    """
    if by not in RISING:
        why = ": neither more nor less of it is better" if by in BY_NAME else ""
        raise InputError(f"results cannot be ordered by {by!r}{why}; choose one of {', '.join(RISING)}.")


def _order(found: list[Result], by: str) -> Callable[[Result], tuple[Any, ...]]:
    newest = max(found, key=lambda result: result.finished_seq or 0).protocol
    sign = -1 if RISING[by] else 1
    own = PROTOCOLS[by] == MAIN_PROTOCOL  # any other yardstick has one protocol for good

    def order(result: Result) -> tuple[Any, ...]:
        value = result.yardsticks[by]
        apart = (result.protocol != newest, result.protocol or "") if own else ()
        return (value is None, *apart, 0 if value is None else sign * value, result.position)

    return order


def pair_of(result: Result) -> tuple[str, str]:
    """What makes results comparable: the content picture and the style picture, blend or regions."""
    return result.content_sha256, repr((sorted(map(tuple, result.settings["style"])), result.settings.get("regions")))


def _first_of_each_pair(best: list[Result], limit: int) -> list[Result]:
    place = {result.id: index for index, result in enumerate(best)}
    grouped = groupby(sorted(best, key=lambda result: (pair_of(result), place[result.id])), key=pair_of)
    kept = [result for _, group in grouped for result in list(group)[:limit]]
    return sorted(kept, key=lambda result: place[result.id])
