"""What a sweep combines, in one line of a plan."""

from sweep.axes import Axis
from sweep.conditions import NAMES, PICTURES
from sweep.space import Space, Unit


def outline(space: Space) -> str:
    """'2 content x 3 style x 5 beta', '12 content with style x 3 beta, history if told so', '40 by seed 0 of 2 content, ...'."""
    units = [unit for unit in space.units if unit.axis.varies or NAMES[unit.at[0]] in PICTURES]
    conditional = [name for name in NAMES if any(NAMES.index(name) in rule.axes for rule in space.rules)]
    also = f"; under `when`: {', '.join(conditional)}" if conditional else ""
    also += "; less what is excluded" if space.exclusions else ""
    if space.method == "grid":
        return " x ".join(_values(unit) for unit in units) + also
    return f"{space.runs:,} by search_seed {space.seed} of {', '.join(_values(unit) for unit in units)}{also}"


def _values(unit: Unit) -> str:
    names = " with ".join(NAMES[at] for at in unit.at)
    return f"{names} {_ends(unit.axis)}" if unit.axis.span is not None else f"{len(unit.axis.values)} {names}"


def _ends(axis: Axis) -> str:
    assert axis.span is not None
    return f"{axis.span.low:g} to {axis.span.high:g}"
