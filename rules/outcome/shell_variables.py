"""Variables that Accelerate reads of the process itself, and what it refuses of them: mostly leftovers of another run.

Read in accelerate 0.34.2 to 1.15.0 (state.py, accelerator.py, utils/environment.py); executed with 1.10.1 and 1.15.0,
in scripts and in Trainers, with and without a launcher (tests/conformance/commands.jsonl, fifth-*).
"""

from __future__ import annotations

from fp8check.rules.outcome import processes
from fp8check.rules.outcome.launcher import BOOLEANS
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.values import TRUE_WORDS, Undecided, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.script import Call
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.data import Environment, Started
    from fp8check.rules.trainers.run import Run

STEPS = "ACCELERATE_GRADIENT_ACCUMULATION_STEPS"
# What PartialState and AcceleratorState take by str_to_bool, in the order in which they do.
_SWITCHES = ("ACCELERATE_USE_CPU", "ACCELERATE_DEBUG_MODE", "ACCELERATE_CPU_AFFINITY")
# How many there are on this machine.
_LOCAL_SIZES = ("LOCAL_WORLD_SIZE", "MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE")
_SET_BY_LAUNCHER = ("ACCELERATE_USE_CPU",)  # whatever the shell says (utils/launch.py)


def check_plugins(run: Run, stack: Stack, started: Started, *, launched: bool) -> None:
    """Plugins that a variable of the shell asks for: their packages have to be there.

    Args:
        launched: whether the launcher makes it a run of DeepSpeed: it looks for the package itself.

    Raises:
        PredictedError: one is not there.
        Undecided: it would be a run of Megatron-LM.
    """
    if not run.training.is_huggingface and _maker(run) is None:
        return
    deepspeed, megatron = (_asked(started, f"ACCELERATE_USE_{name}") for name in ("DEEPSPEED", "MEGATRON_LM"))
    if deepspeed is not None and not launched and not run.training.is_huggingface and stack.has("deepspeed") is False:
        text = "DeepSpeed is not installed => run `pip install deepspeed` or build it from source."
        raise PredictedError("variable-refused", "accelerator", "ImportError", text, (deepspeed,))
    if megatron is not None:
        if stack.has("megatron") is not False:  # its package is megatron-core, or a checkout
            raise Undecided(f"{megatron.origin.describe()} makes it a run of Megatron-LM", "the command without it")
        text = "Megatron is not installed. please build it from source."
        raise PredictedError("variable-refused", "accelerator", "ImportError", text, (megatron,))


def _maker(run: Run) -> Call | None:
    """The script's own Accelerator."""
    return None if run.script.source is None else run.script.source.accelerator


def _asked(started: Started, name: str) -> Setting | None:
    setting = started.environment.get(name)
    asks = setting is not None and setting.origin.variable is not None and str(setting.value).lower() == "true"
    return setting if asks else None


def check_arguments(run: Run, stack: Stack, started: Started) -> None:
    """What TrainingArguments make of the shell (training_args.py), in the command itself where that makes them.

    Executed with transformers 5.23.0.

    Raises:
        PredictedError: they refuse it.
        Undecided: see check_state.
    """
    stage = run.training.parsed_at(run.launch)
    left = started.environment.get("ACCELERATE_USE_DEEPSPEED")
    if left is not None and left.origin.variable is not None and str(left.value).lower() in TRUE_WORDS:
        by_itself = started.kind in ("NO", "MULTI_GPU") and run.training.deepspeed is None
        if by_itself and stack.has("deepspeed") is False:
            text = (
                "No package metadata was found for The 'deepspeed>=0.9.3' distribution was not found and is required "
                "by this application."
            )
            raise PredictedError("variable-refused", stage, "PackageNotFoundError", text, (left,))
    check_state(run, stack, started, stage)


def check_state(run: Run, stack: Stack, started: Started, stage: Stage = "accelerator") -> None:
    """What the state of the process is made of: switches that are true or false, and the rank of the process.

    Raises:
        PredictedError: one of them is refused.
        Undecided: the shell says that there are several processes, which takes this one off the GPU.
    """
    variables, by_launcher = started.environment, run.launch.tool == "accelerate" and stage != "launch"
    for name in _SWITCHES:
        setting = variables.get(name)
        if setting is None or setting.origin.variable is None or (by_launcher and name in _SET_BY_LAUNCHER):
            continue
        if str(setting.value).lower() not in BOOLEANS:
            text = f"invalid truth value {str(setting.value).lower()}"
            raise PredictedError("variable-refused", stage, "ValueError", text, (setting,))
    cpu = None if by_launcher else variables.get("ACCELERATE_USE_CPU")
    if started.kind == "MULTI_GPU" and cpu is not None and str(cpu.value).lower() in TRUE_WORDS:
        raise Undecided(f"{cpu.origin.describe()} takes the processes to the CPU", "the command without that variable")
    if started.kind == "NO":
        _check_rank(stack, variables, stage)


def _check_rank(stack: Stack, variables: Environment, stage: Stage) -> None:
    """A process that no launcher told its rank, where the shell has something to say of it."""
    rank = variables.get("LOCAL_RANK")
    number = -1 if rank is None else whole_number(str(rank.value))
    if rank is not None and number is None:
        text = f"invalid literal for int() with base 10: {str(rank.value)!r}"
        raise PredictedError("variable-refused", stage, "ValueError", text, (rank,))
    missing = next((name for name in processes.RANKS if name not in variables), None)
    if rank is not None and number != -1 and missing is not None:
        text = "Error initializing torch.distributed using env:// rendezvous: "
        text += f"environment variable {missing} expected, but not set"
        raise PredictedError("variable-refused", stage, "ValueError", text, (rank,))
    if number != -1 or not stack.does(Accelerate.COUNTS_BY_SIZE_ALONE):
        return
    size = next(
        (one for name in processes.SIZES if (one := variables.get(name)) is not None and _count(one) >= 0), None
    )
    if size is None or _count(size) <= 1:
        return
    local = next((one for name in _LOCAL_SIZES if (one := variables.get(name)) is not None and _count(one) >= 0), None)
    if "MASTER_ADDR" in variables or (1 if local is None else _count(local)) == _count(size):
        what = f"{size.origin.describe()} says that there are several processes: each is taken for one on a CPU"
        raise Undecided(what, "the command behind torchrun or accelerate launch, or without that variable")
    text = (
        "Tried to launch on distributed with multinode, but `MASTER_ADDR` env was not set, "
        "please try exporting rank 0's hostname as `MASTER_ADDR`"
    )
    raise PredictedError("variable-refused", stage, "ValueError", text, (size,))


def _count(setting: Setting) -> int:
    """The number that a variable holds; -1 where it holds none that counts."""
    number = whole_number(str(setting.value))
    return -1 if number is None else number


def check_steps(run: Run, environment: Environment) -> None:
    """The steps of gradient accumulation, of which Accelerator() makes a number unless it is given a plugin.

    Raises:
        PredictedError: it is none.
        Undecided: it is 0, by which steps are counted, or losses divided.
    """
    maker, steps = _maker(run), environment.get(STEPS)
    if steps is None or maker is None or run.training.is_huggingface or steps.origin.variable is None:
        return
    if "gradient_accumulation_plugin" in maker.keywords:
        return
    number = whole_number(str(steps.value))
    if number is None:
        text = f"invalid literal for int() with base 10: {str(steps.value)!r}"
        raise PredictedError("variable-refused", "accelerator", "ValueError", text, (steps,))
    if number == 0:
        raise Undecided(f"{STEPS}=0 ends the step, or makes its losses infinite", "the command without that variable")
