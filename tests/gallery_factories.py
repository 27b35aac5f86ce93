"""Sweeps of any size for tests of the gallery: rows written at once, with the pictures of a made-up workspace."""

import itertools
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from factories import made_up_workspace, made_up_yardsticks, picture_bytes
from sqlalchemy import Connection, func, insert, select

from db.models import Combination, Image, LossPoint, Run, Snapshot, Sweep
from db.workspace import Workspace
from sweep.transfer.yardstick_names import ALL_NAMES

HOSTILE = "![x](http://evil.example/x.png) <img src=x onerror=alert(1)> :red[a] $x$ *b* & 'c' \"d\".png"


_LAYERS = {"shallow": [["relu1_1", 1.0]]}
"""Style layers of points by the name of their set; all others have the same two."""


@dataclass
class Point:
    """A combination to be, with its run's state; the fields are what a test may want to vary."""

    content: str = "harbour.jpg"
    style: str = "waves.png"
    alpha: float = 1.0
    beta: float = 1.0
    layers: str = "gatys"
    size: int = 96
    steps: int | None = None
    seed: int = 0
    state: str = "done"
    content_kept: float | None = 0.5
    style_gained: float | None = 0.5


def random_points(
    amount: int, seed: int, states: tuple[str, ...] = ("done",) * 8 + ("failed", "diverged", "queued", "cancelled")
) -> list[Point]:
    """Points that differ in everything; no ratio of alpha and beta is shared but by chance."""
    chance = random.Random(seed)
    return [
        Point(
            content=chance.choice(["harbour.jpg", "cat.png"]), style=chance.choice(["waves.png", "glass.png"]),
            alpha=chance.choice([1.0, 2.0]), beta=chance.choice([1.0, 2.0, 10.0, 31.6, 100.0]), layers=chance.choice(["gatys", "shallow"]),
            size=chance.choice([96, 128]), steps=chance.choice([None, 50, 100]), seed=chance.choice([0, 1, 2]), state=chance.choice(states),
            content_kept=round(chance.random(), 2), style_gained=None if chance.random() < 0.1 else round(chance.random(), 2),
        )
        for _ in range(amount)
    ]  # fmt: skip


def add_sweep(workspace: Workspace, name: str, points: list[Point], *, spec_path: str = "wide.yaml") -> None:
    """Record a sweep of these points. Points of equal ratio and equal settings share a run, whose state is the first one's."""
    with workspace.writer().begin() as connection:
        sweep_id = connection.execute(
            insert(Sweep)
            .values(name=name, spec_text="", spec_path=spec_path, resources={}, created_at=time.time() - 7200)
            .returning(Sweep.id)
        ).scalar_one()
        names = {
            row.original_name: row.sha256 for row in connection.execute(select(Image.original_name, Image.sha256)) if row.original_name
        }
        outputs = itertools.cycle(connection.execute(select(Run.output).where(Run.output.is_not(None))).scalars().all() or [None])
        first = (connection.execute(select(func.max(Run.id))).scalar() or 0) + 1
        seq = itertools.count((connection.execute(select(func.max(Run.finished_seq))).scalar() or 0) + 1)
        runs: dict[tuple[Any, ...], dict[str, Any]] = {}
        combinations = []
        for position, point in enumerate(points):
            inputs = names.get(point.content, names["harbour.jpg"]), names.get(point.style, names["waves.png"])
            same = (*inputs, point.beta / point.alpha, point.layers, point.size, point.steps, point.seed)
            if same not in runs:
                runs[same] = _run(first + len(runs), point, next(outputs), inputs) | _settled(point, seq)
            combinations.append(_combination(sweep_id, position, point, inputs) | {"run_id": runs[same]["id"]})
        connection.execute(insert(Run), list(runs.values()))
        connection.execute(insert(Combination), combinations)
        _details(connection, list(runs.values()))


def _run(run_id: int, point: Point, output: str | None, inputs: tuple[str, str]) -> dict[str, Any]:
    done = point.state == "done"
    kept, gained = (point.content_kept, point.style_gained) if done else (None, None)
    balance = None if kept is None or gained is None else max(0, kept) ** 0.4 * max(0, gained) ** 0.6
    # As if every third run was recorded before there were more than five.
    more = made_up_yardsticks(kept, gained, run_id) if kept is not None and gained is not None and run_id % 3 else dict.fromkeys(ALL_NAMES)
    settings = {
        "engine": 1, "content": inputs[0], "style": [[inputs[1], 1.0]], "alpha": 0.5, "beta": 0.5, "content_layers": [["relu4_2", 1.0]],
        "style_layers": _LAYERS.get(point.layers, [["relu1_1", 0.5], ["relu2_1", 0.5]]),
        "network": "vgg16-hed", "network_hash": "test", "recipe": "pyramid",
        "size": point.size,
    }  # fmt: skip
    return {
        "id": run_id, "run_key": f"r1-{run_id:040x}", "state": point.state, "settings": settings, "alpha": 0.5, "beta": 0.5, "tv": 0.0,
        "work": 1.0, "created_at": time.time(), "owner": "d-test" if point.state == "running" else None, "output": output if done else None,
        "protocol": "y1" if done else None, **more, "content_kept": kept, "style_gained": gained, "balance": balance,
        "d_content": None if kept is None else 1 - kept, "d_style": None if gained is None else 1 - gained,
        "error": "made up" if point.state in ("failed", "diverged", "quarantined") else None,
    }  # fmt: skip


def _settled(point: Point, seq: "itertools.count[int]") -> dict[str, Any]:
    finished = point.state in ("done", "diverged", "failed", "quarantined")
    return {"finished_seq": next(seq) if finished else None, "finished_at": time.time() if finished else None}


def _combination(sweep_id: int, position: int, point: Point, inputs: tuple[str, str]) -> dict[str, Any]:
    return {
        "sweep_id": sweep_id, "position": position, "combination_key": f"c1-{position}", "content": point.content, "style": point.style,
        "content_sha256": inputs[0], "style_sha256": inputs[1], "alpha": point.alpha, "beta": point.beta, "layers": point.layers,
        "network": "vgg16-hed", "recipe": "pyramid", "size": point.size, "steps": point.steps, "init": "content", "seed": point.seed,
        "tv": 0.0,
    }  # fmt: skip


def _details(connection: Connection, runs: list[dict[str, Any]]) -> None:
    """Curves for what ran, a last picture for what diverged."""
    ran = [run for run in runs if run["state"] not in ("queued", "cancelled")]
    points = [
        {"run_id": run["id"], "step": step, "size": 64 if step < 5 else 96, "tv_loss": 0.0}
        | {"content_loss": 0.1 * step, "style_loss": 1 / (step + 1)}
        for run in ran
        for step in range(10)
    ]
    picture = connection.execute(select(Image.sha256)).scalars().first()
    snapshots = [{"run_id": run["id"], "step": 7, "image": picture} for run in ran if run["state"] == "diverged"]
    for table, rows in ((LossPoint, points), (Snapshot, snapshots)):
        if rows:
            connection.execute(insert(table), rows)


def wide_workspace(folder: Path, *, amount: int = 260) -> Workspace:
    """`demo`: 16 runs, of which 2 queued and 2 failed. `wide`: `amount` points of every state. `odd`: hostile names, and a shared run."""
    workspace = made_up_workspace(folder, betas=2, unfinished=2, failed=2)
    add_sweep(workspace, "wide", random_points(amount, 7))
    odd = [Point(content=HOSTILE, beta=beta, alpha=alpha) for alpha, beta in ((1.0, 5.0), (2.0, 10.0), (1.0, 7.0))]
    add_sweep(workspace, f"odd {HOSTILE[:40]}", [*odd, Point(beta=9.0, state="failed"), Point(beta=8.0, state="diverged")])
    return workspace


def look_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the gallery's pages show this workspace."""
    monkeypatch.setenv("STYLESWEEP_WORKSPACE", str(folder))


__all__ = ["HOSTILE", "Point", "add_sweep", "look_at", "picture_bytes", "random_points", "wide_workspace"]
