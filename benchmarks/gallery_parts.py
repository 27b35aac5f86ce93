"""The command line of benchmarks/gallery.py."""

import argparse
import contextlib
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path


def main(about: str | None) -> None:
    """Parse the command line, write or measure, and print."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--workspace", type=Path, metavar="DIR", help="write a workspace of made-up runs here, keep it, and measure nothing"
    )
    parser.add_argument("--runs", type=int, default=1_000, metavar="N", help="how many distinct runs it has")
    parser.add_argument("--quick", action="store_true", help="two small sizes, few turns")
    parser.add_argument("--json", action="store_true", help="a list of rows for machines instead of the table")
    parser.add_argument("--parts", default="speed,growth,counts,keys,soak", help="which, with commas between")
    parser.add_argument("--sizes", help="how many runs, with commas between; 1000,10000,100000 unless told")
    parser.add_argument("--turns", type=int, help="how often what is timed is done; pages are loaded a fifth of that")
    parser.add_argument("--in", dest="folder", type=Path, metavar="DIR", help="make the workspaces here and keep them for the next time")
    options = parser.parse_args()
    if options.workspace is not None:
        write(options.workspace, options.runs)
    else:
        measure(options)


def write(folder: Path, runs: int) -> None:
    """Write a workspace and say so."""
    from gallery_workspace import made_up

    began = time.monotonic()
    fresh = made_up(folder, runs)
    said = f"written in {time.monotonic() - began:.1f} s" if fresh else "is there already"
    print(f"{folder}: {runs:,} runs, {said}. Look at it:  stylesweep gallery --workspace {folder}")


def measure(options: argparse.Namespace) -> None:
    """Run the parts that were asked for and print their rows."""
    from gallery_soak import soak
    from gallery_speed import Part, Plan, benches, counts, growth, keys, speed

    parts: dict[str, Part] = {"speed": speed, "growth": growth, "counts": counts, "keys": keys, "soak": soak}
    plan = Plan(sizes=(1_000, 10_000, 100_000), turns=30, loads=6, warm=20, flips=200, keys=200, soak_seconds=60.0)
    if options.quick:
        plan = Plan(sizes=(200, 1_000), turns=3, loads=1, warm=5, flips=10, keys=20, soak_seconds=10.0)
    if options.sizes:
        plan = Plan(**{**asdict(plan), "sizes": tuple(int(one) for one in options.sizes.split(","))})
    if options.turns:
        plan = Plan(**{**asdict(plan), "turns": options.turns, "loads": max(1, options.turns // 5)})
    rows = []
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        at = benches(stack, folder.absolute())
        for part in options.parts.split(","):
            for row in parts[part](plan, at):
                rows.append(row)
                if not options.json:
                    print(row.line(), flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
