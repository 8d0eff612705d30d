"""Bringing a database up to date, with Alembic; the migrations lie beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Engine

# Any number that no other program on the same database uses: instances that start together take turns.
_LOCK = 8_081_960_217


def config() -> Config:
    """Alembic's configuration; there is no alembic.ini."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    made.set_main_option("path_separator", "os")
    return made


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to a revision. Several instances may do so at once.

    Raises:
        SQLAlchemyError: the database cannot be reached or changed.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # a table of years takes longer than an answer
        elif engine.dialect.name == "sqlite":
            # sqlite3 begins a transaction before rows are changed, not before tables are: what is made of tables before
            # would stay there when the rest fails, and in the way of the next try.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, revision)
    if engine.dialect.name == "sqlite":
        # What the tables held before is in the log still, until it is written over.
        with engine.connect() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
