"""The file that is to be replaced: whether it still is what was read, and stays so until it has been."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import time
from contextlib import suppress

from fp8check.rules.writing.kernel import is_shared
from fp8check.rules.writing.unwritable import Unwritable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.writing.place import Place

PATIENCE_S = 1.0  # an editor that saves has its file open for milliseconds
CHANGED = "it has been changed since it was read: nothing was written"


def check_replaceable(named: str, found: os.stat_result, *, writable: bool) -> None:
    """Whether a new file can take the place of this one.

    Raises:
        Unwritable: something would be lost: another name of it, or that it is read-only.
    """
    if stat.S_ISDIR(found.st_mode):
        raise Unwritable(named, "is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise Unwritable(named, "not a regular file")
    if found.st_nlink > 1:
        raise Unwritable(
            named,
            f"not written: it is a hard link, one of {found.st_nlink} names of the file, and would be parted from them",
            hint="make it a file of its own, or a symbolic link",
        )
    if not writable:
        raise Unwritable(named, "permission denied")


class OldFile:
    """An open file that was read before."""

    def __init__(self, place: Place, before: bytes) -> None:
        self._named = place.named
        self._before = before
        self._leased = False
        self.descriptor = os.open(place.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        self.state = os.fstat(self.descriptor)
        try:
            check_replaceable(self._named, self.state, writable=os.access(place.path, os.W_OK))
        except Unwritable:
            self.close()
            raise

    def check(self, folder: int, name: str | None) -> None:
        """Whether it still is what was read, and stands under this name of an open folder.

        Raises:
            Unwritable: somebody wrote it, put another file there, or waits to write it.
        """
        found = os.stat(name, dir_fd=folder, follow_symlinks=False) if name is not None else self.state
        there = (found.st_dev, found.st_ino) == (self.state.st_dev, self.state.st_ino)
        # Whoever opens it to write waits for the end of the lease, with this very file in hand.
        waited_for = self._leased and fcntl.fcntl(self.descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK
        if not there or waited_for or not self._same():
            raise Unwritable(self._named, CHANGED)

    def _same(self) -> bool:
        now = os.fstat(self.descriptor)
        kept = ("st_size", "st_mode", "st_uid", "st_gid", "st_mtime_ns")
        same = all(getattr(now, one) == getattr(self.state, one) for one in kept)
        # Written twice within a tick of the clock, a file has the same time, and may have the same size.
        return same and os.pread(self.descriptor, len(self._before) + 1, 0) == self._before

    def lease(self) -> None:
        """Know from now on whether somebody opens it to write, and have him wait.

        A read lease (fcntl(2), Linux) is refused while somebody has the file open to write, and broken by an open.

        Raises:
            Unwritable: somebody has it open to write.
        """
        if not hasattr(fcntl, "F_SETLEASE"):
            return
        end = time.monotonic() + PATIENCE_S
        with suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETSIG, signal.SIGURG)  # which does nothing; SIGIO ends the process
            while True:
                try:
                    fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
                except BlockingIOError:
                    if is_shared(self.descriptor):
                        return
                    if time.monotonic() > end:
                        raise Unwritable(
                            self._named, "another program has it open to write: nothing was written"
                        ) from None
                    time.sleep(0.02)
                else:
                    self._leased = True
                    return

    def close(self) -> None:
        """Whoever waits to write it goes on."""
        os.close(self.descriptor)
