"""Ranges of numbers: the values of a grid, spaced over it, and the one that a draw falls on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweep.combination import round_significant
from sweep.errors import SpecError
from sweep.yaml_file import Key, YamlFile, is_number, short

MAX_COUNT = 10_000
DISTRIBUTIONS = ("uniform", "log_uniform_values", "int_uniform", "q_uniform", "q_log_uniform_values", "inv_log_uniform_values")
"""W&B's names, with its meanings. The last is another name for log_uniform_values: 1/x is log-uniform where x is."""
RANGE_KEYS = ("min", "max", "distribution", "q", "count")
_DIGITS = 6
"""Of a number that is drawn: enough to tell any two pictures apart, and few enough to be read and to be the same on every machine."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """From low to high, both included. quantum: every value is a multiple of it; None: any number. whole: the values are ints."""

    low: float
    high: float
    logarithmic: bool = False
    quantum: float | None = None
    whole: bool = False

    def at(self, share: float) -> float:
        """The value below which that share (0 to 1, 1 excluded) of the range lies; drawn evenly, shares draw from the range."""
        if self.quantum is not None and not self.logarithmic:
            first, last = self._multiples(self.quantum)
            return self._multiple(min(first + int(share * (last - first + 1)), last), self.quantum)
        if self.quantum is not None:
            return self._nearest(_between(self.low, self.high, share, logarithmic=True), self.quantum)
        value = round_significant(_between(self.low, self.high, share, logarithmic=self.logarithmic), _DIGITS)
        return min(max(value, float(self.low)), float(self.high))

    def spaced(self, count: int) -> list[float]:
        """`count` values, both ends included: evenly, or by equal ratios. Fewer may be different where they are multiples."""
        if count == 1:
            values = [float(self.low)]
        else:
            inner = [_between(self.low, self.high, index / (count - 1), logarithmic=self.logarithmic) for index in range(1, count - 1)]
            # To 15 digits, so that 10.000000000000002 is 10. Not fewer: ratios of values are compared to 10 (docs/design.md, section 5).
            # Clamped, as a rounded value between two ends that are nearly equal could lie beyond them.
            values = [float(self.low), *(min(max(round_significant(value, 15), self.low), self.high) for value in inner), float(self.high)]
        if self.quantum is not None and not (self.whole and self.quantum == 1):
            values = [self._nearest(value, self.quantum) for value in values]
        return [round(value) for value in values] if self.whole else values

    def every(self) -> list[float]:
        """Every multiple in it."""
        assert self.quantum is not None
        first, last = self._multiples(self.quantum)
        return [self._multiple(index, self.quantum) for index in range(first, last + 1)]

    def multiples(self) -> int:
        """How many multiples lie in it."""
        assert self.quantum is not None
        first, last = self._multiples(self.quantum)
        return last - first + 1

    def _multiples(self, quantum: float) -> tuple[int, int]:
        """The first and the last, as numbers of quanta; 0.3 is three times 0.1 although the computer's 0.1 is a little more."""
        return math.ceil(_quanta(self.low, quantum, -1)), math.floor(_quanta(self.high, quantum, +1))

    def _multiple(self, index: int, quantum: float) -> float:
        return round(index * quantum) if self.whole else round_significant(index * quantum, 12)

    def _nearest(self, value: float, quantum: float) -> float:
        first, last = self._multiples(quantum)
        return self._multiple(min(max(round(value / quantum), first), last), quantum)


def _quanta(value: float, quantum: float, side: int) -> float:
    """value / quantum, moved outwards by what dividing may have lost."""
    if isinstance(value, int) and isinstance(quantum, int) and value % quantum == 0:
        return value // quantum
    quotient = value / quantum
    return quotient + side * abs(quotient) * 1e-12


def _between(low: float, high: float, share: float, *, logarithmic: bool) -> float:
    if not logarithmic:
        return low * (1 - share) + high * share
    ratio = high / low
    if math.isfinite(ratio):
        return float(low * ratio**share)
    return math.exp(math.log(low) * (1 - share) + math.log(high) * share)  # less exact


def read_range(file: YamlFile, key: Key, given: Mapping[str, Any], numeric: type[int] | type[float] | None) -> Range:
    """{min, max} with a distribution, without its `count`.

    Raises:
        SpecError: the parameter is no number, or an end, the distribution or `q` is wrong.
    """
    if numeric is None:
        raise SpecError(f"{file.where(key)}: {key[-1]} is no number, so it takes {{values: [...]}}, not min and max.")
    distribution = given.get("distribution", "uniform")
    if distribution not in DISTRIBUTIONS:
        also = ""
        if distribution in ("log_uniform", "q_log_uniform", "inv_log_uniform"):
            also = " (in W&B its min and max are exponents; write log_uniform_values with the values themselves)"
        where = file.where((*key, "distribution"))
        raise SpecError(f"{where}: {short(distribution)} is not allowed{also}: choose one of {', '.join(DISTRIBUTIONS)}.")
    low, high = given["min"], given["max"]
    for end, value in (("min", low), ("max", high)):
        if not is_number(value):
            raise SpecError(f"{file.where((*key, end))}: {short(value)} is not allowed: {end} is a finite number.")
    logarithmic = "log_" in distribution
    if low > high or (logarithmic and low <= 0):
        needs = "min must not be above max" if low > high else f"min must be above zero for {distribution}"
        raise SpecError(f"{file.where((*key, 'min'))}: {short(low)} is not allowed: {needs} (max is {short(high)}).")
    quantum = _quantum(file, key, given, distribution)
    if quantum is not None and numeric is int and quantum != int(quantum):
        raise SpecError(f"{file.where((*key, 'q'))}: {short(quantum)} is not allowed: {key[-1]} is a whole number, so q must be one too.")
    if quantum is None and (numeric is int or distribution == "int_uniform"):
        quantum = 1
    span = Range(low=low, high=high, logarithmic=logarithmic, quantum=quantum, whole=numeric is int)
    if quantum is not None and span.multiples() < 1:
        what = "no whole number" if quantum == 1 else f"no multiple of {short(quantum)}"
        raise SpecError(f"{file.where(key)}: {what} lies between min {short(low)} and max {short(high)}; widen the range.")
    return span


def _quantum(file: YamlFile, key: Key, given: Mapping[str, Any], distribution: str) -> float | None:
    quantum = given.get("q")
    where = file.where((*key, "q"))
    if not distribution.startswith("q_"):
        if "q" in given:
            raise SpecError(f"{where}: q belongs to the distributions q_uniform and q_log_uniform_values; {distribution} has none.")
        return None
    if quantum is None or not is_number(quantum) or quantum <= 0:
        raise SpecError(f"{where}: {short(quantum)} is not allowed: values are multiples of `q`, a finite number above zero, as in q: 5.")
    if not all(math.isfinite(given[end] / quantum) for end in ("min", "max")):
        raise SpecError(f"{where}: {short(quantum)} is not allowed: it is too small beside min and max.")
    return float(quantum) if isinstance(quantum, float) else int(quantum)
