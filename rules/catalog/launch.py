"""FP3xx: how the run is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.rule import ERROR, Found, Related, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.launch import Launch


@rule(
    "FP301",
    "config-not-read",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/launch.py "defaults = load_config_from_file(args.config_file)": the '
    "only reader of the file for a run",
    'accelerate 0.34.0..1.15.0 accelerator.py !"load_config_from_file": Accelerator() reads none',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl python-config-unread]: mixed precision no",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-python-unread]: bf16, as the training file says",
)
def config_not_read(accelerate: AccelerateConfig, launch: Launch) -> Iterator[Found]:
    """An Accelerate file that asks for FP8 and that the launch does not read.

    Why it hurts: only `accelerate launch` reads it. Under python, torchrun and llamafactory-cli the file does nothing,
    and the run trains in whatever precision the training file says.

    Example: `torchrun train.py cfg.yaml`, with `mixed_precision: fp8` in accel.yaml.

    Write instead: `accelerate launch --config_file accel.yaml train.py cfg.yaml`.
    """
    if launch.tool == "accelerate" or not accelerate.wants_fp8():
        return
    how = launch.script if launch.script in ("llamafactory-cli", "lmf", "trl", "axolotl") else launch.tool
    name = accelerate.path or "FILE"
    yield Found(
        f"nobody reads this file: the run is started by {how}",
        accelerate.mixed_precision,
        "only accelerate launch reads it",
        help=f"start with: accelerate launch --config_file {name} ...",
    )


@rule(
    "FP302",
    "unknown-top-level-key",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/config/config_args.py "had unknown keys": ValueError',
    "ran accelerate 1.15.0 [conformance file-unknown-key-1.15]: ValueError: the config file had unknown keys",
)
def unknown_top_level_key(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """A top-level key of the Accelerate file that this release does not know: the launcher stops.

    Why it hurts: unlike in fp8_config, an unknown key here is an error. Keys of other releases count as unknown.

    Example: `fp8_backend: TE` at the top level, or `ipex_config` with accelerate 1.13.

    Write instead: the key where it belongs; `backend` goes under fp8_config.
    """
    for name in accelerate.unknown_keys(outcome.stack.version("accelerate")):
        key = name.removeprefix("fp8_")
        belongs = name.startswith("fp8_") or name == "backend"
        yield Found(
            f"{name} is not a key of an Accelerate file",
            accelerate.top.get(name),
            f"{outcome.stack.name('accelerate')} launch raises ValueError: unknown keys",
            help=f"move it under fp8_config as {key}" if belongs else "delete it",
        )


@rule(
    "FP303",
    "does-not-start",
    ERROR,
    "ran accelerate 1.15.0 [conformance file-precision-unknown-1.15]: ValueError: Unknown mixed_precision mode",
    "ran accelerate 1.15.0 [conformance layout-fsdp1-TE-transformers-1.15]: ValueError: You must pass a model "
    "and an optimizer together",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-fsdp1-te]: the same on a GPU",
)
def does_not_start(outcome: Outcome) -> Iterator[Found]:
    """The run ends with an exception before or in its first step.

    Why it hurts: the queue, the download and the model load come first, the exception after them. Other rules say
    more where they can; this one makes sure that it is said at all.

    Example: `mixed_precision: float8` in the Accelerate file.

    Write instead: see the message and the lines that lead to it.
    """
    error = outcome.error
    if error is None:
        return
    places = [setting for setting in error.because if setting.origin.span is not None]
    hidden = [setting for setting in error.because if setting.origin.span is None]
    stages = {
        "launch": "in accelerate launch",
        "arguments": "while the training arguments are read",
        "trainer": "while the trainer is built",
        "accelerator": "in Accelerator()",
        "prepare": "in accelerator.prepare(), after the model is loaded",
        "step": "in the first training step",
    }
    yield Found(
        f"the run ends {stages[error.stage]} with {error.type}",
        places[0] if places else None,
        error.message.splitlines()[0],
        tuple(Related(place, "together with this") for place in places[1:]),
        tuple(f"{setting.value} comes from {setting.origin.describe()}" for setting in hidden),
        "run `fp8check outcome` with the same files to see who decided what",
    )


@rule(
    "FP304",
    "lower-case-flag",
    ERROR,
    'accelerate 1.9.0..1.15.0 utils/dataclasses.py "class FP8BackendType": upper case only',
    'accelerate 1.9.0..1.15.0 commands/launch.py "--fp8_backend": lower case only',
    "ran accelerate 1.15.0 [conformance flags-backend-te-1.15]: ValueError 'te' is not a valid FP8BackendType",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl flag-backend]: ValueError in Accelerator()",
)
def lower_case_flag(launch: Launch, outcome: Outcome, asked: Asked) -> Iterator[Found]:
    """`accelerate launch --fp8_backend te` cannot work.

    Why it hurts: the flag takes only lower case and the reader only upper case. Accelerate's documentation shows it.

    Example: `accelerate launch --mixed_precision fp8 --fp8_backend te train.py` on accelerate 1.15.

    Write instead: `backend: TE` under fp8_config of a configuration file.
    """
    flag = launch.flag("fp8_backend")
    if flag is None or not asked.fp8 or not outcome.stack.does("accelerate", "backend from the environment"):
        return
    yield Found(
        f"--fp8_backend {flag} can never work with {outcome.stack.name('accelerate')}",
        notes=(f"Accelerator() raises ValueError: {str(flag)!r} is not a valid FP8BackendType",),
        help=f"drop the flag and write backend: {str(flag).upper()} under fp8_config of the configuration file",
    )
