"""`backup`, `verify`, `merge`, `archive`, `delete`, `gc` as they are typed: what they say, and the exit code."""

import json
import os
import pty
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import typed_here
from factories import made_up_workspace

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """`stylesweep ...` within this process: exit code, standard output, standard error."""

    return lambda *words: typed_here(monkeypatch, capsys, words)


@pytest.fixture
def w(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that every command takes."""
    folder = made_up_workspace(tmp_path / "w", betas=1).folder
    monkeypatch.setenv("STYLESWEEP_WORKSPACE", str(folder))
    return folder


def test_backup_verify_and_the_way_back_after_a_loss(typed: Typed, w: Path, tmp_path: Path) -> None:
    code, out, _ = typed("backup", "--out", tmp_path / "b")
    assert code == 0 and out.startswith(f"{tmp_path / 'b'}: 16 files (")
    assert json.loads(typed("backup", "--out", tmp_path / "b", "--json")[1])["files"] == 0
    code, out, _ = typed("verify")
    assert code == 0 and out.startswith("8 pictures, 16 files, 0 resumable states read and compared with their names: 0 faults.\n")
    lost = sorted((w / "artifacts").glob("*/*.png"))[0]
    lost.unlink()
    code, out, _ = typed("verify", "--quick")
    assert code == 4 and f"{lost.name} (" in out and "is missing.\n    " in out and out.endswith(": 1 fault.\n")
    assert [fault["kind"] for fault in json.loads(typed("verify", "--json")[1])["faults"]] == ["file"]
    assert typed("merge", tmp_path / "b")[1].startswith("0 results and 0 sweeps new here; 1 file (")
    assert typed("verify")[0] == 0


def test_backup_says_which_exports_it_leaves_out(typed: Typed, w: Path, tmp_path: Path) -> None:
    assert "left out" not in typed("backup", "--out", tmp_path / "without")[1]
    (w / "exports").mkdir()
    for name, size in (("a.zip", 1_500_000), ("b.zip", 500_000), (".c.zip.partial", 7)):
        (w / "exports" / name).write_bytes(b"x" * size)
    out = typed("backup", "--out", tmp_path / "b")[1]
    assert f"2 exports (2.0 MB) left out: the Export page makes such zips again; to keep just these, copy {w / 'exports'}.\n" in out
    assert not (tmp_path / "b/exports").exists()
    assert json.loads(typed("backup", "--out", tmp_path / "b", "--json")[1])["exports_left_out"] == 2


def test_merge_and_pull_of_a_folder_make_a_workspace_and_refuse_what_is_none(typed: Typed, w: Path, tmp_path: Path) -> None:
    unfinished = made_up_workspace(tmp_path / "other", betas=2, name="other", unfinished=1).folder
    code, out, _ = typed("merge", unfinished, "--workspace", tmp_path / "new")
    assert code == 0 and out.startswith("15 results and 1 sweep new here; ")
    resume = f"stylesweep resume other --workspace {tmp_path / 'new'}"
    assert f"other: some of its runs are not finished. It is paused here; `{resume}` would run them." in out
    assert (
        json.loads(typed("pull", w, "--workspace", tmp_path / "new", "--json")[1])["results"] == 0
    )  # the same runs, in a sweep of its own
    code, _, err = typed("merge", tmp_path / "nothing", "--workspace", tmp_path / "never")
    assert code == 2 and err.startswith("stylesweep: there is no workspace in") and not (tmp_path / "never").exists()
    code, _, err = typed("pull", "host:relative", "--workspace", tmp_path / "never")
    assert code == 2 and "as an absolute path" in err and not (tmp_path / "never").exists()


def test_an_archived_sweep_is_not_in_status_unless_asked_for(typed: Typed, w: Path) -> None:
    assert typed("archive", "demo")[0] == 0
    assert "1 archived not shown: stylesweep status --all" in typed("status")[1] and "demo" not in typed("status")[1]
    assert "demo" in typed("status", "--all")[1] and "demo" in typed("status", "demo")[1]
    assert json.loads(typed("status", "--all", "--json")[1])[0]["archived"] is True
    typed("unarchive", "demo")
    assert "demo" in typed("status")[1]
    assert typed("archive", "none")[0] == 2


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [(b"n\n", 2, "stylesweep: nothing was deleted."), (b"\n", 2, "nothing was deleted."), (b"\x03", 130, "\nstylesweep: interrupted.")],
)
def test_who_does_not_say_yes_deletes_nothing_and_is_told(typed: Typed, w: Path, answer: bytes, code: int, said: str) -> None:
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever started the tests may have had it ignored
        os.execv(sys.executable, [sys.executable, "-m", "sweep.cli.main", "delete", "demo"])
    shown = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # Linux says so of a terminal that nobody writes to any more
            break
        shown += part
        if b"[y/N]" in part:
            os.write(terminal, answer)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
    assert shown.decode().replace("\r", "").endswith(f"{said}\n")
    assert json.loads(typed("status", "--json")[1])[0]["name"] == "demo"


def test_delete_asks_and_gc_looks_before_it_removes(typed: Typed, w: Path) -> None:
    code, _, err = typed("delete", "demo")
    assert code == 2 and "demo has 8 combinations and 8 runs (8 done) that no other sweep has; add --yes" in err
    code, out, _ = typed("delete", "demo", "--yes")
    assert code == 0 and out.startswith("demo is deleted: 8 combinations and 8 runs")
    assert typed("gc")[1].startswith("Nothing to remove")
    then = time.time() - 7200
    for path in (w / "artifacts").glob("*/*"):
        os.utime(path, (then, then))
    assert "16 files that nothing refers to" in typed("gc")[1]
    assert typed("gc", "--older-than", 3)[1].startswith("Nothing to remove")
    code, _, err = typed("gc", "--delete", "--older-than", 0.5)
    assert code == 2 and "--older-than must be 1 hour or more" in err
    assert "16 files removed" in typed("gc", "--delete")[1]
    assert list((w / "artifacts").glob("*/*")) == []
