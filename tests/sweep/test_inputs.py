"""Input pictures on the driver's side: looked at once, recorded unchanged, shrunk when a run needs them."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from factories import picture_bytes
from PIL import Image

from db.artifacts import Artifacts
from sweep import inputs
from sweep.errors import ImageError, StorageError
from sweep.inputs import StoredPictures, inspect_inputs


def test_a_look_tells_hash_size_format_and_colour(tmp_path: Path) -> None:
    path = tmp_path / "called.png"
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), (255, 0, 128)).save(buffer, "WEBP", lossless=True)
    path.write_bytes(buffer.getvalue())
    found = inspect_inputs([path])[path]
    assert found.sha256 == hashlib.sha256(buffer.getvalue()).hexdigest()
    assert (found.width, found.height, found.format, found.mean_colour) == (40, 20, "webp", "#ff0080")
    assert Image.open(io.BytesIO(found.thumbnail)).size == (40, 20)


def test_the_picture_for_the_store_is_the_file_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(picture_bytes(1, form="JPEG"))
    picture = inspect_inputs([path])[path].picture()
    assert picture.data == path.read_bytes()
    assert (picture.name, picture.format, picture.sha256) == ("a.jpg", "jpeg", hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_file_that_changes_between_look_and_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture_bytes(1))
    found = inspect_inputs([path])[path]
    path.write_bytes(picture_bytes(2))
    with pytest.raises(ImageError, match=r"a\.png changed while"):
        found.picture()
    path.unlink()
    with pytest.raises(ImageError, match=r"a\.png cannot be read: No such file"):
        found.picture()


def test_the_same_picture_under_two_names_is_said(tmp_path: Path) -> None:
    for name, seed in (("a.png", 1), ("b.png", 2), ("c.png", 1)):
        (tmp_path / name).write_bytes(picture_bytes(seed))
    found = inspect_inputs([tmp_path / name for name in ("a.png", "b.png", "c.png")])
    remarks = [remark for file in found.values() for remark in file.remarks]
    assert remarks == [f"{tmp_path / 'c.png'} is the same picture as {tmp_path / 'a.png'}."]


def test_all_pictures_that_cannot_be_used_are_named_at_once(tmp_path: Path) -> None:
    for number in range(15):
        (tmp_path / f"{number:02}.jpg").write_bytes(picture_bytes(number) if number % 5 == 0 else b"")
    with pytest.raises(ImageError) as caught:
        inspect_inputs(sorted(tmp_path.iterdir()))
    assert str(caught.value) == (
        f"The picture {tmp_path / '01.jpg'} is empty (0 bytes); export or copy it again. 11 more cannot be used either: "
        + ", ".join(f"{tmp_path}/{number}.jpg" for number in ("02", "03", "04", "06", "07", "08", "09", "11", "12", "13"))
        + " and 1 more."
    )


def test_a_picture_of_a_phone_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(ImageError, match=r"IMG_1\.HEIC is a HEIC picture, as phones make them; save it as JPEG or PNG"):
        inspect_inputs([tmp_path / "IMG_1.HEIC"])


def test_missing_folders_and_oversized_files_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, match in (("gone.png", "No such file"), ("", "Is a directory")):
        with pytest.raises(ImageError, match=match):
            inspect_inputs([tmp_path / name])
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(inputs.MAX_BYTES + 1)
    with pytest.raises(ImageError, match=r"huge\.png is larger than 200 MB"):
        inspect_inputs([tmp_path / "huge.png"])


def stored(tmp_path: Path, count: int) -> tuple[Artifacts, list[str]]:
    artifacts = Artifacts(tmp_path / "artifacts")
    return artifacts, [artifacts.put(picture_bytes(seed), "png") for seed in range(count)]


def test_stored_pictures_are_shrunk_never_enlarged_and_kept(tmp_path: Path) -> None:
    artifacts, (sha256,) = stored(tmp_path, 1)
    pictures = StoredPictures(artifacts, lambda _: "png")
    assert pictures.pixels(sha256, 48).shape == (32, 48, 3)
    assert pictures.pixels(sha256, 4096).shape == (64, 96, 3)
    assert np.array_equal(pictures.pixels(sha256, 96), np.asarray(Image.open(io.BytesIO(picture_bytes(0)))))
    artifacts.path(sha256, "png").unlink()
    assert pictures.pixels(sha256, 48) is pictures.pixels(sha256, 48)


def test_only_so_many_decoded_pictures_are_kept_the_newest_used(tmp_path: Path) -> None:
    artifacts, hashes = stored(tmp_path, 3)
    pictures = StoredPictures(artifacts, lambda _: "png", keep=2)
    first = pictures.pixels(hashes[0], 32)
    second = pictures.pixels(hashes[1], 32)
    assert pictures.pixels(hashes[0], 32) is first
    pictures.pixels(hashes[2], 32)  # puts out the second, which was used longest ago
    assert pictures.pixels(hashes[0], 32) is first
    assert pictures.pixels(hashes[1], 32) is not second


def test_a_lost_or_damaged_file_is_an_error_of_the_workspace(tmp_path: Path) -> None:
    artifacts, hashes = stored(tmp_path, 2)
    pictures = StoredPictures(artifacts, lambda _: "png")
    artifacts.path(hashes[0], "png").unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        pictures.pixels(hashes[0], 32)
    artifacts.path(hashes[1], "png").write_bytes(picture_bytes(9))
    with pytest.raises(StorageError, match="damaged"):
        pictures.pixels(hashes[1], 32)
