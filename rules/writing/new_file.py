"""The new content of a file, before it is in its place."""

from __future__ import annotations

import os
from contextlib import suppress

from fp8check.rules.writing.folder import BESIDE, locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.writing.folder import Folder

NAMELESS = "/proc/self/fd"


class NewFile:
    """A file in the folder where it will stand.

    On Linux's own file systems it has no name before it is whole (O_TMPFILE): then it goes with the process, whatever
    ends that. Elsewhere (NFS, FAT, some FUSE) it has one from the beginning.

    Attributes:
        name: its name in the folder; "" while it has none.
    """

    def __init__(self, folder: Folder, mode: int) -> None:
        self._folder = folder.descriptor
        self.name = ""
        self.descriptor = self._nameless(mode)
        if self.descriptor < 0:
            name = BESIDE.format(inode=0, chance=os.urandom(6).hex())
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
            self.descriptor = os.open(name, flags, mode, dir_fd=self._folder)
            self.name = name
            try:
                self._rename(self._own_name())
            except BaseException:
                self.close()
                raise
        with suppress(OSError):
            locked(self.descriptor)  # a sign that somebody works on it

    def _nameless(self, mode: int) -> int:
        if not hasattr(os, "O_TMPFILE") or not os.path.isdir(NAMELESS):
            return -1
        with suppress(OSError):  # EOPNOTSUPP, EISDIR, EINVAL: who may not write here learns it from the other way
            return os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode, dir_fd=self._folder)
        return -1

    def _own_name(self) -> str:
        return BESIDE.format(inode=os.fstat(self.descriptor).st_ino, chance=os.urandom(6).hex())

    def write(self, data: bytes) -> None:
        """Add to it."""
        left = memoryview(data)
        while left:
            left = left[os.write(self.descriptor, left) :]

    def sync(self) -> None:
        """Have it on the disk."""
        os.fsync(self.descriptor)

    def appear(self) -> None:
        """Have a name, beside the place."""
        if not self.name:
            name = self._own_name()
            self._link(name)
            self.name = name

    def place_new(self, name: str) -> None:
        """Be the file of that name, which nobody has.

        Raises:
            FileExistsError: somebody has it.
        """
        if self.name:
            self.place_over(name)
        else:
            self._link(name)

    def place_over(self, name: str) -> None:
        """Take the place of the file of that name, if there is one, at one stroke."""
        self.appear()
        self._rename(name)
        self.name = ""

    def _link(self, name: str) -> None:
        # With a folder given, Python follows the link to the open file (AT_SYMLINK_FOLLOW).
        os.link(f"{NAMELESS}/{self.descriptor}", name, dst_dir_fd=self._folder, follow_symlinks=True)

    def _rename(self, name: str) -> None:
        os.rename(self.name, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self.name = name

    def remove(self) -> None:
        """Away with it, where it stands beside the place."""
        if self.name:
            with suppress(OSError):
                os.unlink(self.name, dir_fd=self._folder)
            self.name = ""

    def close(self) -> None:
        """Done with it: in its place, or nowhere."""
        self.remove()
        os.close(self.descriptor)
