"""How the run is started: the launch command, taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Flags of `accelerate launch` that take no value. Every other flag takes the word that follows it.
SWITCHES = frozenset(
    "cpu multi_gpu tpu use_mps_device use_deepspeed use_fsdp use_megatron_lm use_parallelism_config use_xpu use_tp quiet "
    "module m no_python debug tpu_cluster no_tpu_cluster tpu_use_sudo dynamo_use_fullgraph dynamo_use_dynamic "
    "dynamo_use_regional_compilation fp8_use_autocast_during_eval enable_cpu_affinity same_network ipex".split()
)


class LaunchError(ValueError):
    """A launch command that cannot be understood."""


class Launch:
    """One launch command.

    Attributes:
        tool: "accelerate", "python", "torchrun" or "deepspeed".
        flags: the launcher's own flags by name with underscores; a switch has the value True.
        script: the program that is started, or None where only the tool is known.
        arguments: the words behind the program.
        given: whether the user wrote the command, or it was assumed.
    """

    __slots__ = ("arguments", "flags", "given", "script", "tool")

    def __init__(
        self,
        tool: str,
        flags: dict[str, object] | None = None,
        script: str | None = None,
        arguments: Sequence[str] = (),
        given: bool = True,
    ) -> None:
        self.tool = tool
        self.flags = flags or {}
        self.script = script
        self.arguments = tuple(arguments)
        self.given = given

    @property
    def config_file(self) -> str | None:
        """What --config_file names."""
        value = self.flags.get("config_file")
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> object:
        """The value of a launcher flag; None where it was not given."""
        return self.flags.get(name)

    def number(self, name: str) -> int | None:
        """A launcher flag as a number; None where it was not given or is none."""
        value = self.flags.get(name)
        return int(value) if isinstance(value, str) and value.isdigit() else None


def parse(command: str) -> Launch:
    """Take a launch command apart: "accelerate launch --config_file a.yaml train.py cfg.yaml", or a tool's bare name.

    Raises:
        LaunchError: unbalanced quotes, or a program that starts no training that is known here.
    """
    import shlex

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise LaunchError(f"the launch command cannot be read: {error}") from None
    while words and "=" in words[0] and not words[0].startswith("-"):
        words = words[1:]  # NAME=value before the command: variables, which --set-variable takes
    if not words:
        raise LaunchError("the launch command is empty")
    tool = words[0].rsplit("/", 1)[-1]
    if tool == "accelerate":
        return _accelerate(words[2:] if words[1:2] == ["launch"] else words[1:])
    if tool in ("torchrun", "deepspeed"):
        return _with_flags(tool, words[1:], switches=_TORCHRUN_SWITCHES)
    if tool.startswith("python"):
        return _python(words[1:])
    if tool in ("llamafactory-cli", "lmf", "trl", "axolotl"):
        return Launch("python", {}, tool, words[1:])
    raise LaunchError(
        f"cannot tell how {tool!r} starts a training run: "
        "say --launch accelerate, python or torchrun, or the whole command that begins with one of them"
    )


_TORCHRUN_SWITCHES = frozenset("standalone module m no_python use_env".split())


def _accelerate(words: list[str]) -> Launch:
    return _with_flags("accelerate", words, switches=SWITCHES)


def _python(words: list[str]) -> Launch:
    if words[:2] in (["-m", "torch.distributed.run"], ["-m", "torch.distributed.launch"]):
        return _with_flags("torchrun", words[2:], switches=_TORCHRUN_SWITCHES)
    if words[:2] == ["-m", "accelerate.commands.launch"]:
        return _accelerate(words[2:])
    while words and words[0].startswith("-") and words[0] not in ("-m", "-c"):
        words = words[1:]
    if words[:1] == ["-m"]:
        words = words[1:]
    return Launch("python", {}, words[0] if words else None, words[1:])


def _with_flags(tool: str, words: list[str], switches: frozenset[str]) -> Launch:
    flags: dict[str, object] = {}
    position = 0
    while position < len(words) and words[position].startswith("-") and words[position] != "-":
        name, equals, value = words[position].lstrip("-").partition("=")
        name = name.replace("-", "_")
        if equals:
            flags[name] = value
        elif name in switches:
            flags[name] = True
        elif position + 1 < len(words):
            position += 1
            flags[name] = words[position]
        else:
            raise LaunchError(f"--{name} in the launch command has no value")
        position += 1
    script = words[position] if position < len(words) else None
    return Launch(tool, flags, script, words[position + 1 :])
