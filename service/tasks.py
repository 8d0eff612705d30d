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
    from fp8check.service.messages import (
        CheckTask,
        Event,
        Failure,
        MergedNodes,
        NodesTask,
        NodeTask,
        Outcome,
        Parsed,
        ParseTask,
        Planned,
        PlanTask,
        PoolTask,
        ProbeTask,
        Rendered,
        RenderTask,
        Result,
        Task,
        ToldNode,
    )
    from fp8check.service.probing import Runner

    Say = Callable[[Event], None]

_MEMORY_BYTES = 4 * 1024**3


def perform(task: Task, say: Say) -> None:
    """Do a task, and say its events; the last one is its result, or the problem that ended it."""
    try:
        say(packed(_probe(task, say)) if task["task"] == "probe" else _outcome(task))
    except Problem as problem:
        errors = None if problem.errors is None else [dict(error) for error in problem.errors]
        say({"event": "problem", "slug": problem.slug, "detail": problem.detail, "errors": errors, "frames": []})


def _outcome(task: PoolTask) -> Outcome | Failure:
    """What takes too long to be done between other requests."""
    _limit_memory()
    try:
        if task["task"] == "parse":
            return _parse(task)
        if task["task"] == "plan":
            return _plan(task)
        if task["task"] == "node":
            return _node(task)
        if task["task"] == "nodes":
            return _nodes(task)
        return packed(_check(task)) if task["task"] == "check" else _render(task)
    except (Problem, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  whoever waits is told, and the place of the fault is logged there
        from fp8check.service.logs import frames

        detail = f"an unexpected error was logged ({type(error).__name__})"
        return {"event": "problem", "slug": "internal", "detail": detail, "errors": None, "frames": frames(error)}


def _parse(task: ParseTask) -> Parsed:
    import asyncio

    from fp8check.service.bodies import parsed

    content = base64.b64decode(task["body"])
    check_request = asyncio.run(parsed(task["content_type"], content, task["body_limit"]))
    return {"event": "parsed", "check_request": check_request.dumped().decode()}


def _check(task: CheckTask) -> Answer:
    return checking.answer(loads(task["check_request"].encode()), lambda: machine.loads(task["own"]), task["format"])


def _plan(task: PlanTask) -> Planned:
    check_request = loads(task["check_request"].encode())
    found = checking.plan(check_request, lambda: machine.loads(task["own"]), task["format"], task["seconds"])
    return {"event": "planned", "body": base64.b64encode(found.body).decode(), "reached": found.reached}


def _node(task: NodeTask) -> ToldNode:
    from fp8check.service.fleets import told_by

    found = told_by(base64.b64decode(task["body"]))
    return {"event": "told", "host": found.host, "verdict": found.verdict, "told": found.told}


def _nodes(task: NodesTask) -> MergedNodes:
    from fp8check.service.fleets import answered

    found = answered(task["told"], task["expect"], task["format"])
    body = base64.b64encode(found.body).decode()
    return {"event": "merged", "body": body, "verdict": found.verdict, "code": found.code}


def _render(task: RenderTask) -> Rendered:
    check_request, reports = loads(task["check_request"].encode()), checking.loaded(task["report"].encode())
    format_ = task["format"]
    body = (
        checking.page_part(check_request, reports)
        if format_ is None
        else checking.rendered(check_request, reports, format_)
    )
    return {"event": "rendered", "body": base64.b64encode(body).decode()}


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
        "body": None if answer.body is answer.report else base64.b64encode(answer.body).decode(),
        "check_request": answer.check_request.decode(),
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
    report, body = base64.b64decode(result["report"]), result["body"]
    return checking.Answer(
        report,
        report if body is None else base64.b64decode(body),
        Counts(**result["counts"]),
        result["check_request"].encode(),
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
