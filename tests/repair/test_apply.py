"""Fixing a whole run: one fix at a time, each looked at before the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.edits.fix import Fix, cut, safe, unsafe
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.engine.running import Finding
from fp8check.rules.reading import Document
from fp8check.rules.reading.source import Source
from fp8check.rules.repair import edited, fix_all
from fp8check.rules.settings.edits import delete, replace
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
