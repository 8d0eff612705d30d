"""Which files a report may quote: those of the run, and no others that happen to be named in one of them.

`deepspeed: ../../home/me/credentials.json` in a checkout of a stranger must not bring that file into an artifact of CI.
A file elsewhere is read, as the run itself would read it, and what is found is told with its line, without its text.
"""

from __future__ import annotations

import os

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Quotable(Record):
    """The files that may be quoted.

    Attributes:
        named: those that the command line names: they are meant, wherever they are.
        folders: what is in one of these or below may be quoted too, whoever names it, and so may what a path from the
            current folder down leads to. A link counts for what it leads to.
    """

    named: frozenset[str]
    folders: tuple[str, ...]

    def may(self, path: str) -> bool:
        """Whether the text of that file may be quoted."""
        if path in self.named:
            return True
        real = os.path.realpath(path)
        if any(_is_below(real, folder) for folder in self.folders):
            return True
        down = not os.path.isabs(path) and os.pardir not in path.replace("\\", "/").split("/")
        return down and _is_below(real, os.path.realpath(""))


def of_files(files: Iterable[str]) -> Quotable:
    """What may be quoted where a person names these files: they, and what is in their folders."""
    named = frozenset(files)
    return Quotable(
        named, tuple(sorted({os.path.realpath(folder) for folder in {os.path.dirname(path) for path in named}}))
    )


def of_configuration(path: str) -> Quotable:
    """What may be quoted where a configuration names the files: what is in its folder."""
    return Quotable(frozenset(), (os.path.realpath(os.path.dirname(path)),))


def of_folder() -> Quotable:
    """What may be quoted where nobody names files: what is in the current folder."""
    return of_configuration("")


def _is_below(path: str, folder: str) -> bool:
    """Whether a file is in a folder or below; all is below the root, which is nobody's folder of a run."""
    return folder != os.path.dirname(folder) and path.startswith(os.path.join(folder, ""))
