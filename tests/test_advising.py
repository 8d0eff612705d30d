"""What a help says of its cure once that was tried: in which words, where it is not proved, and what bounds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.cli.main import main
from fp8check.rules.checking.advising import JUDGED, PLAN, Advisor, advised
from fp8check.rules.checking.curing import cured_as_values
from fp8check.rules.checking.many import check_each
from fp8check.rules.checking.request import Request, RunRequest, check_request
from fp8check.rules.checking.selection import select
from fp8check.rules.edits.action import Action
from fp8check.rules.edits.fix import Edit, Fix, cut, unsafe
from fp8check.rules.edits.instruction import Words
from fp8check.rules.edits.text_edits import Editor
from fp8check.rules.engine.running import Finding
from fp8check.rules.facts import load
from fp8check.rules.reading import Span
from fp8check.rules.reading.source import Source
from fp8check.rules.report.build import full_report
from fp8check.rules.trainers.detect import read
from tests.support.paths import EXAMPLE
from tests.support.runs import facts_of

if TYPE_CHECKING:
    from pathlib import Path

TRAIN = "output_dir: out\nlearning_rate: 1.0e-5\nbf16: true\n"
ACCEL = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n'


def part(train: str = TRAIN, accel: str = ACCEL, launch: str | None = None, **case: object) -> RunRequest:
    documents = (read("train.yaml", train.encode()), read("accel.yaml", accel.encode()))
    return RunRequest(documents, facts_of(case), launch, "transformers")


def helps(*parts: RunRequest) -> dict[str, str]:
    request = Request(parts)
    return {
        one.rule: one.help for report in advised(request, check_request(request)).reports for one in report.findings
    }


def told(finding: Finding, given: RunRequest) -> Finding:
    request = Request((given,))
    report = check_request(request).reports[0]._replace(findings=(finding,))
    return Advisor(request, JUDGED).told(given, report).findings[0]


def finding(rule: str = "FP101", *, fix: Fix | None = None, action: Action | None = None) -> Finding:
    return Finding(rule, "x", "error", "m", None, "", (), (), "", fix, action=action)


def test_a_cure_that_is_proved_is_said_with_what_is_true_of_it() -> None:
    assert helps(part())["FP101"] == "write bf16: false; FP8 keeps BF16 for the rest by itself"


def test_one_that_brings_an_error_is_not() -> None:
    accel = ACCEL.replace("TE", "AO")
    brings = "fixing this alone leads to FP210"
    assert helps(part(accel=accel))["FP101"] == f"FP8 keeps BF16 for the rest by itself; {brings}: {PLAN}"


def test_what_is_not_selected_is_looked_at_as_well() -> None:
    selection = select(["FP101"], [])
    request = Request((part(accel=ACCEL.replace("TE", "AO")),), selection.rules)
    (report,) = advised(request, check_request(request)).reports
    assert [(one.rule, one.fix, PLAN in one.help) for one in report.findings] == [("FP101", None, True)]


def test_a_flag_goes_out_of_the_command() -> None:
    launch = "accelerate launch --cpu --config_file accel.yaml train.py train.yaml"
    assert helps(part(TRAIN.replace("true", "false"), launch=launch))["FP310"] == "leave --cpu out of the command"


def test_runs_of_several_parts_and_of_one_are_looked_at_one_by_one() -> None:
    one, two = part(), part(accel=ACCEL.replace("TE", "AO"))
    request = Request((one, two))
    reports = advised(request, check_request(request)).reports
    assert [any(PLAN in found.help for found in report.findings) for report in reports] == [False, True]
    several = one._replace(documents=(*one.documents, read("other.yaml", TRAIN.encode())))
    request = Request((several,))
    assert [len(report.findings) for report in advised(request, check_request(request)).reports] == [1, 1]
    assert [one.findings[0].fix is not None for one in check_each(request)] == [True, True]


def test_runs_without_a_cure_stay_as_they_are() -> None:
    request = Request((part(TRAIN.replace("true", "false")),))
    checked = check_request(request)
    assert advised(request, checked) is checked
    (report,) = checked.reports
    assert Advisor(request).told(request.runs[0], report) is report


def test_so_many_runs_are_judged_and_no_more() -> None:
    request = Request((part(),))
    (report,) = check_request(request).reports
    (one,) = Advisor(request, 0).told(request.runs[0], report).findings
    assert (one.fix, one.help.endswith(f"; {PLAN}")) == (None, True)


def test_of_thousands_of_findings_no_cure_is_tried() -> None:
    for count, most in ((2, 2), (2_000, 0)):
        given = part(variables={f"ACCELERATE_FP8_V{number}": "1" for number in range(count)})
        request = Request((given,))
        (report,) = check_request(request).reports
        advisor = Advisor(request, JUDGED)
        told = advisor.told(given, report)
        assert sum(PLAN not in one.help for one in told.findings if one.rule == "FP107") == most
        assert (advisor.runs > 0) is (most > 0)


CURES = {
    "a package, where none is known": (Action("", packages={"accelerate": "1.15.0"}), {"stack": "unknown"}),
    "a flag that is not there": (Action("", without=("--bf16 true",)), {}),
    "another command, and the finding stays": (Action("", launch="accelerate launch train.py train.yaml"), {}),
    "a package, and the finding stays": (Action("", packages={"accelerate": "1.15.0"}), {}),
    "a variable, and the finding stays": (Action("", variables={"A": "1"}), {}),
}


@pytest.mark.parametrize("name", CURES)
def test_what_does_not_help_is_not_said(name: str) -> None:
    action, case = CURES[name]
    assert told(finding(action=action), part(**case)).help == PLAN


def test_what_stands_in_no_file_of_the_run_cannot_be_edited() -> None:
    elsewhere = Span("script.py", 1, 1, 1, 2, 0, 1)
    assert told(finding(fix=unsafe(Edit("replace", elsewhere, value=1))), part()).help == PLAN


def test_the_words_of_what_is_done_outside_of_files() -> None:
    action = Action("", (), "python x.py", {"A": None, "B": "1"}, {"torchao": "0.17.0", "peft": "0.20.0"}, ("--cpu",))
    words = (
        "pip install torchao==0.17.0 peft==0.20.0, unset A, export B=1, leave --cpu out of the command and start with: "
    )
    assert Words(()).of(None, action, None) == f"{words}python x.py"
    assert Words(()).of(None, None, None) == ""


def test_the_words_of_edits() -> None:
    text = "a: 1\nb: [1, 2]\nc:\n  d: 1\n  e: {}\n# x\n"
    document = read("f.yaml", text.encode())
    root = document.root
    assert root is not None
    home = root.entries["a"].key_span
    entry, items, inner = root.entries["a"].key_span, root.entries["b"].items[0].span, root.entries["c"].entries["d"]
    words = Words((document,))

    def said(*edits: Edit, place: Span | None = home) -> str:
        return words.of(unsafe(*edits), None, place)

    assert said(Edit("replace", entry, value="no")) == 'write a: "no"'
    assert said(Edit("replace", items, "item", value=3)) == "write 3 instead of 1"
    assert said(Edit("rename", entry, key="z")) == "write z instead of a"
    assert said(Edit("delete", entry)) == "delete a"
    assert said(Edit("delete", inner.key_span)) == "delete d (line 4)"
    assert said(Edit("delete", None)) == "delete  (line 0)"
    assert said(Edit("insert", root.span, "map", key="n", value=True)) == "write n: true"
    assert (
        said(Edit("insert", root.span, "map", key="n", value=True), place=inner.key_span)
        == "write n: true at the top level"
    )
    assert said(Edit("insert", root.entries["c"].span, "map", key="n", value=1)) == "write n: 1 under c"
    assert said(Edit("insert", None, "map", key="n", value=1)) == "write n: 1"
    moved = Edit("insert", root.entries["c"].span, "map", key="a", value=1, taken=entry)
    assert said(Edit("delete", entry), moved) == "move it: write a: 1 under c"
    assert said(cut(root.span)) == "delete the comment"
    assert said(Edit("replace", entry, value=object)) == f"write a: {object}"
    assert said(Edit("replace", entry, value=1), place=None) == "write a: 1 in f.yaml"


def test_the_example_of_the_readme() -> None:
    """Errors that stay do not count, and memory does: without checkpointing it is not there."""
    documents = tuple(read(str(EXAMPLE / name)) for name in ("train.yaml", "accelerate.yaml"))
    said = helps(RunRequest(documents, load(str(EXAMPLE / "facts.json"))))
    assert said["FP101"] == "write bf16: false; FP8 keeps BF16 for the rest by itself"
    assert said["FP501"].endswith(f"; fixing this alone may need more memory than a GPU has: {PLAN}")


def test_a_file_that_the_run_names_is_edited_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "accel.yaml").write_text(f"{ACCEL}  amax_history_length: 16\n")
    given = part(
        TRAIN.replace("true", "false"), launch="accelerate launch --config_file accel.yaml train.py train.yaml"
    )
    given = given._replace(documents=given.documents[:1])
    assert helps(given)["FP202"] == "write amax_history_len instead of amax_history_length"


def test_other_runs_are_no_proof() -> None:
    second = read("more.yaml", TRAIN.encode())
    given = part()
    found = finding(fix=unsafe(Edit("replace", given.documents[0].root.entries["bf16"].key_span, value=False)))  # type: ignore[union-attr]
    assert told(found, given._replace(documents=(*given.documents, second))).help == PLAN


def test_a_cure_of_a_script_is_said_in_its_own_words() -> None:
    text = "from transformers import Trainer, TrainingArguments\nargs = TrainingArguments(output_dir='out', bf16=True)\nTrainer(model, args).train()\n"
    documents = (read("train.py", text.encode()), read("accel.yaml", ACCEL.encode()))
    given = RunRequest(documents, facts_of({}), "accelerate launch --config_file accel.yaml train.py", follow=False)
    request = Request((given,))
    (report,) = advised(request, check_request(request)).reports
    assert [one.help for one in report.findings if one.rule == "FP101"] == [
        "write bf16=False; FP8 keeps BF16 for the rest by itself"
    ]
    (fix,) = [one.fix for one in full_report(report).findings if one.fix is not None]
    assert [(one.line, one.column, one.text) for one in fix.edits] == [(2, 49, "False")]


def test_words_of_edits_of_a_script() -> None:
    script = read("train.py", b"f(a=1, b=x)\n")
    key, value = Span("train.py", 1, 3, 1, 4, 2, 3), Span("train.py", 1, 5, 1, 6, 4, 5)
    edits = [Edit("replace", key, value=2), Edit("replace", value, value="x"), Edit("replace", key, value=float("inf"))]
    said = [Words((script,)).of(unsafe(one), None, None) for one in edits]
    assert said == ["write a=2 in train.py", 'write "x" instead of 1 in train.py', "write a=inf in train.py"]


def test_a_cure_that_is_more_than_entries_is_made_of_the_text() -> None:
    text = "output_dir: o\nbf16: true # why\n"
    document = read("train.yaml", text.encode())
    part = RunRequest((document,), facts_of({}), None, "transformers")
    editor = Editor((document,))
    start = text.index("#")
    comment = Fix((cut(Source("train.yaml", text).span(start, len(text) - 1)),), safe=False)
    made = cured_as_values(part, (document,), editor, comment, None)
    assert made.documents[0].text == "output_dir: o\nbf16: true\n"
    assert document.root is not None
    value = Fix((Edit("replace", document.root.entries["bf16"].key_span, value=False),), safe=False)
    made = cured_as_values(part, (document,), editor, value, Action("", variables={"A": "1"}))
    assert made.documents[0].text == text
    assert made.documents[0].root.data() == {"output_dir": "o", "bf16": False}  # type: ignore[union-attr]
    assert (made.facts.variables or {})["A"] == "1"


def test_a_check_that_has_no_time_for_a_plan_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(EXAMPLE / name) for name in ("train.yaml", "accelerate.yaml")]
    assert main([*files, "--facts", str(EXAMPLE / "facts.json")]) == 1
    assert capsys.readouterr().out.endswith(
        "\n\nwhat to do  fp8check plan, on the same files, tries more than a check has time for\n"
    )
