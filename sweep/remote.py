"""Reaching another machine with standard tools: ssh and rsync, or a Ray cluster's head through `ray exec` and `ray rsync-down`."""

import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sweep.errors import InputError, SurroundingsError

CONNECT_SECONDS = 20
SILENT_SECONDS = 120
"""A line that says nothing for so long is broken."""
TRIES, PAUSE_SECONDS = 3, 1.0
"""How often what breaks off on the way is tried, and how long is waited before the next time."""
_BROKEN_OFF = (10, 12, 30)
"""rsync's exit codes for a connection that went, a stream that ended too early, and silence."""
_MARK = "stylesweep-says"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command said on the other machine: its exit code, its standard output, and what may say why it failed."""

    code: int
    said: str
    complaint: str


class Remote(Protocol):
    """A machine that runs commands and hands out files."""

    name: str

    def execute(self, script: str) -> Answer:
        """Run a shell script there, in a login shell. Raises SurroundingsError if the machine cannot be reached."""

    def fetch_file(self, source: str, target: Path) -> None:
        """Bring one file; where the target is an older version of it, only what differs is sent."""

    def fetch_files(self, folder: str, names: Sequence[str], target: Path, scratch: str) -> None:
        """Bring files that never change by their names relative to a folder; those that are there no more are left out.

        scratch: a folder there, on the same disk, for passing notes.
        """


def needs(*programs: str) -> None:
    """Refuse to begin without the programs that do the work.

    Raises:
        SurroundingsError: one is not installed.
    """
    for program in programs:
        if shutil.which(program) is None:
            raise SurroundingsError(f"{program} is not installed here; install it (Debian: openssh-client and rsync), here and there.")


def _run(command: Sequence[str], text: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, input=text or "", capture_output=True, text=True, errors="replace", check=False)


def last_line(text: str) -> str:
    """The last thing that was said, which mostly is the reason; without what a terminal would obey."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def _sentence(text: str) -> str:
    """The last thing that was said, for more to follow."""
    return last_line(text).rstrip(".") + "."


class Ssh:
    """`[user@]host` by ssh. command: how ssh is called, with options."""

    def __init__(self, host: str, command: str) -> None:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise InputError(f"--ssh {command!r} cannot be read: {error}. Give it as in 'ssh -i key -p 2222'.") from error
        if not words or host.startswith("-") or not host:
            raise InputError(f"{host!r} is no name of a machine; give [user@]host:/folder.")
        needs(words[0], "rsync")
        self.name = host
        alive = f"ServerAliveInterval={SILENT_SECONDS // 4}"
        self._plain = words
        self._ssh = [*words, "-o", f"ConnectTimeout={CONNECT_SECONDS}", "-o", alive]  # the first that is given counts

    def execute(self, script: str) -> Answer:
        """Run a script in bash as a login shell, which knows the PATH that people set up."""
        done = _run([*self._ssh, self.name, f"bash -lc {shlex.quote(script)}"])
        if done.returncode == 255:
            raise self._unreachable(done.stderr)
        return Answer(code=done.returncode, said=done.stdout, complaint=last_line(done.stderr))

    def fetch_file(self, source: str, target: Path) -> None:
        """By rsync, against the older version that lies there."""
        self._rsync(["--times", f"{self.name}:{source}", str(target)])

    def fetch_files(self, folder: str, names: Sequence[str], target: Path, scratch: str) -> None:
        """By one rsync; what came of a file when the line broke is gone on from next time."""
        once = ["--times", "--ignore-existing", "--partial-dir=.rsync-partial", "--files-from=-"]
        self._rsync([*once, f"{self.name}:{folder}/", f"{target}/"], "\n".join(names))

    def _rsync(self, words: Sequence[str], text: str | None = None) -> None:
        options = ["--protect-args", f"--timeout={SILENT_SECONDS}", "-e", shlex.join(self._ssh)]
        done = _run(["rsync", *options, *words], text)
        for _ in range(TRIES - 1):
            if done.returncode not in _BROKEN_OFF:
                break
            time.sleep(PAUSE_SECONDS)
            done = _run(["rsync", *options, *words], text)
        if done.returncode in (0, 23, 24):  # some files were not there; who asked for them looks
            return
        if "command not found" in done.stderr or done.returncode == 127:
            raise SurroundingsError(f"{self.name} has no rsync; install it there (Debian: apt-get install rsync).")
        if "unexplained error (code 255)" in done.stderr or done.returncode == 255:
            raise self._unreachable(done.stderr)
        raise SurroundingsError(
            f"rsync from {self.name} failed: {_sentence(done.stderr)} Run the same command again; it goes on from there."
        )

    def _unreachable(self, said: str) -> SurroundingsError:
        reasons = [line for line in said.splitlines() if line.strip() and "rsync" not in line]
        return SurroundingsError(
            f"{self.name} cannot be reached: {_sentence(reasons[-1] if reasons else said)} See that `{shlex.join(self._plain)} {self.name} "
            "true` works (--ssh gives options), and run the same command again; it goes on where it was."
        )


class RayHead:
    """The head of the cluster that a file of `ray up` describes."""

    def __init__(self, file: Path) -> None:
        needs("ssh", "rsync")
        self.name = f"the head of {file}"
        self._file = file
        beside = Path(sys.executable).parent / "ray"
        self._ray = str(beside) if beside.is_file() else "ray"

    def execute(self, script: str) -> Answer:
        """By `ray exec`, which mixes what Ray says with what the script says: the script's lines are marked."""
        mark = f"{_MARK}-{secrets.token_hex(4)}"
        wrapped = f"({script}) 2> >(sed 's/^/{mark} ! /') | sed 's/^/{mark} | /'; echo {mark} = ${{PIPESTATUS[0]}}; sleep 0.2"
        # No login shell within: `ray exec` opens one, and sources .bashrc, where a cluster's file has put stylesweep on the PATH.
        done = _run([self._ray, "exec", str(self._file), f"bash -c {shlex.quote(wrapped)}"])
        lines = [line.rstrip("\r").partition(mark)[2][1:] for line in done.stdout.splitlines() if mark in line]
        ended = [line[2:] for line in lines if line.startswith("= ")]
        if not ended:
            raise self._unreachable(done.stderr or done.stdout)
        said = "\n".join(line[2:] for line in lines if line.startswith("| "))
        return Answer(code=int(ended[-1]), said=said, complaint=last_line("\n".join(line[2:] for line in lines if line.startswith("! "))))

    def fetch_file(self, source: str, target: Path) -> None:
        """By `ray rsync-down`."""
        self._rsync("rsync-down", source, str(target))

    def fetch_files(self, folder: str, names: Sequence[str], target: Path, scratch: str) -> None:
        """`ray rsync-down` takes folders alone, so those files are linked into one there first."""
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("".join(f"{name}\n" for name in names))
            file.flush()
            self._rsync("rsync-up", file.name, f"{scratch}/names")
        chosen, listed = shlex.quote(f"{scratch}/chosen"), shlex.quote(f"{scratch}/names")
        link = f"rm -rf {chosen}; mkdir {chosen} && cd {shlex.quote(folder)} && xargs -d '\\n' -a {listed} cp --link --parents -t {chosen}"
        self.execute(f"{link}; true")  # a file that is not there is missed by who asked for it
        self._rsync("rsync-down", f"{scratch}/chosen/", f"{target}/")

    def _rsync(self, which: str, source: str, target: str) -> None:
        done = _run([self._ray, which, str(self._file), source, target])
        if done.returncode != 0:
            raise self._unreachable(done.stderr or done.stdout)

    def _unreachable(self, said: str) -> SurroundingsError:
        return SurroundingsError(
            f"{self.name} cannot be reached: {_sentence(said)} See that `ray exec {self._file} true` works, and run the same command "
            "again; it goes on where it was."
        )
