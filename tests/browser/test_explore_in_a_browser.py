"""Explore as a person uses it: pointing, clicking, boxes, brushes, and the same by keyboard."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from browsing import opened
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser


def ready(page: Page) -> None:
    page.locator(".dots circle").first.wait_for(state="attached")
    page.locator(".parallel-lines path").first.wait_for(state="attached")
    page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()


def points(page: Page) -> list[tuple[str, float, float]]:
    """(run key, x, y on screen) of every point."""
    found: list[tuple[str, float, float]] = page.locator(".dots circle").evaluate_all(
        "all => all.map((one) => { const box = one.getBoundingClientRect();"
        " return [one.dataset.key, box.x + box.width / 2, box.y + box.height / 2] })"
    )
    return found


def lone_point(page: Page) -> tuple[str, float, float]:
    """One that no other is near to."""
    every = points(page)
    return next(one for one in every if all((one[1] - x) ** 2 + (one[2] - y) ** 2 > 900 for key, x, y in every if key != one[0]))


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_a_point_shows_its_picture_when_pointed_at_and_opens_its_run(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/explore?sweep=demo") as page:
        ready(page)
        key, x, y = lone_point(page)
        before = page.locator(".scatter svg").bounding_box()
        page.mouse.move(x, y)
        image = page.locator(".scatter .card img")
        image.wait_for()
        assert "/app/static/t/" in str(image.get_attribute("src"))
        assert image.get_attribute("alt")
        page.mouse.click(x, y)
        page.mouse.move(x, y + 400)
        expect(image).to_be_visible()  # a click keeps it
        assert page.locator(".scatter svg").bounding_box() == before  # and nothing has moved
        page.get_by_role("link", name="Open the run").click()
        page.wait_for_url(re.compile(rf"/run\?id={key}&sweep=demo"))
        page.get_by_text("Attempts").wait_for()
        page.go_back()
        ready(page)


def test_a_box_is_a_filter_of_just_the_runs_in_it(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/explore?sweep=wide") as page:
        ready(page)
        every = points(page)
        box = page.locator(".scatter svg").bounding_box()
        assert box is not None
        start, end = (box["x"] + 0.4 * box["width"], box["y"] + 40), (box["x"] + 0.8 * box["width"], box["y"] + 0.6 * box["height"])
        inside = [key for key, x, y in every if start[0] < x < end[0] and start[1] < y < end[1]]
        assert 0 < len(inside) < len(every)
        drag(page, start, end)
        show = page.get_by_role("button", name=re.compile(r"Show these \d+ in the gallery")).first
        amount = int(re.findall(r"\d+", show.inner_text())[0])
        assert abs(amount - len(inside)) <= 2  # the ends are rounded to what an eye tells apart
        show.click()
        page.wait_for_url(re.compile(r"/gallery\?"))
        params = query(page)
        assert set(params) == {"sweep", "content_kept", "style_gained"}
        expect(page.get_by_text(re.compile(rf"of {amount} (runs|combinations)"))).to_be_visible()


def test_a_brush_on_the_lines_is_a_filter_and_the_url_has_it(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/explore?sweep=wide", color_scheme="dark") as page:
        ready(page)
        axis = page.locator("g[data-axis=beta] .touch")
        axis.scroll_into_view_if_needed()
        box = axis.bounding_box()
        assert box is not None
        middle = box["x"] + box["width"] / 2
        drag(page, (middle, box["y"] + 2), (middle, box["y"] + box["height"] * 0.4))
        whole = page.locator(".parallel-lines path").count()
        left = page.locator(".parallel-lines path:not(.off)").count()
        assert 0 < left < whole
        show = page.get_by_role("button", name=f"Show these {left} in the gallery")
        expect(show).to_be_enabled()
        page.get_by_role("button", name="Keep only these here").last.click()
        page.wait_for_url(re.compile(r"beta="))
        low, high = (float(end) for end in query(page)["beta"][0].split(".."))
        assert 1 < low < 31.6
        assert high >= 100
        expect(page.locator(".parallel-lines path")).to_have_count(left)
        page.reload()
        ready(page)
        expect(page.locator(".parallel-lines path")).to_have_count(left)


def test_an_axis_is_moved_by_its_name_and_a_value_left_out(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/explore?sweep=wide") as page:
        ready(page)
        name = page.locator("g[data-axis=layers] .name")
        name.scroll_into_view_if_needed()
        box = name.bounding_box()
        first = page.locator("g[data-axis=content] .touch").bounding_box()
        assert box is not None
        assert first is not None
        drag(page, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), (first["x"] - 20, box["y"]))
        page.wait_for_url(re.compile(r"axes=layers%2Ccontent"))
        expect(page.locator("g[data-axis]").first).to_have_attribute("data-axis", "layers")
        ready(page)
        touch = page.locator("g[data-axis=layers] .touch").bounding_box()
        assert touch is not None
        middle = touch["x"] + touch["width"] / 2
        out = page.get_by_role("button", name="Leave these out here")
        expect(out).to_be_disabled()
        drag(page, (middle, touch["y"] + 4), (middle, touch["y"] + touch["height"] * 0.45))
        expect(out).to_be_enabled()
        out.click()
        page.wait_for_url(re.compile(r"layers=shallow"))
        assert query(page)["layers"] == ["shallow"]


def test_everything_by_keyboard(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/explore?sweep=demo") as page:
        ready(page)
        page.locator(".scatter svg").focus()
        page.keyboard.press("ArrowRight")
        page.locator(".scatter .card img").wait_for()
        seen = set()
        for key in ("ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowRight"):
            page.keyboard.press(key)
            seen.add(page.locator(".scatter .card").get_attribute("data-at"))
        assert len(seen) > 1
        page.get_by_text("Ranges and order by keyboard").focus()
        page.keyboard.press("Enter")
        page.get_by_label("Lowest content kept").fill("0.8")
        page.keyboard.press("Tab")
        left = page.locator(".parallel-lines path:not(.off)").count()
        assert 0 < left < page.locator(".parallel-lines path").count()
        page.get_by_label("Move right: Content kept").press("Enter")
        page.wait_for_url(re.compile("axes="))
        page.get_by_role("button", name=f"Show these {left} in the gallery").press("Enter")
        page.wait_for_url(re.compile(r"/gallery\?.*content_kept=0\.8\.\."))


def test_a_run_opens_with_enter(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/explore?sweep=demo") as page:
        ready(page)
        page.locator(".scatter svg").focus()
        page.keyboard.press("ArrowRight")
        key = points(page)[int(str(page.locator(".scatter .card").get_attribute("data-at")))][0]
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(rf"/run\?id={key}"))
