"""Packages that the model or the trainer is told to use, and that are not there: kernels, optimizers, DeepSpeed.

Executed without them on transformers 4.57.1 and 5.23.0, TRL 0.24.0 and 1.16.0, axolotl 0.19.0, and LLaMA-Factory 0.9.3
to 0.9.5, which goes on without flash-attn and says so.
"""

from __future__ import annotations

from fp8check.rules.releases import behaviors
from fp8check.rules.releases.errors import PredictedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run

# modeling_utils.py of 5.23.0 and before, with masking and paged variants of them; others have a / or a | in their name.
_ATTENTION = frozenset(
    [
        *("eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3", "flash_attention_4"),
        *("eager_paged", "sdpa_paged", "paged_attention", "auto"),
    ]
)
# training_args.py OptimizerNames; adamw_torch_8bit is one of torchao, galore_adamw_8bit one of GaLore.
_OF_BITSANDBYTES = frozenset(
    [
        *("adamw_bnb_8bit", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit", "ademamix", "ademamix_8bit"),
        *("paged_ademamix_32bit", "paged_ademamix_8bit", "lion_8bit", "lion_32bit", "paged_lion_32bit"),
        *("paged_lion_8bit", "rmsprop_bnb", "rmsprop_bnb_8bit", "rmsprop_bnb_32bit"),
    ]
)
_FLASH = {
    "flash_attention_2": ("flash_attn", "FlashAttention2"),
    "flash_attention_3": ("flash_attn_3", "FlashAttention3"),
}
# LLaMA-Factory's flash_attn: extras/constants.py AttentionFunction, model/model_utils/attention.py of 0.9.3 to 0.9.5.
_OF_FACTORY = ("auto", "disabled", "sdpa", "fa2")


def check_loading(run: Run, stack: Stack) -> None:
    """What loading the model ends at.

    Raises:
        PredictedError: it ends.
    """
    training = run.training
    if training.name == "llamafactory":
        _check_factory(run, stack)
    elif training.name == "axolotl":
        _check_axolotl(run, stack)
    _check_attention(run, stack, "trainer")


def check_own_loading(run: Run, stack: Stack) -> None:
    """What loading the model in a script ends at that has made its Accelerator before.

    Raises:
        PredictedError: it ends.
    """
    _check_attention(run, stack, "accelerator")


def check_trainer(run: Run, stack: Stack) -> None:
    """What Trainer asks for once it has its Accelerator: Liger's kernels, and something to evaluate.

    It puts the kernels in when it is made in 4.x, and when it trains in 5.x.

    Raises:
        PredictedError: they are not there, or nothing is given that it could evaluate.
        Undecided: it may be given nothing.
    """
    training = run.training
    if run.script.constructs and training.is_huggingface:
        from fp8check.rules.trainers import evaluation  # most runs have no script

        evaluation.check(run, stack)
    liger = training.switched_on("use_liger_kernel")
    if liger is None or not training.is_huggingface or training.name == "axolotl":
        return
    if not liger.is_later and stack.has("liger_kernel") is False:
        text = "You have set `use_liger_kernel` to `True` but liger-kernel >= 0.3.0 is not available."
        raise PredictedError("package-missing", "trainer", "ImportError", text, (liger,))


def check_batches(run: Run) -> None:
    """What makes the batches when train() begins.

    Raises:
        PredictedError: a micro-batch is no positive number of sequences.
    """
    training = run.training
    batch = training.setting_for("micro_batch") if training.name != "axolotl" else None
    size = batch.value if batch is not None and not batch.is_later else None
    if type(size) is int and size <= 0:
        text = f"batch_size should be a positive integer value, but got batch_size={size}"
        raise PredictedError("batch-size-not-positive", "step", "ValueError", text, (batch,))


def check_optimizer(run: Run, stack: Stack) -> None:
    """The optimizer, which is made before prepare(), of DeepSpeed once its configuration was compared.

    Raises:
        PredictedError: the package of an 8-bit one is not there.
    """
    optimizer = run.training.get("optim")
    name = optimizer.value if optimizer is not None and not optimizer.is_later else None
    if isinstance(name, str) and name in _OF_BITSANDBYTES and stack.has("bitsandbytes") is False:
        text = "You need to install `bitsandbytes` in order to use bitsandbytes optimizers"
        type_ = "ImportError" if stack.does(behaviors.Transformers.WANTS_BITSANDBYTES) else "ValueError"
        raise PredictedError("package-missing", "step", type_, text, (optimizer,))


def check_deepspeed(run: Run, stack: Stack, kind: DistributedType) -> None:
    """In a distributed process Accelerate's state asks for DeepSpeed before transformers looks for its version.

    transformers training_args.py _setup_devices: PartialState(use_deepspeed=True); executed behind torchrun.

    Raises:
        PredictedError: it is not there.
    """
    named = run.training.deepspeed
    if named is None or kind == "NO" or not run.training.is_huggingface or stack.has("deepspeed") is not False:
        return
    text = "DeepSpeed is not available => install it using `pip3 install deepspeed` or build it from source"
    raise PredictedError("trainer-without-deepspeed", "arguments", "ImportError", text, (named,))


def _check_attention(run: Run, stack: Stack, stage: Stage) -> None:
    written = run.training.get("attn_implementation")
    name = written.value if written is not None and not written.is_later else None
    if not isinstance(name, str):
        return
    if name in _FLASH:
        _flash_attention(written, stack, stage, name)
    elif "/" in name and stack.has("kernels") is False:
        text = "`kernels` is either not installed or uses an incompatible version."
        raise PredictedError("package-missing", stage, "ImportError", text, (written,))
    elif (
        name not in _ATTENTION
        and run.training.name != "axolotl"
        and "/" not in name
        and "|" not in name
        and run.script.source is None
    ):
        run.training.rest_on()
        text = f'Specified `attn_implementation="{name}"` is not supported.'
        raise PredictedError("unknown-attention", stage, "ValueError", text, (written,))


def _flash_attention(written: Setting | None, stack: Stack, stage: Stage, name: str) -> None:
    package, title = _FLASH[name]
    if stack.has(package) is False:
        text = (
            f"{title} has been toggled on, but it cannot be used due to the following error: "
            f"the package for {title} doesn't seem to be installed."
        )
        raise PredictedError("package-missing", stage, "ImportError", text, (written,))


def _check_factory(run: Run, stack: Stack) -> None:
    training = run.training
    for key, package in (("enable_liger_kernel", "liger-kernel"), ("use_unsloth", "unsloth")):
        asked = training.switched_on(key)
        if asked is not None and not asked.is_later and stack.has(package.replace("-", "_")) is False:
            text = f"The '{package}' distribution was not found and is required by this application."
            raise PredictedError("package-missing", "trainer", "PackageNotFoundError", text, (asked,))
    attention = training.get("flash_attn")
    if attention is None or attention.is_later or attention.value is None or attention.value in _OF_FACTORY:
        return
    if run.model is not None and "gpt" not in str(run.model.name).lower():
        text = f"Unknown attention type: {attention.value}"
        raise PredictedError("unknown-attention", "trainer", "NotImplementedError", text, (attention,))


def _check_axolotl(run: Run, stack: Stack) -> None:
    training = run.training
    flash = training.switched_on("flash_attention")
    if flash is not None and not flash.is_later and training.get("attn_implementation") is None:
        _flash_attention(flash, stack, "arguments", "flash_attention_2")
    for key, package, type_ in (
        ("xformers_attention", "xformers", "ModuleNotFoundError"),
        ("sage_attention", "sageattention", "ImportError"),
    ):
        asked = training.switched_on(key)
        if asked is not None and not asked.is_later and stack.has(package) is False:
            raise PredictedError("package-missing", "arguments", type_, f"{package} is not installed", (asked,))
    plugins = training.get("plugins")
    named = plugins.value if plugins is not None and isinstance(plugins.value, list) else []
    if any("integrations.liger" in str(one) for one in named) and stack.has("liger_kernel") is False:
        text = "No module named 'liger_kernel'"
        raise PredictedError("package-missing", "arguments", "ModuleNotFoundError", text, (plugins,))
