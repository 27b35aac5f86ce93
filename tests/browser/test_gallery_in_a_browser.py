"""The gallery as a person meets it: a real server, a real browser."""

import re
from pathlib import Path

import pytest
from browsing import images_are_whole, opened, served
from factories import curve, finished_event, snapshot_event
from gallery_factories import HOSTILE
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from db import queries
from db.drivers import become_driver, resign
from db.models import Image, Run
from db.store import Store
from db.workspace import Workspace

pytestmark = pytest.mark.browser


def tiles(page: Page) -> list[str]:
    page.wait_for_selector("a.tile")
    return page.locator(".grid li").evaluate_all("all => all.map(one => one.dataset.id)")  # type: ignore[no-any-return]


def test_from_the_sweeps_to_a_run_and_on(browser: Browser, gallery: str) -> None:
    with opened(browser, gallery) as page:
        page.locator(".card", has_text="demo").wait_for()
        assert images_are_whole(page) == 3  # every sweep with a result has its best picture
        page.mouse.wheel(0, -9000)
        page.locator(".card", has_text="demo").click()
        page.wait_for_url(re.compile(r"/gallery\?sweep=demo$"))
        expect(page.get_by_text("Showing 1-16 of 16 combinations")).to_be_visible()
        first = tiles(page)
        assert images_are_whole(page) == 12
        page.locator("a.tile").first.click()
        page.wait_for_url(re.compile(rf"/run\?id={first[0]}&sweep=demo$"))
        page.locator("canvas, svg.marks").first.wait_for()
        expect(page.get_by_text("Losses are unweighted")).to_be_visible()
        assert images_are_whole(page) == 3
        page.mouse.wheel(0, -9000)
        page.get_by_role("button", name="Next").click()
        page.wait_for_url(re.compile(rf"id={first[1]}"))
        expect(page.get_by_text("2 of 16")).to_be_visible()
        page.get_by_role("link", name="Gallery").last.click()
        page.wait_for_url(re.compile(r"/gallery\?sweep=demo$"))
        assert tiles(page) == first


REPEATS_WHEN_ARMED = """
(() => {
  const send = WebSocket.prototype.send
  const here = location.href
  let last = null
  Object.assign(window, { sent: 0, armed: false })
  WebSocket.prototype.send = function (data) {
    send.call(this, data)
    window.sent += 1
    if (!window.armed) return (last = data)
    window.armed = false
    this.addEventListener("message", () => location.href === here && send.call(this, last))
  }
})()
"""
"""Once armed, what was sent last is sent again with every word from the server, up to that of another page."""


def test_a_page_that_refreshes_itself_in_the_moment_it_is_left_does_not_clear_the_next(browser: Browser, gallery: str) -> None:
    with opened(browser, gallery) as page:
        page.add_init_script(REPEATS_WHEN_ARMED)
        page.reload()
        page.locator(".card", has_text="demo").wait_for()
        page.wait_for_timeout(500)
        page.wait_for_function("known => window.sent > known", arg=page.evaluate("window.sent"))  # it has refreshed itself once
        page.evaluate("window.armed = true")
        page.locator(".card", has_text="demo").click()
        page.wait_for_url(re.compile(r"/gallery\?sweep=demo$"))
        first = tiles(page)
        seen = page.evaluate("window.sent")
        page.wait_for_function("seen => window.sent > seen", arg=seen)  # and the gallery has, once
        page.wait_for_timeout(500)
        assert tiles(page) == first


def test_a_filter_by_click_is_in_the_url_and_a_pasted_url_gives_the_same_grid(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=wide&sort=style_gained&p=2") as page:
        before = tiles(page)
        page.get_by_test_id("stSidebar").get_by_role("button", name=re.compile("cat")).click()
        page.wait_for_url(re.compile(r"content=cat\.png"))
        assert "p=2" not in page.url
        expect(page.locator(".tile img[alt^=harbour]")).to_have_count(0)
        expect(page.get_by_text(re.compile("Showing 1-"))).to_be_visible()
        filtered, url = tiles(page), page.url
        assert filtered != before
        assert all(alt.startswith("cat.png") for alt in page.locator(".tile img").evaluate_all("all => all.map((one) => one.alt)"))
        page.reload()
        assert tiles(page) == filtered
    with opened(browser, url) as page:
        assert tiles(page) == filtered


def test_pages_turn_and_hold_different_tiles(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=wide") as page:
        first = tiles(page)
        assert len(first) == 48
        page.get_by_role("button", name="Page 2").click()
        page.wait_for_url(re.compile(r"p=2"))
        expect(page.get_by_text(re.compile("Showing 49-"))).to_be_visible()
        expect(page.locator(".grid li").first).not_to_have_attribute("data-id", first[0])
        assert not set(tiles(page)) & set(first)
        page.go_back()
        expect(page.get_by_text(re.compile("Showing 1-"))).to_be_visible()
        expect(page.locator(".grid li").first).to_have_attribute("data-id", first[0])
        assert tiles(page) == first


def test_the_keyboard_alone_finds_and_opens_a_tile(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=demo") as page:
        keys = tiles(page)
        page.locator("a.tile").first.focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown"):
            page.keyboard.press(key)
        columns = page.locator(".grid").evaluate("grid => getComputedStyle(grid).gridTemplateColumns.split(' ').length")
        here = page.evaluate(
            "() => { let one = document.activeElement; while (one.shadowRoot) one = one.shadowRoot.activeElement;"
            " return [one.closest('li').dataset.id, getComputedStyle(one).outlineStyle] }"
        )
        assert here == [keys[1 + columns], "solid"]
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(rf"/run\?id={keys[1 + columns]}"))
        page.locator(".stage").first.wait_for()  # before there is a picture nobody means a key
        page.get_by_text("Attempts").wait_for()
        page.keyboard.press("ArrowRight")
        page.wait_for_url(re.compile(rf"/run\?id={keys[2 + columns]}"))


def test_dark_and_light_are_both_neutral_grey(browser: Browser, gallery: str) -> None:
    shades = []
    for scheme in ("light", "dark"):
        with opened(browser, f"{gallery}/gallery?sweep=demo", color_scheme=scheme) as page:
            tiles(page)
            colours = page.evaluate("() => getComputedStyle(document.querySelector('.stApp')).backgroundColor")
            frame = page.locator(".frame").first.evaluate("one => getComputedStyle(one).backgroundColor")
            for colour in (colours, frame):
                red, green, blue = re.findall(r"\d+", colour)[:3]
                assert red == green == blue, (scheme, colour)
            shades.append(int(re.findall(r"\d+", colours)[0]))
    assert shades[0] > 200 > 60 > shades[1]


def test_names_are_text_whatever_they_hold(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        odd = next(result for result in queries.results(connection) if result.parameters["content"] == HOSTILE)
    with opened(browser, f"{gallery}/run?id={odd.run_key}") as page:
        page.get_by_text("Yardsticks", exact=True).wait_for()
        assert HOSTILE in page.inner_text("h1")
        page.get_by_role("link", name="Gallery").last.click()
        tiles(page)
        assert page.locator("img[src='x']").count() == 0
        assert images_are_whole(page) == 2


def test_a_file_that_is_missing_says_so_in_its_place(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        demo = [result for result in queries.results(connection) if result.sweep == "demo" and result.image]
        victim = connection.execute(select(Image.thumbnail).where(Image.sha256 == demo[0].image)).scalar_one()
    path = workspace.artifacts.path(str(victim), "webp")
    data = path.read_bytes()
    path.unlink()
    try:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(f"{gallery}/gallery?sweep=demo&sort=plan")
        expect(page.locator(".tile").first.get_by_text("missing or damaged")).to_be_visible()
        heights = page.locator(".frame").evaluate_all("all => all.slice(0, 4).map((one) => Math.round(one.getBoundingClientRect().height))")
        assert len(set(heights)) == 1
        context.close()
    finally:
        path.write_bytes(data)


def test_new_results_are_offered_and_the_grid_stands_still_until_they_are_asked_for(
    browser: Browser, gallery: str, workspace: Workspace
) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=demo") as page:
        before = tiles(page)
        place = page.locator(".tile").first.bounding_box()
        store = Store(workspace.writer(), workspace.artifacts)
        owner, _ = become_driver(store.engine, "test")
        assert owner is not None
        (run,) = store.claim(owner, 1)
        store.finished(owner, finished_event(run, 55), curve(55))
        resign(store.engine, owner)
        offer = page.get_by_role("button", name=re.compile("1 new result"))
        offer.wait_for(timeout=15_000)
        assert tiles(page) == before
        assert page.locator(".tile").first.bounding_box() == place
        assert page.locator(".tile img").count() == 12
        offer.click()
        expect(page.locator(".tile img")).to_have_count(13)
        expect(offer).to_have_count(0)
    with workspace.reader().connect() as connection:
        assert connection.execute(select(Run.state).where(Run.run_key == run.run_key)).scalar() == "done"


def test_snapshots_of_a_run_stand_in_a_row(browser: Browser, gallery: str, workspace: Workspace) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    (run,) = store.claim(owner, 1)
    for step in (1, 10, 100):
        store.snapshot(owner, snapshot_event(run, step, 60 + step))
    store.finished(owner, finished_event(run, 56), curve(56))
    resign(store.engine, owner)
    with opened(browser, f"{gallery}/run?id={run.run_key}") as page:
        page.locator(".strip li").first.wait_for()
        assert page.locator(".strip li").all_inner_texts() == ["step 1", "step 10", "step 100"]
        assert images_are_whole(page) == 6  # the picture, content and style, and the three
        boxes = [one.bounding_box() for one in page.locator(".strip li").all()]
        assert len({box["y"] for box in boxes if box}) == 1


def test_without_a_workspace_the_pages_say_what_to_type(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path / "none", tmp_path) as url, opened(browser, url) as page:
        expect(page.get_by_text("Nothing to see yet")).to_be_visible()
        expect(page.get_by_text("make demo")).to_be_visible()
