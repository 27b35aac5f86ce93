"""One picture large, with others small beside it: originals by URL, never decoded or encoded again here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gallery.components.mount import load

_pictures = load("pictures")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture by URL, with the size of its file's pixels; src None shows `none` instead. href: where a click leads."""

    alt: str
    caption: str
    src: str | None = None
    href: str | None = None
    none: str = "No picture"
    width: int = 3
    height: int = 2
    colour: str | None = None

    def item(self) -> dict[str, Any]:
        """As the script takes it."""
        same = {name: getattr(self, name) for name in ("alt", "caption", "src", "href", "none", "colour")}
        return same | {"w": self.width, "h": self.height}


def pictures(main: Shown, side: Sequence[Shown]) -> None:
    """Draw them."""
    _pictures(key="pictures", data={"main": main.item(), "side": [one.item() for one in side]})
