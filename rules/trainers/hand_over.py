"""The trainer: what it hands to Accelerator, per release of transformers, LLaMA-Factory, TRL and axolotl."""

from __future__ import annotations

from fp8check.rules.releases.behaviors import Accelerate, LlamaFactory, Transformers, Trl
from fp8check.rules.releases.errors import PredictedError, Undecided
from fp8check.rules.releases.readers import OF_ACCELERATE, TRAINING
from fp8check.rules.releases.versions import at_least
from fp8check.rules.settings.values import Origin, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.outcome.launcher import Environment, Started
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.trainers.run import Run

LLAMAFACTORY_RECIPE = {"fp8_format": "HYBRID", "amax_history_len": 16, "amax_compute_algo": "max"}


class AcceleratorArguments:
    """What Accelerator is constructed with, and how prepare() is called.

    Attributes:
        mixed_precision: the argument; None where the trainer passes none.
        handler: class name of the FP8 recipe handler among kwargs_handlers, with its arguments; None without one.
        prepares: "together" (model and optimizer in one call) or "model first".
        te_stubbed: LLaMA-Factory put a stand-in at transformer_engine.pytorch.fp8.
    """

    __slots__ = ("handler", "handler_arguments", "mixed_precision", "prepares", "te_stubbed")

    def __init__(self, mixed_precision: Setting | None = None) -> None:
        self.mixed_precision = mixed_precision
        self.handler: str | None = None
        self.handler_arguments: dict[str, object] = {}
        self.prepares = "together"
        self.te_stubbed = False


def hand_over(run: Run, stack: Stack, started: Started) -> AcceleratorArguments:
    """What the trainer makes of its file and of the environment; it may rewrite the environment.

    Raises:
        Stop: the trainer refuses its configuration.
    """
    if not run.training.is_huggingface:
        if run.script.unknown:
            raise Undecided(run.script.unknown, "fp8check cannot run the script: write what it passes as a literal")
        for name, setting in run.script.environment.items():
            started.environment[name] = setting.over(started.environment.get(name))
        accelerator_arguments = AcceleratorArguments(run.script.mixed_precision)
        accelerator_arguments.handler = run.script.handler
        accelerator_arguments.handler_arguments = run.script.handler_arguments
        accelerator_arguments.prepares = "together" if run.script.prepares_together else "model first"
        return accelerator_arguments
    if run.training.trainer == "llamafactory":
        _check_llamafactory(run, stack)
    _check_peft(run, stack)
    accelerator_arguments = _training_arguments(run, stack, started.environment)
    if run.training.trainer == "llamafactory":
        _llamafactory(run, stack, started.environment, accelerator_arguments)
    if run.training.trainer == "axolotl":
        _axolotl(run, started.environment, accelerator_arguments)
    return accelerator_arguments


def precision_flag(run: Run, stack: Stack) -> Setting | None:
    """The bf16 or fp16 flag that decides TrainingArguments' precision, as "bf16" or "fp16"; None with neither."""
    training = run.training
    fp16, bf16 = training.get("fp16"), training.get("bf16")
    if fp16 is not None and fp16.value:
        return fp16._replace(value="fp16")
    if bf16 is not None and bf16.value:
        return bf16._replace(value="bf16")
    # TRL turns an unset bf16 on: self.bf16 = not self.fp16 if self.bf16 is None else self.bf16
    unset = bf16 is None or bf16.value is None
    if training.trainer == "trl" and unset and stack.does(Trl.BF16_BY_DEFAULT):
        return Setting("bf16", Origin(default=stack.name("trl")))
    return None


def _training_arguments(run: Run, stack: Stack, environment: Environment) -> AcceleratorArguments:
    training = run.training
    fp16, bf16 = training.get("fp16"), training.get("bf16")
    if fp16 is not None and bf16 is not None and fp16.value and bf16.value:
        raise PredictedError(
            "fp16-and-bf16",
            "arguments",
            "ValueError",
            "At most one of fp16 and bf16 can be True, but not both",
            (fp16, bf16),
        )
    deepspeed = training.setting_for("deepspeed")
    if deepspeed is not None and deepspeed.value and stack.has("deepspeed") is False:
        # integrations/deepspeed.py HfDeepSpeedConfig.__init__: dep_version_check("deepspeed"), 4.57.1 and 5.23.0
        text = "The 'deepspeed>=0.9.3' distribution was not found and is required by this application."
        raise PredictedError("trainer-without-deepspeed", "arguments", "PackageNotFoundError", text, (deepspeed,))
    flag = precision_flag(run, stack)
    before = environment.get("ACCELERATE_MIXED_PRECISION")
    if stack.does(Transformers.ARGUMENTS_REWRITE_ENVIRONMENT):
        decided = flag if flag is not None else before
        decided = decided or Setting("no", Origin(default=stack.name("transformers")))
        if decided is not before:
            environment["ACCELERATE_MIXED_PRECISION"] = decided.over(before)
        return AcceleratorArguments()
    decided = flag.over(before) if flag is not None else before
    return AcceleratorArguments(decided or Setting("no", Origin(default=stack.name("transformers"))))


def _check_llamafactory(run: Run, stack: Stack) -> None:
    training = run.training
    fp8 = training.get("fp8")
    unknown = [name for name in training.top if _is_unknown(name, stack) and not training.uses_megatron]
    if unknown and (run.facts.variables or {}).get("ALLOW_EXTRA_ARGS", "0").lower() not in ("true", "y", "1"):
        text = f"Some keys are not used by the HfArgumentParser: {sorted(unknown)}"
        raise PredictedError(
            "unknown-training-key", "arguments", "ValueError", text, tuple(training.get(name) for name in unknown)
        )
    bits = training.get("quantization_bit")
    if fp8 is not None and fp8.value and bits is not None and bits.value is not None:
        text = "FP8 training is not compatible with quantization. Please disable one of them."
        raise PredictedError("fp8-with-quantization", "arguments", "ValueError", text, (fp8, bits))


def _is_unknown(name: str, stack: Stack) -> bool:
    """Whether a key has to do with FP8, and this LLaMA-Factory does not know it (its parser refuses unknown keys)."""
    if name in TRAINING["llamafactory"]:
        return not stack.does(LlamaFactory.KNOWS_FP8)
    return name in OF_ACCELERATE


def _check_peft(run: Run, stack: Stack) -> None:
    """PEFT before 0.19 imports a class that torchao 0.18 no longer has, as soon as it wraps a layer.

    LLaMA-Factory 0.9.5 pins peft to 0.18. (Executed with peft 0.18.1 and torchao 0.18.0; the class is in torchao's
    quantization/__init__.py to 0.17.0, the import in peft's tuners/lora/torchao.py to 0.18.1.)
    """
    training = run.training
    written = training.get("finetuning_type") if training.trainer == "llamafactory" else training.get("use_peft")
    if written is None or not training.uses_lora or not stack.sees_torchao():
        return
    known = stack.has("peft")
    old = not at_least(stack.version("peft"), 0, 19) if known else training.trainer == "llamafactory"
    if old and at_least(stack.version("torchao"), 0, 18):
        text = "cannot import name 'LinearActivationQuantizedTensor' from 'torchao.quantization'"
        raise PredictedError("peft-imports-removed-class", "trainer", "ImportError", text, (written,))


def llamafactory_fp8(run: Run, stack: Stack) -> Setting | None:
    """The setting that makes LLaMA-Factory's trainer configure FP8; None where it does not."""
    training = run.training
    if training.trainer != "llamafactory" or training.value("stage", "sft") not in ("pt", "sft"):
        return None
    if not stack.does(LlamaFactory.CONFIGURES_FP8):
        return None
    fp8 = training.get("fp8")
    return fp8 if fp8 is not None and fp8.value else None


def _llamafactory(
    run: Run, stack: Stack, environment: Environment, accelerator_arguments: AcceleratorArguments
) -> None:
    """train/fp8_utils.py, which runs after TrainingArguments and before Trainer.__init__."""
    fp8 = llamafactory_fp8(run, stack)
    if fp8 is None:
        return
    code = f"{stack.name('llamafactory')} fp8_utils"
    requested = Setting("fp8", Origin(span=fp8.origin.span, key_span=fp8.origin.key_span, code=code))
    environment["ACCELERATE_MIXED_PRECISION"] = requested.over(environment.get("ACCELERATE_MIXED_PRECISION"))
    backend = run.training.get("fp8_backend")
    if backend is None or backend.value != "te":
        return
    if stack.has("transformer_engine") is False:
        raise PredictedError(
            "stub-without-te", "trainer", "ModuleNotFoundError", "No module named 'transformer_engine'", (backend,)
        )
    accelerator_arguments.te_stubbed = True
    if stack.does(Transformers.TRAINER_PASSES_HANDLERS):
        return  # kwargs_handlers is not empty: the patch steps aside
    old = stack.does(Accelerate.ONE_RECIPE_CLASS)
    accelerator_arguments.handler = "FP8RecipeKwargs" if old else "TERecipeKwargs"
    accelerator_arguments.handler_arguments = dict(LLAMAFACTORY_RECIPE, **({"backend": "TE"} if old else {}))
    accelerator_arguments.mixed_precision = requested.over(accelerator_arguments.mixed_precision)


def _axolotl(run: Run, environment: Environment, accelerator_arguments: AcceleratorArguments) -> None:
    """utils/trainer.py sets the variable over bf16; the patched Trainer passes an explicit torchao handler."""
    fp8 = run.training.get("fp8")
    _check_axolotl(run, fp8)
    if fp8 is None or not fp8.value:
        return
    requested = Setting("fp8", Origin(span=fp8.origin.span, key_span=fp8.origin.key_span, code="axolotl"))
    environment["ACCELERATE_MIXED_PRECISION"] = requested.over(environment.get("ACCELERATE_MIXED_PRECISION"))
    accelerator_arguments.mixed_precision = requested.over(accelerator_arguments.mixed_precision)
    accelerator_arguments.handler = "AORecipeKwargs"
    recipe = run.training.top.section("fp8_config").value("recipe", "tensorwise")
    gather = bool(run.training.value("fp8_enable_fsdp_float8_all_gather", False))
    accelerator_arguments.handler_arguments = {
        "config": {"recipe": recipe, "pad_inner_dim": False, "enable_fsdp_float8_all_gather": gather}
    }


def _check_axolotl(run: Run, fp8: Setting | None) -> None:
    """utils/schemas/validation.py check_fp8_config, axolotl 0.19.0."""
    training = run.training
    config = training.get("fp8_config")
    recipe = training.top.section("fp8_config").get("recipe")
    gather = training.get("fp8_enable_fsdp_float8_all_gather")
    version = training.get("fsdp_version")
    because = (config, fp8, gather, version)
    if config is not None and config.value is not None and (fp8 is None or not fp8.value):
        text = "`fp8_config` requires `fp8: true`; set `fp8: true` or remove `fp8_config`."
        raise PredictedError("fp8-config-without-fp8", "arguments", "ValueError", text, because)
    if gather is None or not gather.value:
        return
    if recipe is not None and recipe.value != "tensorwise":
        text = "`fp8_enable_fsdp_float8_all_gather` only supports the tensorwise `fp8_config.recipe`"
        raise PredictedError("all-gather-not-tensorwise", "arguments", "ValueError", text, because)
    if version is None or version.value != 2:
        text = "fp8_enable_fsdp_float8_all_gather requires FSDP2 (fsdp_version: 2) to be used."
        raise PredictedError("all-gather-without-fsdp2", "arguments", "ValueError", text, because)
