"""A sweep that runs while somebody looks, and pictures that are taken away: a real server, a real browser."""

import contextlib
import re
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import opened, served
from factories import curve, finished_event, made_up_workspace, picture_bytes
from gallery_factories import add_sweep, random_points
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from db import queries
from db.drivers import become_driver, resign
from db.models import Run, Sweep
from db.store import ClaimedRun, Store
from db.workspace import Workspace
from sweep import events

pytestmark = pytest.mark.browser
MOVES_WITHIN = 5000
"""Milliseconds until the page shows what was written."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """`demo`: 32 runs, 16 queued, 2 failed; ten more sweeps."""
    made = made_up_workspace(tmp_path_factory.mktemp("live"), betas=4, unfinished=16, failed=2)
    for number in range(10):
        add_sweep(made, f"study-{number}", random_points(4, number, states=("done",)))
    return made


@pytest.fixture(scope="module")
def gallery(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(workspace.folder, tmp_path_factory.mktemp("elsewhere")) as url:
        yield url


class Driver:
    """A driver and its workers, made up: every run takes a second, with a picture and losses on the way."""

    def __init__(self, workspace: Workspace) -> None:
        self.store = Store(workspace.writer(), workspace.artifacts)
        owner, _ = become_driver(self.store.engine, "test")
        assert owner is not None
        self.owner, self.stop = owner, threading.Event()

    def begin(self, steps: int = 20) -> ClaimedRun | None:
        claimed = self.store.claim(self.owner, 1)
        if not claimed:
            return None
        (run,) = claimed
        told = events.Started(run_key=run.run_key, attempt=run.attempt, node="node-1", pid=1, device="cpu", versions={})
        self.store.started(self.owner, told)
        self.show(run, steps)
        return run

    def show(self, run: ClaimedRun, step: int) -> None:
        points = curve(3, step + 1)
        self.store.progress(self.owner, [events.Progress(run_key=run.run_key, attempt=run.attempt, points=points)])
        picture = picture_bytes(step, form="WEBP")
        self.store.preview(self.owner, [events.Preview(run_key=run.run_key, attempt=run.attempt, step=step, picture=picture)])

    def work(self, runs: int) -> None:
        for number in range(runs):
            run = self.begin()
            if run is None or self.stop.wait(1.0):
                return
            self.store.finished(self.owner, finished_event(run, 100 + number), ())


@contextlib.contextmanager
def driving(workspace: Workspace) -> Iterator[Driver]:
    driver = Driver(workspace)
    try:
        yield driver
    finally:
        driver.stop.set()
        resign(driver.store.engine, driver.owner)


def counts(page: Page) -> dict[str, int]:
    texts = page.locator(".legend li").all_inner_texts()
    return {state: int(number.replace(",", "")) for number, state in (text.split() for text in texts)}


def test_counts_and_pictures_move_while_runs_end(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with driving(workspace) as driver, opened(browser, f"{gallery}/live?sweep=demo") as page:
        expect(page.get_by_text("Driven by pid")).to_be_visible()
        page.locator(".legend li").first.wait_for()
        assert counts(page) == {"done": 14, "failed": 2, "queued": 16}
        worker = threading.Thread(target=driver.work, args=(4,), daemon=True)
        worker.start()
        seen = set()
        while worker.is_alive():
            seen.add(counts(page)["done"])
        worker.join()
        expect(page.locator(".legend")).to_contain_text("18 done", timeout=MOVES_WITHIN)
        assert seen - {14, 18}  # it moved on the way, too
        expect(page.locator(".tile img")).to_have_count(12)
        page.wait_for_function("() => window.scrollY === 0")  # nothing has moved the page


def test_a_running_run_shows_its_picture_and_the_next_one_in_its_place(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with driving(workspace) as driver, opened(browser, f"{gallery}/live?sweep=demo") as page:
        run = driver.begin(steps=10)
        assert run is not None
        image = page.locator(f".card img[src*='{run.run_key}']")
        image.wait_for(timeout=15_000)
        assert image.get_attribute("src") == f"/app/static/p/{run.run_key}.webp?step=10"
        assert "after step 10" in str(image.get_attribute("alt"))
        expect(page.locator(".card .step")).to_contain_text("step 10 of")
        image.evaluate("one => { one.marked = true }")
        driver.show(run, 15)
        expect(image).to_have_attribute("src", f"/app/static/p/{run.run_key}.webp?step=15", timeout=MOVES_WITHIN)
        assert image.evaluate("one => one.marked === true && one.naturalWidth > 0")
        assert page.locator(".card .style-line").get_attribute("d")
        cancel = page.get_by_role("button", name=f"Cancel {run.run_key[:11]}")
        cancel.click()
        expect(cancel).to_have_text("Really cancel?")
        cancel.click()
        expect(page.get_by_text("is cancelled; retry takes it back")).to_be_visible()
        with workspace.reader().connect() as connection:
            assert connection.execute(select(Run.state).where(Run.run_key == run.run_key)).scalar() == "cancelled"
        expect(page.locator(".card")).to_have_count(0, timeout=MOVES_WITHIN)


def state_of(workspace: Workspace) -> str:
    with workspace.reader().connect() as connection:
        return str(connection.execute(select(Sweep.state).where(Sweep.name == "demo")).scalar())


def test_pause_and_resume_are_seen_in_the_database_and_in_the_page(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/live?sweep=demo") as page:
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        assert state_of(workspace) == "paused"
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        assert state_of(workspace) == "active"


def test_failures_that_are_alike_are_retried_together(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/live?sweep=demo") as page:
        group = page.locator(".group")
        expect(group.locator(".title")).to_have_text("2 runs failed")
        group.locator("summary", has_text="Traceback").click()
        expect(group.locator("pre")).to_have_text("Traceback: made up")
        page.wait_for_timeout(5000)
        expect(group.locator("pre")).to_be_visible()  # two looks later it is still open
        group.get_by_role("button", name="Retry these 2").click()
        expect(page.get_by_text("2 runs are queued again")).to_be_visible()
        expect(group).to_have_count(0, timeout=MOVES_WITHIN)
        assert counts(page).get("failed") is None


def test_an_export_is_built_and_its_manifest_checks(browser: Browser, gallery: str, workspace: Workspace, tmp_path: Path) -> None:
    with opened(browser, f"{gallery}/export?sweep=study-3&preset=share") as page:
        with workspace.reader().connect() as connection:
            done = queries.sweep_named(connection, "study-3").states["done"]
        expect(page.get_by_text(re.compile(rf"^{done} pictures? · about"))).to_be_visible()
        page.get_by_role("button", name="Build the zip").click()
        link = page.get_by_role("link", name=re.compile("^Download study-3-"))
        link.wait_for(timeout=30_000)
        with page.expect_download() as waiting:
            link.click()
        download = waiting.value
        assert re.fullmatch(r"study-3-\d{8}-\d{6}-[0-9a-f]{4}\.zip", download.suggested_filename)
        download.save_as(tmp_path / "x.zip")
        with zipfile.ZipFile(tmp_path / "x.zip") as packed:
            packed.extractall(tmp_path / "out")
        (folder,) = (tmp_path / "out").iterdir()
        checked = subprocess.run(["sha256sum", "-c", "MANIFEST.sha256"], cwd=folder, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
        assert len(list((folder / "images").iterdir())) == done
        page.reload()
        remove = page.get_by_role("button", name=re.compile("^Remove study-3-"))
        remove.click()
        expect(remove).to_have_text("Really remove?")
        remove.click()
        expect(page.get_by_text("Nothing was exported from these pages yet.")).to_be_visible()
        assert list(workspace.folder.glob("exports/*")) == []


def test_sweeps_are_found_by_name_and_put_away(browser: Browser, gallery: str) -> None:
    with opened(browser, gallery) as page:
        expect(page.locator(".card:visible")).to_have_count(11)
        page.get_by_role("searchbox").fill("study-7")
        expect(page.locator(".card:visible")).to_have_count(1)
        page.wait_for_timeout(5000)
        expect(page.locator(".card:visible")).to_have_count(1)  # a look later too
        page.get_by_role("button", name="Archive study-7").click()
        expect(page.get_by_text("study-7 is archived")).to_be_visible()
        expect(page.get_by_text("No sweep of that name.")).to_be_visible()
        page.get_by_role("searchbox").fill("")
        expect(page.locator(".card:visible")).to_have_count(10)
        page.get_by_role("link", name="Live of demo").click()
        page.wait_for_url(re.compile(r"/live\?sweep=demo$"))


def test_everything_is_reached_by_the_keyboard_and_the_focus_is_seen(browser: Browser, gallery: str) -> None:
    with opened(browser, gallery) as page:
        page.get_by_role("searchbox").focus()
        seen = []
        for _ in range(8):
            page.keyboard.press("Tab")
            seen.append(
                page.evaluate(
                    "() => { let one = document.activeElement; while (one.shadowRoot) one = one.shadowRoot.activeElement;"
                    " return [one.textContent, getComputedStyle(one).outlineStyle] }"
                )
            )
        assert [text for text, _ in seen[:3]] == ["study-9", "Gallery", "Cull"]
        assert {outline for _, outline in seen} == {"solid"}
