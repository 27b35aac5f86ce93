"""What the runs of a made-up workspace came to: states, yardsticks, attempts, curves, snapshots and reviews, in bulk."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, insert, select, update

from db.models import Attempt, LossPoint, Review, ReviewTag, Run, Snapshot
from db.workspace import Workspace
from sweep.transfer.yardstick_names import YARDSTICKS

STATES = ("done", "failed", "diverged", "quarantined", "cancelled", "queued")
QUEUED = 0.02
"""Share at the end of the plan that has not run, unless told."""
CURVES, POINTS, SNAPSHOTS, REVIEWED = 2_000, 40, 200, 0.03
"""Runs that have a curve, its points, runs that have snapshots; share of the runs that somebody has said something of."""
DAYS = 3.0
FAILURES = (
    ("oom", "the process ran out of memory: the run needs about 2.1 GB. Lower `size`, or give it more with resources.memory.", ""),
    (
        "bug",
        "ValueError: operands could not be broadcast together with shapes (288,384,3) (287,384,3)",
        'Traceback (most recent call last):\n  File "sweep/worker.py", line 214, in run\n    news = pack.step()\n'
        "ValueError: operands could not be broadcast together with shapes (288,384,3) (287,384,3)\n",
    ),
    ("surroundings", "the weights of vgg16-hed cannot be read: Input/output error", ""),
)
DIVERGED = "the loss became non-finite after step 37: lower beta, or the learning rate"
PEOPLE, TAGS = ("ana", "ben"), ("poster", "sky", "too busy")

Floats = NDArray[np.float64]
Names = NDArray[np.str_]
Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Made:
    """One run of the plan, with what its yardsticks are made of: numbers of its content, style and layer set."""

    run_key: str
    content: int
    style: int
    layers: int
    beta: float
    tv: float


def write_results(workspace: Workspace, made: Sequence[Made], outputs: NDArray[np.str_], queued: int) -> None:
    """Settle the runs but the last ones, in the order of the plan but for neighbours, over the last days; all in one transaction."""
    chance = np.random.default_rng(len(made))
    states = _states(made, chance, queued)
    measured = _yardsticks(made, chance)
    with workspace.writer().begin() as connection:
        ids = {key: run_id for key, run_id in connection.execute(select(Run.run_key, Run.id))}
        order = np.argsort(np.arange(len(made)) + chance.normal(0, 20, len(made)))
        rows, attempts = _settled(made, (states, order, ids), measured, outputs)
        _update(connection, rows)
        connection.execute(insert(Attempt), attempts)
        _beside(connection, rows, chance)
        _reviews(connection, [one.run_key for one, state in zip(made, states, strict=True) if state == "done"], chance)


def _states(made: Sequence[Made], chance: np.random.Generator, queued: int) -> NDArray[np.str_]:
    strong = np.array([one.beta for one in made]) > 300
    draw = chance.random(len(made))
    states = np.full(len(made), "done", dtype="U12")
    states[draw < 0.020] = "failed"
    states[draw < 0.004] = "cancelled"
    states[draw < 0.001] = "quarantined"
    states[(draw > 0.95) & strong] = "diverged"
    states[len(made) - queued :] = "queued"
    return states


def _yardsticks(made: Sequence[Made], chance: np.random.Generator) -> dict[str, Floats]:
    """Smooth in beta, with an offset of each pair and layer set and a little noise; NaN where nothing was measured."""
    amount = len(made)
    pair = np.array([7 * one.content + one.style for one in made])
    offsets = np.random.default_rng(0).normal(0, 1, (100, 2))
    layers = np.array([one.layers for one in made])
    strength = np.log10([one.beta for one in made]) + 0.25 * (layers - 2) - 0.2 * np.array([one.tv > 0 for one in made])
    kept = 0.97 - 0.8 / (1 + np.exp(-(strength - 1.7 + 0.2 * offsets[pair, 0]) / 0.5)) + chance.normal(0, 0.012, amount)
    gained = 0.05 + 0.85 / (1 + np.exp(-(strength - 1.0 + 0.25 * offsets[pair, 1]) / 0.5)) + chance.normal(0, 0.012, amount)
    values: dict[str, Floats] = {}
    for number, one in enumerate(YARDSTICKS):
        base = {"content": kept, "style": gained, "colour": gained, "together": kept * gained}.get(one.group, chance.random(amount))
        base = base if one.rising is not False else 1.05 - base
        values[one.name] = base * (0.9 + 0.02 * (number % 10)) + chance.normal(0, 0.01, amount)
    values |= {"content_kept": kept, "style_gained": gained, "d_content": 1 - kept, "d_style": 1 - gained}
    values["balance"] = np.maximum(kept, 0) ** 0.4 * np.maximum(gained, 0) ** 0.6
    old, none = chance.random(amount) < 0.05, chance.random(amount) < 0.01
    for name, column in values.items():
        column[none | (old if name not in ("balance", "content_kept", "style_gained", "d_content", "d_style") else False)] = np.nan
    return {name: column.round(6) for name, column in values.items()}


def _settled(
    made: Sequence[Made], how: tuple[Names, NDArray[np.intp], dict[str, int]], measured: dict[str, Floats], outputs: Names
) -> tuple[Rows, Rows]:
    """Rows of run and attempt. how: states, the order in which the runs finished, run key -> id."""
    states, order, ids = how
    began, span = time.time() - 86400 * DAYS, 86400 * DAYS / (len(made) + 1)
    rows, attempts = [], []
    for number in order.tolist():
        one, state = made[number], str(states[number])
        if state == "queued":
            continue
        at, seq, done = began + span * len(attempts), len(attempts) + 1, state == "done"
        kind, error, traceback = FAILURES[number % 3] if state in ("failed", "quarantined") else (None, None, None)
        error = DIVERGED if state == "diverged" else error
        strength = min(max(float(np.log10(one.beta)) / 3, 0), 0.999)
        row: dict[str, Any] = {name: float(column[number]) if done else None for name, column in measured.items()}
        row |= {
            "which": ids[one.run_key], "state": state, "error": error, "attempts": 1, "finished_at": at,
            "finished_seq": None if state == "cancelled" else seq, "seconds": round(20 + 15 * strength + number % 7, 2), "steps": 200,
            "output": str(outputs[one.content, one.style, int(strength * outputs.shape[2])]) if done else None,
            "protocol": "y1" if done else None,
        }  # fmt: skip
        rows.append(row)
        attempts.append(
            {
                "run_id": ids[one.run_key], "number": 1, "owner": "d-made-up", "state": "crashed" if state == "quarantined" else state,
                "task": f"{seq:016x}", "node": f"node-{number % 4 + 1}", "pid": 4000 + number % 4, "device": "cpu", "kind": kind,
                "versions": {"stylesweep": "0.1.0", "torch": "2.13.0"}, "error": error, "traceback": traceback, "created_at": at - 60,
                "started_at": at - 50, "finished_at": at, "seconds": 50.0, "optimise_seconds": 48.0, "peak_memory": 900_000_000,
            }
        )  # fmt: skip
    return rows, attempts


def _update(connection: Connection, rows: list[dict[str, Any]]) -> None:
    columns = [name for name in rows[0] if name != "which"]
    statement = update(Run).where(Run.id == bindparam("which")).values({name: bindparam(name) for name in columns})
    connection.execute(statement, rows)


def _beside(connection: Connection, rows: list[dict[str, Any]], chance: np.random.Generator) -> None:
    """Curves of the newest runs and of some others; snapshots of a few, and the last picture of what diverged."""
    ran = [row for row in rows if row["state"] != "cancelled"]
    some = {*range(max(0, len(ran) - CURVES // 2), len(ran)), *chance.integers(0, len(ran), CURVES // 2).tolist()}
    points, snapshots = [], []
    pictures = [row["output"] for row in ran if row["output"] is not None]
    for number in sorted(some):
        speed, last = chance.uniform(0.02, 0.05), POINTS if ran[number]["state"] == "done" else POINTS // 3
        for step in range(0, 5 * last, 5):
            fallen = float(np.exp(-speed * step))
            losses = {"content_loss": 0.3 * (1 - fallen), "style_loss": 0.05 + 0.9 * fallen, "tv_loss": 0.01 + 0.02 * (1 - fallen)}
            points.append({"run_id": ran[number]["which"], "step": step, "size": (128, 256)[step >= 100], **losses})
        done = ran[number]["state"] == "done"
        if pictures and (ran[number]["state"] == "diverged" or (done and len(snapshots) < 4 * SNAPSHOTS)):
            steps = (10, 30, 80, 150) if done else (30,)
            snapshots += [
                {"run_id": ran[number]["which"], "step": step, "image": pictures[(number + step) % len(pictures)]} for step in steps
            ]
    for table, made in ((LossPoint, points), (Snapshot, snapshots)):
        if made:
            connection.execute(insert(table), made)


def _reviews(connection: Connection, keys: list[str], chance: np.random.Generator) -> None:
    now = time.time()
    reviews, tags = [], []
    for person in PEOPLE:
        for number in np.flatnonzero(chance.random(len(keys)) < REVIEWED).tolist():
            flag = (None, "pick", "reject")[int(chance.integers(3))]
            stars, at = int(chance.integers(6)), now - float(chance.uniform(0, 86400))
            note = "the sky is lovely, the edges less so" if chance.random() < 0.1 else None
            row: dict[str, Any] = {"run_key": keys[number], "person": person, "flag": flag, "flag_at": at, "stars": stars, "stars_at": at}
            reviews.append(row | {"note": note, "note_at": at if note else None})
            if chance.random() < 0.3:
                tag = TAGS[int(chance.integers(len(TAGS)))]
                tags.append({"run_key": keys[number], "person": person, "tag": tag, "present": True, "at": at})
    for table, made in ((Review, reviews), (ReviewTag, tags)):
        if made:
            connection.execute(insert(table), made)
