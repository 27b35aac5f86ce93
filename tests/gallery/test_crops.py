"""The route that cuts regions out of pictures; the oracle is a slice of the decoded file."""

import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from factories import made_up_workspace
from picture_requests import assert_nothing_there, get, some_image
from PIL import Image as PillowImage
from sqlalchemy import insert, select

import gallery.crops
from db.models import Image
from db.workspace import Workspace
from gallery.crops import BadNumbers, Crop, Once, Region, crop_of
from sweep.transfer import images


def pixels_of(data: bytes) -> np.ndarray:
    with PillowImage.open(io.BytesIO(data)) as opened:
        return np.asarray(opened.convert("RGB"))


def original(workspace: Workspace, sha256: str, form: str) -> np.ndarray:
    return pixels_of(workspace.artifacts.path(sha256, form).read_bytes())


def add_picture(workspace: Workspace, data: bytes, size: tuple[int, int], form: str = "png") -> str:
    """A picture that the database knows, whatever its bytes are."""
    sha256 = workspace.artifacts.put(data, form)
    row = {"sha256": sha256, "width": size[0], "height": size[1], "mean_colour": "#808080", "bytes": len(data), "format": form}
    with workspace.writer().begin() as connection:
        connection.execute(insert(Image).values(row))
    return sha256


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Workspace]:
    yield made_up_workspace(tmp_path, betas=1)


@pytest.mark.parametrize("region", [Region(0, 0, 32, 32), Region(13, 7, 40, 21), Region(95, 63, 1, 1), Region(0, 0, 96, 64)])
def test_a_region_of_a_result_is_its_own_pixels(wide: Workspace, region: Region) -> None:
    sha256, form, _ = some_image(wide)
    answer = get(wide.folder, Crop(sha256, region=region).url())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers
    expected = original(wide, sha256, form)[region.y : region.y + region.h, region.x : region.x + region.w]
    assert np.array_equal(pixels_of(answer.content), expected)


def test_a_photograph_is_cut_at_the_size_at_which_the_run_saw_it(own: Workspace) -> None:
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 256, (150, 300, 3), dtype=np.uint8)
    sha256 = add_picture(own, images.encode_png(pixels, {}), (300, 150))
    answer = get(own.folder, Crop(sha256, long=120, region=Region(30, 10, 50, 50)).url())
    assert np.array_equal(pixels_of(answer.content), images.resized(pixels, 120)[10:60, 30:80])
    whole = get(own.folder, Crop(sha256, long=120).url())
    assert np.array_equal(pixels_of(whole.content), images.resized(pixels, 120))
    larger = get(own.folder, Crop(sha256, long=5000, region=Region(200, 100, 100, 50)).url())
    assert np.array_equal(pixels_of(larger.content), pixels[100:150, 200:300])  # nothing is enlarged


def test_a_photograph_is_turned_upright_and_laid_on_white_first(own: Workspace) -> None:
    turned = PillowImage.fromarray(np.arange(60 * 40 * 3, dtype=np.uint32).reshape(40, 60, 3).astype(np.uint8))
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    turned.save(buffer, "PNG", exif=exif)
    sha256 = add_picture(own, buffer.getvalue(), (40, 60))
    answer = get(own.folder, Crop(sha256, region=Region(0, 50, 40, 10)).url())
    assert np.array_equal(pixels_of(answer.content), images.open_picture(buffer.getvalue(), "x").pixels[50:60])


def test_a_crop_that_the_browser_has_is_not_cut_again(wide: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256, _, _ = some_image(wide)
    url = Crop(sha256, region=Region(0, 0, 20, 20)).url()
    tag = get(wide.folder, url).headers["etag"]
    monkeypatch.setattr(gallery.crops, "cut", None)
    answer = get(wide.folder, url, If_None_Match=tag)
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    "query",
    [
        "x=0&y=0&w=10",
        "x=0&y=0&w=0&h=10",
        "x=0&y=0&w=769&h=10",
        "x=0&y=0&w=10&h=99999",
        "x=-1&y=0&w=10&h=10",
        "x=0&y=0&w=10&h=1e1",
        "x=0&y=0&w=%2B9&h=9",
        "x=0&y=0&w=\u0661&h=9",
        "x=0&y=0&w=10&h=10&long=0",
        "x=0&y=0&w=10&h=10&long=99999",
        "x=0&y=0&w=123456&h=10",
        "long=2049",
        "x=90&y=0&w=10&h=10",
        "x=0&y=60&w=10&h=10",
        "x=0&y=0&w=96&h=64&long=95",
    ],
)
def test_a_region_that_is_none_is_refused_and_not_kept(wide: Workspace, query: str) -> None:
    sha256, _, _ = some_image(wide)
    answer = get(wide.folder, f"/app/static/c/{sha256}.webp?{query}")
    assert answer.status_code == 400
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["zz.webp", f"{'0' * 64}.webp", f"{'0' * 64}.png", f"{'A' * 64}.webp", "..%2f..%2fsweeps.db", "%00.webp", ""]
)
def test_what_is_no_known_picture_is_not_there(wide: Workspace, path: str) -> None:
    assert get(wide.folder, f"/app/static/c/{path}?x=0&y=0&w=10&h=10").status_code == 404


def test_a_thumbnail_is_no_picture_to_cut_from(wide: Workspace) -> None:
    _, _, thumbnail = some_image(wide)
    assert_nothing_there(get(wide.folder, Crop(thumbnail, region=Region(0, 0, 10, 10)).url()))


def test_without_a_workspace_nothing_is_there_and_nothing_is_made(tmp_path: Path) -> None:
    assert_nothing_there(get(tmp_path / "none", Crop("0" * 64, region=Region(0, 0, 10, 10)).url()))
    assert not (tmp_path / "none").exists()


def test_a_damaged_or_missing_file_is_not_there_and_comes_back_when_it_is_restored(own: Workspace) -> None:
    sha256, form, _ = some_image(own)
    path = own.artifacts.path(sha256, form)
    data = path.read_bytes()
    url = Crop(sha256, region=Region(0, 0, 10, 10)).url()
    path.write_bytes(data[:-100] + b"\0" * 100)
    assert_nothing_there(get(own.folder, url))
    path.unlink()
    assert_nothing_there(get(own.folder, url))
    path.write_bytes(data)
    assert get(own.folder, url).status_code == 200


def test_what_is_no_picture_is_not_there(own: Workspace) -> None:
    sha256 = add_picture(own, b"<svg onload=alert(1)>", (100, 100))
    assert_nothing_there(get(own.folder, Crop(sha256, region=Region(0, 0, 10, 10)).url()))


def test_a_decompression_bomb_is_not_opened(own: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 50 * 50)
    sha256 = add_picture(own, images.encode_png(np.zeros((51, 51, 3), np.uint8), {}), (51, 51))
    assert_nothing_there(get(own.folder, Crop(sha256, region=Region(0, 0, 10, 10)).url()))


def test_an_url_says_all_that_is_read_from_it() -> None:
    for crop in (Crop("a" * 64), Crop("a" * 64, 200), Crop("a" * 64, 200, Region(1, 2, 3, 4)), Crop("a" * 64, None, Region(0, 0, 768, 1))):
        query = dict(part.split("=") for part in crop.url().partition("?")[2].split("&") if part)
        assert crop_of(crop.sha256, query) == crop
    with pytest.raises(BadNumbers):
        crop_of("a" * 64, {"x": "1"})


def test_one_key_is_worked_on_once_and_no_more_than_two_at_a_time() -> None:
    once, lock = Once(2), threading.Lock()
    at_work: list[int] = []
    most, done = 0, 0

    def work() -> bytes:
        nonlocal most, done
        with lock:
            at_work.append(1)
            most = max(most, len(at_work))
        time.sleep(0.05)
        with lock:
            at_work.pop()
            done += 1
        return b"done"

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda number: once.do(number % 3, work), range(12)))
    assert answers == [b"done"] * 12
    assert most == 2
    assert done < 12
    assert once._under_way == {}


def test_who_waits_for_work_that_fails_is_told_so_and_the_next_one_tries_again() -> None:
    once, begun = Once(2), threading.Event()

    def fails() -> bytes:
        begun.set()
        time.sleep(0.05)
        raise ValueError("no")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.do, "key", fails)
        begun.wait()
        second = pool.submit(once.do, "key", lambda: b"never")
        assert isinstance(first.exception(), ValueError)
        assert isinstance(second.exception(), ValueError)
    assert once.do("key", lambda: b"now") == b"now"


def test_some_image_is_a_result(wide: Workspace) -> None:
    with wide.reader().connect() as connection:
        row = connection.execute(select(Image.width, Image.height).where(Image.sha256 == some_image(wide)[0])).one()
    assert tuple(row) == (96, 64)
