"""FP1xx: environment variables that decide, that are overwritten, that nothing reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.rule import ERROR, WARNING, Found, rule
from fp8check.rules.settings.values import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.outcome import Outcome, Run

# Variables that sound as if they chose FP8 and that no release of Accelerate or transformers reads.
READ_BY_NOBODY = {
    "FP8_BACKEND": "ACCELERATE_FP8_BACKEND",
    "FP8_FORMAT": "ACCELERATE_FP8_FORMAT",
    "FP8_ENABLE_FSDP_FLOAT8_ALL_GATHER": "ACCELERATE_FP8_ENABLE_FSDP_FLOAT8_ALL_GATHER",
    "ACCELERATE_CONFIG_FILE": "accelerate launch --config_file",
    "ACCELERATE_FP8_AMAX_HISTORY_LENGTH": "ACCELERATE_FP8_AMAX_HISTORY_LEN",
    "ACCELERATE_FP8_AMAX_COMPUTE_ALGORITHM": "ACCELERATE_FP8_AMAX_COMPUTE_ALGO",
    "ACCELERATE_FP8_OPTIMIZATION_LEVEL": "ACCELERATE_FP8_OPT_LEVEL",
    "ACCELERATE_FP8_OVERRIDE_LINEAR_PRECISION": "ACCELERATE_FP8_OVERRIDE_FPROP, _DGRAD and _WGRAD",
}


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
    if value is None or state is None or state.mixed_precision.value == "fp8" or state.backend.value in (None, "NO"):
        return
    if state.backend.origin.variable is None:
        return  # the Accelerate file's own backend: FP101 and FP205 speak of that
    precision = state.mixed_precision
    happens = "all Linear layers run in FP8 with the default recipe HYBRID, history 1024, max"
    if outcome.error is not None:
        happens = f"the run ends with {outcome.error.type}: {outcome.error.message}"
    yield Found(
        f"ACCELERATE_FP8_BACKEND={value} in the shell turns this {precision.value} run into something else",
        precision if precision.origin.span is not None else None,
        f"this says {precision.value}; the variable converts the model all the same",
        notes=(happens, "accelerator.fp8_enabled says False and nothing is logged"),
        help="unset ACCELERATE_FP8_BACKEND before you start",
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
            setting if setting.origin.span is not None else None,
            "this is what the training process gets",
            notes=(f"set by {setting.origin.describe()}",) if setting.origin.span is None else (),
            help=f"write the value that you want into the configuration file, and unset {name}",
        )


def _all_overridden(setting: Setting) -> Iterator[Setting]:
    for other in setting.overrode:
        yield other
        yield from _all_overridden(other)


@rule(
    "FP106",
    "variable-decides",
    WARNING,
    'accelerate 1.9.0..1.15.0 accelerator.py "parse_choice_from_env(": the backend is read from the environment',
    'accelerate 1.11.0..1.15.0 utils/dataclasses.py "USE_MXFP8_BLOCK_SCALING": no flag of the launcher '
    "overwrites this one",
    "ran accelerate 1.15.0, no launcher [conformance release-e5m2-variable-1.15]: the variables are the whole recipe",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl python-variables]: precision, backend and history "
    "16 from the shell",
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
    deciding = [("precision", state.asked), ("backend", state.backend)]
    deciding += [(f"recipe's {name}", setting) for name, setting in (state.recipe or {}).items()]
    for what, setting in deciding:
        variable = setting.origin.variable
        if variable is None or variable not in variables:
            continue
        yield Found(
            f"the {what} is {setting.value} only because the shell has {variable}={variables[variable]}",
            run.accelerate.top.get("fp8_config") if run.accelerate is not None else None,
            "no file of this run says so",
            help=f"write it into the Accelerate file and start with accelerate launch; then unset {variable}",
        )


@rule(
    "FP107",
    "unread-variable",
    WARNING,
    'accelerate 0.34.0..1.15.0 accelerator.py !"ACCELERATE_CONFIG_FILE": no release has such a variable',
    "ran accelerate 1.15.0, transformers 5.23.0, all modules searched [executed unread-variables]: none of "
    "the names occurs",
)
def unread_variable(variables: Mapping[str, str]) -> Iterator[Found]:
    """A variable that sounds like FP8 and that nothing reads.

    Why it hurts: it looks set, and changes nothing. LLaMA-Factory itself writes FP8_BACKEND.

    Example: `export FP8_BACKEND=te`.

    Write instead: `backend: TE` under fp8_config of the Accelerate file.
    """
    for name, instead in READ_BY_NOBODY.items():
        if name in variables:
            yield Found(
                f"nothing reads the variable {name}",
                notes=(f"{name}={variables[name]} has no effect on this run",),
                help=f"what is read is {instead}; better, write it into the Accelerate file",
            )
