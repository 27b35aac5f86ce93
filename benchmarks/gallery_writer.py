"""A driver that has nothing to compute: claims queued runs and finishes so many a second, through the store as the real one does.

    gallery_writer.py WORKSPACE RATE SECONDS

Prints a JSON object: how many were finished, in how many seconds, the longest transaction, and how it ended. Pictures are those that the
workspace has already: writing them anew is what costs, and that is done.
"""

import json
import random
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent.resolve()
sys.path[:] = [*(place for place in sys.path if Path(place or ".").resolve() != HERE), str(HERE)]  # gallery.py here is not the package

from sqlalchemy import select  # noqa: E402

from db.drivers import become_driver, resign  # noqa: E402
from db.models import Image, Run  # noqa: E402
from db.store import ClaimedRun, Store  # noqa: E402
from db.workspace import Workspace, open_workspace  # noqa: E402
from sweep import events  # noqa: E402
from sweep.transfer.yardstick_names import ALL_NAMES  # noqa: E402

TURN_SECONDS = 0.25
PICTURES = 20


def pictures(workspace: Workspace) -> list[events.PictureFile]:
    """Some results of the workspace, as a worker sends them."""
    columns = (Image.sha256, Image.format, Image.width, Image.height, Image.mean_colour, Image.thumbnail, Image.signature)
    with workspace.reader().connect() as connection:
        rows = connection.execute(select(*columns).join(Run, Run.output == Image.sha256).distinct().limit(PICTURES)).all()
    return [
        events.PictureFile(
            data=workspace.artifacts.get(row.sha256, row.format), format=row.format, width=row.width, height=row.height,
            mean_colour=row.mean_colour, thumbnail=workspace.artifacts.get(str(row.thumbnail), "webp"), signature=row.signature,
        )
        for row in rows
    ]  # fmt: skip


def told(run: ClaimedRun, picture: events.PictureFile) -> list[events.Event]:
    """All that a worker says of a run."""
    chance = random.Random(run.run_id)
    this = {"run_key": run.run_key, "attempt": run.attempt}
    measured: dict[str, float | None] = {name: chance.uniform(0.2, 0.9) for name in ALL_NAMES}
    points = tuple(events.LossPoint(step, 256, 0.2, 1 / (step + 1), 0.01) for step in range(40))
    return [
        events.Started(node="node-1", pid=1, device="cpu", versions={"torch": "2.13.0"}, **this),
        events.Progress(points=points, **this),
        events.Finished(
            picture=picture, yardsticks=measured, protocol="y1", steps=40, seconds=2.0, optimise_seconds=1.9, peak_memory=10**9, **this
        ),
    ]


def write(workspace: Workspace, rate: float, seconds: float) -> dict[str, float | str]:
    """Finish runs for so long, or until none is queued."""
    store = Store(workspace.writer(), workspace.artifacts)
    owner, holder = become_driver(store.engine, "made up")
    if owner is None:
        raise SystemExit(f"{holder} drives this workspace")
    known, finished, slowest = pictures(workspace), 0, 0.0
    began = time.monotonic()
    with store.connected():
        while (now := time.monotonic()) - began < seconds:
            due = int((now - began + TURN_SECONDS) * rate) - finished
            runs = store.claim(owner, due)
            if not runs and due:
                break
            news = [event for number, run in enumerate(runs) for event in told(run, known[(finished + number) % len(known)])]
            with store.batch(news):
                for event in news:
                    if isinstance(event, events.Started):
                        store.started(owner, event)
                    elif isinstance(event, events.Progress):
                        store.progress(owner, [event])
                    elif isinstance(event, events.Finished):
                        store.finished(owner, event)
            finished += len(runs)
            slowest = max(slowest, time.monotonic() - now)
            time.sleep(max(0.0, now + TURN_SECONDS - time.monotonic()))
    spent = time.monotonic() - began
    resign(store.engine, owner)
    return {"finished": finished, "seconds": spent, "slowest": slowest}


if __name__ == "__main__":
    print(json.dumps(write(open_workspace(Path(sys.argv[1]), create=False), float(sys.argv[2]), float(sys.argv[3]))))
