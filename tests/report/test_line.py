"""`fp8check explain`: what becomes of one line."""

from __future__ import annotations

import pytest

from fp8check.rules.engine.running import Finding
from fp8check.rules.reading import Document
from fp8check.rules.report.build import whole
from fp8check.rules.report.line import explain_line
from tests.support.runs import report_of

ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: te\n\n  amax_history_length: 4\n"
TRAINING = "output_dir: out\nbf16: true\n"


def told(line: int, kind: str = "accelerate", accelerate: str = ACCELERATE) -> list[str]:
    report = report_of({"training": TRAINING, "accelerate": accelerate})
    (document,) = [one for one in report.documents if one.kind == kind]
    return list(explain_line(whole(report), document, line))


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
    assert told(5, accelerate=accelerate)[1:] == ["  no setting begins on this line"]


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
    assert list(explain_line(whole(report), report.documents[0], 1))[1:] == ["  FP000 info: just so"]


@pytest.mark.parametrize(
    ("line", "kind", "expected"),
    [
        (5, "accelerate", "  no setting begins on this line"),
        (1, "training", "  nothing that decides about FP8 reads output_dir"),
    ],
)
def test_a_line_of_no_account(line: int, kind: str, expected: str) -> None:
    assert told(line, kind)[1:] == [expected]


def test_a_file_without_settings() -> None:
    report = report_of({"accelerate": ACCELERATE})
    script = Document("t.py", "import torch\n", "python", None, loader="python")
    assert list(explain_line(whole(report), script, 1)) == ["t.py:1  import torch", "  no setting begins on this line"]
