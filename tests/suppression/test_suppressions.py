"""Suppressions in comments and in the configuration: what they take away, and what is said of them."""

from __future__ import annotations

import pytest

from fp8check.rules.checking.examining import examine_all
from fp8check.rules.suppression.comments import suppressions_in
from fp8check.rules.suppression.suppressions import Suppression, suppression
from fp8check.rules.trainers.detect import read
from tests.support.runs import assembled_of, report_of

ACCELERATE = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config: {backend: TE, amax_history_length: 4}\n'


def report(training: str = "output_dir: out\n", accelerate: str = ACCELERATE, **rest: object) -> list[tuple[str, str]]:
    """Rule and place of each finding, those about suppressions and FP202 only."""
    made = report_of({"training": training, "accelerate": accelerate, "today": "2027-01-01", **rest})
    return [(one.rule, str(one.span)) for one in made.findings if one.rule.startswith(("FP99", "FP202"))]


def accel(comment: str) -> str:
    return ACCELERATE.replace("\n", f"  {comment}\n").replace(f"  {comment}\n", "\n", 2)


FOUND = [("FP202", "accel.yaml:3:27")]


def test_without_one() -> None:
    assert report() == FOUND


@pytest.mark.parametrize("rules", ["FP202", "fp202", "dead-wizard-key", "FP101, FP202"])
def test_on_the_line(rules: str) -> None:
    bad = report(accelerate=accel(f"# fp8check: ignore[{rules}] kept for an old release"))
    assert [one for one in bad if one[0] == "FP202"] == []


def test_what_it_takes_away_is_told() -> None:
    made = report_of({"training": "output_dir: out\n", "accelerate": accel("# fp8check: ignore[FP202] old release")})
    (one,) = made.suppressed
    assert (one.finding.rule, one.suppression.reason, one.suppression.where) == (
        "FP202",
        "old release",
        "accel.yaml:3:52",
    )


@pytest.mark.parametrize("between", ["", "# another comment\n", "\n"])
def test_above_the_line(between: str) -> None:
    above = ACCELERATE.replace("fp8_config", f"# fp8check: ignore[FP202] old release\n{between}fp8_config")
    assert report(accelerate=above) == []


def test_elsewhere_it_does_nothing_and_is_unused() -> None:
    below = f"{ACCELERATE}# fp8check: ignore[FP202] old release\n"
    assert report(accelerate=below) == [*FOUND, ("FP993", "accel.yaml:4:1")]


def test_for_the_file() -> None:
    assert report(accelerate=f"# fp8check: ignore-file[FP202] old release\n{ACCELERATE}") == []
    other = report(training="# fp8check: ignore-file[FP202] old release\noutput_dir: out\n")
    assert other == [*FOUND, ("FP993", "train.yaml:1:1")]


@pytest.mark.parametrize(
    ("comment", "rule"),
    [
        ("# fp8check: ignore FP202 why", "FP990"),
        ("# fp8check: ignore[] why", "FP990"),
        ("# fp8check: ignore[FP202 why", "FP990"),
        ("# fp8check: disable[FP202] why", "FP990"),
        ("# fp8check: ignore[FP202] until=soon why", "FP990"),
        ("# fp8check: ignore[FP202] until=2027-1-1 why", "FP990"),
        ("# fp8check: ignore[FP202]", "FP991"),
        ("# fp8check: ignore[FP202] until=2027-12-31", "FP991"),
        ("# fp8check: ignore[FP2O2] why", "FP992"),
        ("# fp8check: ignore[FP202] until=2026-12-31 why", "FP994"),
    ],
)
def test_what_is_not_well_formed_or_over_suppresses_nothing(comment: str, rule: str) -> None:
    found = report(accelerate=accel(comment))
    assert FOUND[0] in found
    assert [one for one, _ in found if one.startswith("FP99")] == [rule]


@pytest.mark.parametrize("until", ["2027-01-01", "2027-12-31"])
def test_until_its_last_day(until: str) -> None:
    assert report(accelerate=accel(f"# fp8check: ignore[FP202] until={until} why")) == []


def test_one_of_a_rule_that_could_not_be_decided_is_not_unused() -> None:
    text = "# fp8check: ignore[FP701] an A100\noutput_dir: out\n"
    assert report(training=text, accelerate=ACCELERATE, gpu="unknown") == FOUND
    assert report(training=text, accelerate=ACCELERATE) == [*FOUND, ("FP993", "train.yaml:1:1")]


@pytest.mark.parametrize(
    "text",
    [
        'a: "# fp8check: ignore[FP202] why"\n',
        "a: |\n  # fp8check: ignore[FP202] why\n",
        "a: x#fp8check:ignore[FP202]\n",
        "a: fp8check:x\n",
    ],
)
def test_text_that_is_no_comment(text: str) -> None:
    assert list(suppressions_in([read("f.yaml", text.encode())])) == []


def test_json_has_no_comments() -> None:
    assert list(suppressions_in([read("f.json", b'{"a": "# fp8check: ignore[FP1] x"}')])) == []


def test_a_file_of_nothing_but_comments() -> None:
    (one,) = suppressions_in([read("f.yaml", b"# fp8check: ignore[FP101] why\n")])
    assert (one.rules, one.line) == (("FP101",), 1)


@pytest.mark.parametrize(("files", "left"), [((), []), (("*.yaml",), []), (("other/*",), FOUND)])
def test_from_the_configuration(files: tuple[str, ...], left: list[tuple[str, str]]) -> None:
    one = suppression(("FP202",), "old release", files=files)
    made = report_of({"training": "output_dir: out\n", "accelerate": ACCELERATE}, configured=[one])
    assert [(one.rule, str(one.span)) for one in made.findings if one.rule == "FP202"] == left
    assert [one.rule for one in made.findings if one.rule == "FP993"] == ([] if not left else ["FP993"])


def test_more_than_anybody_writes_are_not_read() -> None:
    lines = "".join(f"k{number}: 1  # fp8check: ignore[FP101] why\n" for number in range(2100))
    found = [*suppressions_in([read("f.yaml", lines.encode())])]
    assert len(found) == 2001
    assert found[-1].rules == ()
    assert found[-1].problem.startswith("more than 2,000 suppressions in a file")
    assert str(found[-1].span) == "f.yaml:2001:11"


def test_each_that_stands_alone_is_about_the_next_line() -> None:
    text = "# fp8check: ignore[FP101] one\na: 1\n\n# fp8check: ignore[FP101] two\n\nb: 2\n"
    assert [one.line for one in suppressions_in([read("f.yaml", text.encode())])] == [2, 6]


def test_two_on_one_line() -> None:
    text = "mixed: 1  # fp8check: ignore[FP101] one  # fp8check: ignore[FP102] two\n"
    first, second = suppressions_in([read("f.yaml", text.encode())])
    assert [(one.rules, one.reason, one.line) for one in (first, second)] == [
        (("FP101",), "one", 1),
        (("FP102",), "two", 1),
    ]
    first, second = suppressions_in(
        [read("f.yaml", b"# fp8check: ignore[FP101] one # fp8check: ignore[FP102] two\nx: 1\n")]
    )
    assert (first.line, second.line) == (2, 2)


def test_used_by_one_run_of_several_is_used() -> None:
    text = ACCELERATE.replace("mixed", "# fp8check: ignore[FP101] an experiment\nmixed")
    suppressing = [
        assembled_of(
            {"training": f"# fp8check: ignore-file[FP101] why\noutput_dir: out\nbf16: {flag}\n", "accelerate": text}
        )
        for flag in ("true", "false")
    ]
    first, second = examine_all([(one.run, one.documents) for one in suppressing])
    places = [[str(one.span) for one in made.findings if one.rule == "FP993"] for made in (first, second)]
    assert places == [["accel.yaml:2:1"], ["accel.yaml:2:1"]]


def test_a_suppression_names_its_place() -> None:
    assert Suppression(("FP1",), "x").where == "the configuration of fp8check"
