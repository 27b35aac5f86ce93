"""What the gallery costs, in chromium, at 1,000, 10,000 and 100,000 runs; and the workspaces that it is measured on.

    .venv/bin/python benchmarks/gallery.py --workspace DIR --runs N    write a workspace of N made-up runs, and keep it
    .venv/bin/python benchmarks/gallery.py [--quick] [--json] [--parts speed,growth,counts,keys,soak] [--sizes 1000,10000,100000]
        [--turns N] [--in DIR]

`speed`: how long until what was asked for is painted, in turn with a blank page of Streamlit's own, which bears the machine's load as
well. `growth`: flips and filters at the most runs beside those at the fewest, in turn. `counts`: elements and bytes of a rerun, memory
after 200 page flips, pictures in Streamlit's memory. `keys`: 200 keys at ten a second. `soak`: two people browse while a process
finishes 20 runs a second. Every row says how loaded the machine was: ratios and counts bear some load, wall clocks do not. `--quick`
proves no more than that everything is printed.

The file has the name of our package, and Python looks into a script's own folder first. So it puts that folder last on the path; and
where another benchmark means the package and finds this, it gives way to it.
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent.resolve()
sys.path[:] = [*(place for place in sys.path if Path(place or ".").resolve() != HERE), str(HERE)]

if __name__ == "__main__":
    importlib.import_module("gallery_parts").main(__doc__)
else:
    del sys.modules[__name__]
    importlib.import_module(__name__)
