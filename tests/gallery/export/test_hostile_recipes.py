"""Files that call themselves recipes and are not."""

import contextlib
import copy
import io
import json
from dataclasses import asdict
from typing import Any

import pytest
from factories import picture_bytes
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gallery.export.png import with_text_chunks
from gallery.export.reading import read_recipe
from gallery.export.recipe import combination_of
from sweep.combination import Settings
from sweep.errors import InputError

GOOD: dict[str, Any] = {
    "schema": "stylesweep-run/1", "run_key": "r1-" + "0" * 40, "sweep": "demo", "tool": "stylesweep 0.1.0",
    "content": {"name": "cat.png", "sha256": "a" * 64}, "style": [{"name": "waves.png", "sha256": "b" * 64, "share": 1.0}],
    "alpha": 1.0, "beta": 10.0, "layers": {"name": "gatys", "content": {"relu4_2": 1.0}, "style": {"relu1_1": 0.5, "relu2_1": 0.5}},
    "settings": {"network": "vgg19", "network_hash": "", "recipe": "pyramid", "size": 512, "steps": None, "init": "content",
                 "seed": 0, "tv": 0.0},
    "yardsticks": {"protocol": "y1", "protocols": {"structure_kept": "structure-1"}, "balance": None, "structure_kept": 0.5},
}  # fmt: skip


REGION: dict[str, Any] = {
    "mask": {"name": "sky.png", "sha256": "c" * 64},
    "style": [{"name": "waves.png", "sha256": "b" * 64, "share": 1.0}],
}
MASKED: dict[str, Any] = {**GOOD, "regions": [REGION]}


def changed(path: str, value: Any, good: dict[str, Any] = GOOD) -> dict[str, Any]:
    recipe = copy.deepcopy(good)
    *folders, last = path.split(".")
    inner = recipe
    for folder in folders:
        inner = inner[int(folder)] if isinstance(inner, list) else inner[folder]
    inner[int(last) if isinstance(inner, list) else last] = value
    return recipe


def refusal(data: bytes, name: str = "x.file") -> str:
    with pytest.raises(InputError) as caught:
        read_recipe(data, name)
    said = str(caught.value)
    assert said.startswith(name) and said.endswith((".", "`.")) and len(said) < 500
    return said


def test_the_good_one_is_read() -> None:
    read = read_recipe(json.dumps(GOOD).encode(), "good.json")
    # A recipe of before a control was added has that control at its neutral value.
    assert read["settings"] == asdict(Settings()) | GOOD["settings"]
    assert read | {"settings": GOOD["settings"]} == GOOD


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "stylesweep-run/2"), ("schema", 1), ("run_key", "r1-xyz"), ("run_key", None), ("sweep", ["x"]), ("sweep", "x" * 501),
        ("content", "cat.png"), ("content.sha256", "../../etc/passwd"), ("content.sha256", "A" * 64), ("style", []), ("style", {}),
        ("style", [GOOD["style"][0]] * 65), ("style.0.share", -1), ("style.0.share", "1"), ("style.0.share", 0), ("alpha", True),
        ("alpha", -1), ("alpha", 10**400), ("alpha", None), ("beta", "10"), ("layers", None), ("layers.style", {}),
        ("layers.style", {"relu1_1": 0}),
        ("layers.content", [["relu4_2", 1]]), ("settings", []), ("settings.size", 0.5), ("settings.size", "512"),
        ("settings.stop", 1), ("settings.stop", {"below": 0.5}), ("settings.stop", {"below": 2, "per": 3}),
        ("settings.stop", {"below": 0.5, "per": 0}), ("settings.stop", {"below": 0.5, "per": 1.5}), ("settings.history", 0.5),
        ("settings.learning_rate", "fast"), ("settings.momentum", -1), ("settings.dtype", 16), ("settings.size_by", None),
        ("settings.steps", "many"), ("settings.seed", -1), ("settings.tv", [0]), ("yardsticks", [1]), ("yardsticks.balance", "high"),
        ("tool", 3), ("yardsticks.protocols", ["y2"]), ("yardsticks.protocols", {"balance_y2": 2}), ("yardsticks.protocols", "y2"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(path: str, value: Any) -> None:
    said = refusal(json.dumps(changed(path, value)).encode())
    assert path.split(".")[-1].removesuffix("0") in said or path.split(".")[0] in said


def test_a_name_never_keeps_a_folder() -> None:
    assert read_recipe(json.dumps(changed("content.name", "/etc/passwd")).encode(), "a.json")["content"]["name"] == "passwd"


def test_unknown_fields_are_dropped() -> None:
    assert "extra" not in read_recipe(json.dumps(changed("extra", "x")).encode(), "a.json")


def bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(9)]
    return "\n".join(lines)


def test_a_good_one_with_regions_is_read_and_is_the_run_that_it_describes() -> None:
    read = read_recipe(json.dumps(MASKED).encode(), "good.json")
    assert read["regions"] == MASKED["regions"]
    run = combination_of(read).run_settings()
    assert run.regions == (("c" * 64, (("b" * 64, 1.0),)),) and run.style == (("b" * 64, 1.0),)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("regions", [], "regions is [], which is not allowed: it is a list of 1 to 16 entries"), ("regions", None, "regions is None"),
        ("regions", {}, "regions is {}"), ("regions", [REGION] * 17, "1 to 16 entries"), ("regions", [REGION] * 2, "a mask of its own"),
        ("regions", [1], "regions[0] is not a mapping"), ("regions.0.mask", None, "regions[0].mask is not a mapping"),
        ("regions.0.mask", "sky.png", "regions[0].mask is not a mapping"), ("regions.0.mask.sha256", "../etc", "regions[0].mask.sha256"),
        ("regions.0.mask.name", "", "regions[0].mask.name"), ("regions.0.style", [], "regions[0].style is []"),
        ("regions.0.style", {"waves.png": 1}, "regions[0].style"), ("regions.0.style.0", 3, "regions[0].style[0] is not a mapping"),
        ("regions.0.style.0.share", -1, "regions[0].style[0].share is -1"), ("regions.0.style.0.share", 0, "regions[0].style"),
        ("regions.0.style.0.share", True, "regions[0].style[0].share"), ("regions.0.style.0.sha256", "d" * 64, "the styles of all regions"),
        ("style.0.sha256", "d" * 64, "the styles of all regions"),
    ],
)  # fmt: skip
def test_a_wrong_region_is_named(path: str, value: Any, named: str) -> None:
    assert named in refusal(json.dumps(changed(path, value, MASKED)).encode())


def test_the_name_of_a_mask_never_keeps_a_folder() -> None:
    read = read_recipe(json.dumps(changed("regions.0.mask.name", "..\\..\\x/sky.png", MASKED)).encode(), "a.json")
    assert read["regions"][0]["mask"]["name"] == "sky.png"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"   \n", b"\xff\xfe\x00", b"\x00" * 50, b"just text", b"- a\n- list\n", b"name: sweep\ncontent: a.jpg\nstyle: b.jpg\n",
        b"x" * 10_000_000, b"[" * 100_000, b"{" + b'"a":{' * 50_000, b"a: " + b"[" * 50_000, b'{"schema": NaN}', b"[]", b"[1, 2]",
        b'{"alpha": ' + b"9" * 20_000 + b"}", b"a: " + b"9" * 20_000, b"a: !!int ''", b"a: !!timestamp x", b"a: !!float x", b"? [a]\n: b",
        b"!!python/object/apply:os.system ['touch /tmp/hacked']", b"a: !!python/name:os.system", bomb().encode(), b"a: &a [*a]",
        b"%YAML 9.9\n---\na: b",
        b"schema: stylesweep-run/1\n", b"# recipe: {\nname: x\n", b"# recipe: [1]\nname: x\n", b"\xef\xbb\xbf{",
        b"a: 2020-99-99\n# recipe: 1",
    ],
)  # fmt: skip
def test_what_is_no_recipe_is_refused_in_a_sentence(data: bytes) -> None:
    refusal(data)


def png(form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, form)
    return buffer.getvalue()


def test_a_picture_of_another_program_is_told_apart() -> None:
    assert "carries no stylesweep recipe" in refusal(picture_bytes(1), "holiday.png")


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_photograph_of_another_program_is_told_apart_whatever_it_is_called(form: str) -> None:
    with_a_comment = picture(form, b"ASCII\0\0\0stylesweep rocks"), picture(form, b"UNICODE\0" + "at the sea".encode("utf-16-le"))
    for data in (png(form), *with_a_comment):
        for name in ("holiday.jpg", "holiday.webp", "holiday.png", "holiday.yaml"):
            assert "carries no stylesweep recipe" in refusal(data, name)


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF"])
def test_pictures_of_other_formats_are_refused(form: str) -> None:
    assert "PNG, JPEG or WebP" in refusal(png(form), "holiday.jpg")


def picture(form: str, comment: bytes, exif: bytes | None = None) -> bytes:
    """A JPEG or WebP with that Exif comment, or with those bytes as its whole Exif data."""
    around = Image.Exif()
    around.get_ifd(0x8769)[0x9286] = comment
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, form, exif=exif if exif is not None else around.tobytes())
    return buffer.getvalue()


def commented(text: str) -> bytes:
    return b"UNICODE\0" + text.encode("utf-16-le")


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_recipe_in_a_comment_is_checked_as_any_other(form: str) -> None:
    good = "stylesweep: " + json.dumps(GOOD)
    for comment in (commented(good), b"UNICODE\0" + good.encode("utf-16-be")):
        assert read_recipe(picture(form, comment), "good.jpg")["run_key"] == GOOD["run_key"]
    for text in ("", "{", "[]", json.dumps(changed("alpha", -1)), "[" * 5_000):
        refusal(picture(form, commented(f"stylesweep: {text}")))
    refusal(picture(form, commented(good)[:-3]))
    if form == "WEBP":  # a JPEG has no room for it
        assert "characters" in refusal(picture(form, commented("stylesweep: " + "x" * 300_000)))


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"\0" * 40])
def test_broken_exif_data_is_refused_in_a_sentence(form: str, exif: bytes) -> None:
    refusal(picture(form, b"", exif))


@given(st.sampled_from(["JPEG", "WEBP"]), st.integers(0, 5000), st.binary(min_size=1, max_size=8), st.booleans())
def test_a_damaged_picture_is_read_or_refused_and_never_a_crash(form: str, at: int, garbage: bytes, cut: bool) -> None:
    whole = picture(form, commented("stylesweep: " + json.dumps(GOOD)))
    data = whole[: at % len(whole)] + garbage + (b"" if cut else whole[at % len(whole) + len(garbage) :])
    with contextlib.suppress(InputError):
        assert read_recipe(data, "x.jpg")["schema"] == "stylesweep-run/1"


def test_a_cut_off_picture_is_refused() -> None:
    assert "cut off" in refusal(with_text_chunks(png(), {"stylesweep": json.dumps(GOOD)})[:200])


@pytest.mark.parametrize("text", ["", "not json", "[]", "x" * 300_000, '{"a": 1}', "[" * 200_000])
def test_a_picture_with_a_broken_recipe_is_refused(text: str) -> None:
    refusal(with_text_chunks(png(), {"stylesweep": text}))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(
        [
            "alpha",
            "style",
            "content",
            "layers",
            "settings",
            "yardsticks",
            "run_key",
            "layers.style",
            "style.0",
            "settings.steps",
            "regions",
            "regions.0",
            "regions.0.mask",
            "regions.0.style",
            "regions.0.style.0.share",
        ]
    ),
    JSON_VALUES,
)
def test_any_value_in_any_field_is_read_or_refused_and_never_a_crash(path: str, value: Any) -> None:
    recipe = changed(path, value, MASKED)
    with contextlib.suppress(InputError):
        combination_of(read_recipe(json.dumps(recipe).encode(), "x.json"))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_a_sentence(data: bytes) -> None:
    refusal(data)
