"""Which runs are measured to know how long a sweep takes: a few that stand for all of its own, or drawn pictures without a sweep."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sweep.calibrate import Sample, SampleInputs
from sweep.combination import Combination, LayerSet, RunSettings, Settings
from sweep.errors import InputError
from sweep.inputs import InputFile, look_at
from sweep.samples import drawn_style
from sweep.spec import SweepSpec
from sweep.speed import Kind
from sweep.transfer.cost import work
from sweep.transfer.images import mask_levels
from sweep.transfer.presets import LAYER_SETS, RECIPES, deepest_layer, network_info
from sweep.transfer.recipe import Recipe

SIZES = (128, 256, 512)
"""What is measured without a sweep's file, long sides in pixels."""
PACKS = (1, 2, 4, 8)
STEP_SECONDS = 24.0
"""How long steps are measured for in all, about; a sample gets its share, up to MOST_SECONDS."""
MOST_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be measured, and what a run asks of a machine. gpus: None is one where there are any. packs: sizes to try on a GPU."""

    samples: Sequence[Sample]
    inputs: SampleInputs
    cpus: float = 1.0
    gpus: float | None = None
    device: str = "auto"
    packs: Sequence[int] = PACKS

    def on(self, *, gpu: bool) -> list[Sample]:
        """The samples for a machine with or without a GPU: in packs on a GPU, the small ones first."""
        packs = self.packs if gpu else (1,)
        seconds = min(MOST_SECONDS, STEP_SECONDS / (len(self.samples) * len(packs)))
        own = {"gpus": float(gpu), "device": self.device, "threads": max(1, int(self.cpus)), "seconds": seconds}
        return [replace(sample, pack=pack, **own) for sample in self.samples for pack in packs]  # type: ignore[arg-type]


def of_sweep(
    spec: SweepSpec, files: Mapping[Path, InputFile], network_hash: Mapping[tuple[str, Path | None], str], sizes: Sequence[int] = ()
) -> Wanted:
    """For each network, recipe and number type of a sweep its costliest run, at `sizes` or at a few that its runs go through."""
    shapes = {file.sha256: (file.height, file.width) for file in files.values()}
    sides: dict[Kind, set[int]] = {}
    costliest: dict[Kind, tuple[float, Combination]] = {}
    seen = set()
    for combination in (one.combination for one in spec.combinations({path: file.sha256 for path, file in files.items()}, network_hash)):
        settings, shape = combination.settings, shapes[combination.content]
        kind = settings.network, settings.recipe, settings.dtype
        recipe = replace(Recipe.of(vars(settings)), seed=0)
        key = (kind, recipe, shape, combination.layers, len(combination.regions))
        if key in seen:
            continue
        seen.add(key)
        deepest = deepest_layer(settings.network, dict(combination.layers.content), dict(combination.layers.style))
        step = work(settings.network, deepest, shape, replace(recipe, steps=1), max(1, len(combination.regions)))
        sides.setdefault(kind, set()).update(max(height, width) for height, width, _ in recipe.scales(*shape))
        if kind not in costliest or step > costliest[kind][0]:
            costliest[kind] = step, combination
    samples = [
        Sample(settings=combination.run_settings(), content_size=shapes[combination.content], size=side)
        for kind, (_, combination) in costliest.items()
        for side in sorted(sizes or _few(sides[kind]))
    ]
    asked = spec.resources
    return Wanted(
        samples=samples,
        inputs=_inputs(files, network_hash, [sample.settings for sample in samples]),
        cpus=asked.cpus,
        gpus=asked.gpus,
        device=asked.device,
        packs=PACKS if asked.pack == "auto" else sorted({1, asked.pack}),
    )


def _few(sides: set[int]) -> set[int]:
    """The smallest, the largest and, where they are far apart, one between."""
    low, high = min(sides), max(sides)
    middle = min(sides, key=lambda side: abs(math.log(side * side / (low * high))))
    return {low, middle, high} if high > 2 * low else {low, high}


def _inputs(
    files: Mapping[Path, InputFile], network_hash: Mapping[tuple[str, Path | None], str], runs: Sequence[RunSettings]
) -> SampleInputs:
    pictures = {sha256 for run in runs for sha256 in (run.content, *(style for style, _ in run.style))}
    masks = {mask for run in runs for mask, _ in run.regions}
    looked = {file.sha256: look_at(path)[1] for path, file in files.items() if file.sha256 in pictures | masks}
    return SampleInputs(
        pictures={sha256: looked[sha256].pixels for sha256 in pictures},
        masks={sha256: mask_levels(looked[sha256]) for sha256 in masks},
        networks={(name, found): file for (name, file), found in network_hash.items()},
    )


def of_networks(networks: Sequence[str], sizes: Sequence[int] = ()) -> Wanted:
    """A drawn picture in the manner of another, by every recipe of every network named.

    Raises:
        InputError: a size is under 32 or over 1280 pixels: none is drawn.
    """
    sizes = sorted(sizes or SIZES)
    if sizes[0] < 32:
        raise InputError(f"--sizes {sizes[0]} is too small to be drawn; give 32 to 1280.")
    photograph = drawn_style("stained-glass", sizes[-1])[: sizes[-1] * 3 // 4]
    content, style = LAYER_SETS["painterly"]
    samples = []
    for name in networks:
        for recipe in RECIPES:
            combination = Combination(
                content="content",
                style=(("style", 1.0),),
                alpha=1.0,
                beta=30.0,
                layers=LayerSet.of(content, style),
                settings=Settings(network=name, network_hash=network_info(name).source_hash, recipe=recipe, size=sizes[-1]),
            )
            run, (height, width) = combination.run_settings(), photograph.shape[:2]
            samples += [Sample(settings=run, content_size=(height, width), size=size) for size in sizes]
    return Wanted(samples=samples, inputs=SampleInputs(pictures={"content": photograph, "style": drawn_style("woodcut", sizes[-1])}))
