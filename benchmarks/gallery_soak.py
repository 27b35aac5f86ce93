"""Two people browse while a process finishes 20 runs a second: locks, staleness, and whether the grid stands still."""

import json
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gallery_browser import GALLERY, ROOT, Served, ask, loaded, served, shown_error, visitor
from gallery_speed import NEW_THUMB, NEXT, PREVIOUS, Benches, Plan, grid_url, points_of
from gallery_workspace import made_up
from playwright.sync_api import Page
from sweep_parts import Row

RATE = 20.0
DONE_BEFORE = 1_000
STALE_SECONDS = 5.0
PILL = "(deep('button').map((one) => one.innerText).find((one) => / new results? /.test(one)) || '')"


@dataclass
class Clock:
    """How many runs the database has finished since a number, sampled beside everything else."""

    database: Path
    since: int
    samples: list[tuple[float, int]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["Clock"]:
        """Sample ten times a second."""
        thread = threading.Thread(target=self._sample)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()

    def _sample(self) -> None:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            while not self._ended.wait(0.1):
                (count,) = connection.execute("SELECT count(*) FROM run WHERE finished_seq > ?", (self.since,)).fetchone()
                self.samples.append((time.monotonic(), count))

    def stale(self, at: float, shown: int) -> float:
        """For how many seconds the database had had more than what was shown then."""
        more = next((when for when, count in self.samples if count > shown), at)
        return max(0.0, at - more)


@dataclass
class Seen:
    """What the two saw. moved: how often a tile stood elsewhere though nobody had asked for it."""

    flips: list[float] = field(default_factory=list)
    pills: list[tuple[float, int]] = field(default_factory=list)
    moved: int = 0
    errors: list[str] = field(default_factory=list)


def soak(plan: Plan, at: Benches) -> Iterator[Row]:
    """A workspace of its own, as runs that are finished are used up."""
    with tempfile.TemporaryDirectory(dir=at.folder) as name:
        workspace = Path(name) / "workspace"
        waiting = int(RATE * (plan.soak_seconds + 30))
        made_up(workspace, DONE_BEFORE + waiting, queued=waiting)
        with served(GALLERY, workspace, at.folder) as gallery, visitor(at.browser) as still, visitor(at.browser) as moving:
            yield from _watched(plan.soak_seconds, workspace, gallery, (still, moving))


def _watched(seconds: float, workspace: Path, gallery: Served, pages: tuple[Page, Page]) -> Iterator[Row]:
    still, moving = pages
    loaded(still, grid_url(gallery, "&sort=newest"), "painted(18)")
    loaded(moving, grid_url(gallery), "painted(18)")
    still.wait_for_timeout(1500)
    with closing(sqlite3.connect(workspace / "sweeps.db")) as connection:
        (newest,) = connection.execute("SELECT max(finished_seq) FROM run").fetchone()
    command = [sys.executable, str(Path(__file__).parent / "gallery_writer.py"), str(workspace), str(RATE), str(seconds + 5)]
    with (
        Clock(workspace / "sweeps.db", newest).running() as clock,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}) as writer,
    ):
        seen = _browsed(seconds, still, moving)
        still.wait_for_function(f"() => {PILL} !== ''", timeout=60_000)
        shown = ask(still, "deep('button').find((one) => / new results? /.test(one.innerText)).click()", NEW_THUMB)
        told, complained = writer.communicate(timeout=120)
    locked = len(re.findall(r"locked|Traceback", gallery.output.read_text() + complained)) + len(seen.errors)
    if locked:
        sys.stderr.write(f"{gallery.output.read_text()[-2000:]}\n{complained[-2000:]}\n{seen.errors}\n")
    wrote = json.loads(told) if writer.returncode == 0 else {"finished": 0, "seconds": 1.0, "slowest": float("nan")}
    at = f"{seconds:g} s, {len(seen.flips)} flips"
    p50, p95 = points_of(seen.flips)
    yield Row("runs finished while two browsed", at, wrote["finished"] / wrote["seconds"], "runs/s", least=0.9 * RATE)
    yield Row("longest turn of who finished them", at, wrote["slowest"], "s")
    yield Row("lock errors and others, of pages, server and writer", at, locked, most=0)
    yield Row("times that a tile moved though nobody asked", at, seen.moved, most=0)
    yield Row("oldest news beside what the database had", at, max(clock.stale(*one) for one in seen.pills), "s", most=STALE_SECONDS)
    yield Row("page flip meanwhile, p50", at, p50, "ms")
    yield Row("page flip meanwhile, p95", at, p95, "ms")
    yield Row("what is new, shown when asked for", at, shown, "ms")


def _browsed(seconds: float, still: Page, moving: Page) -> Seen:
    """One turns pages there and back; the other only looks."""
    seen, kept, ended = Seen(), still.evaluate("() => named()"), time.monotonic() + seconds
    pages: dict[int, str] = {}
    where = 0
    while time.monotonic() < ended:
        pages.setdefault(where, moving.evaluate("() => named()"))
        step = 1 if where == 0 or (where < 8 and len(seen.flips) % 16 < 8) else -1
        seen.flips.append(ask(moving, NEXT if step > 0 else PREVIOUS, NEW_THUMB))
        where += step
        seen.moved += int(where in pages and moving.evaluate("() => named()") != pages[where])
        named, pill = still.evaluate(f"() => [named(), {PILL}]")
        seen.moved += int(named != kept)
        found = re.search(r"([\d,]+) new", pill)
        seen.pills.append((time.monotonic(), int(found[1].replace(",", "")) if found else 0))
        seen.errors += [said for page in (still, moving) if (said := shown_error(page))]
    return seen
