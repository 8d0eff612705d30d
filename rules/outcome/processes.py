"""How many training processes the launcher starts, and over what they are spread.

Models accelerate/commands/launch.py (0.34.0 to 1.15.0), torchrun, DeepSpeed's launcher and a plain interpreter.
"""

from __future__ import annotations

from fp8check.rules.releases.accelerate_enums import DISTRIBUTED_TYPES
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.script import WRITTEN_OUT, Unevaluated
from fp8check.rules.settings.values import Origin, Setting, Undecided, taken, whole_number
from fp8check.rules.trainers.registry import launched_by_itself, of_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.trainers.run import Run

_KINDS_BY_FLAG: tuple[tuple[str, DistributedType], ...] = (
    ("use_deepspeed", "DEEPSPEED"),
    ("use_fsdp", "FSDP"),
    ("use_megatron_lm", "MEGATRON_LM"),
    ("multi_gpu", "MULTI_GPU"),
)
_ON_GPUS: tuple[DistributedType, ...] = ("MULTI_GPU", "FSDP", "DEEPSPEED", "MEGATRON_LM")
_NOT_MODELED: tuple[DistributedType, ...] = ("XLA", "TP")
# What decides, where one process sees several GPUs.
ONE_A_GPU = "CUDA_VISIBLE_DEVICES=0, or a process on each:"
# How torchrun says "one process a GPU" (torch/distributed/run.py determine_local_world_size).
_EACH_GPU = ("gpu", "auto")


def kind_of(run: Run, config: AccelerateConfig | None) -> tuple[DistributedType, Undecided | None]:
    """What `accelerate launch` spreads the run over.

    Returns:
        The kind; and where it hangs on GPUs that nobody knows whether that is one process (NO) or several, the reason.

    Raises:
        Undecided: the kind is not modeled.
    """
    flags = run.launch.flags
    if flags.get("cpu"):
        return "NO", None
    for flag, kind in _KINDS_BY_FLAG:
        if flags.get(flag):
            return kind, None
    if config is None:
        several = _several_by_itself(run)
        return ("MULTI_GPU", None) if several else ("NO", None if several is False else _gpus_not_known(run))
    requested = config.distributed_type
    written = requested.value if requested is not None else "NO"
    name: DistributedType = next((one for one in DISTRIBUTED_TYPES if one == written), "NO")
    if name in _NOT_MODELED:
        raise Undecided(f"distributed_type {name} is not modeled", "launch")
    return ("NO" if name == "MULTI_CPU" else name), None


def on_gpus(run: Run) -> bool:
    """Whether the processes of a distributed run take NVIDIA GPUs, and not XPUs, NPUs or what else Accelerate knows."""
    return run.launch.tool != "accelerate" or kind_of(run, run.config_read)[0] in _ON_GPUS


def is_zero3(run: Run, stack: Stack, kind: DistributedType | None) -> bool:
    """Whether DeepSpeed holds the weights in shards."""
    stage = zero_stage(run, stack) if kind == "DEEPSPEED" else None
    return stage is not None and str(stage.value) == "3"


def zero_stage(run: Run, stack: Stack) -> Setting | None:
    """The ZeRO stage: of DeepSpeed's own file, else what the launcher hands on; None where neither says one."""
    return launched_stage(run, stack) if run.deepspeed is None else run.deepspeed.zero_stage


def launched_stage(run: Run, stack: Stack) -> Setting | None:
    """The ZeRO stage that `accelerate launch` hands on, of its flag or of the Accelerate file (commands/launch.py)."""
    flag, config = run.launch.setting("zero_stage"), run.config_read
    written = None if config is None else config.zero_stage
    if flag is None or written is None:
        return flag or written
    return written.over(flag) if stack.does(Accelerate.CONFIG_BEATS_FLAGS) else flag.over(written)


def check_gpus(run: Run, stage: Stage) -> None:
    """A GPU for each process: Accelerate's state takes rank % device_count, and NCCL refuses two on one GPU.

    Executed on two H200s with accelerate 1.15.0 and torch 2.11.0 (docs/evidence/h200-ddp.jsonl duplicate-gpu-*): it is
    the first collective that raises. Said only where both numbers are known: GPUs are told off by gpu_ids
    or CUDA_VISIBLE_DEVICES, or the facts are those of a machine.

    Raises:
        PredictedError: there are more processes on this machine than GPUs that they see.
    """
    try:
        setting, visible = processes_here(run), run.visible_gpus()
    except Undecided:
        return
    told = run.gpu_ids is not None or "CUDA_VISIBLE_DEVICES" in (run.facts.variables or {})
    if not (told or run.facts.count_gpus):
        return
    if setting is None or not visible or not isinstance(setting.value, int) or setting.value <= len(visible):
        return
    if setting.value > 1 and on_gpus(run):
        text = f"Duplicate GPU detected : rank {len(visible)} and rank 0 both on CUDA device"
        ids = run.gpu_ids
        because = (setting, ids) if ids is not None else (setting,)
        raise PredictedError("duplicate-gpu", stage, "DistBackendError", text, because)


def one_a_gpu(run: Run, number: int) -> str:
    """What starts a process on each of so many GPUs, by the launcher that the run has: FP8 may be in its file."""
    if run.launch.tool == "accelerate" or run.config_read is not None:
        return f"accelerate launch --multi_gpu --num_processes {number}"
    return f"torchrun --nproc_per_node {number}"


def _several_by_itself(run: Run) -> bool | None:
    """Without a file, several GPUs make several processes (_validate_launch_command); None where that is not known."""
    processes = run.launch.number("num_processes")
    if processes is not None and processes <= 1:
        return False
    gpus = run.facts.visible_gpus()
    return None if gpus is None else len(gpus) > 1


def _gpus_not_known(run: Run) -> Undecided:
    who = run.launch.through or run.launch.script or run.launch.tool
    return Undecided(f"how many GPUs there are: {who} starts a process on each", "gpus")


def spread(run: Run) -> tuple[DistributedType, Undecided | None]:
    """As kind_of, where torchrun, DeepSpeed's launcher, a trainer's own command or an interpreter starts the run."""
    if run.launch.tool in ("torchrun", "deepspeed"):
        return "MULTI_GPU", None
    if _is_ranked(run):
        return "MULTI_GPU", None
    trainer = of_program(run.launch.script)
    gpus = run.facts.visible_gpus()
    spawns = trainer.spawns(run.facts.variables or {}, gpus) if trainer is not None else False
    if spawns is None:
        return "NO", _gpus_not_known(run)
    if not spawns and not run.launch.given and (gpus is None or len(gpus) > 1):
        return "NO", Undecided("how the run is started: one process, or one on each GPU", "launch")
    return ("MULTI_GPU" if spawns else "NO"), None


# What Accelerate and torch read of a process that is one of several.
RANKS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# How many processes there are (get_int_from_env: the first that holds a number).
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "WORLD_SIZE")


def _is_ranked(run: Run) -> bool:
    """Whether the shell has the variables by which Accelerate takes a process for one of several (state.py).

    Where it has LOCAL_RANK alone, the run ends once its state is made (shell_variables.py).
    """
    variables = run.facts.variables or {}
    rank = variables.get("LOCAL_RANK")
    return rank is not None and whole_number(rank) not in (None, -1) and all(name in variables for name in RANKS)


def doubled(run: Run) -> tuple[str, str] | None:
    """Two launchers of which each process of the first starts all processes of the second; None where there are none.

    A launcher that starts one plain process, as Accelerate's does for distributed_type NO, leaves the ranks alone that
    the other gives: these two go together. One around the others that starts a single process changes nothing, either.
    (Executed with accelerate 1.15.0 and torch 2.13.0: one-process-in-launcher, launcher-in-one-process.)

    Raises:
        Undecided: it is not known what one of them starts.
    """
    launch = run.launch
    if launch.tool == "python":
        return None
    chain = (*launch.outer, launch, *launch.inner)
    spawned = launch.script if _is_launched(run) else None
    if len(chain) == 1 and spawned is None:
        return None
    ranking = [one for one in chain if _gives_ranks(run, one)]
    last = [spawned] if spawned is not None else [one.tool for one in ranking[-1:]]
    before = ranking if spawned is not None else ranking[:-1]
    several = [one.tool for one in before if not _is_single(one)]
    return (several[0], str(last[0])) if several else None


def _is_single(launch: Launch) -> bool:
    """Whether a launcher is known to start one process."""
    names = {"torchrun": "nproc_per_node", "deepspeed": "num_gpus", "accelerate": "num_processes"}
    default = "1" if launch.tool == "torchrun" else None
    return launch.flags.get(names[launch.tool], default) == "1" and launch.flags.get("nnodes", "1") in ("1", "1:1")


def _is_launched(run: Run) -> bool:
    """Whether the trainer's command that a launcher starts is a launcher here.

    Raises:
        Undecided: the GPUs are not known.
    """
    trainer = launched_by_itself(run.launch)
    if trainer is None:
        return False
    spawns = trainer.spawns(run.facts.variables or {}, run.facts.visible_gpus())
    if spawns is None:
        raise Undecided(f"how many GPUs {trainer.programs[0]} sees", "gpus")
    return spawns


def _gives_ranks(run: Run, launch: Launch) -> bool:
    if launch.tool != "accelerate":
        return True
    if launch is not run.launch:
        raise Undecided("what the outer accelerate launch starts", "one launcher alone")
    kind, unknown = kind_of(run, run.config_read)
    if unknown is not None:
        raise unknown
    return kind != "NO"


def gets_ranks(run: Run) -> bool:
    """Whether a process that the launcher starts plainly is one of several by another launcher, or by the shell."""
    launch = run.launch
    if launch.tool == "python" or launch.flags.get("cpu"):
        return False
    return bool(launch.outer or launch.inner) or _is_ranked(run) or _is_launched(run)


def processes_here(run: Run) -> Setting | None:
    """How many training processes are started on this machine; None where what is written is no number.

    Raises:
        Undecided: that depends on what is not known.
    """
    run = _of_ranks(run)
    tool = run.launch.tool
    if tool == "torchrun":
        return _by_torchrun(run)
    if tool == "deepspeed":
        return _by_deepspeed(run)
    if tool == "accelerate":
        return _by_accelerate(run)
    kind, unknown = spread(run)
    if unknown is not None:
        raise unknown
    if kind == "NO":
        return Setting(1, Origin(code="one process without a launcher"))
    if _is_ranked(run):
        size = (run.facts.variables or {}).get("LOCAL_WORLD_SIZE")
        if size is None:
            raise Undecided("how many processes there are: the shell gives this one its rank", "variables")
        return _number(taken(size, Origin(variable="LOCAL_WORLD_SIZE")))
    variable = (run.facts.variables or {}).get("NPROC_PER_NODE")
    if variable is not None:
        return _number(taken(variable, Origin(variable="NPROC_PER_NODE")))
    return _each_gpu(run, f"{run.launch.script}, which starts torchrun")


def _of_ranks(run: Run) -> Run:
    """The run as the launcher starts it that gives the ranks, where launchers start each other.

    Raises:
        Undecided: it is not known which does.
    """
    launch = run.launch
    if not launch.outer and not launch.inner:
        return run
    if doubled(run) is not None:
        raise Undecided("how many processes two launchers start", "one launcher alone")
    ranking = [one for one in (*launch.outer, launch, *launch.inner) if _gives_ranks(run, one)]
    return run if not ranking or ranking[-1] is launch else run._replace(launch=ranking[-1])


def _number(setting: Setting) -> Setting | None:
    """A setting with its number in the place of its text; None where it is none."""
    value = whole_number(setting.value) if isinstance(setting.value, str) else setting.value
    return setting._replace(value=value) if isinstance(value, int) and not isinstance(value, bool) else None


def _spawns(run: Run) -> bool:
    """Whether the trainer's own program starts torchrun, with that many nodes as a variable says."""
    trainer = of_program(run.launch.script) if run.launch.tool == "python" else None
    return trainer is not None and bool(trainer.spawns(run.facts.variables or {}, run.facts.visible_gpus()))


def _each_gpu(run: Run, who: str) -> Setting:
    gpus = run.facts.visible_gpus()
    if gpus is None:
        raise _gpus_not_known(run)
    return Setting(len(gpus), Origin(code=f"{who}: one process a GPU"))


def _by_torchrun(run: Run) -> Setting | None:
    written = run.launch.setting("nproc_per_node")
    if written is None:
        return Setting(1, Origin(default="torchrun"))
    if written.value in _EACH_GPU:
        return _each_gpu(run, f"torchrun --nproc_per_node {written.value}").over(written)
    return _number(written)


def _by_deepspeed(run: Run) -> Setting | None:
    written = run.launch.setting("num_gpus")
    if any(run.launch.flag(name) is not None for name in ("include", "exclude", "hostfile")):
        raise Undecided("which GPUs DeepSpeed's launcher takes", "launch")
    return _each_gpu(run, "deepspeed") if written is None else _number(written)


def _by_accelerate(run: Run) -> Setting | None:
    total, count = _total_of_accelerate(run), machines(run)
    if total is None or count <= 1 or not isinstance(total.value, int):
        return total
    if total.value < count and kind_of(run, run.config_read)[0] == "DEEPSPEED":
        return _each_gpu(run, "deepspeed --num_gpus 0")  # utils/launch.py prepare_deepspeed_cmd_env
    return total._replace(value=total.value // count)


def machines(run: Run) -> int:
    """Over how many machines the run is spread, as far as the launch says."""
    if _spawns(run):
        text = (run.facts.variables or {}).get("NNODES", "")
        return int(text) if text.isdigit() and text != "0" else 1
    named = "num_machines" if run.launch.tool == "accelerate" else "nnodes"
    written, config = run.launch.setting(named), run.config_read
    if written is None and config is not None:
        written = config.num_machines
    count = None if written is None else _number(written)
    return count.value if count is not None and isinstance(count.value, int) else 1


def everywhere(run: Run) -> Setting | None:
    """How many training processes are started on all machines together; see here.

    Raises:
        Undecided: that depends on what is not known.
    """
    run = _of_ranks(run)
    if run.launch.tool == "accelerate":
        return _total_of_accelerate(run)
    own = processes_here(run)
    if own is None or not isinstance(own.value, int):
        return None
    return own._replace(value=own.value * machines(run))


def _total_of_accelerate(run: Run) -> Setting | None:
    """num_processes: of all machines together."""
    config = run.config_read
    kind, unknown = kind_of(run, config)
    if unknown is not None:
        raise unknown
    if kind == "NO":
        return Setting(1, Origin(code="accelerate launch, which starts one process for distributed_type NO"))
    flag = run.launch.setting("num_processes")
    written = config.num_processes if config is not None else None
    if flag is not None:
        number = _number(flag)
        return None if number is None else number.over(written)
    if config is None:
        return _each_gpu(run, "accelerate launch")
    return None if written is None else _number(written)


def off_gpus(run: Run) -> Setting | None:
    """What keeps the training process off all GPUs: the launcher's file or flag, the Trainer's arguments, the script.

    Raises:
        Undecided: one of them may, and it is not known whether it does.
    """
    by_launcher = run.launch.tool == "accelerate"
    config = run.config_read if by_launcher else None
    if config is not None and config.off_gpus is not None:
        return config.off_gpus
    if by_launcher and run.launch.flag("cpu"):
        return Setting(True, Origin(flag="--cpu"))
    if run.training.is_huggingface:
        return run.training.off_gpus
    maker = run.script.source.accelerator if run.script.source is not None else None
    asked = maker.keywords.get("cpu") if maker is not None else None
    if asked is not None and isinstance(asked.value, Unevaluated):
        raise Undecided(f"whether the script stays on the CPU: cpu={asked.value.text}", WRITTEN_OUT)
    return asked if asked is not None and asked.value else None
