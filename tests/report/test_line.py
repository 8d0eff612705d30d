"""`fp8check explain`: what becomes of one line."""

from __future__ import annotations

from fp8check.rules.engine.running import Finding
from fp8check.rules.reading import Document
from fp8check.rules.report.build import full_report
from fp8check.rules.report.line import Effect, Tries, explain_line, is_to_be_tried
from tests.support.runs import report_of

ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: te\n\n  amax_history_length: 4\n"
TRAINING = "output_dir: out\nbf16: true\n"


def told(line: int, kind: str = "accelerate", accelerate: str = ACCELERATE) -> list[str]:
    report = report_of({"training": TRAINING, "accelerate": accelerate})
    (document,) = [one for one in report.documents if one.kind == kind]
    return list(explain_line(full_report(report), document, line))


def test_a_line_that_ends_the_run() -> None:
    lines = told(4)
    assert lines[0] == "accel.yaml:4  backend: te"
    assert "  decides ACCELERATE_FP8_BACKEND: te" in lines
    assert "  ends the run: ValueError (accelerator): 'te' is not a valid FP8BackendType" in lines


def test_a_line_that_wins_and_the_one_that_loses() -> None:
    accelerate = ACCELERATE.replace("backend: te", "backend: TE")
    assert "  decides mixed_precision: bf16" in told(2, "training", accelerate)
    assert "    over fp8 from accel.yaml:2" in told(2, "training", accelerate)
    assert "  is overridden: mixed_precision is bf16, from train.yaml:2" in told(2, "accelerate", accelerate)


def test_a_value_below_its_key_is_of_the_line_of_the_key() -> None:
    accelerate = ACCELERATE.replace("backend: te", "backend:\n    TE")
    assert "  decides ACCELERATE_FP8_BACKEND: TE" in told(4, accelerate=accelerate)
    assert told(5, accelerate=accelerate)[1:] == ["  no setting stands on this line"]


def test_what_the_rules_say_of_a_line() -> None:
    lines = told(2, "training", ACCELERATE.replace("backend: te", "backend: TE"))
    finding = next(position for position, line in enumerate(lines) if line.startswith("  FP101 "))
    assert lines[finding + 1] == "    help: FP8 keeps BF16 for the rest by itself"


def test_a_finding_that_needs_no_help_is_said_without() -> None:
    report = report_of({"training": TRAINING, "accelerate": ACCELERATE})
    node = report.documents[0].get("output_dir")
    assert node is not None
    one = Finding("FP000", "made-up", "info", "just so", node.key_span, "", (), (), "")
    report = report._replace(findings=(one,))
    assert list(explain_line(full_report(report), report.documents[0], 1))[1:] == ["  FP000 info: just so"]


def test_a_line_without_a_setting() -> None:
    assert told(5)[1:] == ["  no setting stands on this line"]
    report = report_of({"accelerate": ACCELERATE})
    script = Document("t.py", "import torch\n", "python", None, loader="python")
    assert list(explain_line(full_report(report), script, 1)) == [
        "t.py:1  import torch",
        "  no setting stands on this line",
    ]


def tried(line: int, *effects: Effect, why_not: str = "") -> list[str]:
    report = report_of({"training": TRAINING, "accelerate": ACCELERATE.replace("backend: te", "backend: TE")})
    document = report.documents[0]
    return list(explain_line(full_report(report), document, line, Tries(effects, why_not)))[1:]


def test_what_was_tried_is_said() -> None:
    effects = [Effect("a", ""), Effect("b", "FP101 goes"), Effect("c", "x"), Effect("d", "y"), Effect("e", "z")]
    assert tried(1, *effects[:1]) == ["  changes nothing here; tried: a"]
    assert tried(1, *effects[:2]) == ["  matters: b -> FP101 goes"]
    assert tried(1, *effects)[-1] == "    and 1 more of 5 values that were tried"
    assert tried(1, why_not="it is shared") == ["  not known: it is shared"]
    assert not any("changes nothing" in one for one in tried(2, *effects[:1]))  # what it decides is said already


def test_what_decides_is_not_tried() -> None:
    report = full_report(
        report_of({"training": TRAINING, "accelerate": ACCELERATE.replace("backend: te", "backend: TE")})
    )
    training, accelerate = report_of({"training": TRAINING, "accelerate": ACCELERATE}).documents
    assert not is_to_be_tried(report, training, 2)
    assert is_to_be_tried(report, training, 1)
    assert not is_to_be_tried(report, accelerate, 2)
    assert is_to_be_tried(report, accelerate, 1)
