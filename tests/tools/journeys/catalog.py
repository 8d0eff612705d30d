"""Starts from the case files of the rules: each `found` case is a run that somebody has."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from fp8check.rules.checking.request import RunRequest
from fp8check.rules.checking.runs import parse_launch
from fp8check.rules.reading.kind import Kind
from fp8check.rules.trainers.detect import read
from tests.support.cases import CASES
from tests.support.runs import beside, facts_of, file_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from fp8check.rules.reading import Document

# Cases that are more than a run: what a probe saw, a rule that fails, suppressions.
_MORE = ("seen", "crashing", "today", "require")


def starts() -> Iterator[tuple[str, Mapping[str, object]]]:
    """The `found` cases, by rule and name."""
    for rule, file in CASES.items():
        for case in file["found"]:
            if not any(name in case for name in _MORE):
                yield f"{rule} {case['name']}", case


def opened() -> Iterator[tuple[str, Callable[[], AbstractContextManager[RunRequest]]]]:
    """The same, each with how it is opened."""
    for name, case in starts():
        yield name, partial(_opened, case)


@contextmanager
def _opened(case: Mapping[str, object]) -> Iterator[RunRequest]:
    with ExitStack() as stack:
        yield request_of(case, stack)


def request_of(case: Mapping[str, object], stack: ExitStack) -> RunRequest:
    """The request of a case, with the files that it names beside it while `stack` is open."""
    documents: list[Document] = []
    for kind, path in (("training", "train.yaml"), ("accelerate", "accel.yaml"), ("deepspeed", "ds.json")):
        text = case.get(kind)
        if text is not None:
            document = read(str(case.get(f"{kind} path", path)), str(text).encode())
            documents.append(document.as_kind(Kind(kind, document.dialect)))
    model = case.get("model")
    if isinstance(model, dict):
        documents.append(read("config.json", json.dumps(model).encode()).as_kind(Kind("model")))
    named = case.get("named", {})
    assert isinstance(named, dict)
    stack.enter_context(beside(named))
    command = case.get("launch")
    launch = parse_launch(command)  # type: ignore[arg-type]
    script = case.get("script")
    none = script is None and (launch is None or launch.script is None)
    given = (
        None
        if none
        else ("train.py" if launch is None or launch.script is None else file_of(launch), str(script or "").encode())
    )
    trainer = case.get("trainer", "transformers" if "training" in case else None)
    return RunRequest(tuple(documents), facts_of(case), command, trainer, script=given, follow=bool(named))  # type: ignore[arg-type]
