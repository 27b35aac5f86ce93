"""Transparent photographs through a real sweep: what is exported, downloaded and drawn is transparent where they are."""

import asyncio
import io
import json
import subprocess
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette

from db.queries import Result, results
from db.workspace import Workspace, open_workspace
from gallery.export.alpha import Alphas, fitted_alpha
from gallery.export.bundle import ExportOptions, export_results
from gallery.export.png import chunks, read_text_chunks
from gallery.export.reading import read_recipe
from gallery.routes import original_url, picture_routes
from sweep.cli import taking
from sweep.cli.running import RunOptions, run
from sweep.samples import drawn_style, sample_photograph
from sweep.transfer.images import resized

pytestmark = pytest.mark.weights
SPEC = """
name: cut
content: [soft.png, hole.png, leaf.webp, plain.png]
style: woodcut.png
parameters: {beta: [30]}
settings: {network: vgg16-hed, size: 48, steps: 2, layers: {content: [relu3_1], style: [relu1_1, relu2_1]}}
"""


def soft_alpha() -> np.ndarray:
    """A ramp from 0 to 255, (72, 96)."""
    return np.tile(np.linspace(0, 255, 96).astype(np.uint8), (72, 1))


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A sweep over a PNG with soft alpha, a palette PNG with a transparent colour, a WebP with alpha and an opaque PNG, each 96 x 72."""
    folder = tmp_path_factory.mktemp("cut")
    photograph = resized(sample_photograph("cat"), 96)[:64]
    photograph = np.asarray(Image.fromarray(photograph).resize((96, 72)))
    Image.fromarray(np.dstack([photograph, soft_alpha()])).save(folder / "soft.png")
    flat = Image.fromarray(photograph).quantize(15)
    indices = np.asarray(flat).copy()
    indices[20:52, 30:70] = 15
    hole = Image.fromarray(indices)
    hole.putpalette([*flat.getpalette()[:45], 255, 0, 255])
    hole.save(folder / "hole.png", transparency=15)
    Image.fromarray(np.dstack([photograph, soft_alpha()[:, ::-1]])).save(folder / "leaf.webp", lossless=True, exact=True)
    Image.fromarray(photograph).save(folder / "plain.png")
    Image.fromarray(drawn_style("woodcut", 96)).save(folder / "woodcut.png")
    (folder / "cut.yaml").write_text(SPEC)
    assert run(folder / "cut.yaml", RunOptions(workspace=folder / "w", address="inline")) == 0
    return open_workspace(folder / "w", create=False)


@pytest.fixture(scope="module")
def made(cut: Workspace) -> dict[str, Result]:
    with cut.reader().connect() as connection:
        return {str(result.parameters["content"]): result for result in results(connection)}


@pytest.fixture(scope="module")
def exported(cut: Workspace, made: dict[str, Result], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Content -> its exported picture; the bundle lies two folders above."""
    out = tmp_path_factory.mktemp("exported") / "out"
    assert export_results(cut, list(made.values()), out, ExportOptions()).problems == ()
    return dict(zip(made, sorted((out / "images").iterdir()), strict=True))


def stored(workspace: Workspace, result: Result) -> bytes:
    return (workspace.folder / str(result.image_path())).read_bytes()


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened)


EXPECTED = {
    "soft.png": soft_alpha().reshape(36, 2, 48, 2).mean((1, 3)),
    "hole.png": np.pad(np.zeros((16, 20)), ((10, 10), (15, 13)), constant_values=255),
    "leaf.webp": soft_alpha()[:, ::-1].reshape(36, 2, 48, 2).mean((1, 3)),
}
"""The alpha of each photograph at half its size: the mean of every 2 x 2 pixels."""


@pytest.mark.parametrize("name", list(EXPECTED))
def test_an_exported_picture_has_the_photographs_alpha_and_the_stored_colours(
    name: str, cut: Workspace, made: dict[str, Result], exported: dict[str, Path]
) -> None:
    found, opaque = pixels(exported[name].read_bytes()), pixels(stored(cut, made[name]))
    assert opaque.shape == (36, 48, 3) and found.shape == (36, 48, 4)
    np.testing.assert_array_equal(found[..., :3], opaque)
    apart = np.abs(found[..., 3] - EXPECTED[name])
    assert apart.mean() < 1 if name == "hole.png" else apart[:, 1:-1].max() <= 1.5


def test_a_hard_edge_leaves_no_ring(exported: dict[str, Path]) -> None:
    alpha = pixels(exported["hole.png"].read_bytes())[..., 3]
    assert (alpha[12:24, 17:33] == 0).all()
    outside = np.ones_like(alpha, dtype=bool)
    outside[8:28, 13:37] = False
    assert (alpha[outside] == 255).all()
    hard = np.kron([[0, 255], [255, 0]], np.ones((40, 40))).astype(np.uint8)
    shrunk = np.asarray(fitted_alpha(hard, (30, 30)))
    assert set(shrunk[:12, :12].ravel()) == {0} and set(shrunk[:12, 18:].ravel()) == {255}


@pytest.mark.parametrize("name", [*EXPECTED, "plain.png"])
def test_colour_space_and_recipe_are_kept_and_only_pixels_change(
    name: str, cut: Workspace, made: dict[str, Result], exported: dict[str, Path]
) -> None:
    before, after = stored(cut, made[name]), exported[name].read_bytes()
    kinds = [chunk.kind for chunk in chunks(after)]
    assert b"sRGB" in kinds and kinds.count(b"IHDR") == 1 and kinds[-1] == b"IEND"
    assert read_recipe(after, name)["run_key"] == made[name].run_key
    assert set(read_text_chunks(before)) <= set(read_text_chunks(after))
    data = [b"".join(bytes(chunk.data) for chunk in chunks(one) if chunk.kind == b"IDAT") for one in (before, after)]
    assert (data[0] == data[1]) == (name == "plain.png")  # of an opaque photograph the very bytes


def test_exiftool_calls_it_rgb_with_alpha_and_finds_nothing_wrong(exported: dict[str, Path], made: dict[str, Result]) -> None:
    command = ["exiftool", "-j", "-validate", "-warning", "-a", "-G1", "-ColorType", "-stylesweep", "-SRGBRendering", exported["soft.png"]]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
    assert said["PNG:ColorType"] == "RGB with Alpha" and said["PNG:SRGBRendering"] == "Perceptual"
    assert json.loads(said["PNG:Stylesweep"])["run_key"] == made["soft.png"].run_key
    assert not [key for key in said if key.endswith(":Warning")]


def test_opaque_is_a_choice(cut: Workspace, made: dict[str, Result], tmp_path: Path) -> None:
    selection = taking.Selection(sweep="cut", top=None, per_pair=None, by="balance")
    assert taking.export(selection, tmp_path / "out", cut.folder, taking.Bundle(preset="share", alpha=False)) == 0
    assert {pixels(path.read_bytes()).shape for path in (tmp_path / "out/images").iterdir()} == {(36, 48, 3)}


def assert_whiter(page: bytes, opaque: bytes) -> None:
    """Lighter, and pure white in at least the area of the hole and of the clear edges of the two ramps."""
    new, old = pixels(page).astype(int), pixels(opaque).astype(int)
    assert new.shape == old.shape and new.shape[2] == 3
    assert np.mean(new < old) < 0.05  # a sharp edge to white may ring where a small picture is enlarged
    assert np.sum((new == 255).all(-1) & (old != 255).any(-1)) >= 16 * 20


def test_sheets_show_what_is_transparent_on_white(
    cut: Workspace, made: dict[str, Result], exported: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_results(cut, list(made.values()), tmp_path / "opaque", ExportOptions(alpha=False))
    sheets = [exported["soft.png"].parents[1] / "contact_sheet.png", tmp_path / "opaque/contact_sheet.png"]
    assert_whiter(*(sheet.read_bytes() for sheet in sheets))
    taking.sheet("cut", tmp_path / "new", cut.folder)
    monkeypatch.setattr(Alphas, "shown", lambda _self, picture, _photograph: picture)
    taking.sheet("cut", tmp_path / "old", cut.folder)
    assert_whiter(*((tmp_path / name / "cut.png").read_bytes() for name in ("new", "old")))


def test_a_photograph_that_is_gone_leaves_the_picture_opaque_and_is_told(cut: Workspace, made: dict[str, Result], tmp_path: Path) -> None:
    lost = cut.artifacts.path(made["soft.png"].content_sha256, "png")
    aside = lost.rename(lost.with_suffix(".aside"))
    try:
        report = export_results(cut, [made["soft.png"]], tmp_path / "out", ExportOptions(inputs=False))
    finally:
        aside.rename(lost)
    assert report.images == 1 and len(report.problems) == 1 and "soft.png is transparent cannot be told" in report.problems[0]
    assert pixels(next((tmp_path / "out/images").iterdir()).read_bytes()).shape == (36, 48, 3)


def test_a_download_is_transparent_too_and_the_page_shows_the_stored_file(cut: Workspace, made: dict[str, Result]) -> None:
    async def get(url: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=Starlette(routes=picture_routes(cut.folder)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(url)

    for name, depth in (("leaf.webp", 4), ("plain.png", 3)):
        url = original_url(str(made[name].image), "png")
        shown, taken = (asyncio.run(get(one)) for one in (url, f"{url}?dl=1&name=mine"))
        assert shown.content == stored(cut, made[name])
        assert taken.headers["content-disposition"] == 'attachment; filename="mine.png"'
        assert taken.headers["content-type"] == "image/png" and taken.headers["x-content-type-options"] == "nosniff"
        assert pixels(taken.content).shape == (36, 48, depth)
        np.testing.assert_array_equal(pixels(taken.content)[..., :3], pixels(shown.content))
        assert (taken.content == shown.content) == (depth == 3)


def test_an_exported_transparent_picture_can_be_made_again(
    cut: Workspace, made: dict[str, Result], exported: dict[str, Path], tmp_path: Path
) -> None:
    options = taking.RerunOptions(workspace=tmp_path / "new", size=None, address="inline", inputs=None)
    assert taking.rerun(str(exported["leaf.webp"]), options) == 0
    with open_workspace(tmp_path / "new", create=False).reader().connect() as connection:
        (again,) = results(connection)
    assert again.run_key == made["leaf.webp"].run_key
    data = (tmp_path / "new" / str(again.image_path())).read_bytes()
    np.testing.assert_array_equal(pixels(data), pixels(stored(cut, made["leaf.webp"])))
