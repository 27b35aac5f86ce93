"""The documentation: that its examples run, that what it names exists, and that it leaves no control out."""

import re
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from factories import made_up_workspace
from PIL import Image

from sweep.axes import PARAMETERS
from sweep.samples import DRAWN_STYLES, MASKS, PHOTOGRAPHS, drawn_style, sample_mask, sample_photograph
from sweep.spec import load_spec
from sweep.transfer import controls
from sweep.transfer.presets import LAYER_SETS, NETWORKS, RECIPES
from sweep.transfer.recipe import NUMBERS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
CONTROLS = (DOCS / "controls.md").read_text()


@pytest.fixture(scope="module")
def beside_the_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples as they lie in a clone where `stylesweep samples demo` has run; the styles are one, shifted, which is faster."""
    root = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "examples", root / "examples")
    pictures = {f"photographs/{name}.jpg": sample_photograph(name) for name in PHOTOGRAPHS}
    pictures |= {f"masks/{name}.png": sample_mask(name) for name in MASKS}
    style = drawn_style("stained-glass", 32)
    pictures |= {f"styles/{name}.png": np.roll(style, number, axis=0) for number, name in enumerate(DRAWN_STYLES)}
    for name, pixels in pictures.items():
        path = root / "demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return root


@pytest.mark.parametrize("example", [path.relative_to(ROOT) for path in EXAMPLES], ids=str)
def test_every_example_can_be_planned(beside_the_demo: Path, example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sweep.cli.planning import plan

    plan(beside_the_demo / example, beside_the_demo / "none", as_json=False)
    said = capsys.readouterr().out
    assert re.match(rf"{re.escape(example.stem)}: \d+ combinations? needs? \d+ runs?\n", said), said


def test_the_figure_of_the_paper_is_its_grid() -> None:
    """Gatys et al. 2015, figure 3: five nested layer sets, four ratios, from noise."""
    text = (ROOT / "examples/gatys-figure-3.yaml").read_text()
    for line in ("layers: [upto1, upto2, upto3, upto4, upto5]", "init: noise"):
        assert line in text
    betas = re.search(r"beta: \[([\d., ]+)\]", text)
    assert betas is not None and len(betas[1].split(",")) == 4


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_and_heading_that_a_page_names_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    for link in links:
        if re.match(r"[a-z]+://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} names {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} names {link}"


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings: lower case, without punctuation, blanks as hyphens."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [*PARAMETERS, "snapshots"])
def test_the_page_of_controls_names_every_parameter(name: str) -> None:
    assert f"`{name}" in CONTROLS


@pytest.mark.parametrize("name", [name for name, parameter in PARAMETERS.items() if parameter.default is not None])
def test_the_page_of_controls_says_what_is_neutral(name: str) -> None:
    default = PARAMETERS[name].default
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    assert f"`{name}: {shown}`" in CONTROLS


@pytest.mark.parametrize("name", NUMBERS)
def test_the_page_of_controls_says_what_the_recipes_have(name: str) -> None:
    recipe = NUMBERS[name].recipe
    own = getattr(RECIPES[recipe], name)
    if name in ("later_steps", "levels"):
        assert re.search(rf"### .*{name}", CONTROLS) and (own is None or f"`{name}`: `{recipe}`'s own is {own};" in CONTROLS)
    else:
        assert f"| `{name}` | `{recipe}` | {f'{own:.4g}'.replace('e-08', 'e-8')} |" in CONTROLS
    assert all(f"`{recipe}`" in CONTROLS and str(numbers.steps) in CONTROLS for recipe, numbers in RECIPES.items())


def test_the_page_of_controls_names_every_choice() -> None:
    kinds = (controls.Init, controls.SizeBy, controls.Pooling, controls.Padding, controls.Colors, controls.StyleLoss, controls.Loss)
    choices = [*LAYER_SETS, *NETWORKS, *RECIPES, *get_args(controls.Dtype), *(choice for kind in kinds for choice in get_args(kind))]
    between = {"upto2", "upto3", "upto4"}
    assert [choice for choice in choices if not re.search(rf"`(?:\w+: )?{choice}`", CONTROLS) and choice not in between] == []


@pytest.mark.parametrize("example", sorted((ROOT / "examples/controls").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_control_has_its_strip_and_varies_that_alone(example: Path, beside_the_demo: Path) -> None:
    assert f"(controls/{example.stem}.jpg)" in CONTROLS and f"(../examples/controls/{example.name})" in CONTROLS
    spec = load_spec(beside_the_demo / example.relative_to(ROOT))
    varying = {name for name, axis in spec.axes.items() if len(axis.values) > 1}
    allowed = {"init": {"init", "seed"}, "loss": {"loss", "beta"}, "blend": set()}
    assert varying == allowed.get(example.stem, {example.stem.replace("-", "_")})


def test_the_pictures_of_the_pages_are_no_burden() -> None:
    assert {path.name for path in DOCS.glob("controls/*") if path.stat().st_size > 150_000} == set()
    assert {path.name for path in DOCS.glob("*.jpg") if path.stat().st_size > 500_000} == set()


@pytest.fixture
def strips(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(DOCS)
    import strips

    return strips


def test_a_strip_shows_each_picture_at_its_own_size_above_its_label(strips: object) -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    cells = [(Image.new("RGB", (60, 40), colour), f"beta {index}") for index, colour in enumerate(colours)]
    pixels = np.asarray(strips.laid_out(cells, 2))  # type: ignore[attr-defined]
    boxes = [np.argwhere((pixels == colour).all(axis=2)) for colour in colours]
    tops = [tuple(box.min(axis=0)) for box in boxes]
    assert [len(box) for box in boxes] == [60 * 40] * 3
    assert tops[0][0] == tops[1][0] < tops[2][0] and tops[0][1] == tops[2][1] < tops[1][1]
    below = pixels[tops[2][0] + 42 :, tops[2][1] : tops[2][1] + 60]
    assert below.min() < 60  # words, dark on paper


def test_a_strip_shows_a_run_once_and_refuses_unfinished_sweeps(strips: object, tmp_path: Path) -> None:
    done, unfinished = tmp_path / "done", tmp_path / "unfinished"
    workspace = made_up_workspace(done)
    with workspace.reader().connect() as connection:
        runs = connection.exec_driver_sql("SELECT COUNT(DISTINCT run_id) FROM combination").scalar_one()
    one = strips.strip(done, "demo", 1)  # type: ignore[attr-defined]
    both = strips.strip(done, "demo")  # type: ignore[attr-defined]
    assert one.height > 0.9 * runs * (both.height - 30) and both.width > 0.9 * runs * (one.width - 16)
    made_up_workspace(unfinished, unfinished=1)
    with pytest.raises(SystemExit, match="not all runs of demo are done"):
        strips.strip(unfinished, "demo")  # type: ignore[attr-defined]
