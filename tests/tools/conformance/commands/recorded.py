"""The file of recorded commands: one case a line, a file's content once.

Where an earlier line has the same content under any name, a line names that line instead: {"as in": ID, "file": NAME}.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.tools.conformance import cases

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.tools.conformance.cases import Case

UNSAID: Case = {"undecided": None, "default_file": None, "variables": {}, "files": {}, "replaced": []}
ORDER = (
    "id",
    "class",
    "undecided",
    "stack",
    "command",
    "files",
    "default_file",
    "variables",
    "gpus",
    "replaced",
    "observed",
)
LONG = 120  # characters: what is shorter is written again
# What the launcher sets in every run and nobody decides on, and what the harness sets.
DULL = ("ACCELERATE_DYNAMO_", "ACCELERATE_BYPASS_", "ACCELERATE_CONFIG_", "ACCELERATE_TORCH_DEVICE", "ACCELERATE_LOG_")


def read(path: Path) -> list[Case]:
    """The cases with their files whole."""
    found: dict[str, Case] = {}
    for case in cases.read(path):
        files: dict[str, Any] = {}
        found[case["id"]] = {**UNSAID, **case, "files": files}  # a file may have the content of another one of its case
        for name, text in case.get("files", {}).items():
            files[name] = _content(text, found)
    return list(found.values())


def _content(text: Any, found: dict[str, Case]) -> Any:
    if isinstance(text, dict) and set(text) == {"as in", "file"}:
        return found[text["as in"]]["files"][text["file"]]
    return text


def write(path: Path, recorded: Iterable[Case]) -> None:
    """All of them, in the order of their ids; whole or not at all."""
    seen: dict[str, dict[str, str]] = {}
    lines = []
    for case in sorted(recorded, key=lambda one: str(one["id"])):
        files = {
            name: _short(content, seen, {"as in": case["id"], "file": name}) for name, content in case["files"].items()
        }
        short = {**case, "files": files, "observed": telling(case["observed"])}
        lines.append(cases.line({name: short[name] for name in ORDER if short[name] not in (None, [], {})}))
    part = path.with_suffix(".part")
    part.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
    part.replace(path)


def _short(content: Any, seen: dict[str, dict[str, str]], here: dict[str, str]) -> Any:
    text = json.dumps(content)
    if len(text) <= LONG:
        return content
    if text in seen:
        return seen[text]
    seen[text] = here
    return content


def telling(observed: dict[str, Any]) -> dict[str, Any]:
    """An observation without variables that say nothing."""
    variables = observed.get("variables") or {}
    kept = {name: value for name, value in variables.items() if not name.startswith(DULL)}
    return {**observed, "variables": kept} if kept else {**observed, "variables": None}
