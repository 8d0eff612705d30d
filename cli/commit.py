"""What a commit changes: the files that a hook is given, and what git says of the others.

pre-commit hands a hook the changed files that are there, as far as `files`, `types` and `exclude` let them through. It
names no file that was deleted or that lost its name in a renaming (https://github.com/pre-commit/pre-commit/issues/749),
so git is asked for these, and for the names of the other files of the repository, whose runs a changed file may be in.

git is the one program that the hook starts. Whatever the repository's own configuration says, git starts nothing: no
monitor of files, no hook, no external diff and no pager, and it fetches nothing.
"""

from __future__ import annotations

import os

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LIMIT_S = 30.0
_LONGEST = 64 << 20  # bytes of names: a million of them
_SAFE = (
    *("--no-pager", "--no-optional-locks", "--literal-pathspecs"),
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "submodule.recurse=false"),
    *("-c", "diff.orderFile=/dev/null", "-c", "protocol.allow=never"),
)
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color", "--ignore-submodules", "--relative")
# Where git finds the repository and the index of this commit: it sets them itself for its hooks.
_VARIABLES = (
    *("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CEILING_DIRECTORIES", "XDG_CONFIG_HOME"),
)
_OF_CONFIGURATION = "GIT_CONFIG_"  # of the user's and the system's: which folders are trusted


class Change(Record):
    """What a commit changes. Files are told apart by their absolute names.

    Attributes:
        given: the files that the hook was given, as seen from the current folder.
        names: these, and the files that are gone, as seen from there.
        tracked: all files of the repository, as seen from there; those given where there is no repository.
        offered: `names` as absolute names: what the user wants to have looked at.
        every: all changed files, also those that `files` and `exclude` keep from the hook.
        gone: the files that were deleted, or have another name now.
        unknown: why git cannot say what changes: then that is what was given; "" where it can.
    """

    given: tuple[str, ...]
    names: tuple[str, ...]
    tracked: tuple[str, ...]
    offered: frozenset[str]
    every: frozenset[str]
    gone: frozenset[str]
    unknown: str = ""

    def touches(self, names: Iterable[str], *, every: bool = False) -> frozenset[str]:
        """Those of these names, as seen from the current folder, that are changed files; links count as both."""
        changed = self.every if every else self.offered
        return frozenset(identity for name in names for identity in identities(name) if identity in changed)

    def missing(self, read: Iterable[str]) -> list[str]:
        """Those of these files that the commit takes away, and that are found nowhere else.

        Args:
            read: the files that a run reads, in the order of the places where it looks for them.
        """
        names = list(dict.fromkeys(os.path.normpath(name) for name in read if "\0" not in name))
        there = {os.path.basename(name) for name in names if self.gone.isdisjoint(identities(name)) and _is_there(name)}
        gone = (name for name in names if not self.gone.isdisjoint(identities(name)))
        return [name for name in gone if _is_there(name) or os.path.basename(name) not in there]


def _is_there(name: str) -> bool:
    try:
        return os.path.lexists(name)
    except UnicodeEncodeError:  # no file has such a name
        return False


_REAL: dict[str, str] = {}  # what names lead to, for a hook asks of thousands of files again and again


def identities(name: str) -> tuple[str, ...]:
    """The absolute names of a file: its own, and that of what it leads to."""
    own = os.path.abspath(name)
    real = _REAL.get(own)
    if real is None:
        try:
            real = _REAL[own] = os.path.realpath(own)
        except ValueError:  # a NUL, or what this system has in no name
            return ()
    return own, real


def change_of(given: Sequence[str]) -> Change:
    """What the commit changes of which a hook was given these files."""
    _REAL.clear()
    names = tuple(dict.fromkeys(map(_named, given)))
    offered = frozenset(identity for name in names for identity in identities(name))
    alone = Change(names, names, names, offered, offered, frozenset())
    if not _in_repository():
        return alone
    try:
        listed, (present, gone) = _asked(("ls-files", "-z", "--cached")), _changed()
    except _Untold as problem:
        return alone._replace(unknown=str(problem))
    lost = frozenset(map(os.path.abspath, gone))
    every = frozenset(identity for name in present for identity in identities(name))
    tracked = tuple(dict.fromkeys((*map(_named, listed), *names)))
    return Change(names, (*names, *gone), tracked, offered | lost, offered | lost | every, lost)


class _Untold(Exception):
    """git cannot say it; the text says why."""


def _named(name: str) -> str:
    """A file's name without detours; `-` alone would be standard input."""
    name = os.path.normpath(name) if name else name
    return os.path.join(os.curdir, name) if name == "-" else name


def _in_repository() -> bool:
    """Whether this folder is in a repository: git is not started for nothing."""
    if "GIT_DIR" in os.environ:
        return True
    folder = os.getcwd()
    while not os.path.lexists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above
    return True


def _changed() -> tuple[list[str], list[str]]:
    """The files that the commit, or the commits between two, leave there, and those that they take away."""
    start, end = (os.environ.get(f"PRE_COMMIT_{which}_REF", "") for which in ("FROM", "TO"))
    between = ("--end-of-options", f"{start}...{end}", "--") if start and end else ("--cached", "--")
    lines = _asked((*_DIFF, "--name-status", "-z", *between))
    present: list[str] = []
    gone: list[str] = []
    for state, name in zip(lines[::2], lines[1::2], strict=False):
        (gone if state == "D" else present).append(name)
    return present, gone


def _asked(words: Sequence[str]) -> tuple[str, ...]:
    """What git prints, in parts that a NUL ends.

    Raises:
        _Untold: it cannot say it.
    """
    from fp8check.rules.child.environment import own
    from fp8check.rules.child.run import run
    from fp8check.rules.child.supervised import NotStarted

    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _VARIABLES or (name.startswith(_OF_CONFIGURATION) and value)
    }
    environ = {**own(os.environ), **kept, "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        ended = run(["git", "-C", os.getcwd(), *_SAFE, *words], limit_s=_LIMIT_S, environ=environ, longest=_LONGEST)
    except NotStarted as problem:
        raise _Untold(str(problem)) from None
    if ended.how != "exit" or ended.code != 0:
        first = ended.errors.decode("utf-8", "replace").strip().partition("\n")[0]
        raise _Untold(ended.why or first or f"it ended with {ended.code}")
    return tuple(os.fsdecode(part) for part in ended.output.split(b"\0")[:-1])
