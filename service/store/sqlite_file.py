"""The file of an SQLite database: for its owner alone, and still the one that was opened.

SQLite goes on writing to a file that was deleted, and says nothing: what it stores is lost with the last process that
has it open. So the file is looked at before and after each commit.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import structlog
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_OWNER_ONLY = 0o600
_OTHERS = 0o077
# What SQLite keeps beside the file; it gives them the file's own mode when it makes them.
_LOG = "-wal"
_BESIDE = ("", _LOG, "-shm", "-journal")
_log = structlog.get_logger()


class Lost(Exception):
    """The file is not the one that was opened: what is written now would not be found again."""


def file_of(url: str) -> SqliteFile | None:
    """The file of a database URL; None where there is none: another database, or one in memory."""
    parsed = make_url(url)
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or name in ("", ":memory:") or "memory" in parsed.query.get("mode", ""):
        return None
    if not name.startswith("file:"):
        return SqliteFile(Path(name).absolute())
    path = unquote(name.removeprefix("file:").partition("?")[0])
    return None if path in ("", ":memory:") else SqliteFile(Path(path).absolute())


class SqliteFile:
    """The file, and which one it was when it was opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[int, int] | None = None  # device and inode
        self._has_log = False

    def connect(self, arguments: list[object], named: MutableMapping[str, object]) -> None:
        """Before a connection: see to it that the file is there the first time, and that later none is made anew.

        Args:
            arguments, named: those of sqlite3.connect(), which are changed.

        Raises:
            OSError: it cannot be made.
        """
        if self._opened is None:
            make_private(self.path)
            self._opened = _identity(self.path)
        if not str(arguments[0]).startswith("file:"):
            arguments[0] = f"file:{quote(str(self.path))}?mode=rw"
            named["uri"] = True

    def check(self) -> None:
        """Raises Lost where the file, or the log beside it, is not the one that was opened any more."""
        now = _identity(self.path)
        if now is None:
            raise Lost("its file was deleted or moved away")
        if now != self._opened:
            raise Lost("its file was replaced by another")
        has_log = os.path.exists(f"{self.path}{_LOG}")
        if self._has_log and not has_log:
            raise Lost("the log beside its file was deleted")
        self._has_log = has_log

    def take(self) -> None:
        """Take the file that is there now for the one to write to. All connections have been closed before.

        Raises:
            Lost: none is there.
        """
        now = _identity(self.path)
        if now is None:
            raise Lost("its file was deleted or moved away")
        make_private(self.path)
        self._opened = now
        self._has_log = False


def make_private(path: Path) -> None:
    """Make the file where it is not there, and take from others what they could do with it. Folders that are made are
    the owner's alone, too.

    Raises:
        OSError: it cannot be made.
    """
    # os.makedirs() gives the mode to the last folder only.
    for folder in reversed([one for one in path.parents if not one.exists()]):
        folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY))
    for one in (Path(f"{path}{end}") for end in _BESIDE):
        with contextlib.suppress(FileNotFoundError):
            _tighten(one, stat.S_IMODE(one.stat().st_mode))


def _tighten(path: Path, mode: int) -> None:
    if not mode & _OTHERS:
        return
    try:
        path.chmod(mode & ~_OTHERS)
    except OSError as error:
        _log.warning("database-is-readable-by-others", file=path.name, advice="chmod 600", error=error.strerror)
    else:
        _log.warning("database-was-readable-by-others", file=path.name, now="for its owner alone")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Lost(f"its file cannot be looked at: {(error.strerror or 'unknown error').lower()}") from error
    return status.st_dev, status.st_ino
