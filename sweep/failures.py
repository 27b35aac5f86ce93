"""What failures say together: a sweep that fails from the start, a node that kills its workers."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sweep.events import Crashed, Diverged, Event, Failed, Finished

FAIL_ALIKE = 5
"""So many distinct runs of a sweep, its first, that fail alike, pause it: the next thousand would too."""
BAD_NODE_RUNS = 3
"""So many distinct runs whose workers died on a node, and none that finished there since, and the node is avoided."""


@dataclass
class Breaker:
    """Watches the first runs of each sweep since the driver began. A run that ends well disarms it for its sweep."""

    _failed: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    _disarmed: set[str] = field(default_factory=set)

    def tripped(self, sweep: str, event: Event, state: str) -> str | None:
        """Why the sweep should be paused after this event, as a sentence; None while it may go on."""
        if sweep in self._disarmed:
            return None
        if isinstance(event, Finished | Diverged):
            self._disarm(sweep)
            return None
        if state not in ("failed", "quarantined") or not isinstance(event, Failed | Crashed):
            return None
        failed = self._failed[sweep]
        failed[event.run_key] = f"{event.kind} {alike(event.error)}"
        if len(set(failed.values())) > 1:
            self._disarm(sweep)
            return None
        if len(failed) < FAIL_ALIKE:
            return None
        self._disarm(sweep)
        return (
            f"its first {FAIL_ALIKE} runs all failed alike: {event.error.splitlines()[0].rstrip('.') if event.error else event.kind}. "
            "Mend that, then `stylesweep retry` and `stylesweep resume` it."
        )

    def _disarm(self, sweep: str) -> None:
        self._disarmed.add(sweep)
        self._failed.pop(sweep, None)


def alike(error: str) -> str:
    """The first line of an error without what differs from run to run: numbers, hashes, paths. Failures of one text failed alike."""
    first = error.strip().partition("\n")[0]
    return re.sub(r"(/[\w.~+-]+)+|\b[0-9a-f]{8,}\b|\d+(\.\d+)?", "#", first)


@dataclass
class Nodes:
    """Which nodes kill workers. places: as `Started.place` names them."""

    _killed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def note(self, place: str, event: Event) -> bool:
        """Take an ending on a node into account; True when the node has just become one to avoid."""
        if not place:
            return False
        if isinstance(event, Finished | Diverged):
            self._killed.pop(place, None)
            return False
        if not isinstance(event, Crashed) or event.kind == "lost" or not event.started:
            return False
        before = len(self._killed[place])
        self._killed[place].add(event.run_key)
        return before < BAD_NODE_RUNS <= len(self._killed[place])

    def bad(self) -> frozenset[str]:
        """Nodes to avoid."""
        return frozenset(place for place, runs in self._killed.items() if len(runs) >= BAD_NODE_RUNS)

    def killed_on(self) -> Mapping[str, int]:
        """How many runs' workers died on each node."""
        return {place: len(runs) for place, runs in self._killed.items()}
