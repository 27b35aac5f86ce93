"""A run's page as a person uses it: on to other runs by keys, near to the pixels, a word about it, and a file to take away."""

import re
from pathlib import Path

import pytest
from browsing import images_are_whole, opened
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from db import queries
from db.models import UNSETTLED, Review, ReviewTag
from db.reviews import Said, said
from db.workspace import Workspace
from gallery.ahead import WANTED
from gallery.wording import STATE_LABELS

pytestmark = pytest.mark.browser


def keys_of(workspace: Workspace, sweep: str) -> list[str]:
    """Its runs in the order of the plan."""
    with workspace.reader().connect() as connection:
        return list(dict.fromkeys(result.run_key for result in queries.results(connection) if result.sweep == sweep))


def ready(page: Page) -> None:
    page.locator(".stage").first.wait_for()
    page.get_by_text("Make it again").wait_for()


def settled_reviews(page: Page, workspace: Workspace, key: str) -> Said | None:
    page.wait_for_function("() => window.stylesweepReviews.pending === 0")
    with workspace.reader().connect() as connection:
        person = connection.execute(select(Review.person).union(select(ReviewTag.person))).scalars().first()
        return said(connection, str(person), [key]).get(key)


def test_no_press_is_lost_however_quick_the_keys_are(browser: Browser, gallery: str, workspace: Workspace) -> None:
    keys = keys_of(workspace, "wide")
    with opened(browser, f"{gallery}/run?id={keys[0]}&sweep=wide&sort=plan") as page:
        ready(page)
        place = page.locator(".stage").bounding_box()
        for _ in range(30):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(50)
        for _ in range(4):
            page.keyboard.press("ArrowLeft")
        page.wait_for_url(re.compile(rf"id={keys[26]}"))
        expect(page.get_by_text(re.compile(r"^27 of "))).to_be_visible()
        expect(page.locator(".root.going")).to_have_count(0)
        assert page.locator(".stage").bounding_box() == place
        page.go_back()
        expect(page.get_by_text(re.compile(r"^27 of "))).to_have_count(0)


def test_the_page_follows_from_a_run_on_its_way_to_one_that_is_done_and_back(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        states = {one.run_key: one.state for one in queries.results(connection) if one.sweep == "wide"}
    keys = list(states)
    before = next(at for at, key in enumerate(keys) if states[key] == "done" and states[keys[at + 1]] in UNSETTLED)
    with opened(browser, f"{gallery}/run?id={keys[before]}&sweep=wide&sort=plan") as page:
        ready(page)
        page.locator(".stage").evaluate("stage => (stage.first = true)")
        for place, arrow in [(before + 1, "ArrowRight"), (before, "ArrowLeft")] * 2:
            page.keyboard.press(arrow)
            expect(page.get_by_text(STATE_LABELS[states[keys[place]]].lower()).and_(page.get_by_text("wide \u00b7"))).to_be_visible()
            expect(page.locator(".root.going")).to_have_count(0)
            assert page.url.count(keys[place])
            assert page.locator(".stage").evaluate("stage => stage.first"), "another element took the picture's place"


def test_who_turns_back_while_the_next_page_is_on_its_way_stays(browser: Browser, gallery: str, workspace: Workspace) -> None:
    keys = keys_of(workspace, "wide")
    with opened(browser, f"{gallery}/run?id={keys[3]}&sweep=wide&sort=plan") as page:
        ready(page)
        for rest in (240, 300, 360):  # the page of the next run is asked for after 220 ms without a key
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(rest)
            page.keyboard.press("ArrowLeft")
            page.wait_for_timeout(2500)
            expect(page.locator(".root.going")).to_have_count(0)
            expect(page.get_by_text(re.compile(r"^4 of "))).to_be_visible()
            assert f"id={keys[3]}" in page.url


def test_the_next_picture_is_there_at_once(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        results = [one for one in queries.results(connection) if one.sweep == "demo" and one.state == "done"]
    with opened(browser, f"{gallery}/run?id={results[0].run_key}&sweep=demo&sort=plan") as page:
        ready(page)
        page.wait_for_timeout(500)
        shown = page.evaluate(
            """async () => {
                const find = (root, query) => { for (const one of root.querySelectorAll('*')) {
                    if (one.matches(query)) return one
                    const inner = one.shadowRoot && find(one.shadowRoot, query)
                    if (inner) return inner } }
                const stage = find(document, '.stage')
                document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true, composed: true }))
                const image = stage.querySelector('img')
                return [image.src, image.complete && image.naturalWidth > 0]
            }"""
        )
        assert shown == [f"{gallery}/app/static/f/{results[1].image}.png", True]


def test_one_to_one_and_back_by_key_and_click(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        result = next(one for one in queries.results(connection) if one.sweep == "demo" and one.state == "done")
    with opened(browser, f"{gallery}/run?id={result.run_key}&sweep=demo") as page:
        ready(page)
        image = page.locator(".stage img")
        fitted = image.bounding_box()
        page.keyboard.press("z")
        expect(page.get_by_role("button", name="Fit")).to_be_visible()
        box = image.bounding_box()
        assert box is not None
        assert (round(box["width"]), round(box["height"])) == (result.width, result.height)
        page.keyboard.press("Escape")
        assert image.bounding_box() == fitted
        page.locator(".stage").click()
        expect(page.get_by_role("button", name="Fit")).to_be_visible()


def test_content_and_style_are_looked_at_large_and_the_result_comes_back(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        result = next(one for one in queries.results(connection) if one.sweep == "demo" and one.state == "done")
    with opened(browser, f"{gallery}/run?id={result.run_key}&sweep=demo") as page:
        ready(page)
        assert images_are_whole(page) == 3
        page.locator(".side button").nth(1).click()
        expect(page.locator(".stage img")).to_have_attribute("src", re.compile(result.style_sha256))
        expect(page.locator(".side button").nth(1)).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("Escape")
        expect(page.locator(".stage img")).to_have_attribute("src", re.compile(str(result.image)))


def test_a_review_by_keys_is_kept_and_shown_again(browser: Browser, gallery: str, workspace: Workspace) -> None:
    key = next(one for one in keys_of(workspace, "demo"))
    with opened(browser, f"{gallery}/run?id={key}&sweep=demo", color_scheme="dark") as page:
        ready(page)
        for press in ("p", "4", "t"):
            page.keyboard.press(press)
        page.keyboard.type("for the wall")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        page.keyboard.press("n")
        page.keyboard.type("p is no pick here, <b>nor</b> is 2")
        page.keyboard.press("Enter")
        page.keyboard.press("x")
        page.keyboard.press("Control+z")
        expected = Said(flag="pick", stars=4, note="p is no pick here, <b>nor</b> is 2", tags=("for the wall",))
        assert settled_reviews(page, workspace, key) == expected
        page.reload()
        ready(page)
        expect(page.get_by_role("button", name="Pick")).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_label("Note")).to_have_value(expected.note)
        page.get_by_role("button", name="Take for the wall away").click()
        after = settled_reviews(page, workspace, key)
        assert after is not None
        assert after.tags == ()
        page.keyboard.press("g")
        page.wait_for_url(re.compile(r"/gallery\?sweep=demo"))


def test_the_file_that_makes_it_again_is_saved_by_the_browser(browser: Browser, gallery: str, workspace: Workspace, tmp_path: Path) -> None:
    with workspace.reader().connect() as connection:
        result = next(one for one in queries.results(connection) if one.sweep == "demo" and one.state == "done")
    with opened(browser, f"{gallery}/run?id={result.run_key}&sweep=demo") as page:
        ready(page)
        page.get_by_text("As a sweep of its own").click()
        link = page.get_by_role("link", name=re.compile("Save as rerun-"))
        with page.expect_download() as download:
            link.click()
        download.value.save_as(tmp_path / "again.yaml")
        box, text = link.bounding_box(), page.get_by_text("method:").bounding_box()
        assert box is not None
        assert text is not None
        assert box["y"] + box["height"] <= text["y"], (
            "the text grows when its colours come, and would move what is below it from under a click"
        )
        assert download.value.suggested_filename == f"rerun-{result.run_key[3:11]}.yaml"
    assert (tmp_path / "again.yaml").read_text().startswith("name: rerun-")


def test_the_grid_fetches_what_a_runs_page_needs_while_nothing_else_is_to_do(browser: Browser, gallery: str) -> None:
    asked: list[str] = []
    with opened(browser, f"{gallery}/gallery?sweep=demo") as page:
        page.on("request", lambda request: asked.append(request.url.rpartition("/")[2].partition(".")[0]))
        page.locator("a.tile img").first.wait_for()
        page.wait_for_function(
            "(amount) => document.querySelectorAll('link[rel=modulepreload][href^=\"static/js\"]').length === amount", arg=len(WANTED)
        )
        page.wait_for_load_state("networkidle")
        assert set(WANTED) <= set(asked)
        asked.clear()
        page.locator("a.tile").first.click()
        ready(page)
        page.locator("[data-testid='stVegaLiteChart'] svg").first.wait_for()
        assert not set(WANTED) & set(asked), "a script came twice"
        page.wait_for_timeout(4000)  # in which the browser would complain of what was fetched for nothing
