"""The commands, all in one place: each is a module of this folder with a function of the command's name."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# By module, for the few that share one.
COMMANDS = {
    "check": "check",
    "ci": "ci",
    "comment": "comment",
    "outcome": "outcome",
    "env": "env",
    "explain": "explain",
    "fix": "fix",
    "init": "init",
    "lsp": "lsp",
    "matrix": "matrix",
    "node": "node",
    "nodes": "nodes",
    "plan": "plan",
    "probe": "probe",
    "rule": "rules",
    "rules": "rules",
    "run": "run",
    "schema": "schema",
    "serve": "serve",
    "upgrade": "upgrade",
    "worth": "worth",
}


def find(name: str) -> Callable[[list[str]], int] | None:
    """The command of that name, which takes its words and returns an exit code; None where there is none."""
    module = COMMANDS.get(name)
    if module is None:
        return None
    from importlib import import_module

    command: Callable[[list[str]], int] = getattr(import_module(f"fp8check.cli.{module}"), name)
    return command
