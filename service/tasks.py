"""What a child process can be asked to do."""

from __future__ import annotations

import base64
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fp8check.rules import facts as machine
from fp8check.service import checking
from fp8check.service.check_request import loads
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.service.check_request import CheckRequest
    from fp8check.service.checking import Answer

    Say = Callable[[dict[str, Any]], None]

_MEMORY_BYTES = 4 * 1024**3


def check(task: dict[str, Any], say: Say) -> None:
    """A check of files that are too large to be checked between other requests."""
    _limit_memory()
    question = _question(task)
    try:
        answer = checking.answer(question, lambda: machine.loads(task["own"]), task["format"])
    except Problem as problem:
        say({"problem": {"slug": problem.slug, "detail": problem.detail, "errors": problem.errors}})
        return
    say({"result": packed(answer)})


def probe(task: dict[str, Any], say: Say) -> None:
    """A probe: the check, a real FP8 step where this machine can, and the report with what was seen."""
    from fp8check.service import probing

    question = _question(task)
    module, _, function = task["runner"].partition(":")
    run = getattr(import_module(module), function)
    try:
        answer = probing.probed(
            question,
            machine.loads(task["own"]),
            run,
            python=task["python"],
            say=lambda text: say({"progress": text}),
        )
    except Problem as problem:
        say({"problem": {"slug": problem.slug, "detail": problem.detail, "errors": problem.errors}})
        return
    say({"result": packed(answer)})


TASKS: dict[str, Callable[[dict[str, Any], Say], None]] = {"check": check, "probe": probe}


def packed(answer: Answer) -> dict[str, Any]:
    """An answer as JSON can hold it."""
    return {
        "report": base64.b64encode(answer.report).decode(),
        "body": base64.b64encode(answer.body).decode(),
        "counts": list(answer.counts),
    }


def unpacked(data: dict[str, Any]) -> Answer:
    """The answer that was packed."""
    return checking.Answer(
        base64.b64decode(data["report"]), base64.b64decode(data["body"]), checking.Counts(*data["counts"])
    )


def _question(task: dict[str, Any]) -> CheckRequest:
    return loads(task["question"].encode())


def _limit_memory() -> None:
    """A check that wants more memory than this ends, and not the service with it."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
