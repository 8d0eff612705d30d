"""What holds for every fix of every rule together, over the rules' own cases on several machines."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.input_error import InputError
from fp8check.rules.repair import edited, fix_all
from tests.support.cases import CASES
from tests.support.pins import help_of
from tests.support.runs import assembled_of, examined
from tests.support.sampled import sampled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.engine.running import Finding
    from fp8check.rules.reading import Document, Node
    from fp8check.rules.suppression.examined import Examined

GPUS = ("8.0", "9.0", "unknown")
DISTRIBUTED = ("'NO'", "MEGATRON_LM", "FSDP", "DEEPSPEED", "MULTI_GPU")
ALONE = "distributed_type: 'NO'"


def cases() -> list[object]:
    """The found cases of all rules: each on one GPU and under one kind of distribution, so that all pairs come up."""
    numbered = enumerate((rule, case) for rule, file in CASES.items() for case in file["found"])
    return [
        pytest.param(_on(case, number), number % 4 != 3, id=f"{rule}-{case['name']}")
        for number, (rule, case) in numbered
    ]


def _on(case: dict[str, Any], number: int) -> dict[str, Any]:
    one = {"gpu": GPUS[number % len(GPUS)], **case} if number % 2 else {**case, "gpu": GPUS[number % len(GPUS)]}
    text = case.get("accelerate")
    if isinstance(text, str):
        one["accelerate"] = text.replace(ALONE, f"distributed_type: {DISTRIBUTED[number // 3 % len(DISTRIBUTED)]}")
    return one


def documents_of(case: dict[str, Any]) -> tuple[Document, ...]:
    return tuple(one for one in assembled_of(case).documents if one.kind != "script")


def errors(reports: Sequence[Examined]) -> list[str]:
    return [f"{one.rule} {one.message}" for report in reports for one in report.findings if one.severity == "error"]


def checkpoints_twice(documents: Sequence[Document]) -> bool:
    text = "\n".join(one.text for one in documents).lower()
    return "fsdp_activation_checkpointing: true" in text and "gradient_checkpointing: true" in text


@pytest.mark.parametrize(("case", "unsafe"), sampled(cases()))
def test_fixes_come_to_a_fixpoint(case: dict[str, Any], unsafe: bool) -> None:
    check_fixpoint(case, documents_of(case), unsafe=unsafe)


def check_fixpoint(case: dict[str, Any], documents: Sequence[Document], *, unsafe: bool) -> None:

    def examine(current: Sequence[Document]) -> list[Examined]:
        return [examined(case, current)]

    before = examine(documents)
    done = fix_all(documents, examine, unsafe=unsafe)
    found = {(one.rule, one.message) for one in done.left[0].findings}
    assert [one.rule for one in done.applied if (one.rule, one.message) in found] == []
    assert len(errors(done.left)) <= len(errors(before))
    assert checkpoints_twice(documents) or not checkpoints_twice(done.documents)
    again = fix_all(done.documents, examine, unsafe=unsafe)
    assert [one.rule for one in again.applied] == []
    assert [one.text for one in again.documents] == [one.text for one in done.documents]
    assert {one.finding.rule for one in again.refused} == {one.finding.rule for one in done.refused}


# What leaves a file is what the fix says that it removes.

# What a help says where a value goes away, and where it goes elsewhere.
AWAY = ("delete",)
ELSEWHERE = ("move", "instead of")


def values(documents: Sequence[Document]) -> Counter[str]:
    """The plain values of the files, with their types; a key that is there twice counts once, as for its loader."""
    return Counter(_leaf(node) for one in documents if one.root is not None for node in leaves(one.root))


def leaves(node: Node) -> Iterator[Node]:
    for one in node.walk():
        if one.kind == "scalar":
            yield one


def _leaf(node: Node) -> str:
    return f"{type(node.value).__name__} {node.value!r}"


def fixable() -> list[object]:
    return [
        pytest.param(rule, case, id=f"{rule}-{case['name']}")
        for rule, file in CASES.items()
        for case in file["found"]
        if "training" in case or "accelerate" in case or "deepspeed" in case
    ]


@pytest.mark.parametrize(("rule", "case"), fixable())
def test_a_fix_removes_what_it_says_and_nothing_else(rule: str, case: dict[str, Any]) -> None:
    documents = documents_of(case)
    for finding in examined(case, documents, only=rule).findings:
        if finding.rule == rule and finding.fix is not None:
            check_says_what_it_does(finding, finding.fix, documents)
            try:
                done = edited(documents, finding.fix)
            except Unfixable:
                continue
            gone = values(documents) - values(done)
            assert gone <= removed(finding.fix, documents), finding.help
            moves = [edit for edit in finding.fix.edits if edit.taken is not None]
            assert not moves or gone == Counter(), finding.help


def check_says_what_it_does(finding: Finding, fix: Fix, documents: Sequence[Document]) -> None:
    """A value goes away only where the help says so."""
    told = help_of(finding, documents)
    actions = {edit.action for edit in fix.edits}
    if any(edit.action == "delete" and edit.place not in taken(fix) for edit in fix.edits):
        assert any(word in told for word in AWAY), told
        assert not told.startswith(ELSEWHERE), told
    if "rename" in actions:
        assert any(word in told for word in ELSEWHERE), told


def removed(fix: Fix, documents: Sequence[Document]) -> Counter[str]:
    """The values of the entries that the fix deletes, or writes others for."""
    gone: Counter[str] = Counter()
    places = {edit.place for edit in fix.edits if edit.action in ("delete", "replace") and edit.place is not None}
    for one in documents:
        for node in one.root.walk() if one.root is not None else ():
            if node.key_span in places or (node.key_span is None and node.span in places):
                gone.update(_leaf(leaf) for leaf in leaves(node))
    return gone


MUTABLE = [
    case
    for file in CASES.values()
    for case in file["found"]
    if isinstance(case.get("accelerate"), str) and "script" not in case and "seen" not in case and "model" not in case
]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A case whose keys are misspelt, doubled, moved to the top or given comments."""
    case = draw(st.sampled_from(MUTABLE))
    lines = case["accelerate"].splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        how = draw(st.sampled_from(["drop", "swap", "double", "dedent", "comment", "section"]))
        place = draw(st.integers(0, max(0, len(line.partition(":")[0]) - 2)))
        if how == "drop":
            line = line[:place] + line[place + 1 :]
        elif how == "swap":
            line = line[:place] + line[place : place + 2][::-1] + line[place + 2 :]
        elif how == "double":
            lines.append(f"{line.partition(':')[0]}x: 7")
        elif how == "dedent":
            line = line.lstrip()
        elif how == "comment" and "#" not in line:
            line = f"{line}  # note {at}"
        elif how == "section":
            lines += ["fp8_confg:", "  # by hand", "  margin: 3"]
        lines[at] = line
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return {**case, "accelerate": newline.join([*lines, ""])}


@given(mutated())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_of_a_mutated_file_no_fix_takes_more_than_it_says(case: dict[str, Any]) -> None:
    try:
        documents = documents_of(case)
        report = examined(case, documents)
    except (InputError, ValueError):
        assume(False)
    for finding in report.findings:
        if finding.fix is None:
            continue
        check_says_what_it_does(finding, finding.fix, documents)
        try:
            done = edited(documents, finding.fix)
        except Unfixable:
            continue
        gone = values(documents) - values(done)
        assert gone <= removed(finding.fix, documents), finding.help
        comments = [{part.split("#", 1)[1] for part in one.text.splitlines() if "#" in part} for one in documents]
        kept = "\n".join(one.text for one in done)
        if not any(edit.action == "delete" and edit.place not in taken(finding.fix) for edit in finding.fix.edits):
            assert all(one in kept for file in comments for one in file), finding.help


def taken(fix: Fix) -> set[object]:
    return {edit.taken for edit in fix.edits if edit.taken is not None}


@given(mutated(), st.booleans(), st.sampled_from(GPUS), st.sampled_from(DISTRIBUTED))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_fixes_of_a_mutated_file_come_to_a_fixpoint(case: dict[str, Any], unsafe: bool, gpu: str, kind: str) -> None:
    case = {**case, "gpu": gpu, "accelerate": case["accelerate"].replace(ALONE, f"distributed_type: {kind}")}
    try:
        documents = documents_of(case)
    except (InputError, ValueError):
        assume(False)
    check_fixpoint(case, documents, unsafe=unsafe)
