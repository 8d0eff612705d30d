"""The commands, all in one place."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _check(words: list[str]) -> int:
    from fp8check.cli.check import check

    return check(words)


def _outcome(words: list[str]) -> int:
    from fp8check.cli.check import outcome

    return outcome(words)


def _env(words: list[str]) -> int:
    from fp8check.cli.env import env

    return env(words)


def _explain(words: list[str]) -> int:
    from fp8check.cli.explain import explain

    return explain(words)


def _fix(words: list[str]) -> int:
    from fp8check.cli.fix import fix

    return fix(words)


def _matrix(words: list[str]) -> int:
    from fp8check.cli.matrix import matrix

    return matrix(words)


def _probe(words: list[str]) -> int:
    from fp8check.cli.probe import probe

    return probe(words)


def _worth(words: list[str]) -> int:
    from fp8check.cli.worth import worth

    return worth(words)


def _rule(words: list[str]) -> int:
    from fp8check.cli.rules import rule

    return rule(words)


def _rules(words: list[str]) -> int:
    from fp8check.cli.rules import rules

    return rules(words)


def _serve(words: list[str]) -> int:
    from fp8check.cli.serve import serve

    return serve(words)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "check": _check,
    "outcome": _outcome,
    "env": _env,
    "explain": _explain,
    "fix": _fix,
    "matrix": _matrix,
    "probe": _probe,
    "rule": _rule,
    "rules": _rules,
    "serve": _serve,
    "worth": _worth,
}
