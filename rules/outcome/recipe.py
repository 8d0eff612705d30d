"""The recipe: what the handlers read from the environment, what they keep of it, and what the backend makes of it."""

from __future__ import annotations

from fp8check.rules.releases.behaviors import Accelerate, TransformerEngine
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.recipes import BLOCK_SCALINGS, DELAYED_SCALING
from fp8check.rules.settings.values import TRUE_WORDS, Origin, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.releases.recipes import BlockScaling
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.trainers.data import Environment

_FALSE = ("n", "no", "f", "false", "off", "0")
_GEMMS = ("fprop", "dgrad", "wgrad")

Recipe = dict[str, Setting]


def te_handler(environment: Environment, stack: Stack, arguments: Mapping[str, object]) -> Recipe:
    """TERecipeKwargs.__post_init__: arguments first, then ACCELERATE_FP8_*, then its own defaults.

    Raises:
        PredictedError: Transformer Engine is absent, or a variable holds a value that the class refuses.
    """
    _require_te(stack)
    return _te_fields(environment, stack, arguments)


def old_handler(environment: Environment, stack: Stack, arguments: Mapping[str, object]) -> Recipe:
    """FP8RecipeKwargs: the only class to 1.3, deprecated since. It names its backend itself.

    Raises:
        PredictedError: as for te_handler; or the backend is neither TE nor MSAMP.
    """
    only = stack.does(Accelerate.ONE_RECIPE_CLASS)
    backend = _read(environment, "BACKEND", arguments.get("backend"), "msamp" if stack.sees_msamp() else "te", stack)
    backend = backend._replace(value=str(backend.value).upper())
    if backend.value not in ("MSAMP", "TE"):
        tail = "." if only else " to use `FP8RecipeKwargs`."
        raise PredictedError(
            "unknown-handler-backend",
            "accelerator",
            "ValueError",
            f"`backend` must be 'MSAMP' or 'TE' (TransformerEngine){tail}",
            (backend,),
        )
    if only and backend.value == "MSAMP":
        if stack.sees_msamp() is False:
            text = "MS-AMP is not available. Please either install it, or use the 'TE' backend (if installed)."
            raise PredictedError("old-handler-without-msamp", "accelerator", "ValueError", text, (backend,))
        return {"backend": backend, **msamp_handler(environment, stack, arguments)}
    if only and stack.sees_te() is False:
        text = (
            "TransformerEngine is not available. Please either install it, or use the 'MSAMP' backend (if installed)."
        )
        raise PredictedError("old-handler-without-te", "accelerator", "ValueError", text, (backend,))
    _require_te(stack)
    return {"backend": backend, **_te_fields(environment, stack, arguments)}


def msamp_handler(environment: Environment, stack: Stack, arguments: Mapping[str, object]) -> Recipe:
    """MSAMPRecipeKwargs: one option, case-sensitive.

    Raises:
        PredictedError: the level is neither O1 nor O2.
    """
    level = _read(environment, "OPT_LEVEL", arguments.get("opt_level"), "O2", stack)
    if level.value not in ("O1", "O2"):
        raise PredictedError(
            "unknown-opt-level", "accelerator", "ValueError", "`opt_level` must be one of O1 or O2", (level,)
        )
    return {"opt_level": level}


def ao_handler(environment: Environment, stack: Stack, arguments: Mapping[str, object]) -> Recipe | None:
    """AORecipeKwargs: its Float8LinearConfig, or None where the release leaves it to torchao's own defaults.

    Raises:
        PredictedError: torchao is absent or does not import (both from 1.13 on), or a variable is no truth value.
    """
    config = arguments.get("config")
    if stack.does(Accelerate.TORCHAO_RECIPE_HAS_CONFIG):
        if stack.sees_torchao() is False:
            text = "TorchAO is not available. Please install it or use a different backend."
            raise PredictedError("ao-handler-without-torchao", "accelerator", "ImportError", text)
        if config is None:
            import_torchao(stack, "accelerator")
            return {
                name: _flag(environment, name.upper(), arguments.get(name), True, stack)
                for name in ("pad_inner_dim", "enable_fsdp_float8_all_gather")
            }
    if isinstance(config, dict):
        return {name: Setting(value, Origin(code="the script")) for name, value in config.items()}
    return None


def import_torchao(stack: Stack, stage: Stage, because: tuple[Setting, ...] = ()) -> None:
    """Where Accelerate imports torchao.float8.

    Raises:
        PredictedError: the import fails.
    """
    pair = stack.torchao_breaks()
    if pair is not None:
        raise PredictedError("torchao-breaks", stage, pair.type, pair.message, because)


def _require_te(stack: Stack) -> None:
    if stack.sees_te() is False:
        text = "TransformerEngine is not available. Please install it or use a different backend."
        raise PredictedError("te-handler-without-te", "accelerator", "ImportError", text)


def _te_fields(environment: Environment, stack: Stack, arguments: Mapping[str, object]) -> Recipe:
    evaluates = arguments.get("use_autocast_during_eval")
    recipe = {"use_autocast_during_eval": _flag(environment, "USE_AUTOCAST_DURING_EVAL", evaluates, False, stack)}
    recipe["margin"] = _number(environment, "MARGIN", arguments.get("margin"), 0, stack)
    recipe["interval"] = _number(environment, "INTERVAL", arguments.get("interval"), 1, stack)
    recipe["fp8_format"] = _format(environment, stack, arguments)
    algorithm = _read(environment, "AMAX_COMPUTE_ALGO", arguments.get("amax_compute_algo"), "most_recent", stack)
    recipe["amax_compute_algo"] = algorithm._replace(value=str(algorithm.value).lower())
    if recipe["amax_compute_algo"].value not in ("max", "most_recent"):
        text = "`amax_compute_algo` must be one of max or most_recent"
        raise PredictedError("unknown-amax-algorithm", "accelerator", "ValueError", text, (algorithm,))
    recipe["amax_history_len"] = _number(
        environment, "AMAX_HISTORY_LEN", arguments.get("amax_history_len"), 1024, stack
    )
    given = arguments.get("override_linear_precision")
    for position, gemm in enumerate(_GEMMS):
        part = given[position] if isinstance(given, (list, tuple)) else None
        recipe[f"override_{gemm}"] = _flag(environment, f"OVERRIDE_{gemm.upper()}", part, False, stack)
    for scaling in BLOCK_SCALINGS:
        if stack.does(scaling.read):
            recipe[scaling.switch] = _flag(
                environment, scaling.switch.upper(), arguments.get(scaling.switch), False, stack
            )
    return recipe


def _format(environment: Environment, stack: Stack, arguments: Mapping[str, object]) -> Setting:
    setting = _read(environment, "FORMAT", arguments.get("fp8_format"), "HYBRID", stack)
    setting = setting._replace(value=str(setting.value).upper())
    e5m2 = stack.does(Accelerate.RECIPE_ACCEPTS_E5M2)
    allowed = ("HYBRID", "E4M3", "E5M2") if e5m2 else ("HYBRID", "E4M3")
    if setting.value not in allowed:
        text = f"`fp8_format` must be one of {' or '.join(allowed)}."
        raise PredictedError("unknown-format", "accelerator", "ValueError", text, (setting,))
    return setting


def _read(environment: Environment, name: str, given: object, default: object, stack: Stack) -> Setting:
    variable = environment.get(f"ACCELERATE_FP8_{name}")
    if given is not None:
        return Setting(given, Origin(code="the recipe handler passed in code")).over(variable)
    return variable if variable is not None else Setting(default, Origin(default=stack.name("accelerate")))


def _number(environment: Environment, name: str, given: object, default: int, stack: Stack) -> Setting:
    setting = _read(environment, name, given, default, stack)
    if not isinstance(setting.value, str):
        return setting
    try:
        return setting._replace(value=int(setting.value))
    except ValueError:
        text = f"invalid literal for int() with base 10: {setting.value!r}"
        raise PredictedError("recipe-number", "accelerator", "ValueError", text, (setting,)) from None


def _flag(environment: Environment, name: str, given: object, default: bool, stack: Stack) -> Setting:
    setting = _read(environment, name, given, default, stack)
    if not isinstance(setting.value, str):
        return setting
    lowered = setting.value.lower()
    if lowered not in TRUE_WORDS + _FALSE:
        raise PredictedError("recipe-switch", "accelerator", "ValueError", f"invalid truth value {lowered}", (setting,))
    return setting._replace(value=lowered in TRUE_WORDS)


def te_recipe(handler: Recipe | None, stack: Stack, scaling: BlockScaling | None) -> Recipe:
    """The recipe object that Transformer Engine ends with.

    KwargsHandler.to_kwargs() hands over only what differs from Accelerate's own defaults, so the rest are
    Transformer Engine's: `most_recent` never arrives, and the default there is `max`.

    Raises:
        PredictedError: the recipe refuses what it is given.
    """
    given = {name: setting for name, setting in (handler or {}).items() if setting.value != _HANDLER_DEFAULTS.get(name)}
    own = Origin(default=stack.name("transformer_engine"))
    margin = given.get("margin", Setting(0, own))
    form = given.get("fp8_format")
    if scaling is not None:
        for name, _ in reversed(scaling.excludes):
            if name in given:
                text = f"`{name}` is not supported for {scaling.called} block scaling."
                raise PredictedError("block-scaling-with-amax", "prepare", "ValueError", text, (given[name],))
        chosen = form if form is not None else Setting(scaling.fp8_format, own)
        _refuse_e5m2(chosen)
        made = {"class": Setting(scaling.name, own), "fp8_format": chosen}
        return made if "margin" in dict(scaling.excludes) else {**made, "margin": margin}
    chosen = form if form is not None else Setting("HYBRID", own)
    _refuse_e5m2(chosen)
    recipe = {
        "class": Setting(DELAYED_SCALING, own),
        "fp8_format": chosen,
        "amax_history_len": given.get("amax_history_len", Setting(1024, own)),
        "amax_compute_algo": given.get("amax_compute_algo", Setting("max", own)),
        "margin": margin,
    }
    if stack.does(TransformerEngine.HAS_OVERRIDE_LINEAR_PRECISION):
        recipe["override_linear_precision"] = _override(given, own)
    return recipe


_HANDLER_DEFAULTS: Mapping[str, object] = {
    "margin": 0,
    "interval": 1,
    "fp8_format": "HYBRID",
    "amax_history_len": 1024,
    "amax_compute_algo": "most_recent",
    "use_autocast_during_eval": False,
    **{scaling.switch: False for scaling in BLOCK_SCALINGS},
    "override_fprop": False,
    "override_dgrad": False,
    "override_wgrad": False,
}


def _refuse_e5m2(form: Setting) -> None:
    if form.value == "E5M2":
        # The recipes are pydantic dataclasses: the assertion arrives as a ValidationError (seen on an H200).
        text = "1 validation error: Assertion failed, Pure E5M2 training is not supported."
        raise PredictedError("pure-e5m2", "prepare", "ValidationError", text, (form,))


def _override(given: Recipe, own: Origin) -> Setting:
    """Transformer Engine 1.x takes an override of wgrad only; 2.0 dropped the argument without a word."""
    wrong = given.get("override_fprop") or given.get("override_dgrad")
    if wrong is not None:
        text = "1 validation error: Assertion failed, Only wgrad GEMM override is currently supported."
        raise PredictedError("override-beyond-wgrad", "prepare", "ValidationError", text, (wrong,))
    wgrad = given.get("override_wgrad", Setting(False, own))
    return wgrad._replace(value=(False, False, bool(wgrad.value)))
