"""What the service and its child processes tell each other: tasks one way, events the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from fp8check.rules.suppression.examined import Verdict


class CheckTask(TypedDict):
    """A check: the request as it was dumped, this machine's facts.json, and the format of the answer."""

    task: Literal["check"]
    check_request: str
    own: str
    format: str


class ProbeTask(TypedDict):
    """A probe: what runs it, as module:function, and the interpreter that trains (None: this one)."""

    task: Literal["probe"]
    check_request: str
    own: str
    runner: str
    python: str | None


class Progress(TypedDict):
    """What a probe is doing."""

    event: Literal["progress"]
    text: str


class Failure(TypedDict):
    """The problem that ends the task (problems.py)."""

    event: Literal["problem"]
    slug: str
    detail: str
    errors: list[dict[str, object]] | None


class Numbers(TypedDict):
    """rules.checking.verdict.Counts."""

    verdict: Verdict
    error: int
    warning: int
    info: int
    undecided: int
    crashes: int


class Result(TypedDict):
    """checking.Answer, its bytes in base64."""

    event: Literal["result"]
    report: str
    body: str
    counts: Numbers


Task = CheckTask | ProbeTask
Event = Progress | Failure | Result
