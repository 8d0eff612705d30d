"""How well the rules are shown: executed or measured or our own, read in released source, or told in a thread alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tools.catalog.evidence import Measured, Own, Ran, Source, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fp8check.rules.engine.definition import Rule

WANTED = 0.85
SHOWN, READ, TOLD = "executed, measured or our own", "read in released source", "told in a thread alone"


def kind(rule: Rule) -> str:
    """The best that a rule's evidence has."""
    kinds = {type(parse(line)) for line in rule.evidence}
    if kinds & {Ran, Measured, Own}:
        return SHOWN
    return READ if Source in kinds else TOLD


def lines(rules: Iterable[Rule]) -> tuple[list[str], bool]:
    """What is printed of all rules, and whether it is enough."""
    by: dict[str, list[str]] = {name: [] for name in (SHOWN, READ, TOLD)}
    for rule in rules:
        by[kind(rule)].append(rule.id)
    total = sum(map(len, by.values()))
    share = len(by[SHOWN]) / total
    made = [f"{len(by[SHOWN])} of {total} rules are {SHOWN}: {share:.1%} (at least {WANTED:.0%})"]
    made += [f"{len(by[name])} are {name}: {', '.join(by[name]) or 'none'}" for name in (READ, TOLD)]
    return made, share >= WANTED and not by[TOLD]
