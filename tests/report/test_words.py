"""The words of the report for each thing that may happen, and the frames that need no file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.edits.fix import safe
from fp8check.rules.engine.definition import Related
from fp8check.rules.engine.running import Finding
from fp8check.rules.reading import Document, Span
from fp8check.rules.report import build
from fp8check.rules.report.formats import find
from fp8check.rules.report.frames import Lines, frame
from fp8check.rules.report.schema import as_data
from fp8check.rules.report.terminal import USUAL, Style, wants_color, wants_links, width_of
from fp8check.rules.report.words import actual
from fp8check.rules.settings.edits import replace
from fp8check.rules.settings.values import Origin, Setting
from fp8check.rules.suppression.fingerprint import Pointers
from fp8check.rules.trainers.detect import read
from tests.support.outcomes import AO, ONE, SHELL, TE, outcome_of
from tests.support.reports import text_of
from tests.support.runs import report_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.reading import Span

PLAIN = Style(on=False)
MSAMP = {"accelerate": "1.15.0", "msamp": "0.4.0"}
BEFORE = {"accelerate": "1.12.0", "torchao": "0.17.0", "transformers": "4.57.1"}
TORCHAO = {"ACCELERATE_MIXED_PRECISION": "fp8", "ACCELERATE_FP8_BACKEND": "AO"}


def finding(
    span: Span | None = None,
    label: str = "",
    related: tuple[Related, ...] = (),
    notes: tuple[str, ...] = (),
    help_: str = "",
) -> Finding:
    return Finding("FP000", "made-up", "error", "something is wrong", span, label, related, notes, help_)


def framed(one: Finding, sources: Mapping[str, str] | None = None) -> list[str]:
    """The frame of a finding, as it stands in a report."""
    examined = report_of({"accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\n"})
    (found,) = build.brief(examined._replace(findings=(one,))).findings
    return list(frame(found, Lines(sources or {}), PLAIN))


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"accelerate": "distributed_type: TP\n"}, "not decided: distributed_type TP is not modeled"),
        ({"accelerate": ONE + TE.replace("TE", "te")}, "does not start: ValueError (accelerator): 'te' is not a valid"),
        ({"accelerate": ONE.replace("fp8", "bf16")}, "bf16, no layer in FP8"),
        (
            {"accelerate": f"{ONE}fp8_config: {{backend: MSAMP}}\n", "stack": MSAMP},
            "fp8 with MS-AMP; whether its layers run in FP8 is not modeled",
        ),
        ({"accelerate": ONE + AO}, "fp8 · AO · tensorwise · some Linear layers · the converted weights are never"),
        (
            {"launch": "python t.py", "variables": TORCHAO, "stack": BEFORE},
            "fp8 · AO · tensorwise · some Linear layers",
        ),
        (
            {"launch": "python t.py", "variables": {**SHELL, "ACCELERATE_MIXED_PRECISION": "bf16"}},
            "bf16, with TE layers in FP8 · HYBRID, history 1024, max · all Linear layers",
        ),
    ],
)
def test_what_happens_in_one_line(case: dict[str, object], words: str) -> None:
    assert actual(outcome_of(case)).startswith(words)


def test_two_worlds_are_both_told() -> None:
    case = {"accelerate": ONE + AO, "stack": "unknown"}
    lines = text_of(report_of(case)).splitlines()
    at = next(position for position, line in enumerate(lines) if line.startswith("actual    "))
    assert "never trained" in lines[at]
    assert any(line.startswith("FP606 info    assumed: accelerate 1.15.0, ") for line in lines[:at])
    assert lines[at + 1].startswith("or        fp8 · AO")
    assert "never trained" not in lines[at + 1]
    assert lines[at + 2].startswith("          with accelerate 1.11.0, ")


def test_two_worlds_that_agree_are_told_once() -> None:
    lines = text_of(report_of({"accelerate": ONE + TE.replace("TE", "te"), "stack": "unknown"})).splitlines()
    assert not any(line.startswith("or ") for line in lines)
    assert any(line.startswith("FP606 info    assumed: accelerate 1.15.0") for line in lines)


def test_quiet_says_what_was_found_and_no_more() -> None:
    report = report_of({"accelerate": ONE + TE})
    assert text_of(report._replace(findings=()), quiet=True) == ""


def test_what_is_suppressed_is_counted() -> None:
    accelerate = f"{ONE}{TE}  amax_history_length: 16  # fp8check: ignore[FP202] the wizard wrote it\n"
    shown = text_of(report_of({"accelerate": accelerate}))
    assert "FP202" not in shown
    assert "; 1 suppressed\n" in shown or "; 1 suppressed;" in shown


def test_a_finding_of_no_file() -> None:
    one = finding(label="a label", related=(Related(None, "elsewhere"),), notes=("a note",), help_="do it")
    assert framed(one) == ["  = elsewhere", "  = a note", "  = a label", "  = help: do it"]
    assert framed(finding()) == []


def test_a_finding_with_a_place_alone() -> None:
    document = read("f.yaml", b"a: 1\n")
    assert document.root is not None
    (node,) = document.root.entries.values()
    lines = framed(finding(node.key_span, "what happens"), {"f.yaml": document.text})
    assert lines == ["  |", "1 | a: 1", "  | ^ what happens"]


def test_control_characters_never_reach_the_terminal() -> None:
    assert framed(finding(help_="\x1b[31mred\ttab")) == [r"  = help: \x1b[31mred tab"]
    report = report_of({"accelerate": ONE + 'fp8_config: {backend: "\\e[31mTE"}\n'})
    assert "\x1b" not in text_of(report)


def test_a_place_in_a_script_has_no_pointer() -> None:
    document = read("f.yaml", b"a: 1\n")
    assert document.root is not None
    (node,) = document.root.entries.values()
    script = Document("f.yaml", "a = 1\n", "python", None, loader="python")
    assert Pointers().of(finding(node.key_span), script) is None
    assert Pointers().of(finding(), document) is None
    assert Pointers().of(finding(node.key_span), document) == "/a"
    assert Pointers().of(finding(document.root.span), document) in ("", "/a")


def test_a_fix_that_cannot_be_made_is_none_in_the_data() -> None:
    report = report_of({"accelerate": ONE + TE})
    document = report.documents[0]
    node = document.get("mixed_precision")
    assert node is not None
    here = Setting("fp8", Origin(span=node.span, key_span=node.key_span))
    findings = [
        Finding(**{**finding(node.key_span).as_dict(), "fix": safe(replace(target, "bf16"))})  # type: ignore[arg-type]
        for target in (here, Setting("fp8", Origin(variable="X")))
    ]
    made = as_data(build.full_report(report._replace(findings=tuple(findings))))["findings"]
    assert isinstance(made, list)
    assert made[0]["fix"]["safe"] is True
    assert made[0]["fix"]["edits"][0]["text"] == "bf16"
    assert made[1]["fix"] is None


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "variables", "painted"),
    [
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {}, False),
        ("auto", {}, True),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"TERM": "dumb"}, False),
        ("never", {"FORCE_COLOR": "1"}, False),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True),  # force-color.org asks for it last
        ("auto", {"FORCE_COLOR": ""}, True),
        ("auto", {"NO_COLOR": ""}, True),
        ("auto", {"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False),  # bixense.com/clicolors
        ("auto", {"CLICOLOR": "0"}, False),
        ("auto", {"CLICOLOR": "1"}, True),
        ("auto", {"CLICOLOR_FORCE": "1", "TERM": "dumb"}, True),
    ],
)
def test_color(choice: str, variables: dict[str, str], painted: bool, alone: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        alone.setenv(name, value)
    assert wants_color(Terminal(), choice) is painted


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable that says anything of a terminal."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLUMNS", "FORCE_HYPERLINK", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name in ("TERM_PROGRAM", "VTE_VERSION", "WT_SESSION", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "DOMTERM"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "painted"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"CLICOLOR_FORCE": "1"}, True), ({"CLICOLOR_FORCE": "0"}, False)],
)
def test_what_is_no_terminal_is_painted_where_that_is_forced(
    variables: dict[str, str], painted: bool, alone: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        alone.setenv(name, value)
    assert wants_color(io.StringIO(), "auto") is painted


@pytest.mark.parametrize(
    ("variables", "linked"),
    [
        ({}, False),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM_PROGRAM": "WezTerm"}, True),
        ({"TERM_PROGRAM": "Apple_Terminal"}, False),
        ({"VTE_VERSION": "6800"}, True),
        ({"VTE_VERSION": "4999"}, False),
        ({"VTE_VERSION": "what", "WT_SESSION": "x"}, True),
        ({"TERM": "xterm-kitty", "CI": "true"}, False),
        ({"TERM": "dumb", "WT_SESSION": "x"}, False),
        ({"TERM": "dumb", "FORCE_HYPERLINK": "1"}, True),
        ({"TERM": "dumb", "NO_COLOR": "1", "FORCE_HYPERLINK": "1"}, False),
        ({"TERM": "xterm-kitty", "FORCE_HYPERLINK": "0"}, False),
    ],
)
def test_links(variables: dict[str, str], linked: bool, alone: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        alone.setenv(name, value)
    assert wants_links(Terminal(), "auto") is linked
    assert not wants_links(Terminal(), "never")
    assert wants_links(io.StringIO(), "auto") is (linked and "FORCE_HYPERLINK" in variables)


@pytest.mark.parametrize(("said", "width"), [("100", 100), ("0", USUAL), ("wide", USUAL), ("9" * 20, USUAL)])
def test_width(said: str, width: int, alone: pytest.MonkeyPatch) -> None:
    assert width_of(io.StringIO()) is None
    assert width_of(Terminal()) == USUAL
    alone.setenv("COLUMNS", said)
    assert width_of(Terminal()) == width
    assert width_of(io.StringIO()) == (width if said == "100" else None)


def test_a_real_terminal_says_how_wide_it_is(alone: pytest.MonkeyPatch) -> None:
    import fcntl
    import os
    import pty
    import struct
    import termios

    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 57, 0, 0))
        assert width_of(stream) == 57
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        assert width_of(stream) == USUAL
    os.close(leader)
    assert alone


def test_a_file_that_may_not_be_quoted_is_told_by_its_line() -> None:
    place = Span("/elsewhere/ds.json", 4, 3, 4, 9)
    assert framed(finding(place, "what happens", help_="x"), {}) == [
        "  |",
        "4 | (a file outside of the run's folder is not quoted)",
        "  | what happens",
        "  |",
        "  = help: x",
    ]
    page = find("html")
    assert page is not None
    case = {"accelerate": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE, margn: 1}\n"}
    text = page.render([build.full_report(report_of(case))], {})
    assert "margn is read by nothing" in text
    assert "backend: TE" not in text
    assert "is not quoted" in text


def test_marks_stand_below_what_they_mark_where_characters_are_written_out() -> None:
    line = "a\x1b\u202e: ##[x] bf16"
    start = line.index("bf16")
    lines = framed(finding(Span("x.yaml", 1, start + 1, 1, start + 5), "no"), {"x.yaml": line})
    assert lines[1] == r"1 | a\x1b\u202e: #\#[x] bf16"
    assert lines[2].index("^") == lines[1].index("bf16")
    assert lines[2].count("^") == 4
