"""The command that starts the run: one that reads the Accelerate file, and one without a flag that is in the way."""

from __future__ import annotations

from fp8check.rules.edits.action import Action
from fp8check.rules.settings.launch import HERE, LAUNCHERS
from fp8check.rules.trainers.registry import PROGRAMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.moves.site import Site

_FLAGS_OF_PRECISION = ("mixed_precision", "fp8_backend", "cpu", "gpu_ids")


def with_the_file(site: Site) -> Iterator[Action]:
    """The trainer's own way of a launch that reads the Accelerate file."""
    path = site.accelerate
    if path is None or not site.run.launch.given:
        return
    command = command_with_file(site, path)
    if command is not None and command != site.command:
        yield Action(site.why, launch=command)


def command_with_file(site: Site, path: str) -> str | None:
    """The command that starts this run by `accelerate launch` with that file; None where it cannot be written.

    A command with wrappers or a line of a script stays as it is: more than its launcher is in it.
    """
    launch = site.run.launch
    if launch.line is not None or launch.unknown or launch.surroundings != HERE:
        return None
    from shlex import join, split

    is_plain = launch.tool == "accelerate" and launch.through is None and not (launch.outer or launch.inner)
    if launch.given and is_plain and launch.script not in PROGRAMS and site.command is not None:
        return join(_with_config(split(site.command), path))  # which was split before: it is a launch
    if launch.script in LAUNCHERS:
        return None
    words = site.trainer.command(path, site.training, launch)
    variables = [f"{name}={value}" for name, value in launch.variables.items()]
    return None if words is None else join([*variables, *words])


def _with_config(words: list[str], path: str) -> list[str]:
    """The words of an `accelerate launch` with that file in the place of another."""
    for at, word in enumerate(words):
        if word == "--config_file" and at + 1 < len(words):
            return [*words[: at + 1], path, *words[at + 2 :]]
        if word.startswith("--config_file="):
            return [*words[:at], f"--config_file={path}", *words[at + 1 :]]
    at = next((at for at, word in enumerate(words) if word == "launch"), -1)
    if at < 0:  # accelerate-launch, or the tool's bare name
        return [*words, "launch", "--config_file", path] if words[-1:] == ["accelerate"] else words
    return [*words[: at + 1], "--config_file", path, *words[at + 1 :]]


def without_flag(command: str | None, written: str) -> str | None:
    """The command without a flag as it stands there; None where it does not stand there once."""
    if command is None:
        return None
    for text in (written, written.replace(" ", "=", 1)):
        if command.count(f" {text}") == 1:
            before, after = command.split(f" {text}")
            if not after or after[0] == " ":
                return before + after
    return None


def flags_off(site: Site) -> Iterator[Action]:
    """Flags of the launcher that go over the Accelerate file, or that it refuses, out of the command."""
    launch = site.run.launch
    error = site.outcome.error
    refused = (error.flag,) if error is not None and error.flag else ()
    for name in (*refused, *_FLAGS_OF_PRECISION):
        value = launch.flags.get(name)
        if value is None:
            continue
        text = f"--{name}" if value is True else f"--{name} {value}"
        command = without_flag(site.command, text)
        if command is not None:
            yield Action(site.why, launch=command)


def variables_unset(site: Site) -> Iterator[Action]:
    """A variable of the shell that decides something is unset; one in front of the command goes there."""
    for setting in site.outcome.environment.values():
        for one in (setting, *setting.overrode):
            name = one.origin.variable
            if name is None or name not in (site.run.facts.variables or {}):
                continue
            if name in site.run.launch.variables:
                text = f"{name}={site.run.launch.variables[name]} "
                if site.command is not None and site.command.count(text) == 1:
                    yield Action(site.why, launch=site.command.replace(text, ""))
            else:
                yield Action(site.why, variables={name: None})
