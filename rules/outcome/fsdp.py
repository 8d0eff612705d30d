"""FSDP and DeepSpeed as the training file asks for them, on top of what the launcher started."""

from __future__ import annotations

from fp8check.rules.releases.behaviors import Accelerate, Transformers
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.values import Origin, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.outcome.launcher import Environment, Started
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.trainers.run import Run


def apply_arguments(run: Run, stack: Stack, started: Started) -> tuple[str, int | None]:
    """The kind of distribution that Accelerator ends with, and the FSDP version where it is FSDP.

    `fsdp` and `deepspeed` of TrainingArguments count on top of the launcher's; FSDP only where the launcher set the
    variables of a distributed process (AcceleratorState: distributed_type MULTI_*).
    """
    training = run.training
    kind, version = started.kind, started.fsdp_version
    if not training.is_huggingface:
        return kind, version
    deepspeed = training.setting_for("deepspeed")
    if deepspeed is not None and deepspeed.value:
        kind, version = "DEEPSPEED", None
    requested = training.on("fsdp") or (training.trainer == "axolotl" and training.on("fsdp_config"))
    if kind == "MULTI_GPU" and requested:
        read = _from_axolotl if training.trainer == "axolotl" else _from_arguments
        return "FSDP", read(run, stack, started.environment)
    return kind, version


def _from_axolotl(run: Run, stack: Stack, environment: Environment) -> int:
    """axolotl writes the variables of FSDP itself (utils/trainer.py setup_fsdp_envs, 0.19.0)."""
    config = run.training.top.section("fsdp_config")
    efficient = config.get("cpu_ram_efficient_loading")
    if efficient is not None and efficient.value:
        environment["FSDP_CPU_RAM_EFFICIENT_LOADING"] = efficient._replace(value="true")
    version = run.training.value("fsdp_version", config.value("fsdp_version", config.value("version")))
    return 2 if str(version) == "2" and stack.does(Accelerate.HAS_FSDP2) else 1


def _from_arguments(run: Run, stack: Stack, environment: Environment) -> int:
    config = run.training.top.section("fsdp_config")
    efficient = config.get("cpu_ram_efficient_loading") or config.get("fsdp_cpu_ram_efficient_loading")
    default = Setting("false", Origin(default=stack.name("transformers")))
    chosen = efficient._replace(value=str(efficient.value).lower()) if efficient is not None else default
    environment["FSDP_CPU_RAM_EFFICIENT_LOADING"] = chosen
    written = config.value("version", config.value("fsdp_version"))
    if written is None:
        return 2 if stack.does(Transformers.FSDP2_BY_DEFAULT) else 1
    return 2 if str(written) == "2" else 1


def check_fsdp(run: Run, kind: str) -> None:
    """transformers wants a distributed process for `fsdp` (trainer.py __init__, ParallelMode, 4.45 to 5.23).

    Said only where a file names the kind of distribution; without one, the launcher counts the GPUs.

    Raises:
        Stop: the Trainer refuses.
    """
    training, config = run.training, run.config_read
    fsdp = training.get("fsdp")
    if fsdp is None or not fsdp.value or not training.is_huggingface or training.trainer == "axolotl":
        return
    deepspeed = training.setting_for("deepspeed")
    if deepspeed is not None and deepspeed.value:
        text = "Using --fsdp xxx together with --deepspeed is not possible, deactivate one of those flags."
        raise PredictedError("fsdp-with-deepspeed", "trainer", "ValueError", text, (fsdp, deepspeed))
    if kind == "NO" and run.launch.tool == "accelerate" and config is not None:
        requested = (fsdp, config.distributed_type) if config.distributed_type is not None else (fsdp,)
        raise PredictedError(
            "fsdp-not-distributed", "trainer", "ValueError", "Using fsdp only works in distributed training.", requested
        )


def check_deepspeed(run: Run, environment: Environment, kind: str) -> None:
    """transformers compares DeepSpeed's configuration with TrainingArguments when train() begins.

    Raises:
        Stop: they contradict each other about bf16.
    """
    training = run.training
    if kind != "DEEPSPEED" or not training.is_huggingface:
        return
    named = training.setting_for("deepspeed")
    bf16 = training.get("bf16")
    on = bf16 is not None and bool(bf16.value)
    if training.on("fp16"):
        return  # then it is DeepSpeed's fp16 that is compared, and agrees
    if named is not None and named.value:
        written = run.deepspeed.section("bf16").get("enabled") if run.deepspeed is not None else None
        contradicts = written is not None and written.value is True and not on
        because: tuple[Setting | None, ...] = (written, named)
    else:
        # DeepSpeedPlugin of the launcher: fp8 fills bf16.enabled, which TrainingArguments then does not match.
        precision = environment.get("ACCELERATE_MIXED_PRECISION")
        contradicts = precision is not None and precision.value in ("fp8", "bf16") and not on
        because = (precision, bf16)
    if contradicts:
        text = (
            "Please correct the following DeepSpeed config values that mismatch TrainingArguments values:\n"
            "- ds bf16.enabled=True vs hf bf16|bf16_full_eval=False"
        )
        raise PredictedError("deepspeed-bf16-mismatch", "step", "ValueError", text, because)
