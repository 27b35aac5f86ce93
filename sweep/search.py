"""How points are drawn: at random or by Sobol, resumable, so that a longer draw begins with the shorter one.

A draw is a row of shares, numbers from 0 to 1 (1 excluded), one for each name that varies; `sweep.axes` says which value a share means.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Final

Shares = Iterator[Sequence[float]]

_BLOCK: Final = 1024
"""Sobol points at once. A power of two, as scipy warns otherwise: evenness is best at powers of two (the plan says so instead)."""


def random_shares(seed: int, names: Sequence[str]) -> Shares:
    """Without end. Each share comes from the seed, the point's number and the name alone, so that another name moves none of them."""
    for index in itertools.count():
        yield [_share(seed, index, name) for name in names]


def _share(seed: int, index: int, name: str) -> float:
    digest = hashlib.sha256(f"{seed}/{index}/{name}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) * 2.0**-53


def sobol_shares(seed: int, names: Sequence[str]) -> Shares:
    """Scrambled by the seed; one dimension for each name, in their order. Ends after 2**30 points."""
    if not names:
        return iter([[]])
    return _sobol(seed, len(names))


def _sobol(seed: int, dimensions: int) -> Shares:
    from scipy.stats import qmc  # a second to import

    engine = qmc.Sobol(dimensions, scramble=True, rng=seed)
    for _ in range(2**30 // _BLOCK):
        yield from engine.random(_BLOCK).tolist()


SEARCHES: Final[dict[str, Callable[[int, Sequence[str]], Shares]]] = {"random": random_shares, "sobol": sobol_shares}
