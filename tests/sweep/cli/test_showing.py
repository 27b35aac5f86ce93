"""What the commands that read a workspace aloud print: names as they are, whole numbers, commands that can be copied."""

import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import pytest
from command_line import typed_here
from factories import made_up_workspace
from sqlalchemy import update

from db.models import Combination

Typed = Callable[..., tuple[int, str, str]]
COLUMNS = 80


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """`stylesweep ...` within this process: exit code, standard output, standard error."""
    monkeypatch.delenv("STYLESWEEP_WORKSPACE", raising=False)

    return lambda *words: typed_here(monkeypatch, capsys, words)


def on_a_terminal(*words: object, columns: int) -> str:
    """What `stylesweep ...` prints on a terminal that wide."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")} | {"TERM": "xterm"}
    command = [sys.executable, "-m", "sweep.cli.main", *map(str, words)]
    with subprocess.Popen(command, stdout=theirs, stdin=theirs, env=environment) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                said += os.read(ours, 65536)
            except OSError:  # Linux says so of a terminal that nobody writes to any more
                break
        assert process.wait() == 0
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", said.decode())


def test_names_are_shown_as_they_are_and_never_read_as_markup(typed: Typed, tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=1, name="[/bold]")
    with workspace.writer().begin() as connection:
        for old, new in {"harbour.jpg": "a[red]b.jpg", "cat.png": ":cat:[/].png"}.items():
            changed = connection.execute(update(Combination).where(Combination.content == old).values(content=new))
            assert changed.rowcount == 4
    code, out, _ = typed("runs", "[/bold]", "--workspace", tmp_path / "w")
    assert code == 0
    assert "a[red]b.jpg " in out and ":cat:[/].png " in out
    assert "[/bold] " in typed("status", "--workspace", tmp_path / "w")[1]


@pytest.mark.parametrize("columns", [40, COLUMNS])
def test_on_a_narrow_terminal_no_number_and_no_run_key_is_cut(typed: Typed, tmp_path: Path, columns: int) -> None:
    made_up_workspace(tmp_path / "w", betas=2, name="a sweep with a rather long name")
    listed = typed("runs", "a sweep with a rather long name", "--workspace", tmp_path / "w")[1]
    keys = set(re.findall(r"r1-[0-9a-f]{8}\b", listed))
    assert len(keys) == 16
    table = on_a_terminal("runs", "a sweep with a rather long name", "--workspace", tmp_path / "w", columns=columns)
    assert set(re.findall(r"r1-[0-9a-f]{8}\b", table)) == keys
    assert sorted(re.findall(r"\b[01]\.\d{3}\b", table)) == sorted(re.findall(r"\b[01]\.\d{3}\b", listed))
    heading = on_a_terminal("status", "--workspace", tmp_path / "w", columns=columns)
    assert "…" not in heading
    assert max(map(len, heading.splitlines())) <= COLUMNS


def test_a_command_that_is_printed_can_be_typed(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, name = tmp_path / "my results", "sea & sky"
    made_up_workspace(folder, betas=1, name=name, unfinished=1)
    _, out, _ = typed("pause", name, "--workspace", folder)
    [printed] = re.findall(r"`(stylesweep .*?)` goes on", out)
    assert typed(*shlex.split(printed)[1:]) == (
        0,
        f"{name} is active again.\nno driver is running: type `stylesweep run '{name}' --workspace '{folder}'` to go on\n",
        "",
    )
    monkeypatch.setenv("STYLESWEEP_WORKSPACE", str(folder))  # a command that would find it by itself does not name it
    assert "type `stylesweep run 'sea & sky'` to go on" in typed("status")[1]


def test_retry_counts_what_it_queued(typed: Typed, tmp_path: Path) -> None:
    made_up_workspace(tmp_path / "w", betas=1, failed=1)
    _, out, _ = typed("retry", "demo", "--workspace", tmp_path / "w")
    assert out == f"1 run queued again. Run it: stylesweep run demo --workspace {tmp_path / 'w'}\n"
    assert typed("retry", "demo", "--workspace", tmp_path / "w") == (
        0, "demo: nothing failed, diverged or was cancelled, so there is nothing to try again.\n", ""
    )  # fmt: skip


@pytest.mark.parametrize("value", [10**20, 10**6 + 1])
def test_a_priority_that_no_database_holds_is_refused(typed: Typed, tmp_path: Path, value: int) -> None:
    made_up_workspace(tmp_path / "w", betas=1)
    code, out, err = typed("priority", "demo", value, "--workspace", tmp_path / "w")
    assert (code, out) == (2, "")
    assert err == f"stylesweep: {value} is no priority; give a whole number from -1000000 to 1000000.\n"


def test_what_the_output_cannot_show_is_escaped_and_a_full_disk_is_told(tmp_path: Path) -> None:
    made_up_workspace(tmp_path / "w", betas=1, name="Größe 🎨")
    command = [sys.executable, "-m", "sweep.cli.main", "status", "--workspace", str(tmp_path / "w")]
    latin = subprocess.run(command, env=os.environ | {"PYTHONIOENCODING": "latin-1"}, capture_output=True, check=True)
    assert "Größe \\U0001f3a8".encode("latin-1") in latin.stdout
    with Path("/dev/full").open("wb") as full:
        said = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert said.returncode == 4
    assert said.stderr.startswith("stylesweep: what was to be written could not be: No space left on device.")
    assert said.stderr.count("\n") == 1
