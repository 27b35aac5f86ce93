"""What a step costs on the nodes that `stylesweep calibrate` has measured: reads and writes of the table `calibration`."""

from collections.abc import Sequence
from dataclasses import asdict, fields

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.engine import Connection

from db.models import Calibration
from sweep.speed import Measured

_SAME = ("node", "device", "threads", "network", "recipe", "dtype", "size", "pack")
"""What two rows are of the same thing by: the newer replaces the older."""
_COLUMNS = tuple(one.name for one in fields(Measured))


def record(engine: Engine, rows: Sequence[Measured]) -> None:
    """Keep what was measured, in place of what was measured of the same before."""
    with engine.begin() as connection:
        for row in rows:
            connection.execute(delete(Calibration).where(*(getattr(Calibration, name) == getattr(row, name) for name in _SAME)))
            connection.execute(insert(Calibration).values(**asdict(row) | {"versions": dict(row.versions)}))


def measured(connection: Connection) -> list[Measured]:
    """Everything that was measured, the oldest first; some rows for each kind of node, network and size."""
    columns = [getattr(Calibration, name) for name in _COLUMNS]
    return [Measured(**row) for row in connection.execute(select(*columns).order_by(Calibration.id)).mappings()]
