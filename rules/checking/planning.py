"""From a request to the plans for its runs: how a state of the search becomes runs again."""

from __future__ import annotations

import os
from itertools import zip_longest

from fp8check.rules.checking.examining import REQUIREMENTS, examine_all
from fp8check.rules.checking.request import assembled
from fp8check.rules.checking.runs import WrongFiles
from fp8check.rules.checking.stacks import changed_facts
from fp8check.rules.engine.definition import ERROR
from fp8check.rules.input_error import InputError
from fp8check.rules.reading.kind import CONFIGURATION
from fp8check.rules.repair.goal import forbidden, goal_of
from fp8check.rules.repair.plan import PLANS, STATES, is_slow, plan
from fp8check.rules.repair.state import start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fp8check.rules.checking.request import Checked, Request, RunRequest
    from fp8check.rules.moves.site import Goal
    from fp8check.rules.reading import Document
    from fp8check.rules.repair.plan import Neither, Plan, Planned
    from fp8check.rules.repair.state import State
    from fp8check.rules.report.schema import Plans
    from fp8check.rules.settings.shell_edits import Lines
    from fp8check.rules.suppression.examined import Examined

NEW_FILES = ("accel.yaml", "accelerate.yaml", "accelerate_fp8.yaml")
SECONDS = 0.65  # of CPU, after which what was found by then is given: with what is read and written a plan takes one
OF_ALL = 5.0  # seconds of CPU for all groups of files of a request
IN_BF16 = 40  # states that are judged for a run in BF16, where none in FP8 was found
UNASKED = 20_000  # characters of a run's files above which nothing is looked for that nobody asked for
FAR_SLOWER = 0.5  # of BF16's speed: so slow a plan is not told where nobody asked, and other ways are left
DUE = 12  # states that are judged at the end of a check that fails: some 40 ms, and everywhere the same answer


def plan_request(
    request: Request,
    goal: Goal | None = None,
    *,
    given: Sequence[Examined] = (),
    states: int = STATES,
    plans: int = PLANS,
    spent: Callable[[], bool] = lambda: False,
    beside: Sequence[RunRequest] = (),
    usual: bool = False,
) -> Planned:
    """The plans for the runs of a request's files.

    Args:
        goal: None for what the runs ask for.
        given: the reports of the runs as they are, where these were made before.
        states, plans, spent, usual: see `plan`.
        beside: other runs, of which some may have files in common with these: what is right of them stays so.

    Raises:
        WrongFiles, Unreadable: see `runs_of`.
    """
    (part,) = request.runs
    errors = tuple(rule for rule in request.rules if rule.severity == ERROR and not rule.is_late)

    def judge(documents: Sequence[Document], state: State | None, *, whole: bool = False) -> list[Examined]:
        changed = part._replace(documents=_in_place(part.documents, documents))
        if state is not None:
            changed = changed._replace(
                launch=state.launch, facts=changed_facts(part.facts, state.variables, state.packages)
            )
        runs = [*assembled(changed)]
        return examine_all(
            [(assembled_run.run, assembled_run.documents) for assembled_run in runs],
            request.rules if whole else errors,
            configured=request.suppressions,
            crashes=request.crashes,
        )

    given = given or judge(part.documents, None, whole=True)
    if not given:
        raise WrongFiles("there is no run in these files")
    named = _named(part, given)
    if named:
        # A script that was sent along is among the files then: as one of them it can be changed.
        whole = part._replace(documents=(*part.documents, *named), script=part.script if part.follow else None)
        part = whole if _are_the_same(given, whole) else part
    read = {document.path: document for report in given for document in report.documents}
    documents = [read.get(one.path, one) for one in part.documents]
    start = start_of(documents, part.launch, _new_name(part), _lines(part), _default(given, documents))
    harm = _Beside(request._replace(rules=errors), beside, documents).harm
    now = judge(_in_place(part.documents, start.documents[:-1]), None, whole=True) if start.once else given
    found = plan(
        start, goal or goal_of([*given]), judge, now, states=states, plans=plans, spent=spent, harm=harm, usual=usual
    )
    if not found.plans and found.goal == "fp8" and states > DUE:
        others = plan(start, "bf16", judge, now, states=IN_BF16, plans=1, spent=spent, harm=harm)
        neither: Neither = None if others.plans else "whole" if others.is_whole else "cut"
        found = found._replace(in_bf16=next(iter(others.plans), None), neither=neither)
    elif found.goal == "fp8" and any(forbidden(report, "bf16") for report in now):
        found = found._replace(neither="whole")
    paths = {one.path for one in named if part.follow}
    return found._replace(
        given=tuple(given), before=part.documents, named=tuple(path for path in read if path in paths)
    )


class _Beside:
    """Other runs, which may have files in common with those that are planned."""

    def __init__(self, request: Request, parts: Sequence[RunRequest], documents: Sequence[Document]) -> None:
        self._request = request
        self._parts = parts
        self._given = {os.path.normpath(document.path): document for document in documents}

    def harm(self, documents: Sequence[Document], state: State) -> str:
        """What becomes of the first run that is without an error now, and is another with these files and packages."""
        made = {os.path.normpath(document.path): document for document in documents}
        changed = {path: document for path, document in made.items() if document is not self._given.get(path)}
        for part in self._parts:
            ours = [os.path.normpath(document.path) for document in part.documents]
            if not any(path in changed for path in ours):
                continue
            now = self._reports(part)
            if not now or any(map(_is_wrong, now)):
                continue
            documents = tuple(changed.get(path, document) for path, document in zip(ours, part.documents, strict=True))
            facts = changed_facts(part.facts, {}, state.packages)
            then = self._reports(part._replace(documents=documents, facts=facts))
            what = next((told for pair in zip_longest(now, then) if (told := _harmed(*pair))), "")
            if what:
                shared = next(path for path in ours if path in changed)
                alone = next((path for path in ours if path not in made), "another run")
                return f"{alone} is run with {shared}, too, and would {what} then"
        return ""

    def _reports(self, part: RunRequest) -> list[Examined]:
        """Of the runs of a part; empty where its files make none."""
        try:
            runs = [(assembled_run.run, assembled_run.documents) for assembled_run in assembled(part)]
        except InputError:
            return []
        return examine_all(runs, self._request.rules, configured=self._request.suppressions)


def _is_wrong(report: Examined) -> bool:
    return any(finding.severity == ERROR for finding in report.findings)


def _harmed(now: Examined | None, then: Examined | None) -> str:
    """What becomes of a run that is without an error now; "" where it stays what it is."""
    if now is None or then is None:
        return "be no run"
    wrong = next((finding for finding in then.findings if finding.severity == ERROR), None)
    if wrong is not None:
        return f"have {wrong.rule}"
    if now.outcome.trains_in_fp8 is not True:
        return ""
    if then.outcome.trains_in_fp8 is not True:
        return "not train in FP8"
    return "have another backend" if now.outcome.backend_name != then.outcome.backend_name else ""


def _lines(part: RunRequest) -> Lines | None:
    """How the lines of shell scripts are read, where there are any."""
    if not any(document.kind == "shell" for document in part.documents):
        return None
    from fp8check.rules.checking import shell

    given = shell.Given(part.facts, part.trainer, part.follow, part.scripts, in_hook=part.apart)
    return lambda script: shell.programs_of(script, given)


def _named(part: RunRequest, given: Sequence[Examined]) -> tuple[Document, ...]:
    """The files that the runs name and that were read, as if they had been given: a plan may change them, too."""
    known = {document.path for document in part.documents}
    found: dict[str, Document] = {}
    for report in given:
        run = report.inputs.run
        default = run.accelerate.path if run.accelerate is not None and run.accelerate_is_default else None
        scripts = _scripts_of(report)
        for document in report.documents:
            writable = document.kind in CONFIGURATION or document.path in scripts
            if writable and document.path not in known and document.path != default:
                found.setdefault(document.path, document)
    if part.follow:
        return tuple(found.values())
    sent = (
        None if part.script is None or any(document.kind == "shell" for document in part.documents) else part.script[0]
    )
    return tuple(document for path, document in found.items() if path == sent)


def _scripts_of(report: Examined) -> set[str]:
    """The script of a run, and the modules that make its Accelerator or the arguments of its Trainer.

    No command names those: none outside of the current folder is written, whatever import or link leads there.
    """
    run = report.inputs.run
    first = next((document.path for document in report.documents if document.kind == "script"), None)
    if first is None:
        return set()
    from fp8check.rules.settings.script_files import is_inside  # few plans have a script

    spans = (setting.origin.span for _, setting in run.training.top.settings())
    modules = {span.file for span in spans if span is not None and span.file.endswith(".py")}
    if run.script.maker is not None:
        modules.add(run.script.maker.path)
    return {first, *filter(is_inside, modules)}


def _default(given: Sequence[Examined], documents: Sequence[Document]) -> Document | None:
    """The machine's default Accelerate file, where a run reads it and nobody gave it."""
    for report in given:
        config = report.inputs.run.accelerate
        if config is None or not report.inputs.run.accelerate_is_default:
            continue
        read = (one for one in report.documents if one.path == config.path)
        return next((one for one in read if all(one.path != other.path for other in documents)), None)
    return None


def _are_the_same(given: Sequence[Examined], part: RunRequest) -> bool:
    """Whether these files make the same runs."""
    try:
        runs = [*assembled(part)]
    except InputError:
        return False
    files = [sorted(one.path for one in report.documents) for report in given]
    return files == [sorted(document.path for document in assembled_run.documents) for assembled_run in runs]


def _in_place(given: Sequence[Document], changed: Sequence[Document]) -> tuple[Document, ...]:
    """The files in the order in which they were given, those that changed as they are now; a new one last."""
    now = {document.path: document for document in changed}
    return (*(now.pop(document.path, document) for document in given), *now.values())


def _new_name(part: RunRequest) -> str:
    """A name for a new Accelerate file beside the training file, which no file here has.

    Where files come from strangers, nothing is looked for on this machine: what is there is not for them.
    """
    folder = next((os.path.dirname(document.path) for document in part.documents if document.kind == "training"), "")
    taken = {document.path for document in part.documents}
    names = [os.path.join(folder, name) for name in NEW_FILES]
    free = [name for name in names if name not in taken and not (part.follow and os.path.lexists(name))]
    return free[0] if free else names[-1]


def applied(part: RunRequest, found: Plan) -> RunRequest:
    """The request as a plan leaves it: its files, its command, its variables and its packages.

    A script that was sent along is sent along as the plan leaves it.
    """
    documents = _in_place(part.documents, found.documents)
    facts = changed_facts(part.facts, found.state.variables, found.state.packages)
    changed = part._replace(documents=documents, launch=found.state.launch, facts=facts)
    if part.script is None:
        return changed
    name = part.script[0]
    script = next((document for document in documents if document.path == name and document.kind == "script"), None)
    if script is None:
        return changed
    given = any(document.path == name for document in part.documents)
    others = documents if given else tuple(document for document in documents if document is not script)
    return changed._replace(documents=others, script=(name, script.text.encode()))


def after(seconds: float) -> Callable[[], bool]:
    """Whether so much CPU time was spent since now."""
    from time import process_time

    end = process_time() + seconds
    return lambda: process_time() > end


def plans_for(
    request: Request,
    checked: Checked,
    *,
    asked: bool,
    whole: bool = True,
    may: Callable[[str], bool] | None = None,
) -> dict[int, Plans]:
    """What to do about the runs that fail, by the report in which it stands: the first of each group of files.

    Args:
        asked: whether somebody asked for it; else it is looked for where there is one run, and as long as nobody waits:
            where that was too short, a report for people alone has a plan without plans and reasons, and says so.
        whole, may: see `plans_of`.
    """
    if not any(map(_is_at_fault, checked.reports)):
        return {}
    from fp8check.rules.report.plan import plans_of

    states, plans = (STATES, PLANS) if asked else (DUE, 1)
    is_over, found, at = after(OF_ALL), {}, 0
    for part in request.runs:
        count = len(checked.reports) if len(request.runs) == 1 else sum(1 for _ in assembled(part))
        given, first, at = checked.reports[at : at + count], at, at + count
        if not any(map(_is_at_fault, given)):
            continue
        if not asked and sum(len(document.text) for document in part.documents) > UNASKED:
            continue
        spent = _either(after(SECONDS), is_over)
        one = request._replace(runs=(part,))
        beside = [other for other in request.runs if other is not part]
        planned = plan_request(
            one, None, given=given, states=states, plans=plans, spent=spent, beside=beside, usual=not asked
        )
        if not asked and planned.plans and not planned.is_whole and is_slow(planned.plans[0].reports, FAR_SLOWER):
            planned = planned._replace(plans=())  # torchao without torch.compile, say: who has the time finds another
        if asked or planned.plans or planned.is_whole:
            made = plans_of(planned, may, whole=whole)
            found[first] = made._replace(cut=True) if not asked and planned.plans and not planned.is_whole else made
        elif not whole:
            found[first] = plans_of(planned._replace(why_not=()), may, whole=False)
    return found


def _is_at_fault(report: Examined) -> bool:
    """Whether something is wrong with a run, and not only with what somebody requires of it."""
    return any(finding.severity == ERROR and finding.rule not in REQUIREMENTS for finding in report.findings)


def _either(*conditions: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: any(condition() for condition in conditions)
