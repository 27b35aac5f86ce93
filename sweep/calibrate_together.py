"""Measuring with every worker that a machine has room for, at once: runs of a sweep share its memory and its caches."""

import multiprocessing
import signal
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from queue import Empty
from typing import Any

from sweep.calibrate import Sample, SampleInputs, Told, mean_of, measure
from sweep.errors import InputError, StylesweepError, SurroundingsError
from sweep.speed import Measured

POLL_SECONDS = 1.0


def measure_together(samples: Sequence[Sample], inputs: SampleInputs, at_once: int, told: Told) -> list[Measured]:
    """The mean of each sample over `at_once` processes that measure the same at the same time; told of when the last has it.

    Raises:
        InputError, SurroundingsError: as `measure`; and when a process dies.
    """
    if at_once <= 1:
        return measure(samples, inputs, told)
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(at_once), context.Queue()
    processes = [context.Process(target=_one_of_several, args=(samples, inputs, barrier, answers), daemon=True) for _ in range(at_once)]
    for one in processes:
        one.start()
    rows = []
    found: dict[int, list[Measured | None]] = {index: [] for index in range(len(samples))}
    try:
        for _ in range(at_once * len(samples)):
            index, row = _next(answers, processes)
            found[index].append(row)
            if len(found[index]) == at_once:
                whole = [one for one in found[index] if one is not None]
                rows += [mean_of(whole)] if len(whole) == at_once else []
                told(samples[index], rows[-1] if len(whole) == at_once else None)
    finally:
        for one in processes:
            one.kill()
            one.join()
    return rows


def _one_of_several(samples: Sequence[Sample], inputs: SampleInputs, barrier: Any, answers: Any) -> None:
    """In a process of its own: each sample begins when all processes have done the one before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits; it ends this one
    places = iter(range(len(samples)))
    try:
        measure(samples, inputs, lambda _, row: answers.put((next(places), row)), barrier.wait)
    except Exception as error:
        answers.put(error if isinstance(error, StylesweepError) else SurroundingsError(f"{type(error).__name__}: {error}"))


def _next(answers: Any, processes: Sequence[BaseProcess]) -> tuple[int, Measured | None]:
    while True:
        try:
            answer = answers.get(timeout=POLL_SECONDS)
        except Empty:
            if dead := [one for one in processes if one.exitcode not in (None, 0)]:
                raise SurroundingsError(
                    f"a measuring process ended without a word (exit code {dead[0].exitcode}); memory may have run out. "
                    "Give smaller --sizes, or raise resources.cpus, so that fewer work at once."
                ) from None
            continue
        if isinstance(answer, InputError | SurroundingsError):
            raise answer
        index, row = answer
        return index, row
