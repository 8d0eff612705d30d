"""Where a model's config.json is: a directory, the cache of the Hugging Face hub, or the table that is shipped."""

from __future__ import annotations

import os
from functools import lru_cache

from fp8check.rules.models.config import read_config
from fp8check.rules.models.values import BadConfig
from fp8check.rules.reading import Unreadable, files
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.models.shape import ModelShape

# Real ones have a few kilobytes.
LARGEST_FILE = 1024 * 1024
_LARGEST_REF = 1024  # a commit's name

# What a name on the hub is made of, and a commit: stripped, which is faster than to compile a pattern.
_OF_NAMES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_OF_COMMITS = "0123456789abcdef"

# known.py by case-folded name, read at first use: a service asks it for every check.
_TABLE: dict[str, Mapping[str, object]] = {}


class Search(Record):
    """What was found for a model's name.

    Attributes:
        shape: the model, None where it is unknown.
        reasons: what was wrong with the places that had something; why the shape is unknown.
        unread: the file that the run would take and that could not be read here, with the reason; "" with none.
    """

    shape: ModelShape | None
    reasons: tuple[str, ...] = ()
    unread: str = ""


def find(name: str, *, base: str, environ: Mapping[str, str]) -> ModelShape | None:
    """The model of that name; None where it is unknown. search() also says why.

    Args:
        name: a directory, or a name on the hub.
        base: the directory that a relative path starts from: that of the file which names the model.
        environ: the environment, for the place of the hub's cache.
    """
    return search(name, base=base, environ=environ).shape


def search(name: str, *, base: str, environ: Mapping[str, str]) -> Search:
    """Like find(), with the reasons.

    A directory comes first, as in transformers. One with a config.json that cannot be used ends the search: the run
    would take that one too.
    """
    local = _local(name, base, environ)
    if local is not None:
        return _read(local, name, "config.json")
    if is_folder(name):
        return not_looked_for(name)
    try:
        cached = _cached(name, environ)
    except Unreadable as error:
        return Search(listed(name), (str(error),), str(error))
    if cached is not None:
        found = _read(cached, name, "hub cache")
        return found if found.shape is not None else found._replace(shape=listed(name))
    shape = listed(name)
    reason = f"{name}: not a directory here, not in the hub's cache, and not in the table of known models"
    return Search(shape) if shape is not None else Search(None, (reason,))


def not_looked_for(name: str) -> Search:
    """What is known of a model without looking for any file: what the table says, or that its folder is not here."""
    if not is_folder(name):
        return Search(listed(name))
    reason = f"{name}: no such directory here with a config.json"
    return Search(None, (reason,), reason)


def is_folder(name: str) -> bool:
    """Whether a model of that name can only be a folder: no name on the hub looks like it."""
    parts = name.split("/", 2)
    may_be_on_hub = len(parts) < 3 and all(part and not part.strip(_OF_NAMES) for part in parts)
    return not may_be_on_hub or ".." in name or name.startswith(("./", "~"))


def config_file(name: str, *, base: str, environ: Mapping[str, str]) -> str | None:
    """The config.json that find() would read for that name; None where it is in no directory and no cache here.

    Raises:
        Unreadable: the hub's cache does not tell.
    """
    if not name:
        return None
    local = _local(name, base, environ)
    if local is not None or is_folder(name):
        return local
    return _cached(name, environ)


def _local(name: str, base: str, environ: Mapping[str, str]) -> str | None:
    """The config.json of a folder of that name, where there is one, readable or not."""
    path = name
    if path == "~" or path.startswith("~/"):
        path = environ.get("HOME", "~") + path[1:]
    file = os.path.join(base, path, "config.json")
    return file if name and "\0" not in name and files.is_there(file) else None


def _cached(name: str, environ: Mapping[str, str]) -> str | None:
    """The config.json of the revision that "main" names in the cache, the one that an offline run would take.

    Raises:
        Unreadable: what the cache has for that name cannot be read.
    """
    folder = os.path.join(_hub_cache(environ), "models--" + name.replace("/", "--"))
    main = files.read_if_there(os.path.join(folder, "refs", "main"), _LARGEST_REF)
    commit = "" if main is None else main.decode("ascii", "replace").strip()
    if len(commit) != 40 or commit.strip(_OF_COMMITS):
        return None
    config = os.path.join(folder, "snapshots", commit, "config.json")
    return config if files.is_there(config) else None


def _hub_cache(environ: Mapping[str, str]) -> str:
    """huggingface_hub/constants.py: HF_HUB_CACHE, else HF_HOME/hub, else XDG_CACHE_HOME/huggingface/hub."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(variable):
            return _home_expanded(environ[variable], environ)
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = environ.get("HF_HOME") or os.path.join(cache, "huggingface")
    return os.path.join(_home_expanded(home, environ), "hub")


def _home_expanded(path: str, environ: Mapping[str, str]) -> str:
    if path == "~" or path.startswith("~/"):
        return environ.get("HOME", "~") + path[1:]
    return path


def _read(path: str, name: str, source: str) -> Search:
    try:
        content = files.read(path, LARGEST_FILE)
        import json  # start-up time counts where no config.json is read

        config = json.loads(content)
    except Unreadable as error:
        return _unread(name, error.message)
    except RecursionError:
        return _unread(name, "nested too deeply")
    except ValueError as error:  # JSON and encoding errors
        return _unread(name, str(error))
    if not isinstance(config, dict):
        return _unread(name, "not an object")
    try:
        return Search(read_config(config, name, source))
    except BadConfig as error:
        return Search(None, (f"config.json of {name}: {error}",))


def _unread(name: str, why: str) -> Search:
    reason = f"config.json of {name}: {why}"
    return Search(None, (reason,), reason)


@lru_cache(maxsize=64)  # a service is asked for the same few models all the time
def listed(name: str) -> ModelShape | None:
    """The model in the table that is shipped; no file that the name could mean is looked for.

    On the hub, upper and lower case are the same.
    """
    config = _table().get(name.casefold())
    return read_config(config, name, "table") if config is not None else None


def _table() -> Mapping[str, Mapping[str, object]]:
    if not _TABLE:
        from fp8check.rules.models.known import MODELS

        _TABLE.update({name.casefold(): entry["config"] for entry in reversed(MODELS) for name in entry["names"]})
    return _TABLE
