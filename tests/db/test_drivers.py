"""At most one driver: races, dead processes, other hosts, and what becomes of the runs that a dead driver held."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from factories import made_up_workspace
from sqlalchemy import insert, select, update

from db import queries
from db.drivers import LEASE_SECONDS, become_driver, heartbeat, live_driver, process_start, resign, this_host, try_to_end_idle
from db.models import Attempt, Driver, Run
from db.store import Store
from db.workspace import Workspace, open_workspace

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return made_up_workspace(tmp_path / "w", betas=1, unfinished=4)


def row_of(workspace: Workspace, owner: str) -> dict[str, object]:
    with workspace.reader().connect() as connection:
        return dict(connection.execute(select(*Driver.__table__.columns).where(Driver.id == owner)).mappings().one())


def change(workspace: Workspace, owner: str, **values: object) -> None:
    with workspace.writer().begin() as connection:
        connection.execute(update(Driver).where(Driver.id == owner).values(**values))


def test_one_driver_at_a_time_and_the_loser_is_told_who(workspace: Workspace) -> None:
    first, nobody = become_driver(workspace.writer(), "local")
    assert first is not None
    assert nobody is None
    second, holder = become_driver(workspace.writer(), "auto")
    assert second is None
    assert holder is not None
    assert (holder.id, holder.address, holder.host) == (first, "local", this_host())
    resign(workspace.writer(), first)
    assert become_driver(workspace.writer(), "auto")[0] not in (None, first)


RACE = """
import sys, time
from pathlib import Path
from db.drivers import become_driver, resign
from db.workspace import open_workspace
engine = open_workspace(Path(sys.argv[1]), create=False).writer()
for line in sys.stdin:
    while time.time() < float(line):
        pass
    owner, holder = become_driver(engine, "race")
    print(owner or "", holder.id if holder else "", flush=True)
    sys.stdin.readline()
    if owner:
        resign(engine, owner)
    print("ready", flush=True)
"""


def test_of_two_processes_that_race_to_be_the_driver_exactly_one_wins_each_time(workspace: Workspace) -> None:
    command = [sys.executable, "-c", RACE, str(workspace.folder)]
    racers = [subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(2)]
    try:
        wins = [0, 0]
        for number in range(20):
            at = time.time() + (1.5 if number == 0 else 0.02)
            answers = _ask(racers, f"{at}\n")
            owners = [owner for owner, _ in answers]
            assert sum(bool(owner) for owner in owners) == 1
            winner = 0 if owners[0] else 1
            assert answers[1 - winner][1] == owners[winner]
            wins[winner] += 1
            _ask(racers, "go on\n")
        assert sum(wins) == 20
    finally:
        for racer in racers:
            racer.stdin.close()
            assert racer.wait(timeout=20) == 0
            racer.stdout.close()


def _ask(racers: list[subprocess.Popen], line: str) -> list[tuple[str, str]]:
    for racer in racers:
        racer.stdin.write(line)
        racer.stdin.flush()
    return [tuple(racer.stdout.readline().rstrip("\n").partition(" ")[::2]) for racer in racers]


HOLD = """
import sys, time
from pathlib import Path
from db.drivers import become_driver
from db.store import Store
from db.workspace import open_workspace
workspace = open_workspace(Path(sys.argv[1]), create=False)
store = Store(workspace.writer(), workspace.artifacts)
owner, _ = become_driver(store.engine, "held")
print(owner, len(store.claim(owner, 2)), flush=True)
time.sleep(120)
"""


def test_a_driver_whose_process_is_gone_is_replaced_at_once_and_its_runs_are_queued_again(workspace: Workspace) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(workspace.folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    old, claimed = process.stdout.readline().split()
    assert claimed == "2"
    assert become_driver(workspace.writer(), "x")[0] is None
    process.kill()
    process.wait(timeout=20)
    process.stdout.close()
    new, _ = become_driver(workspace.writer(), "x")
    assert new is not None
    with workspace.reader().connect() as connection:
        assert connection.execute(select(Run.state, Run.owner, Run.lease).where(Run.finished_seq.is_(None)).distinct()).all() == [
            ("queued", None, None)
        ]
        lost = connection.execute(select(Attempt.state, Attempt.error).where(Attempt.owner == old)).all()
        assert lost == [("lost", "its driver ended without a word")] * 2
        assert connection.execute(select(Run.killed_workers).distinct()).scalars().all() == [0]
    assert row_of(workspace, old)["ended_at"] is not None


def test_a_zombie_is_no_living_driver(workspace: Workspace) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(workspace.folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.kill()
    deadline = time.monotonic() + 10
    while process_start(process.pid) is not None and time.monotonic() < deadline:  # dead, but not waited for yet
        time.sleep(0.01)
    assert become_driver(workspace.writer(), "x")[0] is not None
    process.wait(timeout=20)
    process.stdout.close()


def test_a_living_driver_of_this_host_is_not_replaced_however_long_it_is_silent(workspace: Workspace) -> None:
    owner, _ = become_driver(workspace.writer(), "x")
    change(workspace, owner, heartbeat=time.time() - 100 * LEASE_SECONDS)
    assert become_driver(workspace.writer(), "y")[0] is None


def test_a_pid_that_another_process_has_by_now_is_no_driver(workspace: Workspace) -> None:
    owner, _ = become_driver(workspace.writer(), "x")
    change(workspace, owner, process_started=process_start(1) + 0.5)
    assert become_driver(workspace.writer(), "y")[0] is not None


@pytest.mark.parametrize(("age", "replaced"), [(0, False), (LEASE_SECONDS - 5, False), (LEASE_SECONDS + 1, True)])
def test_a_driver_of_another_host_is_replaced_when_its_lease_is_over(workspace: Workspace, age: float, replaced: bool) -> None:
    owner, _ = become_driver(workspace.writer(), "x")
    # Its pid means nothing here: the same number may be anybody's.
    change(workspace, owner, host="elsewhere/1234abcd/[7]", heartbeat=time.time() - age)
    assert (become_driver(workspace.writer(), "y")[0] is not None) == replaced


def test_a_heartbeat_extends_the_leases_until_another_has_taken_over(workspace: Workspace) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "x")
    store.claim(owner, 2)
    with store.engine.begin() as connection:
        connection.execute(update(Run).where(Run.owner == owner).values(lease=1.0))
    change(workspace, owner, heartbeat=1.0, host="elsewhere")
    assert heartbeat(store.engine, owner)
    assert time.time() - row_of(workspace, owner)["heartbeat"] < 5
    with workspace.reader().connect() as connection:
        leases = connection.execute(select(Run.lease).where(Run.owner == owner)).scalars().all()
    assert all(abs(lease - time.time() - LEASE_SECONDS) < 5 for lease in leases)
    change(workspace, owner, heartbeat=1.0)
    assert become_driver(store.engine, "y")[0] is not None
    assert not heartbeat(store.engine, owner)
    with workspace.reader().connect() as connection:
        assert live_driver(connection).id != owner


def test_resigning_gives_back_only_what_one_holds(workspace: Workspace) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "x")
    store.claim(owner, 3)
    assert resign(store.engine, "somebody else") == 0
    assert resign(store.engine, owner) == 3
    assert resign(store.engine, owner) == 0
    with workspace.reader().connect() as connection:
        assert queries.sweep_named(connection, "demo").states["queued"] == 4
        assert (
            connection.execute(select(Attempt.state).where(Attempt.finished_at > 0, Attempt.state == "cancelled")).all()
            == [("cancelled",)] * 3
        )


def test_a_driver_ends_idle_only_when_nothing_is_wanted_any_more(workspace: Workspace) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "x")
    assert not try_to_end_idle(store.engine, owner)
    with store.engine.begin() as connection:
        connection.execute(update(Run).where(Run.state == "queued").values(state="cancelled"))
    assert try_to_end_idle(store.engine, owner)
    with workspace.reader().connect() as connection:
        assert live_driver(connection) is None


def test_the_gallery_sees_who_drives(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "empty", create=True)
    with workspace.reader().connect() as connection:
        assert queries.driver(connection) is None
    owner, _ = become_driver(workspace.writer(), "x")
    with workspace.reader().connect() as connection:
        assert queries.driver(connection).id == owner
    with workspace.writer().begin() as connection:  # one that died long ago beside it changes nothing
        old = dict(id="old", host="gone", pid=1, process_started=1.0, address="x", started_at=1.0, heartbeat=1.0)
        connection.execute(insert(Driver).values(**old))
    with workspace.reader().connect() as connection:
        assert queries.driver(connection).id == owner
