"""The tables of the other workspace, as SQLite names them beside ours, and the map from its runs to ours."""

from sqlalchemy import Column, Integer, MetaData, String, Table

from db.models import Base

_THEIRS = MetaData()
OTHER = {table.name: table.to_metadata(_THEIRS, schema="other").alias(f"their_{table.name}") for table in Base.metadata.sorted_tables}
"""Table name -> the same table of the attached database, under a name of its own: to SQLite `run.id` is ambiguous beside `other.run.id`."""

RUN_MAP = Table(
    "merge_run",
    MetaData(),
    Column("other_id", Integer, primary_key=True),
    Column("run_key", String(64)),
    Column("run_id", Integer),
    Column("verdict", String(8)),
    Column("seq", Integer),
    prefixes=["TEMPORARY"],
)
"""The other's run -> ours. verdict: what becomes of it (db/merge_results.py); seq: the finished_seq that it gets here."""


def names(table: str, *without: str) -> list[str]:
    """The columns of a table, but some."""
    return [column.name for column in Base.metadata.tables[table].columns if column.name not in without]
