"""Pictures that go out as JPEG and WebP carry their recipe and what was said of them; as PNG their pixels' bytes stay the same."""

import csv
import io
import json
import re
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from factories import made_up_workspace
from PIL import Image
from sqlalchemy import select

from db import queries, reviews
from db.models import Run
from db.review_operations import Operation
from db.reviews import Said
from db.workspace import Workspace
from gallery.export.bundle import PRESETS, export_results
from gallery.export.describe import xmp
from gallery.export.forms import in_form
from gallery.export.png import read_text_chunks
from gallery.export.reading import read_recipe
from gallery.export.recipe import KEYWORD, recipe_of
from sweep.errors import InputError

SAID = Said(flag="pick", stars=4, note="warm", tags=("sky & sea", "wall"))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = made_up_workspace(tmp_path_factory.mktemp("w"), betas=1)
    with made.writer().begin() as connection:
        first, second = connection.execute(select(Run.run_key).order_by(Run.id).limit(2)).scalars()
        operations = [
            Operation(id="1", run_key=first, field="flag", value="pick", at=1.0),
            Operation(id="2", run_key=first, field="stars", value=4, at=1.0),
            Operation(id="3", run_key=first, field="tag", value="sky & sea", at=1.0),
            Operation(id="4", run_key=second, field="flag", value="reject", at=1.0),
        ]
        reviews.apply(connection, "ann", operations, time.time())
    return made


def picture_and_recipe(workspace: Workspace) -> tuple[bytes, dict[str, object]]:
    with workspace.reader().connect() as connection:
        result = queries.results(connection, limit=1)[0]
    return (workspace.folder / str(result.image_path())).read_bytes(), recipe_of(result, {})


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_the_recipe_is_in_the_comment_and_the_review_in_the_xmp(workspace: Workspace, form: str) -> None:
    data, recipe = picture_and_recipe(workspace)
    made = in_form(data, form, recipe, SAID)
    with Image.open(io.BytesIO(made)) as opened, Image.open(io.BytesIO(data)) as stored:
        assert (opened.format, opened.size) == (form.upper(), stored.size)
        comment = opened.getexif().get_ifd(0x8769)[0x9286]
        packet = bytes(opened.info["xmp"]).decode()
        difference = [abs(a - b) for a, b in zip(opened.convert("RGB").tobytes(), stored.convert("RGB").tobytes(), strict=True)]
    assert comment.startswith(b"UNICODE\0")
    text = comment[8:].decode("utf-16-le")
    assert json.loads(text.partition(": ")[2]) == json.loads(json.dumps(recipe))
    assert "<xmp:Rating>4</xmp:Rating>" in packet
    assert re.findall(r"<rdf:li>(.*?)</rdf:li>", packet) == ["sky &amp; sea", "wall"]
    assert sum(difference) / len(difference) < 8


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_the_recipe_is_read_back_from_every_form(workspace: Workspace, form: str) -> None:
    data, recipe = picture_and_recipe(workspace)
    made = in_form(data, form, recipe, SAID)
    assert read_recipe(made, "p") == read_recipe(json.dumps(recipe).encode(), "p.json")
    with pytest.raises(InputError, match=r"^p "):  # nothing of a picture that was cut short is believed, and nothing breaks
        read_recipe(made[: len(made) // 20], "p")


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_picture_of_another_program_carries_no_recipe(form: str) -> None:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0holiday: {}"
    Image.new("RGB", (8, 8)).save(buffer, form, exif=exif.tobytes())
    with pytest.raises(InputError, match=r"^p.jpg carries no stylesweep recipe: .* removed its text"):
        read_recipe(buffer.getvalue(), "p.jpg")


def test_as_png_the_pixels_are_the_stored_ones_and_the_text_says_both(workspace: Workspace) -> None:
    data, recipe = picture_and_recipe(workspace)
    texts = read_text_chunks(in_form(data, "png", recipe, SAID))
    assert json.loads(texts[KEYWORD])["run_key"] == recipe["run_key"]
    assert "<xmp:Label>Pick</xmp:Label>" in texts["XML:com.adobe.xmp"]


def test_rejected_is_a_rating_of_minus_one_and_nothing_said_is_none(workspace: Workspace) -> None:
    _, recipe = picture_and_recipe(workspace)
    assert "<xmp:Rating>-1</xmp:Rating>" in xmp(recipe, Said(flag="reject", stars=2))
    assert "Rating" not in xmp(recipe)


def test_the_tables_say_what_one_person_said_and_nothing_where_reviews_stay(workspace: Workspace, tmp_path: Path) -> None:
    with workspace.reader().connect() as connection:
        results = queries.results(connection)
    for person in ("ann", "bob", None):
        export_results(workspace, results, tmp_path / f"{person}.zip", replace(PRESETS["share"], person=person))
    tables = {}
    for name in ("ann", "bob", "None"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as opened:
            tables[name] = list(csv.DictReader(io.StringIO(opened.read(f"{name}/runs.csv").decode())))
    found = {row["run_key"]: (row["flag"], row["stars"], row["tags"]) for row in tables["ann"]}
    assert found[results[0].run_key] == ("pick", "4", "sky & sea")
    assert found[results[1].run_key] == ("reject", "0", "")
    assert {(row["flag"], row["stars"]) for row in tables["bob"]} == {("", "0")}
    assert "flag" not in tables["None"][0]
