"""What stands under `style`: regions beside pictures and blends, and that whatever is wrong with them ends as one sentence."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from factories import picture_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep.combination import Combination, RunSettings, normalised_weights, run_key
from sweep.errors import SpecError
from sweep.spec import SweepSpec, parse_spec
from sweep.yaml_file import YamlFile

ODD = ("a{b}c", "{content}", "odd [1]*?", "~root", "{0.__class__}", "%s $HOME")
FILES = ["cat.jpg", "dog.jpg", "starry.jpg", "scream.jpg", "wave.jpg", "regions", *(f"odd/{name}.jpg" for name in ODD)]
MASKS = ["masks/cat-sky.png", "masks/dog-sky.png", "masks/cat-ground.png", "masks/dog-ground.png", "masks/all.png"]
MASKS += [f"masks/{name}-sky.png" for name in ODD] + ["cat/sky.png", "dog/sky.png", "sky/cat.png", "sky/dog.png"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures to name, in a folder whose own name holds the placeholder."""
    folder = tmp_path_factory.mktemp("styles") / "in {content}"
    for number, name in enumerate(FILES + MASKS):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(picture_bytes(number))
    return folder


def parse(style: str, folder: Path, content: str = "[cat.jpg, dog.jpg]") -> SweepSpec:
    return parse_spec(YamlFile(f"name: x\ncontent: {content}\nstyle:\n{style}\n", "s.yaml"), folder / "s.yaml")


def combinations(spec: SweepSpec) -> list[Combination]:
    sha256 = {path: str(path) for path in spec.picture_paths()}
    return [one.combination for one in spec.combinations(sha256, dict.fromkeys(spec.network_files(), "h"))]


TWO = """\
  - starry.jpg
  - {starry.jpg: 0.7, scream.jpg: 0.3}
  - regions:
      - {mask: "masks/{content}-sky.png", style: starry.jpg}
      - mask: masks/{content}-ground.png
        style: {scream.jpg: 3, wave.jpg: 1}
"""


def test_regions_stand_beside_pictures_and_blends(folder: Path) -> None:
    spec = parse(TWO, folder)
    assert [style.name() for style in spec.styles] == [
        "starry.jpg",
        "0.3 scream.jpg + 0.7 starry.jpg",
        "starry.jpg in sky.png + (0.75 scream.jpg + 0.25 wave.jpg) in ground.png",
    ]
    found = combinations(spec)
    assert [one.regions for one in found if one.content == str(folder / "cat.jpg")] == [
        (),
        (),
        (
            (str(folder / "masks/cat-ground.png"), ((str(folder / "scream.jpg"), 0.75), (str(folder / "wave.jpg"), 0.25))),
            (str(folder / "masks/cat-sky.png"), ((str(folder / "starry.jpg"), 1.0),)),
        ),
    ]


def test_each_photograph_gets_its_own_masks_and_none_of_anothers(folder: Path) -> None:
    for one in combinations(parse(TWO, folder))[2::3]:
        assert {Path(mask).name.partition("-")[0] for mask, _ in one.regions} == {Path(one.content).stem}


def test_the_style_of_regions_is_the_mean_of_theirs(folder: Path) -> None:
    shares = dict(combinations(parse(TWO, folder))[2].style)
    assert {Path(name).name: share for name, share in shares.items()} == {"starry.jpg": 0.5, "scream.jpg": 0.375, "wave.jpg": 0.125}


def test_a_mask_without_a_placeholder_is_every_photographs(folder: Path) -> None:
    found = combinations(parse("  - regions: [{mask: masks/all.png, style: wave.jpg}]\n", folder))
    assert {mask for one in found for mask, _ in one.regions} == {str(folder / "masks/all.png")}


def test_the_order_of_regions_and_the_size_of_shares_do_not_make_another_run(folder: Path) -> None:
    regions = ['{mask: "masks/{content}-sky.png", style: {wave.jpg: 7}}', "{mask: masks/all.png, style: {scream.jpg: 6, wave.jpg: 4}}",
               '{mask: "./masks/{content}-ground.png", style: {wave.jpg: 0.4, scream.jpg: 0.6}}']  # fmt: skip
    keys = set()
    for order in itertools.permutations(regions):
        found = combinations(parse(f"  - regions: [{', '.join(order)}]\n", folder))
        keys.add(tuple(run_key(one.run_settings()) for one in found))
    assert len(keys) == 1 and len(set(keys.pop())) == 2


@pytest.mark.parametrize("name", ODD)
def test_a_photographs_name_is_put_in_as_it_is(folder: Path, name: str) -> None:
    written = "odd/" + name.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]") + ".jpg"
    spec = parse('  - regions: [{mask: "masks/{content}-sky.png", style: wave.jpg}]\n', folder, content=f"['{written}']")
    assert [Path(mask).name for one in combinations(spec) for mask, _ in one.regions] == [f"{name}-sky.png"]


@pytest.mark.parametrize(
    ("mask", "name"),
    [
        ("masks/{content}-sky.png", "sky.png"), ("{content}/sky.png", "sky.png"), ("sky/{content}.png", "sky"),
        ("masks/all.png", "all.png"),
    ],
)  # fmt: skip
def test_a_region_goes_by_what_its_mask_is_called_beside_the_photographs_name(folder: Path, mask: str, name: str) -> None:
    spec = parse(f'  - regions: [{{mask: "{mask}", style: wave.jpg}}]\n', folder)
    assert spec.styles[0].name() == f"wave.jpg in {name}"


def test_equal_entries_are_one_and_an_absolute_mask_is_taken_as_it_is(folder: Path) -> None:
    spec = parse("  - regions: [{mask: masks/all.png, style: wave.jpg}]\n" * 2, folder)
    assert len(spec.styles) == 1
    spec = parse(
        f'  - regions: [{{mask: "{folder.parent}/in {{content}}/masks/all.png", style: wave.jpg}}]\n', folder, "['odd/{content}.jpg']"
    )
    assert spec.picture_paths()[-1] == folder / "masks/all.png"


def test_a_picture_called_regions_may_still_be_blended(folder: Path) -> None:
    spec = parse("  - {regions: 1, wave.jpg: 3}\n", folder)
    assert combinations(spec)[0].regions == ()
    assert combinations(spec)[0].style == normalised_weights({str(folder / "regions"): 1, str(folder / "wave.jpg"): 3})


ONE = "{mask: masks/all.png, style: wave.jpg}"


@pytest.mark.parametrize(
    ("style", "parts"),
    [
        ("regions: []", ["line 4, style[0].regions", "[] is not allowed", "list of regions"]),
        ("regions: ", ["style[0].regions", "None is not allowed"]),
        ("regions: masks/all.png", ["'masks/all.png' is not allowed: it is a list"]),
        ("regions: {mask: masks/all.png, style: wave.jpg}", ["it is a list of regions"]),
        (f"regions: [{ONE}]\n    wave.jpg: 0.3", ["line 5, style[0].wave.jpg", "nothing else may stand"]),
        ("regions: [wave.jpg]", ["style[0].regions[0]", "'wave.jpg' is not allowed", "A region is written {mask:"]),
        ("regions: [[]]", ["[] is not allowed"]),
        ("regions: [{mask: masks/all.png}]", ["A region is written"]),
        ("regions: [{mask: masks/all.png, style: wave.jpg, share: 2}]",
         ["line 4, style[0].regions[0].share", "no such key", "Allowed here: mask, style"]),
        ("regions: [{mask: 3, style: wave.jpg}]", ["style[0].regions[0].mask", "3 is not allowed", "path of a picture"]),
        ("regions: [{mask: '', style: wave.jpg}]", ["'' is not allowed"]),
        ("regions: [{mask: [masks/all.png], style: wave.jpg}]", ["['masks/all.png'] is not allowed"]),
        ("regions: [{mask: {content}, style: wave.jpg}]", ["{'content': None} is not allowed", '"{content}" in quotes']),
        ("regions: [{mask: masks, style: wave.jpg}]", ["style[0].regions[0].mask", "'masks' is a folder", "one picture"]),
        ("regions: [{mask: gone.png, style: wave.jpg}]",
         ["line 4, style[0].regions[0].mask: 'gone.png'", "there is no file", "mask of 'cat.jpg'", 'Write "{content}"']),
        ('regions: [{mask: "masks/{content}-gone.png", style: wave.jpg}]', ["there is no file", "cat-gone.png", "mask of 'cat.jpg'"]),
        ('regions: [{mask: "masks/{contents}-sky.png", style: wave.jpg}]', ["there is no file", "{contents}-sky.png"]),
        ("regions: [{mask: masks/*.png, style: wave.jpg}]", ["there is no file"]),
        ("regions: [{mask: ~no-such-user/x.png, style: wave.jpg}]", ["'~no-such-user/x.png' is not a path that can be looked for"]),
        (f"regions: [{{mask: {'x' * 5000}, style: wave.jpg}}]", ["is not a path that can be looked for: "]),
        ('regions: [{mask: "a\\0b", style: wave.jpg}]', ["'a\\x00b': there is no file"]),
        ("regions: [{mask: masks/all.png, style: gone.jpg}]", ["style[0].regions[0].style", "there is no file 'gone.jpg'"]),
        ("regions: [{mask: masks/all.png, style: '*.jpg'}]", ["style[0].regions[0].style", "names 5 pictures", "a region takes one"]),
        ("regions: [{mask: masks/all.png, style: {}}]", ["{} is not allowed. A style is"]),
        ("regions: [{mask: masks/all.png, style: {wave.jpg: -1}}]", ["style[0].regions[0].style", "-1"]),
        ("regions: [{mask: masks/all.png, style: {wave.jpg: much}}]", ["style.wave.jpg", "'much' is not allowed: a share is"]),
        ("regions: [{mask: masks/all.png, style: {regions: [1]}}]", ["regions[0].style.regions", "a share is a finite number"]),
        (f"regions: [{ONE}, {ONE}]", ["style[0].regions[1].mask", "given to two regions", "a blend as its style"]),
        (f"regions: [{', '.join([ONE] * 200)}]", ["there are 200 regions; at most 16 are allowed"]),
    ],
)  # fmt: skip
def test_whatever_is_wrong_with_regions_is_one_sentence(folder: Path, style: str, parts: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        parse(f"  - {style}\n", folder)
    message = str(caught.value)
    assert message.startswith("s.yaml, line ") and "\n" not in message and len(message) < 800
    for part in parts:
        assert part in message


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["masks/all.png", "wave.jpg", "{content}"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["mask", "style", "regions", "wave.jpg", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES, st.sampled_from(["entry", "regions", "region", "mask", "style"]))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_any_value_in_the_place_of_any_other_is_a_style_or_a_sentence(folder: Path, value: Any, place: str) -> None:
    region = {"mask": "masks/all.png", "style": "wave.jpg"}
    entry = {
        "entry": value, "regions": {"regions": value}, "region": {"regions": [value, region]},
        "mask": {"regions": [{**region, "mask": value}]}, "style": {"regions": [{**region, "style": value}]},
    }[place]  # fmt: skip
    text = yaml.safe_dump({"name": "x", "content": "cat.jpg", "style": [entry]})
    try:
        found = combinations(parse_spec(YamlFile(text, "s.yaml"), folder / "s.yaml"))
    except SpecError as error:
        assert str(error).startswith("s.yaml") and "\n" not in str(error) and len(str(error)) < 2000
        return
    for one in found:
        assert RunSettings.from_canonical(one.run_settings().canonical()).regions == one.regions
