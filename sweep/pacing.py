"""When a run shows its picture, leaves a state or stops: by the clock of its worker, never by the optimiser's."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sweep.transfer.companion import Wish

FIRST_PREVIEW_SECONDS = 3.0
PREVIEW_SECONDS = 5.0
CHECKPOINT_SECONDS = 30.0
LONG_SECONDS = 60.0
"""A run that is expected to take less in all leaves no state on its way: there is little to lose."""
WORTH_SECONDS = 1.0
"""Less work than this is done again sooner than its state is moved about."""
ASK_SECONDS = 0.5

AttemptKey = tuple[str, int]
StopAsked = Callable[[], Collection[AttemptKey]]
"""Which attempts, as (run_key, attempt), are to stop."""


@dataclass
class _Member:
    """One run under way. The times are those of its last view and state (or of its beginning), the steps those after which they were."""

    key: AttemptKey
    began: float = 0.0
    began_share: float = -1.0  # of its work that was done when it was first asked about
    viewed: float = 0.0
    viewed_step: int = 0
    kept: float = 0.0
    kept_step: int = 0

    def begin(self, now: float, step: int, share: float) -> None:
        self.began, self.began_share = now, share
        self.viewed, self.viewed_step = now + FIRST_PREVIEW_SECONDS - PREVIEW_SECONDS, step
        self.kept, self.kept_step = now, step

    def expected(self, now: float, share: float) -> float:
        """Seconds that the whole run would take at the pace of this attempt; 0 while nothing is known."""
        done = share - self.began_share
        return (now - self.began) / done if done > 0 else 0.0


class Pace:
    """The companion (see sweep.transfer.companion) of a pack's runs, given by their keys in the order of the pack."""

    def __init__(self, keys: Sequence[AttemptKey], stop: StopAsked) -> None:
        self._members = [_Member(key) for key in keys]
        self._stop = stop
        self._stopping: Collection[AttemptKey] = ()
        self._asked: float | None = None

    def wish(self, place: int, step: int, share: float) -> Wish:
        """See Companion. `stop` is asked about each half second, or between steps that take longer."""
        now = time.monotonic()
        member = self._members[place]
        if member.began_share < 0:
            member.begin(now, step, share)
        if self._asked is None or now - self._asked >= ASK_SECONDS:
            self._stopping, self._asked = self._stop(), now
        wish = Wish.STOP if member.key in self._stopping else Wish.NOTHING
        if now - member.viewed >= PREVIEW_SECONDS and step > member.viewed_step:
            member.viewed, member.viewed_step = now, step
            wish |= Wish.VIEW
        if now - member.kept >= CHECKPOINT_SECONDS and step > member.kept_step and member.expected(now, share) > LONG_SECONDS:
            member.kept, member.kept_step = now, step
            wish |= Wish.STATE
        return wish

    def worth_keeping(self, place: int) -> bool:
        """Whether a run that stops now has done enough for its state to be kept."""
        member = self._members[place]
        return member.began_share >= 0 and time.monotonic() - member.began >= WORTH_SECONDS
