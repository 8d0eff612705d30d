"""What the pages show is so: its Python runs, and its exit codes are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from fp8check.rules.checking.exit_codes import MEANINGS
from fp8check.rules.report.formats import FORMATS
from tests.support.paths import DOCS, EXAMPLE
from tests.tools import picture, python_page

CHECK = (DOCS / "check.md").read_text(encoding="utf-8")
PYTHON = (DOCS / "python.md").read_text(encoding="utf-8")


def test_the_python_of_the_pages() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PYTHON, re.S)
    ran = subprocess.run([sys.executable, "-c", code], cwd=EXAMPLE, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    verdict, code_line, happens, *steps = ran.stdout.splitlines()
    assert "train.yaml 31 bf16: true -> bf16: false" in steps
    assert verdict.startswith("fail ['FP")
    assert code_line == "exit code 1"
    assert happens == "bf16 all layers in FP8"


def test_the_formats_of_the_pages() -> None:
    (names,) = re.findall(r"^`--format` takes ([\w,\s]+),\s+each\s+with\s+`=FILE`", CHECK, re.M)
    assert re.split(r",\s|\sor\s", names) == [one.name for one in FORMATS], "docs/check.md: the sentence on --format"


def test_the_exit_codes_of_the_pages() -> None:
    rows = re.findall(r"^\| (\d) \| (.*) \|$", CHECK, re.M)
    assert rows == [(str(code), MEANINGS[code]) for code in sorted(MEANINGS)]


def test_the_package_has_what_the_page_names_and_nothing_else() -> None:
    from fp8check.rules import checking

    assert {name: getattr(checking, name).__name__ for name in checking.__all__} == {n: n for n in checking.__all__}
    with pytest.raises(AttributeError, match="no attribute 'run_checks'"):
        checking.run_checks  # noqa: B018


def test_the_picture_is_what_the_command_prints() -> None:
    drawn = (DOCS / "images" / "example.svg").read_text(encoding="utf-8")
    assert drawn == picture.svg(picture.printed()), "make docs"


def test_the_functions_of_the_page_are_those_of_the_code() -> None:
    assert python_page.PAGE.read_text(encoding="utf-8") == python_page.page(), "make docs"
