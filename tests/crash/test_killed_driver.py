"""A finished result survives a driver that is killed, at any moment: many kills at random, and one at every point there is."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from crash.checker import half_written, violations
from crash.processes import ask, kill, states

RUNS = 150
KILLS = 25
HERE = Path(__file__).parent


@dataclass
class Lives:
    """A workspace and the drivers that it has outlived. `said`: every line of theirs."""

    workspace: Path
    process: "subprocess.Popen[str]"
    said: list[tuple[str, str]] = field(default_factory=list)
    verified: set[str] = field(default_factory=set)

    def tell(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def hear(self, *wanted: str) -> str:
        """Read on to a line that begins with one of these words; what follows it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, _, rest = line.strip().partition(" ")
            self.said.append((word, rest))
            if word in wanted:
                return rest
        raise AssertionError("the driver's parent ended")

    def record(self, name: str, runs: int, first: float = 2.0) -> None:
        self.tell(record=name, first=first, runs=runs)
        self.hear("recorded")

    def live(self, *, kill_at: int = 0, row_first: bool = False, kill_after: float | None = None, seconds: float = 0.02) -> int:
        """One driver's life; its exit status, -9 if it was killed."""
        self.tell(drive={"kill_at": kill_at, "row_first": row_first, "seconds": seconds})
        pid = int(self.hear("pid"))
        if kill_after is not None:
            time.sleep(kill_after)
            kill(pid)
        return int(self.hear("ended"))

    def acknowledged(self) -> list[str]:
        return [key for word, key in self.said if word == "done"]

    def wrong(self) -> list[str]:
        return violations(self.workspace, self.acknowledged(), self.verified)

    def run_again(self) -> list[str]:
        """Runs that were handed out once more after they had been called done."""
        done: set[str] = set()
        again = []
        for word, key in self.said:
            if word == "done":
                done.add(key)
            elif word == "submitted" and key in done:
                again.append(key)
        return again


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    script = [sys.executable, str(HERE / "fast_driver.py"), str(tmp_path)]
    path = {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE.parent.parent)])}
    process = subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **path})
    yield Lives(tmp_path, process)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()


def test_no_result_is_lost_or_doubled_by_a_driver_that_is_killed_at_random(lives: Lives, capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.SystemRandom().randrange(2**32)
    chance = random.Random(seed)
    kills, mid_run, runs, enough = 0, 0, 0, time.monotonic() + 10
    while kills < KILLS or (kills < 100 and time.monotonic() < enough):
        if set(states(lives.workspace)) <= {"done"}:
            lives.record(f"crash-{runs}", RUNS, first=2.0 + runs)
            runs += RUNS
        if lives.live(kill_after=chance.uniform(0.02, 0.4)) == -signal.SIGKILL:
            kills += 1
            mid_run += bool(states(lives.workspace).get("running"))
            assert lives.wrong() == [], f"seed {seed}, kill {kills}"
    assert lives.live(seconds=0.0) == 0
    assert mid_run > 0
    lives.verified.clear()
    assert lives.wrong() == []
    assert half_written(lives.workspace) == []
    assert lives.run_again() == []
    assert states(lives.workspace) == {"done": runs}
    (lost,) = ask(lives.workspace, "SELECT count(*) FROM attempt WHERE state = 'lost'")[0]
    assert ask(lives.workspace, "SELECT max(killed_workers) FROM run") == [(0,)]
    with capsys.disabled():
        print(
            f"\n{kills} SIGKILLs of the driver over sweeps of {runs} runs (seed {seed}): 0 results lost, 0 doubled, 0 rows without "
            f"picture, 0 damaged pictures, 0 failed integrity checks; {lost} attempts begun again"
        )


def killed_everywhere(lives: Lives, *, row_first: bool) -> tuple[int, list[str]]:
    """Kill one driver at its first step that touches the disk, the next at its second, and so on; (points, violations)."""
    found: list[str] = []
    for point in range(1, 1000):
        if set(states(lives.workspace)) <= {"done"}:
            lives.record(f"point-{point}", 1, first=10.0 + point)
        status = lives.live(kill_at=point, row_first=row_first, seconds=0.0)
        found += lives.wrong()
        if status == 0 or (row_first and found):
            return point - 1, found
        assert status == -signal.SIGKILL
    raise AssertionError("a driver never came to its end")


def test_no_result_is_lost_whatever_the_driver_was_killed_at(lives: Lives, capsys: pytest.CaptureFixture[str]) -> None:
    points, found = killed_everywhere(lives, row_first=False)
    assert found == []
    assert lives.live() == 0
    assert lives.wrong() == []
    assert half_written(lives.workspace) == []
    assert lives.run_again() == []
    assert set(states(lives.workspace)) == {"done"}
    assert points > 25  # SQL statements, commits, and the writing, fsync and renaming of two files
    with capsys.disabled():
        print(f"\n{points} of {points} points at which a driver can be killed: 0 violations")


def test_the_checker_catches_a_driver_that_records_before_the_picture_is_there(lives: Lives, capsys: pytest.CaptureFixture[str]) -> None:
    points, found = killed_everywhere(lives, row_first=True)
    assert found and found[0].startswith("row without picture")
    with capsys.disabled():
        print(f"\nnegative control, row before file: caught after {points} sound points: {found[0]}")
