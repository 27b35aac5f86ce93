"""Jobs on a cluster's head, through Ray's job server: how a laptop starts a sweep there and looks at it, with no Ray of its own.

A sweep's jobs are called `stylesweep-HASH-N`; HASH is of the workspace and the sweep's name, N counts. The name is the lock: two that
start the same sweep at one moment ask for one name, and the server refuses the second.
"""

import contextlib
import hashlib
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from sweep.errors import InputError, SurroundingsError, WorkspaceBusy

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
OVER = ("SUCCEEDED", "FAILED", "STOPPED")
_OURS = re.compile(r"stylesweep-([0-9a-f]{12})-(\d+)")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job of ours. exit_code: of the `stylesweep run` on the head, once it has ended by itself."""

    id: str
    sweep: str
    workspace: str
    state: str
    exit_code: int | None
    message: str
    began: float

    @property
    def over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state in OVER


def family(workspace: str, sweep: str) -> str:
    """What the names of all jobs of a sweep begin with."""
    told = f"{workspace}\n{sweep}".encode()
    return f"stylesweep-{hashlib.sha256(told).hexdigest()[:12]}"


class JobServer:
    """The job server of a cluster. Every method raises SurroundingsError when it does not answer, or wants another token."""

    def __init__(self, address: str) -> None:
        """Connect.

        Raises:
            InputError: the address is none of a job server.
            SurroundingsError: nobody answers there, or our token is refused.
        """
        if not re.match(r"https?://", address):
            raise InputError(
                f"--address {address!r} is not understood: give the job server's, as in {DEFAULT_ADDRESS}. "
                "A tunnel to it: `ray dashboard cluster.yaml`; or give --cluster cluster.yaml instead."
            )
        self.address = address
        if "RAY_AUTH_MODE" not in os.environ and (Path.home() / ".ray" / "auth_token").is_file():
            os.environ["RAY_AUTH_MODE"] = "token"  # a server that wants no token takes one too
        # Not before: Ray reads that when it is imported, and a process that has a token refuses workers of a cluster that has none.
        from ray.job_submission import JobSubmissionClient

        for name in ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):  # which set their own levels
            logging.getLogger(name).setLevel(logging.ERROR)
        os.environ["RAY_API_SERVER_ADDRESS"] = address  # which goes before any address, and is before RAY_ADDRESS
        with self._understood():
            self._client = JobSubmissionClient(address)

    def jobs(self) -> list[Job]:
        """All of ours, the oldest first."""
        with self._understood():
            listed = self._client.list_jobs()
        return sorted((_job(one) for one in listed if _OURS.fullmatch(one.submission_id or "")), key=lambda job: job.began)

    def job(self, job_id: str) -> Job:
        """One of ours as it stands now."""
        with self._understood():
            return _job(self._client.get_job_info(job_id))

    def start(self, entrypoint: str, workspace: str, sweep: str) -> Job:
        """Start a sweep's next job; it asks for no CPU, as the work is the workers'.

        Raises:
            WorkspaceBusy: the sweep has one that is not over.
        """
        name = family(workspace, sweep)
        earlier = [job for job in self.jobs() if job.id.startswith(name)]
        number = 1 + max((int(job.id.rpartition("-")[2]) for job in earlier), default=0)
        if going := [job for job in earlier if not job.over]:
            raise WorkspaceBusy(_BUSY.format(sweep=sweep, job=going[-1].id))
        job_id = f"{name}-{number}"
        metadata = {"sweep": sweep, "workspace": workspace}
        with self._understood():
            try:
                self._client.submit_job(entrypoint=entrypoint, submission_id=job_id, metadata=metadata, entrypoint_num_cpus=0)
            except RuntimeError as error:
                if "already exists" in str(error) or "already been used" in str(error):
                    raise WorkspaceBusy(_BUSY.format(sweep=sweep, job=job_id)) from error
                raise
        return self.job(job_id)

    def ask(self, entrypoint: str, package: Path) -> str:
        """Run a short job in a copy of a folder; its output. Afterwards the head forgets it.

        Raises:
            SurroundingsError: it failed; the message holds its last words.
        """
        with self._understood():
            job_id = self._client.submit_job(entrypoint=entrypoint, runtime_env={"working_dir": str(package)}, entrypoint_num_cpus=0)
            while (info := self._client.get_job_info(job_id)).status not in OVER:
                time.sleep(0.2)
            said = self._client.get_job_logs(job_id)
            self._client.delete_job(job_id)
        if info.status != "SUCCEEDED":
            last = (said.strip() or info.message or "it says nothing").splitlines()[-1]
            raise SurroundingsError(f"the head could not run `{entrypoint}`: {last}. Is stylesweep in the Python that Ray uses there?")
        return said

    def log(self, job_id: str) -> str:
        """Everything that the job has printed so far."""
        with self._understood():
            return str(self._client.get_job_logs(job_id))

    async def lines(self, job_id: str) -> AsyncIterator[str]:
        """What the job prints, line by line from its beginning, until it is over."""
        rest = ""
        with self._understood():
            async for text in self._client.tail_job_logs(job_id):
                *whole, rest = (rest + text).split("\n")
                for line in whole:
                    yield line
        if rest:
            yield rest

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        """Ray's errors, and those of what it speaks HTTP with, in our words."""
        from ray.exceptions import AuthenticationError

        try:
            yield
        except AuthenticationError as error:
            raise SurroundingsError(
                f"the cluster at {self.address} refuses our token. It must be the one in the head's ~/.ray/auth_token: copy it to "
                "~/.ray/auth_token here, or name its file in RAY_AUTH_TOKEN_PATH, and set RAY_AUTH_MODE=token."
            ) from error
        except (ConnectionError, requests.RequestException, OSError) as error:
            raise SurroundingsError(
                f"no job server answers at {self.address}. Is the cluster up, and the tunnel to it (`ray dashboard cluster.yaml`)?"
            ) from error
        except RuntimeError as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise SurroundingsError(f"the job server at {self.address} cannot do that: {said[-1][:300]}") from error


_BUSY = "the sweep {sweep!r} is running there already, as {job}. `stylesweep attach {sweep!r}` follows it."


def _job(info: "JobDetails") -> Job:
    metadata: dict[str, Any] = info.metadata or {}
    return Job(
        id=info.submission_id or "",
        sweep=metadata.get("sweep", "?"),
        workspace=metadata.get("workspace", "?"),
        state=str(info.status.value),
        exit_code=info.driver_exit_code,
        message=info.message or "",
        began=(info.start_time or 0) / 1000,
    )
