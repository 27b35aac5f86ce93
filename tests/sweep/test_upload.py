"""A sweep's files on their way to a head: what is packed here, what `sweep.submitted` makes of it there."""

import hashlib
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from sweep import submitted, upload
from sweep.cli import submitting
from sweep.cli.submitting import Head
from sweep.combination import run_key
from sweep.errors import InputError, StorageError, SurroundingsError
from sweep.spec import SweepSpec, load_spec
from sweep.submitted import take_in
from sweep.upload import Upload, read_upload

SPEC = """name: holidays
content: ../photographs/*.png
style:
  - wave.png
  - {wave.png: 0.7, ../more/scream.png: 0.3}
  - regions:
      - {mask: "masks/{content}-sky.png", style: wave.png}
parameters:
  beta: {values: [1, 10]}
settings: {network: vgg16-hed, size: 48}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a sweep's file, pictures beside and above it, masks, and pictures that it does not name."""
    root = tmp_path / "home"
    names = ("photographs/cat.png", "photographs/dog.png", "plans/wave.png", "more/scream.png", "more/other.png")
    for shade, name in enumerate([*names, "plans/masks/cat-sky.png", "plans/masks/dog-sky.png"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (10 + 30 * shade, 50, 90)).save(root / name)
    (root / "plans/holidays.yaml").write_text(SPEC)
    return root


def keys(spec: SweepSpec) -> list[str]:
    hashes = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in spec.picture_paths()}
    named = spec.combinations(hashes, {pair: "0" * 64 for pair in spec.network_files()})
    return [run_key(one.combination.run_settings()) for one in named]


def sent(made: Upload, workspace: Path, scratch: Path, break_piece: Callable[[Path], None] = lambda _: None) -> list[dict[str, object]]:
    """Send it as `submit` does, each package once; what the head answered to each."""
    answers: list[dict[str, object]] = []
    lacking = made.everything()
    while not answers or "spec" not in answers[-1]:
        for package in made.packages(lacking, scratch):
            break_piece(package)
            answers.append(take_in(package, workspace))
        lacking = answers[-1].get("lacking", {})  # type: ignore[assignment]
        assert len(answers) < 50
    return answers


def test_the_sweep_means_there_what_it_means_here(home: Path, tmp_path: Path) -> None:
    spec, made = read_upload(home / "plans/holidays.yaml")
    there = Path(str(sent(made, tmp_path / "workspace", tmp_path)[-1]["spec"]))
    assert keys(load_spec(there)) == keys(spec) and len(keys(spec)) == 12
    assert [path.name for path in load_spec(there).picture_paths()] == [path.name for path in spec.picture_paths()]
    laid_out = {str(path.relative_to(there.parent.parent)) for path in there.parent.parent.rglob("*") if path.is_file()}
    assert laid_out == {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and path.name != "other.png"}


def test_what_its_writer_may_want_to_know_is_said_where_it_is_submitted(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "plans/holidays.yaml").write_text(SPEC + "exclude: [{beta: 99}]\n")
    monkeypatch.setattr(submitting, "JobServer", lambda address: (_ for _ in ()).throw(SurroundingsError("nobody answers")))
    with pytest.raises(SurroundingsError, match="nobody answers"):
        submitting.submit(home / "plans/holidays.yaml", Head(address="http://127.0.0.1:1"), "/results", [], follow=False)
    assert "leaves out no combination" in capsys.readouterr().err


def test_what_is_wanted_again_is_young_again(home: Path, tmp_path: Path) -> None:
    _, made = read_upload(home / "plans/holidays.yaml")
    workspace = tmp_path / "workspace"
    there = Path(str(sent(made, workspace, tmp_path)[-1]["spec"]))
    upload = next(path for path in there.parents if path.parent.name == "submitted")
    for path in (upload, *(workspace / "submitted" / "files").iterdir()):
        os.utime(path, (0, 0))
    assert sent(made, workspace, tmp_path)[-1]["spec"] == str(there)
    assert all(time.time() - path.stat().st_mtime < 600 for path in (upload, *(workspace / "submitted" / "files").iterdir()))


def test_what_is_there_is_not_sent_again(home: Path, tmp_path: Path) -> None:
    _, first = read_upload(home / "plans/holidays.yaml")
    workspace = tmp_path / "workspace"
    sent(first, workspace, tmp_path)
    Image.new("RGB", (20, 20), (1, 2, 3)).save(home / "photographs/bird.png")
    Image.new("RGB", (20, 20), (3, 2, 1)).save(home / "plans/masks/bird-sky.png")
    spec, second = read_upload(home / "plans/holidays.yaml")
    (asking,) = second.packages({}, tmp_path)
    answer = take_in(asking, workspace)
    new = {hashlib.sha256((home / name).read_bytes()).hexdigest(): 0 for name in ("photographs/bird.png", "plans/masks/bird-sky.png")}
    assert answer == {"lacking": new}
    (package,) = second.packages(new, tmp_path)
    assert len(list((package / "pieces").iterdir())) == 2
    there = Path(take_in(package, workspace)["spec"])
    assert keys(load_spec(there)) == keys(spec)


def test_a_later_upload_leaves_the_folder_of_an_earlier_one_as_it_was(home: Path, tmp_path: Path) -> None:
    """A glob must not find yesterday's pictures, and a sweep that runs must not lose today's."""
    workspace = tmp_path / "workspace"
    before, made = read_upload(home / "plans/holidays.yaml")
    earlier = Path(str(sent(made, workspace, tmp_path)[-1]["spec"]))
    expected = keys(before)
    (home / "photographs/dog.png").unlink()
    after, made = read_upload(home / "plans/holidays.yaml")
    later = Path(str(sent(made, workspace, tmp_path)[-1]["spec"]))
    assert keys(load_spec(later)) == keys(after) != expected
    assert keys(load_spec(earlier)) == expected


def test_large_files_travel_in_pieces_and_go_on_where_they_broke_off(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PIECE", 100)
    monkeypatch.setattr(upload, "PACKAGE", 250)
    large = random.Random(1).randbytes(1234)
    Image.effect_noise((40, 40), 50).save(home / "plans/wave.png")
    (home / "plans/weights.safetensors").write_bytes(large)
    text = SPEC.replace("network: vgg16-hed", "network: vgg16-hed, weights: weights.safetensors")
    (home / "plans/holidays.yaml").write_text(text)
    _, made = read_upload(home / "plans/holidays.yaml")
    lost = random.Random(2)
    workspace = tmp_path / "workspace"

    def lose_some(package: Path) -> None:
        for piece in (package / "pieces").iterdir():
            assert piece.stat().st_size <= 100
            if lost.random() < 0.2:
                piece.unlink()

    answers = sent(made, workspace, tmp_path, lose_some)
    there = Path(str(answers[-1]["spec"]))
    assert (there.parent / "weights.safetensors").read_bytes() == large
    assert len(answers) > 12  # 1.2 kB of weights and as much noise, 250 bytes a package


def test_a_file_that_came_wrong_is_sent_anew(home: Path, tmp_path: Path) -> None:
    _, made = read_upload(home / "plans/holidays.yaml")
    broken: list[Path] = []

    def break_one(package: Path) -> None:
        if not broken:
            piece = min((package / "pieces").iterdir())
            piece.write_bytes(piece.read_bytes()[::-1])
            broken.append(piece)

    answers = sent(made, tmp_path / "workspace", tmp_path, break_one)
    assert answers[0] == {"lacking": {broken[0].stem: 0}}
    assert keys(load_spec(Path(str(answers[1]["spec"]))))


def test_an_empty_file_arrives_too(tmp_path: Path) -> None:
    """Nothing that runs needs one, but a loop that waits for it must not be endless."""
    nothing = tmp_path / "nothing"
    nothing.touch()
    sha256 = hashlib.sha256(b"").hexdigest()
    made = Upload(sweep="x", spec="a", files=(upload.Sent(name="a", path=nothing, sha256=sha256, size=0),), digest="0" * 64)
    assert Path(str(sent(made, tmp_path / "workspace", tmp_path)[-1]["spec"])).read_bytes() == b""


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("../photographs/*.png", "{home}/photographs/cat.png"),
        ("../photographs/*.png", "~/photographs/cat.png"),
        ("size: 48", "size: 48, weights: ~/photographs/cat.png"),
        ("{values: [1, 10]}", "10\n  weights: {{values: [masks/cat-sky.png, ~/photographs/cat.png]}}"),
    ],
)
def test_an_absolute_path_is_refused(home: Path, written: str, instead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    (home / "plans/holidays.yaml").write_text(SPEC.replace(written, instead.format(home=home)))
    said = r"holidays\.yaml: .*cat\.png is an absolute path, or begins with ~.* relative to the sweep's file"
    with pytest.raises(InputError, match=said):
        read_upload(home / "plans/holidays.yaml")


def test_a_linked_folder_is_laid_out_as_if_it_were_one(home: Path, tmp_path: Path) -> None:
    shutil.move(home / "photographs", tmp_path / "elsewhere")
    (home / "photographs").symlink_to(tmp_path / "elsewhere")
    spec, made = read_upload(home / "plans/holidays.yaml")
    there = Path(str(sent(made, tmp_path / "workspace", tmp_path)[-1]["spec"]))
    assert keys(load_spec(there)) == keys(spec)


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "a/../../escaped", ""])
def test_no_file_is_laid_out_beside_its_folder(tmp_path: Path, name: str) -> None:
    package = tmp_path / "package"
    (package / "pieces").mkdir(parents=True)
    sha256 = hashlib.sha256(b"x").hexdigest()
    (package / "pieces" / f"{sha256}.0").write_bytes(b"x")
    manifest = {"sweep": "x", "spec": name, "digest": "0" * 64, "files": {name: [sha256, 1]}}
    (package / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StorageError, match=r"is no upload of this version of stylesweep: .* is no place inside a folder"):
        take_in(package, tmp_path / "workspace")
    assert not list(tmp_path.rglob("escaped"))


def test_a_full_disk_there_is_said_here(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "workspace").write_text("a file in the place of the folder")
    monkeypatch.setattr("sys.argv", ["submitted", str(tmp_path / "workspace")])
    submitted.main()
    answer = json.loads(capsys.readouterr().out.removeprefix(submitted.ANSWER))
    assert "cannot be written on the head: Not a directory" in answer["error"]
