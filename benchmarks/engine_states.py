"""What a resumable state costs: milliseconds to make it between two steps and to read it back, and its bytes."""

import statistics
import time
from collections.abc import Iterator

from engine_setting import Plan, Row, problem, single_scale

from sweep.transfer.networks import Features
from sweep.transfer.stylize import Along, State, TargetCache, Wish, opened, stylize_pack


class _EveryStep:
    """Wishes for a state after every step, and notes when it did."""

    asked = 0.0

    def wish(self, place: int, step: int, share: float) -> Wish:
        self.asked = time.perf_counter()
        return Wish.STATE if step else Wish.NOTHING


def state_costs(plan: Plan, features: Features) -> Iterator[Row]:
    """Of one run, at its largest scale; the wait for the step before it is in it, which on a GPU may still be under way."""
    for size in (size for size in plan.sizes if size >= 256):
        asked, companion = problem(size, single_scale(size, plan.turns + 1)), _EveryStep()
        made, read, length = [], [], 0
        for _, news in stylize_pack(features, [asked], TargetCache(), plan.device, Along(companion=companion)):
            if isinstance(news, State) and news.data is not None:
                made.append(time.perf_counter() - companion.asked)
                began, length = time.perf_counter(), len(news.data)
                opened(news.data, asked)
                read.append(time.perf_counter() - began)
        yield Row("a resumable state, to make", f"{size} px", 1000 * statistics.median(made), "ms")
        yield Row("a resumable state, to read back", f"{size} px", 1000 * statistics.median(read), "ms")
        yield Row("a resumable state", f"{size} px", length / 1e6, "MB")
