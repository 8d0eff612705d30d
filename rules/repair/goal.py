"""A good run: what a plan has to reach, and what a run lacks of it."""

from __future__ import annotations

from fp8check.rules.engine.inputs import requested
from fp8check.rules.moves.remedies import FORBIDDING
from fp8check.rules.moves.site import known_number, known_setting
from fp8check.rules.moves.strategies import SHARDING, kind_told
from fp8check.rules.outcome import step
from fp8check.rules.outcome.accelerator import can_fp8
from fp8check.rules.outcome.memory import OF_LARGEST, predict_memory, usable
from fp8check.rules.outcome.prepare import never_prepared
from fp8check.rules.outcome.processes import ONE_A_GPU
from fp8check.rules.record import Record
from fp8check.rules.settings.values import Setting, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.engine.running import Finding
    from fp8check.rules.facts import Gpu
    from fp8check.rules.moves.site import Goal
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.suppression.examined import Examined
    from fp8check.rules.trainers.run import Run


class Problem(Record):
    """One thing that keeps a run from being good.

    Attributes:
        code: the rule's id, the code of a predicted error, or a part of the goal: what moves are asked for by.
        text: for people.
        finding: what says it, where a rule does.
        is_of_earlier: whether it is so with earlier releases alone, and the releases of the run are not known.
    """

    code: str
    text: str
    finding: Finding | None = None
    is_of_earlier: bool = False


class Chosen(Record):
    """What the user chose, by the run as it was given; None where that is not known or not said.

    Attributes:
        shards: whether the training file has the model sharded: over several processes, however many they are.
        room_gib: what a run has to fit where no GPU is known: GiB of one.
    """

    processes: int | None
    strategy: tuple[str | None, str | None, bool]
    backend: object
    recipe: dict[str, object]
    tokens: tuple[int | None, int | None]
    checkpointing: bool
    shards: bool
    room_gib: float = OF_LARGEST


def goal_of(runs: list[Examined]) -> Goal:
    """What the runs ask for."""
    return "fp8" if any(report.inputs.concerns_fp8 or _means_fp8(report) for report in runs) else "bf16"


def _means_fp8(examined: Examined) -> bool:
    """Whether a file has options of FP8 and no precision, or a precision that is no word of Accelerate's but FP8's."""
    config = examined.inputs.run.config_read
    if config is None:
        return False
    precision = known_setting(lambda: config.mixed_precision)
    if precision is None:
        return _has_options(config)
    return not precision.is_later and "8" in str(precision.value)


def _has_options(config: AccelerateConfig | None) -> bool:
    """Whether a file has options of FP8; it has where all of them together are filled in later."""
    try:
        return config is not None and bool(config.fp8)
    except Undecided:
        return True


def chosen(examined: Examined) -> Chosen:
    """What somebody chose, whether or not it works."""
    run, outcome = examined.inputs.run, examined.outcome
    wanted = requested(run)
    backend = wanted.backend.shown if wanted.backend is not None else run.launch.flag("fp8_backend")
    recipe = {name: setting.shown for name, setting in wanted.recipe.items()}
    effective = outcome.effective
    return Chosen(
        _processes(examined),
        _strategy(run),
        None if backend is None else {"TORCHAO": "AO"}.get(str(backend).upper(), str(backend).upper()),
        recipe,
        (known_number(lambda: effective.micro_batch), known_number(lambda: effective.sequence)),
        known_setting(lambda: effective.checkpointing) is not None,
        _shards(run),
    )


def _shards(run: Run) -> bool:
    """Whether the training file asks for FSDP or DeepSpeed; what is filled in later does not count."""
    try:
        return run.training.deepspeed is not None or run.training.asks_for_fsdp
    except Undecided:
        return False


def _processes(examined: Examined) -> int | None:
    """How many processes somebody chose; one for each GPU where the run as it is would not start so many of them."""
    run, outcome = examined.inputs.run, examined.outcome
    error, unknown = outcome.error, outcome.undecided
    ended = error is not None and error.code == "duplicate-gpu"
    alone = outcome.is_data_parallel or (unknown is not None and unknown.needs.startswith(ONE_A_GPU))
    if ended or alone or any(finding.rule == "FP309" for finding in examined.findings):
        every, here = (known_number(lambda: outcome.effective.all_processes), outcome.effective.processes)
        machines = every // here.value if every and here is not None and isinstance(here.value, int) else 1
        return machines * len(run.visible_gpus() or ()) or None
    if run.launch.tool == "python" and run.accelerate is not None:
        return None  # nobody meant the one process of python
    return known_number(lambda: outcome.effective.all_processes) or None  # 0, for want of a GPU, is nobody's choice


def _strategy(run: Run) -> tuple[str | None, str | None, bool]:
    """How the run is spread: its kind, the version of FSDP, and whether the training file names DeepSpeed's.

    Where that names one, DeepSpeed it is, whatever kind an Accelerate file says.
    """
    config = run.config_read if run.config_read is not None else run.accelerate
    kind = known_setting(lambda: config.distributed_type if config is not None else None)
    version = known_setting(lambda: config.fsdp_version if config is not None else None)
    told = run.launch.flag("fsdp_version")
    by_trainer = known_setting(lambda: run.training.deepspeed) is not None
    return (
        "DEEPSPEED" if by_trainer else kind_told(run.launch) or (None if kind is None else str(kind.shown)),
        str(told) if told is not None else None if version is None else str(version.shown),
        by_trainer,
    )


def forbidden(examined: Examined, goal: Goal) -> list[Problem]:
    """What no change of a run answers: the machine, the model or what is to be seen would have to be another one."""
    found = [
        Problem(finding.rule, finding.message, finding)
        for finding in examined.findings
        if finding.severity == "error" and finding.rule in (FORBIDDING if goal == "fp8" else ())
    ]
    run = examined.inputs.run
    found += [  # what it says is lost in any plan: another file in its place is another run
        Problem("file-refused", f"{unread.path} has to be YAML first: {unread.refused.message}")
        for unread in run.unread
        if unread.refused is not None
    ]
    gpus = known_setting(lambda: Setting(run.visible_gpus()))
    seen: Sequence[Gpu] = gpus.value if gpus is not None and isinstance(gpus.value, list) else ()
    if goal == "fp8" and seen and not found and not any(can_fp8(gpu) for gpu in seen):
        text = f"{seen[0].name} cannot compute in FP8: compute capability {seen[0].compute_capability}, 8.9 is needed"
        found.append(Problem("GPU", text))
    unseen = [unread.undecided() for unread in run.unread if unread.input == "script"]
    named = run.launch.is_module or run.launch.flag("no_python")  # it may be seen where it is started another way
    if unseen and not named:  # whatever is changed beside it: what it does decides how the run trains
        first = () if examined.outcome.undecided is None else (examined.outcome.undecided,)
        texts = dict.fromkeys(map(_not_known, (*first, *unseen)))
        found += [Problem("undecided", text) for text in texts]
    return found


def _not_known(undecided: Undecided) -> str:
    return f"not known: {undecided.what} ({undecided.needs})"


def problems(examined: Examined, goal: Goal, before: Chosen) -> list[Problem]:
    """All that keeps a run from being good; empty where it is."""
    found = [
        Problem(finding.rule, finding.message, finding) for finding in examined.findings if finding.severity == "error"
    ]
    for outcome in (examined.outcome, examined.earlier):
        if outcome is not None:
            more = [
                problem for problem in unmet(outcome, goal, before) if problem.code not in {two.code for two in found}
            ]
            found += [problem._replace(is_of_earlier=outcome is examined.earlier) for problem in more]
    return found


def unmet(outcome: Outcome, goal: Goal, before: Chosen) -> list[Problem]:
    """What a prediction lacks of a good run, whatever the rules find."""
    if outcome.error is not None:
        return [Problem(outcome.error.code, f"it would end with {outcome.error.type}: {outcome.error.first_line}")]
    found = _other_processes(outcome, before)
    if outcome.undecided is not None:
        code = "data-parallel" if outcome.undecided.needs.startswith(ONE_A_GPU) else "undecided"
        return [*found, Problem(code, _not_known(outcome.undecided))]
    found += _not_fp8(outcome) if goal == "fp8" else _not_bf16(outcome)
    return found or too_large(outcome, before.room_gib)


def _other_processes(outcome: Outcome, before: Chosen) -> list[Problem]:
    """That a run has another number of processes than it had, which is known whatever its step comes to."""
    processes = known_number(lambda: outcome.effective.all_processes)
    if before.processes is not None and processes is not None and processes != before.processes:
        return [Problem("processes", f"it would have {processes} processes, and not {before.processes}")]
    if before.processes is None and before.shards and processes == 1:
        text = "it would have one process, and shards its model over several; how many GPUs there are is not known"
        return [Problem("processes", f"{text}: --facts, with the node's facts.json")]
    return []


def too_large(outcome: Outcome, room_gib: float = OF_LARGEST) -> list[Problem]:
    """That a run needs more memory than a GPU has; empty where it fits, or where that is not known.

    Args:
        room_gib: what the GPU has where none is known.
    """
    try:
        memory = predict_memory(outcome.run, outcome)
    except Undecided:
        return []
    if memory is None:
        return []
    whose = "any GPU" if memory.gpu_gib is None else "a GPU"
    limit = usable(room_gib) if memory.limit_gib is None else memory.limit_gib
    if memory.peak_gib <= limit:
        return []
    sizes = f"{memory.peak_gib:.0f} of {limit:.0f} GiB"
    return [Problem("memory", f"it may not fit into the memory of {whose}: up to {sizes}")]


def _not_fp8(outcome: Outcome) -> list[Problem]:
    found = []
    if outcome.trains_in_fp8 is not True:
        found.append(Problem(NO_FP8, "no layer would run in FP8"))
    state = outcome.accelerator
    held = state is not None and step.frozen_by_torchao(state, outcome.prepared) is not None
    if outcome.frozen is not None or held:  # a script that prepares its model alone may go either way
        found.append(Problem("frozen", "the weights that are converted would not be trained"))
    if outcome.runs_te and outcome.reentrant:
        found.append(Problem("backward", "the backward pass would not be in FP8"))
    return found


def _not_bf16(outcome: Outcome) -> list[Problem]:
    run = outcome.run
    found = []
    precision = outcome.mixed_precision
    if precision is None or precision.value != "bf16" or never_prepared(run) is not None:
        found.append(Problem("no BF16", "it would not compute in BF16"))
    config = run.config_read
    own = [name for name in run.training.fp8_keys if _is_said(run.training.top.get(name))]
    # What the machine's default file has of FP8 is for other runs, where the command says another precision.
    ours = config is not None and not (run.accelerate_is_default and run.launch.precision == "bf16")
    if outcome.trains_in_fp8 is not False or requested(run).anywhere or own or (ours and _has_options(config)):
        found.append(Problem("left", "something of FP8 would be left"))
    elif run.launch.precision in ("fp8", "fp16"):  # it decides nothing, and says something else
        found.append(Problem("left", "the command would still say another precision"))
    return found


def _is_said(setting: Setting | None) -> bool:
    """Whether an entry of FP8 is there; one that says that there is none is not left over."""
    return setting is not None and (setting.is_later or setting.value is not False)


# What it costs to change something of a run. What the user chose is kept: the order of these is that of the plans.
ENTRY = 1
VARIABLE, LAUNCH, FILE = 2, 3, 4
CHECKPOINTING = 2
UNSHARDED = 5  # where the strategy is another one: who shards a model may have no room for all of it
NO_FP8 = "no FP8"  # the goal itself is not reached
BY_HAND = 15  # what people have to do themselves
ANOTHER_PACKAGE = 3  # beside the first
PACKAGE, TOKENS, RECIPE, BACKEND, STRATEGY = 9, 20, 25, 40, 80


def cost_of(examined: Examined, goal: Goal, before: Chosen) -> int:
    """What it costs that the run differs from what was chosen, beside the entries that are changed."""
    now = chosen(examined)
    cost = STRATEGY * (_other(before.strategy, now.strategy))
    cost += UNSHARDED * (_is_sharded(before) and not _is_sharded(now))
    cost += TOKENS * (before.tokens != now.tokens) + CHECKPOINTING * (before.checkpointing != now.checkpointing)
    if goal == "fp8":
        cost += BACKEND * (before.backend is not None and before.backend != now.backend)
        cost += RECIPE * sum(now.recipe.get(name) != value for name, value in before.recipe.items())
    return cost


def _is_sharded(one: Chosen) -> bool:
    kind, _, by_trainer = one.strategy
    return by_trainer or one.shards or kind in SHARDING


def _other(before: object, now: object) -> bool:
    return before not in (now, (None, None, False))
