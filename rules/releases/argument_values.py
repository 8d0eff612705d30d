"""What TrainingArguments take for some of their arguments: one of a few words, a number, yes or no."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.values import is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Choice(Record):
    """What an argument may be.

    Attributes:
        kind: the class that says so, by which the error calls it.
        values: the words, in the order of the class.
    """

    kind: str
    values: tuple[str, ...]


_OPTIMIZERS = """
    adamw_hf adamw_torch adamw_torch_fused adamw_torch_xla adamw_torch_npu_fused adamw_apex_fused adafactor
    adamw_anyprecision adamw_torch_4bit ademamix sgd adagrad adamw_bnb_8bit adamw_8bit ademamix_8bit lion_8bit
    lion_32bit paged_adamw_32bit paged_adamw_8bit paged_ademamix_32bit paged_ademamix_8bit paged_lion_32bit
    paged_lion_8bit rmsprop rmsprop_bnb rmsprop_bnb_8bit rmsprop_bnb_32bit galore_adamw galore_adamw_8bit
    galore_adafactor galore_adamw_layerwise galore_adamw_8bit_layerwise galore_adafactor_layerwise lomo adalomo
    grokadamw schedule_free_adamw schedule_free_sgd adamw_torch_8bit schedule_free_radam apollo_adamw
    apollo_adamw_layerwise stable_adamw
"""
_SCHEDULERS = """
    linear cosine cosine_with_restarts polynomial constant constant_with_warmup inverse_sqrt
    reduce_lr_on_plateau cosine_with_min_lr cosine_warmup_with_min_lr warmup_stable_decay greedy
"""
# In any release from 4.45.2 to 5.24.0 (training_args.py, trainer_utils.py).
CHOICES: Mapping[str, Choice] = {
    "eval_strategy": Choice("IntervalStrategy", ("no", "steps", "epoch")),
    "logging_strategy": Choice("IntervalStrategy", ("no", "steps", "epoch")),
    "save_strategy": Choice("SaveStrategy", ("no", "steps", "epoch", "best")),
    "hub_strategy": Choice("HubStrategy", ("end", "every_save", "checkpoint", "all_checkpoints")),
    "lr_scheduler_type": Choice("SchedulerType", tuple(_SCHEDULERS.split())),
    "optim": Choice("OptimizerNames", tuple(_OPTIMIZERS.split())),
}
LOG_LEVELS = ("detail", "debug", "info", "warning", "error", "critical", "passive")  # training_args.py
_WHOLE = frozenset(
    (
        *("max_steps", "per_device_train_batch_size", "per_device_eval_batch_size"),
        *("gradient_accumulation_steps", "dataloader_num_workers", "save_total_limit"),
    )
)
_REAL = frozenset(("learning_rate", "weight_decay", "num_train_epochs", "max_grad_norm"))
_SWITCHES = frozenset(("bf16", "fp16", "tf32", "gradient_checkpointing", "torch_compile", "packing"))
_YES_OR_NO = frozenset(("yes", "true", "t", "y", "1", "no", "false", "f", "n", "0"))  # hf_argparser.py string_to_bool


# Switches whose default is None: argparse wants a word behind them (hf_argparser.py), where their fields do not say
# otherwise, as that of gradient_checkpointing does.
_WANT_A_WORD = frozenset(
    (
        *("tf32", "greater_is_better", "ddp_find_unused_parameters", "ddp_broadcast_buffers", "disable_tqdm"),
        *("ddp_static_graph", "eval_packing", "completion_only_loss"),
    )
)


def refused_word(name: str, flag: str) -> str:
    """What argparse says of a flag with a value that it does not take, or without one; "" where it takes it."""
    word, equals, value = flag.partition("=")
    words = [word, value] if equals and " " not in word else flag.split()
    option = f"--{name}/--{name.replace('_', '-')}" if "_" in name else f"--{name}"
    if len(words) != 2:
        alone = len(words) == 1 and name in _WANT_A_WORD
        return f"argument {option}: expected one argument" if alone else ""
    value = words[1]
    if name in CHOICES:
        return "" if value in CHOICES[name].values else f"argument {option}: invalid choice: {value!r}"
    if name in ("log_level", "log_level_replica"):
        return "" if value in LOG_LEVELS else f"argument {option}: invalid choice: {value!r}"
    if name in _SWITCHES:
        is_one = value.lower() in _YES_OR_NO
        return "" if is_one else f"argument {option}: Truthy value expected: got {value}"
    if name not in _WHOLE and name not in _REAL:
        return ""
    kind = "int" if name in _WHOLE else "float"
    return "" if is_number(value, kind) else f"argument {option}: invalid {kind} value: {value!r}"
