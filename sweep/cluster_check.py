"""Whether all machines of a Ray cluster run the same versions as the driver: asked of each before anything is computed there.

Two versions of our own code would give two pictures under one key, and two torches two pictures that differ in their last bits. And where
one side wants Ray's token and the other has none, answers come but no stream of events does: the driver would wait for ever.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweep.errors import SurroundingsError

CREDENTIAL = "token"
ANSWER_SECONDS = 120.0
"""For a machine that starts its first worker process while it is busy with other things."""


def check_versions(node_ids: Collection[str] | None = None) -> None:
    """Ask machines of the cluster that this process is connected to; node_ids: only those, of all that are up.

    A machine that is lost meanwhile is left out.

    Raises:
        SurroundingsError: one lacks stylesweep, has another version of something than this process, or does not answer.
    """
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's own
    names = {node["NodeID"]: node["NodeManagerHostname"] for node in nodes if node["Alive"]}
    asked = {_ask(node_id): name for node_id, name in names.items() if node_ids is None or node_id in node_ids}
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS) if asked else ([], [])
    for answer in answered:
        try:
            told: dict[str, str] = ray.get(answer)
        except RayTaskError as error:
            raise SurroundingsError(_lacking(asked[answer], str(error.cause or error))) from error
        except RayError:
            continue  # it was lost meanwhile, and so is nobody's
        if problem := difference(asked[answer], own_versions(), told):
            raise SurroundingsError(problem)
    for one in silent:
        raise SurroundingsError(
            f"node {asked[one]} of the cluster did not say its versions within {ANSWER_SECONDS:.0f} seconds; "
            "look at its logs in /tmp/ray/session_latest/logs, or take it out of the cluster."
        )


def difference(node: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> str | None:
    """What a machine has otherwise than the driver, as a sentence."""
    for what, version in ours.items():
        has = theirs.get(what, "none")
        if has != version and what == CREDENTIAL:
            how = f"RAY_AUTH_MODE={'token' if has == 'wanted' else 'disabled'}"
            return (
                f"node {node} was started with Ray's token {has}, and here it is {version}: nothing would come back from there. "
                f"Set {how} before this command, or start the whole cluster again."
            )
        if has != version:
            return (
                f"node {node} has {what} {has}, but the driver has {version}: runs there would not be the runs that were planned. "
                "Install the same on all machines; `ray up` with the same cluster file does."
            )
    return None


def _lacking(node: str, said: str) -> str:
    return (
        f"node {node} cannot say which version of stylesweep it has ({said.strip().splitlines()[-1]}). "
        "Install the same on all machines; `ray up` with the same cluster file does."
    )


def _ask(node_id: str) -> "ray.ObjectRef[dict[str, str]]":
    on_it = NodeAffinitySchedulingStrategy(node_id, soft=False)
    asking: Any = ray.remote(num_cpus=0, max_retries=0)(_question())
    answer: ray.ObjectRef[dict[str, str]] = asking.options(scheduling_strategy=on_it, name="stylesweep:versions").remote()
    return answer


def _question() -> Callable[[], dict[str, str]]:
    """A closure, so that it travels as it is: a machine without our code, or with older code, could not unpickle a name of this module."""

    def versions() -> dict[str, str]:
        import os
        from importlib import metadata

        import ray

        from sweep import __version__
        from sweep.combination import ENGINE_VERSION

        torch = metadata.version("torch").partition("+")[0]  # '2.13.0+cpu': a head needs no build for a GPU
        token = "wanted" if os.environ.get("RAY_AUTH_MODE", "").lower() == "token" else "not wanted"
        found = {"stylesweep": __version__, "the engine": str(ENGINE_VERSION), "ray": ray.__version__, "torch": torch}
        return found | {"token": token}

    return versions


own_versions = _question()
"""What this process runs, by name."""
