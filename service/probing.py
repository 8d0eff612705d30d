"""The interface between the service and the probe.

A runner is a function `run(question, own, *, limit_s, say) -> Probed`: it gets the question, the facts of this machine,
the seconds that it has, and a function to say its progress with. It runs in a process of its own, which is killed when
the time is over, the job is cancelled or the service ends; so it needs no care for any of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fp8check.rules.report.json_ import as_data
from fp8check.service import checking

if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.rules.facts import Facts
    from fp8check.service.checking import Answer
    from fp8check.service.question import Question

    Say = Callable[[str], None]


class Probed(NamedTuple):
    """What a probe came to.

    Attributes:
        status: "ran": a step was run, and `evidence` says what was seen. "undecided": none was run; `reason` says why,
            and nothing may be concluded.
        evidence: what the report shows under "probe", as plain data.
    """

    status: str
    reason: str = ""
    evidence: dict[str, Any] | None = None


def run(question: Question, own: Facts, *, limit_s: float, say: Say) -> Probed:  # noqa: ARG001
    """The probe of this machine.

    Where the machine has no GPU, or this installation no probe, that is the answer: undecided.
    """
    say("looking for a GPU")
    if own.gpus is None:
        return Probed("undecided", "whether this machine has a GPU is not known: no NVIDIA driver answers")
    if not own.gpus:
        return Probed("undecided", "this machine has no GPU; run fp8check --probe on the GPU node")
    return Probed("undecided", "this release of fp8check has no probe yet")


def probed(question: Question, own: Facts, runner: Callable[..., Probed], *, limit_s: float, say: Say) -> Answer:
    """The check, with what the probe saw.

    Raises:
        Problem: the files cannot be understood.
    """
    say("checking the files")
    data = [as_data(report) for report in checking.examined(question, lambda: own)]
    result = runner(question, own, limit_s=limit_s, say=say)
    for one in data:
        one["probe"] = {"status": result.status, "reason": result.reason or None, **(result.evidence or {})}
        if result.status != "ran" and one["verdict"] == "pass":
            one["verdict"] = "undecided"  # a probe was asked for: without one, nothing has passed
    report = checking.dumped(data)
    return checking.Answer(report, report, checking.counted(data))
