"""Many runs, one after the other: each report leaves as it is made, and nothing of it is kept."""

from __future__ import annotations

from collections import Counter

from fp8check.rules.checking.advising import Advisor
from fp8check.rules.checking.examining import Told, Unused, compared, examine
from fp8check.rules.checking.later import is_marked
from fp8check.rules.checking.request import assembled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.checking.request import Request, RunRequest
    from fp8check.rules.suppression.examined import Examined


def check_each(request: Request) -> Iterator[Examined]:
    """The reports of `check_request`, each made when it is asked for.

    Raises:
        WrongFiles, Unreadable, Changed: as `check_request`, and only when that run's turn comes.
    """
    unused = None
    if _is_suppressed_together(request):
        unused = Unused()
        for _, report in _examined(request):
            unused.add(report)
    told = Told()
    advisor = Advisor(request)
    for part, report in _examined(request, probed=True):
        left = told.without_told(report if unused is None else unused.without_used(report))
        left = advisor.alone(part, left)
        yield left if request.baseline is None else compared(left, request.baseline)


def _examined(request: Request, *, probed: bool = False) -> Iterator[tuple[RunRequest, Examined]]:
    for part in request.runs:
        for assembled_run in assembled(part):
            seen = request.probe(assembled_run.run) if probed and request.probe is not None else None
            report = examine(
                assembled_run.run,
                assembled_run.documents,
                request.rules,
                seen,
                configured=request.suppressions,
                crashes=request.crashes,
                requirements=request.requirements,
            )
            yield part, report


def _is_suppressed_together(request: Request) -> bool:
    """Whether a suppression may be one of several runs: only then all have to be judged before the first is told."""
    if request.suppressions:
        return True
    paths = Counter(document.path for part in request.runs for document in part.documents)
    for part in request.runs:
        for document in part.documents:
            if is_marked(document) and (document.kind != "training" or paths[document.path] > 1):
                return True
    # Files that the runs name, such as the machine's own Accelerate file.
    firsts = (next(iter(assembled(part)), None) for part in request.runs)
    return any(
        is_marked(document)
        for first in firsts
        if first is not None
        for document in first.documents
        if document.kind != "training"
    )
