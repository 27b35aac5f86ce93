"""`stylesweep`: the commands and their options."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sweep import __version__
from sweep.cli import commands_cluster, commands_keeping, commands_starting
from sweep.cli.ending import ended
from sweep.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption
from sweep.errors import InputError

app = typer.Typer(
    name="stylesweep",
    help="Sweeps over neural style transfer: run one YAML file of combinations, browse the results, export the best.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

SweepName = Annotated[str, typer.Argument(help="The sweep's name.")]
SweepOrRun = Annotated[str, typer.Argument(metavar="SWEEP|RUN", help="A sweep's name, or a run key or its beginning.")]
Spec = Annotated[Path, typer.Argument(metavar="SPEC", help="The sweep's YAML file.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stylesweep {__version__}")
        raise typer.Exit


@app.callback()
def _top(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """Shown by --help; see the app's own text."""


@app.command()
def plan(
    spec: Spec,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    address: Annotated[str, typer.Option(help="As for `run`: the time on that Ray cluster, and not on this machine.")] = "local",
    json: JsonOption = False,
) -> None:
    """Show what a sweep would run: combinations, runs shared and reused, time and disk. Runs nothing."""
    from sweep.cli import planning

    planning.plan(spec, workspace, as_json=json, address=address)


@app.command()
def run(
    spec: Annotated[Path, typer.Argument(metavar="SPEC|SWEEP", help="The sweep's YAML file, or the name of one that is recorded.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    address: Annotated[
        str, typer.Option(help="`local` starts a Ray here; `auto` or host:port uses a running one; `inline` does without Ray.")
    ] = "local",
    json: JsonOption = False,
    extend: Annotated[bool, typer.Option("--extend", help="Add a rather different file to the sweep of that name.")] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="When another process drives the workspace: wait and watch.")] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Run a large sweep without asking.")] = False,
    max_hours: Annotated[float | None, typer.Option(help="Pause the sweep after so many hours; run again goes on.")] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="Pause the sweep when so much is spent, by resources.price_per_hour of its file.")
    ] = None,
    log: Annotated[bool, typer.Option("--log", hidden=True, help="Progress as the JSON lines that `attach` reads.")] = False,
) -> None:
    """Run a sweep, or go on with it: what is done already is never run again."""
    from sweep.cli import going_on, running

    options = running.RunOptions(
        workspace=workspace,
        address=address,
        as_json=json,
        extend=extend,
        follow=follow,
        log=log,
        yes=yes,
        max_hours=running.limit("--max-hours", max_hours),
        max_cost=running.limit("--max-cost", max_cost),
    )
    raise typer.Exit(going_on.go_on(str(spec), options) if going_on.recorded(spec, workspace) else running.run(spec, options))


@app.command()
def calibrate(
    spec: Annotated[Path | None, typer.Argument(metavar="[SPEC]", help="A sweep's YAML file: only what it needs is measured.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    network: Annotated[str | None, typer.Option(help="One network; without it, those that the sweep uses or that are here.")] = None,
    sizes: Annotated[str, typer.Option(help="Long sides of the picture in pixels, as 128,256.")] = "",
    address: Annotated[
        str, typer.Option(help="`local` measures this machine; `auto` or host:port every kind of node of a Ray cluster.")
    ] = "local",
    json: JsonOption = False,
) -> None:
    """Measure what a step costs here, so that `plan` knows how long a sweep takes."""
    from sweep.cli import calibrating

    options = calibrating.CalibrateOptions(
        workspace=workspace, network=network, sizes=calibrating.read_sizes(sizes), address=address, as_json=json
    )
    calibrating.calibrate(spec, options)


@app.command()
def status(
    sweep: Annotated[str | None, typer.Argument(help="The sweep's name; all sweeps without it.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    everything: Annotated[bool, typer.Option("--all", help="Archived sweeps too.")] = False,
) -> None:
    """Show where the sweeps stand."""
    from sweep.cli import showing

    showing.status(sweep, workspace, as_json=json, archived=everything)


@app.command()
def runs(
    sweep: Annotated[str, typer.Argument(help="The sweep's name.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
) -> None:
    """List a sweep's combinations, the best first within each content-style pair."""
    from sweep.cli import showing

    showing.runs(sweep, workspace, as_json=json)


@app.command()
def logs(run: Annotated[str, typer.Argument(help="A run key, or its beginning.")], workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Show every attempt at a run: where, how long, and the traceback if it failed."""
    from sweep.cli import showing

    showing.logs(run, workspace)


@app.command()
def retry(
    what: Annotated[str, typer.Argument(metavar="SWEEP|RUN", help="A sweep's name, or a run key or its beginning.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Queue failed, diverged, quarantined and cancelled runs again; `stylesweep run` then runs them."""
    from sweep.cli import showing

    showing.retry(what, workspace)


@app.command()
def pause(sweep: SweepName, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Stop a sweep for a while: nothing of it starts, and what runs stops at its next step and goes on from there later."""
    from sweep.cli import steering

    steering.pause(sweep, workspace)


@app.command()
def resume(sweep: SweepName, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Go on with a sweep that was paused or cancelled."""
    from sweep.cli import steering

    steering.resume(sweep, workspace)


@app.command()
def cancel(what: SweepOrRun, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Give up what is left of a sweep, or one run. What is done stays, and so do runs that another sweep wants."""
    from sweep.cli import steering

    steering.cancel(what, workspace)


@app.command()
def priority(
    what: SweepOrRun,
    value: Annotated[int, typer.Argument(metavar="N", help="Higher ones start first; 0 unless told. Give a negative one after `--`.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Say what starts first: a sweep before others, or a run before all sweeps."""
    from sweep.cli import steering

    steering.priority(what, value, workspace)


@app.command()
def gallery(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8501,
    host: Annotated[str, typer.Option(help="The address to listen on; one that others reach needs a token.")] = "127.0.0.1",
    new_token: Annotated[bool, typer.Option("--new-token", help="Make a token that visitors need; the printed address has it.")] = False,
) -> None:
    """Serve the gallery on 127.0.0.1. Visitors need the token in STYLESWEEP_TOKEN, where that is set."""
    from gallery.guard import chosen_access

    access = chosen_access(host, new_token=new_token)
    from gallery.server import serve

    serve(workspace, port, access)


@app.command()
def export(
    sweep: Annotated[str, typer.Argument(help="The sweep's name.")],
    out: Annotated[Path, typer.Option("--out", help="A folder, or a file that ends in .zip.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    top: Annotated[int | None, typer.Option("--top", min=1, help="The best N of the sweep.")] = None,
    per_pair: Annotated[int | None, typer.Option("--per-pair", min=1, help="The best N of each content-style pair.")] = None,
    by: Annotated[str, typer.Option("--by", help="The yardstick to order by; a wrong one lists them all.")] = "balance",
    preset: Annotated[
        str, typer.Option("--preset", help="`archive`: everything. `share`: without the inputs. `table`: no pictures.")
    ] = "archive",
    opaque: Annotated[bool, typer.Option("--opaque", help="Leave pictures of transparent photographs opaque.")] = False,
    runs: Annotated[str, typer.Option("--runs", metavar="KEY,...", help="Just these runs, in this order: keys or their beginnings.")] = "",
    form: Annotated[str, typer.Option("--form", help="`png`: as it was made. `jpeg`, `webp`: smaller.")] = "png",
    reviews: Annotated[bool, typer.Option("--reviews/--no-reviews", help="With your stars, flags and tags.")] = True,
) -> None:
    """Write the best pictures with their recipes, a table and a contact sheet."""
    from sweep.cli import taking

    named = tuple(key.strip() for key in runs.split(",") if key.strip())
    if runs and not named:
        raise InputError(f"--runs {runs!r} names no run; give run keys or their beginnings, with commas between them.")
    selection = taking.Selection(sweep=sweep, top=top, per_pair=per_pair, by=by, runs=named)
    bundle = taking.Bundle(preset=preset, form=form, alpha=not opaque, reviews=reviews)
    raise typer.Exit(taking.export(selection, out, workspace, bundle))


@app.command()
def inspect(file: Annotated[Path, typer.Argument(help="A picture made by stylesweep, or a recipe.")], json: JsonOption = False) -> None:
    """Show the recipe inside a picture."""
    from sweep.cli import taking

    taking.inspect(file, as_json=json)


@app.command()
def rerun(
    what: Annotated[str, typer.Argument(metavar="FILE|RUN", help="A picture, a recipe, or a run key or its beginning.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    size: Annotated[int | None, typer.Option(min=16, help="Another size, in pixels, as `size` in a sweep's file.")] = None,
    address: Annotated[str, typer.Option(help="As for `run`.")] = "local",
    inputs: Annotated[Path | None, typer.Option("--inputs", help="A folder to look for the input pictures in.")] = None,
) -> None:
    """Make a picture again from the recipe inside its file, larger if you like."""
    from sweep.cli import taking

    raise typer.Exit(taking.rerun(what, taking.RerunOptions(workspace=workspace, size=size, address=address, inputs=inputs)))


@app.command()
def sheet(
    sweep: Annotated[str, typer.Argument(help="The sweep's name.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write it to.")],
    rows: Annotated[str | None, typer.Option(help="The parameter down the rows; chosen unless told.")] = None,
    columns: Annotated[str | None, typer.Option(help="The parameter along the columns; chosen unless told.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Draw a sweep as one labelled contact sheet, a parameter along each axis."""
    from sweep.cli import taking

    taking.sheet(sweep, out, workspace, (rows, columns))


app.registered_commands += commands_keeping.app.registered_commands
app.registered_commands += commands_starting.app.registered_commands
app.registered_commands += commands_cluster.app.registered_commands
app.add_typer(commands_starting.weights_app, name="weights")


def main() -> None:
    """Run the command line; a user's error becomes one message and an exit code, never a traceback."""
    sys.exit(ended(lambda: app(standalone_mode=False)))


if __name__ == "__main__":
    main()
