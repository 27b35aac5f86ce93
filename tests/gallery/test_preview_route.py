"""How a running run looks, out of the database: by run key alone, and never an old picture under a new name."""

from pathlib import Path

import pytest
from asking import ask
from factories import made_up_workspace, picture_bytes

from db.drivers import become_driver, resign
from db.store import ClaimedRun, Store
from db.workspace import Workspace
from gallery.preview_route import preview_routes, preview_url
from sweep import events


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return made_up_workspace(tmp_path / "w", betas=1, unfinished=2)


def running(workspace: Workspace) -> tuple[Store, str, ClaimedRun]:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    return store, owner, store.claim(owner, 1)[0]


def show(store: Store, owner: str, run: ClaimedRun, step: int) -> bytes:
    picture = picture_bytes(step, form="WEBP")
    store.preview(owner, [events.Preview(run_key=run.run_key, attempt=run.attempt, step=step, picture=picture)])
    return picture


def test_the_newest_picture_may_be_kept_under_its_step_alone(workspace: Workspace) -> None:
    store, owner, run = running(workspace)
    routes = preview_routes(workspace.folder)
    first = show(store, owner, run, 5)
    answer = ask(routes, preview_url(run.run_key, 5))
    assert (answer.status_code, answer.content) == (200, first)
    assert answer.headers["content-type"] == "image/webp"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    second = show(store, owner, run, 9)
    late = ask(routes, preview_url(run.run_key, 5))
    assert (late.content, late.headers["cache-control"]) == (second, "no-store")
    assert ask(routes, preview_url(run.run_key, 9)).content == second
    resign(store.engine, owner)
    gone = ask(routes, preview_url(run.run_key, 9))
    assert (gone.status_code, gone.content, gone.headers["cache-control"]) == (204, b"", "no-store")


@pytest.mark.parametrize("name", ["r1-x.webp", "../sweeps.db", "r1-" + "0" * 40 + ".png", "' OR 1=1 --.webp", "r1-" + "0" * 40 + ".webp"])
def test_anything_but_a_running_run_is_not_there(workspace: Workspace, name: str) -> None:
    assert ask(preview_routes(workspace.folder), f"/app/static/p/{name}").status_code == 404


def test_without_a_workspace_none_is_made(tmp_path: Path) -> None:
    assert ask(preview_routes(tmp_path / "none"), preview_url("r1-" + "0" * 40, 1)).status_code == 404
    assert not (tmp_path / "none").exists()
