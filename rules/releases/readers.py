"""Which FP8 setting is read where: by whom, and in which releases. What none of these tables has, nothing reads.

Told from the released wheels: accelerate 0.34.0 to 1.15.0 (utils/dataclasses.py, accelerator.py, state.py,
commands/launch.py), llamafactory 0.9.4 and 0.9.5 (hparams/), axolotl 0.19.0 (utils/schemas/), transformers 4.45.2 to
5.23.0 and trl 0.18.2 to 1.16.0, which have no FP8 setting of their own.
"""

from __future__ import annotations

from fp8check.rules.releases.accelerate_enums import BACKENDS
from fp8check.rules.releases.accelerate_keys import OPTIONS
from fp8check.rules.releases.versions import between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.releases.accelerate_enums import Backend
    from fp8check.rules.releases.versions import Version

    # For each name the stretches of releases that read it: [first, first that does not).
    Readers = Mapping[str, tuple[tuple[Version, Version], ...]]

STILL: tuple[int, ...] = (9999,)
ALWAYS = (((0, 34), STILL),)

# Environment variables, by what Accelerate reads in the training process.
VARIABLES: Readers = {
    "ACCELERATE_MIXED_PRECISION": ALWAYS,
    # FP8RecipeKwargs to 1.3; nobody from 1.4 to 1.8; Accelerator.fp8_backend from 1.9 on.
    "ACCELERATE_FP8_BACKEND": (((0, 34), (1, 4)), ((1, 9), STILL)),
    **{
        f"ACCELERATE_FP8_{variable}": ((option.since, STILL),)
        for name, option in OPTIONS.items()
        for variable in option.variables or (name.upper(),)
    },
}

# What is meant by names that are far from the ones that are read.
MEANT_BY_VARIABLE = {
    "FP8_BACKEND": "ACCELERATE_FP8_BACKEND",
    "FP8_FORMAT": "ACCELERATE_FP8_FORMAT",
    "ACCELERATE_CONFIG_FILE": "accelerate launch --config_file",
    "ACCELERATE_FP8_OVERRIDE_LINEAR_PRECISION": "ACCELERATE_FP8_OVERRIDE_FPROP, _DGRAD and _WGRAD",
}

# Settings of the Accelerate file that people write elsewhere; those of fp8_config are general words, and are left out.
OF_ACCELERATE = frozenset(
    [
        "mixed_precision",
        "fp8_config",
        "fp8_format",
        "amax_history_length",
        "amax_compute_algorithm",
        *(name for name, option in OPTIONS.items() if not option.is_general),
    ]
)

_MEANT: Mapping[str, Backend] = {
    "transformer_engine": "TE",
    "transformerengine": "TE",
    "transformer-engine": "TE",
    "torchao": "AO",
    "ms-amp": "MSAMP",
    "ms_amp": "MSAMP",
    "auto": "NO",
}


def reads(readers: Readers, name: str, version: Version) -> bool:
    """Whether that release reads a setting of that name."""
    return any(between(version, first, gone) for first, gone in readers.get(name, ()))


def releases_of(readers: Readers, name: str) -> str:
    """The releases that read a setting, for people: "1.13 and newer"."""
    words = []
    for first, gone in readers[name]:
        since = ".".join(str(part) for part in first)
        until = ".".join(str(part) for part in gone)
        words.append(f"{since} and newer" if gone == STILL else f"{since} to before {until}")
    return ", ".join(words)


def concerns_fp8(name: str) -> bool:
    """Whether a variable is one that somebody might expect FP8 to depend on."""
    return name.startswith(("ACCELERATE_FP8_", "FP8_")) or name == "ACCELERATE_CONFIG_FILE"


def backend_meant(name: str) -> Backend | None:
    """The backend that somebody means by a name that Accelerate does not take; None where that is open."""
    return _MEANT.get(name.lower()) or next((backend for backend in BACKENDS if backend == name.upper()), None)
