"""The real command line, as a process and in this one, and a workspace with results that no bad input may change."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import typed_here
from factories import made_up_workspace, picture_bytes

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Said:
    """cpu: seconds of processor time, as others may be at work on the machine; 0 within this process."""

    code: int
    out: str
    err: str
    cpu: float = 0.0


def complaint(said: Said, code: int) -> str:
    """The one message of a command that refused: on standard error, one paragraph, no traceback."""
    assert (said.code, said.out) == (code, ""), said
    assert "Traceback" not in said.err
    messages = [line for line in said.err.splitlines() if line.startswith("stylesweep: ")]
    assert len(messages) == 1, said.err
    assert said.err.rstrip().endswith(messages[0])  # the last thing that is said, and on one line
    assert len(messages[0]) < 1500
    return messages[0]


def _process(*arguments: object, environment: dict[str, str] | None = None, memory: int | None = None) -> Said:
    limit = ["prlimit", f"--as={memory}"] if memory and shutil.which("prlimit") else []
    command = [*limit, sys.executable, "-m", "sweep.cli.main", *map(str, arguments)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=ROOT, env=os.environ | (environment or {}), capture_output=True, text=True, timeout=120, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Said(code=done.returncode, out=done.stdout, err=done.stderr, cpu=cpu)


@pytest.fixture
def process() -> Callable[..., Said]:
    """`stylesweep ...` as a process of its own."""
    return _process


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`stylesweep ...` within this process: the same code from `main` on, a second faster."""

    def run(*arguments: object) -> Said:
        code, out, err = typed_here(monkeypatch, capsys, arguments)
        return Said(code=code, out=out, err=err)

    return run


@pytest.fixture
def told() -> Callable[[Said, int], str]:
    return complaint


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_workspace(tmp_path_factory.mktemp("hostile") / "w", betas=1, unfinished=1, failed=1).folder


@pytest.fixture
def workspace(_made: Path, tmp_path: Path) -> Path:
    """A workspace with earlier results."""
    return Path(shutil.copytree(_made, tmp_path / "workspace"))


def _rows(workspace: Path) -> list[str]:
    plain = sqlite3.connect(workspace / "sweeps.db")
    dump = list(plain.iterdump())
    plain.close()
    return dump + sorted(str(path.relative_to(workspace)) for path in (workspace / "artifacts").rglob("*"))


@pytest.fixture
def unchanged(workspace: Path) -> Iterator[None]:
    """After the test every row and every file of the workspace is as before it."""
    before = _rows(workspace)
    yield
    assert _rows(workspace) == before


@pytest.fixture
def rows() -> Callable[[Path], list[str]]:
    return _rows


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., Path]:
    """Writes a sweep's file beside two good pictures."""
    for number, name in enumerate(["good.png", "style.png"]):
        (tmp_path / name).write_bytes(picture_bytes(number))

    def write(extra: str = "", content: str = "good.png", style: str = "style.png") -> Path:
        path = tmp_path / "sweep.yaml"
        settings = "" if "settings:" in extra else "settings: {network: vgg16-hed, size: 64, steps: 2}\n"
        path.write_text(f"name: hostile\ncontent: {content}\nstyle: {style}\n{settings}{extra}")
        return path

    return write
