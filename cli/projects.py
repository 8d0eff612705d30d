"""The projects of a repository: each folder with a configuration of its own, and the root."""

from __future__ import annotations

import os
from contextlib import contextmanager

from fp8check.cli.config import OWN_FILE, SHARED_FILE, Config, load
from fp8check.cli.options import UsageError
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fp8check.cli.commit import Change
    from fp8check.cli.options import Options

HERE = ""


class Project(Record):
    """A folder whose files are seen from there, as `fp8check` sees them when it is called there.

    Attributes:
        folder: as seen from the current one; HERE for that.
        change: what changes of its files, with names as seen from it. Files of projects within it are not among them.
    """

    folder: str
    config: Config
    change: Change


def projects(options: Options, change: Change) -> list[Project]:
    """The current folder, and all folders below with a configuration of their own.

    Raises:
        UsageError: a configuration cannot be read, and a file changed where it counts.
    """
    configs = {HERE: load(options)}
    if not options.no_config and options.config is None:
        configs.update(_below(options, change))
    if len(configs) == 1:
        return [Project(HERE, configs[HERE], change)]
    given, tracked = _parted(change.given, configs), _parted(change.tracked, configs)
    names = _parted(change.names, configs)
    return [
        Project(
            folder,
            config,
            change._replace(
                given=tuple(given.get(folder, ())),
                tracked=tuple(tracked.get(folder, ())),
                names=tuple(names.get(folder, ())),
            ),
        )
        for folder, config in configs.items()
    ]


@contextmanager
def inside(folder: str | os.PathLike[str]) -> Iterator[None]:
    """The current folder is that one for the time of the block; contextlib.chdir is not in Python 3.10."""
    if folder == HERE:
        yield
        return
    home = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(home)


def _below(options: Options, change: Change) -> Iterator[tuple[str, Config]]:
    named = (name for name in change.tracked if os.path.basename(name) in (OWN_FILE, SHARED_FILE))
    for folder in dict.fromkeys(map(os.path.dirname, named)):
        if folder == HERE or not os.path.isdir(folder):
            continue
        try:
            with inside(folder):
                config = load(options)
        except UsageError as problem:
            if any(name.startswith(os.path.join(folder, "")) for name in change.names):
                raise UsageError(f"in {folder}: {problem}") from None
            continue
        if config.path is not None:
            yield folder, config


def _parted(names: Iterable[str], folders: Iterable[str]) -> dict[str, list[str]]:
    """The files of each folder that are in none of the others within it, as seen from it."""
    known = {*folders}
    parts: dict[str, list[str]] = {}
    for name in names:
        folder, inner = os.path.dirname(name), name
        while folder not in known:  # one that begins at the root, or above the current folder, is in none below
            folder, inner = (os.path.dirname(folder), folder) if folder != inner else (HERE, folder)
        parts.setdefault(folder, []).append(os.path.relpath(name, folder) if folder else name)
    return parts
