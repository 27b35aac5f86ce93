"""The commands to start with: samples, the schema of a sweep's file, networks; `sweep.cli.main` takes them in."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
weights_app = typer.Typer(help="Networks and their weights.", no_args_is_help=True)


@app.command()
def samples(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write them.")]) -> None:
    """Write sample photographs, drawn styles and masks to start with."""
    from sweep.samples import write_samples

    write_samples(folder, lambda line: typer.echo(line, err=True))


@app.command()
def schema() -> None:
    """Print the JSON schema of a sweep's file, by which editors complete and check it."""
    import json

    from sweep.schema import sweep_schema

    typer.echo(json.dumps(sweep_schema(), indent=1))


@weights_app.command()
def fetch(network: Annotated[str, typer.Argument(help="vgg19, vgg16 or vgg16-hed.")]) -> None:
    """Download a network's weights and check them; done by `run` too when they are missing."""
    from sweep.transfer.weights import fetch_weights

    fetch_weights(network, lambda line: typer.echo(line, err=True))


@weights_app.command("list")
def list_weights() -> None:
    """List the networks, what each downloads, and which are here."""
    from sweep.cli import showing

    showing.networks()
