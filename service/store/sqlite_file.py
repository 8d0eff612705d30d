"""The file of an SQLite database: for its owner alone. It holds what people sent, and who may see it."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from sqlalchemy import make_url

_OWNER_ONLY = 0o600
_OTHERS = 0o077
# What SQLite keeps beside the file; it gives them the file's own mode when it makes them.
_BESIDE = ("", "-wal", "-shm", "-journal")


class Privacy(NamedTuple):
    """What was done about the mode of the files.

    Attributes:
        tightened: those that others could read, and cannot any more.
        exposed: those that others can still read: they belong to somebody else.
    """

    tightened: tuple[Path, ...]
    exposed: tuple[Path, ...]


def file_of(url: str) -> Path | None:
    """The file of a database URL; None where there is none: another database, or one in memory."""
    parsed = make_url(url)
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or name in ("", ":memory:"):
        return None
    if not name.startswith("file:"):
        return Path(name)
    path = unquote(name.removeprefix("file:").partition("?")[0])
    return None if path in ("", ":memory:") or parsed.query.get("mode") == "memory" else Path(path)


def make_private(path: Path) -> Privacy:
    """Make the file where it is not there, and take from others what they could do with it. Folders that are made are
    the owner's alone, too.

    Raises:
        OSError: it cannot be made.
    """
    if not path.parent.is_dir():
        _make_folders(path.parent)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY))
    tightened: list[Path] = []
    exposed: list[Path] = []
    for one in (Path(f"{path}{end}") for end in _BESIDE):
        try:
            mode = stat.S_IMODE(one.stat().st_mode)
        except FileNotFoundError:
            continue
        if mode & _OTHERS:
            (tightened if _tightened(one, mode) else exposed).append(one)
    return Privacy(tuple(tightened), tuple(exposed))


def _make_folders(folder: Path) -> None:
    """The folder and those above it, each 0700: os.makedirs gives the mode to the last one only."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def _tightened(path: Path, mode: int) -> bool:
    try:
        path.chmod(mode & ~_OTHERS)
    except PermissionError:
        return False
    return True
