"""What FSDP takes for one unit: what its plugin refuses of its variables, and what it does not find in the model.

accelerate 1.15.0 utils/dataclasses.py FullyShardedDataParallelPlugin and utils/fsdp_utils.py
fsdp2_prepare_auto_wrap_policy; so in 0.34.2 to 1.13.0, which know of FSDP2 from 1.6 on. Executed with 1.10.1 and 1.15.0
(tests/conformance/commands.jsonl, seventh tries).
"""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.versions import at_least
from fp8check.rules.settings.values import Undecided, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.models import ModelShape
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.data import Environment, Started
    from fp8check.rules.trainers.run import Run

_POLICIES = ("TRANSFORMER_BASED_WRAP", "SIZE_BASED_WRAP", "NO_WRAP")
_STRATEGIES = ("FULL_SHARD", "SHARD_GRAD_OP", "NO_SHARD", "HYBRID_SHARD", "HYBRID_SHARD_ZERO2", "_HYBRID_SHARD_ZERO2")
_PREFETCHES = ("BACKWARD_PRE", "BACKWARD_POST", "NO_PREFETCH")
_STATES = ("FULL_STATE_DICT", "LOCAL_STATE_DICT", "SHARDED_STATE_DICT")
_TRUTH = ("y", "yes", "t", "true", "on", "1", "n", "no", "f", "false", "off", "0")


class Units(Record):
    """What the plugin of FSDP was told of its units.

    Attributes:
        policy: TRANSFORMER_BASED_WRAP, SIZE_BASED_WRAP or NO_WRAP.
        classes: the names of classes, with commas between them.
        minimum: the parameters that a unit has more than.
    """

    policy: Setting | None = None
    classes: Setting | None = None
    minimum: Setting | None = None


def of_plugin(started: Started) -> Units:
    """FullyShardedDataParallelPlugin.__post_init__, in its order.

    Raises:
        PredictedError: it refuses what one of its variables says.
    """
    environment = started.environment
    if started.fsdp_version == 2:
        after = environment.get("FSDP_RESHARD_AFTER_FORWARD")
        if after is not None and str(after.value).lower() not in _TRUTH:
            raise _refused("ValueError", f"invalid truth value {str(after.value).lower()}", after)
    else:
        _check_word(environment, "FSDP_SHARDING_STRATEGY", _STRATEGIES)
    _check_word(environment, "FSDP_BACKWARD_PREFETCH", _PREFETCHES)
    _check_word(environment, "FSDP_STATE_DICT_TYPE", _STATES)
    state = environment.get("FSDP_STATE_DICT_TYPE")
    if started.fsdp_version == 2 and state is not None and str(state.value).upper() in ("LOCAL_STATE_DICT", "2"):
        text = (
            "FSDP2 does not support LOCAL_STATE_DICT. Please set `fsdp_state_dict_type` to `SHARDED_STATE_DICT` or "
            "`FULL_STATE_DICT`."
        )
        raise _refused("ValueError", text, state)
    policy = environment.get("FSDP_AUTO_WRAP_POLICY")
    if policy is not None and str(policy.value).upper() not in _POLICIES:
        text = f"Invalid auto wrap policy: {policy.value}. Must be one of {list(_POLICIES)}"
        raise _refused("ValueError", text, policy)
    least = environment.get("FSDP_MIN_NUM_PARAMS")
    sized = policy is not None and str(policy.value).upper() == "SIZE_BASED_WRAP"
    if sized and least is not None and whole_number(str(least.value)) is None:
        raise _refused("ValueError", f"invalid literal for int() with base 10: {str(least.value)!r}", least)
    return Units(policy, environment.get("FSDP_TRANSFORMER_CLS_TO_WRAP"), least)


def _check_word(environment: Environment, name: str, words: tuple[str, ...]) -> None:
    """A word or a number of an enumeration of torch."""
    given = environment.get(name)
    if given is None or str(given.value).upper() in words or str(given.value).isdigit():
        return
    raise _refused("KeyError", str(given.value).upper(), given)


def _refused(type_: str, text: str, setting: Setting) -> PredictedError:
    return PredictedError("fsdp-setting-refused", "accelerator", type_, text, (setting,))


def check(run: Run, units: Units | None, *, fsdp2: bool) -> None:
    """set_auto_wrap_policy() of FSDP1, and fsdp2_prepare_auto_wrap_policy().

    Raises:
        PredictedError: a class that is to be wrapped is in no module of the model; or FSDP2 is to shard what holds
            layers and computes nothing itself.
        Undecided: it is not known whether the model is large enough for that.
    """
    if units is None or units.policy is None or run.model is None or run.model.assumed or not run.model.complete:
        return
    policy = str(units.policy.value).upper()
    if policy == "TRANSFORMER_BASED_WRAP" and units.classes is not None:
        _check_classes(run.model, units.classes)
    if policy == "SIZE_BASED_WRAP" and fsdp2:
        _check_size(run.model, units.policy, units.minimum)


def check_adapters(run: Run, stack: Stack, units: Units | None) -> None:
    """PEFT makes a policy of its own before Trainer prepares anything (trainer.py _fsdp_qlora_plugin_updates).

    peft 0.14.0 to 0.21.2 utils/other.py fsdp_auto_wrap_policy. Executed with 0.21.2.

    Raises:
        PredictedError: a class that is to be wrapped is in no module of the model.
    """
    named = None if units is None else units.classes
    if named is None or not run.training.is_huggingface or not run.training.uses_lora:
        return
    if run.model is None or run.model.assumed or not run.model.complete:
        return
    if any(_lacks(run.model, name) for name in str(named.value).split(",")):
        renewed = stack.known("peft") is None or at_least(stack.version("peft"), 0, 20)
        text = "Could not find the transformer layer class to wrap in the model."
        type_ = "TypeError" if renewed else "Exception"
        raise PredictedError("fsdp-class-not-found", "step", type_, text, (named,))


def _lacks(model: ModelShape, name: str) -> bool:
    from fp8check.rules.models.layer_classes import has_class  # most runs name none

    return has_class(model.model_type, name) is False


def _check_classes(model: ModelShape, named: Setting) -> None:
    for name in str(named.value).split(","):
        if _lacks(model, name):
            text = f"Could not find the transformer layer class {name} in the model."
            raise PredictedError("fsdp-class-not-found", "prepare", "ValueError", text, (named,))


def _check_size(model: ModelShape, policy: Setting, least: Setting | None) -> None:
    """The list of all layers is larger than any bound that makes more than one unit, and computes nothing itself."""
    number = (0 if least is None else whole_number(str(least.value))) or 0
    layers = model.parameters - 2 * model.hidden * model.vocab  # without the embedding, and a head of its own
    if layers > number:
        text = "fully_shard does not support containers that do not implement forward: ModuleList"
        raise PredictedError("fsdp2-shards-a-list", "prepare", "ValueError", text, (policy, least))
    what = f"whether the layers of {model.name} together hold more than {number} parameters"
    if model.parameters > number:
        raise Undecided(what, "only the model itself tells")
