"""Taking a database back to an older schema, for tests of what opens one."""

import sqlite3

ADDED_LATER = {
    "sweep": ["reason", "deadline", "budget", "archived_at"],
    "run": ["wanted", "lost", "alone", "memory_asked", "gpus_asked"],
    "attempt": ["place", "pack_size", "start_step", "cpus", "gpus", "price_per_hour"],
}
NEW_TABLES = ("checkpoint", "preview", "calibration", "review", "review_tag")


def as_before_schema_0007(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE image DROP COLUMN signature")


def as_before_schema_0006(connection: sqlite3.Connection) -> None:
    as_before_schema_0007(connection)
    for table in NEW_TABLES:
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DROP INDEX ix_run_queue")
    for table, names in ADDED_LATER.items():
        for name in names:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    connection.execute("CREATE INDEX ix_run_queue ON run (state, priority, id)")
