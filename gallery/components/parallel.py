"""Runs as lines through parallel axes, one for each parameter and yardstick; ranges chosen on them filter."""

from collections.abc import Mapping
from typing import Any

from gallery.components.mount import load
from gallery.components.scatter import Act, Asked, told

_parallel = load("parallel", uses=("plotting",))


def parallel(data: Mapping[str, Any], act: Act) -> Asked | None:
    """Draw the lines; returns what was just asked for, if anything was. act: is told of it before the page is drawn."""
    return told(_parallel, "parallel", data, act)
