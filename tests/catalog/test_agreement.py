"""Rules and outcome say the same: tests/tools/agreement.py over the cases that the project has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.catalog import RULES
from fp8check.rules.engine.definition import CLAIMS
from tests.support.runs import report_of
from tests.tools import agreement

if TYPE_CHECKING:
    from fp8check.rules.suppression.examined import Examined

TE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"


def test_every_rule_says_what_it_claims() -> None:
    assert {one.id for one in RULES if not one.claims or not {*one.claims} <= {*CLAIMS}} == set()
    assert {claim for one in RULES for claim in one.claims} == {*CLAIMS}
    assert {one.id for one in RULES if one.severity == "error" and one.claims == ("nothing",)} <= ERRORS_OF_NOTHING


# Errors that are about something that the outcome does not have.
ERRORS_OF_NOTHING = {
    "FP306",  # that a launcher starts another: how many processes there are in the end
    "FP315",  # what DeepSpeed holds its weights in
    "FP403",  # that the head is a weight of its own, and not trained
    "FP418",  # that the weights are not those of the checkpoint
    "FP907",  # that a text counts as true, whatever comes of it
    "FP995",  # what somebody requires of the outcome
    "FP996",
    "FP999",  # that a rule crashed
}


@pytest.mark.parametrize(
    ("source", "least"), [(agreement.catalog, 1700), (agreement.conformance, 2700), (agreement.observed, 0)]
)
def test_they_agree(source: object, least: int) -> None:
    found = agreement.compared(source())  # type: ignore[operator]
    assert found.wrong == []
    assert found.cases >= least


def _agreement(examined: Examined) -> list[str]:
    return [f"{one.rule} {one.why}" for one in agreement.disagreements(examined)]


def _with_claims(monkeypatch: pytest.MonkeyPatch, rule: str, *claims: str) -> None:
    monkeypatch.setitem(agreement.CLAIMED, rule, claims)


def test_a_rule_that_says_that_a_run_ends_which_starts_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of({"accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\nfp8_config: {backend: NO}\n"})
    assert [one.rule for one in report.findings] == ["FP103"]
    assert _agreement(report) == []
    _with_claims(monkeypatch, "FP103", "ends")
    assert _agreement(report) == ["FP103 it ends; the outcome starts: True"]


def test_a_rule_that_says_that_a_value_is_ignored_which_counts_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of({"accelerate": TE.replace("TE}", "TE, fp8_format: E4M3}")})
    assert [one.rule for one in report.findings] == ["FP223"]
    assert _agreement(report) == []
    _with_claims(monkeypatch, "FP223", "ignored")
    assert _agreement(report) == ["FP223 ignored; the recipe's fp8_format comes from there"]


def test_an_exception_that_does_not_end_the_run_is_seen() -> None:
    report = report_of({"accelerate": TE.replace("TE", "te")})
    (finding,) = (one for one in report.findings if one.rule == "FP201")
    assert _agreement(report) == []
    other = finding._replace(label=finding.label.replace("ValueError", "TypeError"))
    assert _agreement(report._replace(findings=(other,))) == ["FP201 it names TypeError, the outcome ValueError"]
    later = finding._replace(label=f"{agreement.LATER}{other.label}")
    assert _agreement(report._replace(findings=(later,))) == []


def test_an_end_that_no_finding_tells_is_seen() -> None:
    report = report_of({"accelerate": TE.replace("TE", "te")})
    (finding,) = (one for one in report.findings if one.rule == "FP201")
    assert _agreement(report._replace(findings=())) == [
        " ends with unknown-backend-variable, and no finding says that it ends"
    ]
    placeless = finding._replace(span=None)
    assert _agreement(report._replace(findings=(placeless,))) == [
        " ends with unknown-backend-variable, and no finding says where"
    ]


def test_a_run_without_the_fp8_that_it_asks_for_needs_an_error() -> None:
    fsdp2 = "distributed_type: FSDP\nnum_processes: 2\nmixed_precision: fp8\n"
    fsdp2 += "fsdp_config: {fsdp_version: 2, fsdp_cpu_ram_efficient_loading: false}\n"
    report = report_of({"accelerate": f"{fsdp2}fp8_config: {{backend: TE}}\n", "gpus": 2})
    assert report.outcome.trains_in_fp8 is False
    assert _agreement(report) == []
    assert _agreement(report._replace(findings=())) == [
        " FP8 is asked for, no layer runs in it, and no finding is an error"
    ]


def test_a_recipe_that_is_not_the_one_written_needs_a_finding() -> None:
    text = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n  amax_history_len: 16\n"
    report = report_of({"accelerate": text, "training": "output_dir: out\nbf16: true\n"})
    assert _agreement(report) == []
    assert _agreement(report._replace(findings=())) == [
        " amax_history_len will be 1024, not 16, and no finding says so"
    ]
