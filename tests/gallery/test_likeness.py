"""Near-duplicates beside a plain double loop, what is never collapsed, and what it costs."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gallery.likeness import THRESHOLD, collapse, leaders, unpacked
from sweep.transfer.signatures import LENGTH, VERSION, signature

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def by_two_loops(order: list[int], pair: list[int], signatures: NDArray[np.uint8], known: list[bool]) -> tuple[list[int], list[int]]:
    """The definition, word by word."""
    most = int(THRESHOLD**2 * signatures.shape[1])
    kept: list[int] = []
    stands_for: list[int] = []
    for run in order:
        for place, leader in enumerate(kept):
            if pair[run] == pair[leader] and known[run] and known[leader]:
                apart = signatures[run].astype(int) - signatures[leader].astype(int)
                if int((apart * apart).sum()) <= most:
                    stands_for[place] += 1
                    break
        else:
            kept.append(run)
            stands_for.append(1)
    return kept, stands_for


def drawn(
    seed: int, amount: int, width: int, spread: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8], NDArray[np.bool_]]:
    """Heaps of signatures around few centres, in three pairs; some unknown, some not in the order."""
    chance = np.random.default_rng(seed)
    centres = chance.integers(60, 200, (max(1, amount // 6), width))
    around = centres[chance.integers(0, len(centres), amount)] + chance.normal(0, spread, (amount, width))
    order = chance.permutation(amount)[: chance.integers(0, amount + 1)]
    return order, chance.integers(0, 3, amount), np.clip(around, 0, 255).astype(np.uint8), chance.random(amount) < 0.9


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([1, 8, 40, 90]), st.sampled_from([0.0, 1.5, 3.4, 3.6, 6.0]))
def test_it_is_what_two_loops_find(seed: int, amount: int, width: int, spread: float) -> None:
    order, pair, signatures, known = drawn(seed, amount, width, spread)
    kept, stands_for = collapse(order, pair, signatures, known)
    assert (kept.tolist(), stands_for.tolist()) == by_two_loops(order.tolist(), pair.tolist(), signatures, known.tolist())
    assert stands_for.sum() == len(order)


@pytest.mark.parametrize("spread", [0.5, 3.4, 3.54, 3.7, 5.0])
def test_it_is_what_two_loops_find_over_many_blocks(spread: float) -> None:
    chance = np.random.default_rng(3)
    centres = chance.integers(60, 200, (150, 120))
    signatures = np.clip(centres[chance.integers(0, 150, 1500)] + chance.normal(0, spread, (1500, 120)), 0, 255).astype(np.uint8)
    every = np.arange(1500)
    kept, stands_for = collapse(every, every * 0, signatures, every >= 0)
    assert (kept.tolist(), stands_for.tolist()) == by_two_loops(every.tolist(), [0] * 1500, signatures, [True] * 1500)


def test_a_walk_in_small_steps_is_not_swallowed_by_its_first_picture() -> None:
    walk = np.repeat(np.arange(0, 40, dtype=np.uint8)[:, None], 30, axis=1)
    found = leaders(walk)
    assert found.tolist() == [place // 6 * 6 for place in range(40)]  # steps of 1: the sixth is one too far from its leader


def test_what_has_no_signature_is_never_collapsed() -> None:
    every, nothing = np.arange(4), np.zeros((4, 20), dtype=np.uint8)
    kept, stands_for = collapse(every, every * 0, nothing, np.array([True, False, True, False]))
    assert (kept.tolist(), stands_for.tolist()) == ([0, 1, 3], [2, 1, 1])
    kept, stands_for = collapse(every[:0], every * 0, nothing, every >= 0)
    assert (kept.tolist(), stands_for.tolist()) == ([], [])


def test_only_signatures_of_this_version_are_known() -> None:
    right = signature(np.full((40, 60, 3), 99, dtype=np.uint8))
    found, known = unpacked([right, None, bytes([VERSION + 1]) + right[1:], right[:-1], right + b"x", b""])
    assert known.tolist() == [True, False, False, False, False, False]
    assert found.shape == (6, LENGTH - 1)
    assert found[0].tobytes() == right[1:]
    assert unpacked([])[0].shape == (0, LENGTH - 1)


def varied(chance: np.random.Generator, amount: int, spread: float) -> NDArray[np.uint8]:
    """As pictures of one pair differ: mostly in a few ways together (how strong, how coarse, which colours), a little in all."""
    ways = chance.normal(0, 1, (8, LENGTH - 1))
    values = 128 + chance.normal(0, spread, (amount, 8)) @ ways + chance.normal(0, 1, (amount, LENGTH - 1))
    return np.clip(values, 0, 255).astype(np.uint8)


def measured(pairs: int, each: int, spread: float) -> float:
    chance = np.random.default_rng(0)
    one = varied(chance, each, spread)
    signatures, pair = np.concatenate([one] * pairs), np.repeat(np.arange(pairs), each)
    order = chance.permutation(pairs * each)
    began = time.process_time()
    _, stands_for = collapse(order, pair, signatures, np.ones(len(pair), dtype=np.bool_))
    spent = time.process_time() - began
    assert stands_for.sum() == len(order)
    return spent


@pytest.mark.parametrize(("pairs", "each"), [(60, 1667), (1, 20_000)])
@pytest.mark.parametrize("spread", [1.0, 3.0, 12.0])
def test_what_it_costs_is_bounded(pairs: int, each: int, spread: float) -> None:
    """In a process with one thread: several that wait for each other on a busy machine spend time of their own."""
    command = [sys.executable, __file__, str(pairs), str(each), str(spread)]
    folders = {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(command, env=os.environ | ONE_THREAD | folders, capture_output=True, text=True, check=True).stdout
    print(said)
    assert float(said.split()[-1]) < 4  # with some room for a slow machine; 0.1 to 0.9 were measured


if __name__ == "__main__":
    print("seconds of processor time:", measured(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
