"""What a plan says in one line of what a sweep combines."""

from pathlib import Path

import pytest
from factories import picture_bytes

from sweep.cli.outline import outline
from sweep.spec import parse_spec
from sweep.yaml_file import YamlFile


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parameters: {beta: [1, 2, 3], layers: [deep]}\n", "2 content x 2 style x 3 beta"),
        ("zip: [content, style]\nparameters: {beta: [1, 2]}\n", "2 content with style x 2 beta"),
        (
            "parameters: {recipe: [gatys, pyramid]}\nwhen: {if: {recipe: gatys}, then: {history: [1, 2]}}\nexclude: {content: a.png}\n",
            "2 content x 2 style x 2 recipe; under `when`: history; less what is excluded",
        ),
        (
            "method: random\nruns: 1000\nsearch_seed: 4\nparameters: {beta: {min: 1, max: 9.5}, size: [32, 64]}\n",
            "1,000 by search_seed 4 of 2 content, 2 style, 2 size, beta 1 to 9.5",
        ),
    ],
)
def test_a_space_in_a_line(tmp_path: Path, text: str, said: str) -> None:
    for number, name in enumerate(["a.png", "b.png", "s.png", "t.png"]):
        (tmp_path / name).write_bytes(picture_bytes(number))
    file = YamlFile(f"name: x\ncontent: [a.png, b.png]\nstyle: [s.png, t.png]\n{text}", "s.yaml")
    assert outline(parse_spec(file, tmp_path / "s.yaml").space) == said
