"""Credentials that only their name tells: where they are written, and wherever a report repeats them."""

from __future__ import annotations

import pytest

from fp8check.rules.credentials import MASK
from fp8check.rules.facts import Facts
from fp8check.rules.reading import read
from fp8check.rules.report.build import brief, full_report
from fp8check.rules.report.masking import hidden, masked_text, secrets_of
from fp8check.rules.report.schema import Edit, Fix
from fp8check.rules.settings.launch import Launch
from fp8check.rules.trainers.run import Run
from tests.support.runs import report_of

SECRET = "correct-horse-battery"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"hub_token: {SECRET}\nx: 1\n", f"hub_token: {'*' * 21}\nx: 1\n"),
        (f"hub_token: '{SECRET}'\n", f"hub_token: '{'*' * 21}'\n"),
        (f"hub_token: &a {SECRET}\nx: *a\n", f"hub_token: &a {'*' * 21}\nx: *a\n"),
        (f"a: &a {SECRET}\nhub_token: *a\n", f"a: &a {'*' * 21}\nhub_token: **\n"),
        (f"hub_token: |\n  {SECRET}\nx: 1\n", f"hub_token: |\n  {'*' * 21}\nx: 1\n"),
        (f"hub_token: {SECRET}\nhub_token: b\n", f"hub_token: {'*' * 21}\nhub_token: *\n"),
        (f"env:\n- name: HF_TOKEN\n  value: {SECRET}\n", f"env:\n- name: HF_TOKEN\n  value: {'*' * 21}\n"),
        ("password: 12345\n", "password: *****\n"),
        ("pad_token: <pad>\nmax_tokens: 3\n", "pad_token: <pad>\nmax_tokens: 3\n"),
        ("# nothing\n", "# nothing\n"),
    ],
)
def test_a_file_keeps_its_form(text: str, shown: str) -> None:
    assert masked_text(read("a.yaml", text.encode())) == shown


def test_a_run_names_its_credentials() -> None:
    launch = Launch(
        "accelerate",
        {"aws_secret_access_key": "of-a-flag", "mixed_precision": "fp8"},
        "x.py",
        (
            "--hub_token",
            "of-an-argument",
            "--api_key=a b cd e",
            "--password",
            "five5",
            "-c",
            "x --auth_token of-a-word",
        ),
        variables={"HF_TOKEN": "of-a-variable"},
    )
    run = Run(launch, Facts(variables={"MY_SECRET": "of-the-shell", "NCCL_DEBUG": "information", "A_TOKEN": MASK}))
    document = read("a.yaml", b"hub_token: of-the-file\nx: {api_key: of-the-file-too}\n")
    other = read("b.yaml", b"bf16: true\n")
    found = {
        "of-a-flag",
        "of-an-argument",
        "a b cd e",
        "of-a-variable",
        "of-the-shell",
        "of-the-file",
        "of-the-file-too",
        "of-a-word",
    }
    assert set(secrets_of(run, (document, other))) == found
    assert list(map(len, secrets_of(run, (document,)))) == sorted(map(len, found), reverse=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"it is {SECRET}, twice {SECRET}", "it is ***, twice ***"),
        ("cut: 'correct-horse-ba...'", "cut: '***...'"),
        ("correct-horse is a breed", "*** is a breed"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_a_text_is_masked_also_where_it_is_cut(text: str, shown: str) -> None:
    assert hidden(text, (SECRET, "short!")) == shown


def test_a_report_repeats_none() -> None:
    case = {
        "accelerate": f"distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {{backend: TE, fp8_format: {SECRET}, "
        f"api_key: {SECRET}}}\n"
    }
    examined = report_of(case)
    for report in (brief(examined), full_report(examined)):
        assert SECRET not in repr(report._replace(probe=None))
        assert MASK in repr(report)


def test_a_fix_that_would_write_a_mask_is_none() -> None:
    from fp8check.rules.report.masking import without

    examined = report_of(
        {"accelerate": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE, margn: 1}\n"}
    )
    report = full_report(examined)
    place = ("accel.yaml", 1, 1, 1, 2)
    wrong, right = (Fix(True, (Edit(*place, text),)) for text in (f"x: {SECRET}", "x: 1"))
    findings = (report.findings[0]._replace(fix=wrong), report.findings[0]._replace(fix=right))
    changed = without(report._replace(findings=findings), (SECRET,))
    assert [one.fix for one in changed.findings] == [None, right]
