"""Creates the tables, and brings those of an earlier version up to date, within one transaction."""

from __future__ import annotations

from sqlalchemy import Connection, insert, inspect, select, text, update

from .tables import VERSION, jobs, metadata, versions

_LOCK = 0x696D6773
"""The advisory lock of PostgreSQL under which one node makes the tables: "imgs" in ASCII."""


class OtherVersion(Exception):
    """The tables were written by a version that is not known here."""


def prepare(connection: Connection) -> None:
    """Create or upgrade the tables; of several nodes one does it while the others wait. Raises `OtherVersion`."""
    if connection.dialect.name == "sqlite":
        _prepare_sqlite(connection)
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    present = inspect(connection).has_table(versions.name)
    if present and connection.scalar(select(versions.c.version)) != VERSION:
        raise OtherVersion
    if not present:
        metadata.create_all(connection)
        connection.execute(insert(versions).values(version=VERSION))


def _prepare_sqlite(connection: Connection) -> None:
    found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if found == VERSION:
        return
    if found not in (0, 1):
        raise OtherVersion
    metadata.create_all(connection)
    if found == 1:
        _upgrade_from_1(connection)
    connection.execute(insert(versions).values(version=VERSION))
    connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")


def _upgrade_from_1(connection: Connection) -> None:
    """Version 1 kept all bytes in one row, had leases that end, and named a result before it was there."""
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN result_name TEXT")
    for table in ("jobs", "keys"):
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN apart BOOLEAN DEFAULT 0 NOT NULL")
    connection.exec_driver_sql("ALTER TABLE jobs DROP COLUMN leased_until")
    connection.execute(update(jobs).where(jobs.c.state == "completed").values(result_name=jobs.c.optimized_name))
    connection.exec_driver_sql(
        "INSERT INTO storage (key_id, bytes) SELECT key_id, SUM(original_size + optimized_size) FROM jobs GROUP BY 1"
    )
    connection.exec_driver_sql("DROP TABLE stored")
