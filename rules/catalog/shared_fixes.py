"""Fixes that several rules share."""

from __future__ import annotations

from fp8check.rules.edits.action import Action
from fp8check.rules.edits.fix import Fix, unsafe
from fp8check.rules.settings.edits import delete, insert, move, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.edits.fix import Edit
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.values import Section, Setting


# What stands in the place of a cure where a rule says that something is wrong, and others say what.
WHAT_TO_CHANGE = "`fp8check plan` looks for what to change"


def unset(name: str) -> Action:
    """A variable out of the shell."""
    return Action(variables={name: None})


def exported(name: str, value: str) -> Action:
    """A variable of the shell with that value."""
    return Action(variables={name: value})


def dropped(flag: str) -> Action:
    """A flag out of the command, as it stands there."""
    return Action(without=(flag,))


def upgraded(outcome: Outcome, *packages: str) -> Action | None:
    """These packages in the newest releases that the trainer takes; None where one is not known."""
    newest = {name: outcome.run.training.newest(outcome.stack, name) for name in packages}
    known = {name: release for name, release in newest.items() if release is not None}
    return Action(packages=known) if len(known) == len(packages) else None


def write(section: Section, key: str, value: object) -> Edit:
    """That value under that key, whether or not the section has it already."""
    written = section.get(key)
    return insert(section, key, value) if written is None else replace(written, value)


def without(setting: Setting) -> Fix | None:
    """The entry away, as the help says; None for a section: what stands in it is for its author to look through."""
    return None if isinstance(setting.value, (dict, list)) and setting.value else unsafe(delete(setting))


def moved(setting: Setting, section: Section, key: str) -> Fix | None:
    """A plain value out of its map, and under this key into another; None where there is none that has not the key."""
    if section.node is None or key in section or isinstance(setting.value, (dict, list)):
        return None
    return unsafe(*move(setting, section, key, setting.value))


def use_torchao(accelerate: AccelerateConfig | None, *, under_fsdp2: bool = False) -> Fix | None:
    """Backend AO in the place of TE, so that it trains; None where the Accelerate file names no backend.

    Under FSDP2 torchao needs cpu_ram_efficient_loading switched off, everywhere else its all-gather.
    """
    if accelerate is None or (backend := accelerate.fp8.get("backend")) is None:
        return None
    if under_fsdp2:
        rest = write(accelerate.fsdp, "fsdp_cpu_ram_efficient_loading", False)
    else:
        rest = write(accelerate.fp8, "enable_fsdp_float8_all_gather", False)
    return unsafe(replace(backend, "AO"), rest)


def gather_off(accelerate: AccelerateConfig | None) -> Fix | None:
    """enable_fsdp_float8_all_gather switched off; None where there is no fp8_config to write it into."""
    if accelerate is None or not accelerate.fp8:
        return None
    return unsafe(write(accelerate.fp8, "enable_fsdp_float8_all_gather", False))


def write_bf16(precision: Setting) -> Fix | None:
    """`mixed_precision: bf16` in the place of fp8; None where fp8 is not a value in a file."""
    return (
        unsafe(replace(precision, "bf16")) if precision.origin.span is not None and precision.value == "fp8" else None
    )
