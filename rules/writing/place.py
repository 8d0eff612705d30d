"""Where a file is written: links are followed as far as whoever named the file can have meant it."""

from __future__ import annotations

import os

from fp8check.rules.record import Record
from fp8check.rules.writing.unwritable import Unwritable

STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
DESCRIPTORS = ("/dev/fd/", "/proc/self/fd/")


class Place(Record):
    """The place of a file.

    Attributes:
        named: the path as it was named, for messages.
        folder: the real path of its folder.
        name: its name there; a link that was named leads to it.
    """

    named: str
    folder: str
    name: str

    @property
    def path(self) -> str:
        """The real path."""
        return os.path.join(self.folder, self.name)


def descriptor_of(path: str) -> int | None:
    """The number of the open file of this process that a path names (/dev/stdout, /dev/fd/63); None for any other."""
    if path in STREAMS:
        return STREAMS[path]
    number = next((path[len(prefix) :] for prefix in DESCRIPTORS if path.startswith(prefix)), "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 8 else None


def place_of(path: str) -> Place:
    """The place that a path leads to.

    Links that stand in a checkout are not the user's: one that leads out of the folder it stands in would have another
    file written than the one that was named. What leads to the current folder, or to the folder of a file that is
    named by an absolute path elsewhere, is the user's own.

    Raises:
        Unwritable: such a link.
        OSError: the current folder is gone.
    """
    here = os.getcwd()
    below = os.path.relpath(path, here) if path.startswith(here.rstrip(os.sep) + os.sep) else path
    if os.path.isabs(below):
        at, parts = os.path.realpath(os.path.dirname(below)), [os.path.basename(below)]
    else:
        at, parts = here, below.split(os.sep)
    for part in parts:
        step = os.path.normpath(os.path.join(at, part))  # `at` has no link: `..` is its folder
        at = _followed(step, at, path) if os.path.islink(step) else step
    return Place(path, os.path.dirname(at), os.path.basename(at))


def _followed(link: str, folder: str, named: str) -> str:
    real = os.path.realpath(link)
    if os.path.commonpath([real, folder]) != folder:
        raise Unwritable(
            named,
            f"not written: {os.path.basename(link)} is a link that leads out of its folder, to {real}",
            hint="name the file that is to be written itself",
        )
    return real
