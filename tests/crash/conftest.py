"""A small real sweep."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from sweep.samples import drawn_style, sample_photograph
from sweep.transfer.images import resized

SweepFile = Callable[..., Path]


@pytest.fixture(scope="session")
def real_sweep(tmp_path_factory: pytest.TempPathFactory) -> SweepFile:
    """real_sweep(name, runs=4, steps=...): a YAML file with its two pictures; 100 steps take about a second."""
    folder = tmp_path_factory.mktemp("sweeps")
    Image.fromarray(resized(sample_photograph("cat"), 64)).save(folder / "cat.png")
    Image.fromarray(drawn_style("woodcut", 96)).save(folder / "woodcut.png")

    def made(name: str, *, runs: int = 4, steps: int = 100, more: str = "") -> Path:
        path = folder / f"{name}.yaml"
        path.write_text(
            f"name: {name}\ncontent: cat.png\nstyle: woodcut.png\n"
            f"parameters:\n  beta: {{values: {[2**i for i in range(runs)]}}}\n"
            f"settings:\n  network: vgg16-hed\n  size: 48\n  steps: {steps}\n"
            "  layers: {content: [relu3_1], style: [relu1_1, relu2_1]}\n"
            f"resources: {{cpus: 1, gpus: 0}}\n{more}"
        )
        return path

    return made
