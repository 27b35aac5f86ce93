"""What one worker process holds and is: its networks and targets, its device, its versions, its memory.

Caches live as long as the process: each network is built once, targets and yardstick anchors are computed once.
"""

import contextlib
import platform
import re
import resource
import socket
import subprocess
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import torch

from sweep import __version__
from sweep.errors import SurroundingsError
from sweep.request import Inputs, RunRequest
from sweep.transfer import yardsticks
from sweep.transfer.networks import Features
from sweep.transfer.presets import NETWORKS, layer_names
from sweep.transfer.targets import TargetCache

NETWORKS_KEPT: Final = 2
"""The run's network and the yardsticks'."""
_TARGET_BYTES: Final = 512 * 2**20
_ANCHOR_BYTES: Final = 64 * 2**20


@dataclass(frozen=True)
class Kept:
    """What is computed once and used again, on one device."""

    device: str
    networks: OrderedDict[str, Features] = field(default_factory=OrderedDict)
    """By their weights' hash."""
    targets: TargetCache = field(default_factory=lambda: TargetCache(_TARGET_BYTES))
    """Of every run of this process."""
    anchors: TargetCache = field(default_factory=lambda: TargetCache(_ANCHOR_BYTES))
    """What the yardsticks know of photographs and styles."""


_KEPT: list[Kept] = []


def kept_on(device: str) -> Kept:
    """This process's, for that device. What it kept on another one goes: Ray may give a process now this GPU, now that one."""
    if not _KEPT or _KEPT[0].device != device:
        _KEPT[:] = [Kept(device)]
        _give_back()
    return _KEPT[0]


def forget_targets(device: str) -> None:
    """Drop what is kept on that device but the networks, where memory is short."""
    _KEPT[:] = [Kept(device, networks=kept_on(device).networks)]
    _give_back()


def _give_back() -> None:
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()


def features_of(network: str, network_hash: str, inputs: Inputs, device: str) -> Features:
    """The whole network, once per process and device; a run computes it only as deep as it needs."""
    held = kept_on(device).networks
    if network_hash not in held:
        deepest = [name for name in layer_names(network) if name.startswith("relu")][-1]
        held[network_hash] = Features(inputs.weights(network, network_hash), deepest).to(device)
        while len(held) > NETWORKS_KEPT:
            held.popitem(last=False)
    held.move_to_end(network_hash)
    return held[network_hash]


def meter(inputs: Inputs, device: str) -> yardsticks.YardstickMeter:
    """The yardsticks on that device."""
    info = NETWORKS[yardsticks.NETWORK]
    return yardsticks.YardstickMeter(features_of(info.name, info.source_hash, inputs, device), kept_on(device).anchors, device)


def device_of(request: RunRequest) -> str:
    """Chosen explicitly: a task without a GPU must not touch one, though Ray may let it see all of them."""
    if request.device == "cpu" or (request.device == "auto" and not (request.gpus > 0 and torch.cuda.is_available())):
        return "cpu"
    if not torch.cuda.is_available():
        raise SurroundingsError(f"resources.device is 'cuda', but torch {torch.__version__} on {socket.gethostname()} finds no GPU.")
    return f"cuda:{request.gpu}"


def gpus() -> int:
    """How many this process sees."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def device_name(device: str) -> str:
    """'cpu x86_64', or 'cuda' and the name of the GPU."""
    return f"cuda {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else f"cpu {platform.machine()}"


@cache
def versions() -> dict[str, str]:
    """Package -> version."""
    packages = {name: version(name) for name in ("numpy", "pillow")}
    cuda = {"cuda": torch.version.cuda} if torch.version.cuda else {}
    found = {"commit": _commit(), "gpu_driver": _gpu_driver()}
    own = {"stylesweep": __version__, **{name: value for name, value in found.items() if value}}
    return {**own, "python": platform.python_version(), "torch": str(torch.__version__), **packages, **cuda}


def _commit() -> str | None:
    """Of the checkout that this is run from, with a + where it was changed since; None for an installed package."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None

    def git(*what: str) -> str:
        return subprocess.run(["git", "-C", str(root), *what], capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):  # no git here, or a checkout of somebody else's
        return None


def _gpu_driver() -> str | None:
    """Version of the NVIDIA driver; None where there is none."""
    try:
        told = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return None
    number = re.search(r"\b\d+\.\d+(\.\d+)?\b", told)
    return number[0] if number else None


def peak_memory(on_gpu: int | None) -> int:
    """Bytes: of the GPU where one was used, else the most this process has held (it may be from an earlier run)."""
    if on_gpu is not None:
        return on_gpu
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def forget_peak() -> None:
    """Begin to count this process's peak of memory anew, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def gpu_failure(error: BaseException) -> str | None:
    """Which GPU failed under this process and how, as a sentence; None for any other error. CUDA answers nothing here any more."""
    if not isinstance(error, torch.AcceleratorError):
        return None
    which = ""
    with contextlib.suppress(Exception):  # it may have failed before it said what it is
        gpu = torch.cuda.get_device_properties(_KEPT[0].device)
        which = f" ({gpu.name}, GPU-{gpu.uuid})"
    return f"a GPU of {socket.gethostname()}{which} failed: {(str(error).strip().splitlines() or [type(error).__name__])[0]}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of a device or of the host; torch raises a plain RuntimeError for the latter."""
    said = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(mark in said for mark in ("can't allocate memory", "out of memory", "std::bad_alloc"))
    )
