"""Arithmetic on stretches of equal values in sorted arrays. No streamlit import."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a value differs from the one before it; the first one does."""
    return np.concatenate([np.ones(min(len(values), 1), dtype=np.bool_), values[1:] != values[:-1]])


def start(new: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each place the first place of its stretch. new: where stretches begin."""
    return np.maximum.accumulate(np.where(new, np.arange(len(new)), 0)) if len(new) else np.zeros(0, dtype=np.int64)


def size(new: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each place how many places its stretch has."""
    stretch = np.cumsum(new) - 1
    return np.bincount(stretch)[stretch] if len(new) else np.zeros(0, dtype=np.int64)
