"""Fixing a whole run: the fixes of one rule together, looked at before the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.edits.fix import Edit, Fix, cut, safe, unsafe
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.engine.running import Finding
from fp8check.rules.reading import Document
from fp8check.rules.reading.source import Source
from fp8check.rules.repair import edited, fix_all
from fp8check.rules.settings.edits import delete, insert, rename, replace
from fp8check.rules.settings.values import Section, Setting
from fp8check.rules.suppression.examined import Examined
from fp8check.rules.trainers.detect import read
from tests.support.runs import report_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPORT = report_of({"accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\n"})


def examine(make: Callable[[str, Setting], Fix | None]) -> Callable[[Sequence[Document]], Sequence[Examined]]:
    """Two runs that share their files, with a finding for every entry that `make` has a fix for."""

    def reports(documents: Sequence[Document]) -> Sequence[Examined]:
        findings = []
        for document in documents:
            section = Section(document.root)
            for name in section:
                setting = section.get(name)
                assert setting is not None
                fix = make(name, setting)
                if fix is not None:
                    place = setting.origin.key_span
                    findings.append(
                        Finding(f"FP-{name}", name, "error", f"{name} is wrong", place, "", (), (), "", fix)
                    )
        one = Examined(**{**REPORT.as_dict(), "findings": tuple(findings)})  # type: ignore[arg-type]
        return (one, one)

    return reports


def upper(name: str, setting: Setting) -> Fix | None:
    value = str(setting.value)
    return None if value.isupper() else (unsafe if name.startswith("u") else safe)(replace(setting, value.upper()))


def test_what_is_safe_is_fixed_and_the_rest_left_and_named() -> None:
    fixed = fix_all([read("a.yaml", b"a: te\nu: ao\n"), read("b.yaml", b"b: no way\nc: X\n")], examine(upper))
    assert [one.text for one in fixed.documents] == ["a: TE\nu: ao\n", "b: NO WAY\nc: X\n"]
    assert [one.rule for one in fixed.applied] == ["FP-a", "FP-b"]
    assert [one.rule for one in fixed.unsafe] == ["FP-u"]
    assert fixed.refused == ()
    assert [one.rule for one in fixed.left[0].findings] == ["FP-u"]


def test_what_changes_the_run_is_fixed_where_it_is_asked_for() -> None:
    fixed = fix_all([read("a.yaml", b"a: te\nu: ao\n")], examine(upper), unsafe=True)
    assert [one.text for one in fixed.documents] == ["a: TE\nu: AO\n"]
    assert fixed.unsafe == ()


def test_a_fix_that_cannot_be_made_is_refused_once_and_the_others_are_made() -> None:
    fixed = fix_all([read("a.yaml", b"a: &x te\nb: *x\nc: te\n")], examine(upper))
    assert fixed.documents[0].text == "a: &x te\nb: *x\nc: TE\n"
    assert {(one.finding.rule, one.reason) for one in fixed.refused} == {
        ("FP-a", "the value has an anchor or a tag"),
        ("FP-b", "the value comes from somewhere else through an alias"),
    }


def test_a_fix_that_leaves_the_finding_is_refused() -> None:
    fixed = fix_all([read("a.yaml", b"a: 1\n")], examine(lambda _, setting: safe(replace(setting, 2))))
    assert fixed.documents[0].text == "a: 1\n"
    (refusal,) = fixed.refused
    assert refusal.reason == "the finding would still be there"


@pytest.mark.parametrize("elsewhere", ["c.yaml", ""])
def test_a_file_that_was_not_given_is_not_written(elsewhere: str) -> None:
    other = Section(read(elsewhere, b"x: 1\n").root).get("x") if elsewhere else Setting(1)
    assert other is not None
    fixed = fix_all([read("a.yaml", b"a: 1\n")], examine(lambda _name, _setting: safe(delete(other))))
    (refusal,) = fixed.refused
    assert refusal.reason == f"name {elsewhere or 'its file'} on the command line to have it fixed"


def test_a_fix_of_several_edits_is_made_whole_or_not_at_all() -> None:
    document = read("f.yaml", b"a: 1\nb: |\n  x\n")
    section = Section(document.root)
    first, second = section.get("a"), section.get("b")
    assert first is not None
    assert second is not None
    with pytest.raises(Unfixable, match="lines of its own"):
        edited((document,), safe(replace(first, 2), replace(second, 3)))


def test_an_edit_after_which_the_file_cannot_be_read_is_refused() -> None:
    text = "a: [1]\nb: 2\n"
    with pytest.raises(Unfixable, match="could not be read any more"):
        edited((read("f.yaml", text.encode()),), safe(cut(Source("f.yaml", text).span(3, 5))))


def entries(count: int, text: str = "te") -> bytes:
    return "".join(f"k{number}: {text}\n" for number in range(count)).encode()


def of_one_rule(make: Callable[[str, Setting], Fix | None]) -> Callable[[Sequence[Document]], Sequence[Examined]]:
    """As `examine`, where all findings are one rule's; `calls` counts how often it was asked."""
    inner = examine(make)

    def reports(documents: Sequence[Document]) -> Sequence[Examined]:
        return [
            one._replace(findings=tuple(finding._replace(rule="FP-all") for finding in one.findings))
            for one in inner(documents)
        ]

    return reports


def counted(examine: Callable[[Sequence[Document]], Sequence[Examined]]) -> tuple[list[int], Callable[..., object]]:
    calls: list[int] = []

    def reports(documents: Sequence[Document]) -> Sequence[Examined]:
        calls.append(len(documents))
        return examine(documents)

    return calls, reports


def test_fixes_of_one_rule_are_made_together() -> None:
    calls, counting = counted(of_one_rule(upper))
    fixed = fix_all([read("a.yaml", entries(1000))], counting)  # type: ignore[arg-type]
    assert fixed.documents[0].text == entries(1000, "TE").decode()
    assert len(fixed.applied) == 1000
    assert len(calls) == 2


def test_one_bad_fix_among_many_is_found_and_the_others_are_made() -> None:
    def make(name: str, setting: Setting) -> Fix | None:
        if name == "k37":
            return safe(replace(setting, 1)) if setting.value != 1 else safe(replace(setting, 2))
        return upper(name, setting)

    calls, counting = counted(of_one_rule(make))
    fixed = fix_all([read("a.yaml", entries(64))], counting)  # type: ignore[arg-type]
    assert fixed.documents[0].text == entries(64, "TE").decode().replace("k37: TE", "k37: te")
    assert [one.finding.message for one in fixed.refused] == ["k37 is wrong"]
    assert len(calls) < 30


def test_all_entries_of_a_map_can_go_one_after_the_other() -> None:
    text = b"fp8_config:\n" + b"".join(b"  x%d: 1\n" % number for number in range(5))

    def reports(documents: Sequence[Document]) -> Sequence[Examined]:
        section = Section(documents[0].root).section("fp8_config")
        findings = tuple(
            Finding("FP-x", "x", "error", f"{name} is wrong", one.origin.key_span, "", (), (), "", safe(delete(one)))
            for name, one in section.settings()
        )
        return (Examined(**{**REPORT.as_dict(), "findings": findings}),)  # type: ignore[arg-type]

    fixed = fix_all([read("a.yaml", text, loader="pyyaml")], reports)
    assert fixed.documents[0].text == "fp8_config: {}\n"
    assert len(fixed.applied) == 5


@pytest.mark.parametrize("brackets", [False, True])
def test_two_keys_that_would_get_the_same_name_do_not(brackets: bool) -> None:
    def make(name: str, setting: Setting) -> Fix | None:
        return None if name == "kept" else safe(rename(setting, "kept"))

    text = b"{a: 1, b: 2}\n" if brackets else b"a: 1\nb: 2\n"
    fixed = fix_all([read("a.yaml", text)], of_one_rule(make))
    assert fixed.documents[0].text == ("{kept: 1, b: 2}\n" if brackets else "kept: 1\nb: 2\n")
    assert [one.reason for one in fixed.refused] == ["kept is there already"]


def test_edits_of_one_stretch_are_made_one_after_the_other() -> None:
    for text in (b"{a: 1, b: 2, c: X}\n", b"{c: X, a: 1, b: 2}\n"):
        fixed = fix_all([read("a.yaml", text)], of_one_rule(deleted))
        assert fixed.documents[0].text == "{c: X}\n"


def deleted(name: str, setting: Setting) -> Fix | None:
    return None if name == "c" else safe(delete(setting))


def test_the_files_are_looked_at_a_limited_number_of_times_and_the_rest_is_told() -> None:
    def make(_name: str, setting: Setting) -> Fix | None:
        return safe(replace(setting, setting.value + "x"))  # type: ignore[operator]  # the finding stays

    calls, counting = counted(of_one_rule(make))
    large = entries(9) + b"# " + 700_000 * b"x"
    fixed = fix_all([read("a.yaml", large)], counting)  # type: ignore[arg-type]
    assert fixed.documents[0].text == large.decode()
    assert len(calls) == 1 + 4
    assert {one.reason for one in fixed.refused} == {
        "the finding would still be there",
        "the files were looked at 4 times already; run fp8check fix once more",
    }


def test_a_file_that_is_known_for_nothing_may_become_known_for_something() -> None:
    """Whoever names it says what it is (--trainer)."""
    document = read("f.yaml", b"output_dir: out\n")
    assert document.kind == "other"
    (done,) = edited((document,), safe(insert(Section(document.root), "max_steps", 5)))
    assert done.text == "output_dir: out\nmax_steps: 5\n"


def test_a_place_in_no_document_cannot_be_edited() -> None:
    setting = Section(read("a.yaml", b"a: 1\n").root).get("a")
    assert setting is not None
    with pytest.raises(Unfixable, match="stands in no file of this run"):
        edited((), safe(delete(setting)))


def test_all_but_the_last_of_equal_keys_go_together() -> None:
    text = "".join(f"k: {number}\n" for number in range(50))
    document = read("a.yaml", text.encode(), loader="pyyaml")

    def reports(documents: Sequence[Document]) -> Sequence[Examined]:
        findings = tuple(
            Finding("FP-k", "k", "error", one.message, one.span, "", (), (), "", safe(Edit("delete", one.related)))
            for one in documents[0].problems
        )
        return (Examined(**{**REPORT.as_dict(), "findings": findings}),)  # type: ignore[arg-type]

    calls, counting = counted(reports)
    fixed = fix_all([document], counting)  # type: ignore[arg-type]
    assert fixed.documents[0].text == "k: 49\n"
    assert len(calls) == 2


def test_one_line_of_a_shared_file_may_have_another_cure_in_each_run() -> None:
    """The finding stands at the Accelerate file's line, and is gone where the training file of its run says so."""
    looked = 0

    def reports(documents: Sequence[Document]) -> Sequence[Examined]:
        nonlocal looked
        looked += 1
        *trainings, shared = documents
        place = Section(shared.root).get("backend")
        assert place is not None
        found = []
        for one in trainings:
            section = Section(one.root)
            fix = safe(insert(section, "stop", True))
            finding = Finding("FP-x", "x", "error", "it is on", place.origin.key_span, "", (), (), "", fix)
            findings = () if "stop" in section else (finding,)
            found.append(Examined(**{**REPORT.as_dict(), "findings": findings}))  # type: ignore[arg-type]
        return found

    trainings = [read(f"{number}.yaml", b"a: 1\n") for number in range(50)]
    fixed = fix_all([*trainings, read("accel.yaml", b"backend: TE\n")], reports)
    assert [one.text for one in fixed.documents[:-1]] == 50 * ["a: 1\nstop: true\n"]
    assert len(fixed.applied) == 50
    assert looked == 2
