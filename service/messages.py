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


class PlanTask(TypedDict):
    """What to do about the runs of a request: as a CheckTask; `seconds`: of CPU, for which a way is looked for."""

    task: Literal["plan"]
    check_request: str
    own: str
    format: str
    seconds: float


class ParseTask(TypedDict):
    """A body to be read: its Content-Type, its bytes in base64, and the most that one may have."""

    task: Literal["parse"]
    content_type: str
    body: str
    body_limit: int


class RenderTask(TypedDict):
    """A stored check to be rendered: the request and the reports as they are stored; `format`: None for the page's."""

    task: Literal["render"]
    check_request: str
    report: str
    format: str | None


class ProbeTask(TypedDict):
    """A probe: what runs it, as module:function, and the interpreter that trains (None: this one)."""

    task: Literal["probe"]
    check_request: str
    own: str
    runner: str
    python: str | None


class NodeTask(TypedDict):
    """What a node of a cluster tells, in base64."""

    task: Literal["node"]
    body: str


class NodesTask(TypedDict):
    """What the nodes of a job told, as it is stored; `format`: None for the page's."""

    task: Literal["nodes"]
    told: list[str]
    expect: int | None
    format: str | None


class Ready(TypedDict):
    """That the child waits for its first task."""

    event: Literal["ready"]


class Progress(TypedDict):
    """What a probe is doing."""

    event: Literal["progress"]
    text: str


class Failure(TypedDict):
    """The problem that ends the task (problems.py). `frames`: where a fault of fp8check was raised."""

    event: Literal["problem"]
    slug: str
    detail: str
    errors: list[dict[str, object]] | None
    frames: list[str]


class Numbers(TypedDict):
    """rules.checking.verdict.Counts."""

    verdict: Verdict
    error: int
    warning: int
    info: int
    undecided: int
    crashes: int


class Result(TypedDict):
    """checking.Answer, its bytes in base64; `body`: None where it is the report."""

    event: Literal["result"]
    report: str
    body: str | None
    counts: Numbers
    check_request: str


class Parsed(TypedDict):
    """What a body asks for, as it is stored."""

    event: Literal["parsed"]
    check_request: str


class Rendered(TypedDict):
    """A check in a format, in base64."""

    event: Literal["rendered"]
    body: str


class Planned(TypedDict):
    """checking.PlanAnswer, its text in base64."""

    event: Literal["planned"]
    body: str
    reached: bool


class ToldNode(TypedDict):
    """fleets.Told."""

    event: Literal["told"]
    host: str
    verdict: Verdict
    told: str


class MergedNodes(TypedDict):
    """fleets.FleetAnswer, its text in base64."""

    event: Literal["merged"]
    body: str
    verdict: Verdict
    code: int


PoolTask = ParseTask | CheckTask | PlanTask | RenderTask | NodeTask | NodesTask
Task = PoolTask | ProbeTask
Outcome = Parsed | Result | Planned | Rendered | ToldNode | MergedNodes
Event = Progress | Failure | Outcome
