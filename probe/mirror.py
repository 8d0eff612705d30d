"""A folder as it would be with some files changed: links to all that is there, and the changed files in their places.

The folders above it are there as well, so that `..` in a path leads where it did. Nothing of the folder itself is
touched, and what a program makes anew in it is made here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mirror:
    """Such a folder.

    Attributes:
        root: below it lies everything at its own absolute path.
        here: the working folder.
    """

    def __init__(self, root: str, here: str, files: Mapping[str, str]) -> None:
        """Make it.

        Args:
            root: an empty folder.
            here: the working folder of the command.
            files: the text of each changed or new file, by its path.
        """
        self.root = root
        self._changed = {os.path.abspath(os.path.join(here, path)): text for path, text in files.items()}
        folders = {os.path.abspath(here), *map(os.path.dirname, self._changed)}
        self._own = {above for one in folders for above in _above(one)}
        for folder in sorted(self._own):
            self._make(folder)
        for path, text in self._changed.items():
            with open(self.place(path), "w", encoding="utf-8", newline="") as file:
                file.write(text)
        self.here = self.place(os.path.abspath(here))

    def place(self, path: str) -> str:
        """Where a path lies in it."""
        return self.root + os.path.abspath(path)

    def word(self, word: str) -> str:
        """A word of a command: one that names a changed file by its whole path names the changed one then."""
        name, mark, value = word.rpartition("=")
        if os.path.isabs(value) and os.path.abspath(value) in self._changed:
            return f"{name}{mark}{self.place(value)}"
        return word

    def _make(self, folder: str) -> None:
        os.makedirs(self.place(folder), exist_ok=True)
        try:
            entries = os.listdir(folder)
        except OSError:  # one above that may not be looked into, or a new one
            return
        inside = os.path.commonpath([self.root, folder]) == folder
        for name in entries:
            path = os.path.join(folder, name)
            skip = path in self._own or path in self._changed or (inside and self.root.startswith(path + os.sep))
            if not skip and path != self.root:
                os.symlink(path, self.place(path))


def _above(folder: str) -> list[str]:
    """A folder and all those above it."""
    found = [folder]
    while (above := os.path.dirname(found[-1])) != found[-1]:
        found.append(above)
    return found
