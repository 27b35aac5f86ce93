"""How what this process drives stands: counted from the events, with a look at the database now and then."""

import time
from dataclasses import dataclass

from db import spending, watching
from db.models import SETTLED
from db.store import ClaimedRun
from db.workspace import Workspace
from sweep import events
from sweep.standing import Standing, Window, part_done

LOOK_SECONDS = 5.0
"""How often the database is asked what was spent, and whether sweeps came or changed."""
COUNT_SECONDS = 60.0
"""How often all runs are counted anew at the latest: a `retry` elsewhere changes no sweep."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What is known of a sweep before it runs. seconds: how long it takes by what was measured; None where nothing was."""

    name: str
    seconds: float | None = None


class Tally:
    """Counts the runs of all active sweeps, as the driver works for all of them."""

    def __init__(self, workspace: Workspace, outlook: Outlook) -> None:
        self._engine = workspace.reader()
        self._seconds_planned = outlook.seconds
        self._began = time.monotonic()
        self._ledger = spending.Ledger()
        self._window = Window()
        self._steps: dict[str, tuple[ClaimedRun, int]] = {}  # of the runs under way: the last step heard of
        self._newest: events.LossPoint | None = None
        self._steps_ended = self._work_ended = 0.0
        self.runs = self.settled = self.failed = 0
        self.work_left = 0.0
        self._spent: float | None = None
        self._looked = self._counted = float("-inf")
        self._signature: tuple[object, ...] = ()
        self._look()

    def event(self, run: ClaimedRun, event: events.Event, state: str) -> None:
        """An event that the driver has recorded; what it does not know of is passed over."""
        if isinstance(event, events.Started):
            self._steps[run.run_key] = run, event.start_step
            self._work_ended -= self._part(run, event.start_step)  # done before, not now
            self._steps_ended -= event.start_step
        elif isinstance(event, events.Progress) and event.points:
            self._steps[run.run_key] = run, event.points[-1].step
            self._newest = event.points[-1]
        elif isinstance(event, events.Finished | events.Diverged | events.Failed | events.Crashed | events.Stopped):
            self._end(run, event, state)

    def _end(self, run: ClaimedRun, event: events.Event, state: str) -> None:
        _, step = self._steps.pop(run.run_key, (run, 0))
        self._steps_ended += getattr(event, "steps", step)
        if state in SETTLED:
            self._work_ended += run.work
            self.work_left = max(0.0, self.work_left - run.work)
            self.settled = min(self.runs, self.settled + 1)
            self.failed += state != "done"
        else:
            self._work_ended += self._part(run, step)

    def _part(self, run: ClaimedRun, step: int) -> float:
        return run.work * part_done(run.settings, run.content_size, step)

    def standing(self) -> Standing:
        """As it is now."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._look()
        under_way = sum(self._part(run, step) for run, step in self._steps.values())
        self._window.see(now, self._steps_ended + sum(step for _, step in self._steps.values()), self._work_ended + under_way)
        speed = self._window.speed()
        left = None if self._seconds_planned is None else self._seconds_planned - (now - self._began)
        if speed and speed[1] > 0:
            left = max(0.0, self.work_left - under_way) / speed[1]
        return Standing(
            runs=self.runs,
            settled=self.settled,
            failed=self.failed,
            running=len(self._steps),
            steps_per_second=speed[0] if speed else None,
            seconds_left=left if left is None or speed or left > 0 else None,  # the plan may have been wrong
            spent=self._spent,
            newest=self._newest if self._steps else None,
        )

    def _look(self) -> None:
        now = time.monotonic()
        with self._engine.connect() as connection:
            signature = watching.signature(connection)
            if signature != self._signature or now - self._counted >= COUNT_SECONDS:
                counted = watching.census(connection)
                self.runs, self.settled, self.failed = counted.runs, counted.settled, counted.failed
                self.work_left = counted.work_left
                self._signature, self._counted = signature, now
            costs = [self._ledger.spent(connection, sweep_id, time.time()).cost for sweep_id in spending.priced(connection)]
        self._spent = sum(cost or 0.0 for cost in costs) if costs else None
        self._looked = now
