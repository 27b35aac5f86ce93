"""The yardsticks by name: protocol, direction and plain words. Standard library only: the database and the gallery know it too.

What they compute is in `yardsticks.py`. A name keeps its definition for good: one that is measured in another way is another
yardstick and gets another name, as `balance_y2` beside `balance`. So two protocols never meet in one column, and are never sorted
together. Only y1 is told apart by a run's own `protocol`, as its names are older than this rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

NETWORK: Final = "vgg16-hed"
"""Of every yardstick that needs one, whatever network the run used."""
Group = Literal["together", "content", "style", "colour", "sanity"]
GROUPS: Final[dict[Group, str]] = {
    "together": "Together",
    "content": "Content",
    "style": "Style",
    "colour": "Colour",
    "sanity": "Sanity",
}
"""Groups in the order people read them, with their headings."""


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """One measure of a finished picture. rising: whether more is better; None where neither more nor less is."""

    name: str
    protocol: str
    rising: bool | None
    group: Group
    label: str
    meaning: str


def _one(name: str, protocol: str, rising: bool | None, words: tuple[Group, str, str]) -> Yardstick:
    group, label, meaning = words
    return Yardstick(name=name, protocol=protocol, rising=rising, group=group, label=label, meaning=meaning)


MAIN_PROTOCOL: Final = "y1"
LAYERS: Final = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
"""Where d_style_1 to d_style_5 are measured, of vgg16-hed."""
YARDSTICKS: Final = (
    _one("balance", "y1", True, ("together", "Balance", "A heuristic that weighs content kept and style gained: higher is better.")),
    _one("content_kept", "y1", True, ("content", "Content kept", "1 is the untouched photograph, 0 the style image pasted in.")),
    _one("style_gained", "y1", True, ("style", "Style gained", "0 is the untouched photograph, 1 the style's own statistics.")),
    _one("d_content", "y1", False, ("content", "Content distance", "Feature distance to the photograph: lower is closer.")),
    _one("d_style", "y1", False, ("style", "Style distance", "Gram matrix distance to the style image: lower is closer.")),
    *(
        _one(f"d_style_{number}", "y1", False, ("style", f"Style distance at {layer}", f"Gram matrix distance, {what}: lower is closer."))
        for number, (layer, what) in enumerate(
            zip(LAYERS, ("colours and grain", "strokes", "small patterns", "large patterns", "whole shapes"), strict=True), start=1
        )
    ),
    _one(
        "d_moments",
        "moments-1",
        False,
        ("style", "Moment distance", "0: the style's mean and covariance at each layer; 1: nothing shared."),
    ),
    _one("moments_gained", "moments-1", True, ("style", "Moments gained", "0 is the untouched photograph, 1 the style's own moments.")),
    _one(
        "content_kept_y2", "y2", True, ("content", "Detail kept", "As content kept, but over three layers: it sees lost lines and grain.")
    ),
    _one("balance_y2", "y2", True, ("together", "Balance of detail", "The same heuristic, of detail kept and moments gained.")),
    _one(
        "d_structure",
        "structure-1",
        False,
        ("content", "Structure distance", "How differently the places of the picture resemble each other."),
    ),
    _one(
        "structure_kept",
        "structure-1",
        True,
        ("content", "Structure kept", "1: places resemble each other as in the photograph, whatever the colours."),
    ),
    _one("d_colour", "colour-1", False, ("colour", "Colour distance", "Between the palettes, in CIELAB units: 2 is just seen.")),
    _one("colour_gained", "colour-1", True, ("colour", "Colour gained", "0 is the photograph's palette, 1 the style's.")),
    _one("sharpness", "sharpness-1", None, ("sanity", "Sharpness", "Of edges and grain: 1 as the photograph, less blurred, more rougher.")),
    _one("clipped", "clipped-1", False, ("sanity", "Clipped", "Share of the values that are at full black or full white.")),
)
"""Every yardstick, in the order of the tables."""
BY_NAME: Final = {one.name: one for one in YARDSTICKS}
NAMES: Final = ("balance", "content_kept", "style_gained", "d_content", "d_style")
"""What `YardstickMeter.measure` measures."""
ALL_NAMES: Final = tuple(BY_NAME)
PROTOCOLS: Final = {one.name: one.protocol for one in YARDSTICKS}
RISING: Final = {one.name: one.rising for one in YARDSTICKS if one.rising is not None}
"""Whether more of a yardstick is better, for those that results can be ordered by."""


def protocols_of(measured: Mapping[str, float | None]) -> dict[str, str]:
    """Name -> protocol of what was measured beside y1, for files that outlive this program."""
    return {name: PROTOCOLS[name] for name, value in measured.items() if value is not None and PROTOCOLS.get(name, "y1") != MAIN_PROTOCOL}
