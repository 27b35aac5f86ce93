"""Makes the pictures of the README and of docs/controls.md: runs the sweeps in examples/ and lays their results out.

    make docs-pictures
    .venv/bin/python docs/make_pictures.py [NAME ...] [--workspace DIR] [--address inline]

Names are those of sweeps (beta, gatys-figure-3, ...), `inputs` or `gallery`; without any, all are made. What the workspace holds
already is not run again.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from gallery_picture import gallery_pictures
from PIL import Image
from strips import inputs_strip, strip, write_jpeg

DOCS = Path(__file__).parent
ROOT = DOCS.parent
CONTROLS = {path.stem: path for path in sorted((ROOT / "examples/controls").glob("*.yaml"))} | {"masks": ROOT / "examples/masks.yaml"}
SHEETS = {"gatys-figure-3": ("layers", "beta"), "beta-walk": (None, "beta")}
"""Sweeps that a sheet shows, and the parameters along its rows and columns."""
PER_ROW = {"loss": 3}
"""Strips of more than one row."""
STRIP_BYTES, SHEET_BYTES, WINDOW_BYTES = 150_000, 500_000, 250_000


def stylesweep(*words: str | Path) -> None:
    """The command line, as a user types it. Ends this program where it failed."""
    done = subprocess.run([sys.executable, "-m", "sweep.cli.main", *map(str, words)], cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"make_pictures: `stylesweep {' '.join(map(str, words))}` ended with exit code {done.returncode}.")


def sheet(name: str, workspace: Path) -> None:
    """The contact sheet of a sweep as docs/NAME.jpg."""
    rows, columns = SHEETS[name]
    with tempfile.TemporaryDirectory() as folder:
        axes = [word for option, value in (("--rows", rows), ("--columns", columns)) if value for word in (option, value)]
        stylesweep("sheet", name, "--out", folder, "--workspace", workspace, *axes)
        (page,) = Path(folder).iterdir()
        with Image.open(page) as drawn:
            write_jpeg(drawn.convert("RGB"), DOCS / f"{name}.jpg", SHEET_BYTES)


def make(name: str, workspace: Path, address: str) -> None:
    """One picture, its sweep run first."""
    if name == "inputs":
        names = ("photographs/coffee.jpg", "styles/impasto.png", "styles/woodcut.png", "styles/stained-glass.png")
        write_jpeg(inputs_strip([ROOT / "demo" / one for one in names]), DOCS / "controls/inputs.jpg", STRIP_BYTES)
        return
    spec = CONTROLS.get(name) or ROOT / f"examples/{'demo' if name == 'gallery' else name}.yaml"
    stylesweep("run", spec, "--workspace", workspace, "--address", address)
    if name == "gallery":
        for page, picture in gallery_pictures(workspace, "demo").items():
            write_jpeg(picture, DOCS / f"{page}.jpg", WINDOW_BYTES)
    elif name in SHEETS:
        sheet(name, workspace)
    else:
        write_jpeg(strip(workspace, name, PER_ROW.get(name)), DOCS / f"controls/{name}.jpg", STRIP_BYTES)


def main() -> None:
    """Parse the command line and make what it names."""
    every = ["inputs", *CONTROLS, *SHEETS, "gallery"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(every))
    parser.add_argument("--workspace", type=Path, default=ROOT / "docs-workspace")
    parser.add_argument("--address", default="local", help="as for `stylesweep run`")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in every]
    if unknown:
        parser.error(f"there is no picture named {', '.join(unknown)}; choose from {', '.join(every)}.")
    stylesweep("samples", ROOT / "demo")
    for name in options.names or every:
        make(name, options.workspace.absolute(), options.address)


if __name__ == "__main__":
    main()
