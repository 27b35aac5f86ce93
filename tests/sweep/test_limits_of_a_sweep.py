"""`run` asks before a large sweep, and takes limits in hours and in money."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from db.models import Sweep
from db.workspace import open_workspace
from sweep.cli import planning, running
from sweep.errors import InputError

PRICED = "{cpus: 1, gpus: 0, price_per_hour: 3.5}"


class Person(io.StringIO):
    """Somebody at a terminal, who types this."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def asked_about_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any sweep is a large one, and none is really run."""
    monkeypatch.setattr(planning, "ASK_HOURS", 0.0)
    monkeypatch.setattr(running, "settle", lambda *_: None)
    monkeypatch.setattr(running, "conclude", lambda *_: 0)
    monkeypatch.setattr(running, "ensure_weights", lambda _: None)


def limits(folder: Path) -> tuple[float | None, float | None]:
    with open_workspace(folder, create=False).reader().connect() as connection:
        deadline, budget = connection.execute(select(Sweep.deadline, Sweep.budget)).one()
    return deadline, budget


def recorded(folder: Path) -> int:
    with open_workspace(folder, create=False).reader().connect() as connection:
        return len(connection.execute(select(Sweep.id)).all())


@pytest.mark.usefixtures("asked_about_everything")
def test_where_nobody_can_be_asked_a_large_sweep_needs_yes(
    sweep_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sweep_file("large", [1.0])
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # not a terminal
    with pytest.raises(InputError, match="add --yes if it is") as refused:
        running.run(path, running.RunOptions(workspace=tmp_path))
    assert refused.value.exit_code == 2
    assert recorded(tmp_path) == 0
    assert running.run(path, running.RunOptions(workspace=tmp_path, yes=True)) == 0
    assert recorded(tmp_path) == 1


@pytest.mark.usefixtures("asked_about_everything")
@pytest.mark.parametrize(("typed", "runs"), [("y\n", 1), ("YES\n", 1), ("\n", 0), ("n\n", 0), ("", 0), ("what?\n", 0)])
def test_somebody_at_a_terminal_is_asked_and_silence_is_no(
    sweep_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, runs: int
) -> None:
    monkeypatch.setattr("sys.stdin", Person(typed))
    options = running.RunOptions(workspace=tmp_path)
    if runs:
        assert running.run(sweep_file("asked", [1.0]), options) == 0
    else:
        with pytest.raises(InputError, match="nothing was recorded"):
            running.run(sweep_file("asked", [1.0]), options)
    assert recorded(tmp_path) == runs


def test_what_is_large_is_so_by_the_clock_by_the_gpu_or_by_its_price(sweep_file: Callable[..., Path]) -> None:
    made = planning.plan_in(planning.prepare(sweep_file("size", [1.0], resources=PRICED)), None)
    day = 24 * 3600
    for changed, said in (
        ({"seconds": day * 0.99, "gpu_hours": 23.9, "price": 9.99}, None),
        ({"seconds": day * 1.1, "gpu_hours": 0.0, "price": None}, "about 26 h 24 min"),
        ({"seconds": 60.0, "gpu_hours": 25.0, "price": None}, "about 25 GPU-hours"),
        ({"seconds": 60.0, "gpu_hours": 0.0, "price": 1234.5}, "about 1,234.50 at resources.price_per_hour"),
    ):
        object.__setattr__(made, "__dict__", vars(made) | changed)
        assert planning.is_large(made) == said


@pytest.mark.usefixtures("asked_about_everything")
def test_limits_are_those_of_the_last_command(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    path = sweep_file("limited", [1.0], resources=PRICED)
    before = time.time()
    running.run(path, running.RunOptions(workspace=tmp_path, yes=True, max_hours=1.5, max_cost=20.0))
    deadline, budget = limits(tmp_path)
    assert deadline is not None and before + 5400 <= deadline <= time.time() + 5400
    assert budget == 20.0
    running.run(path, running.RunOptions(workspace=tmp_path, yes=True))
    assert limits(tmp_path) == (None, None)


@pytest.mark.usefixtures("asked_about_everything")
def test_a_budget_without_a_price_names_the_key_that_is_missing(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"resources\.price_per_hour"):
        running.run(sweep_file("unpriced", [1.0]), running.RunOptions(workspace=tmp_path, yes=True, max_cost=5.0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_is_a_positive_number(value: float) -> None:
    with pytest.raises(InputError, match="--max-hours"):
        running.limit("--max-hours", value)
    assert running.limit("--max-hours", 0.25) == 0.25
    assert running.limit("--max-hours", None) is None


def test_a_plan_says_hours_and_price(sweep_file: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = sweep_file("priced", [1.0, 2.0, 4.0], size=64, steps=1000, resources="{cpus: 2, gpus: 0, price_per_hour: 3.5}")
    planning.plan(path, tmp_path, as_json=True)
    made = json.loads(capsys.readouterr().out)
    assert made["core_hours"] > 0.01
    hours = 3 * made["seconds_per_run"] / 3600
    assert (made["core_hours"], made["gpu_hours"]) == (pytest.approx(2 * hours), 0.0)
    assert made["price"] == pytest.approx(3.5 * hours)
    planning.plan(path, tmp_path, as_json=False)
    assert f"{2 * hours:,.2f} core-hours, {3.5 * hours:,.2f} at resources.price_per_hour" in capsys.readouterr().out


def test_a_plan_for_a_gpu_counts_its_hours_and_speaks_of_packs(
    sweep_file: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for pack, said in (("auto", "as many small pictures of one shape as fill a GPU share a task"), ("4", "up to 4 runs share a task")):
        path = sweep_file(f"gpu-{pack}", [1.0, 2.0], resources=f"{{gpus: 0.5, pack: {pack}}}")
        planning.plan(path, tmp_path, as_json=True)
        made = json.loads(capsys.readouterr().out)
        assert made["gpu_hours"] == pytest.approx(2 * 0.5 * made["seconds_per_run"] / 3600)
        assert made["price"] is None
        planning.plan(path, tmp_path, as_json=False)
        text = capsys.readouterr().out
        assert "GPU-hours" in text and said in text
