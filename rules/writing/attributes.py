"""What a file has besides its content: owner, mode, ACL, extended attributes. A new file gets them, or is refused."""

from __future__ import annotations

import errno
import os
import stat

from fp8check.rules.writing.unwritable import Unwritable, about

# What belongs to the file system or the kernel: each file has its own.
_NOT_OURS = (
    *("security.ima", "security.evm", "lustre.", "ceph.", "gpfs.", "system.cifs", "trusted.lov", "trusted.lma"),
    *("trusted.link", "trusted.overlay.", "trusted.glusterfs", "trusted.afr.", "trusted.SGI_ACL_"),
)


def keep_attributes(named: str, old: int, new: int) -> None:
    """Give an open new file all that the open old one has.

    Raises:
        Unwritable: one of it cannot be kept.
    """
    before, now = os.fstat(old), os.fstat(new)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.fchown(new, before.st_uid, before.st_gid)
        except OSError:
            raise _lost(named, f"its owner ({before.st_uid}:{before.st_gid})") from None
    for name in _copied(named, old, new):
        raise _lost(named, f"its extended attribute {name}")
    with about(named):
        os.fchmod(new, stat.S_IMODE(before.st_mode))
        if stat.S_IMODE(os.fstat(new).st_mode) != stat.S_IMODE(before.st_mode):
            raise _lost(named, f"its mode ({stat.S_IMODE(before.st_mode):o})")


def _lost(named: str, what: str) -> Unwritable:
    return Unwritable(named, f"not written: {what} could not be kept", hint="as its owner this can be done")


def _copied(named: str, old: int, new: int) -> list[str]:
    """Copy the extended attributes, an ACL among them; the names of those that could not be."""
    with about(named):
        wanted = _extended(old)
    for name, value in wanted.items():
        if _extended(new).get(name) != value:
            try:
                os.setxattr(new, name, value)
            except OSError:
                return [name]
    with about(named):
        for name in _extended(new).keys() - wanted.keys():
            if not name.startswith("security."):  # the folder's default ACL; a label is the system's to give
                os.removexattr(new, name)
        now = _extended(new)
    return [name for name, value in wanted.items() if now.get(name) != value]


def _extended(descriptor: int) -> dict[str, bytes]:
    if not hasattr(os, "listxattr"):  # only Linux has them in Python
        return {}
    try:
        names = os.listxattr(descriptor)
    except OSError as problem:
        if problem.errno in (errno.ENOTSUP, errno.ENOSYS):
            return {}
        raise
    return {name: os.getxattr(descriptor, name) for name in names if not name.startswith(_NOT_OURS)}
