"""What only the kernel can tell or do, and Python has no word for: Linux's renameat2 and statfs.

Elsewhere there is neither, and nothing of this folder needs them: then a plain rename has to do.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

    Exchange = Callable[[int, str, str], bool]

_RENAME_EXCHANGE = 2  # linux/fs.h
# linux/magic.h and the file systems' own: NFS, SMB, SMB2, CIFS, FUSE, 9p, Ceph, Lustre, GPFS, AFS.
_SHARED = frozenset(
    {0x6969, 0x517B, 0xFE534D42, 0xFF534D42, 0x65735546, 0x01021997, 0x00C36400, 0x0BD00BD0, 0x47504653, 0x5346414F}
)


def exchange() -> Exchange | None:
    """A function that swaps what two names of an open folder stand for, at one stroke: False where it cannot.

    None where the system has no such thing. Looked up beforehand: what happens between two names must not take long.
    """
    libc = _libc()
    if libc is None or not hasattr(libc, "renameat2"):
        return None
    import ctypes

    def swap(folder: int, one: str, other: str) -> bool:
        if not libc.renameat2(folder, os.fsencode(one), folder, os.fsencode(other), _RENAME_EXCHANGE):
            return True
        number = ctypes.get_errno()
        if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            return False
        raise OSError(number, os.strerror(number))

    return swap


def is_shared(descriptor: int) -> bool:
    """Whether the file system of an open file is one of other machines or programs, too: its leases say little."""
    libc = _libc()
    if libc is None or not hasattr(libc, "fstatfs"):
        return True
    import ctypes

    found = ctypes.create_string_buffer(512)  # struct statfs: its first field is the kind
    if libc.fstatfs(descriptor, found):
        return True
    return ctypes.c_ulong.from_buffer(found).value & 0xFFFFFFFF in _SHARED


def _libc() -> ctypes.CDLL | None:
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True)
    except (ImportError, OSError, AttributeError):
        return None
