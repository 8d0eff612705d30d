"""What LLaMA-Factory refuses of its own arguments: those that do not go together.

hparams/finetuning_args.py, data_args.py and parser.py of 0.9.3, 0.9.4 and 0.9.5, in their order. What the distribution
decides as well is not here.
"""

from __future__ import annotations

from fp8check.rules.releases import behaviors
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.versions import at_least

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.training import Training

# Each is a way to train all weights.
_OPTIMIZERS = ("use_galore", "use_apollo", "use_badam")
_OF_LORA = ("use_rslora", "use_dora", "pissa_init")
_WITHOUT_REFERENCE = ("orpo", "simpo")

_Refused = tuple[str, tuple["Setting | None", ...]]


def check_classes(training: Training) -> None:
    """What its classes refuse, each of what it is given: before a key that none of them has ends the run.

    Raises:
        PredictedError: one of them refuses.
    """
    _refuse(training, (*_of_data(training), *_of_tuning(training)))


def check_arguments(training: Training, stack: Stack) -> None:
    """What its parser refuses of them together.

    Raises:
        PredictedError: it refuses.
    """
    _refuse(training, _of_parser(training, stack))


def check_model(training: Training) -> None:
    """What it refuses of the model at last.

    Raises:
        PredictedError: it refuses.
    """
    _refuse(training, _of_model(training))


def _refuse(training: Training, refused: Iterable[_Refused]) -> None:
    chosen = (training.get(name) for name in ("stage", "finetuning_type"))
    if any(setting is not None and setting.is_later for setting in chosen):
        return
    for text, because in refused:
        told = tuple(setting for setting in because if setting is not None)
        training.rest_on(*told)
        raise PredictedError("settings-not-together", "arguments", "ValueError", text, told)


def _value(training: Training, name: str, default: object = None) -> object:
    """The value of a key; the default where there is none, or it is filled in later: nothing is said of it then."""
    setting = training.get(name)
    return default if setting is None or setting.is_later else setting.value


def _on(training: Training, name: str) -> Setting | None:
    """The setting of a key that is known to be on."""
    setting = training.get(name)
    return None if setting is None or setting.is_later else training.switched_on(name)


def _given(training: Training, name: str) -> Setting | None:
    """The setting of a key that has another value than null."""
    return training.get(name) if _value(training, name) is not None else None


def _lacks(training: Training, name: str) -> bool:
    """Whether a key is known to be off, or to say nothing."""
    setting = training.get(name)
    return setting is None or (not setting.is_later and not setting.value)


def _of_data(training: Training) -> Iterator[_Refused]:
    share = _number(training, "val_size")
    if share and (evaluated := _given(training, "eval_dataset")):
        yield "Cannot specify `val_size` if `eval_dataset` is not None.", (training.get("val_size"), evaluated)
    streaming = _on(training, "streaming")
    if streaming and 0 < share < 1:
        yield "Streaming mode should have an integer val size.", (streaming, training.get("val_size"))
    if streaming and (most := _given(training, "max_samples")):
        yield "`max_samples` is incompatible with `streaming`.", (streaming, most)
    yield from _both(
        training, "mask_history", "train_on_prompt", "`mask_history` is incompatible with `train_on_prompt`."
    )


def _of_tuning(training: Training) -> Iterator[_Refused]:
    stage, how = _value(training, "stage", "sft"), _value(training, "finetuning_type", "lora")
    chosen = training.get("finetuning_type")
    if (
        stage == "dpo"
        and _value(training, "pref_loss", "sigmoid") != "sigmoid"
        and _number(training, "dpo_label_smoothing")
    ):
        because = (training.get("dpo_label_smoothing"), training.get("pref_loss"))
        yield "`dpo_label_smoothing` is only valid for sigmoid loss function.", because
    if how == "full" and (pro := _on(training, "use_llama_pro")):
        yield "`use_llama_pro` is only valid for Freeze or LoRA training.", (pro, chosen)
    own = [setting for name in _OPTIMIZERS if (setting := _on(training, name)) is not None]
    if own and how == "lora":
        yield "Cannot use LoRA with GaLore, APOLLO or BAdam together.", tuple(own)
    if len(own) > 1:
        yield "Cannot use GaLore, APOLLO or BAdam together.", tuple(own)
    refers = stage == "dpo" and _value(training, "pref_loss", "sigmoid") not in _WITHOUT_REFERENCE
    if (stage in ("ppo", "kto") or refers) and (pissa := _on(training, "pissa_init")):
        yield "Cannot use PiSSA for current training stage.", (pissa, training.get("stage"))
    if how == "lora":
        return
    if ratio := _given(training, "loraplus_lr_ratio"):
        yield "`loraplus_lr_ratio` is only valid for LoRA training.", (ratio, chosen)
    for name in _OF_LORA:
        if asked := _on(training, name):
            yield f"`{name}` is only valid for LoRA training.", (asked, chosen)


def _of_parser(training: Training, stack: Stack) -> Iterator[_Refused]:
    stage = _value(training, "stage", "sft")
    if stage != "sft":
        for names, text in (
            (("predict_with_generate",), "`predict_with_generate` cannot be set as True except SFT."),
            (("neat_packing",), "`neat_packing` cannot be set as True except SFT."),
            (
                ("train_on_prompt", "mask_history"),
                "`train_on_prompt` or `mask_history` cannot be set as True except SFT.",
            ),
        ):
            asked = next((setting for name in names if (setting := _on(training, name))), None)
            if asked is not None:
                yield text, (asked, training.get("stage"))
    predicts = _on(training, "do_predict")
    if stage == "sft" and predicts and _lacks(training, "predict_with_generate"):
        yield "Please enable `predict_with_generate` to save model predictions.", (predicts,)
    best = _on(training, "load_best_model_at_end")
    if stage in ("rm", "ppo") and best:
        yield "RM and PPO stages do not support `load_best_model_at_end`.", (best, training.get("stage"))
    evaluates = _evaluates(training) or predicts
    lacks = _lacks(training, "eval_dataset") and _lacks(training, "val_size")
    if evaluates and lacks and _value(training, "dataset") is not None:  # without one it ends before
        yield "Please make sure eval_dataset be provided or val_size >1e-6", (evaluates,)  # 0.9.3 says it otherwise
    yield from _both(
        training,
        *("predict_with_generate", "compute_accuracy"),
        "Cannot use `predict_with_generate` and `compute_accuracy` together.",
    )
    packs = _on(training, "neat_packing")
    is_old = packs is not None and stack.does(behaviors.LlamaFactory.PACKS_BEFORE_4_53)
    if is_old and at_least(stack.version("transformers"), 4, 53):
        yield "Neat packing is incompatible with transformers>=4.53.0.", (packs,)


def _of_model(training: Training) -> Iterator[_Refused]:
    how, chosen = _value(training, "finetuning_type", "lora"), training.get("finetuning_type")
    if how != "lora" and (before := _given(training, "adapter_name_or_path")):
        yield "Adapter is only valid for the LoRA method.", (before, chosen)
    if how not in ("lora", "oft") and (bits := _given(training, "quantization_bit")):
        yield "Quantization is only compatible with the LoRA or OFT method.", (bits, chosen)


def _evaluates(training: Training) -> Setting | None:
    """What has it evaluate: TrainingArguments switch do_eval on where eval_strategy says when (training_args.py)."""
    for name in ("eval_strategy", "evaluation_strategy"):
        if _value(training, name) in ("steps", "epoch"):
            return training.get(name)
    return _on(training, "do_eval")


def _both(training: Training, one: str, other: str, text: str) -> Iterator[_Refused]:
    asked = _on(training, one), _on(training, other)
    if all(asked):
        yield text, asked


def _number(training: Training, name: str) -> float:
    """A number of the file above a millionth, as the parser asks for it; 0 where there is none."""
    value = _value(training, name, 0)
    return float(value) if isinstance(value, (int, float)) and value > 1e-6 else 0.0
