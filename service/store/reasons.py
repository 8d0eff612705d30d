"""Why a database does not do what it is asked, in words that everybody may read: no statement, no value, no path."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from fp8check.service.store.sqlite_file import Lost

# By how SQLite's own message begins.
_SQLITE = {
    "database or disk is full": "the disk is full, or the file may not grow",
    "disk I/O error": "the disk does not take it: full, at a limit, or broken",
    "attempt to write a readonly database": "it is read-only",
    "unable to open database file": "its file cannot be opened",
    "database is locked": "another process has locked it",
    "database table is locked": "another process has locked it",
    "database disk image is malformed": "its file is damaged",
    "file is not a database": "its file is no database",
    "no such table": "its tables are gone",
}
# By the SQLSTATE of PostgreSQL, or its class.
_POSTGRES = {
    "53100": "the disk is full",
    "53": "it lacks memory, room or connections",
    "25006": "it is read-only",
    "57": "it is shutting down, or starting",
    "55": "another process has locked it",
    "28": "it does not accept the user",
    "42": "its tables are not those of this release",
    "08": "the connection is broken",
}


def reason(error: Exception) -> str:
    """Why it failed."""
    if isinstance(error, Lost):
        return str(error)
    if isinstance(error, OSError):
        return f"its file cannot be used: {(error.strerror or type(error).__name__).lower()}"
    if isinstance(error, PoolTimeout):
        return "all connections are taken"
    if not isinstance(error, SQLAlchemyError):
        return str(error) or type(error).__name__
    if not isinstance(error, DBAPIError):
        return type(error).__name__
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        return _POSTGRES.get(state) or _POSTGRES.get(state[:2]) or f"SQLSTATE {state}"
    message = str(error.orig)
    known = next((words for begin, words in _SQLITE.items() if message.startswith(begin)), None)
    if known is None and type(error.orig).__module__.startswith("psycopg"):
        known = "it cannot be reached"
    return known or type(error).__name__
