"""A way to the head's job server: ssh, as Ray's own `ray dashboard CLUSTER.YAML` opens it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sweep.errors import InputError, SurroundingsError

OPEN_SECONDS = 90.0


@contextlib.contextmanager
def tunnel(cluster: Path) -> Iterator[str]:
    """The job server's address here while the tunnel is open.

    Raises:
        InputError: there is no such file.
        SurroundingsError: the head cannot be reached; the message holds what Ray or ssh said.
    """
    if not cluster.is_file():
        raise InputError(f"--cluster {cluster}: there is no such file. It is the one that `ray up` was called with.")
    port = _free_port()
    ray = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [*ray, "dashboard", str(cluster), "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us; the tunnel is closed afterwards
        )
        try:
            if not _opened(process, port):
                said.seek(0)
                words = " ".join(said.read().split())[-400:]
                raise SurroundingsError(f"the head of {cluster} cannot be reached. Is the cluster up? Ray says: {words}")
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _opened(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + OPEN_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        time.sleep(0.1)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
