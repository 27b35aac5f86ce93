"""What sweeping costs here: our driver against a bare loop over Ray tasks and against Ray Tune, 100 slots, memory, real runs.

    .venv/bin/python benchmarks/sweep.py [--quick] [--json] [--parts costs,tune,slots,memory,real] [--turns N]

The first four are measured with fake runs (sweep_fakes.py); `real` optimises pictures and needs the samples and `vgg16-hed`. Every row
says how loaded the machine was: CPU times and ratios of what took turns bear some load, wall clocks do not. `--quick` takes a minute and
proves no more than that everything is printed.

The file has the name of our package, and Python looks into a script's own folder first. So it puts that folder last on the path; and
where another benchmark, or a worker of Ray, means the package and finds this, it gives way to it.
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent.resolve()
sys.path[:] = [*(place for place in sys.path if Path(place or ".").resolve() != HERE), str(HERE)]

if __name__ == "__main__":
    importlib.import_module("sweep_parts").main(__doc__)
else:
    del sys.modules[__name__]
    importlib.import_module(__name__)
