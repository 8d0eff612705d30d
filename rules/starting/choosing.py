"""Which first files a run gets: each way that the wish leaves open is drafted and judged, and the best is taken.

Best is the simplest way to spread the run that is good at all (a process, DDP, FSDP2, ZeRO), and of its setups the one
with the most to gain.
"""

from __future__ import annotations

import os
from shlex import join

from fp8check.rules.checking.examining import examine_all
from fp8check.rules.checking.planning import plan_request
from fp8check.rules.checking.request import Request, RunRequest, assembled
from fp8check.rules.input_error import InputError
from fp8check.rules.moves.backends import GATHER
from fp8check.rules.moves.site import known_setting
from fp8check.rules.moves.strategies import STRATEGIES, ZERO3, Strategy, entries
from fp8check.rules.outcome.memory import OF_H200
from fp8check.rules.outcome.speed import speed_of
from fp8check.rules.record import Record
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.stack import Stack
from fp8check.rules.repair.goal import chosen, problems, too_large
from fp8check.rules.repair.plan import PLANS, Planned, pays
from fp8check.rules.repair.render import Step, text_of
from fp8check.rules.starting.drafts import ACCUMULATION, DRAFTS, SEQUENCE, Setup
from fp8check.rules.trainers import detect
from fp8check.rules.trainers.registry import BY_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fp8check.rules.facts import Facts
    from fp8check.rules.reading import Document
    from fp8check.rules.repair.goal import Problem
    from fp8check.rules.repair.plan import Plan
    from fp8check.rules.suppression.examined import Examined

ACCELERATE = "accelerate.yaml"
TOKENS = (16_384, 8_192, 4_096, 2_048)  # of a micro-batch, where nobody says: FP8 gains with their number
# How much of a step's time is left to gain from where each block runs forward twice: three parts of work become four.
_TWICE = 0.75
_MORE_GPUS = (2, 4, 8)
TOO_LARGE = "FP414"  # the rule that says that a run fits no GPU that is there
STATES = 60  # judged in the search for what has to change beside the files
_BY_KIND = {strategy.kind: strategy for strategy in STRATEGIES}


class Spread(Record):
    """One way to spread a run.

    Attributes:
        about: what it means for a GPU, for people.
    """

    strategy: Strategy
    about: str


SPREADS: Mapping[str, Spread] = {
    "single": Spread(_BY_KIND["NO"], "one process on one GPU"),
    "ddp": Spread(_BY_KIND["MULTI_GPU"], "each GPU holds the whole model"),
    "fsdp2": Spread(_BY_KIND["FSDP"], "each GPU holds a part of the weights"),
    "zero2": Spread(_BY_KIND["DEEPSPEED"], "each GPU holds all weights, and a part of the optimizer"),
    "zero3": Spread(ZERO3, "each GPU holds a part of the weights, by DeepSpeed"),
}
BACKENDS = ("TE", "AO")
_RECIPES: Mapping[str, Mapping[str, object]] = {
    "TE": {"fp8_format": "HYBRID", "amax_history_len": 1024, "amax_compute_algo": "max"},
    "AO": {},
}


class Wish(Record):
    """What the first files are for.

    Attributes:
        processes: training processes, one a GPU; None for as many GPUs as are known, or one.
        strategy, backend: "auto" where it is open.
        tokens: of a micro-batch; None where that is open.
        config: the config.json of the model, where it is a folder of this machine; it is read, and never written.
    """

    trainer: str
    model: str
    facts: Facts
    processes: int | None = None
    strategy: str = "auto"
    backend: str = "auto"
    lora: bool = False
    tokens: int | None = None
    config: Document | None = None

    @property
    def count(self) -> int:
        """How many processes it comes to."""
        if self.processes is not None:
            return self.processes
        if self.strategy == "single":
            return 1
        return max(1, len(self.facts.visible_gpus() or ()))


class Way(Record):
    """One way that was drafted and judged.

    Attributes:
        problems: what it lacks; empty where it is good.
        score: the predicted speed against BF16 without checkpointing; None where it is not known.
    """

    strategy: str
    backend: str
    setup: Setup
    documents: tuple[Document, ...]
    report: Examined
    problems: tuple[Problem, ...]
    score: float | None

    @property
    def is_good(self) -> bool:
        """Whether the run would be good."""
        return not self.problems


class Tried(Record):
    """One way to spread a run, with one backend.

    Attributes:
        why_not: what stands against it; "" where it is good.
        report: of the run as it would be.
        plan: what comes to it; None where nothing does.
        score: see Way.
    """

    strategy: str
    backend: str
    why_not: str
    report: Examined
    plan: Plan | None = None
    score: float | None = None


class Choice(Record):
    """What came of a wish.

    Attributes:
        best: the way that was taken; None where none that was tried is good.
        tried: all that were, in the order in which they were.
        elsewhere: whether the facts are of a machine on which nobody trains, as a laptop's are.
        helps: where the run fits no GPU, other wishes for which a way was found.
    """

    best: Tried | None
    tried: tuple[Tried, ...]
    elsewhere: bool = False
    helps: tuple[str, ...] = ()

    @property
    def planned(self) -> Planned:
        """The same as plans: what has to be done is to make the files."""
        reasons = tuple(f"{trial.strategy}, {trial.backend}: {trial.why_not}" for trial in self.tried if trial.why_not)
        plans = () if self.best is None or self.best.plan is None else (self.best.plan,)
        return Planned("fp8", () if plans else reasons, plans, tuple(trial.report for trial in self.tried))


def choose(wish: Wish, folder: str, spent: Callable[[], bool] = lambda: False) -> Choice:
    """The first files for a wish, drafted as files of that folder; nothing is written.

    Args:
        spent: whether the time is over; nothing more is looked for then.

    Raises:
        InputError: the wish contradicts itself.
    """
    _check(wish)
    choice = _chosen(wish, folder, spent)
    helps = () if choice.best is not None else tuple(_helps(wish, choice, folder, spent))
    return choice._replace(elsewhere=wish.facts.is_training_environment is False, helps=helps)


def _chosen(wish: Wish, folder: str, spent: Callable[[], bool]) -> Choice:
    found, ways = _as_drafted(wish, folder, spent)
    return found or _with_changes(wish, ways, folder, spent)


def _helps(wish: Wish, choice: Choice, folder: str, spent: Callable[[], bool]) -> Iterator[str]:
    """Other wishes by which a run fits that fits no GPU as it is: each was chosen for, and has a way."""
    if not any(trial.why_not.startswith(TOO_LARGE) for trial in choice.tried):
        return
    if not wish.lora and _chosen(wish._replace(lora=True), folder, spent).best is not None:
        yield "adapters (--finetuning lora)"
    there = wish.facts.gpus or []
    for number in _MORE_GPUS if there else ():
        gpus = [there[0]._replace(index=at) for at in range(number)]
        more = wish._replace(facts=wish.facts._replace(gpus=gpus), processes=number, strategy="auto")
        if number > wish.count and _chosen(more, folder, spent).best is not None:
            yield f"a node with {number} such GPUs (its own --facts, --processes {number})"
            return


def _as_drafted(wish: Wish, folder: str, spent: Callable[[], bool]) -> tuple[Choice | None, list[Way]]:
    """The best of the drafts as they are, None where none is good; and the nearest ways that were looked at."""
    ways: list[Way] = []
    for strategy in _strategies(wish):
        nearest = _nearest([*_ways(wish, strategy, folder)])
        ways += nearest
        good = [way for way in nearest if way.is_good]
        if good:
            best = max(good, key=_merit)
            return _taken(best, _planned(wish, best, spent), ways), ways
    return None, ways


def _taken(way: Way, planned: Tried, ways: Sequence[Way]) -> Choice | None:
    """A way with its plan as what is best, and the others as what was tried; None where it has no plan."""
    if planned.plan is None:
        return None
    return Choice(planned, (planned, *(_tried(one) for one in ways if one is not way)))


def _merit(way: Way) -> tuple[bool, int, float]:
    """What of good ways is the best: what fits a GPU, of what there is no warning, and what has most to gain.

    Where no GPU is known that is an H200, as speed is told of one.
    """
    warnings = sum(finding.severity == "warning" for finding in way.report.findings)
    return not too_large(way.report.outcome, OF_H200), -warnings, way.score or 0.0


def _with_changes(wish: Wish, ways: Sequence[Way], folder: str, spent: Callable[[], bool]) -> Choice:
    """The best where a draft has to be changed, or other releases are wanted; without one where nothing helps."""
    tried: list[Tried] = []
    for way in ways:
        planned = _planned(wish, way, spent)
        tried.append(planned)
        if planned.plan is None:
            continue
        packages = tuple(step for step in planned.plan.steps if step.kind == "package")
        if not packages:
            return Choice(planned, (planned, *(_tried(other) for other in ways if other is not way)))
        changed, _ = _as_drafted(wish._replace(facts=planned.report.inputs.run.facts), folder, spent)
        best = None if changed is None else changed.best
        if changed is not None and best is not None and best.plan is not None:
            whole = best._replace(plan=best.plan._replace(steps=(*packages, *best.plan.steps)))
            return Choice(whole, (whole, *(other for other in changed.tried if other is not best)))
    return Choice(None, tuple(tried))


def _nearest(ways: Sequence[Way]) -> list[Way]:
    """Of each backend, and of the trainer's own switch, the way that lacks least, and has most to gain."""
    found: dict[tuple[str, bool], Way] = {}
    for way in sorted(ways, key=lambda one: (len(one.problems), *(-part for part in _merit(one)))):
        found.setdefault((way.backend, way.setup.own), way)
    return [*found.values()]


def _tried(way: Way) -> Tried:
    why_not = way.problems[0].text if way.problems else ""
    return Tried(way.strategy, way.backend, why_not, way.report, None, way.score)


def _planned(wish: Wish, way: Way, spent: Callable[[], bool]) -> Tried:
    """A way with its plan, in which each file is a new one; without one where none keeps how the run is spread."""
    request = Request((_request(wish, way.documents),))
    planned = plan_request(request, "fp8", states=STATES, plans=1, spent=spent)
    drafted = wish._replace(backend=way.backend)  # with another backend, the files would keep what this one wants
    plan = next((one for one in planned.plans if _keeps(drafted, one.reports[0], way.report)), None)
    if plan is None:
        # Whatever else the draft lacks: where nothing that was found fits, that is what stands against it.
        too_large = next((one for one in planned.why_not if one.startswith(f"{TOO_LARGE}:")), "")
        return _tried(way)._replace(why_not=too_large) if too_large else _tried(way)
    documents = _all(way.documents, plan.documents)
    files = (Step("file", document.path, None, None, document.text, "init") for document in documents)
    steps = (*(step for step in plan.steps if step.kind not in ("edit", "file")), *files)
    report = plan.reports[0]
    plan = plan._replace(steps=steps, documents=documents)
    return Tried(way.strategy, way.backend, "", report, plan, _score(report, way.setup))


def _all(given: Sequence[Document], planned: Sequence[Document]) -> tuple[Document, ...]:
    """The files of a plan, its scripts first: as it edits them, or as they are."""
    after = {document.path: document for document in planned}
    scripts = (after.get(document.path, document) for document in given if document.kind == "script")
    return (*scripts, *(document for document in planned if document.kind not in ("script", "model")))


def _keeps(wish: Wish, report: Examined, other: Examined) -> bool:
    """Whether a run is spread like another, and has its backend where that was asked for."""
    backend = report.outcome.backend
    is_kept = wish.backend == "auto" or (backend is not None and str(backend.value).upper() == wish.backend)
    return is_kept and chosen(report).strategy == chosen(other).strategy


def choose_from(wish: Wish, training: Document, folder: str, spent: Callable[[], bool] = lambda: False) -> Choice:
    """The first Accelerate file for a training file that is there, and what has to change in that.

    Args:
        training: as a file of the folder.

    Raises:
        InputError: the wish contradicts itself.
    """
    _check(wish)
    tried: list[Tried] = []
    for strategy in _strategies(wish):
        ways = [_around(wish, training, strategy, one, folder, spent) for one in _backends(wish)]
        good = [trial for trial in ways if trial.plan is not None]
        tried += ways
        if good:
            best = min(good, key=_changes)
            return Choice(best, tuple(tried), wish.facts.is_training_environment is False)
    return Choice(None, tuple(tried), wish.facts.is_training_environment is False)


def _changes(trial: Tried) -> tuple[bool, int, float]:
    """Whether a way is slower than BF16, how much it changes, and how much it has to gain."""
    steps = () if trial.plan is None else trial.plan.steps
    outcome = trial.report.outcome
    # Whatever the model: without torch.compile torchao has 0.2 to 0.5 times the speed of BF16.
    eager = outcome.backend_name == "AO" and known_setting(lambda: outcome.effective.compiled) is None
    slower = eager if trial.score is None else trial.score < 1
    return slower, sum(step.kind != "file" for step in steps), -(trial.score or 0.0)


def _around(
    wish: Wish, training: Document, strategy: str, backend: str, folder: str, spent: Callable[[], bool]
) -> Tried:
    """A way to train with a file that is there: its own entries are edited, the Accelerate file is new."""
    text = _drafted(wish, strategy, backend)
    accelerate = detect.read(os.path.join(folder, ACCELERATE), text.encode())
    part = _request(wish, (training, accelerate))
    planned = plan_request(Request((part,)), "fp8", states=STATES, plans=PLANS, spent=spent)
    given = planned.given[0]
    tried = wish._replace(backend=backend)  # with another backend, the file would keep what this one was drafted with
    kept = [one for one in planned.plans if _keeps(tried, one.reports[0], given)]
    plan = next((one for one in kept if pays(one.reports)), kept[0] if kept else None)
    if plan is None:
        return Tried(strategy, backend, "; ".join(planned.why_not) or "only another way was found", given)
    new = next(document for document in plan.documents if document.path == accelerate.path)
    steps = [step for step in plan.steps if step.file != accelerate.path]
    steps.append(Step("file", new.path, None, None, new.text, "init"))
    report = plan.reports[0]
    plan = plan._replace(steps=tuple(steps), documents=_all((training,), plan.documents))
    speed = speed_of(report.outcome)
    return Tried(strategy, backend, "", report, plan, None if speed is None else speed.predicted)


def _check(wish: Wish) -> None:
    count = wish.count
    if count < 1:
        raise InputError("--processes takes a number from 1 on")
    if wish.strategy != "auto" and SPREADS[wish.strategy].strategy.alone != (count == 1):
        several = "one process alone" if SPREADS[wish.strategy].strategy.alone else "several processes"
        raise InputError(f"--strategy {wish.strategy} is for {several}, and there are {count}: give --processes")
    if wish.tokens is not None and wish.tokens < 1:
        raise InputError("--tokens takes a number from 1 on")


def _strategies(wish: Wish) -> Sequence[str]:
    if wish.strategy != "auto":
        return (wish.strategy,)
    return ("single",) if wish.count == 1 else tuple(name for name, one in SPREADS.items() if not one.strategy.alone)


def _ways(wish: Wish, strategy: str, folder: str) -> Iterator[Way]:
    """All setups of a strategy, judged."""
    draft, spread = DRAFTS[wish.trainer], SPREADS[strategy].strategy
    for backend in _backends(wish):
        # The trainer's own switch is torchao's, and stands in no Accelerate file, which has the strategy.
        for own in (True, False) if draft.has_own and backend == "AO" and not spread.section else (False,):
            for bf16 in (False, True) if spread.kind == "DEEPSPEED" else (False,):
                for checkpointing in (False, True):
                    for compiled in (False, True) if backend == "AO" else (False,):
                        for size in _sizes(wish.tokens):
                            setup = Setup(wish.model, wish.lora, *size, checkpointing, own, bf16, compiled)
                            yield _way(wish, strategy, backend, setup, folder)


def _backends(wish: Wish) -> Sequence[str]:
    return BACKENDS if wish.backend == "auto" else (wish.backend,)


def _sizes(tokens: int | None) -> Iterator[tuple[int, int]]:
    """Tokens of a sequence, and sequences in a micro-batch."""
    for number in TOKENS if tokens is None else (tokens,):
        sequence = next(size for size in range(min(SEQUENCE, number), 0, -1) if number % size == 0)
        yield sequence, number // sequence


def _way(wish: Wish, strategy: str, backend: str, setup: Setup, folder: str) -> Way:
    draft = DRAFTS[wish.trainer]
    training = detect.read(os.path.join(folder, draft.file), draft.text(setup).encode(), trainer=wish.trainer)
    accelerate = detect.read(os.path.join(folder, ACCELERATE), _drafted(wish, strategy, backend).encode())
    documents = (training,) if setup.own else (training, accelerate)
    (one,) = assembled(_request(wish, documents))
    (report,) = examine_all([(one.run, one.documents)])
    found = tuple(problems(report, "fp8", chosen(report)))
    return Way(strategy, backend, setup, documents, report, found, _score(report, setup))


def _request(wish: Wish, documents: tuple[Document, ...]) -> RunRequest:
    """The run of these files. A script says itself who trains, and how it is started belongs to it."""
    training, *accelerate = (document.path for document in documents)
    documents = documents if wish.config is None else (*documents, wish.config)
    if training.endswith(".py"):
        words = ["accelerate", "launch", *(word for path in accelerate for word in ("--config_file", path)), training]
        return RunRequest(documents, wish.facts, launch=join(words), follow=False)
    if accelerate:
        return RunRequest(documents, wish.facts, trainer=wish.trainer, follow=False)
    words = [BY_NAME[wish.trainer].programs[0], "train", training, "--", "--num_processes", str(wish.count)]
    return RunRequest(documents, wish.facts, launch=join(words), trainer=wish.trainer, follow=False)


def _entries(wish: Wish, strategy: str, backend: str) -> dict[str, object]:
    """What stands in it. The Accelerator of a script makes no number of DeepSpeed's "auto"."""
    made = entries(SPREADS[strategy].strategy, wish.count, backend, _RECIPES[backend])
    section = made.get("deepspeed_config")
    if wish.trainer == "script" and isinstance(section, dict):
        return {**made, "deepspeed_config": {**section, "gradient_accumulation_steps": ACCUMULATION}}
    if BY_NAME[wish.trainer].loads_in_shards and isinstance(section, dict) and "zero3_init_flag" in section:
        return {**made, "deepspeed_config": {**section, "zero3_init_flag": True}}
    return made


def _drafted(wish: Wish, strategy: str, backend: str) -> str:
    """The text of the Accelerate file, without torchao's all-gather where the release there does not read it."""
    made = _entries(wish, strategy, backend)
    config = made["fp8_config"]
    if isinstance(config, dict) and not Stack(wish.facts).does(Accelerate.TORCHAO_RECIPE_HAS_CONFIG):
        made["fp8_config"] = {name: value for name, value in config.items() if name != GATHER}
    return text_of(made.items())


def _score(report: Examined, setup: Setup) -> float | None:
    speed = speed_of(report.outcome)
    return None if speed is None else speed.predicted * (_TWICE if setup.checkpointing else 1.0)
