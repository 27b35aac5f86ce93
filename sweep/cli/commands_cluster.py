"""The commands that speak to a cluster's head from elsewhere; `sweep.cli.main` takes them in."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

Address = Annotated[str, typer.Option("--address", help="The head's job server, through a tunnel say.")]
Cluster = Annotated[
    Path | None, typer.Option("--cluster", help="The file that `ray up` was called with: a tunnel is opened for as long as it is needed.")
]
Name = Annotated[str | None, typer.Argument(metavar="[SWEEP]", help="The sweep's name, or a job's; the one that runs without it.")]
HERE = "http://127.0.0.1:8265"


@app.command()
def submit(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The sweep's YAML file, here.")],
    workspace: Annotated[
        str, typer.Option("--workspace", "-w", envvar="STYLESWEEP_HEAD_WORKSPACE", help="The folder for the results on the head, absolute.")
    ],
    address: Address = HERE,
    cluster: Cluster = None,
    extend: Annotated[bool, typer.Option("--extend", help="As for `run`.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="As for `run`: a large sweep is meant.")] = False,
    max_hours: Annotated[float | None, typer.Option(help="As for `run`.")] = None,
    max_cost: Annotated[float | None, typer.Option(help="As for `run`.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Then follow it, as `attach` does.")] = False,
) -> None:
    """Run a sweep on a cluster: send what it needs to the head, and start it there as a job that outlives this terminal."""
    from sweep.cli import submitting

    options = [word for word, given in (("--extend", extend), ("--yes", yes)) if given]
    for word, number in (("--max-hours", max_hours), ("--max-cost", max_cost)):
        options += [] if number is None else [word, str(number)]
    head = submitting.Head(address=address, cluster=cluster)
    raise typer.Exit(submitting.submit(spec, head, workspace, options, follow=follow))


@app.command()
def attach(sweep: Name = None, address: Address = HERE, cluster: Cluster = None) -> None:
    """Follow a submitted sweep; Ctrl-C only stops following."""
    from sweep.cli import submitting

    raise typer.Exit(submitting.attach(sweep, submitting.Head(address=address, cluster=cluster)))


@app.command("job-logs")
def job_logs(sweep: Name = None, address: Address = HERE, cluster: Cluster = None) -> None:
    """Print all that a submitted sweep's job has printed on the head."""
    from sweep.cli import submitting

    submitting.job_logs(sweep, submitting.Head(address=address, cluster=cluster))


@app.command()
def jobs(
    address: Address = HERE,
    cluster: Cluster = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """List the sweeps that were submitted to a cluster, and how they stand."""
    from sweep.cli import submitting

    submitting.jobs(submitting.Head(address=address, cluster=cluster), as_json=json)
