"""Starting a Ray on this machine alone, or finding one that runs. With `sweep.cluster` one of the few modules that know Ray."""

import atexit
import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A task without GPUs then sees none; set before Ray is imported, which reads it at once.
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")

import ray
from ray._private import ray_constants
from ray.exceptions import RayError

import psutil  # type: ignore[import-untyped]  # isort: skip  # Ray brings it along and makes it importable

from sweep.errors import InputError, Interrupted, SurroundingsError

CONNECT_SECONDS = 5.0

_NOBODY = "no Ray cluster answers at {address!r} ({said}). Start one with `ray start --head`, or use --address local."


def connect(address: str) -> None:
    """`local` starts a Ray that this machine alone can reach; any other address is that of one that runs.

    Raises:
        InputError: the address is of a kind that cannot stream.
        SurroundingsError: no Ray answers there, or the local one does not start.
    """
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        quiet |= {"num_cpus": os.cpu_count(), "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    elif address != "auto":
        _reachable(address)
    try:
        with _on_loopback() if address == "local" else contextlib.nullcontext():
            ray.init(address=address, **quiet)
    except (KeyboardInterrupt, SystemExit):
        atexit.register(_end_at_once)
        raise
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if address == "local":
            raise SurroundingsError(f"a local Ray does not start: {said} Its logs are in the newest folder of /tmp/ray.") from error
        raise SurroundingsError(_NOBODY.format(address=address, said=said)) from error


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Start a Ray that this machine alone can reach.

    On Linux Ray takes 127.0.0.1 for the machine's outer address and listens on all of them. On other systems it does not;
    this is the switch by which it tells them apart, and nothing public sets it without an environment variable before the import.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _end_at_once() -> None:
    """The end of a process whose `ray.init` was cut off, in place of Ray's own, which crashes on what is only half there."""
    # Ray's agents would outlive their killed raylet by a minute. They are grandchildren of this process, which has no others yet.
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(Interrupted.exit_code)


def autoscaler_file(gcs_address: str) -> str | None:
    """The cluster file that a Ray's autoscaler works by, where that runs on this machine: an argument of its process, and no older file
    of that name that may lie about."""
    for process in psutil.process_iter(["cmdline"]):
        given = dict(word[2:].split("=", 1) for word in process.info["cmdline"] or () if word.startswith("--") and "=" in word)
        if given.get("gcs-address") == gcs_address and "autoscaling-config" in given:
            return str(Path(given["autoscaling-config"]).expanduser())
    return None


def _reachable(address: str) -> None:
    """Ray itself tries an address for a minute before it says so."""
    if address.startswith("ray://"):
        raise InputError("--address ray://... cannot stream results; run on the cluster's head with --address auto, or give its host:port.")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"--address {address!r} is not understood: give local, inline, auto, or host:port, as in 10.0.0.5:6379.")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise SurroundingsError(_NOBODY.format(address=address, said=error)) from error
