"""Versions of the packages that a run depends on: parsing, comparing, and the newest release that is modeled."""

from __future__ import annotations

from functools import lru_cache

Version = tuple[int, ...]

# The newest release whose behavior was executed or read for this model. A newer one is treated as this one, and
# the report says so. torch 2.14 and 2.15 were read: the texts of their wheels that version bounds rest on.
NEWEST = {
    "accelerate": "1.15.0",
    "transformers": "5.24.0",
    "transformer_engine": "2.20.2",
    "torchao": "0.18.0",
    "llamafactory": "0.9.5",
    "trl": "1.16.0",
    "axolotl": "0.19.0",
    "deepspeed": "0.19.8",
    "peft": "0.21.2",
    "torch": "2.15.0",
}

# The newest release of each that was really run: by the conformance cases on a CPU, and on a GPU. The records say so
# (tests/tools/conformance/highest.py), never a hand. What is predicted of a newer one is extrapolated.
EXECUTED = {
    "accelerate": "1.15.0",
    "transformers": "5.24.0",
    "transformer_engine": "2.20.2",
    "torchao": "0.18.0",
    "llamafactory": "0.9.5",
    "trl": "1.16.0",
    "axolotl": "0.19.0",
    "deepspeed": "0.19.8",
    "peft": "0.21.2",
    "torch": "2.13.0",
}

# Releases that many people still run, with other behavior: what is not known of a run is predicted with both, and
# only what holds in both is said. LLaMA-Factory 0.9.5 allows both.
EARLIER = {
    **NEWEST,
    "accelerate": "1.11.0",
    "transformers": "4.57.1",
    "transformer_engine": "2.8.0",
    "torchao": "0.14.1",
    "peft": "0.18.1",
    "trl": "0.21.0",
    "axolotl": "0.16.1",
    "torch": "2.8.0",
}

_MOST_DIGITS = 18  # a day and a time make fourteen

# The oldest Accelerate release that knows FP8 by launcher and configuration file.
OLDEST_ACCELERATE = "0.34.0"


@lru_cache(maxsize=256)
def parse(text: str) -> Version:
    """The release numbers of a version, without local part, pre-release or development suffix.

    A development version of 1.15.0 behaves like 1.15.0 for this purpose: "1.15.0.dev0" -> (1, 15, 0).

    Raises:
        ValueError: the text does not begin with a number, or with one that no release has.
    """
    numbers: list[int] = []
    for part in text.strip().lstrip("v").split("."):
        digits = next((part[:at] for at, character in enumerate(part) if not character.isdecimal()), part)
        if len(digits) > _MOST_DIGITS:
            raise ValueError(f"{text[:40]!r}... is not a version")
        if digits:
            numbers.append(int(digits))
        if not digits or digits != part:
            break
    if not numbers:
        raise ValueError(f"{text!r} is not a version")
    return tuple(numbers)


def parsed(text: str | None) -> Version | None:
    """Like parse(), but None where there is no version, or none that can be read."""
    try:
        return None if text is None else parse(text)
    except ValueError:
        return None


@lru_cache(maxsize=4096)  # a run asks hundreds of times, with the same few releases; the next run asks the same
def at_least(version: Version, *numbers: int) -> bool:
    """Whether `version` is that release or newer; 1.9 and 1.9.0 are the same release."""
    return _padded(version) >= _padded(numbers)


@lru_cache(maxsize=4096)
def between(version: Version, low: tuple[int, ...], high: tuple[int, ...]) -> bool:
    """Whether low <= version < high."""
    return _padded(low) <= _padded(version) < _padded(high)


_ZEROS = (0, 0, 0, 0)


def _padded(version: tuple[int, ...]) -> tuple[int, ...]:
    return version + _ZEROS[len(version) :]
