"""docs/service.md says what the code does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.example import EXAMPLE
from tests.support.service import served
from tests.tools.service.docs import PAGE, page


def test_the_generated_parts_are_those_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make docs"


def test_the_curl_line_works_as_printed(tmp_path: Path) -> None:
    (line,) = re.findall(r"^curl .*/check$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    for file, name in (("train.yaml", "cfg.yaml"), ("accelerate.yaml", "accel.yaml"), ("facts.json", "facts.json")):
        (tmp_path / name).write_bytes((EXAMPLE / file).read_bytes())
    words = line.split()
    with served(tmp_path) as one:
        assert words[-1] == "http://127.0.0.1:8000/check"
        words[-1] = f"{one.url}check"
        try:
            done = subprocess.run(["curl", "-sS", *words[1:]], capture_output=True, text=True, cwd=tmp_path, check=True)
        except FileNotFoundError:
            pytest.skip("no curl here")
        here = subprocess.run(
            [one.process.args[0], "cfg.yaml", "accel.yaml", "--facts", "facts.json", "--format", "json"],  # type: ignore[index]
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
    import json

    assert json.loads(done.stdout) == json.loads(here.stdout)
