"""Workspaces with made-up results for tests of the store, the gallery and the exports: random pictures, plausible numbers.

Never evidence about pictures: those tests run the real optimiser.
"""

import hashlib
import io
import math
import random
from pathlib import Path

from PIL import Image, ImageDraw

from db.drivers import become_driver, resign
from db.store import ClaimedRun, Store
from db.sweeps import InputPicture, PlannedCombination, SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace, open_workspace
from sweep import events
from sweep.combination import Combination, LayerSet, Settings
from sweep.transfer.yardstick_names import YARDSTICKS

GATYS = LayerSet.of({"relu4_2": 1}, {f"relu{block}_1": 1 for block in range(1, 6)}, "gatys")
SHALLOW = LayerSet.of({"relu4_2": 1}, {"relu1_1": 1, "relu2_1": 1}, "shallow")


def picture_bytes(seed: int, size: tuple[int, int] = (96, 64), form: str = "PNG") -> bytes:
    """A small picture of random discs; equal seeds give equal bytes."""
    chance = random.Random(seed)
    image = Image.new("RGB", size, tuple(chance.randrange(60, 200) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, radius = chance.randrange(size[0]), chance.randrange(size[1]), chance.randrange(4, 24)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tuple(chance.randrange(256) for _ in range(3)))
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def input_picture(name: str, seed: int) -> InputPicture:
    """An input picture as the store takes it."""
    data = picture_bytes(seed)
    return InputPicture(
        sha256=hashlib.sha256(data).hexdigest(), data=data, format="png", width=96, height=64,
        mean_colour="#8899aa", name=name, thumbnail=picture_bytes(seed, form="WEBP"),
    )  # fmt: skip


def plan_of(
    contents: list[InputPicture], styles: list[InputPicture], betas: list[float], layers: list[LayerSet]
) -> list[PlannedCombination]:
    """The full grid over four axes, alpha 1."""
    return [
        PlannedCombination(
            combination=Combination(
                content=content.sha256, style=((style.sha256, 1.0),), alpha=1.0, beta=beta, layers=layer_set,
                settings=Settings(network="vgg16-hed", network_hash="test", size=96),
            ),
            content_name=content.name, style_name=style.name, work=1e9,
        )
        for content in contents for style in styles for beta in betas for layer_set in layers
    ]  # fmt: skip


def curve(seed: int, steps: int = 60) -> tuple[events.LossPoint, ...]:
    """Two falling losses over two scales."""
    chance = random.Random(seed)
    speed = chance.uniform(0.02, 0.08)
    return tuple(
        events.LossPoint(
            step=step, size=64 if step < steps // 2 else 96,
            content_loss=0.3 * (1 - math.exp(-speed * step)), style_loss=0.05 + 0.9 * math.exp(-speed * step), tv_loss=0.01,
        )
        for step in range(steps)
    )  # fmt: skip


def finished_event(run: ClaimedRun, seed: int) -> events.Finished:
    """A plausible end of a run: more beta, more style and less content."""
    strength = run.settings.beta / (1 + run.settings.beta)
    kept, gained = 0.95 - 0.6 * strength + 0.02 * (seed % 5), 0.2 + 1.2 * strength - 0.03 * (seed % 7)
    return events.Finished(
        run_key=run.run_key, attempt=run.attempt,
        picture=events.PictureFile(
            data=picture_bytes(seed), format="png", width=96, height=64, mean_colour="#667788", thumbnail=picture_bytes(seed, form="WEBP")
        ),
        yardsticks=made_up_yardsticks(kept, gained, seed),
        protocol="y1", steps=60, seconds=12.0 + seed % 3, optimise_seconds=11.5, peak_memory=700_000_000,
    )  # fmt: skip


def made_up_yardsticks(kept: float, gained: float, seed: int) -> dict[str, float | None]:
    """Every yardstick: those that say what is kept or gained near `kept` and `gained`, distances the other way round."""
    chance = random.Random(seed)
    values: dict[str, float | None] = {
        one.name: (kept if one.group == "content" else gained) * chance.uniform(0.9, 1.1) if one.rising else chance.random()
        for one in YARDSTICKS
    }
    exact = {"content_kept": kept, "style_gained": gained, "balance": max(0, kept) ** 0.4 * max(0, gained) ** 0.6}
    return values | exact | {"d_content": 1 - kept, "d_style": 1 - gained}


def snapshot_event(run: ClaimedRun, step: int, seed: int) -> events.Snapshot:
    """A picture on the way of a run; equal seeds, equal pictures."""
    picture = events.PictureFile(
        data=picture_bytes(seed), format="png", width=96, height=64, mean_colour="#667788", thumbnail=picture_bytes(seed, form="WEBP")
    )
    return events.Snapshot(run_key=run.run_key, attempt=run.attempt, step=step, picture=picture)


def made_up_workspace(folder: Path, *, betas: int = 4, name: str = "demo", unfinished: int = 0, failed: int = 0) -> Workspace:
    """2 contents x 2 styles x `betas` x 2 layer sets, all done but the last `unfinished` (queued) and the `failed` before them."""
    workspace = open_workspace(folder, create=True)
    store = Store(workspace.writer(), workspace.artifacts)
    contents = [input_picture("harbour.jpg", 1), input_picture("cat.png", 2)]
    styles = [input_picture("waves.png", 3), input_picture("glass.png", 4)]
    record_inputs(store, [*contents, *styles])
    planned = plan_of(contents, styles, [10 ** (i / 2) for i in range(betas)], [GATYS, SHALLOW])
    record = SweepRecord(
        name=name, spec_text=f"name: {name}\n", spec_path=f"{name}.yaml", search_seed=None, resources={"cpus": 1, "gpus": 0}
    )
    record_sweep(store, record, planned, extend=False)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    runs = store.claim(owner, len(planned) - unfinished)
    for number, run in enumerate(runs):
        started = events.Started(run_key=run.run_key, attempt=run.attempt, node="here", pid=1, device="cpu", versions={"torch": "2.13.0"})
        store.started(owner, started)
        if number >= len(runs) - failed:
            failure = events.Failed(
                run_key=run.run_key, attempt=run.attempt, kind="bug", error="ValueError: made up", traceback="Traceback: made up"
            )
            store.failed(owner, failure, curve(number, 20))
        else:
            store.finished(owner, finished_event(run, number), curve(number))
    resign(store.engine, owner)
    return workspace
