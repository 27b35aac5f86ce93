"""Parameters as bars: how strongly each moves a yardstick."""

from collections.abc import Sequence

from gallery.components.mount import load
from gallery.influence import Influence

_shares = load("shares")


def shares(found: Sequence[Influence], *, best_first: bool | None) -> None:
    """Draw them. best_first: whether the highest mean is the best; None where neither is."""
    ends = {True: ("best with", "worst with"), False: ("worst with", "best with"), None: ("highest with", "lowest with")}[best_first]
    rows = [
        {
            "name": one.label, "share": round(one.share, 4), "value": f"{one.share:.0%}",
            "note": f"{ends[0]} {one.highest}, {ends[1]} {one.lowest}",
        }
        for one in found
    ]  # fmt: skip
    _shares(key="shares", data={"rows": rows})
