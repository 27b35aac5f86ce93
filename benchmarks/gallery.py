"""What the gallery costs, in chromium, at 1,000, 10,000 and 100,000 runs; and the workspaces that it is measured on.

    .venv/bin/python benchmarks/gallery.py --workspace DIR --runs N    write a workspace of N made-up runs, and keep it

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
