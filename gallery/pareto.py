"""Which runs are on the Pareto front between content kept and style gained."""

from collections import defaultdict
from collections.abc import Iterable

from db.browse import FrontPoint


def pareto_front(points: Iterable[FrontPoint]) -> frozenset[str]:
    """The run keys that no other run of their group beats: none is at least as good in both yardsticks and better in one."""
    groups: dict[tuple[str, ...], list[FrontPoint]] = defaultdict(list)
    for point in points:
        groups[point.group].append(point)
    return frozenset(key for group in groups.values() for key in _front_of(group))


def _front_of(group: list[FrontPoint]) -> list[str]:
    """One sweep from most content kept to least: a point is on the front if it gains more style than all that keep more content."""
    front = []
    best_before, best_here, here = float("-inf"), float("-inf"), float("inf")
    for point in sorted(group, key=lambda one: (-one.content_kept, -one.style_gained)):
        if point.content_kept < here:
            best_before, here = max(best_before, best_here), point.content_kept
            best_here = point.style_gained  # the first of equal content_kept gains the most style
        if point.style_gained > best_before and point.style_gained == best_here:
            front.append(point.run_key)
    return front
