"""Plans: what to do, as a whole, to come to runs that are good; each was done to a copy first."""

from __future__ import annotations

from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.input_error import InputError
from fp8check.rules.outcome.memory import OF_H200, OF_LARGEST
from fp8check.rules.outcome.speed import speed_of
from fp8check.rules.record import Record
from fp8check.rules.repair.goal import NO_FP8, forbidden, too_large
from fp8check.rules.repair.render import files_of, steps_of
from fp8check.rules.repair.search import Search

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from fp8check.rules.moves.site import Goal
    from fp8check.rules.reading import Document
    from fp8check.rules.repair.goal import Problem
    from fp8check.rules.repair.render import Step
    from fp8check.rules.repair.search import Judge, Judged
    from fp8check.rules.repair.state import Start, State
    from fp8check.rules.suppression.examined import Examined

    # What a plan does to other runs, by its files as they are then, and its state; "" for nothing.
    Harm = Callable[[Sequence[Document], State], str]
    Neither = Literal["whole", "cut"] | None

_OF_MEMORY = frozenset(("FP414", "memory", "out-of-memory"))
STATES = 400  # judged in one search: the nearest plan of 99 in 100 real runs is found within 65
PLANS = 3  # that are given at most
REASONS = 4
OTHERS = 60  # states that are judged at most once there is a plan, for one that pays more
LITTLE = 10  # how much more a plan may cost that is not slower than BF16, to come before the one that is
SLOWER = 0.9  # of BF16's speed: below it a plan comes behind one that wants a larger GPU than an H200
PAYS = 1.02  # how much faster that has to be


class Plan(Record):
    """One way to a good run.

    Attributes:
        steps: in the order in which they are to be made; none where the runs are good as they are.
        launch: the whole command that starts the run then; None where nobody said how it is started.
        documents: the files as they are then, in the order in which they were given; a new one is the last. What people
            have to change themselves is as it was.
        reports: those of the runs as they are then, with that changed, too.
        state: the values that are changed.
    """

    steps: tuple[Step, ...]
    launch: str | None
    documents: tuple[Document, ...]
    reports: tuple[Examined, ...]
    state: State


class Planned(Record):
    """What a search for plans came to.

    Attributes:
        why_not: where none was found, what stands against it.
        plans: the first changes least.
        given: the reports of the runs as they are.
        is_whole: whether all was tried that there is; with plans, whether the search ended by itself.
        before: the files as they are, those included that the runs name.
        named: the paths of those that nobody gave.
        in_bf16: what a run in BF16 would take, where none in FP8 was found and that was looked for.
        neither: that it was looked for and not found either; whether all was tried.
    """

    goal: Goal
    why_not: tuple[str, ...]
    plans: tuple[Plan, ...]
    given: tuple[Examined, ...]
    is_whole: bool = True
    before: tuple[Document, ...] = ()
    named: tuple[str, ...] = ()
    in_bf16: Plan | None = None
    neither: Neither = None

    @property
    def reached(self) -> bool:
        """Whether there is a way to the goal."""
        return bool(self.plans)


def _harmless(_documents: Sequence[Document], _state: State) -> str:
    return ""


def plan(
    start: Start,
    goal: Goal,
    judge: Judge,
    reports: Sequence[Examined],
    *,
    states: int = STATES,
    plans: int = PLANS,
    spent: Callable[[], bool] = lambda: False,
    harm: Harm = _harmless,
    usual: bool = False,
) -> Planned:
    """The plans for these runs, the nearest first.

    Args:
        reports: of the runs as they are.
        states: how many are judged at most.
        plans: how many are looked for.
        spent: whether the time is over; what was found by then is given.
        harm: what a plan does to other runs.
        usual: whether nothing larger than an H200 counts where no GPU is known: a search for both takes twice as long.
    """
    facts = [problem for report in reports for problem in forbidden(report, goal)]
    if facts:
        return Planned(goal, tuple(map(_text, facts))[:REASONS], (), tuple(reports))
    search = Search(start, goal, judge, states, spent, OF_H200 if usual else OF_LARGEST)
    given = search.begin(reports)
    found, reasons = _found(start, given, judge, search, harm, plans)
    if not usual and found and found[0].steps and not _fits_h200(found[0]):
        narrow = Search(start, goal, judge, states, spent, OF_H200)
        others = _found(start, narrow.begin(reports), judge, narrow, harm, plans)[0]
        found = [*found, *others] if others and is_slow(others[0].reports) else [*others, *found]
    if found:
        return Planned(goal, (), tuple(found[:plans]), given.reports, not search.is_cut)
    whole = not search.is_exhausted
    return Planned(goal, tuple(dict.fromkeys([*reasons, *_why_not(search, given)]))[:REASONS], (), given.reports, whole)


def _fits_h200(plan: Plan) -> bool:
    """Whether the runs fit their GPUs, or where none is known an H200: speed is told of one, few have a larger one."""
    return not any(too_large(report.outcome, OF_H200) for report in plan.reports)


def _found(
    start: Start, given: Judged, judge: Judge, search: Search, harm: Harm, plans: int
) -> tuple[list[Plan], list[str]]:
    """The plans that a search comes to, the best first, and why others could not be written."""
    found: list[Plan] = []
    costs: list[int] = []
    reasons: list[str] = []
    for judged in search.good(given):
        if found and not _pays_more(judged, found):
            continue
        try:
            found.append(_plan(start, judged, judge, search, harm))
        except Unfixable as reason:
            search.refuse(judged)
            reasons.append(f"{_names(start, judged)} would have to be changed, and cannot be: {reason}")
            continue
        costs.append(judged.cost)
        # Of one that is slower than BF16 another one is looked for, too, and may come before it.
        wanted = plans if plans > 1 or pays(found[0].reports) else 2
        if len(found) == wanted or search.goal == "bf16" or _speed(found[0].reports) is None:
            break
        search.limit(OTHERS)
    return _ordered(found, costs) if found else [], reasons


def _pays_more(judged: Judged, found: Sequence[Plan]) -> bool:
    """Whether a way is faster than all that were found, so that somebody may want it."""
    speed = _speed(judged.reports)
    return speed is not None and all(speed > PAYS * (_speed(one.reports) or speed) for one in found)


def _ordered(found: list[Plan], costs: Sequence[int]) -> list[Plan]:
    """The plans, that which changes least first: unless it is slower than BF16, and little more makes one that pays."""
    if not found[0].steps or pays(found[0].reports):
        return found
    near = (at for at, cost in enumerate(costs) if cost <= costs[0] + LITTLE and pays(found[at].reports))
    best = next(near, 0)
    return [found[best], *found[:best], *found[best + 1 :]]


def pays(reports: Sequence[Examined]) -> bool:
    """Whether a plan is not known to be slower than BF16."""
    speed = _speed(reports)
    return speed is None or speed >= 1


def is_slow(reports: Sequence[Examined], share: float = SLOWER) -> bool:
    """Whether a plan is known to reach less than this share of BF16's speed."""
    return (_speed(reports) or 1.0) < share


def _speed(reports: Sequence[Examined]) -> float | None:
    """The predicted speed against BF16 of the slowest run; None where it is not known of one."""
    speeds = [speed_of(report.outcome) for report in reports]
    return min((speed.predicted for speed in speeds if speed is not None), default=None) if None not in speeds else None


def _plan(start: Start, judged: Judged, judge: Judge, search: Search, harm: Harm) -> Plan:
    """The plan of a good state: written, read again, and judged as any file is.

    Raises:
        Unfixable: it cannot be written, or would not be good then, or not for other runs.
    """
    documents = files_of(start, judged.state)
    try:
        reports = tuple(judge(documents, judged.state, whole=True))
    except InputError as problem:
        raise Unfixable(str(problem)) from None
    left = [problem for lacking in search.lacking(reports) for problem in lacking]
    if left:
        raise Unfixable(f"as it would be written, {left[0].text}")
    harmed = harm(documents, judged.state)
    if harmed:
        raise Unfixable(harmed)
    steps = tuple(steps_of(start, judged.state, documents))
    documents = files_of(start, judged.state, by_hand=False) if any(step.by_hand for step in steps) else documents
    return Plan(steps, judged.state.launch or _usual(reports), documents, reports, judged.state)


def _usual(reports: Sequence[Examined]) -> str | None:
    """The command that the trainer takes, where nobody said how the run is started; None with several runs."""
    if len(reports) != 1:
        return None
    run = reports[0].inputs.run
    if run.launch.line is not None or run.launch.given or run.accelerate is None or run.accelerate.path is None:
        return None
    launch = run.launch
    if launch.script is not None and any(document.kind == "script" for document in reports[0].documents):
        launch = launch._replace(given=True)  # the script was, and the command starts it
    words = run.training.command(run.accelerate.path, run.training.path, launch)
    if words is None:
        return None
    from shlex import join

    return join(words)


def _names(start: Start, judged: Judged) -> str:
    files = [path for path, data in judged.state.files.items() if data is not start.state.files[path]]
    return ", ".join(files) or "a file"


def _why_not(search: Search, given: Judged) -> list[str]:
    """What no state that was judged is without; where there is no such thing, what the runs lack as they are."""
    every = [{problem.code: problem for lacking in judged.problems for problem in lacking} for judged in search.seen]
    always = [problem for code, problem in every[0].items() if all(code in others for others in every)] if every else []
    nearest = min(search.seen, key=_farthest, default=given)
    left = always or [problem for lacking in nearest.problems for problem in lacking]
    texts = [_text(problem) for problem in left]
    lines = [report.inputs.run.launch.line for report in given.reports]
    left_alone = (line for line in lines if line is not None and line.span.file not in search.sources)
    texts += [f"{line.span}: the command stands here, and is left as it is" for line in left_alone][:1]
    texts += dict.fromkeys(search.blocked)
    if any(problem.code in _OF_MEMORY for problem in left):
        texts.append("more GPUs that share the model, or LoRA, take less memory: these are no plan's to choose")
    if search.is_exhausted:
        texts.append("not all was tried: there were too many ways, or too little time")
    return texts


def _farthest(judged: Judged) -> tuple[bool, int, int]:
    """The state that lacks least; of those that lack as much the one for which most was done: errors hide others.

    One that has given FP8 up comes last: that it lacks nothing but the goal tells nobody what stands against it.
    """
    given_up = any(problem.code == NO_FP8 for lacking in judged.problems for problem in lacking)
    # A finding and the error that it foretells are one thing: that there is too little memory.
    different = [
        {"memory" if problem.code in _OF_MEMORY else problem.code for problem in lacking} for lacking in judged.problems
    ]
    return given_up, sum(map(len, different)), -judged.cost


def _text(problem: Problem) -> str:
    return f"{problem.code}: {problem.text}" if problem.finding is not None else problem.text
