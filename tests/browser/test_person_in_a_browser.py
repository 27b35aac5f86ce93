"""The name that a visitor reviews under: typed once, it is there after a reload, on every page and at the next visit."""

import time

import pytest
from browsing import opened
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from db.models import Review
from db.workspace import Workspace

pytestmark = pytest.mark.browser
NAME = "Žofie 🦊; owner=1, 100%"
"""With what a cookie has no room for as it is."""


def shown(page: Page) -> str:
    """The name in the field, once it is there."""
    field = page.get_by_label("You review as")
    expect(field).not_to_have_value("")
    return field.input_value()


def named(page: Page, name: str) -> None:
    shown(page)
    field = page.get_by_label("You review as")
    field.fill(name)
    field.press("Enter")
    page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()


def people(workspace: Workspace) -> set[str]:
    with workspace.reader().connect() as connection:
        return set(connection.execute(select(Review.person)).scalars())


def picked(page: Page, workspace: Workspace, gallery: str) -> None:
    """In Cull, which has no field for a name."""
    page.goto(f"{gallery}/cull?sweep=wide")
    page.locator(".stage img").first.wait_for()
    page.keyboard.press("p")
    deadline = time.monotonic() + 15
    while NAME not in people(workspace) and time.monotonic() < deadline:
        page.wait_for_timeout(50)


def test_a_name_is_kept_by_the_browser_that_it_was_typed_in(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=demo") as page:
        owner = shown(page)
        assert owner != NAME
        expect(page.get_by_text("This browser keeps")).to_have_count(0)
        named(page, NAME)
        expect(page.get_by_text("This browser keeps the name.")).to_be_visible()
        page.reload()
        expect(page.get_by_label("You review as")).to_have_value(NAME)
        expect(page.get_by_text("This browser keeps the name.")).to_be_visible()
        other = page.context.new_page()  # a visit of its own
        picked(other, workspace, gallery)
        assert people(workspace) == {NAME}
        other.close()
        with opened(browser, f"{gallery}/gallery?sweep=demo") as stranger:
            expect(stranger.get_by_label("You review as")).to_have_value(owner)


def test_an_emptied_field_goes_back_to_the_servers_name(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/explore?sweep=demo") as page:
        field = page.get_by_label("You review as")
        owner = shown(page)
        named(page, "ann")
        expect(page.get_by_text("This browser keeps the name.")).to_be_visible()
        named(page, "  ")
        expect(field).to_have_value(owner)
        page.reload()
        expect(field).to_have_value(owner)
        assert "stylesweep-person" not in {one["name"] for one in page.context.cookies()}


def test_an_older_tab_does_not_take_a_newer_name_away(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=demo") as page:
        named(page, "ann")
        expect(page.get_by_text("This browser keeps the name.")).to_be_visible()
        newer = page.context.new_page()
        newer.goto(f"{gallery}/gallery?sweep=demo")
        expect(newer.get_by_label("You review as")).to_have_value("ann")
        named(newer, "bob")
        expect(newer.get_by_text("This browser keeps the name.")).to_be_visible()
        page.get_by_role("link", name="Explore").click()  # drawn anew, it still says ann
        expect(page.get_by_label("You review as")).to_have_value("ann")
        page.get_by_role("link", name="Gallery").first.click()
        page.get_by_text("This browser keeps the name.").wait_for()
        newer.reload()
        expect(newer.get_by_label("You review as")).to_have_value("bob")


@pytest.mark.parametrize("value", ["%00%0A", "%FF%FE", "x" * 900, ""])
def test_a_cookie_that_is_no_name_is_passed_over(browser: Browser, gallery: str, value: str) -> None:
    with opened(browser, f"{gallery}/gallery?sweep=demo") as page:
        field = page.get_by_label("You review as")
        owner = shown(page)
        page.context.add_cookies([{"name": "stylesweep-person", "value": value, "url": gallery}])
        page.reload()
        expect(field).to_have_value(owner)
