"""A small photograph, a drawn style and the real vgg16-hed, for tests that run the real optimiser."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sweep.combination import Combination, LayerSet, Settings, run_key
from sweep.request import RunRequest
from sweep.samples import drawn_style, sample_photograph
from sweep.transfer.images import resized
from sweep.transfer.presets import network_info
from sweep.transfer.weights import Weights, load_weights

LAYERS = LayerSet.of({"relu3_1": 1}, {"relu1_1": 1, "relu2_1": 1}, "two")


@dataclass
class HeldInputs:
    """The `Inputs` of a worker from memory; counts what it is asked for."""

    pictures: Mapping[str, np.ndarray]
    asked: Counter[str] = field(default_factory=Counter)
    masks: dict[str, np.ndarray] = field(default_factory=dict)

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        self.asked[sha256] += 1
        return resized(self.pictures[sha256], long_side)

    def mask(self, sha256: str, long_side: int) -> np.ndarray:
        return resized(self.masks[sha256], long_side)

    def weights(self, network: str, network_hash: str) -> Weights:
        self.asked[network] += 1
        return load_weights(network)


def named(pixels: np.ndarray) -> tuple[str, np.ndarray]:
    return hashlib.sha256(pixels.tobytes()).hexdigest(), pixels


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    return resized(sample_photograph("cat"), 64)


@pytest.fixture(scope="session")
def painting() -> np.ndarray:
    return drawn_style("woodcut", 96)


@pytest.fixture
def held(photograph: np.ndarray, painting: np.ndarray) -> HeldInputs:
    return HeldInputs(dict([named(photograph), named(painting)]))


@pytest.fixture(scope="session")
def request_for(photograph: np.ndarray, painting: np.ndarray) -> Callable[..., RunRequest]:
    """request_for(beta, steps=6, layers=..., **of the request): a real run of about half a second."""

    def made(beta: float = 30.0, *, steps: int = 6, size: int = 48, layers: LayerSet = LAYERS, **fields: object) -> RunRequest:
        settings = Settings(network="vgg16-hed", network_hash=network_info("vgg16-hed").source_hash, size=size, steps=steps)
        combination = Combination(
            content=named(photograph)[0],
            style=((named(painting)[0], 1.0),),
            alpha=1.0,
            beta=beta,
            layers=layers,
            settings=settings,
        )
        run_settings = combination.run_settings()
        return RunRequest(run_key=run_key(run_settings), attempt=1, settings=run_settings, **fields)  # type: ignore[arg-type]

    return made


@pytest.fixture(scope="session")
def sweep_file(photograph: np.ndarray, painting: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """sweep_file(name, betas, steps=..., resources=...): a YAML file beside its two pictures."""
    folder = tmp_path_factory.mktemp("sweeps")
    Image.fromarray(photograph).save(folder / "cat.png")
    Image.fromarray(painting).save(folder / "woodcut.png")

    def made(name: str, betas: list[float], *, steps: int = 6, size: int = 48, resources: str = "{cpus: 1, gpus: 0}") -> Path:
        path = folder / f"{name}.yaml"
        path.write_text(
            f"name: {name}\ncontent: cat.png\nstyle: woodcut.png\n"
            f"parameters:\n  beta: {{values: {betas}}}\n"
            f"settings:\n  network: vgg16-hed\n  size: {size}\n  steps: {steps}\n"
            "  layers: {content: [relu3_1], style: [relu1_1, relu2_1]}\n"
            f"resources: {resources}\n"
        )
        return path

    return made
