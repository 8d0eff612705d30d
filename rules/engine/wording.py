"""What a rule says to write, in the form that the user has: an entry of a file, an argument of a script, a flag.

Rules say "write bf16: false", as a YAML file has it. Where the setting stands in a Python script that is
`bf16=False`, and where it stands on the command line `--bf16 false`.
"""

from __future__ import annotations

import re

from fp8check.rules.settings.script import in_script
from fp8check.rules.settings.values import Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ENTRY = r"\b([a-z][a-z0-9]*(?:_[a-z0-9]+)*): (?!https?:)('[^']*'|[\w.-]*\w)"
_PYTHON = {"true": "True", "false": "False", "null": "None"}
_FILES = ("in the training file", "in train.yaml", "into this file", "in the configuration file")
_IN_COMMAND = " in the command"


def as_written(text: str, place: object) -> str:
    """A help where the setting that it is about stands: unchanged for an entry of a file.

    Args:
        place: what the finding is about.
    """
    if "write " not in text or " under " in text or not isinstance(place, Setting):
        return text
    if in_script(place) and place.origin.span is not None:
        return _said(text, _as_argument, f"in {place.origin.span.file}", "")
    flag = place.origin.flag
    own = "" if flag is None or not flag.startswith("--") else flag[2:].partition("=")[0].split()[0].replace("-", "_")
    if place.origin.span is None and own and f"{own}: " in text:
        return _said(text, _as_flag, _IN_COMMAND.strip(), _IN_COMMAND)
    return text


def _said(text: str, render: Callable[[re.Match[str]], str], where: str, behind: str) -> str:
    """The text with each entry rendered, and with where that is in the place of a file; else behind the last entry."""
    start = text.index("write ")
    made, count = re.subn(_ENTRY, render, text[start:])
    if not count:
        return text
    named = next((words for words in _FILES if words in made), None)
    if named is not None:
        return text[:start] + made.replace(named, where)
    last = list(re.finditer(_ENTRY, text[start:]))[-1]
    end = len(re.sub(_ENTRY, render, text[start:][: last.end()]))
    return f"{text[:start]}{made[:end]}{behind}{made[end:]}"


def _as_argument(entry: re.Match[str]) -> str:
    name, value = entry.groups()
    if value in _PYTHON or value.startswith("'") or value.replace(".", "", 1).lstrip("-").isdigit():
        return f"{name}={_PYTHON.get(value, value)}"
    return f"{name}={value!r}" if value != value.upper() or len(value) > 1 else f"{name}={value}"  # N: a number


def _as_flag(entry: re.Match[str]) -> str:
    name, value = entry.groups()
    return f"--{name} {value}"
