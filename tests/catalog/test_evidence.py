"""The evidence of every rule resolves: to a file of a released wheel, an executed case, a measurement, or a thread."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fp8check.rules.catalog import RULES
from tests.tools.catalog import cited, executed, share, speaks
from tests.tools.catalog.evidence import RECORDS, Measured, Own, Ran, Source, parse
from tests.tools.conformance import compare as conformance
from tests.tools.conformance.commands import compare, recorded

ROOT = Path(__file__).parents[2]
LINES = [pytest.param(line, id=f"{one.id}-{number}") for one in RULES for number, line in enumerate(one.evidence)]


def _looked_up() -> dict[str, bool]:
    path = ROOT / "docs/evidence/sources.json"
    return json.loads(path.read_text()) if path.exists() else {}


SOURCES = _looked_up()
COMMANDS = {case["id"]: case for case in recorded.read(ROOT / RECORDS["command"])}
CONFORMANCE = {case["id"]: case for case in cited.recorded()}
EXECUTED = executed.recorded()
# Cases on which a rule that names them does not speak itself, with the reason.
ELSEWHERE = {
    ("FP319", "release-format-e5m2-1.8"): "the other side of the bound: E5M2 is taken",
    ("FP324", "script-model-only-te-1.15"): "the rule reads the script's text, which a case has not",
    ("FP403", "model-tied-te-1.15"): "the toy model has no config.json, which the rule reads",
    ("FP404", "model-one-odd-projection-te-1.15"): "the toy model has no config.json, which the rule reads",
}
BY_KIND = {"conformance": CONFORMANCE, "command": COMMANDS, "executed": EXECUTED}


def test_every_rule_has_evidence() -> None:
    assert [one.id for one in RULES if not one.evidence] == []


@pytest.mark.parametrize("line", LINES)
def test_evidence_resolves(line: str) -> None:
    evidence = parse(line)
    if isinstance(evidence, Source):
        for release in evidence.releases:
            for text in (*evidence.present, *evidence.absent):
                key = f"{evidence.package} {release} {evidence.file} {text}"
                assert key in SOURCES, f"not looked up yet: make evidence ({key})"
                assert SOURCES[key] is (text in evidence.present), key
    elif isinstance(evidence, Ran):
        assert evidence.case in BY_KIND[evidence.kind], f"nothing is recorded: {RECORDS[evidence.kind]}"
        assert _other_releases(evidence) == []
    elif isinstance(evidence, Own):
        assert (ROOT / evidence.file).exists()
    elif isinstance(evidence, Measured):
        lines = (ROOT / evidence.file).read_text().splitlines()
        words = (evidence.case or "").split()
        assert any(all(word in line for word in words) for line in lines)


def _other_releases(line: Ran) -> list[str]:
    """What a line says that it ran with, where the record says another release of that package."""
    stack = BY_KIND[line.kind][line.case]["stack"]
    if isinstance(stack, str):  # written by hand: "torchao 0.12.0 and 0.17.0"
        return [f"{name} {release}" for name, release in line.stack if name in stack and release not in stack]
    ran = {name: release.removesuffix(" (stand-in)") for name, release in stack.items()}
    return [f"{name} {release}" for name, release in line.stack if ran.get(name, release) != release]


def _runs(kind: str) -> list[object]:
    named = [(one.id, parse(line)) for one in RULES for line in one.evidence]
    return [
        pytest.param(rule, line.case, id=f"{rule}-{line.case}")
        for rule, line in named
        if isinstance(line, Ran) and line.kind == kind
    ]


@pytest.mark.parametrize(("rule", "case"), _runs("command"))
def test_a_rule_speaks_on_the_command_that_it_names_and_what_was_seen_is_what_is_predicted(
    rule: str, case: str
) -> None:
    assert (rule, case) in ELSEWHERE or rule in speaks.on_command(COMMANDS[case])
    assert compare.answer(COMMANDS[case]).verdict == "right"


@pytest.mark.parametrize(("rule", "case"), _runs("conformance"))
def test_a_rule_speaks_on_the_conformance_case_that_it_names_and_what_was_seen_is_what_is_predicted(
    rule: str, case: str
) -> None:
    assert (rule, case) in ELSEWHERE or rule in speaks.on_conformance(CONFORMANCE[case])
    assert conformance.agrees(CONFORMANCE[case])


@pytest.mark.parametrize("name", executed.cases())
def test_what_is_recorded_of_a_small_program_is_what_its_case_says(name: str) -> None:
    assert name in EXECUTED, "not recorded: python -m tests.tools.catalog.executed --missing"
    assert list(executed.wrong(executed.cases()[name], EXECUTED[name])) == []


def test_enough_rules_are_shown_and_none_rests_on_a_thread_alone() -> None:
    lines, enough = share.lines(RULES)
    assert enough, lines
