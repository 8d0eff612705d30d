"""FP3xx: how the run is spread over processes: launcher, DeepSpeed's file and training file against each other."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import dropped, upgraded
from fp8check.rules.edits.fix import safe, unsafe
from fp8check.rules.engine.definition import ERROR, WARNING, Found, Related, rule
from fp8check.rules.outcome.effective import number
from fp8check.rules.outcome.processes import ONE_A_GPU, off_gpus, on_gpus, one_a_gpu
from fp8check.rules.settings.edits import replace
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.facts import Gpu
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.deepspeed import DeepSpeedConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training


@rule(
    "FP309",
    "more-processes-than-gpus",
    ERROR,
    'accelerate 0.34.0..1.15.0 state.py "self.local_process_index % device_module.device_count()": GPU 0 once more',
    'accelerate 0.34.0..1.15.0 utils/launch.py "CUDA_VISIBLE_DEVICES": gpu_ids becomes it',
    "measured NVIDIA H200 [docs/evidence/h200-ddp.jsonl duplicate-gpu-launch]: Duplicate GPU detected",
    "measured NVIDIA H200 [docs/evidence/h200-ddp.jsonl duplicate-gpu-ids]: the same with gpu_ids",
    claims=("ends", "perhaps"),  # the outcome has the end where the facts are those of a machine
)
def more_processes_than_gpus(run: Run, gpus: Sequence[Gpu], outcome: Outcome) -> Iterator[Found]:
    """More processes on a machine than they see GPUs.

    Why it hurts: Accelerate gives each process the GPU of its own number, and begins again with the first where there
    are no more. NCCL refuses two processes on one GPU: "Duplicate GPU detected". num_processes counts over all
    machines.

    Example: `num_processes: 8` on a machine with 4 GPUs, under CUDA_VISIBLE_DEVICES=0,1, or with `gpu_ids: 0,1`.

    Write instead: `num_processes: 4`.
    """
    setting = outcome.effective.processes
    wanted = number(setting)
    if setting is None or wanted is None or wanted < 2 or not gpus or not on_gpus(run):
        return
    visible = run.visible_gpus()
    if visible is None:
        raise Undecided("which of the GPUs a process sees", "variables")
    if not visible or wanted <= len(visible):
        return
    hidden, ids = len(gpus) - len(visible), run.gpu_ids
    told = ids is not None and run.launch.places(ids)
    yield Found(
        f"{wanted} processes on a machine, and {_gpus(len(visible))} for them",
        place=setting if run.launch.places(setting) else ids if told else None,
        label=f"process {len(visible)} gets the GPU of process 0: Duplicate GPU detected",
        related=(Related(ids, "the processes see these alone"),) if ids is not None and told else (),
        notes=(f"{'gpu_ids' if ids is not None else 'CUDA_VISIBLE_DEVICES'} hides {hidden} of {len(gpus)}",)
        if hidden
        else ()
        if run.facts.count_gpus
        else ("the facts name no machine: one that has more GPUs runs it",),
        fact=f"{_gpus(len(visible))} can take {'1 process' if len(visible) == 1 else f'{len(visible)} processes'}",
    )


@rule(
    "FP343",
    "one-process-several-gpus",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/data-parallel.jsonl dp-ao]: exit 0, no layer converted, no FP8 GEMM",
    "measured NVIDIA H200 [docs/evidence/data-parallel.jsonl dp-te]: ValueError, model and optimizer together",
    'transformers 4.45.2..5.24.0 trainer.py "nn.DataParallel(model)": then no prepare() gets the model',
    claims=("ends", "no FP8"),
)
def one_process_several_gpus(requested: Requested, run: Run, outcome: Outcome) -> Iterator[Found]:
    """FP8 is asked for in one process that sees several GPUs: Trainer wraps the model, and nothing of it is converted.

    Why it hurts: started without a launcher that makes a process for each GPU, Hugging Face Trainer spreads the model
    by nn.DataParallel, and hands none to accelerator.prepare(), which is where layers are converted to FP8. With
    torchao the run trains on, without FP8 and without a word; with Transformer Engine it ends. TRL's SFTTrainer loads
    a model by its name over all GPUs instead, and is not concerned.

    Example: `python train.py`, or `accelerate launch` with `distributed_type: NO`, on a machine with two GPUs.

    Write instead: a process on each GPU, `accelerate launch --multi_gpu --num_processes 2`, or `torchrun
    --nproc_per_node 2` where FP8 is in no Accelerate file; or `CUDA_VISIBLE_DEVICES=0` for one GPU.
    """
    unknown = outcome.undecided
    if unknown is not None and unknown.needs.startswith(ONE_A_GPU):
        raise unknown
    if not outcome.is_data_parallel or not requested.fp8:
        return
    error = outcome.error
    count = len(run.visible_gpus() or ())
    happens = "no layer is converted to FP8" if error is None else f"prepare() raises {error.type}"
    yield Found(
        f"one process sees {count} GPUs, and Trainer hands no model to prepare(): {happens}",
        place=requested.fp8[0],
        label=f"{outcome.stack.name('transformers')} makes nn.DataParallel of the model, and Accelerate never sees it",
        notes=() if error is None else (f"{error.type}: {error.message}",),
        fact=f"a process on each GPU ({one_a_gpu(run, count)}), or CUDA_VISIBLE_DEVICES=0",
    )


def _gpus(number: int) -> str:
    return f"{number} GPU{'' if number == 1 else 's'}"


_ON_THE_CPU = {
    "AO": "torchao emulates it there, many times slower than float32",
    "TE": "Transformer Engine wants CUDA, and fails",
}


@rule(
    "FP310",
    "fp8-on-the-cpu",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/launch.py "ACCELERATE_USE_CPU": the training process does not look for a GPU',
    "ran accelerate 1.15.0, torchao 0.18.0 [executed fp8-on-the-cpu]: device cpu, layers converted, FP8 is emulated",
    "measured NVIDIA H200 [docs/evidence/tries-h200.jsonl seventh-again-parser-18]: the same by `--use_cpu`",
    claims=("perhaps",),
)
def fp8_on_the_cpu(run: Run, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """FP8 is asked for, and the run is told to stay on the CPU.

    Why it hurts: no CPU has FP8 units. Transformer Engine wants CUDA and fails; torchao emulates, many times slower
    than float32.

    Example: `use_cpu: true` left over from a test, in a file with `mixed_precision: fp8`; `--use_cpu` of a Trainer.

    Write instead: `use_cpu: false`.
    """
    if not requested.anywhere:
        return
    place = off_gpus(run)
    if place is None:
        return
    flag, is_switch = place.origin.flag, place.origin.span is not None and isinstance(place.value, bool)
    there = _ON_THE_CPU.get(str(outcome.backend_name), "there it is emulated, or fails")
    yield Found(
        f"FP8 on the CPU: {there}",
        place=place,
        label="no GPU is used",
        related=(Related(requested.anywhere[0], "FP8 is asked for here"),)
        if requested.anywhere[0].origin.span is not None
        else (),
        notes=(f"the command line says {flag}",) if flag is not None else (),
        action=dropped(flag.partition(" ")[0]) if flag is not None else None,
        fact="another distributed_type uses GPUs" if place.value == "MULTI_CPU" else "",
        fix=unsafe(replace(place, False)) if is_switch else None,
    )


@rule(
    "FP311",
    "release-cannot-launch-fp8",
    ERROR,
    'accelerate 1.4.0 utils/launch.py ".strip(": of a tuple, in every fp8 launch',
    'accelerate 1.5.2..1.8.1 utils/launch.py "= value[0]": a boolean in the environment of one process',
    'accelerate 1.9.0..1.15.0 utils/launch.py "= str(value[0])": fixed',
    "ran accelerate 1.8.1 [conformance file-te-1.8]: TypeError: expected str, bytes or os.PathLike object, not bool",
    "ran accelerate 1.4.0 [conformance file-te-1.4]: AttributeError: 'tuple' object has no attribute 'strip'",
    requires=("packages",),  # without them the release is not known
    claims=("ends",),
)
def release_cannot_launch_fp8(outcome: Outcome, requested: Requested) -> Iterator[Found]:
    """accelerate 1.4 to 1.8 cannot launch FP8: 1.4 at all, 1.5 to 1.8 with one process.

    Why it hurts: `accelerate launch` dies on its own defaults, with a TypeError that names none of your settings.

    Example: `mixed_precision: fp8` and one process, with accelerate 1.8.

    Write instead: accelerate 1.13 or newer.
    """
    error = outcome.error_of("override-not-text", "override-not-strippable")
    if error is None or any(setting.origin.span is not None for setting in error.because):
        return
    yield Found(
        f"{outcome.stack.name('accelerate')} cannot launch this FP8 run",
        place=requested.fp8[0] if requested.fp8 else None,
        label=f"accelerate launch raises {error.type}: {error.message}",
        notes=("it is the release: your settings are not the cause",),
        action=upgraded(outcome, "accelerate"),
        fact="accelerate 1.13 and newer start this run",
    )


@rule(
    "FP312",
    "precision-beside-deepspeed-file",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/dataclasses.py "When using `deepspeed_config_file`, the following": raised',
    'accelerate 0.34.0..1.15.0 commands/launch.py "mp_from_config_flag": only a precision from the file counts',
    "ran accelerate 1.15.0, deepspeed 0.19.8 [executed precision-beside-deepspeed-file]: ValueError",
    claims=("ends",),
)
def precision_beside_deepspeed_file(
    accelerate: AccelerateConfig, requested: Requested, outcome: Outcome
) -> Iterator[Found]:
    """`mixed_precision` in an Accelerate file that also names a DeepSpeed file.

    Why it hurts: Accelerator() raises ValueError, with fp8 as with bf16. DeepSpeed's file has no FP8; only the command
    line can ask for it.

    Example: `mixed_precision: fp8` and `deepspeed_config_file: ds.json`.

    Write instead: delete the line, and start with `accelerate launch --mixed_precision fp8`.
    """
    error = outcome.error_of("precision-beside-deepspeed-file")
    if error is None:
        return
    yield Found(
        "mixed_precision cannot stand beside deepspeed_config_file",
        place=accelerate.mixed_precision,
        label=f"Accelerator() raises {error.type}: {error.message}",
        related=(Related(accelerate.deepspeed_file, "because of this"),),
        fact="FP8 beside DeepSpeed's own file is asked for by accelerate launch --mixed_precision fp8"
        if requested.concerns_fp8
        else "the precision stands in DeepSpeed's file, or in --mixed_precision",
    )


@rule(
    "FP313",
    "deepspeed-fp16-against-fp8",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/dataclasses.py "arg cannot be set to `": ValueError',
    "ran accelerate 1.15.0, deepspeed 0.19.8 [executed deepspeed-fp16-against-fp8]: ValueError",
    claims=("ends",),
)
def deepspeed_fp16_against_fp8(outcome: Outcome) -> Iterator[Found]:
    """`fp16` is enabled in the DeepSpeed file of a run that asks for fp8 or bf16.

    Why it hurts: Accelerator() raises ValueError. Under DeepSpeed fp8 rests on bf16.

    Example: `"fp16": {"enabled": true}` with `mixed_precision: fp8`.

    Write instead: `"fp16": {"enabled": false}`, `"bf16": {"enabled": true}`.
    """
    error = outcome.error_of("precision-against-deepspeed-file")
    if error is None:
        return
    precision, written = error.because
    other = "bf16" if precision.value == "fp16" else "fp16"
    yield Found(
        f"DeepSpeed's {other} against mixed_precision {precision.value}",
        place=written,
        label=f"Accelerator() raises ValueError: cannot be {precision.value} when {other} is set here",
        related=(Related(precision, "asked for here"),) if precision.origin.span is not None else (),
        notes=()
        if precision.origin.span is not None
        else (f"{precision.value} comes from {precision.origin.describe()}",),
        fix=unsafe(replace(written, False)),
    )


@rule(
    "FP314",
    "deepspeed-wants-bf16",
    ERROR,
    'transformers 4.45.2..5.24.0 integrations/deepspeed.py "Please correct the following DeepSpeed config": raised',
    "ran transformers 5.23.0, deepspeed 0.19.8 [conformance deepspeed1-TE-plain-1.15-deepspeed]: ValueError",
    "ran transformers 5.23.0, deepspeed 0.19.8 [executed deepspeed-file-against-flags]: bf16 and fp16, on and off",
    reads=("deepspeed",),
    claims=("ends",),
)
def deepspeed_wants_bf16(training: Training, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """DeepSpeed is set to bf16, the training file is not, or the other way round: the Trainer refuses the pair.

    Why it hurts: FP8 wants no bf16 in the training file (FP101), DeepSpeed wants it there. With fp8 from the launcher,
    Accelerate switches DeepSpeed's bf16 on by itself, so that a file without `bf16: true` cannot start.

    Example: `distributed_type: DEEPSPEED` and `mixed_precision: fp8`, with no bf16 in the training file.

    Write instead: `bf16: true`, which starts and runs the default recipe (FP205); or FSDP.
    """
    error = outcome.error_of("deepspeed-bf16-mismatch")
    if error is None:
        return
    places, flag = outcome.run.launch.places, outcome.effective.bf16
    switch = next((setting for setting in error.because if places(setting)), None)
    deepspeed = outcome.run.deepspeed
    for name in ("bf16", "fp16"):
        written = deepspeed.enabled(name) if deepspeed is not None else None
        if written is None or written not in error.because or (name == "bf16" and written.value is True):
            continue
        yield Found(
            f"DeepSpeed has {name} {'on' if written.value else 'off'}, and the Trainer has it the other way",
            place=written,
            label=f"the Trainer raises ValueError: ds {name}.enabled={written.value} vs hf {name}={not written.value}",
            fact="auto takes what the Trainer has",
            fix=unsafe(replace(written, "auto")),
        )
        return
    place = flag if flag is not None and places(flag) else switch
    yield Found(
        "DeepSpeed runs in bf16, and the training file does not say so",
        place=place or training.setting_for("model"),
        label="the Trainer raises ValueError: ds bf16.enabled=True vs hf bf16=False",
        related=(Related(switch, "this switches DeepSpeed's bf16 on"),) if place != switch else (),
        fact="with bf16: true FP8 runs, with the default recipe (FP205); FSDP2 with backend: AO needs no bf16: true"
        if requested.concerns_fp8
        else "bf16: true in the training file says what DeepSpeed is set to",
    )


@rule(
    "FP315",
    "deepspeed-auto-is-float32",
    ERROR,
    "ran transformers 5.23.0, deepspeed 0.19.8 [executed deepspeed-auto-is-float32]: bf16.enabled is False, with fp8",
    'transformers 4.45.2..5.24.0 integrations/deepspeed.py "bf16.enabled": `auto` becomes the bf16 of the arguments',
    claims=("nothing",),
)
def deepspeed_auto_is_float32(
    training: Training, deepspeed: DeepSpeedConfig, requested: Requested, outcome: Outcome
) -> Iterator[Found]:
    """`"bf16": {"enabled": "auto"}` in DeepSpeed's file, and no bf16 in the training file: DeepSpeed holds float32.

    Why it hurts: the Trainer fills `auto` with its own bf16 before Accelerate sees it. Without bf16, as FP8 wants it,
    weights, gradients and communication are float32: twice the memory, and slow.

    Example: the usual ZeRO file with `auto` everywhere, with `mixed_precision: fp8`.

    Write instead: `bf16: true` in the training file, with the default recipe (FP205); or FSDP.
    """
    written = deepspeed.enabled("bf16")
    if written is None or written.value != "auto" or training.deepspeed is None or not requested.fp8:
        return
    bf16, fp16 = outcome.effective.bf16, outcome.effective.fp16
    if outcome.error is not None or any(flag is not None and flag.value for flag in (bf16, fp16)):
        return
    yield Found(
        "auto becomes false: DeepSpeed will hold this run in float32",
        place=written,
        label="the Trainer fills it with its own bf16, which is off",
        related=(Related(requested.fp8[0], "FP8 is asked for here"),),
        fact="with bf16: true in the training file FP8 runs, in the default recipe (FP205); FSDP needs no flag",
    )


@rule(
    "FP316",
    "two-deepspeed-files",
    WARNING,
    'transformers 4.45.2..5.24.0 training_args.py "HfTrainerDeepSpeedConfig(self.deepspeed)": the training file wins',
    'accelerate 0.34.0..1.15.0 utils/dataclasses.py "if self.hf_ds_config is None": the other is read only without it',
    "ran transformers 5.24.0, deepspeed 0.19.8 [executed two-deepspeed-files]: the stage of the training file",
    claims=("ignored",),
)
def two_deepspeed_files(training: Training, accelerate: AccelerateConfig) -> Iterator[Found]:
    """The training file and the Accelerate file name two different DeepSpeed files.

    Why it hurts: the Trainer takes that of the training file. The other one is read by nobody.

    Example: `deepspeed: ds_z3.json` in the training file, `deepspeed_config_file: ds_z2.json` in the Accelerate file.

    Write instead: one of them.
    """
    own = training.deepspeed
    other = accelerate.deepspeed_file
    if own is None or other is None or not isinstance(own.value, str) or not isinstance(other.value, str):
        return
    if own.value.rpartition("/")[2] == other.value.rpartition("/")[2] or other.value == "none":
        return
    yield Found(
        f"two DeepSpeed files: {other.value} is not read",
        place=other,
        label="the Trainer takes the one that the training file names",
        related=(Related(own, "this one counts"),),
        fact="with one of the two DeepSpeed files left it is clear which counts",
    )


@rule(
    "FP317",
    "two-distributions",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/launch.py "You can only use one of `--cpu`, `--multi_gpu`": ValueError',
    'transformers 4.45.2..5.24.0 trainer.py "together with --deepspeed is not possible": ValueError',
    "ran accelerate 1.15.0 [executed two-distributions]: ValueError",
    claims=("ends",),
)
def two_distributions(outcome: Outcome) -> Iterator[Found]:
    """FSDP and DeepSpeed at once, or two of the launcher's flags for the kind of run.

    Why it hurts: the launcher or the Trainer raises ValueError.

    Example: `fsdp: full_shard` and `deepspeed: ds.json` in one training file; or `--use_fsdp --use_deepspeed`.

    Write instead: one of them.
    """
    error = outcome.error_of("two-launch-kinds", "fsdp-with-deepspeed")
    if error is None:
        return
    places = [setting for setting in error.because if setting.origin.span is not None]
    words = " and ".join(setting.origin.describe() for setting in error.because)
    yield Found(
        "two ways to spread one run",
        place=places[0] if places else None,
        label=f"{error.type}: {error.message}",
        related=tuple(Related(place, "and this one") for place in places[1:]),
        notes=() if places else (words,),
        fact="with one of them left it is clear how the run is spread",
    )


@rule(
    "FP321",
    "gpu-ids-overwrite-visible-devices",
    WARNING,
    'accelerate 0.34.0..1.15.0 utils/launch.py "CUDA_VISIBLE_DEVICES": written from gpu_ids',
    "ran accelerate 1.15.0 [executed gpu-ids-overwrite-visible-devices]: 3 in the shell, 0 in the training process",
    claims=("nothing",),
)
def gpu_ids_overwrite_visible_devices(run: Run, launch: Launch, variables: Mapping[str, str]) -> Iterator[Found]:
    """gpu_ids of the launcher overwrites the CUDA_VISIBLE_DEVICES of the shell.

    Why it hurts: the run goes to other GPUs than those that the queue or the shell gave it; on a mixed machine to one
    without FP8.

    Example: `gpu_ids: 0` in the file, and `CUDA_VISIBLE_DEVICES=3` in the shell.

    Write instead: `gpu_ids: all`.
    """
    config = run.config_read
    written = config.top.get("gpu_ids") if config is not None else None
    flag = launch.flag("gpu_ids")
    ids = str(flag if flag is not None else written.value if written is not None else "all")
    visible = variables.get("CUDA_VISIBLE_DEVICES")
    if launch.tool != "accelerate" or visible is None or ids in ("all", "None", visible):
        return
    yield Found(
        f"gpu_ids overwrites CUDA_VISIBLE_DEVICES={visible}",
        place=written if flag is None else None,
        label=f"the training process gets CUDA_VISIBLE_DEVICES={ids}",
        action=dropped(f"--gpu_ids {flag}") if flag is not None else None,
        fix=unsafe(replace(written, "all")) if flag is None and written is not None else None,
    )


@rule(
    "FP327",
    "one-gpu-id-for-many",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/launch.py "Less than two GPU ids were configured": ValueError',
    "ran accelerate 1.15.0 [executed one-gpu-id-for-many]: ValueError",
    claims=("ends",),
)
def one_gpu_id_for_many(outcome: Outcome) -> Iterator[Found]:
    """`distributed_type: MULTI_GPU` with one GPU in gpu_ids.

    Why it hurts: the launcher raises ValueError before it starts anything.

    Example: `gpu_ids: '0'` with `distributed_type: MULTI_GPU`.

    Write instead: `gpu_ids: all`, or `distributed_type: 'NO'`.
    """
    error = outcome.error_of("one-gpu-id")
    if error is None:
        return
    ids, kind = error.because
    yield Found(
        f"one GPU in gpu_ids, and distributed_type is {kind.value}",
        place=ids,
        label="accelerate launch raises ValueError: less than two GPU ids were configured",
        related=(Related(kind, "this wants two"),),
        fix=unsafe(replace(ids, "all")),
    )


@rule(
    "FP328",
    "processes-not-named",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/launch.py "You need to manually pass in `--num_processes`": ValueError',
    "ran accelerate 1.15.0 [executed processes-not-named]: ValueError",
    claims=("ends",),
)
def processes_not_named(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """An Accelerate file for more than one process that does not say how many.

    Why it hurts: the launcher does not count GPUs where it has a file; it raises ValueError.

    Example: `distributed_type: FSDP` with no num_processes, started without --num_processes.

    Write instead: `num_processes: 8`.
    """
    error = outcome.error_of("processes-not-given")
    kind = accelerate.distributed_type
    if error is None or kind is None:
        return
    if kind.value is False:
        return  # an unquoted NO: FP901
    yield Found(
        f"distributed_type {kind.value}, and nobody says how many processes",
        place=kind,
        label=f"accelerate launch raises {error.type}: {error.message}",
        fact="num_processes is the number of all GPUs of the run",
    )


@rule(
    "FP329",
    "number-for-gpu-ids",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/launch.py "args.gpu_ids.split(": of whatever the file holds',
    "ran accelerate 1.15.0 [executed number-for-gpu-ids]: AttributeError: 'int' object has no attribute 'split'",
    claims=("ends",),
)
def number_for_gpu_ids(outcome: Outcome) -> Iterator[Found]:
    """`gpu_ids: 0` without quotes: a number, where the launcher wants text.

    Why it hurts: the launcher ends with AttributeError. Two of them (`0,1`) are text to YAML, and work.

    Example: `gpu_ids: 0`.

    Write instead: `gpu_ids: '0'`.
    """
    error = outcome.error_of("gpu-ids-not-text")
    if error is None:
        return
    ids = error.because[0]
    number = isinstance(ids.value, int)
    yield Found(
        "gpu_ids is a number, not text" if number else "gpu_ids is a list, not text",
        place=ids,
        label=f"accelerate launch raises AttributeError: {error.message}",
        fact="" if number else "gpu_ids is a text, as 0,1",
        fix=safe(replace(ids, str(ids.value))) if number else None,
    )


@rule(
    "FP341",
    "accumulation-no-number",
    ERROR,
    'accelerate 0.34.0..1.15.0 accelerator.py "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": int() of it',
    'accelerate 0.34.0..1.15.0 utils/launch.py "str(args.gradient_accumulation_steps)": as the file has it',
    claims=("ends",),
)
def accumulation_no_number(outcome: Outcome) -> Iterator[Found]:
    """`gradient_accumulation_steps: auto` under deepspeed_config, and an Accelerator of the script's own.

    Why it hurts: the launcher sets a variable of it, and Accelerator() makes a number of that: ValueError. Trainers
    hand their steps over in another way, and DeepSpeed's file gets the number from them.

    Example: `deepspeed_config: {zero_stage: 2, gradient_accumulation_steps: auto}` for a script with `Accelerator()`.

    Write instead: the number, which goes before the one that the script says.
    """
    error = outcome.error_of("accumulation-no-number")
    if error is None:
        return
    (steps,) = error.because
    yield Found(
        "gradient_accumulation_steps is not a number, and the script makes its Accelerator itself",
        place=steps,
        label=f"Accelerator() raises {error.type}: {error.message}",
        fact="a number there goes before the one that the script says",
    )
