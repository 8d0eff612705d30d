"""Files that are made: reports, baselines, pictures."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from fp8check.rules.writing.attributes import keep_attributes
from fp8check.rules.writing.folder import Folder
from fp8check.rules.writing.new_file import NewFile
from fp8check.rules.writing.old_file import check_replaceable
from fp8check.rules.writing.place import descriptor_of, place_of
from fp8check.rules.writing.undisturbed import undisturbed
from fp8check.rules.writing.unwritable import Unwritable, about

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from fp8check.rules.writing.place import Place


class Output:
    """A file that is being made; it is in its place when the `with` block ends without an error, and only then.

    A pipe, a terminal or /dev/null gets what is written at once; so does /dev/stdout, wherever that leads.

    Raises:
        Unwritable: it cannot be written, or what is there would lose something.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._new: NewFile | None = None
        with about(path):
            number = descriptor_of(path)
            if number is not None:
                self._descriptor = os.dup(number)
                return
            self._place = place_of(path)
            found = _state(self._place)
            if found is not None and not stat.S_ISREG(found.st_mode):
                self._descriptor = _opened(path, self._place.path, found.st_mode)
                return
            self._folder = Folder(self._place.folder)
            try:
                if found is not None:
                    check_replaceable(path, found, writable=os.access(self._place.path, os.W_OK))
                self._new = NewFile(self._folder, 0o666 if found is None else 0o600)
            except BaseException:
                self._folder.close()
                raise
            self._descriptor = self._new.descriptor

    def write(self, data: bytes) -> None:
        """Add to it."""
        left = memoryview(data)
        with about(self._path):
            while left:
                left = left[os.write(self._descriptor, left) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._new is None:
            os.close(self._descriptor)
            return
        with undisturbed(), about(self._path):
            try:
                if kind is None:
                    self._put(self._new)
            finally:
                self._new.close()
                self._folder.close()

    def _put(self, new: NewFile) -> None:
        with suppress(OSError):
            self._folder.try_lock()
            self._folder.sweep()
        if _state(self._place) is None:
            new.sync()
            with suppress(FileExistsError):
                new.place_new(self._place.name)
                self._folder.sync()
                return
        old = os.open(self._place.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            check_replaceable(self._path, os.fstat(old), writable=os.access(self._place.path, os.W_OK))
            keep_attributes(self._path, old, new.descriptor)
        finally:
            os.close(old)
        new.sync()
        new.place_over(self._place.name)
        self._folder.sync()


def write(path: str, data: bytes) -> None:
    """Make a file of these bytes.

    Raises:
        Unwritable: see Output.
    """
    with Output(path) as output:
        output.write(data)


def _state(place: Place) -> os.stat_result | None:
    try:
        return os.lstat(place.path)
    except FileNotFoundError:
        return None


def _opened(named: str, path: str, mode: int) -> int:
    """What is no file on a disk: a pipe that somebody reads, a terminal, /dev/null."""
    if stat.S_ISDIR(mode):
        raise Unwritable(named, "is a directory")
    if not stat.S_ISFIFO(mode) and not stat.S_ISCHR(mode):
        raise Unwritable(named, "is neither a file nor a pipe")
    try:
        # Without O_NONBLOCK this would wait for a reader for ever.
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as problem:
        if stat.S_ISFIFO(mode) and problem.errno == errno.ENXIO:
            raise Unwritable(named, "nobody reads this pipe") from None
        raise
    os.set_blocking(descriptor, True)
    return descriptor
