"""Claimed runs that a back end has, and the tasks that they share."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from db.store import ClaimedRun, Launch
from sweep.events import LossPoint, Preview, Started
from sweep.places import Ask

Key = tuple[str, int]
"""(run_key, attempt)."""


@dataclass(eq=False, kw_only=True)
class Task:
    """What was submitted as one: a run, or a pack of them. members: those that have not ended."""

    name: str
    ask: Ask
    size: int
    price_per_hour: float | None
    members: set[Key] = field(default_factory=set)

    def launch(self) -> Launch:
        """For the attempt's record."""
        return Launch(pack=self.name, pack_size=self.size, cpus=self.ask.cpus, gpus=self.ask.gpus, price_per_hour=self.price_per_hour)


@dataclass(eq=False, kw_only=True)
class InFlight:
    """A claimed run, and the part of its curve that is not yet in the database. Times are those of `time.monotonic`.

    need: bytes that it is expected to take. begun: its start and the time (Unix) while they are not yet recorded.
    """

    claimed: ClaimedRun
    task: Task
    need: float = 0.0
    unwritten: list[LossPoint] = field(default_factory=list)
    preview: Preview | None = None
    begun: tuple[Started, float] | None = None
    place: str = ""
    started: float | None = None
    heard: float = 0.0
    asked_to_stop: float | None = None

    @property
    def key(self) -> Key:
        """Of its attempt."""
        return self.claimed.run_key, self.claimed.attempt

    def over_limit(self, now: float) -> str | None:
        """Which limit of its sweep's file the run has broken, as a sentence; None while it keeps to them."""
        limits = self.claimed.resources.get("limits") or {}
        if self.started is None:
            return None
        for name, since, what in (("run_minutes", self.started, "ran"), ("silent_minutes", self.heard, "was silent")):
            minutes = limits.get(name)
            if minutes is not None and now - since > 60 * minutes:
                return f"it {what} for more than limits.{name}: {minutes:g}, and was ended. Raise the limit, or lower size or steps."
        return None


class Flights:
    """Everything in flight, by attempt and by task."""

    def __init__(self) -> None:
        self._runs: dict[Key, InFlight] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[InFlight]:
        """A snapshot: entries may be dropped meanwhile."""
        return iter(list(self._runs.values()))

    def tasks(self) -> int:
        """How many tasks have a member that has not ended."""
        return len({id(run.task) for run in self._runs.values()})

    def add(self, run: InFlight) -> None:
        self._runs[run.key] = run
        run.task.members.add(run.key)

    def get(self, key: Key) -> InFlight | None:
        return self._runs.get(key)

    def drop(self, run: InFlight) -> None:
        self._runs.pop(run.key, None)
        run.task.members.discard(run.key)

    def company(self, run: InFlight) -> list[InFlight]:
        """Itself and those that share its task and have not ended."""
        return [self._runs[key] for key in sorted(run.task.members) if key in self._runs]
