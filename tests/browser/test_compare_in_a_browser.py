"""Comparing and cropping as a person does it: the slider, the locked zoom, the flicker, the difference, and pixels that are exact."""

import io
import re
from typing import Any

import numpy as np
import pytest
from browsing import images_are_whole, opened
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from db import queries
from db.queries import Result
from db.workspace import Workspace

pytestmark = pytest.mark.browser


def runs(workspace: Workspace, amount: int = 2) -> list[Result]:
    """Runs of `demo` with different pictures."""
    with workspace.reader().connect() as connection:
        done = [one for one in queries.results(connection) if one.sweep == "demo" and one.state == "done"]
    return list({one.image: one for one in done}.values())[:amount]


def pixels(workspace: Workspace, sha256: str | None) -> np.ndarray:
    assert sha256 is not None
    with Image.open(workspace.artifacts.path(sha256, "png")) as opened_file:
        return np.asarray(opened_file.convert("RGB"))


def stage(gallery: str, compared: list[Result], **params: str) -> str:
    query = "".join(f"&{name}={value}" for name, value in params.items())
    return f"{gallery}/compare?sweep=demo&sort=plan&ids={','.join(one.run_key[:15] for one in compared)}{query}"


ALL = """(wanted) => { const find = (root) => [...root.querySelectorAll("*")].flatMap((one) =>
  one.shadowRoot ? find(one.shadowRoot) : one.matches(wanted) ? [one] : []); return find(document) }"""


def ready(page: Page) -> None:
    page.locator(".stage .head").first.wait_for()
    page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()
    page.wait_for_function(f"() => ({ALL})('.stage img').every((one) => one.complete && one.naturalWidth)")


def box(one: Locator) -> dict[str, float]:
    found = one.bounding_box()
    assert found is not None
    return dict(found)


def painted(page: Page, one: Locator) -> np.ndarray:
    """What is on the screen where an element is."""
    with Image.open(io.BytesIO(page.screenshot(clip=box(one)))) as shot:  # type: ignore[arg-type]
        return np.asarray(shot.convert("RGB"))


def mode(page: Page) -> str:
    return str(page.locator(".group button[aria-pressed=true]").first.inner_text())


def test_at_1_to_1_every_pixel_of_both_pictures_is_the_files_own(browser: Browser, gallery: str, workspace: Workspace) -> None:
    pair = runs(workspace)
    with opened(browser, stage(gallery, pair)) as page:
        ready(page)
        page.keyboard.press("z")
        expect(page.locator(".percent")).to_have_text("100 %")
        for one, shown in zip(pair, page.locator(".stage img").all(), strict=True):
            assert np.array_equal(painted(page, shown), pixels(workspace, one.image))
        page.keyboard.press("+")  # 1.5
        page.keyboard.press("+")  # 2
        expect(page.locator(".percent")).to_have_text("200 %")
        for one, shown in zip(pair, page.locator(".stage img").all(), strict=True):
            own = pixels(workspace, one.image)
            assert np.array_equal(painted(page, shown), own.repeat(2, axis=0).repeat(2, axis=1))


def test_all_panes_show_the_same_place_however_it_was_moved(browser: Browser, gallery: str, workspace: Workspace) -> None:
    trio = runs(workspace, 3)
    with opened(browser, stage(gallery, trio)) as page:
        ready(page)
        views = page.locator(".stage .view").all()
        images = page.locator(".stage img").all()
        assert len(views) == len(images) == 3

        def places() -> list[tuple[float, float, float]]:
            found = []
            for view, image in zip(views, images, strict=True):
                outer, inner = box(view), box(image)
                found.append((inner["x"] - outer["x"], inner["y"] - outer["y"], inner["width"]))
            return found

        middle = box(views[1])
        page.mouse.move(middle["x"] + 30, middle["y"] + 40)
        for _ in range(6):
            page.mouse.wheel(0, -250)
        expect(page.locator(".stage")).to_have_class(re.compile("movable"))
        enlarged = places()
        assert len(set(enlarged)) == 1
        assert enlarged[0][2] > middle["width"]
        page.mouse.down()
        page.mouse.move(middle["x"] + 80, middle["y"] + 60, steps=4)
        page.mouse.up()
        dragged = places()
        assert len(set(dragged)) == 1
        assert dragged[0][0] > enlarged[0][0]
        page.keyboard.press("ArrowRight")
        moved = places()
        assert len(set(moved)) == 1
        assert moved[0][0] < dragged[0][0]
        page.keyboard.press("0")
        assert len(set(places())) == 1
        assert places()[0][0] >= 0
        expect(page.locator("button", has_text="Fit")).to_have_attribute("aria-pressed", "true")


def test_the_slider_by_keyboard_and_by_mouse(browser: Browser, gallery: str, workspace: Workspace) -> None:
    first, second = runs(workspace)
    with opened(browser, stage(gallery, [first, second], mode="slider")) as page:
        ready(page)
        slider = page.get_by_role("slider", name="Divider between A and B")
        expect(slider).to_have_attribute("aria-valuenow", "50")
        slider.focus()
        page.keyboard.press("ArrowRight")
        expect(slider).to_have_attribute("aria-valuenow", "51")
        page.keyboard.press("Shift+ArrowLeft")
        expect(slider).to_have_attribute("aria-valuenow", "41")
        expect(slider).to_have_attribute("aria-valuetext", "41 % A, 59 % B")
        page.keyboard.press("End")
        expect(slider).to_have_attribute("aria-valuenow", "100")
        page.keyboard.press("Home")
        expect(slider).to_have_attribute("aria-valuenow", "0")
        page.keyboard.press("z")
        image = page.locator(".layer img").first
        area = box(image)
        line = box(slider)
        page.mouse.move(line["x"] + line["width"] / 2, line["y"] + 20)
        page.mouse.down()
        page.mouse.move(area["x"] + area["width"] / 2, line["y"] + 25, steps=5)
        page.mouse.up()
        expect(slider).to_have_attribute("aria-valuenow", "50")
        page.evaluate("() => document.activeElement.blur()")
        shot = painted(page, image)
        left, right = pixels(workspace, first.image), pixels(workspace, second.image)
        half = left.shape[1] // 2
        assert np.array_equal(shot[:40, : half - 4], left[:40, : half - 4])  # the line and its grip are between
        assert np.array_equal(shot[:40, half + 4 :], right[:40, half + 4 :])


def test_flicker_shows_one_in_the_place_of_the_other(browser: Browser, gallery: str, workspace: Workspace) -> None:
    first, second = runs(workspace)
    with opened(browser, stage(gallery, [first, second])) as page:
        ready(page)
        page.keyboard.press("z")
        page.keyboard.press(" ")
        page.wait_for_url(re.compile("mode=flicker"))
        assert mode(page) == "Flicker"
        image = page.locator(".layer img").first
        assert np.array_equal(painted(page, image), pixels(workspace, first.image))
        page.keyboard.press(" ")
        assert np.array_equal(painted(page, image), pixels(workspace, second.image))
        expect(page.locator(".head.marked .letter")).to_have_text("B")
        page.keyboard.press(" ")
        assert np.array_equal(painted(page, image), pixels(workspace, first.image))
        page.keyboard.down(" ")
        page.wait_for_timeout(500)
        assert np.array_equal(painted(page, image), pixels(workspace, second.image))
        page.keyboard.up(" ")  # held: the first is back
        assert np.array_equal(painted(page, image), pixels(workspace, first.image))
        page.get_by_label("How often the pictures change").select_option("3")
        expect(page.locator(".head.marked .letter")).to_have_text("B")
        expect(page.locator(".head.marked .letter")).to_have_text("A")


def test_the_difference_of_two_known_pictures_is_the_known_number(browser: Browser, gallery: str, workspace: Workspace) -> None:
    first, second = runs(workspace)
    apart = np.abs(pixels(workspace, first.image).astype(int) - pixels(workspace, second.image).astype(int))
    over = round(100 * float((apart.max(axis=2) > 10).mean()))
    with opened(browser, stage(gallery, [first, second], mode="difference")) as page:
        said = f"A and B differ by {apart.mean():.2f} of 255 on average and by {apart.max()} at most; "
        said += f"{over} % of the pixels differ by more than 10."
        expect(page.locator(".words")).to_have_text(said)
        page.keyboard.press("z")
        page.get_by_label("How strongly the difference is shown").select_option("1")
        canvas = page.locator(".layer canvas")
        expect(canvas).to_have_attribute("aria-label", re.compile("1 times"))
        assert np.array_equal(painted(page, canvas), apart.astype(np.uint8))
        page.get_by_label("How strongly the difference is shown").select_option("4")
        expect(canvas).to_have_attribute("aria-label", re.compile("4 times"))
        assert np.array_equal(painted(page, page.locator(".layer canvas")), np.minimum(4 * apart, 255).astype(np.uint8))


def test_candidates_pass_by_on_the_right_and_the_url_says_what_is_compared(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        done = [one for one in queries.results(connection) if one.sweep == "demo" and one.state == "done"]
    with opened(browser, stage(gallery, done[:2])) as page:
        ready(page)
        page.get_by_role("button", name="Keep A, next right").click()
        page.wait_for_url(re.compile(f"ids={done[0].run_key[:15]}(,|%2C){done[2].run_key[:15]}"))
        page.keyboard.press("b")
        page.wait_for_url(re.compile(f"ids={done[0].run_key[:15]}(,|%2C){done[1].run_key[:15]}"))
        page.keyboard.press("s")
        page.wait_for_url(re.compile(f"ids={done[1].run_key[:15]}(,|%2C){done[0].run_key[:15]}"))
        page.locator(".strip li").nth(4).hover()
        page.locator(".strip li").nth(4).get_by_role("button", name=re.compile("Add a pane")).click()
        expect(page.locator(".stage .view")).to_have_count(3)
        page.get_by_role("button", name="Take B away").click()
        expect(page.locator(".stage .view")).to_have_count(2)
        page.wait_for_function("() => decodeURIComponent(location.search).split(',').length === 2")
        url = page.url
        assert images_are_whole(page) > 4
    with opened(browser, url) as page:
        ready(page)
        expect(page.locator(".stage .view")).to_have_count(2)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(rf"/run\?id={done[1].run_key}"))


def test_no_key_is_lost_however_fast_candidates_pass_by(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        done = [one for one in queries.results(connection) if one.sweep == "demo" and one.state == "done"]
    with opened(browser, stage(gallery, done[:2])) as page:
        ready(page)
        for _ in range(8):
            page.keyboard.press("n")
            page.wait_for_timeout(40)
        shown = page.locator(".stage img").nth(1)
        expect(shown).to_have_attribute("src", re.compile(str(done[9].image)), timeout=1000)  # before the server has said anything
        page.wait_for_url(re.compile(f"ids={done[0].run_key[:15]}(,|%2C){done[9].run_key[:15]}"))
        page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()
        expect(shown).to_have_attribute("src", re.compile(str(done[9].image)))
        expect(page.get_by_text("10 of 12 in the view")).to_be_visible()


def test_the_marked_pane_is_reviewed_by_key_and_the_review_is_kept(browser: Browser, gallery: str, workspace: Workspace) -> None:
    first, second = runs(workspace)
    with opened(browser, stage(gallery, [first, second])) as page:
        ready(page)
        page.keyboard.press("p")
        page.keyboard.press("3")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("x")
        pressed = page.locator(".judge button[aria-pressed=true]")
        expect(pressed).to_have_count(5)
        page.keyboard.press("Control+z")
        expect(pressed).to_have_count(4)
        page.wait_for_function("() => window.stylesweepReviews.pending === 0")
        page.reload()
        ready(page)
        expect(pressed).to_have_count(4)


READ = """async (one) => {
  one.loading = "eager"
  await one.decode()
  const made = document.createElement("canvas")
  made.width = one.naturalWidth
  made.height = one.naturalHeight
  const pen = made.getContext("2d")
  pen.drawImage(one, 0, 0)
  const data = [...pen.getImageData(0, 0, made.width, made.height).data]
  const shown = [one.clientWidth, one.clientHeight]
  return { id: one.closest("li").dataset.id, src: one.getAttribute("src"), w: made.width, h: made.height, shown, data }
}"""


def crops_of(page: Page) -> list[dict[str, Any]]:
    """Every crop on the page as the browser decoded it."""
    page.locator(".crop img").first.wait_for()
    return page.evaluate(f"() => Promise.all(({ALL})('.crop img').map({READ}))")  # type: ignore[no-any-return]


def test_crops_are_the_originals_pixels_and_follow_the_region(browser: Browser, gallery: str, workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        files = {one.run_key: one.image for one in queries.results(connection) if one.sweep == "demo"}
    with opened(browser, f"{gallery}/crops?sweep=demo&cs=96&cx=0.3&cy=0.2") as page:
        found = crops_of(page)
        results = [one for one in found if one["id"] in files]
        assert len(results) == 12 and len(found) > 12
        for one in results:
            query = dict(part.split("=") for part in one["src"].split("?")[1].split("&"))
            x, y, w, h = (int(query[name]) for name in "xywh")
            assert (w, h) == (96, 64)  # all there is of a picture of this size
            assert one["shown"] == [w, h]
            own = pixels(workspace, files[one["id"]])[y : y + h, x : x + w]
            assert np.array_equal(np.array(one["data"], dtype=np.uint8).reshape(h, w, 4)[..., :3], own)
        assert images_are_whole(page) == len(found) + 1


def test_a_region_is_moved_by_key_and_drawn_by_mouse_and_stands_in_the_url(browser: Browser, gallery: str) -> None:
    with opened(browser, f"{gallery}/crops?sweep=demo") as page:
        region = page.locator(".box")
        region.wait_for()
        region.focus()
        page.keyboard.press("-")
        page.keyboard.press("-")
        page.keyboard.press("-")
        page.wait_for_url(re.compile("cs=96"))
        expect(page.locator("output.side")).to_have_text("96 px")
        expect(region).to_have_attribute("aria-label", re.compile("96 by 64 pixels"))
        page.keyboard.press("+")
        page.wait_for_url(re.compile("cs=128"))
        url = page.url
        page.get_by_label("Choose the region on").select_option(index=3)
        page.wait_for_url(re.compile("on="))
        expect(page.locator(".plate img")).to_have_attribute("src", re.compile("/app/static/"))
    with opened(browser, url) as page:
        expect(page.locator("output.side")).to_have_text("128 px")
        page.locator("a.piece").first.click()
        page.wait_for_url(re.compile(r"/run\?id="))
