"""What a run costs in a pack against alone, turn by turn in one process; and what bfloat16 convolutions change."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from engine_setting import Plan, Row, problem, single_scale
from engine_steps import STEPS_AT_MOST, neighbours_ratio

from sweep.transfer.networks import Features
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, TargetCache, stylize, stylize_pack

TOGETHER: Final = 4
BETAS: Final = (0.5, 0.8, 0.9, 0.97)


class PackTurns:
    """A pack's generator, pulled until each of its runs has done so many steps more."""

    def __init__(self, features: Features, size: int, runs: int, plan: Plan) -> None:
        adam = plan.recipe == "pyramid"
        one = problem(size, single_scale(size, STEPS_AT_MOST) if adam else Recipe(name="gatys", size=size, steps=STEPS_AT_MOST))
        problems = [replace(one, alpha=1 - beta, beta=beta) for beta in BETAS[:runs]]
        self._news = stylize_pack(features, problems, TargetCache(), plan.device)
        self._runs = runs

    def take(self, steps: int) -> float:
        """Processor seconds (wall clock on a GPU) of that many steps of every run, divided by the steps that were done."""
        began, done = _clock(), 0
        while done < steps * self._runs:
            _, news = next(self._news)
            if isinstance(news, Outcome):
                raise RuntimeError("the pack ran out of steps before the turns were over")
            done += len(news) if isinstance(news, list) else 0
        return (_clock() - began) / done


def _clock() -> float:
    return time.perf_counter() if torch.cuda.is_available() else time.process_time()


def pack_costs(plan: Plan, features: Features) -> Iterator[Row]:
    """Time of a step of one run in a pack of TOGETHER over that of a run alone; for Adam and for L-BFGS."""
    for recipe in ("pyramid", "gatys"):
        for size in plan.sizes:
            own = replace(plan, recipe=recipe)
            pack, alone = PackTurns(features, size, TOGETHER, own), PackTurns(features, size, 1, own)
            steps = 2 if plan.turns < 7 else 6
            pack.take(1), alone.take(1)
            turns = [turn.take(steps) for _ in range(plan.turns) for turn in (pack, alone)]
            yield Row(f"step of a run in a pack of {TOGETHER} over alone, {recipe}", f"{size} px", neighbours_ratio(turns), "x", 1.05)


def precision(plan: Plan, features: Features) -> Iterator[Row]:
    """How far bfloat16 convolutions leave a picture from float32's, beside how far it is from the photograph; and their time."""
    size = min(plan.sizes)
    made, spent = {}, {}
    for dtype in ("float32", "bfloat16"):
        asked = replace(problem(size, Recipe(size=size, steps=min(20, 5 * plan.turns))), dtype=dtype)
        began = _clock()
        *_, outcome = stylize(features, asked, TargetCache(), plan.device)
        assert isinstance(outcome, Outcome)
        made[dtype], spent[dtype] = outcome.pixels.astype(float), _clock() - began
    apart = statistics.fmean(np.abs(made["float32"] - made["bfloat16"]).ravel().tolist())
    moved = statistics.fmean(np.abs(made["float32"] - problem(size, Recipe(size=size)).content.pixels).ravel().tolist())
    yield Row("bfloat16: mean difference of the picture", f"{size} px", apart, "levels")
    yield Row("bfloat16: of the way from the photograph", f"{size} px", apart / moved, "")
    yield Row("bfloat16: time of a run over float32's", f"{size} px", spent["bfloat16"] / spent["float32"], "x")
