"""What a configuration may have run: nothing, unless the user says so where no checkout can.

A configuration lies in the folder that is checked. The programs that it names, and the variables that its launch lines
would bring into a process, are its author's. They are used where the command line says --trust-config, or where the
user's own configuration, $XDG_CONFIG_HOME/fp8check/config.toml (~/.config/...), has the folder among

    trusted = ["/home/me/projects"]       # this folder, and all below it
"""

from __future__ import annotations

import os

from fp8check.cli.options import UsageError
from fp8check.rules.plain_text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.cli.options import Options

LARGEST_FILE = 1 << 20


def trusts(options: Options, path: str | None) -> bool:
    """Whether programs that this configuration names may be started.

    Raises:
        UsageError: the user's own configuration cannot be read, or says something that is not known.
    """
    if path is None or vars(options).get("trust_config"):
        return True
    folder = os.path.realpath(os.path.dirname(path))
    return any(folder == one or folder.startswith(one.rstrip(os.sep) + os.sep) for one in _trusted())


def own_file() -> str:
    """The user's own configuration. A relative XDG_CONFIG_HOME does not count, as its specification says."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.config")
    return os.path.join(base, "fp8check", "config.toml")


def _trusted() -> list[str]:
    from fp8check.cli.config import toml
    from fp8check.rules.reading import Unreadable, files

    path = own_file()
    try:
        raw = files.read_if_there(path, LARGEST_FILE) if os.path.isabs(path) else None
        table = {} if raw is None else toml(raw, path)
    except Unreadable as problem:
        raise UsageError(str(problem)) from None
    for key in table:
        if key != "trusted":
            raise UsageError(f"{shown(path)}: {shown(key)} is not known; there is trusted")
    named = table.get("trusted", [])
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise UsageError(f"{shown(path)}: trusted is a list of folders")
    folders = [os.path.expanduser(one) for one in named]
    relative = next((folder for folder in folders if not os.path.isabs(folder)), None)
    if relative is not None:
        raise UsageError(f"{shown(path)}: {shown(relative)} is relative: of a trusted folder the whole path is written")
    return [os.path.realpath(folder) for folder in folders]
