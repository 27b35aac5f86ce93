"""A process that merges one workspace into another, in a child that is killed at its n-th step that touches the disk.

Numbers on standard input; 0 lets it end. `ended STATUS` on standard output.
"""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

from crash.fast_driver import KillPoints
from sqlalchemy import Engine

import db.workspace
from db.merge import merge
from db.workspace import open_workspace


def main() -> None:
    workspace = open_workspace(Path(sys.argv[1]), create=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            points = KillPoints(SimpleNamespace(engine=Engine), int(line) or -1)  # type: ignore[arg-type]
            assert points is not None
            merge(workspace, Path(sys.argv[2]))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    assert db.workspace
    main()
