"""The folder in which files are put in place: one fp8check at a time, and nothing of an earlier one stays."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import suppress

from fp8check.rules.writing.unwritable import Unwritable

PATIENCE_S = 10.0  # to write files takes another fp8check some milliseconds
# The number says which file it was made for: a file of a checkout cannot be named like that by chance or on purpose.
BESIDE = ".fp8check-{inode:x}-{chance}.tmp"
_BESIDE = r"\.fp8check-([0-9a-f]+)-[0-9a-f]{12}\.tmp"


class Folder:
    """An open folder."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._alone = False  # whether no other fp8check is in it

    @property
    def identity(self) -> tuple[int, int]:
        """The same for two names of one folder, and an order for all."""
        found = os.fstat(self.descriptor)
        return found.st_dev, found.st_ino

    def lock(self) -> None:
        """Keep every other fp8check out until the folder is closed; nothing where the file system has no locks.

        Raises:
            Unwritable: another one has been in it for too long.
        """
        import time

        end = time.monotonic() + PATIENCE_S
        with suppress(OSError):
            while not self.try_lock():
                if time.monotonic() > end:
                    raise Unwritable(self.path, "another program keeps this folder locked (flock); nothing was changed")
                time.sleep(0.01)

    def try_lock(self) -> bool:
        """Keep every other fp8check out, if none is in it.

        Raises:
            OSError: the file system has no locks.
        """
        self._alone = locked(self.descriptor)
        return self._alone

    def sweep(self) -> None:
        """Remove what an earlier fp8check was killed over.

        That is a file beside another, with the number of its own inode, if it never came to its place, or with that of
        the file whose place it had. Nobody works on it: its lock is free; and where the old file stands beside the new
        one, that is no sign, and only whoever is alone in the folder may remove it.
        """
        found = {}
        inodes = set()
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                inodes.add(entry.inode())
                match = re.fullmatch(_BESIDE, entry.name) if entry.name.startswith(".fp8check-") else None
                if match is not None:
                    found[entry.name] = (int(match[1], 16), entry.inode())
        for name, (made_for, inode) in found.items():
            if made_for == inode or (self._alone and made_for in inodes):
                self._remove_dead(name)

    def _remove_dead(self, name: str) -> None:
        with suppress(OSError):  # then it stays, as it did before
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self.descriptor)
            try:
                state = os.fstat(descriptor)
                if stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid() and locked(descriptor):
                    os.unlink(name, dir_fd=self.descriptor)
            finally:
                os.close(descriptor)

    def sync(self) -> None:
        """Have the names on the disk before this goes on. Some file systems cannot: the files themselves are there."""
        with suppress(OSError):
            os.fsync(self.descriptor)

    def close(self) -> None:
        """Let the lock go."""
        os.close(self.descriptor)


def locked(descriptor: int) -> bool:
    """Lock an open file or folder until it is closed; False where somebody else holds it.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
