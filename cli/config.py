"""The configuration: fp8check.toml, or [tool.fp8check] of pyproject.toml, in the current folder.

fail-on = "warning"                       # as --fail-on
require = ["speedup>=1.1"]                # as --require
select = ["FP1"]                          # as --select, and ignore
plugins = ["acme"]                        # entry points of the group fp8check.rules to load
baseline = "fp8check-baseline.json"       # as --baseline

[[run]]                                   # what `fp8check` without files checks
files = ["train.yaml", "accel.yaml"]
launch = "accelerate launch --config_file accel.yaml train.py train.yaml"
trainer = "trl"
facts = "node.json"
python = ".venv/bin/python"               # the interpreter that trains; used only where it is trusted (cli/trust.py)

[[suppress]]
rules = ["FP402"]
files = ["configs/small/*.yaml"]          # patterns of file names; absent for all
reason = "small on purpose"
until = 2027-03-31
"""

from __future__ import annotations

import os

from fp8check.cli.options import UsageError
from fp8check.rules.reading import Unreadable, files
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fp8check.cli.options import Options
    from fp8check.rules.suppression.suppressions import Suppression

OWN_FILE = "fp8check.toml"
SHARED_FILE = "pyproject.toml"
MARK = b"tool.fp8check"
PARTS = 100  # of a key: a.b.c has three
LARGEST_FILE = 1024 * 1024

KEYS = ("fail-on", "select", "ignore", "plugins", "baseline", "require", "run", "suppress")
RUN_KEYS = ("files", "launch", "trainer", "facts", "python")
SUPPRESS_KEYS = ("rules", "files", "reason", "until")


class Config(Record):
    """What the configuration says; every value has its empty default.

    Attributes:
        path: the file; None where there is none.
        runs: tables of RUN_KEYS, with file names as seen from the current folder.
    """

    path: str | None = None
    fail_on: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    baseline: str | None = None
    runs: tuple[Mapping[str, object], ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    require: tuple[str, ...] = ()


def load(options: Options, edited: Mapping[str, bytes] | None = None) -> Config:
    """The configuration that --config names, else the current folder's; an empty one where there is none.

    Args:
        edited: what counts in the place of what is saved under a name.

    Raises:
        UsageError: it cannot be read, or says something that is not known.
    """
    if options.no_config:
        return Config()
    try:
        if options.config is not None:
            return _read(options.config, files.read(options.config, LARGEST_FILE), required=True)
        for name in (OWN_FILE, SHARED_FILE):
            raw = edited[name] if edited and name in edited else files.read_if_there(name, LARGEST_FILE)
            found = Config() if raw is None else _read(name, raw, required=False)
            if found.path is not None:
                return found
    except Unreadable as problem:
        raise UsageError(f"{problem}; --no-config does without a configuration") from None
    return Config()


def _read(path: str, raw: bytes, *, required: bool) -> Config:
    shared = os.path.basename(path) == SHARED_FILE
    if shared and not required and MARK not in raw:
        return Config()  # before the import of a TOML parser, which costs more than all the rest
    table = toml(raw, path)
    if shared:
        table = _table(_table(table, "tool", path), "fp8check", path)
    return _config(table, path)


def _check_keys_of(raw: bytes) -> None:
    """A key of very many parts takes a TOML parser a time that grows with the square of their number.

    Raises:
        ValueError: there is one.
    """
    import re

    if raw.count(b".") <= PARTS:
        return
    for number, line in enumerate(re.sub(rb"\"[^\"\n]*\"|'[^'\n]*'", b"", raw).split(b"\n"), 1):
        key, equals, _ = line.partition(b"=")
        if key.count(b".") > PARTS and (equals or key.lstrip().startswith(b"[")):
            raise ValueError(f"a key of more than {PARTS} parts (at line {number})")


def toml(raw: bytes, path: str) -> dict[str, object]:
    """The table of a TOML file.

    Raises:
        UsageError: it is none.
    """
    import importlib
    import sys

    parser = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        _check_keys_of(raw)
        table: dict[str, object] = parser.loads(raw.decode("utf-8"))
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply") from None
    except ValueError as problem:
        raise UsageError(f"{path}: {problem}") from None
    return table


def _table(table: Mapping[str, object], name: str, path: str) -> dict[str, object]:
    inner = table.get(name, {})
    if not isinstance(inner, dict):
        raise UsageError(f"{path}: {name} is no table")
    return inner


def _config(table: Mapping[str, object], path: str) -> Config:
    _check_keys(table, KEYS, path, "")
    fail_on = _text(table, "fail-on", path)
    if fail_on not in (None, "error", "warning", "never"):
        raise UsageError(f"{path}: fail-on is error, warning or never, not {fail_on}")
    base = os.path.dirname(path)
    baseline = _text(table, "baseline", path)
    return Config(
        path,
        fail_on,
        _texts(table, "select", path),
        _texts(table, "ignore", path),
        _texts(table, "plugins", path),
        os.path.join(base, baseline) if baseline is not None else None,
        tuple(_run(one, path, base) for one in _tables(table, "run", path)),
        tuple(_suppression(one, path) for one in _tables(table, "suppress", path)),
        _required(table, path),
    )


def _required(table: Mapping[str, object], path: str) -> tuple[str, ...]:
    """What is required of the outcome, as it is written.

    Raises:
        UsageError: one of the requirements is not understood.
    """
    texts = _texts(table, "require", path)
    if texts:
        from fp8check.rules.engine.gate import BadRequirement, parsed

        try:
            parsed(texts)
        except BadRequirement as problem:
            raise UsageError(f"{path}: {problem}") from None
    return texts


def _run(table: Mapping[str, object], path: str, base: str) -> Mapping[str, object]:
    _check_keys(table, RUN_KEYS, path, "run.")
    files = _texts(table, "files", path)
    if not files:
        raise UsageError(f'{path}: a [[run]] names its files: files = ["train.yaml", "accel.yaml"]')
    facts = _text(table, "facts", path)
    return {
        "files": tuple(os.path.join(base, name) for name in files),
        "launch": _text(table, "launch", path),
        "trainer": _text(table, "trainer", path),
        "python": _text(table, "python", path),
        "facts": os.path.join(base, facts) if facts is not None else None,
    }


def _suppression(table: Mapping[str, object], path: str) -> Suppression:
    from fp8check.rules.suppression.suppressions import suppression

    _check_keys(table, SUPPRESS_KEYS, path, "suppress.")
    until = table.get("until")
    rules = _texts(table, "rules", path)
    if not rules:
        raise UsageError(f'{path}: a [[suppress]] names its rules: rules = ["FP402"]')
    return suppression(
        rules,
        _text(table, "reason", path) or "",
        files=_texts(table, "files", path),
        until=None if until is None else str(until),
    )


def _check_keys(table: Mapping[str, object], known: Collection[str], path: str, prefix: str) -> None:
    for key in table:
        if key not in known:
            import difflib

            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
            raise UsageError(f"{path}: {prefix}{key} is not known{hint}")


def _text(table: Mapping[str, object], key: str, path: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{path}: {key} is a text, not {type(value).__name__}")
    return value


def _texts(table: Mapping[str, object], key: str, path: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UsageError(f"{path}: {key} is a list of texts")
    return tuple(value)


def _tables(table: Mapping[str, object], key: str, path: str) -> list[dict[str, object]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise UsageError(f"{path}: {key} is a list of tables: [[{key}]]")
    return value
