"""A real sshd on a loopback port, for this user alone, with keys made for it."""

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd") or next((path for path in ("/usr/sbin/sshd", "/usr/local/sbin/sshd") if os.access(path, os.X_OK)), None)


@dataclass(frozen=True, kw_only=True)
class Sshd:
    """Where it listens and how it is reached."""

    host: str
    port: int
    ssh: str


def _free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    """Started, and ended with every session that it holds."""
    assert SSHD is not None
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # Debian makes it when the service starts
    port = _free_port()
    options = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host_key", "AuthorizedKeysFile": folder / "key.pub",
        "PidFile": "none", "UsePAM": "no", "StrictModes": "no", "PasswordAuthentication": "no", "PermitRootLogin": "prohibit-password",
        "MaxStartups": 50,
    }  # fmt: skip
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=log, start_new_session=True)
        try:
            _until_it_listens(port, process, folder / "sshd.log")
            quiet = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes -o BatchMode=yes"
            ssh = f"ssh -F none -i {shlex.quote(str(folder / 'key'))} -p {port} {quiet}"
            yield Sshd(host=f"{getpass.getuser()}@127.0.0.1", port=port, ssh=ssh)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


def _until_it_listens(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"sshd does not listen: {log.read_text()}")
