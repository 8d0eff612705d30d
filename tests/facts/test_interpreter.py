"""Another interpreter is asked; one that does not answer is a clear error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fp8check.rules.facts import BadFacts, BadInterpreter, interpreter
from fp8check.rules.facts.collect import this_one
from tests.support.trees import script, write


def test_this_interpreter_answers_as_it_does_when_asked() -> None:
    asked = interpreter.ask(sys.executable)
    here = this_one()
    assert asked.python == here.python == ".".join(str(part) for part in sys.version_info[:3])
    assert set(asked.path) <= set(here.path)  # pytest adds to its own


def test_pythonpath_counts_and_noise_does_not(tmp_path: Path) -> None:
    write(tmp_path / "sitecustomize.py", "print('hello from a module system')\n")
    asked = interpreter.ask(sys.executable, {"PYTHONPATH": str(tmp_path)})
    assert asked.path[0] == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 3", "ended with 3"),
        ("echo 'ImportError: no encodings' >&2; exit 1", "ended with 1: ImportError: no encodings"),
        ("echo hello", "not a Python interpreter"),
        ("echo 'fp8check-interpreter:{}'", "printed something else"),
        ("echo 'fp8check-interpreter:oops'", "printed something else"),
        ("exec sleep 5", "gave no answer in 0.3 s"),
    ],
)
def test_interpreters_that_do_not_answer(text: str, reason: str, tmp_path: Path) -> None:
    python = script(tmp_path / "python", text)
    with pytest.raises(BadInterpreter, match=reason) as caught:
        interpreter.ask(python, timeout_s=0.3 if "sleep" in text else 30)
    assert caught.value.path == python
    assert isinstance(caught.value, BadFacts)


@pytest.mark.parametrize("python", ["/no/such/python", "", "bad\0name"])
def test_interpreters_that_cannot_be_started(python: str) -> None:
    with pytest.raises(BadInterpreter, match="cannot be started"):
        interpreter.ask(python)
