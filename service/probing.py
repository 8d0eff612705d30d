"""The interface between the service and the probe.

What runs a probe runs in a process of its own, which is killed with all that it started when the time is over, the job
is cancelled or the service ends; so it needs no care for any of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fp8check.rules.checking.advising import advised
from fp8check.rules.checking.planning import plans_for
from fp8check.rules.checking.request import checked, runs_of
from fp8check.rules.seen import Seen
from fp8check.service import checking

if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.facts import Facts
    from fp8check.service.check_request import CheckRequest
    from fp8check.service.checking import Answer

    Say = Callable[[str], None]


class Runner(Protocol):
    """What runs a probe: FP8CHECK_PROBE_RUNNER names one."""

    def __call__(self, one: Assembled, own: Facts, *, python: str | None, say: Say) -> Seen:
        """Probe a run on this machine.

        Args:
            own: the facts of this machine.
            python: the interpreter that trains; None for this one.
            say: called with what is being done, in words.
        """


def run(assembled: Assembled, own: Facts, *, python: str | None, say: Say) -> Seen:
    """The probe of this machine. Where it has no GPU, that is the answer, and no process is started to find out."""
    say("looking for a GPU")
    if own.gpus is None:
        return Seen("not run", why="whether this machine has a GPU is not known: no NVIDIA driver answers")
    if not own.gpus:
        return Seen("not run", why="this machine has no GPU; run fp8check --probe on the GPU node")
    from fp8check.probe import probe_run

    return probe_run(assembled.run, python=python, tell=say)


def probed(check_request: CheckRequest, own: Facts, runner: Runner, *, python: str | None, say: Say) -> Answer:
    """The check, with what the probe saw of each run.

    Raises:
        Problem: the files cannot be understood.
    """
    say("checking the files")
    with checking.understood():
        request = checking.request_of(check_request, lambda: own)
        runs = runs_of(request)
    seen = [runner(assembled, own, python=python, say=say) for assembled in runs]
    done = checked(request, runs, seen)
    plans = plans_for(request, done, asked=True) if check_request.options.plan else {}
    return checking.answer_of(check_request, advised(request, done).reports, "json", plans)
