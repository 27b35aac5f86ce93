"""The grid by hand: what is selected, said and opened; axes and table."""

import re
import time

import pytest
from browsing import opened
from playwright.sync_api import Browser, Page, expect

from db.reviews import Said, people, said
from db.workspace import Workspace

pytestmark = pytest.mark.browser


def tiles(page: Page) -> list[str]:
    page.wait_for_selector("a.tile")
    return page.locator(".grid li.run").evaluate_all("all => all.map(one => one.dataset.id)")  # type: ignore[no-any-return]


def chosen(page: Page) -> list[str]:
    return page.locator(".grid li.chosen").evaluate_all("all => all.map(one => one.dataset.id)")  # type: ignore[no-any-return]


def recorded(workspace: Workspace, keys: list[str], wanted: dict[str, object]) -> None:
    """Wait until the database has these runs as wanted, at most ten seconds."""
    deadline = time.monotonic() + 10
    while True:
        found = {key: Said() for key in keys}
        with workspace.reader().connect() as connection:
            for person in people(connection):
                found |= said(connection, person, keys)
        if all(getattr(one, name) == value for one in found.values() for name, value in wanted.items()):
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_click_control_and_shift_select_and_the_bar_says_how_many(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=wide") as page:
        keys = tiles(page)
        page.locator("li.run .choose").nth(1).click()
        page.locator("a.tile").nth(4).click(modifiers=["Shift"])
        assert chosen(page) == keys[1:5]
        page.locator("a.tile").nth(7).click(modifiers=["ControlOrMeta"])
        page.locator("a.tile").nth(2).click(modifiers=["ControlOrMeta"])
        assert chosen(page) == [keys[1], keys[3], keys[4], keys[7]]
        expect(page.get_by_text("4 selected")).to_be_visible()
        page.get_by_role("button", name="Page 2").click()
        page.wait_for_url(re.compile("p=2"))
        expect(page.locator(".grid li.run").first).not_to_have_attribute("data-id", keys[0])
        expect(page.get_by_text("4 selected")).to_be_visible()  # turning a page forgets nothing
        assert chosen(page) == []
        page.locator("a.tile").first.focus()
        page.keyboard.press("Escape")
        expect(page.get_by_text("4 selected")).to_have_count(0)
        assert "/gallery?" in page.url


def test_the_keyboard_selects_a_range_and_judges_all_of_it_and_takes_it_back(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=wide&n=96") as page:
        keys = tiles(page)
        page.locator("a.tile").nth(10).focus()
        for key in ("Shift+ArrowRight", "Shift+ArrowRight", "4", "p"):
            page.keyboard.press(key)
        assert chosen(page) == keys[10:13]
        recorded(workspace, keys[10:13], {"stars": 4, "flag": "pick"})
        expect(page.locator("li.run .review-marks[aria-label='picked, 4 stars']")).to_have_count(3)
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        recorded(workspace, keys[10:13], {"stars": 0, "flag": None})
        page.keyboard.press("Escape")
        page.keyboard.press("x")  # now of the focused tile alone
        recorded(workspace, [keys[12]], {"flag": "reject"})
        expect(page.locator("li.run.reject")).to_have_count(1)


def test_a_tag_is_given_to_all_that_is_selected_and_then_filters(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=wide") as page:
        keys = tiles(page)
        page.locator("a.tile").nth(20).focus()
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        page.keyboard.press("t")
        page.keyboard.type("for the hall")
        page.keyboard.press("Enter")
        recorded(workspace, keys[20:22], {"tags": ("for the hall",)})
    with opened(browser, f"{gallery}/gallery?sweep=wide&tag=for+the+hall") as page:
        assert sorted(tiles(page)) == sorted(keys[20:22])
        expect(page.get_by_test_id("stSidebar").get_by_text("for the hall")).to_be_visible()


def test_keys_at_ten_a_second_are_all_kept_while_pages_turn(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=wide&sort=plan") as page:
        keys = tiles(page)
        page.locator("a.tile").first.focus()
        for number in range(40):
            page.keyboard.press(str(number % 5 + 1))
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(50)
        page.get_by_role("button", name="Page 2").click()
        page.wait_for_url(re.compile("p=2"))
        for number, key in enumerate(keys[:40]):
            recorded(workspace, [key], {"stars": number % 5 + 1})


def test_groups_have_headings_and_order_within(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=demo&group=style") as page:
        tiles(page)
        texts = page.locator(".grid > li").evaluate_all("all => all.map(one => one.classList.contains('group') ? one.textContent : '')")
        heads = [text for text in texts if text]
        assert len(heads) == len(set(heads)) == 2
        assert texts[0] == heads[0] == sorted(heads)[0]


def test_axes_show_the_best_of_each_cell_and_open_it(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=wide&view=axes&x=beta&y=layers&z=content") as page:
        page.locator("table a.tile").first.wait_for()
        heads = page.locator("thead th").evaluate_all("all => all.slice(1).map((one) => parseFloat(one.firstChild.textContent))")
        assert heads == sorted(heads)
        assert len(heads) > 2
        first = page.locator("table a.tile").first
        first.focus()
        page.keyboard.press("ArrowRight")
        here = (
            "() => { let one = document.activeElement; while (one.shadowRoot) one = one.shadowRoot.activeElement; return one.dataset.run }"
        )
        run = page.evaluate(here)
        assert run != first.get_attribute("data-run")
        page.get_by_role("radio", name="harbour").or_(page.get_by_role("button", name="harbour")).last.click()
        page.wait_for_url(re.compile(r"zv=harbour\.jpg"))
        expect(page.locator("table img[alt^=harbour]").first).to_be_visible()
        expect(page.locator("table img[alt^=cat]")).to_have_count(0)
        page.locator("table a.tile").first.click()
        page.wait_for_url(re.compile(r"/run\?id=r1-"))


def test_the_table_has_a_row_for_each_run(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=demo&view=table") as page:
        page.get_by_test_id("stDataFrame").wait_for()
        expect(page.get_by_text("Showing 1-16 of 16 combinations")).to_be_visible()
