"""Packages that the model or the trainer is told to use, and that are not there: kernels, optimizers, DeepSpeed.

Executed without them on transformers 4.57.1 and 5.23.0, TRL 0.24.0 and 1.16.0, axolotl 0.19.0, and LLaMA-Factory 0.9.3
to 0.9.5, which goes on without flash-attn and says so.
"""

from __future__ import annotations

from fp8check.rules.releases import behaviors
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.values import Origin, Setting
from fp8check.rules.trainers.data import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.values import Section
    from fp8check.rules.trainers.refused_values import When
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training

# modeling_utils.py of 5.23.0 and before, with masking and paged variants of them; others have a / or a | in their name.
_ATTENTION = frozenset(
    [
        *("eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3", "flash_attention_4"),
        *("eager_paged", "sdpa_paged", "paged_attention", "auto"),
    ]
)
# The package of an optimizer (training_args.py OptimizerNames), and the exception without it: trainer.py and
# trainer_optimizer.py, get_optimizer_cls_and_kwargs() of 4.57.1 and 5.23.0.
_BITSANDBYTES = (
    "bitsandbytes",
    "ImportError",
    "You need to install `bitsandbytes` in order to use bitsandbytes optimizers",
)
_OF_OPTIMIZER = {
    **dict.fromkeys(
        (
            *("adamw_bnb_8bit", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit", "ademamix", "ademamix_8bit"),
            *("paged_ademamix_32bit", "paged_ademamix_8bit", "lion_8bit", "lion_32bit", "paged_lion_32bit"),
            *("paged_lion_8bit", "rmsprop_bnb", "rmsprop_bnb_8bit", "rmsprop_bnb_32bit"),
        ),
        _BITSANDBYTES,
    ),
    **dict.fromkeys(
        (
            *("galore_adamw", "galore_adamw_8bit", "galore_adafactor", "galore_adamw_layerwise"),
            *("galore_adamw_8bit_layerwise", "galore_adafactor_layerwise"),
        ),
        ("galore_torch", "ImportError", "You need to install `galore_torch` in order to use GaLore optimizers"),
    ),
    **dict.fromkeys(
        ("apollo_adamw", "apollo_adamw_layerwise"),
        ("apollo_torch", "ImportError", "You need to install `apollo_torch` in order to use APOLLO optimizers"),
    ),
    **dict.fromkeys(
        ("lomo", "adalomo"),
        ("lomo_optim", "ImportError", "You need to install `lomo_optim` in order to use LOMO optimizers"),
    ),
    **dict.fromkeys(
        ("schedule_free_radam", "schedule_free_adamw", "schedule_free_sgd"),
        ("schedulefree", "ImportError", "You need to install `schedulefree` in order to use schedulefree optimizers."),
    ),
    **dict.fromkeys(
        ("adamw_torch_4bit", "adamw_torch_8bit"),
        ("torchao", "ImportError", "You need to have `torchao>=0.4.0` in order to use torch 4-bit optimizers."),
    ),
    "stable_adamw": (
        *("torch_optimi", "ImportError"),
        "You need to install `torch-optimi` in order to use stable_adamw optimizers.",
    ),
    "grokadamw": ("grokadamw", "ValueError", "Please install grokadamw with `pip install grokadamw`"),
    "adamw_anyprecision": ("torchdistx", "ValueError", "Please install https://github.com/pytorch/torchdistx"),
    "adamw_apex_fused": (
        *("apex", "ValueError"),
        "Trainer tried to instantiate apex FusedAdam but apex is not installed!",
    ),
}
_FLASH = {
    "flash_attention_2": ("flash_attn", "FlashAttention2"),
    "flash_attention_3": ("flash_attn_3", "FlashAttention3"),
}
# LLaMA-Factory's flash_attn: extras/constants.py AttentionFunction, model/model_utils/attention.py of 0.9.3 to 0.9.5.
_OF_FACTORY = ("auto", "disabled", "sdpa", "fa2")
# model/model_utils/quantization.py of 0.9.3 to 0.9.5, by the bits.
_OLDEST_BITSANDBYTES = {8: "0.37.0", 4: "0.39.0"}
# hparams/parser.py _check_extra_dependencies() of 0.9.3 to 0.9.5, in its order.
_OF_SWITCH = {
    "use_unsloth": "unsloth",
    "enable_liger_kernel": "liger-kernel",
    "use_galore": "galore_torch",
    "use_apollo": "apollo_torch",
    "use_badam": "badam",
    "use_adam_mini": "adam-mini",
}


def check_loading(run: Run, stack: Stack) -> None:
    """What loading the model ends at.

    Raises:
        PredictedError: it ends.
    """
    training = run.training
    if training.loads_by_its_command(run.launch):
        _check_bits(training, stack)
    if training.name == "llamafactory":
        _check_factory(run, stack)
    elif training.name == "axolotl":
        _check_axolotl(run, stack)
    _check_attention(run, stack, "trainer")
    if training.adapters is not None:
        from fp8check.rules.trainers import adapters  # most runs train none

        adapters.check(run, stack)


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


def check_values(run: Run, stack: Stack, when: When) -> None:
    """Values of TrainingArguments that are refused then: see refused_values.py.

    Raises:
        PredictedError: one of them is.
    """
    training = run.training
    if training.is_huggingface and training.name != "axolotl" and not _are_usual(training.top):
        from fp8check.rules.trainers import refused_values  # few runs have a value that may be one

        refused_values.check(run, stack, when)


# What is looked at by refused_values.py, and what most files have: there a positive number is nothing to look at.
_LOOKED_AT = names(
    """
    accelerator_config adam_beta1 adam_beta2 adam_epsilon dataloader_drop_last dataloader_multiprocessing_context
    dataloader_persistent_workers dataloader_prefetch_factor ddp_timeout debug eval_on_start fp16_full_eval
    gradient_checkpointing_kwargs half_precision_backend label_smoothing_factor load_best_model_at_end log_level
    log_level_replica lr_scheduler_kwargs torch_empty_cache_steps
    """
)
_NUMBERS = (
    *("learning_rate", "logging_steps", "save_steps", "eval_steps", "num_train_epochs", "max_steps", "seed"),
    *("gradient_accumulation_steps", "per_device_train_batch_size", "max_grad_norm", "warmup_ratio", "warmup_steps"),
    *("dataloader_num_workers", "weight_decay"),
)
# Of each, what may be refused of it, or asks for something else.
_WORDS = {
    "lr_scheduler_type": (
        *("cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay", "polynomial"),
        *("reduce_lr_on_plateau", "greedy"),
    ),
    "save_strategy": ("best",),
}


def _are_usual(top: Section) -> bool:
    """Whether nothing of a file has to be looked at more closely."""
    if not _LOOKED_AT.isdisjoint(top):
        return False
    settings = [(name, top.get(name)) for name in (*_NUMBERS, *_WORDS, "report_to")]
    return all(_is_usual(name, setting) for name, setting in settings if setting is not None and not setting.is_later)


def _is_usual(name: str, setting: Setting) -> bool:
    if name == "report_to":
        return setting.value in ("none", "all")
    if name in _WORDS:
        return setting.value not in _WORDS[name]
    value = setting.value
    if type(value) is float:
        return value >= 0 and (value < 1 or value.is_integer()) and name in ("learning_rate", *_SHARES)
    return type(value) is int and _LEAST.get(name, 0) <= value < _LARGE


_LEAST = {"logging_steps": 1, "max_steps": -1}
_LARGE = 2**31  # no number of these is meant to be so large; a seed may not be twice that
_SHARES = ("num_train_epochs", "max_grad_norm", "warmup_ratio", "weight_decay")


def check_batches(run: Run) -> None:
    """What makes the batches when train() begins.

    Raises:
        PredictedError: a micro-batch is no positive number of sequences, or a step has no micro-batch.
    """
    training = run.training
    batch = training.setting_for("micro_batch") if training.name != "axolotl" else None
    size = batch.value if batch is not None and not batch.is_later else None
    if type(size) is int and size <= 0:
        text = f"batch_size should be a positive integer value, but got batch_size={size}"
        raise PredictedError("batch-size-not-positive", "step", "ValueError", text, (batch,))
    steps = training.get("gradient_accumulation_steps") if training.name != "axolotl" else None
    if steps is not None and not steps.is_later and type(steps.value) is int and steps.value == 0:
        text = "integer division or modulo by zero"
        raise PredictedError("accumulates-nothing", "step", "ZeroDivisionError", text, (steps,))


def check_columns(run: Run) -> None:
    """Trainer keeps the columns that forward() names, and that of a compiled model names none.

    trainer.py _set_signature_columns_if_needed, executed with 4.57.1 and 5.23.0.

    Raises:
        PredictedError: nothing of a batch is left.
    """
    compiled = run.script.compiled
    kept, named = run.training.get("remove_unused_columns"), run.training.get("label_names")
    if compiled is None or named is not None or (kept is not None and (kept.is_later or not kept.value)):
        return
    text = "The batch received was empty, your model won't be able to train on it."
    place = Setting("torch.compile", Origin(span=compiled.span))
    raise PredictedError("batch-without-columns", "step", "ValueError", text, (place,))


def check_optimizer(run: Run, stack: Stack) -> None:
    """The optimizer, which is made before prepare(), of DeepSpeed once its configuration was compared.

    Raises:
        PredictedError: its package is not there.
    """
    optimizer = run.training.get("optim")
    name = optimizer.value if optimizer is not None and not optimizer.is_later else None
    if not isinstance(name, str) or name not in _OF_OPTIMIZER:
        return
    package, type_, text = _OF_OPTIMIZER[name]
    if stack.has(package) is False:
        if package == "bitsandbytes" and not stack.does(behaviors.Transformers.WANTS_BITSANDBYTES):
            type_ = "ValueError"
        raise PredictedError("package-missing", "step", type_, text, (optimizer,))


def check_states(run: Run, kind: DistributedType, *, together: bool) -> None:
    """An optimizer that keeps a state of each weight from the moment on that it is made, and is handed others.

    Accelerate puts the weights of Transformer Engine's layers into the optimizer in the place of those that it was made
    with (accelerator.py _prepare_te), and torch.optim.Adagrad looks for the state of each (optim/adagrad.py __init__).
    Executed with accelerate 1.10.1 and 1.15.0, torch 2.13.0; rmsprop, sgd, adafactor and AdamW make theirs in the first
    step.

    Args:
        together: whether the optimizer is prepared with the model.

    Raises:
        PredictedError: it finds none.
    """
    training = run.training
    optimizer = training.get("optim") if training.is_huggingface and training.name != "axolotl" else None
    if optimizer is None or optimizer.is_later or optimizer.value != "adagrad":
        return
    if together and kind in ("NO", "MULTI_GPU"):
        text = "a weight of Transformer Engine, of which torch.optim.Adagrad has no state"
        raise PredictedError("optimizer-without-state", "step", "KeyError", text, (optimizer,))


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


def check_process_group(run: Run, kind: DistributedType) -> None:
    """The backend that the training arguments name, where no launcher says that the process is one of several.

    Accelerate's state keeps what it is given, whatever the word, and asks torch.distributed how many processes there
    are: state.py PartialState, `if self.backend is None`; training_args.py _setup_devices hands on what is not None,
    unless DeepSpeed is asked for. The same code is in accelerate 0.34.2 to 1.15.0 and transformers 4.45.2 to 5.24.0;
    executed with 1.10.1 and 4.57.1, with 1.15.0 and 5.23.0, and on an H200.

    Raises:
        PredictedError: nobody has made the process group.
    """
    training = run.training
    named = training.get("ddp_backend") if kind == "NO" and training.name != "axolotl" else None
    if named is None or named.is_later or not isinstance(named.value, str) or training.deepspeed is not None:
        return
    text = "Default process group has not been initialized, please make sure to call init_process_group."
    raise PredictedError("backend-without-group", training.parsed_at(run.launch), "ValueError", text, (named,))


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


def _check_bits(training: Training, stack: Stack) -> None:
    """TRL's own scripts make a BitsAndBytesConfig, which asks for the release in 4.x where it has four bits.

    trl/trainer/utils.py get_quantization_config; transformers utils/quantization_config.py and quantizers/. Executed
    without the package with 4.57.1 and 5.23.0.
    """
    for name, bits in (("load_in_4bit", 4), ("load_in_8bit", 8)):
        asked = training.switched_on(name)
        if asked is None or asked.is_later or stack.has("bitsandbytes") is not False:
            continue
        if bits == 4 and not stack.does(behaviors.Transformers.WANTS_BITSANDBYTES):
            type_, text = "PackageNotFoundError", "No package metadata was found for bitsandbytes"
        else:
            type_, text = "ImportError", f"Using `bitsandbytes` {bits}-bit quantization requires bitsandbytes"
        raise PredictedError("package-missing", "trainer", type_, text, (asked,))


def _check_factory(run: Run, stack: Stack) -> None:
    training = run.training
    for key, package in _OF_SWITCH.items():
        asked = training.switched_on(key)
        if asked is not None and not asked.is_later and stack.has(package.replace("-", "_")) is False:
            text = f"The '{package}' distribution was not found and is required by this application."
            raise PredictedError("package-missing", "trainer", "PackageNotFoundError", text, (asked,))
    bits, by = training.get("quantization_bit"), training.get("quantization_method")
    is_usual = by is None or (not by.is_later and by.value in (None, "bnb"))
    number = bits.value if bits is not None and not bits.is_later else None
    oldest = _OLDEST_BITSANDBYTES.get(number) if type(number) is int else None
    quantized = run.model is not None and run.model.quantization is not None
    if oldest and is_usual and not quantized and stack.has("bitsandbytes") is False:
        text = f"The 'bitsandbytes>={oldest}' distribution was not found and is required by this application."
        raise PredictedError("package-missing", "trainer", "PackageNotFoundError", text, (bits,))
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
