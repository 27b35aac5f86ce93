"""Pulling over a real ssh: everything comes, again and again, whatever is cut off, and says what to do where it cannot."""

import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from crash.processes import COMMAND
from factories import GATYS, SHALLOW, curve, finished_event, input_picture, made_up_workspace, plan_of
from sshd import SSHD, Sshd, running_sshd

from db.drivers import become_driver, resign
from db.store import Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.verify import verify
from db.workspace import Workspace, open_workspace
from sweep.errors import InputError, SurroundingsError, WorkspaceBusy
from sweep.pull import PULLED, Source, pull, read_source
from sweep.remote import RayHead, Ssh

ROOT = Path(__file__).parents[2]
STYLESWEEP = f"env PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m sweep.cli.main"
pytestmark = pytest.mark.skipif(SSHD is None or shutil.which("rsync") is None, reason="sshd or rsync is not installed (openssh-server)")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as one:
        yield one


def rows(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(workspace.folder / "sweeps.db")) as plain:
        return plain.execute(query).fetchall()


def source(sshd: Sshd, folder: Path) -> Source:
    found = read_source(f"{sshd.host}:{folder}", sshd.ssh)
    assert isinstance(found, Source)
    return found


def same(head: Workspace, here: Workspace) -> None:
    """Every result of the head is here, file for file."""
    done = "SELECT run_key, output, balance FROM run WHERE state = 'done' ORDER BY run_key"
    assert rows(here, done) == rows(head, done)
    assert verify(here).faults == ()
    assert list(head.folder.glob(".pull-*")) == []


def test_everything_comes_and_the_second_time_only_what_is_new(sshd: Sshd, tmp_path: Path) -> None:
    head = made_up_workspace(tmp_path / "on the head's disk", betas=1, unfinished=3)
    here = open_workspace(tmp_path / "here", create=True)
    first = pull(here, source(sshd, head.folder), STYLESWEEP, lambda _: None)
    assert (first.results, first.unfinished, first.paused) == (5, 3, ("demo",))
    same(head, here)
    assert [path for path in (here.folder / PULLED).rglob("*") if path.is_file() and path.name not in ("lock", "sweeps.db")] == []
    store = Store(head.writer(), head.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    for run in store.claim(owner, 2):
        store.finished(owner, finished_event(run, run.run_id + 70), curve(run.run_id))
    resign(store.engine, owner)
    said: list[str] = []
    again = pull(here, source(sshd, head.folder), STYLESWEEP, said.append)
    assert (again.results, again.files) == (2, 4)
    assert "fetching 4 of 4 files ..." in said
    same(head, here)
    assert pull(here, source(sshd, head.folder), STYLESWEEP, lambda _: None).files == 0


def test_pulls_while_the_head_records_are_whole_each_time(sshd: Sshd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, here = open_workspace(tmp_path / "head", create=True), open_workspace(tmp_path / "here", create=True)
    store = Store(head.writer(), head.artifacts)
    content, style = input_picture("harbour.jpg", 1), input_picture("waves.png", 3)
    record_inputs(store, [content, style])
    planned = plan_of([content], [style], [float(beta) for beta in range(1, 700)], [GATYS, SHALLOW])
    record_sweep(store, SweepRecord(name="s", spec_text="", spec_path="", search_seed=None, resources={}), planned, extend=False)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    stop, errors, seen = threading.Event(), [], []

    def write() -> None:
        try:
            done = 0
            while not stop.is_set():
                # Never still, and however long a pull takes, something is left to be recorded under the next.
                time.sleep(0.02 if done < 200 * (1 + len(seen)) else 0.5)
                for run in store.claim(owner, 2):
                    store.finished(owner, finished_event(run, run.run_id), curve(run.run_id, 20))
                    done += 1
        except Exception as error:
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            pull(here, source(sshd, head.folder), STYLESWEEP, lambda _: None)
            assert verify(here).faults == ()
            seen.append(rows(here, "SELECT count(*) FROM run WHERE state = 'done'")[0][0])
    finally:
        stop.set()
        writer.join()
    assert errors == [] and 0 < seen[0] < seen[-1]
    resign(store.engine, owner)
    pull(here, source(sshd, head.folder), STYLESWEEP, lambda _: None)
    same(head, here)
    with capsys.disabled():
        print(f"\n4 pulls while the head recorded: {seen} runs done here, 0 faults each time")


def test_a_line_that_breaks_off_now_and_then_is_taken_up_again(sshd: Sshd, tmp_path: Path) -> None:
    """ssh that ends, every other time that rsync asks for files, before a byte has come."""
    head, here = made_up_workspace(tmp_path / "head", betas=3), open_workspace(tmp_path / "here", create=True)
    shaky, turns = tmp_path / "shaky", tmp_path / "turns"
    shaky.write_text(
        f"""#!/bin/bash
case "$*" in *"rsync --server"*)
    echo >> {turns}
    [ $(( $(wc -l < {turns}) % 2 )) = 1 ] && exit 1;;
esac
exec {sshd.ssh} "$@"
"""
    )
    shaky.chmod(0o755)
    pull(here, source(replace(sshd, ssh=str(shaky)), head.folder), STYLESWEEP, lambda _: None)
    same(head, here)
    assert turns.read_text() == 4 * "\n"  # the database and the files, each at the second try


def test_a_pull_that_is_killed_again_and_again_ends_with_everything(sshd: Sshd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = made_up_workspace(tmp_path / "head", betas=3)
    here = open_workspace(tmp_path / "here", create=True)
    command = [*COMMAND, "pull", f"{sshd.host}:{head.folder}", "-w", str(here.folder), "--ssh", sshd.ssh, "--remote-command", STYLESWEEP]
    kills, pause = 0, 0.5
    while True:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            assert process.wait(pause) == 0
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
            kills += 1
            pause *= 1.6
            assert verify(here).faults == ()
    assert kills > 1
    done = "SELECT run_key, output FROM run WHERE state = 'done' ORDER BY run_key"
    assert rows(here, done) == rows(head, done)
    assert verify(here).faults == ()
    with capsys.disabled():
        print(f"\na pull that was SIGKILLed {kills} times: everything came, 0 faults")


def test_a_file_that_came_damaged_is_told_and_fetched_anew(sshd: Sshd, tmp_path: Path) -> None:
    head = made_up_workspace(tmp_path / "head", betas=1)
    here = open_workspace(tmp_path / "here", create=True)
    path = sorted(head.artifacts.folder.glob("*/*.png"))[2]
    whole = path.read_bytes()
    path.write_bytes(b"x" * len(whole))
    with pytest.raises(SurroundingsError, match=f"1 files came damaged .*{path.name}"):
        pull(here, source(sshd, head.folder), STYLESWEEP, lambda _: None)
    assert rows(here, "SELECT count(*) FROM run") == [(0,)]
    path.write_bytes(whole)
    said: list[str] = []
    pull(here, source(sshd, head.folder), STYLESWEEP, said.append)
    files = len(list(head.artifacts.folder.glob("*/*")))
    assert f"fetching 1 of {files} files ..." in said
    same(head, here)


def test_reviews_of_both_sides_are_kept_and_the_newer_word_counts(sshd: Sshd, tmp_path: Path) -> None:
    head = made_up_workspace(tmp_path / "head", betas=1)
    here = open_workspace(Path(shutil.copytree(head.folder, tmp_path / "here")), create=False)
    review = "INSERT INTO review (run_key, person, flag, flag_at, stars, stars_at) VALUES ('r1-a', 'ann', ?, ?, ?, ?)"
    with here.writer().begin() as connection:
        connection.exec_driver_sql(review, ("pick", 20.0, 1, 10.0))
    with head.writer().begin() as connection:
        connection.exec_driver_sql(review, ("reject", 10.0, 5, 20.0))
    pull(here, source(sshd, head.folder), STYLESWEEP, lambda _: None)
    assert rows(here, "SELECT flag, flag_at, stars, stars_at FROM review") == [("pick", 20.0, 5, 20.0)]


def test_what_is_wrong_over_there_is_told_with_what_to_do(sshd: Sshd, tmp_path: Path) -> None:
    head = made_up_workspace(tmp_path / "head", betas=1)
    here = open_workspace(tmp_path / "here", create=True)

    def quiet(_: str) -> None:
        pass

    with pytest.raises(InputError, match=r"there is no workspace in .*none on .*127\.0\.0\.1"):
        pull(here, source(sshd, tmp_path / "none"), STYLESWEEP, quiet)
    with pytest.raises(SurroundingsError, match=r"'no-such-thing' is not found on .*--remote-command"):
        pull(here, source(sshd, head.folder), "no-such-thing", quiet)
    closed = sshd.ssh.replace(f"-p {sshd.port}", "-p 1")
    with pytest.raises(SurroundingsError, match=r"cannot be reached: .*refused.* See that `ssh .* true` works"):
        pull(here, Source(remote=Ssh(sshd.host, closed), folder=str(head.folder)), STYLESWEEP, quiet)
    with pytest.raises(SurroundingsError, match=r"cannot be reached: .*Permission denied"):
        pull(here, Source(remote=Ssh(sshd.host, sshd.ssh.replace("/key ", "/host_key ")), folder=str(head.folder)), STYLESWEEP, quiet)
    assert rows(here, "SELECT count(*) FROM run") == [(0,)]
    assert list(head.folder.glob(".pull-*")) == []


def test_two_pulls_from_one_place_do_not_meet(sshd: Sshd, tmp_path: Path) -> None:
    head = made_up_workspace(tmp_path / "head", betas=1)
    here = open_workspace(tmp_path / "here", create=True)
    refused = []

    def meanwhile(_: str) -> None:
        if not refused:
            refused.append(True)
            with pytest.raises(WorkspaceBusy, match="another pull from"):
                pull(here, source(sshd, head.folder), STYLESWEEP, lambda _: None)

    pull(here, source(sshd, head.folder), STYLESWEEP, meanwhile)
    assert refused
    same(head, here)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("head:relative/path", "as an absolute path"),
        ("head:", "as an absolute path"),
        ("conf/no.yaml:/data/w", "there is no file conf/no.yaml here"),
        ("-oProxyCommand=x:/data/w", "is no name of a machine"),
        ("head:/data/\nw", "cannot hold a line break"),
    ],
)
def test_a_source_that_cannot_be_one_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_source(text, "ssh")


def test_how_a_source_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b").mkdir()
    (tmp_path / "cluster.yaml").write_text("cluster_name: x")
    assert read_source("a:b", "ssh") == Path("a:b")
    assert read_source("folder", "ssh") == Path("folder")
    found, head = read_source("me@host:/data/w/", "ssh -p 2222"), read_source("cluster.yaml:/data/w", "ssh")
    assert isinstance(found, Source) and isinstance(found.remote, Ssh) and (found.remote.name, found.folder) == ("me@host", "/data/w")
    assert isinstance(head, Source) and isinstance(head.remote, RayHead)
