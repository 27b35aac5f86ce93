"""Cull as a person meets it: keys that are never lost, whatever happens in between."""

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle

import pytest
from browsing import images_are_whole, opened, served
from gallery_factories import Point, add_sweep, wide_workspace
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import delete

from db.models import Review, ReviewTag
from db.reviews import Said, said
from db.workspace import Workspace

pytestmark = pytest.mark.browser
ANN = "ann"
KEYS = {
    "p": Said(flag="pick"), "x": Said(flag="reject"), "3": Said(stars=3), "5": Said(stars=5), "Shift+P": Said(flag="pick"),
}  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """`long`: 900 runs with pictures."""
    workspace = wide_workspace(tmp_path_factory.mktemp("long"), amount=40)
    points = [Point(beta=1 + n / 100, content=("harbour.jpg", "cat.png")[n % 2], content_kept=n / 1000) for n in range(900)]
    add_sweep(workspace, "long", points)
    return workspace


@pytest.fixture(scope="module")
def gallery(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(workspace.folder, tmp_path_factory.mktemp("elsewhere"), STYLESWEEP_PERSON=ANN) as url:
        yield url


@pytest.fixture(autouse=True)
def nothing_said(workspace: Workspace) -> None:
    with workspace.writer().begin() as connection:
        for table in (Review, ReviewTag):
            connection.execute(delete(table))


def reviews(workspace: Workspace) -> dict[str, Said]:
    with workspace.reader().connect() as connection:
        return said(connection, ANN)


def until_all_is_kept(page: Page) -> None:
    page.wait_for_function("() => window.stylesweepReviews.pending === 0", timeout=20_000)


def ready(page: Page) -> None:
    page.locator(".stage img").first.wait_for()
    page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()


def order(page: Page) -> list[str]:
    """The run keys of the queue, as far as the page knows them."""
    return page.locator(".root:has(.strip)").evaluate("root => [...root.cull.runs.items.values()].map((item) => item.id)")  # type: ignore[no-any-return]


def current(page: Page) -> Locator:
    return page.locator(".cell[aria-current]")


def counter(page: Page, text: str) -> None:
    expect(page.locator(".counter")).to_have_text(text)


def press(page: Page, keys: list[str], *, per_second: float) -> None:
    """At this pace by the clock, not by how long each press takes."""
    begin = time.monotonic()
    for number, key in enumerate(keys):
        page.keyboard.press(key)
        page.wait_for_timeout(max(0.0, (begin + (number + 1) / per_second - time.monotonic()) * 1000))


def some_keys(amount: int) -> list[str]:
    return [key for key, _ in zip(cycle(("p", "x", "3", "x", "5")), range(amount), strict=False)]


def test_keys_judge_and_move_on_and_undo_takes_back_step_by_step(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/cull?sweep=demo&sort=plan") as page:
        ready(page)
        counter(page, "12 of 12 unreviewed")
        keys = order(page)
        assert images_are_whole(page) == 15  # the picture, photograph and painting, and the filmstrip
        for key in ("p", "x", "4", "ArrowRight", "Shift+P"):
            page.keyboard.press(key)
        counter(page, "8 of 12 unreviewed")
        expect(current(page)).to_have_attribute("data-place", "4")
        expect(page.locator(".state-badge")).to_have_text("Picked")
        until_all_is_kept(page)
        judged = {keys[0]: Said(flag="pick"), keys[1]: Said(flag="reject"), keys[2]: Said(stars=4), keys[4]: Said(flag="pick")}
        assert reviews(workspace) == judged
        page.keyboard.press("ArrowLeft")
        for _ in range(2):
            page.keyboard.press("Control+z")
        counter(page, "10 of 12 unreviewed")
        expect(current(page)).to_have_attribute("data-place", "2")
        until_all_is_kept(page)
        assert reviews(workspace) == {keys[0]: Said(flag="pick"), keys[1]: Said(flag="reject")}
        page.keyboard.press("a")
        page.keyboard.press("p")
        page.keyboard.press("2")
        expect(current(page)).to_have_attribute("data-place", "2")
        expect(page.locator(".state-badge .star")).to_have_count(2)
        page.keyboard.press("u")
        page.keyboard.press("0")
        expect(page.locator(".state-badge")).to_have_text("")
        page.keyboard.press("a")


def test_tags_and_notes_by_keyboard(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/cull?sweep=demo&sort=plan") as page:
        ready(page)
        (key, second, *_) = order(page)
        page.keyboard.press("t")
        page.keyboard.type("big  sky, p3x <b>")  # letters are text here, no keys
        page.keyboard.press("Enter")
        expect(page.locator(".state-badge .tag")).to_have_text(["big sky", "p3x <b>"])
        page.keyboard.press("n")
        page.keyboard.type("fine")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("sky")
        page.keyboard.press("Enter")
        expect(page.locator(".note")).to_have_text("fine\nsky")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("t")
        page.locator(".chip", has_text="big sky").click()
        page.keyboard.press("Escape")
        page.keyboard.press("p")
        until_all_is_kept(page)
        assert reviews(workspace) == {
            key: Said(note="fine\nsky", tags=("big sky", "p3x <b>")), second: Said(flag="pick", tags=("big sky",))
        }  # fmt: skip
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("t")
        page.get_by_role("button", name="Take big sky away").click()
        page.keyboard.press("Escape")
        expect(page.locator(".state-badge .tag")).to_have_count(0)
        until_all_is_kept(page)
        assert reviews(workspace)[second] == Said(flag="pick")


def test_200_keys_at_10_a_second_are_all_in_the_database(browser: Browser, gallery: str, workspace: Workspace) -> None:
    keys = some_keys(200)
    with opened(browser, f"{gallery}/cull?sweep=long&sort=plan") as page:
        ready(page)
        counter(page, "900 of 900 unreviewed")
        runs = order(page)
        press(page, keys, per_second=10)
        counter(page, "700 of 900 unreviewed")
        until_all_is_kept(page)
        assert reviews(workspace) == {run: KEYS[key] for run, key in zip(runs, keys, strict=False)}
        expect(page.locator(".stage img").first).to_be_visible()
        assert len(order(page)) > 300  # the next stretch of the queue came by itself


def test_a_reload_in_the_middle_loses_nothing_and_goes_on_there(browser: Browser, gallery: str, workspace: Workspace) -> None:
    keys = some_keys(100)
    with opened(browser, f"{gallery}/cull?sweep=long&sort=plan") as page:
        ready(page)
        runs = order(page)
        press(page, keys[:50], per_second=10)
        page.reload()
        ready(page)
        counter(page, "850 of 900 unreviewed")
        press(page, keys[50:], per_second=10)
        until_all_is_kept(page)
        assert reviews(workspace) == {run: KEYS[key] for run, key in zip(runs, keys, strict=False)}


def test_a_database_that_is_locked_for_three_seconds_is_waited_for(browser: Browser, gallery: str, workspace: Workspace) -> None:
    keys = some_keys(100)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{gallery}/cull?sweep=long&sort=plan")
    ready(page)
    runs = order(page)
    press(page, keys[:40], per_second=10)
    until_all_is_kept(page)
    with closing(sqlite3.connect(workspace.folder / "sweeps.db", isolation_level=None, check_same_thread=False)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        timer = threading.Timer(3, lock.rollback)
        timer.start()
        press(page, keys[40:62], per_second=10)
        expect(page.locator(".queue-notice")).to_contain_text("changes wait for the server", timeout=500)
        press(page, keys[62:70], per_second=10)
        counter(page, "830 of 900 unreviewed")  # the screen does not wait
        timer.join()
    press(page, keys[70:], per_second=10)
    until_all_is_kept(page)
    expect(page.locator(".queue-notice")).to_have_text("")
    assert reviews(workspace) == {run: KEYS[key] for run, key in zip(runs, keys, strict=False)}
    context.close()


def test_the_queue_stays_as_it_was_and_what_was_judged_is_behind(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/cull?sweep=demo&sort=plan") as page:
        ready(page)
        runs = order(page)
        page.keyboard.press("p")
        page.keyboard.press("x")
        page.keyboard.press("g")
        page.wait_for_url(re.compile("/gallery"))
        page.locator(".tile").first.wait_for()
        page.get_by_role("link", name="Cull").click()
        ready(page)
        assert order(page) == runs
        expect(current(page)).to_have_attribute("data-place", "2")
        counter(page, "10 of 12 unreviewed")
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".state-badge")).to_have_text("Rejected")
        page.get_by_role("button", name="All", exact=True).click()
        page.wait_for_url(re.compile("mode=all"))
        counter(page, "10 of 12 unreviewed")
        page.get_by_role("button", name="Unreviewed", exact=True).click()
        expect(page.locator(".caption")).to_contain_text("1 of 10")
        assert order(page) == runs[2:]


def test_the_end_tells_how_many_were_picked_and_leads_to_them(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/cull?sweep=demo&sort=plan") as page:
        ready(page)
        runs = order(page)
        for key in some_keys(12):
            page.keyboard.press(key)
        expect(page.get_by_role("heading", name="All are reviewed")).to_be_visible()
        expect(page.locator(".ending")).to_contain_text("3 picked, 5 rejected")
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".ending")).to_be_hidden()
        page.keyboard.press("ArrowRight")
        page.get_by_role("link", name="See the 3 picks").click()
        page.wait_for_url(re.compile(r"/gallery\?.*flag=pick"))
        expect(page.locator(".tile")).to_have_count(3)
        found = page.locator(".grid li").evaluate_all("all => all.map((one) => one.dataset.id)")
        assert sorted(found) == sorted(runs[place] for place in (0, 5, 10))
        page.goto(f"{gallery}/cull?sweep=demo&sort=plan")
        expect(page.get_by_text("All 12 runs of this view are reviewed.")).to_be_visible()


def test_one_to_one_shows_pixels_and_is_panned(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/cull?sweep=long&sort=plan") as page:
        page.set_viewport_size({"width": 500, "height": 500})  # the pictures are small
        ready(page)
        image = page.locator(".stage img").first
        box = image.bounding_box()
        natural = image.evaluate("async (one) => { await one.decode(); return [one.naturalWidth, one.naturalHeight] }")
        assert box is not None and box["width"] != natural[0]
        page.keyboard.press("z")
        expect(image).to_have_css("width", f"{natural[0]}px")
        page.locator(".beside").evaluate_all("all => all.forEach((one) => one.remove())")  # they would fill so small a stage
        page.locator(".stage").evaluate("one => Object.assign(one.style, { width: '60px', height: '40px' })")

        def middle() -> list[float]:
            numbers = page.locator(".root:has(.strip)").evaluate("root => [root.cull.stage.centre.x, root.cull.stage.centre.y]")
            return [round(one, 3) for one in numbers]

        page.wait_for_function("one => one.getBoundingClientRect().width === 60", arg=page.locator(".stage").element_handle())
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Shift+ArrowUp")
        corner = [round(30 / natural[0], 3), round(20 / natural[1], 3)]
        assert middle() == corner  # as far as the picture goes
        stage = page.locator(".stage").bounding_box()
        assert stage is not None
        page.mouse.move(stage["x"] + 40, stage["y"] + 30)
        page.mouse.down()
        page.mouse.move(stage["x"] + 28, stage["y"] + 22, steps=3)
        page.mouse.up()
        assert middle() == [round(42 / natural[0], 3), round(28 / natural[1], 3)]
        expect(page.locator(".stage")).to_have_class(re.compile("zoomed"))  # a drag is no click
        page.keyboard.press("p")  # the next one stands at 1:1, too, at the same place
        assert middle() == [round(42 / natural[0], 3), round(28 / natural[1], 3)]
        expect(page.locator(".stage img").first).to_have_css("width", re.compile(r"\d+px"))
        expect(page.locator(".stage")).to_have_class(re.compile("zoomed"))
        page.keyboard.press("Escape")
        expect(page.locator(".stage")).not_to_have_class(re.compile("zoomed"))


def test_a_finger_swipes_and_buttons_do_what_keys_do(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/cull?sweep=demo&sort=plan", has_touch=True) as page:
        ready(page)
        runs = order(page)
        box = page.locator(".stage").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        client = page.context.new_cdp_session(page)

        def swipe(by: int) -> None:
            client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
            for part in range(1, 6):
                client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x + by * part / 5, "y": y}]})
            client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

        swipe(-200)
        expect(current(page)).to_have_attribute("data-place", "1")
        swipe(200)
        expect(current(page)).to_have_attribute("data-place", "0")
        page.get_by_role("button", name="Pick").click()
        page.get_by_role("button", name="3 stars (3)").click()
        page.get_by_role("button", name="Reject").click()
        page.get_by_role("button", name="Undo").click()
        page.locator(".cell").nth(5).click()
        page.keyboard.press("p")
        until_all_is_kept(page)
        assert reviews(workspace) == {runs[0]: Said(flag="pick"), runs[1]: Said(stars=3), runs[5]: Said(flag="pick")}


def test_a_run_that_is_gone_is_refused_and_said_so(browser: Browser, gallery: str, workspace: Workspace) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{gallery}/cull?sweep=demo&sort=plan")
    ready(page)
    page.locator(".root:has(.strip)").evaluate("root => { root.cull.runs.items.get(0).id = 'r1-gone' }")
    page.keyboard.press("Shift+P")
    expect(page.locator(".queue-notice")).to_have_text("Not kept: this workspace has no run r1-gone")
    expect(page.locator(".state-badge")).to_have_text("Not kept: this workspace has no run r1-gone")
    counter(page, "12 of 12 unreviewed")
    context.close()
