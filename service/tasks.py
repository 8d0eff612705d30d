"""What a child process can be asked to do (child.py), and how its answer comes back."""

from __future__ import annotations

import base64
from importlib import import_module
from typing import TYPE_CHECKING

from fp8check.rules import facts as machine
from fp8check.rules.checking.verdict import Counts
from fp8check.service import checking
from fp8check.service.check_request import loads
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.service.checking import Answer
    from fp8check.service.messages import CheckTask, Event, Failure, ProbeTask, Result, Task
    from fp8check.service.probing import Runner

    Say = Callable[[Event], None]

_MEMORY_BYTES = 4 * 1024**3


def perform(task: Task, say: Say) -> None:
    """Do a task, and say its events; the last one is its result, or the problem that ended it."""
    try:
        answer = _check(task) if task["task"] == "check" else _probe(task, say)
    except Problem as problem:
        errors = None if problem.errors is None else [dict(one) for one in problem.errors]
        say({"event": "problem", "slug": problem.slug, "detail": problem.detail, "errors": errors})
    else:
        say(packed(answer))


def _check(task: CheckTask) -> Answer:
    """A check of files that are too large to be checked between other requests."""
    _limit_memory()
    return checking.answer(loads(task["check_request"].encode()), lambda: machine.loads(task["own"]), task["format"])


def _probe(task: ProbeTask, say: Say) -> Answer:
    """A probe: the check, a real FP8 step where this machine can, and the report with what was seen."""
    from fp8check.service import probing

    module, _, function = task["runner"].partition(":")
    runner: Runner = getattr(import_module(module), function)
    return probing.probed(
        loads(task["check_request"].encode()),
        machine.loads(task["own"]),
        runner,
        python=task["python"],
        say=lambda text: say({"event": "progress", "text": text}),
    )


def packed(answer: Answer) -> Result:
    """An answer as JSON can hold it."""
    counts = answer.counts
    return {
        "event": "result",
        "report": base64.b64encode(answer.report).decode(),
        "body": base64.b64encode(answer.body).decode(),
        "counts": {
            "verdict": counts.verdict,
            "error": counts.error,
            "warning": counts.warning,
            "info": counts.info,
            "undecided": counts.undecided,
            "crashes": counts.crashes,
        },
    }


def unpacked(result: Result) -> Answer:
    """The answer that was packed."""
    return checking.Answer(
        base64.b64decode(result["report"]), base64.b64decode(result["body"]), Counts(**result["counts"])
    )


def problem_of(failure: Failure) -> Problem:
    """The problem that ended a task."""
    return Problem(failure["slug"], failure["detail"], errors=failure["errors"])


def _limit_memory() -> None:
    """A check that wants more memory than this ends, and not the service with it."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
