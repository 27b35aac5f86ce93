"""Workspaces of any number of made-up runs, for looking at the gallery and for measuring it.

Keys, settings and combinations are those of a real plan; pictures, yardsticks, curves, attempts and reviews are made up, smoothly in the
parameters and plausibly. Equal arguments make equal workspaces, but for the times in them.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gallery_pictures import STRENGTHS, Pixels, contents, jpeg, picture_file, result, styles
from gallery_rows import QUEUED, Made, write_results
from numpy.typing import NDArray

from db.rows import insert_images
from db.store import Store
from db.sweeps import InputPicture, PlannedCombination, SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace, open_workspace
from sweep.combination import Combination, LayerSet, Settings
from sweep.keys import Keys
from sweep.transfer.images import encode_thumbnail, mean_colour
from sweep.transfer.presets import LAYER_SETS

MARK = "made-up.json"
VERSION = 1
SWEEP = "many"
LAYERS = ("painterly", "gatys", "shallow", "deep", "johnson")
SIZES = (256, 384, 512)
# How many betas, layer sets, sizes, seeds, tvs and colours; the first that has room for all runs is taken, so that few runs leave an axis
# of theirs mostly full and many leave it with gaps.
AXES = (
    (4, 2, 1, 1, 1, 1), (9, 2, 1, 1, 1, 1), (9, 3, 2, 1, 1, 1), (13, 3, 2, 2, 1, 1), (13, 5, 3, 2, 1, 1), (25, 5, 3, 2, 2, 1),
    (25, 5, 3, 4, 2, 1), (25, 5, 3, 4, 2, 2), (49, 5, 3, 8, 2, 2), (97, 5, 3, 16, 4, 2),
)  # fmt: skip
SHARED = 0.02
"""Share of the runs that a second combination of the same ratio has."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What was recorded of the pictures: names and hashes of contents and styles; outputs[content, style, strength] are hashes."""

    contents: list[tuple[str, str]]
    styles: list[tuple[str, str]]
    outputs: NDArray[np.str_]


def made_up(folder: Path, runs: int, queued: int | None = None) -> bool:
    """Write a workspace of so many distinct runs, of which the last are queued (a few unless told); False if it is there already.

    Raises:
        SystemExit: the folder holds something else, or there is no room for so many different runs.
    """
    mark = folder / MARK
    told = {"runs": runs, "version": VERSION} | ({} if queued is None else {"queued": queued})
    if mark.is_file() and json.loads(mark.read_text()) == told:
        return False
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} holds something else; give a folder that is new or empty. Nothing was written.")
    pairs = len(list(contents())) * len(LAYERS)
    fitting = [axes for axes in AXES if pairs * int(np.prod(axes)) >= runs]
    if runs < 1 or not fitting:
        raise SystemExit(f"--runs takes 1 to {pairs * int(np.prod(AXES[-1])):,}.")
    workspace = open_workspace(folder, create=True)
    store = Store(workspace.writer(), workspace.artifacts)
    inputs = _record_pictures(store)
    made = _record_sweep(store, inputs, runs, fitting[0])
    write_results(workspace, made, inputs.outputs, int(QUEUED * runs) if queued is None else queued)
    _record_small(store, inputs)
    with workspace.writer().connect() as connection:
        connection.exec_driver_sql("ANALYZE")
    mark.write_text(json.dumps(told))
    return True


def _record_pictures(store: Store) -> Inputs:
    taken = [(name, pixels, jpeg(pixels), "jpeg") for name, pixels in contents()]
    drawn = [(name, pixels, picture_file(pixels).data, "png") for name, pixels in styles()]
    record_inputs(store, (_input(*one) for one in taken + drawn))
    rows, outputs = [], np.empty((len(taken), len(drawn), len(STRENGTHS)), dtype="U64")
    for at in np.ndindex(outputs.shape):
        row = store._put(picture_file(result(taken[at[0]][1], drawn[at[1]][1], STRENGTHS[at[2]])))
        rows.append(row)
        outputs[at] = row["sha256"]
    with store.engine.begin() as connection:
        insert_images(connection, rows)
    hashed = [[(name, hashlib.sha256(data).hexdigest()) for name, _, data, _ in which] for which in (taken, drawn)]
    return Inputs(contents=hashed[0], styles=hashed[1], outputs=outputs)


def _input(name: str, pixels: Pixels, data: bytes, form: str) -> InputPicture:
    return InputPicture(
        sha256=hashlib.sha256(data).hexdigest(), data=data, format=form, width=pixels.shape[1], height=pixels.shape[0],
        mean_colour=mean_colour(pixels), name=name, thumbnail=encode_thumbnail(pixels),
    )  # fmt: skip


def _record_sweep(store: Store, inputs: Inputs, runs: int, axes: tuple[int, ...]) -> list[Made]:
    """The plan, as `stylesweep run` records it."""
    chance = np.random.default_rng(runs)
    shape = (len(inputs.contents), len(inputs.styles), *axes)
    points = np.sort(chance.choice(int(np.prod(shape)), size=runs, replace=False))
    keys, planned, made = Keys(), [], []
    sets = [LayerSet.of(*LAYER_SETS[name], name) for name in LAYERS]
    shares = [((sha256, 1.0),) for _, sha256 in inputs.styles]
    settings: dict[tuple[int, ...], Settings] = {}
    for point in zip(*np.unravel_index(points, shape), strict=True):
        content, style, beta, layers, *others = (int(value) for value in point)
        if tuple(others) not in settings:
            settings[tuple(others)] = _settings(*others)
        weight = round(10 ** (3 * beta / max(axes[0] - 1, 1)), 3)
        for factor in (1.0, 10.0)[: 1 + int(chance.random() < SHARED)]:
            one = Combination(
                content=inputs.contents[content][1], style=shares[style], alpha=factor, beta=round(factor * weight, 6), layers=sets[layers],
                settings=settings[tuple(others)] if factor == 1 else _heavier(settings[tuple(others)], factor),
            )  # fmt: skip
            key, run = keys.of(one)
            names = {"content_name": inputs.contents[content][0], "style_name": inputs.styles[style][0]}
            planned.append(PlannedCombination(combination=one, **names, work=1e12, key=key, run=run))
            if factor == 1:
                made.append(Made(run_key=run, content=content, style=style, layers=layers, beta=weight, tv=one.settings.tv))
    _record(store, SWEEP, planned)
    return made


def _record(store: Store, name: str, planned: list[PlannedCombination]) -> None:
    resources = {"cpus": 1, "gpus": 0}
    sweep = SweepRecord(name=name, spec_text=f"name: {name}\n", spec_path=f"{name}.yaml", search_seed=None, resources=resources)
    record_sweep(store, sweep, planned, extend=False)


def _settings(size: int, seed: int, tv: int, colours: int) -> Settings:
    # From noise, as only then a seed makes another run.
    return Settings(
        network="vgg16-hed", network_hash="made up", size=SIZES[size], init="noise", seed=seed, tv=10.0 * tv,
        colors=("style", "content")[colours],
    )  # fmt: skip


def _heavier(settings: Settings, factor: float) -> Settings:
    """Of the combination that has all weights `factor` times, which is the same run."""
    return Settings.of({**vars(settings), "tv": settings.tv * factor})


def _record_small(store: Store, inputs: Inputs) -> None:
    """A second sweep that nothing has run of yet."""
    content, style = inputs.contents[0], inputs.styles[0]
    planned = [
        PlannedCombination(
            combination=Combination(
                content=content[1], style=((style[1], 1.0),), alpha=1.0, beta=beta, layers=LayerSet.of(*LAYER_SETS["gatys"], "gatys"),
                settings=Settings(network="vgg16-hed", network_hash="made up", size=512),
            ),
            content_name=content[0], style_name=style[0], work=1e12,
        )
        for beta in (1.0, 10.0, 100.0)
    ]  # fmt: skip
    _record(store, "waiting", planned)


__all__ = ["MARK", "SWEEP", "Workspace", "made_up"]
