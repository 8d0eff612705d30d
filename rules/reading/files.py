"""The one way to read a file that a person, a configuration or a launch line names.

Whatever the name leads to, reading ends: a FIFO, a device, a socket or a folder is refused without being opened, and of
a regular file no more is read than the limit of its kind. Each fault is an Unreadable with its reason and its words.
"""

from __future__ import annotations

import os
import stat

from fp8check.rules.reading.nodes import Unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading.nodes import Reason

# What stat has already told may be another file by the time it is opened: O_NONBLOCK, so that a FIFO does not wait for
# its writer, and O_NOCTTY, so that no terminal becomes ours.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


_asking: list[Asked] = []  # whoever wants to know, now; nearly always nobody


class Asked:
    """The names of the files that are asked for in a `with` block, also of those that are not there.

    Attributes:
        read: of the files that were to be read, in order.
        sought: of those of which only was asked whether they are there.
    """

    __slots__ = ("read", "sought")

    def __init__(self) -> None:
        self.read: list[str] = []
        self.sought: list[str] = []

    def __enter__(self) -> Asked:
        """The names, which come while the block runs."""
        _asking.append(self)
        return self

    def __exit__(self, *_error: object) -> None:
        """No more names come."""
        _asking.remove(self)


def read(path: str, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes.

    Raises:
        Unreadable: it is missing, may not be read, is no regular file, is larger, or reading it fails.
    """
    data = _read(path, limit + 1)
    if len(data) > limit:
        raise too_large(path, limit)
    return data


def read_if_there(path: str, limit: int) -> bytes | None:
    """The same of a file that need not exist; None where nothing has that name.

    Raises:
        Unreadable: something has that name and cannot be read, or its folder does not tell.
    """
    try:
        return read(path, limit)
    except Unreadable as error:
        if error.reason == "absent":
            return None
        raise


def is_there(path: str) -> bool:
    """Whether something has that name, or may have it: only where the system says that nothing does, it is False."""
    for asked in _asking:
        asked.sought.append(path)
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, UnicodeEncodeError):
        return False
    except OSError:
        pass
    return True


def start(path: str, size: int) -> bytes:
    """The first `size` bytes of a regular file, however large it is.

    Raises:
        Unreadable: it is missing, may not be read, is no regular file, or reading it fails.
    """
    return _read(path, size)


def too_large(path: str, limit: int) -> Unreadable:
    """That a file is larger than one of its kind can be."""
    hint = "this is no training configuration" if limit == 1 << 20 else ""
    return Unreadable(path, f"larger than {limit:,} bytes", hint=hint, reason="large")


def _read(path: str, size: int) -> bytes:
    for asked in _asking:
        asked.read.append(path)
    if "\0" in path:
        raise Unreadable(path.replace("\0", "\\0"), "no path contains a NUL character", reason="failed")
    try:
        _check_kind(path, os.stat(path).st_mode)
    except (OSError, UnicodeEncodeError) as error:
        raise _fault(path, error, was_there=False) from error
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            _check_kind(path, os.fstat(descriptor).st_mode)
            return _content(descriptor, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _fault(path, error, was_there=True) from error


def _check_kind(path: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((words for is_one, words in _KINDS if is_one(mode)), "something else")
        hint = "standard input is read with `-`" if kind in ("a FIFO", "a device") else ""
        raise Unreadable(path, f"{kind}, not a regular file", hint=hint, reason="irregular")


def _content(descriptor: int, size: int) -> bytes:
    chunks = []
    while size > 0 and (chunk := os.read(descriptor, min(size, 1 << 20))):
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _fault(path: str, error: OSError | UnicodeEncodeError, *, was_there: bool) -> Unreadable:
    """The fault in words. "absent" is said only where nothing at all has that name."""
    reason: Reason = "failed"
    words = "the path cannot be written in this system's file names"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        if was_there or os.path.islink(path):
            reason, words = "failed", "it is gone again" if was_there else "a link to a file that does not exist"
        else:
            reason, words = "absent", "no such file"
    elif isinstance(error, PermissionError):
        reason, words = "denied", "permission denied"
    elif isinstance(error, OSError):
        words = (error.strerror or str(error)).lower()
    return Unreadable(path, words, reason=reason)
