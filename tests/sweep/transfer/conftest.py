"""Pictures, random and real weights for the tests of the engine."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sweep.transfer import fetching
from sweep.transfer.networks import Features
from sweep.transfer.presets import layer_names, network_info
from sweep.transfer.targets import Source
from sweep.transfer.weights import Weights, arrays_hash, load_weights


def _random_weights(network: str = "vgg16-hed", seed: int = 0) -> Weights:
    """Random conv layers of the right shapes, scaled so that features neither vanish nor explode."""
    generator = np.random.default_rng(seed)
    arrays, channels_in = {}, 3
    for name in layer_names(network):
        if name.startswith("conv"):
            channels = network_info(network).channels[int(name[4]) - 1]
            spread = (2 / (9 * channels_in)) ** 0.5
            shape = (channels, channels_in, 3, 3)
            arrays[f"{name}.weight"] = generator.standard_normal(shape, dtype=np.float32) * np.float32(spread)
            arrays[f"{name}.bias"] = generator.standard_normal(channels, dtype=np.float32) * np.float32(0.1)
            channels_in = channels
    return Weights(network, arrays, arrays_hash(arrays))


def _smooth_picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A colourful picture with soft shapes, (height, width, 3) uint8."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    waves = [np.sin(2 * np.pi * (a * rows + b * columns) + c) for a, b, c in generator.uniform(-4, 4, size=(9, 3))]
    mixed = np.stack([sum(waves[channel::3]) for channel in range(3)], axis=-1)
    return np.rint(127.5 + 42 * mixed).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def random_weights() -> Callable[..., Weights]:
    return _random_weights


@pytest.fixture(scope="session")
def smooth_picture() -> Callable[..., np.ndarray]:
    return _smooth_picture


@pytest.fixture(scope="session")
def source() -> Callable[..., Source]:
    """source(seed, height, width): a smooth picture under a key of its own."""

    def made(seed: int, height: int = 48, width: int = 64) -> Source:
        return Source(f"smooth-{seed}-{height}x{width}", _smooth_picture(seed, height, width))

    return made


@pytest.fixture(scope="session")
def random_features() -> Features:
    """Up to relu2_1 of random weights: quick."""
    return Features(_random_weights(), "relu2_1")


@pytest.fixture(scope="session")
def hed_weights() -> Weights:
    """The real vgg16-hed."""
    return load_weights("vgg16-hed")


@pytest.fixture(scope="session")
def hed_file() -> bytes:
    """The HDF5 file that the real vgg16-hed is read from, fetched once for all tests."""
    return fetching._hed_file(lambda _: None)


@pytest.fixture(scope="session")
def hed_features(hed_weights: Weights) -> Features:
    return Features(hed_weights, "relu5_1")


@pytest.fixture
def target() -> torch.Tensor:
    """Where the minimum of a quadratic is (problems.bowls), for tests of the optimisers."""
    return torch.rand((1, 3, 4, 5), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def steepness() -> torch.Tensor:
    """How steep it is, pixel by pixel."""
    return torch.rand((1, 3, 4, 5), generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 10 + 0.1


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights cache of the test's own."""
    monkeypatch.setenv("STYLESWEEP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Bit-equality is promised for one thread count; and threads that share busy cores wait for each other many times over."""
    torch.set_num_threads(1)
