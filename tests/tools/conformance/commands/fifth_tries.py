"""Variables of the shell, one at a time, over what starts a training: which of them count, and which end it.

Each was executed once and compared before anything was changed for it (docs/evidence/commands.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tools.conformance.commands import programs
from tests.tools.conformance.commands.second_tries import NEW, OLD, TE, Try, config, own
from tests.tools.conformance.commands.third_tries import FLAGS, SFT

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND = "fifth tries"

# Of Accelerate's FP8, beside ACCELERATE_MIXED_PRECISION=fp8 (utils/dataclasses.py TERecipeKwargs, AORecipeKwargs).
OF_FP8 = (
    *(("backend", "ACCELERATE_FP8_BACKEND", value) for value in ("te", "AO", "MSAMP", "foo", "''")),
    *(("format", "ACCELERATE_FP8_FORMAT", value) for value in ("E4M3", "e4m3", "E5M2", "foo", "''")),
    *(("history", "ACCELERATE_FP8_AMAX_HISTORY_LEN", value) for value in ("16", "16.5", "x", "0", "''")),
    *(("algo", "ACCELERATE_FP8_AMAX_COMPUTE_ALGO", value) for value in ("most_recent", "MAX", "foo", "''")),
    *(("interval", "ACCELERATE_FP8_INTERVAL", value) for value in ("2", "x")),
    *(("margin", "ACCELERATE_FP8_MARGIN", value) for value in ("1", "-1", "x")),
    *(
        ("override", "ACCELERATE_FP8_OVERRIDE_LINEAR_PRECISION", value)
        for value in ("'(False, False, True)'", "False,False,False", "true", "false", "''")
    ),
    *(("evaluates", "ACCELERATE_FP8_USE_AUTOCAST_DURING_EVAL", value) for value in ("true", "foo", "''")),
    *(("mxfp8", "ACCELERATE_FP8_USE_MXFP8_BLOCK_SCALING", value) for value in ("false", "foo")),
    *(("level", "ACCELERATE_FP8_OPT_LEVEL", value) for value in ("O1", "foo")),
    ("gather", "ACCELERATE_FP8_ENABLE_FSDP_FLOAT8_ALL_GATHER", "foo"),
    ("pad", "ACCELERATE_FP8_PAD_INNER_DIM", "foo"),
)
# Of Accelerate itself, and of what it asks torch for.
OF_ACCELERATE = (
    *(
        ("precision", "ACCELERATE_MIXED_PRECISION", value)
        for value in ("FP8", "fp8", "no", "bf16", "foo", "''", "float8")
    ),
    *(("steps", "ACCELERATE_GRADIENT_ACCUMULATION_STEPS", value) for value in ("two", "2", "0", "2.0", "''")),
    *(("deepspeed", "ACCELERATE_USE_DEEPSPEED", value) for value in ("true", "True", "1", "yes", "false")),
    *(("fsdp", "ACCELERATE_USE_FSDP", value) for value in ("1", "yes", "false")),
    *(("megatron", "ACCELERATE_USE_MEGATRON_LM", value) for value in ("true", "false")),
    *(("cpu", "ACCELERATE_USE_CPU", value) for value in ("1", "yes", "false", "foo")),
    *(("dynamo", "ACCELERATE_DYNAMO_BACKEND", value) for value in ("eager", "NO")),
    ("affinity", "ACCELERATE_CPU_AFFINITY", "foo"),
    ("debug", "ACCELERATE_DEBUG_MODE", "foo"),
    ("downcast", "ACCELERATE_DOWNCAST_BF16", "true"),
    ("parallelism", "ACCELERATE_USE_PARALLELISM_CONFIG", "true"),
    *(("world", "WORLD_SIZE", value) for value in ("1", "2")),
    *(("rank", "LOCAL_RANK", value) for value in ("0", "-1", "x")),
    ("visible", "CUDA_VISIBLE_DEVICES", "''"),
)
_ZERO = "a step that is counted by 0 ends, and one that is not divides its loss by it"
SCRIPT = own("", "accelerator = Accelerator()")


def everything() -> Iterator[tuple[str, Try]]:
    """The names of the cases, and what makes them."""
    yield from _script()
    yield from _launched()
    yield from _trainers()
    yield from _trl()


def _named(rows: tuple[tuple[str, str, str], ...]) -> Iterator[tuple[str, str]]:
    """Each setting with a name of its own."""
    for name, variable, value in rows:
        word = "".join(letter if letter.isalnum() or letter == "-" else "" for letter in value) or "empty"
        yield f"{name}-{word}", f"{variable}={value}"


def _script() -> Iterator[tuple[str, Try]]:
    for stack, at in ((NEW, ""), (OLD, "-old")):
        for name, setting in _named(OF_FP8):
            backend = "" if name.startswith("backend") else "ACCELERATE_FP8_BACKEND=TE "
            command = f"ACCELERATE_MIXED_PRECISION=fp8 {backend}{setting} python train.py"
            yield f"script-{name}{at}", Try(command, {"train.py": SCRIPT}, stack)
        for name, setting in _named(OF_ACCELERATE):
            yield f"script-{name}{at}", Try(f"{setting} python train.py", {"train.py": SCRIPT}, stack)


def _launched() -> Iterator[tuple[str, Try]]:
    """Beside a file that says the same: the launcher writes some of them anew, and leaves others."""
    files = {"te.yaml": TE, "bf16.yaml": config(mixed_precision="bf16"), "train.py": SCRIPT}
    for name, setting in _named((*OF_FP8, *OF_ACCELERATE)):
        yield f"launched-{name}", Try(f"{setting} accelerate launch --config_file te.yaml train.py", files)
    for name, setting in _named(OF_FP8):
        yield f"bf16-{name}", Try(f"{setting} accelerate launch --config_file bf16.yaml train.py", files)


def _trainers() -> Iterator[tuple[str, Try]]:
    """Trainers make some of it themselves: what a script's Accelerator reads is given to theirs."""
    for name, setting in _named(OF_ACCELERATE):
        yield f"trainer-{name}", Try(f"{setting} python train.py", {"train.py": programs.trainer()})
    for name, setting in _named(OF_ACCELERATE):
        if name.startswith(("steps", "cpu", "affinity", "debug", "rank", "world", "megatron", "deepspeed")):
            yield f"torchrun-{name}", Try(f"{setting} torchrun --nproc_per_node 1 train.py", {"train.py": SCRIPT})
            yield f"sft-{name}", Try(f"{setting} trl sft --config r.yaml", {"r.yaml": SFT})


def _trl() -> Iterator[tuple[str, Try]]:
    """Words that TRL's command does not know, and other ways to start it."""
    files = {"te.yaml": TE, "r.yaml": SFT}
    for name, command in (
        ("extra", f"trl sft extra {FLAGS}"),
        ("extra-behind", f"trl sft {FLAGS} extra"),
        ("extra-config", "trl sft --config r.yaml extra"),
        ("cli", "python -m trl.cli sft --config r.yaml"),
        ("cli-main", "python -m trl.cli.main sft --config r.yaml"),
        ("capital", "trl SFT --config r.yaml"),
        ("dashes", "trl sft --config r.yaml --per-device-train-batch-size 2"),
    ):
        for stack, at in ((NEW, ""), (OLD, "-old")):
            yield f"trl-{name}{at}", Try(command, files, stack)


def undecided(name: str) -> str | None:
    """Why a case has to be left open; None where it is decided."""
    if "-steps-0" in name:  # a trainer and TRL hand their own steps over
        return None if name.startswith(("sft", "trainer")) else _ZERO
    if "-megatron-true" in name:
        return "what Megatron-LM, which is not modeled, makes of a run"
    if name in ("torchrun-cpu-1", "torchrun-cpu-yes"):
        return "processes that a variable takes to the CPU"
    return "a word that is no command of TRL here" if name.startswith("trl-capital") else None
