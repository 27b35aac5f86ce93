"""A run's snapshots in a row, from its first step to its last."""

from collections.abc import Sequence

from gallery.components.mount import load
from gallery.components.pictures import Shown

_filmstrip = load("filmstrip")


def filmstrip(frames: Sequence[Shown]) -> None:
    """Draw them, each at one height over its caption; the row scrolls where it is wider than the page."""
    _filmstrip(key="filmstrip", data={"items": [frame.item() for frame in frames]})
