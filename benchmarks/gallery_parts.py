"""The command line of benchmarks/gallery.py."""

import argparse
import time
from pathlib import Path


def main(about: str | None) -> None:
    """Parse the command line, write or measure, and print."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, metavar="DIR", help="write a workspace of made-up runs here, and keep it")
    parser.add_argument("--runs", type=int, default=1_000, metavar="N", help="how many distinct runs it has")
    options = parser.parse_args()
    if options.workspace is None:
        parser.error("say with --workspace DIR where to write one")
    from gallery_workspace import made_up

    began = time.monotonic()
    fresh = made_up(options.workspace, options.runs)
    said = f"written in {time.monotonic() - began:.1f} s" if fresh else "is there already"
    print(f"{options.workspace}: {options.runs:,} runs, {said}. Look at it:  stylesweep gallery --workspace {options.workspace}")
