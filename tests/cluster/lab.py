"""Machines of one's own, made of namespaces: each with its own network, hostname, processes, /tmp and home, and a real sshd.

Nothing of it outlives the processes: a namespace goes with the last of them, and they go with the process that made them.
`ray stop` on such a machine ends what runs there and reaches nothing outside.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NEEDED = {"sshd": "openssh-server", "ssh": "openssh-client", "rsync": "rsync", "ip": "iproute2", "unshare": "util-linux"}
SUBNET = "10.77.0"
HOME = "/home/sweeper"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# It has an address too and forwards nowhere, so that who looks for a cloud or the Internet is told at once that there is none.
SWITCH = f"""
ip link add bridge type bridge && ip addr add {SUBNET}.254/24 dev bridge && ip link set bridge up
sysctl -qw net.ipv4.ip_forward=1
exec sleep infinity
"""

# Run inside the new namespaces, with the machine's own folder as $1 and its name as $2; the rest are folders that must be seen
# under their own names although they lie where something private is laid over them. The home is the user's in /etc/passwd, as
# `~` is for ssh, bash and Python.
BOOT = """
set -eu
own=$1 name=$2; shift 2
mount --make-rprivate /
hostname "$name"
mkdir -p /mnt
mount --bind "$own" /mnt
mkdir -p /mnt/tmp /mnt/home /mnt/shm /mnt/run /mnt/seen
number=0
for folder in "$@"; do
    number=$((number + 1)); mkdir -p /mnt/seen/$number; mount --bind "$folder" /mnt/seen/$number
done
mount -t tmpfs tmpfs /mnt/shm
mount --bind /mnt/shm /dev/shm
mount --bind /mnt/tmp /tmp && chmod 1777 /tmp
mount -t tmpfs tmpfs /home && mkdir /home/sweeper && mount --bind /mnt/home /home/sweeper
mount --bind /mnt/run /run && mkdir -p /run/sshd
number=0
for folder in "$@"; do
    number=$((number + 1)); mkdir -p "$folder"; mount --bind /mnt/seen/$number "$folder"
done
sed 's|^\\(root:[^:]*:[^:]*:[^:]*:[^:]*:\\)[^:]*|\\1/home/sweeper|' /etc/passwd > /mnt/passwd
mount --bind /mnt/passwd /etc/passwd
ip link set lo up
echo booted > /mnt/booted
sleep infinity & wait  # bash, as process 1, buries the orphans that Ray leaves
"""


def missing() -> str | None:
    """Why there can be no such machines here, or None."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    lacking = [package for command, package in NEEDED.items() if shutil.which(command, path=PATH) is None]
    if lacking:
        return f"needs {', '.join(lacking)}"
    tried = subprocess.run(["unshare", "--net", "--pid", "--mount", "--uts", "--fork", "true"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"namespaces are not allowed here: {tried.stderr.strip()}"


@dataclass(frozen=True)
class Machine:
    """A machine that is up."""

    name: str
    ip: str
    folder: Path
    holder: "subprocess.Popen[bytes]"
    pid: int

    @property
    def home(self) -> Path:
        """Its home, seen from outside."""
        return self.folder / "home"

    def command(self, *words: str | Path) -> list[str]:
        """The command that runs `words` on it."""
        environment = [f"HOME={HOME}", f"PATH={PATH}", "USER=root", "LANG=C.UTF-8", "TERM=dumb"]
        return ["nsenter", "--target", str(self.pid), "--all", f"--wdns={HOME}", "env", "-i", *environment, *map(str, words)]

    def start(self, *words: str | Path, **options: Any) -> "subprocess.Popen[str]":
        """Start a command on it."""
        return subprocess.Popen(self.command(*words), text=True, stdin=subprocess.DEVNULL, **options)

    def run(self, *words: str | Path, timeout: float = 300, check: bool = True) -> str:
        """Run a command on it and return what it says, errors too."""
        done = subprocess.run(
            self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=timeout
        )
        assert not check or done.returncode == 0, f"{self.name}: {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout


class Lab:
    """Machines on one bridge."""

    def __init__(self, folder: Path, seen: Mapping[str, Path]) -> None:
        self.folder = folder
        self.machines: dict[str, Machine] = {}
        self._seen = list(seen.values())
        self._processes: list[subprocess.Popen[bytes]] = []
        self._switch = self._held("unshare", "--net", "sh", "-c", SWITCH)
        _until(lambda: b"bridge" in _in_net(self._switch.pid, "ip", "-o", "link", "show", "up").stdout)

    def boot(self, name: str) -> Machine:
        """A machine with an address of its own."""
        number = len(self.machines) + 1
        ip = f"{SUBNET}.{number}"
        folder = self.folder / name
        folder.mkdir()
        spaces = ("--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child=SIGKILL", "--mount-proc")
        holder = self._held("unshare", *spaces, "bash", "-c", BOOT, "boot", str(folder), name, *map(str, self._seen))
        _until(lambda: (folder / "booted").exists() or holder.poll() is not None)
        assert holder.poll() is None, f"{name} did not boot"
        pid = int(Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()[0])
        _run("ip", "link", "add", f"port{number}", "netns", str(self._switch.pid), "type", "veth", "peer", "eth0", "netns", str(pid))
        _in_net(self._switch.pid, "ip", "link", "set", f"port{number}", "master", "bridge", "up").check_returncode()
        for words in (f"addr add {ip}/24 dev eth0", "link set eth0 up", f"route add default via {SUBNET}.254"):
            _in_net(pid, "ip", *words.split()).check_returncode()
        self.machines[name] = machine = Machine(name, ip, folder, holder, pid)
        return machine

    def serve_ssh(self, machine: Machine, public_key: str) -> None:
        """A real sshd that lets in who has the key."""
        ssh = machine.home / ".ssh"
        ssh.mkdir(mode=0o700)
        (ssh / "authorized_keys").write_text(public_key)
        machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/mnt/host_key")
        settings = {
            "HostKey": "/mnt/host_key",
            "PidFile": "none",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "UsePAM": "no",
            "StrictModes": "no",
            "PrintMotd": "no",
            "AuthorizedKeysFile": f"{HOME}/.ssh/authorized_keys",
        }
        (machine.folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        sshd = self._held(*machine.command("/usr/sbin/sshd", "-D", "-e", "-f", "/mnt/sshd_config"), log=machine.folder / "sshd.log")
        _until(lambda: "Server listening" in (machine.folder / "sshd.log").read_text() or sshd.poll() is not None)

    def close(self) -> None:
        """End it: every process of a machine ends with the first of its namespace."""
        for process in reversed(self._processes):
            process.kill()
        for process in self._processes:
            process.wait(30)

    def _held(self, *command: str, log: Path | None = None) -> "subprocess.Popen[bytes]":
        """A process that is ended with this one, even if this one is killed."""
        with contextlib.ExitStack() as opened:
            out = opened.enter_context(log.open("ab")) if log else None
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self._processes.append(process)
        return process


@contextlib.contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """A lab whose machines all see this checkout, its Python and what else lies in `STYLESWEEP_CACHE`'s folder."""
    made = Lab(folder, seen())
    try:
        yield made
    finally:
        made.close()


def seen() -> dict[str, Path]:
    """Folders that machines share, as they would have their own copies of them."""
    from sweep.transfer.weights import cache_folder

    root = Path(__file__).parent.parent.parent
    folders = {"checkout": root, "environment": Path(sys.prefix), "python": Path(sys.base_prefix), "weights": cache_folder()}
    return {name: path.resolve() for name, path in folders.items()}


def _run(*command: str) -> "subprocess.CompletedProcess[bytes]":
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done


def _in_net(pid: int, *command: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", *command], capture_output=True)


def _until(true: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
