"""What PEFT and the trainers say of the layers that are to get adapters.

peft/config.py and tuners/tuners_utils.py of 0.17.1, 0.18.1, 0.20.0 and 0.21.2, trl/trainer/model_config.py of 0.10.1 to
1.16.0, llamafactory/model/adapter.py of 0.9.3 to 0.9.5, axolotl/loaders/adapter.py of 0.19.0. Executed with TRL 0.24.0
and 1.16.0, LLaMA-Factory 0.9.3 to 0.9.5 and axolotl 0.19.0.
"""

from __future__ import annotations

from fp8check.rules.releases import behaviors
from fp8check.rules.releases.errors import PredictedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from fp8check.rules.models.shape import ModelShape
    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training

_TASKS = ("SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION")
_EVERY = ("all", "all-linear")
_PATTERN = frozenset(".^$*+?{}[]|()\\")  # what makes more of a regular expression than its own text
_HEADS = ("lm_head", "score", "embed_out")  # the Linear layer at the end of a model, as its own name has it
# What may be no Linear layer of a decoder layer, and gets adapters all the same.
_OTHERS = ("emb", "wte", "wpe", "tok", "conv", "head", "score", "class", "gate", "router", "expert", "proj_out")
_MULTIPLIED = ("sft", "dpo", "kto")  # trainers of TRL that multiply by the weights of the head themselves

_NONE_PASSED = "No `target_modules` passed but also no `target_parameters` found."
_MISSED = "Target modules"

_Targets = str | list[str] | None


def check(run: Run, stack: Stack) -> None:
    """What wrapping the model ends at: what is asked for, then what PEFT and torchao make of the first layer.

    Raises:
        PredictedError: it ends.
    """
    training = run.training
    if training.adapters is None or not training.uses_lora:
        return
    stage: Stage = "arguments" if training.name == "axolotl" else "trainer"
    if training.name == "trl":
        _check_task(training, stage)
    written = training.get(training.targets_key)
    # Adapters that are trained on bring their layers, rank and scale along.
    goes_on = any(training.get(name) is not None for name in ("adapter_name_or_path", "lora_model_dir"))
    is_known = not goes_on and (written is None or not written.is_later)
    if is_known:
        text = _found_nothing(run, _targets(run, written))
        if text:
            fails = text.startswith((_MISSED, _NONE_PASSED)) and stack.does(behaviors.Peft.NAMES_NO_MATCH)
            type_ = "NoMatchingPeftModuleError" if fails else "ValueError"
            because = (written or training.adapters,)
            raise PredictedError("adapters-find-nothing", stage, type_, text, because, flag=training.targets_key)
    _check_torchao(run, stack)
    if not goes_on:
        _check_scale(training, stage)
    if training.name == "trl":
        _check_reward(run)
        if is_known and stack.does(behaviors.Trl.REFUSES_ADAPTED_HEAD):
            _check_head(run, written)


def _check_task(training: Training, stage: Stage) -> None:
    """PeftConfig takes the name of a task as it is written."""
    task = training.get("lora_task_type")
    if task is not None and not task.is_later and isinstance(task.value, str) and task.value not in _TASKS:
        text = f"Invalid task type: '{task.value}'. Must be one of the following task types: {', '.join(_TASKS)}."
        raise PredictedError("value-not-taken", stage, "ValueError", text, (task,), flag="lora_task_type")


def _check_torchao(run: Run, stack: Stack) -> None:
    """As soon as PEFT wraps a layer it looks whether that is torchao's, which some releases of the two end with.

    What a PEFT that is not known does is not said, but of LLaMA-Factory's (rules/releases/pairs.py).
    """
    training = run.training
    pair = stack.adapters_break(pins_old_peft=training.pins_old_peft)
    if pair is not None:
        text = pair.message.format(version=stack.known("torchao"))
        raise PredictedError("peft-against-torchao", "trainer", pair.type, text, (training.adapters,))


def _check_scale(training: Training, stage: Stage) -> None:
    """The rank, and what is divided by it (peft/tuners/lora/layer.py update_layer): axolotl has no default of that."""
    written = training.get(training.rank_key)
    rank = None if written is not None and written.is_later else training.lora_rank
    if rank is not None and rank <= 0:
        text = f"`r` should be a positive integer value but the value passed is {rank}"
        because = (written or training.adapters,)
        raise PredictedError("rank-not-positive", stage, "ValueError", text, because, flag=training.rank_key)
    if training.name != "axolotl" or rank is None:
        return
    alpha = training.get("lora_alpha")
    if alpha is None or (not alpha.is_later and alpha.value is None):
        text = "unsupported operand type(s) for /: 'NoneType' and 'int'"
        raise PredictedError("adapters-without-alpha", stage, "TypeError", text, (alpha or training.adapters,))


def _check_reward(run: Run) -> None:
    """`trl reward` with adapters for another task than its own: PEFT looks for what a causal model alone has.

    ModelConfig.lora_task_type is CAUSAL_LM where nobody says (trainer/model_config.py). Executed with 1.16.0.
    """
    training = run.training
    task = training.get("lora_task_type")
    is_other = task is None or (not task.is_later and task.value != "SEQ_CLS")
    if is_other and training.own_command(run.launch) == "reward":
        name = "" if run.model is None else "".join(part.capitalize() for part in run.model.model_type.split("_"))
        text = f"'{name}ForSequenceClassification' object has no attribute 'prepare_inputs_for_generation'"
        raise PredictedError("adapters-not-causal", "trainer", "AttributeError", text, (task, training.adapters))


def _check_head(run: Run, written: Setting | None) -> None:
    """Some trainers of TRL multiply by the weights of the head, past an adapter on it (trainer/sft_trainer.py)."""
    targets = _targets(run, written)
    names = [targets] if isinstance(targets, str) else targets or []
    if "lm_head" not in names or run.training.trainer_of(run.launch, run.script) not in _MULTIPLIED:
        return
    text = "Applying a PEFT adapter to `lm_head` is not supported: the log-probabilities are computed from "
    text += "`lm_head.weight` directly, so the adapter would never be trained."
    raise PredictedError("adapters-on-head", "trainer", "ValueError", text, (written,))


def _targets(run: Run, written: Setting | None) -> _Targets:
    """What PEFT is given: a text is a regular expression for whole names, a list has their ends."""
    training = run.training
    value = None if written is None else written.value
    if written is not None and written.origin.flag is not None:
        value = _words(run.launch.arguments, training.targets_key) or value
    if training.name == "llamafactory" and isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    if not isinstance(value, list):
        return None if value is None else str(value)
    names = [str(name) for name in value]
    return names[0] if len(names) == 1 and _is_of_config(training, written) else names


def _is_of_config(training: Training, written: Setting | None) -> bool:
    """Whether ModelConfig gets it, which makes a text of one name: of the file, or a flag, and not of a script."""
    if training.name != "trl" or written is None:
        return False
    span = written.origin.span
    return written.origin.flag is not None or (span is not None and span.file == training.path)


def _words(arguments: Collection[str], key: str) -> list[str]:
    """What stands behind a flag that takes several words; empty where it stands in one word with its value."""
    found: list[str] = []
    is_here = False
    for word in arguments:
        if word.startswith("--"):
            is_here = word[2:].replace("-", "_") == key
        elif is_here:
            found.append(word)
    return found


def _found_nothing(run: Run, targets: _Targets) -> str:
    """What PEFT says where no layer is meant; "" where one is, or that is not known."""
    training = run.training
    if training.name == "axolotl":
        others = (training.get("lora_target_linear"), training.get("lora_target_parameters"))
        if any(other is not None and (other.is_later or other.value) for other in others):
            return ""
        targets = targets or []
    if targets is None or targets in _EVERY or targets == ["all"]:
        return ""
    if not targets:
        return f"{_NONE_PASSED} Please check the values for these arguments."
    if isinstance(targets, str):
        if not _PATTERN.isdisjoint(targets) or targets in _HEADS:
            return ""
        if targets in ("model", "transformer"):
            return f"Target module {targets} is not supported."
    elif run.model is None or not misses(run.model, targets):
        return ""
    told = targets if isinstance(targets, str) else "{" + ", ".join(map(repr, targets)) + "}"
    return f"{_MISSED} {told} not found in the base model. Please check the target modules and try again."


def misses(model: ModelShape, names: list[str]) -> bool:
    """Whether it is known that no layer of a model has one of these names at its end."""
    if not model.complete or model.assumed or model.routed is not None:
        return False
    ends = {linear.name for linear in (*model.block, *model.dense_block)}
    for name in names:
        if not name.isidentifier() or any(part in name for part in _OTHERS) or name == model.head.name:
            return False
        if any(f".{end}".endswith(f".{name}") for end in ends):
            return False
    return True
