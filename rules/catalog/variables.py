"""FP1xx: environment variables that decide, that are overwritten, that nothing reads."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import exported, unset
from fp8check.rules.engine.definition import ERROR, INFO, WARNING, Found, rule
from fp8check.rules.releases.behaviors import TransformerEngine
from fp8check.rules.releases.readers import (
    MEANT_BY_VARIABLE,
    VARIABLES,
    backend_meant,
    concerns_fp8,
    reads,
    releases_of,
)
from fp8check.rules.releases.recipes import DELAYED_SCALING, scaling_of
from fp8check.rules.settings.values import TRUE_WORDS, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.trainers.run import Run


@rule(
    "FP104",
    "leftover-backend-variable",
    ERROR,
    'accelerate 1.9.0..1.15.0 accelerator.py "return FP8BackendType(parse_choice_from_env(": it counts '
    "whatever the precision is",
    'accelerate 1.8.1 accelerator.py !"return FP8BackendType(parse_choice_from_env(": the release before does '
    "not read it",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl leftover-te]: a bf16 run with 45 FP8 GEMMs, HYBRID "
    "and history 1024",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl leftover-ao]: AttributeError in prepare(): "
    "'NoneType' object has no attribute 'config'",
    claims=("decides", "ends"),
)
def leftover_backend_variable(variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """ACCELERATE_FP8_BACKEND is set in the shell of a run that is not FP8.

    Why it hurts: from accelerate 1.9 on the variable alone converts the model. A BF16 run then computes in FP8 with
    Transformer Engine's default recipe, while every log line says bf16; with AO it crashes in prepare().

    Example: `export ACCELERATE_FP8_BACKEND=TE` left over from another run, with `mixed_precision: bf16`.

    Write instead: `unset ACCELERATE_FP8_BACKEND`.
    """
    value = variables.get("ACCELERATE_FP8_BACKEND")
    state = outcome.accelerator
    if value is None or state is None or state.mixed_precision.value == "fp8" or state.backend_name == "NO":
        return
    if state.backend.origin.variable is None:
        return  # the Accelerate file's own backend: FP101 and FP205 speak of that
    precision = state.mixed_precision
    word = "float32" if precision.value == "no" else str(precision.value)
    happens = "all Linear layers run in FP8 with the default recipe HYBRID, history 1024, max"
    if outcome.error is not None:
        happens = f"the run ends with {outcome.error.type}: {outcome.error.message}"
    elif outcome.trains_in_fp8 is False:
        happens = "the layers are converted, and none of them runs in FP8"
    yield Found(
        f"ACCELERATE_FP8_BACKEND={value} in the shell converts the layers of this {word} run",
        place=precision if precision.origin.span is not None else None,
        label=f"{word} is what this asks for",
        notes=(happens, "accelerator.fp8_enabled says False and nothing is logged"),
        action=unset("ACCELERATE_FP8_BACKEND"),
    )


@rule(
    "FP105",
    "variable-overwritten",
    WARNING,
    'accelerate 0.34.0..1.15.0 utils/launch.py "= str(mixed_precision)": the precision is always written',
    'accelerate 1.5.2..1.15.0 utils/launch.py "= str(getattr(args, arg))": and for fp8 every option that is not None',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl overwritten]: ACCELERATE_MIXED_PRECISION=fp8 in the "
    "shell, bf16 in the file: bf16",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl shell-format]: ACCELERATE_FP8_FORMAT in the shell "
    "becomes HYBRID",
    claims=("ignored",),
)
def variable_overwritten(variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """A shell variable that `accelerate launch` overwrites.

    Why it hurts: the exported value never reaches the training process. The launcher always writes the precision
    and, for FP8, every recipe option, from its flags, its file, or its own defaults.

    Example: `export ACCELERATE_MIXED_PRECISION=fp8`, then `accelerate launch` with a file that says bf16.

    Write instead: the value in the Accelerate file, and unset the variable.
    """
    for name in sorted(variables):
        setting = outcome.environment.get(name)
        if setting is None or not name.startswith("ACCELERATE_"):
            continue
        beaten = [other for other in _all_overridden(setting) if other.origin.variable == name]
        if not beaten or str(beaten[0].value).lower() == str(setting.value).lower():
            continue
        yield Found(
            f"{name}={beaten[0].value} in the shell is overwritten with {setting.value}",
            place=setting,
            label="this is what the training process gets",
            notes=(f"set by {setting.origin.describe()}",) if setting.origin.span is None else (),
            action=unset(name),
            fact="accelerate launch sets it anew, whatever the shell has",
        )


def _all_overridden(setting: Setting) -> Iterator[Setting]:
    for other in setting.overrode:
        yield other
        yield from _all_overridden(other)


@rule(
    "FP106",
    "variable-decides",
    INFO,
    'accelerate 1.9.0..1.15.0 accelerator.py "parse_choice_from_env(": the backend is read from the environment',
    'accelerate 1.11.0..1.15.0 utils/dataclasses.py "USE_MXFP8_BLOCK_SCALING": no flag of the launcher '
    "overwrites this one",
    "ran accelerate 1.15.0, no launcher [conformance release-e5m2-variable-1.15]: the variables are the whole recipe",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl python-variables]: precision, backend and history "
    "16 from the shell",
    claims=("decides",),
)
def variable_decides(run: Run, variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """A shell variable decides what no file of the run says.

    Why it hurts: the files look complete and are not: on the next machine, or in the next shell, the same files give
    another precision, backend or recipe.

    Example: `export ACCELERATE_FP8_BACKEND=TE` with an fp8_config that names no backend.

    Write instead: the same value in the Accelerate file.
    """
    state = outcome.accelerator
    if state is None or state.mixed_precision.value != "fp8":
        return
    deciding = [("precision", state.requested), ("backend", state.backend)]
    deciding += [(f"recipe's {name}", setting) for name, setting in (state.recipe or {}).items()]
    for what, setting in deciding:
        variable = setting.origin.variable
        if variable is None:
            continue
        yield Found(
            f"the {what} is {setting.value} only because the shell has {variable}={variables[variable]}",
            place=run.accelerate.top.get("fp8_config") if run.accelerate is not None else None,
            label="no file of this run says so",
            fact="in an Accelerate file it holds for everybody who starts this run",
        )


@rule(
    "FP107",
    "unread-variable",
    WARNING,
    'accelerate 0.34.0..1.15.0 accelerator.py !"ACCELERATE_CONFIG_FILE": no release has such a variable',
    "ran accelerate 1.15.0, transformers 5.23.0, all modules searched [executed unread-variables]: none of "
    "the names occurs",
    claims=("ignored",),
)
def unread_variable(variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """A variable that sounds like FP8 and that nothing reads.

    Why it hurts: it looks set, and changes nothing. LLaMA-Factory itself writes FP8_BACKEND; and a variable of a
    later Accelerate is nothing to an earlier one.

    Example: `export FP8_BACKEND=te`.

    Write instead: `backend: TE` under fp8_config of the Accelerate file.
    """
    version = outcome.stack.version("accelerate")
    for name in variables:
        if not concerns_fp8(name) or reads(VARIABLES, name, version):
            continue
        from fp8check.rules.releases.similar import suggested  # few names are misspelt

        instead = MEANT_BY_VARIABLE.get(name) or suggested(name, VARIABLES)
        # A name that is near to none may be a script's own: nobody but its user knows.
        own = ", unless a script of yours reads it" if not instead else ""
        fact = f"what is read is {instead}, or the Accelerate file" if instead else ""
        action = None if instead else unset(name)
        if name in VARIABLES:
            here = outcome.stack.name("accelerate")
            fact = f"it is read by accelerate {releases_of(VARIABLES, name)}; here is {here}"
        yield Found(
            f"nothing reads the variable {name}",
            notes=(f"{name}={variables[name]} has no effect on this run{own}",),
            fact=fact,
            action=action,
        )


@rule(
    "FP111",
    "precision-in-capitals",
    ERROR,
    'accelerate 0.34.0..1.15.0 state.py "parse_choice_from_env(": the variable is taken as it is written',
    "ran accelerate 1.15.0 [executed precision-in-capitals]: mixed_precision FP8, fp8_enabled False",
    "ran transformers 5.23.0, accelerate 1.15.0 [executed precision-in-capitals-trainer]: ValueError in Accelerator()",
    claims=("lost", "ends"),
)
def precision_in_capitals(variables: Mapping[str, str], launch: Launch, outcome: Outcome) -> Iterator[Found]:
    """ACCELERATE_MIXED_PRECISION=FP8, in capitals, for a run that no launcher starts.

    Why it hurts: `accelerate launch` lowers the word, Accelerator() does not. "FP8" is then neither fp8 nor an error:
    no autocast, no FP8, float32. With the Trainer of transformers 5 the run ends in Accelerator().

    Example: `ACCELERATE_MIXED_PRECISION=FP8 python train.py`.

    Write instead: `ACCELERATE_MIXED_PRECISION=fp8`.
    """
    value = variables.get("ACCELERATE_MIXED_PRECISION", "")
    if launch.tool == "accelerate" or value == "fp8" or value.lower() != "fp8":
        return
    error = outcome.error
    happens = f"the run ends with {error.type}: {error.message}" if error is not None else "the run is in float32"
    yield Found(
        f"ACCELERATE_MIXED_PRECISION={value} is not fp8",
        label=happens,
        notes=("case matters where no launcher reads the word",),
        action=exported("ACCELERATE_MIXED_PRECISION", "fp8"),
    )


@rule(
    "FP112",
    "backend-variable-spelling",
    ERROR,
    'accelerate 1.9.0..1.15.0 accelerator.py "return FP8BackendType(parse_choice_from_env(": upper case only',
    "ran accelerate 1.15.0 [executed backend-variable-lower]: ValueError, in a bf16 run too",
    claims=("ends",),
)
def backend_variable_spelling(variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """ACCELERATE_FP8_BACKEND holds no name of a backend.

    Why it hurts: from accelerate 1.9 on every Accelerator() reads it, whatever the precision is, and raises ValueError.

    Example: `export ACCELERATE_FP8_BACKEND=te`.

    Write instead: `export ACCELERATE_FP8_BACKEND=TE`; better, `backend: TE` in the Accelerate file.
    """
    error = outcome.error_of("unknown-backend-variable")
    if error is None:
        return
    variable = error.because[0].origin.variable
    if variable is None:
        return
    value = variables[variable]
    meant = backend_meant(value)
    yield Found(
        f"{variable}={value} is not a backend",
        label=f"Accelerator() raises ValueError: {error.message}",
        notes=("case matters; the names are TE, AO, MSAMP and NO",),
        action=exported(variable, meant) if meant else unset(variable),
    )


@rule(
    "FP119",
    "backward-override",
    ERROR,
    'transformer_engine 2.15.0..2.20.2 common/recipe/__init__.py "Delayed scaling only supports"',
    'transformer_engine 2.15.0..2.20.2 common/recipe/__init__.py "NVTE_BACKWARD_OVERRIDE must be unset or one of"',
    'transformer_engine 2.15.0..2.20.2 common/recipe/__init__.py "keeps original high-precision operands for backward"',
    "ran transformer_engine 2.20.2 [executed backward-override]: delayed scaling refuses both values, MXFP8 takes one",
    claims=("ends", "FP8"),
)
def backward_override(variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """NVTE_BACKWARD_OVERRIDE is set: delayed scaling ends with it, MXFP8 runs its backward pass without FP8.

    Why it hurts: from Transformer Engine 2.15 on the recipe reads it. The delayed scaling that Accelerate makes raises
    ValidationError, whatever it says. With MXFP8 nothing is logged, and dgrad and wgrad run in high precision.

    Example: `export NVTE_BACKWARD_OVERRIDE=high_precision`, left over from another run.

    Write instead: `unset NVTE_BACKWARD_OVERRIDE`.
    """
    value = variables.get("NVTE_BACKWARD_OVERRIDE")
    error = outcome.error_of("unknown-backward-override", "backward-override-with-delayed-scaling")
    if error is not None:
        message, label = "ends the run", f"prepare() raises {error.type}: {error.message}"
    elif value is not None and _overrides(outcome):
        message, label = "takes the backward pass out of FP8", "dgrad and wgrad run in high precision"
    else:
        return
    yield Found(f"NVTE_BACKWARD_OVERRIDE={value} {message}", label=label, action=unset("NVTE_BACKWARD_OVERRIDE"))


def _overrides(outcome: Outcome) -> bool:
    """Whether Transformer Engine made a recipe that does as the variable says."""
    scaling = scaling_of(outcome.prepared.recipe)
    reads_it = outcome.stack.does(TransformerEngine.READS_NVTE_BACKWARD_OVERRIDE)
    return reads_it and outcome.error is None and scaling is not None


def _of_te(variables: Mapping[str, str], outcome: Outcome) -> list[str]:
    """The variables of Transformer Engine, where it has a part in the run."""
    names = [name for name in variables if name.startswith("NVTE_")]
    return names if names and outcome.backend_name == "TE" else []


@rule(
    "FP121",
    "te-variable-not-read",
    WARNING,
    "ran the sources of Transformer Engine 1.5 to 2.20.2 [executed te-variables]: the names that each of them reads",
    'transformer_engine 2.1.0 pytorch/module/_common.py "NVTE_CUDNN_MXFP8_NORM": gone in 2.2',
    'transformer_engine 2.8.0..2.20.2 common/recipe/__init__.py "NVTE_FP8_CURRENT_SCALING_POWER_2_SCALES"',
    claims=("ignored",),
)
def te_variable_not_read(variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """A variable of Transformer Engine that the release at hand does not read, or that no release reads.

    Why it hurts: it looks set, and changes nothing: a misspelling, a name of another release, or one that only a
    build reads, which is long over.

    Example: `NVTE_UNFUSED_FP8_UPDATES=1`; `NVTE_DPA_FP8_RECIPE` with Transformer Engine 2.6.

    Write instead: the name that the release reads.
    """
    names = _of_te(variables, outcome)
    if not names:
        return
    from fp8check.rules.releases.similar import suggested  # as above
    from fp8check.rules.releases.te_variables import BUILDING, VARIABLES  # few shells have any

    stack = outcome.stack
    for name in sorted(names):
        known = VARIABLES.get(name)
        if name in BUILDING or (known is not None and known.holds(stack.version("transformer_engine"))):
            continue
        instead = suggested(name, VARIABLES) if known is None else ""
        fact = f"what is read is {instead}" if instead else ""
        if known is not None:
            fact = f"it is read by Transformer Engine {known.releases}"
        yield Found(
            f"{stack.name('transformer_engine')} does not read {name}",
            notes=(f"{name}={variables[name]} has no effect on this run",),
            fact=fact,
            action=unset(name),
        )


@rule(
    "FP122",
    "te-variable-of-other-parts",
    WARNING,
    "transformer_engine 2.8.0..2.20.2 pytorch/attention/dot_product_attention/dot_product_attention.py "
    '"NVTE_DPA_FP8_RECIPE": its own attention reads it',
    'transformer_engine 2.8.0..2.20.2 pytorch/attention/dot_product_attention/backends.py "NVTE_FP8_DPA_BWD"',
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py !"DotProductAttention": Linear and LayerNorm are put in',
    'accelerate 1.15.0 utils/transformer_engine.py !"Float8CurrentScaling" !"Float8BlockScaling" !"NVFP4": nor these',
    "measured NVIDIA H200 [docs/evidence/h200-variables.jsonl attention]: Linear layers give the same losses",
    claims=("ignored",),
)
def te_variable_of_other_parts(variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """An FP8 variable of a part of Transformer Engine that Accelerate does not put into the model.

    Why it hurts: Accelerate puts in Linear and LayerNorm, with delayed scaling or MXFP8. Attention stays what the
    model has: NVTE_DPA_FP8_RECIPE and NVTE_FP8_DPA_BWD, which are for Transformer Engine's own, switch nothing on or
    off, and neither do the variables of its other recipes.

    Example: `NVTE_FP8_DPA_BWD=0`, so that attention's backward pass is in BF16: it is in any case.

    Write instead: `unset NVTE_FP8_DPA_BWD`.
    """
    names = [name for name in _of_te(variables, outcome) if "FP8" in name or "NVFP4" in name]
    if not names:
        return
    from fp8check.rules.releases.te_variables import VARIABLES  # few shells have any

    for name in sorted(names):
        known = VARIABLES.get(name)
        if known is None or not known.by or not known.holds(outcome.stack.version("transformer_engine")):
            continue
        yield Found(
            f"{name} has no effect here: it is for Transformer Engine's own {known.by}",
            notes=("Accelerate puts in Linear and LayerNorm, with delayed scaling or MXFP8, and nothing else",),
            action=unset(name),
        )


@rule(
    "FP123",
    "te-variable-is-no-number",
    ERROR,
    'transformer_engine 1.11.0..2.20.2 pytorch/jit.py "bool(int(os.getenv(" "NVTE_TORCH_COMPILE": as it is imported',
    'transformer_engine 2.9.0..2.20.2 pytorch/quantization.py "bool(int(os.getenv(" "NVTE_UNFUSED_FP8_UPDATE"',
    "measured NVIDIA H200 [docs/evidence/h200-variables.jsonl compile-true]: ValueError",
    "measured NVIDIA H200 [docs/evidence/h200-variables.jsonl unfused-true]: ValueError",
    claims=("ends",),
)
def te_variable_is_no_number(variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """NVTE_TORCH_COMPILE or NVTE_UNFUSED_FP8_UPDATE holds a word, where Transformer Engine wants 0 or 1.

    Why it hurts: it reads them by int(): `true` raises ValueError, for the one when it is imported, for the other at
    the end of the first forward pass.

    Example: `export NVTE_TORCH_COMPILE=false`.

    Write instead: `export NVTE_TORCH_COMPILE=0`.
    """
    error = outcome.error_of("te-variable-no-number")
    name = error.because[0].origin.variable if error is not None else None
    if error is None or name is None:
        return
    value = variables[name]
    yield Found(
        f"{name}={value} is not a number, and ends the run",
        label=f"{error.type}: {error.message}",
        action=exported(name, "1" if value.lower() in TRUE_WORDS else "0"),
    )


@rule(
    "FP124",
    "unfused-fp8-update",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-variables.jsonl unfused]: 796 kernels a step instead of 412, 28.5 "
    "ms instead of 14.5, and other losses",
    'transformer_engine 2.9.0..2.20.2 pytorch/quantization.py "_amax_and_scale_update(": one by one, not in one kernel',
    claims=("FP8",),
)
def unfused_fp8_update(variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """NVTE_UNFUSED_FP8_UPDATE=1: delayed scaling updates each tensor's scale by itself.

    Why it hurts: the one kernel that does it for all layers is passed by, and each step launches several small ones
    for every tensor of every layer: 24 layers took twice the time on an H200. The losses are not the same either, so
    that the run cannot be compared with one without it.

    Example: `export NVTE_UNFUSED_FP8_UPDATE=1`, left over from the search for an error.

    Write instead: `unset NVTE_UNFUSED_FP8_UPDATE`.
    """
    value = variables.get("NVTE_UNFUSED_FP8_UPDATE")
    if value is None or not outcome.runs_te or outcome.error is not None or not value.strip().strip("0"):
        return
    made = (outcome.prepared.recipe or {}).get("class")
    if made is None or made.value != DELAYED_SCALING:
        return
    yield Found(
        "NVTE_UNFUSED_FP8_UPDATE makes each step launch small kernels for every layer's scales",
        label="the fused update of amax and scale is passed by; the scales that come of it are not quite the same",
        action=unset("NVTE_UNFUSED_FP8_UPDATE"),
    )


@rule(
    "FP125",
    "accelerate-variable-refused",
    ERROR,
    'accelerate 0.34.0..1.15.0 state.py "parse_flag_from_env(" "ACCELERATE_DEBUG_MODE" "ACCELERATE_CPU_AFFINITY"',
    'accelerate 0.34.0..1.15.0 accelerator.py "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": int() of it',
    "ran accelerate 1.15.0 [command fifth-script-steps-two]: ValueError: invalid literal for int()",
    "ran accelerate 1.15.0 [command fifth-trainer-debug-foo]: ValueError: invalid truth value foo",
    "ran accelerate 1.15.0 [command fifth-script-rank-0]: ValueError: RANK expected, but not set",
    claims=("ends",),
)
def accelerate_variable_refused(variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """A variable that Accelerate reads of the shell ends the run: a leftover of another one, as a rule.

    Why it hurts: Accelerator() makes a number of ACCELERATE_GRADIENT_ACCUMULATION_STEPS, takes ACCELERATE_DEBUG_MODE,
    ACCELERATE_CPU_AFFINITY and ACCELERATE_USE_CPU for true or false, wants DeepSpeed or Megatron-LM where
    ACCELERATE_USE_DEEPSPEED or ACCELERATE_USE_MEGATRON_LM is true, and takes a process with LOCAL_RANK for one of
    several, of which RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT have to tell.

    Example: `export LOCAL_RANK=0` and `python train.py`.

    Write instead: `unset LOCAL_RANK`.
    """
    error = outcome.error_of("variable-refused")
    name = error.because[0].origin.variable if error is not None else None
    if error is None or name is None:
        return
    yield Found(
        f"{name}={variables.get(name, '')} ends the run",
        label=f"{error.type}: {error.message}",
        action=unset(name),
    )
