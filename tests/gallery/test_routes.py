"""The routes that serve pictures, called as the server calls them."""

import hashlib
from pathlib import Path

import pytest
from picture_requests import assert_nothing_there, get, some_image

from db.workspace import Workspace
from gallery.routes import ICON_URL, download_name, original_url, thumbnail_url


def test_an_original_comes_byte_for_byte_and_may_be_kept_for_ever(wide: Workspace) -> None:
    sha256, form, _ = some_image(wide)
    answer = get(wide.folder, original_url(sha256, form))
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == sha256
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers
    assert "content-disposition" not in answer.headers


def test_a_thumbnail_is_served_as_webp_and_only_as_a_thumbnail(wide: Workspace) -> None:
    sha256, form, thumbnail = some_image(wide)
    answer = get(wide.folder, thumbnail_url(thumbnail))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/webp"
    assert hashlib.sha256(answer.content).hexdigest() == thumbnail
    assert_nothing_there(get(wide.folder, original_url(thumbnail, "webp")))
    assert_nothing_there(get(wide.folder, thumbnail_url(sha256)))
    assert_nothing_there(get(wide.folder, original_url(sha256, "jpg" if form == "png" else "png")))


def test_head_tells_the_size_without_the_picture(wide: Workspace) -> None:
    sha256, form, _ = some_image(wide)
    answer = get(wide.folder, original_url(sha256, form), method="HEAD")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == wide.artifacts.path(sha256, form).stat().st_size
    assert answer.content == b""


def test_a_picture_that_the_browser_has_is_not_sent_again(wide: Workspace) -> None:
    sha256, form, _ = some_image(wide)
    tag = get(wide.folder, original_url(sha256, form)).headers["etag"]
    answer = get(wide.folder, original_url(sha256, form), If_None_Match=tag)
    assert answer.status_code == 304
    assert answer.content == b""
    assert get(wide.folder, original_url(sha256, form), If_None_Match='"other"').status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "t/zz.webp",
        f"t/{'0' * 64}.webp",
        f"t/{'0' * 63}.webp",
        f"t/{'A' * 64}.webp",
        f"f/{'0' * 64}.png",
        "f/..%2f..%2fsweeps.db",
        "f/../../sweeps.db",
        "f/%2e%2e/sweeps.db",
        "f/sweeps.db",
        "t/%00.webp",
        f"t/{'0' * 64}.webp%0a",
        "t/",
    ],
)
def test_what_is_no_known_hash_is_not_there(wide: Workspace, path: str) -> None:
    answer = get(wide.folder, f"/app/static/{path}")
    assert answer.status_code == 404
    assert b"SQLite" not in answer.content


def test_a_file_in_the_folder_that_the_database_does_not_know_is_not_served(wide: Workspace) -> None:
    sha256 = wide.artifacts.put(b"private", "png")
    assert_nothing_there(get(wide.folder, original_url(sha256, "png")))


def test_a_known_picture_without_its_file_is_not_there(tmp_path: Path) -> None:
    from factories import made_up_workspace

    workspace = made_up_workspace(tmp_path, betas=1)
    sha256, form, _ = some_image(workspace)
    workspace.artifacts.path(sha256, form).unlink()
    assert_nothing_there(get(tmp_path, original_url(sha256, form)))


def test_without_a_workspace_nothing_is_there_and_nothing_is_made(tmp_path: Path) -> None:
    assert_nothing_there(get(tmp_path / "none", thumbnail_url("0" * 64)))
    assert not (tmp_path / "none").exists()


def test_a_download_has_the_name_that_was_asked_for(wide: Workspace) -> None:
    sha256, form, _ = some_image(wide)
    answer = get(wide.folder, original_url(sha256, form) + "?dl=1&name=harbour%20x%20waves")
    assert answer.headers["content-disposition"] == 'attachment; filename="harbour x waves.png"'


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("", "000000000000.png"),
        ("../../etc/passwd", "_.._etc_passwd.png"),
        ('a"; filename="evil.exe', "a_ filename_evil.exe.png"),
        ("a\r\nSet-Cookie: x", "a_Set-Cookie_ x.png"),
        ("r1-12.png", "r1-12.png"),
        ("x" * 500, "x" * 100 + ".png"),
    ],
)
def test_a_download_name_is_safe_in_a_header_and_on_any_system(wanted: str, name: str) -> None:
    assert download_name(wanted, "0" * 64, "png") == name


def test_the_icon_is_the_servers_own(tmp_path: Path) -> None:
    answer = get(tmp_path, ICON_URL)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "http" not in answer.text.replace('xmlns="http://www.w3.org/2000/svg"', "")
