"""Every rule against its case file: runs in which it must be found, near misses, and runs that leave it undecided.

A case file has the lists `found`, `not found` and `undecided`. The first `found` and the first `not found` are the bad
and the good example of docs/rules: the second is the first one, fixed. Where a rule can never be undecided, because
all that it needs is in the files, `undecided` says so in one sentence that begins with "never", and every `found` case
is run again with nothing known of the machine: it must be found all the same.

A case has a name and what its run is made of:
`training`, `accelerate`, `deepspeed` (file contents), `named` (contents of files that these name, by name), `trainer`, `launch`, `stack` (package versions; what is not named
is absent; `unknown` for nothing known), `variables`, `gpu` (a compute capability, a list of them or of maps with the
fields of Gpu, `none` or `unknown`), `gpus` (how many of it), `cuda`, `libraries`, `driver`, `duplicates`,
`transformer_engine`, `model` (a config.json), `script` (a training script's text), `today`, `crashing` (a rule that
fails), `require` (what is required of the outcome), `evidence` (what a probe saw, rules/seen/data.py; `like` takes it from probed.yaml). It may pin where it is found (`at`), how often (`times`), the exact `message`, `label` or `help`, a part of a `note`, all `messages` and `places` of more than one finding, all `notes`, the places `related` to it (as a list:
with what is said of them), whether its `fix` is safe, unsafe or none (as a list: with its edits), and which failures of
the catalog it proves to be caught (`proves`). An undecided case may pin what is missing (`needs`, all of the text).
"""

from __future__ import annotations

import pytest

from fp8check.rules.catalog import RULES
from tests.support.cases import CASES
from tests.support.pins import pinned, said
from tests.support.runs import report_of


def _cases(kind: str) -> list[object]:
    return [
        pytest.param(rule, case, id=f"{rule}-{case['name']}")
        for rule, file in CASES.items()
        for case in (file.get(kind) if isinstance(file.get(kind), list) else ())
    ]


def test_every_rule_has_a_case_file_with_both_answers() -> None:
    assert sorted(CASES) == sorted(one.id for one in RULES)
    assert all(file["found"] and file["not found"] and file["undecided"] for file in CASES.values())


@pytest.mark.parametrize("rule", [rule for rule, file in CASES.items() if isinstance(file.get("undecided"), str)])
def test_never_undecided(rule: str) -> None:
    assert CASES[rule]["undecided"].startswith("never")
    for case in CASES[rule]["found"]:
        blind = {**case, "stack": "unknown", "gpu": "unknown", "variables": "unknown"}
        report = report_of(blind, only=rule)
        assert [one.rule for one in report.findings if one.rule == rule], case["name"]
        assert report.undecided == ()


@pytest.mark.parametrize(("rule", "case"), _cases("found"))
def test_found(rule: str, case: dict[str, object]) -> None:
    report = report_of(case, only=rule)
    found = [one for one in report.findings if one.rule == rule]
    assert found, f"not found; the outcome is {report.outcome.error or report.outcome.fp8_layers}"
    assert said(case, found, report.documents) == pinned(case)
    assert found[0].message
    assert not found[0].message.endswith(".")


@pytest.mark.parametrize(("rule", "case"), _cases("not found"))
def test_not_found(rule: str, case: dict[str, object]) -> None:
    report = report_of(case, only=rule)
    assert [one.message for one in report.findings if one.rule == rule] == []
    assert rule not in [one.rule for one in report.undecided]
    assert report.crashes == ()


@pytest.mark.parametrize("rule", CASES)
def test_the_good_example_of_a_page_ends_in_no_other_error(rule: str) -> None:
    assert report_of(CASES[rule]["not found"][0], only=rule).outcome.error is None


@pytest.mark.parametrize(("rule", "case"), _cases("undecided"))
def test_undecided(rule: str, case: dict[str, object]) -> None:
    report = report_of(case, only=rule)
    assert [one.rule for one in report.undecided] == [rule]
    assert report.undecided[0].needs == case.get("needs", report.undecided[0].needs)
    assert report.undecided[0].command
    assert report.verdict in ("undecided", "fail", "warn")
