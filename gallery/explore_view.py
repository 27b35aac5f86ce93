"""What the Explore page lays out along what, and which of many runs it draws. No streamlit import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gallery.axes_of_runs import Axis
from gallery.look import Ints, Look, Mask
from gallery.view import NUMBERS
from gallery.wording import YARDSTICK_LABELS, label

MOST_POINTS = 5000
MOST_LINES = 2000
NO_COLOUR = "none"
"""How it stands in a URL that points are not coloured."""
PARALLEL_YARDSTICKS = ("content_kept", "style_gained", "balance")
MOST_TICKS = 40
"""A text parameter of more values has no axis of its own among the lines."""


@dataclass(frozen=True, kw_only=True)
class ExploreSpec:
    """What is laid out along what. colour: "" for none. axes: the order of the parallel axes, where the reader has changed it."""

    x: str = "content_kept"
    y: str = "style_gained"
    colour: str = ""
    axes: tuple[str, ...] = ()

    OWN = ("xm", "ym", "colour", "axes")

    @classmethod
    def from_params(cls, params: Mapping[str, Sequence[str]], look: Look) -> "ExploreSpec":
        """Whatever stands in the URL; what this look has not is passed over."""
        numbers, every = number_names(look), [*YARDSTICK_LABELS, *look.varying]
        default = cls()
        one = {key: next(iter(params.get(key, ())), "") for key in cls.OWN}
        axes = tuple(dict.fromkeys(name for name in one["axes"].split(",")[:60] if name in every))
        return cls(
            x=one["xm"] if one["xm"] in numbers else default.x,
            y=one["ym"] if one["ym"] in numbers else default.y,
            colour="" if one["colour"] == NO_COLOUR else one["colour"] if one["colour"] in every else usual_colour(look),
            axes=axes,
        )


def usual_colour(look: Look) -> str:
    """The parameter that people look for first, of those that vary."""
    return next((name for name in ("beta", "layers", "alpha", "style", "content", *look.varying) if name in look.varying), "")


def number_names(look: Look) -> list[str]:
    """What the plane can be spanned by: yardsticks, and the parameters that vary and are numbers."""
    return [*YARDSTICK_LABELS, *(name for name in look.varying if name in NUMBERS)]


def axis_label(name: str) -> str:
    """A yardstick's or a parameter's name at an axis."""
    return YARDSTICK_LABELS.get(name) or label(name)


@dataclass(frozen=True, eq=False)
class Plane:
    """The points that are drawn, as places among the combinations; measured: how many there would be."""

    x: Axis
    y: Axis
    places: Ints
    measured: int

    @property
    def all_drawn(self) -> bool:
        """Whether everything that is measured is drawn."""
        return len(self.places) == self.measured


def plane(axes: tuple[Axis, Axis], among: Ints, pair: Ints, always: Mask) -> Plane:
    """Every one of these places with both values, or a sample of `MOST_POINTS`, by pair, with those that are always drawn."""
    x, y = axes
    known = among[~(np.isnan(x.values[among]) | np.isnan(y.values[among]))]
    return Plane(x=x, y=y, places=known[sample(pair[known], always[known], MOST_POINTS)], measured=len(known))


def sample(stratum: Ints, always: Mask, most: int) -> Ints:
    """Places of at most `most`, in order: those that are always taken, and of the others so many of each stratum as its share is.

    The same ones each time. Where those to be always taken are too many by themselves, they are sampled alike.
    """
    if len(stratum) <= most:
        return np.arange(len(stratum))
    chosen = np.flatnonzero(always)
    if len(chosen) >= most:
        return chosen[_spread(stratum[chosen], most)]
    rest = np.flatnonzero(~always)
    return np.sort(np.concatenate([chosen, rest[_spread(stratum[rest], most - len(chosen))]]))


def _spread(stratum: Ints, amount: int) -> Ints:
    """Places of exactly `amount`, spread evenly over the strata one after the other, in chance order within each."""
    shuffled = np.random.default_rng(0).permutation(len(stratum))
    ordered = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    steps = (np.arange(amount) + 0.5) * len(stratum) / amount
    return np.sort(ordered[steps.astype(np.int64)])


def parallel_names(look: Look, spec: ExploreSpec) -> list[str]:
    """The parallel axes in order: what varies, then the main yardsticks; in the reader's order where there is one."""
    usual = [name for name in look.varying if name in NUMBERS or len(look.columns[name].values) <= MOST_TICKS]
    usual += [name for name in dict.fromkeys([*PARALLEL_YARDSTICKS, spec.x, spec.y]) if name in YARDSTICK_LABELS]
    return [*(name for name in spec.axes if name in usual), *(name for name in usual if name not in spec.axes)]
