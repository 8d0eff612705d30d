"""What the README shows is so: its Python runs, and its exit codes are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from fp8check.rules.checking.exit_codes import MEANINGS
from fp8check.rules.report.formats import FORMATS
from tests.support.paths import EXAMPLE, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    ran = subprocess.run([sys.executable, "-c", code], cwd=EXAMPLE, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    verdict, code_line, happens, *steps = ran.stdout.splitlines()
    assert "train.yaml 31 bf16: true -> bf16: false" in steps
    assert verdict.startswith("fail ['FP")
    assert code_line == "exit code 1"
    assert happens == "bf16 all layers in FP8"


def test_the_formats_of_the_readme() -> None:
    (names,) = re.findall(r"^`--format` takes ([\w,\s]+),\s+each\s+with\s+`=FILE`", README, re.M)
    assert re.split(r",\s|\sor\s", names) == [one.name for one in FORMATS], "README.md: the sentence on --format"


def test_the_exit_codes_of_the_readme() -> None:
    rows = re.findall(r"^\| (\d) \| (.*) \|$", README, re.M)
    assert rows == [(str(code), MEANINGS[code]) for code in sorted(MEANINGS)]


def test_the_package_has_what_the_readme_names_and_nothing_else() -> None:
    from fp8check.rules import checking

    assert {name: getattr(checking, name).__name__ for name in checking.__all__} == {n: n for n in checking.__all__}
    with pytest.raises(AttributeError, match="no attribute 'run_checks'"):
        checking.run_checks  # noqa: B018
