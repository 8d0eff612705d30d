"""The kinds of file systems that writing meets: each thing that only some of them have can be taken away."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.writing import replacing

if TYPE_CHECKING:
    from collections.abc import Callable

    Take = Callable[[pytest.MonkeyPatch], None]


def _all(_: pytest.MonkeyPatch) -> None:
    """As ext4, XFS, Btrfs and tmpfs are."""


def _named(patch: pytest.MonkeyPatch) -> None:
    """No file without a name: NFS, SMB, FAT."""
    patch.delattr(os, "O_TMPFILE")


def _refusing(patch: pytest.MonkeyPatch) -> None:
    """The system knows of files without a name, and this file system does not."""
    patch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)


def _renaming(patch: pytest.MonkeyPatch) -> None:
    """No swap of two names: another system than Linux, NFS."""
    patch.setattr(replacing, "exchange", lambda: None)


def _not_swapping(patch: pytest.MonkeyPatch) -> None:
    """The system knows of swapping, and this file system does not."""
    patch.setattr(replacing, "exchange", lambda: lambda _folder, _one, _other: False)


def _bare(patch: pytest.MonkeyPatch) -> None:
    """Nothing of all that, and no extended attributes, no leases, no locks."""
    _named(patch)
    _renaming(patch)
    patch.delattr(os, "listxattr")
    patch.delattr(fcntl, "F_SETLEASE")

    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(95, "not supported")

    patch.setattr(fcntl, "flock", flock)


SYSTEMS: dict[str, Take] = {
    "Linux": _all,
    "without O_TMPFILE": _named,
    "O_TMPFILE refused": _refusing,
    "without renameat2": _renaming,
    "swap refused": _not_swapping,
    "bare": _bare,
}


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One of these systems; its name."""
    SYSTEMS[request.param](monkeypatch)
    return str(request.param)
