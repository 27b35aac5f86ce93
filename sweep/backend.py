"""Who a driver deals with: the back end that executes runs, and whoever watches."""

from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any, Protocol

from db.store import ClaimedRun
from sweep.events import Event
from sweep.in_flight import Key
from sweep.places import Ask, Room
from sweep.request import RunRequest


class Backend(Protocol):
    """Where runs are executed: Ray, or this process."""

    address: str

    def ask(self, resources: Mapping[str, Any]) -> Ask:
        """What a run of these `resources` asks for, where it was left open whether it takes a GPU."""

    def room(self, ask: Ask) -> Room:
        """How many tasks that ask for this can work at once. Raises SurroundingsError if nobody answers any more."""

    def submit(self, requests: Sequence[RunRequest], ask: Ask) -> None:
        """Begin runs as one task; returns at once."""

    def events(self, timeout: float) -> list[Event]:
        """What the workers told since the last call, in order for each run; waits at most about `timeout` seconds."""

    def ask_to_stop(self, keys: Set[Key]) -> None:
        """These (run_key, attempt), and no others of those asked before, are to stop at their next step and say so."""

    def cancel(self, run_key: str, attempt: int) -> None:
        """End the task of a run, its worker with it if need be; nothing more is told of any run of it."""

    def want(self, ask: Ask, number: int) -> None:
        """So many tasks that ask for this could be at work at once; for a cluster that can start nodes."""

    def avoid(self, places: Collection[str]) -> None:
        """Hand nothing more to these nodes, as long as others have room."""

    def stop(self) -> None:
        """Stop what is running and let go; within seconds."""


class Watcher(Protocol):
    """Who is told how it goes: the terminal's progress bar, or JSON lines."""

    def event(self, run: ClaimedRun, event: Event, state: str) -> None:
        """An event that was accepted (a late one of a lost attempt is not told), and the state that the run now has."""

    def tick(self, in_flight: int) -> None:
        """Called a few times a second."""

    def remark(self, sentence: str) -> None:
        """Something that whoever watches should know: a sweep was paused, a node is avoided, nodes are waited for."""


class Silent:
    """A watcher that shows nothing."""

    def event(self, run: ClaimedRun, event: Event, state: str) -> None:
        """Nothing."""

    def tick(self, in_flight: int) -> None:
        """Nothing."""

    def remark(self, sentence: str) -> None:
        """Nothing."""
