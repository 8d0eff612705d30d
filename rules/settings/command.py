"""A launch command taken apart: from text to words, and from words to a Launch. Most checks are given none."""

from __future__ import annotations

from fp8check.rules.settings.launch import (
    LAUNCHER_FLAGS,
    LAUNCHERS,
    SWITCHES,
    Foreign,
    Launch,
    LaunchError,
    NotARun,
    Unclear,
    is_several,
)
from fp8check.rules.settings.values import is_filled_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.reading.shell import Command, Word

# Options of the interpreter whose value is the next word.
_PYTHON_VALUES = ("-W", "-X", "--check-hash-based-pycs")
_PYTHON_JOINED = ("-W", "-X", "--check-hash-based-pycs=")
_PYTHON_LETTERS = frozenset("bBdEiIOPqRsSuvx")
TORCHRUN_SWITCHES = frozenset(["standalone", "module", "m", "no_python", "run_path", "use_env", "virtual_local_rank"])
# Characters of a launch command. shlex takes a time that grows with the square of a word.
MAX_COMMAND = 32_768
# Programs that show or keep what they read: what writes to them is the run.
_READERS = frozenset(("tee", "cat", "ts", "grep", "egrep", "sed", "awk", "tail", "less", "more", "head", "rotatelogs"))
# A placeholder of documentation, which a shell takes for two redirections.
_PLACEHOLDER = r"(?<![^\s=/:])<([A-Za-z][\w ./-]{0,60})>(?=[\s/:]|$)"
_MOST_LOOKED_AT = 64  # words behind --
# The flags of launchers that say how many processes there are.
_COUNTS = {"torchrun": ("nproc_per_node", "nnodes"), "deepspeed": ("num_gpus",)}
# The commands of accelerate that start no training (commands/accelerate_cli.py of 0.34.0 to 1.15.0).
_OTHERS_OF_ACCELERATE = ("config", "env", "estimate-memory", "merge-weights", "test", "to-fsdp2", "tpu-config")
# Modules that are launchers, by the command that does the same.
_MODULES = {
    "torch.distributed.run": "torchrun",
    "torch.distributed.launch": "torchrun",
    "accelerate.commands.launch": "accelerate-launch",
    "accelerate.commands.accelerate_cli": "accelerate",
    "deepspeed.launcher.runner": "deepspeed",
}
SEVERAL = "there is more than one command: name the one that trains"


def split(command: str) -> tuple[dict[str, str], list[str]]:
    """The variables that are set in front of a command, and its words, as a shell takes them.

    Where the output goes is left out, and that it runs in the background: `> train.log 2>&1 &`, `| tee train.log`.

    Raises:
        LaunchError: a quote that is not closed, or more characters than anybody writes.
        Unclear: more than one command.
    """
    text, one = parsed(command)
    if one is None:
        return {}, []
    variables = {set_.name: _word([set_.value] if set_.value is not None else [], text) for set_ in one.assignments}
    return variables, [_word([word], text) for word in one.words]


def parsed(command: str) -> tuple[str, Command | None]:
    """A command on one line, and what a shell makes of it, by offsets in that line; None where it is empty.

    Raises:
        LaunchError, Unclear: as of `split`.
    """
    from fp8check.rules.reading import Unreadable
    from fp8check.rules.reading.shell import Command
    from fp8check.rules.reading.shell_syntax import read
    from fp8check.rules.reading.source import Source

    if len(command) > MAX_COMMAND:
        raise LaunchError(f"the launch command has {len(command):,} characters; {MAX_COMMAND:,} are read")
    text = one_line(command)
    try:
        script = read(Source("the launch command", text))
    except Unreadable as error:
        raise LaunchError(f"the launch command cannot be read: {error.message}") from None
    if script.stopped is not None:
        raise LaunchError(f"the launch command cannot be read: {script.stopped.message}")
    items = script.items
    commands = [item for item in items if isinstance(item, Command)]
    is_plain = len(commands) == len(items)
    while len(commands) > 1 and commands[-1].in_pipe and _word(commands[-1].words[:1], text) in _READERS:
        commands.pop()
    if len(commands) > 1 or not is_plain:
        raise Unclear(SEVERAL)
    return text, commands[0] if commands else None


def one_line(command: str) -> str:
    """A command on one line, with placeholders of documentation between quotes.

    A backslash at its end, behind which the next line was not copied, goes.
    """
    import re

    text = command.strip()
    if (len(text) - len(text.rstrip("\\"))) % 2:
        text = text[:-1].rstrip()
    return re.sub(_PLACEHOLDER, r"'<\1>'", text.replace("\\\n", " ").replace("\n", " "))


def _word(words: Sequence[Word], text: str) -> str:
    """What the first of these words says; variables and what other programs print stay as they are written."""
    said = ""
    for piece in words[0].pieces if words else ():
        found = piece.text.split() if piece.kind == "output" else []
        if found[:-1] in (["which"], ["command", "-v"], ["type", "-p"]):
            said += f"/usr/bin/{found[-1]}"
        else:
            said += piece.text if piece.kind == "text" else text[piece.start : piece.end]
    return said


def started_by(tool: str, words: Sequence[str]) -> Launch:
    """What a launcher or an interpreter starts: "accelerate" and "launch --config_file a.yaml train.py cfg.yaml".

    Raises:
        NotARun: a program that starts no training, or none that is known here.
        Unclear: it is not known what it starts.
    """
    if tool in ("accelerate", "accelerate-launch"):
        return _accelerate(tool, words)
    if tool in ("torchrun", "deepspeed"):
        return _launcher(tool, words)
    if is_python(tool):
        return _python(words)
    if is_filled_in(tool):
        raise Unclear(f"what {tool} stands for is not known")
    from fp8check.rules.settings.programs import FOREIGN

    whose, commands = FOREIGN.get(tool, ("", ()))
    if whose and (not commands or any(word in commands for word in words[:1])):
        raise Foreign(f"this is {whose}, which is not checked: {' '.join([tool, *words[:1]])}")
    raise NotARun(f"nothing is known of {tool!r}: say the command that it starts, with accelerate, torchrun or python")


def not_told_to_train(program: str, command: str, trains: Sequence[str]) -> LaunchError:
    """That a trainer's command was not told to train: `trl env`, `trl train.py`, `trl $METHOD`."""
    if is_filled_in(command):
        return Unclear(f"what {command} stands for is not known: a command of {program}")
    known = ", ".join(f"{program} {one}" for one in trains)
    return NotARun(f"{program} {command} starts no training that is known here: what does is {known}")


def is_python(tool: str) -> bool:
    """Whether a program is a Python interpreter: python, python3, python3.12."""
    return tool[:6] == "python" and not tool[6:].strip("0123456789.")


def _accelerate(tool: str, words: Sequence[str]) -> Launch:
    if tool == "accelerate":
        if not words:
            return Launch("accelerate")
        command, words = words[0], words[1:]
        if is_filled_in(command):
            raise Unclear(f"what {command} stands for is not known")
        if command != "launch":
            if command in _OTHERS_OF_ACCELERATE or command.startswith("-"):
                raise NotARun(f"accelerate {command} starts no training")
            raise NotARun(f"accelerate has no command {command}: accelerate launch starts a training")
    return _launcher("accelerate", words)


def _launcher(tool: str, words: Sequence[str]) -> Launch:
    if any(word in ("-h", "--help", "--version") for word in words[:1]):
        raise NotARun(f"{'accelerate launch' if tool == 'accelerate' else tool} {words[0]} starts nothing")
    if tool == "accelerate":
        launch = with_flags(tool, words, switches=SWITCHES)
    elif tool == "torchrun":
        from fp8check.rules.settings.programs import TORCHRUN

        launch = with_flags(tool, words, switches=TORCHRUN_SWITCHES, known=TORCHRUN)
    else:
        from fp8check.rules.settings.programs import DEEPSPEED, DEEPSPEED_SWITCHES

        launch = with_flags(tool, words, switches=DEEPSPEED_SWITCHES, known=DEEPSPEED)
    if launch.script is not None and is_several(launch.script):
        raise Unclear(f"what {launch.script} stands for is not known: options of {tool}, or what it starts")
    return launch


def _python(words: Sequence[str]) -> Launch:
    words = list(words)
    while words and words[0].startswith("-") and words[0] not in ("-", "-c", "-m"):
        option = words.pop(0)
        if option.startswith("-m"):  # python -mtorch.distributed.run
            words[:0] = ["-m", option[2:]]
            break
        if option in ("-V", "--version", "-h", "--help"):
            raise NotARun(f"python {option} starts nothing")
        if option in _PYTHON_VALUES:
            del words[:1]
        elif option == "--":
            break
        elif not option.startswith(_PYTHON_JOINED):
            letters = option[1:].rstrip("cm") if option[-1] in "cm" else option[1:]
            if set(letters) - _PYTHON_LETTERS:
                raise Unclear(f"python has no option that is known here as {option}")
            if option[-1] in "cm":  # python -um x
                words.insert(0, f"-{option[-1]}")
    as_module = words[:1] == ["-m"]
    if as_module:
        words = words[1:]
    script = words[0] if words else None
    if script is not None and is_several(script):
        raise Unclear(f"what {script} stands for is not known: options of python, or the script")
    if script is not None and as_module:
        return _module(script, words[1:])
    _starts_itself(script, words)
    _submits(script, words)
    return Launch("python", {}, script, tuple(words[1:]))


def _starts_itself(script: str | None, words: Sequence[str]) -> None:
    """Go on only with a script that is no launcher of its own.

    Raises:
        Unclear: it starts another command.
        Foreign: it is one of a tool that is known.
    """
    behind = words[words.index("--") + 1 :] if "--" in words else []
    # `-- source env.sh && uv run python train.py`, too.
    if any(_is_launch([word]) for word in behind[:-1][:_MOST_LOOKED_AT]):
        if script is not None and script.rpartition("/")[2] == "mason.py":
            raise Foreign(f"this is open-instruct's launcher for Beaker, which is not checked: {script}")
        raise Unclear(f"{script} starts what stands behind --, and nobody knows where")
    if script is not None and script.rpartition("/")[2] == "deepy.py":
        raise Foreign(f"this is GPT-NeoX, which is not checked: {script}")
    if script is not None and script.endswith("main.py") and any(word.startswith("recipes=") for word in words[1:]):
        raise Foreign(f"this is SageMaker HyperPod's launcher, which is not checked: {script}")


def _submits(program: str | None, words: Sequence[str]) -> None:
    """Go on only with a program that is not handed what a job of Slurm needs.

    Raises:
        Unclear: it is: what runs on the cluster is another program, or this one with other options.
    """
    if {"account", "partition"} <= {word[2:].partition("=")[0] for word in words if word[:2] == "--"}:
        raise Unclear(f"{program} gets an account and a partition of Slurm: the job that it submits is not known")


def _is_launch(words: Sequence[str]) -> bool:
    name = words[0].rpartition("/")[2] if words else ""
    return name in LAUNCHERS or name.startswith("python")


def module_as_command(module: str) -> str | None:
    """The launcher that a module is: "torchrun" for torch.distributed.run; None where it is none."""
    return _MODULES.get(module)


def _module(module: str, words: Sequence[str]) -> Launch:
    command = module_as_command(module)
    if command is not None:
        return started_by(command, words)
    from fp8check.rules.settings.programs import RUNNERS, TOOLS

    if module in TOOLS:
        raise NotARun(f"python -m {module} starts no training")
    if module in RUNNERS:
        return _python(_behind_options(words, RUNNERS[module]))
    _submits(module, words)
    return Launch("python", {}, module, tuple(words), as_module=True)


def _behind_options(words: Sequence[str], values: Sequence[str]) -> Sequence[str]:
    """The file or -m and the module that a debugger or profiler runs."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "-m":
        at += 2 if words[at] in values else 1
    return words[at:]


def flags_among(words: Sequence[str]) -> dict[str, object]:
    """The flags among the words, wherever they stand, each with the word behind it."""
    flags: dict[str, object] = {}
    for word, following in zip(words, [*words[1:], ""], strict=False):  # nothing follows the last
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if word.startswith("--"):
            flags[name] = True if name in SWITCHES else value if equals else following
    return flags


def with_flags(
    tool: str, words: Sequence[str], switches: frozenset[str], known: frozenset[str] | None = None
) -> Launch:
    """What a launcher starts: its own flags stand before the program.

    Args:
        known: the names of all its flags, of which the beginning is enough; None: any flag may be one.

    Raises:
        LaunchError: a flag has no value.
        Unclear: a flag is not among the known ones, or a variable stands where one may be.
    """
    flags: dict[str, object] = {}
    position = 0
    later = ""
    while position < len(words) and (_is_flag(words[position]) or (known is not None and is_several(words[position]))):
        if is_several(words[position]):
            later = later or words[position]
            position += 1
            continue
        if words[position] == "--":
            position += 1
            break
        name, equals, value = words[position].lstrip("-").partition("=")
        name = name.replace("-", "_")
        if known is not None:
            name = _full_name(tool, name, words[position], known)
        if equals:
            flags[name] = value
        elif name in switches or (name not in (known or LAUNCHER_FLAGS) and _stands_alone(words[position + 1 :])):
            flags[name] = True
        elif position + 1 < len(words) and not words[position + 1].startswith("--"):
            position += 1
            flags[name] = words[position]
        else:  # for argparse a word that looks like an option is no value
            raise LaunchError(f"--{name} in the launch command has no value")
        position += 1
    script = words[position] if position < len(words) else None
    if later:
        if not _is_program(script, flags):
            raise Unclear(f"what {later} stands for is not known: options of {tool}, or what it starts")
        for name in _COUNTS[tool]:  # which may be among them
            flags.setdefault(name, later)
    return Launch(tool, flags, script, tuple(words[position + 1 :]))


def _stands_alone(behind: Sequence[str]) -> bool:
    """Whether what stands behind a flag that a launcher does not have is another one, or the program.

    The launcher ends there (FP318): what follows is read as it was meant.
    """
    return bool(behind) and (_is_flag(behind[0]) or behind[0].endswith(".py"))


def _is_flag(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _is_program(script: str | None, flags: Mapping[str, object]) -> bool:
    """Whether a word behind options of which some are filled in later is surely the program: x.py, or -m x."""
    return script is not None and (script.endswith(".py") or bool(flags.get("m") or flags.get("module")))


def _full_name(tool: str, name: str, word: str, known: frozenset[str]) -> str:
    """The whole name of a flag: argparse takes the beginning of one, where no other begins so.

    What it does not take so, since several begin so, or since it is spelled in no way that it knows, stays as it is:
    the launcher ends there.
    """
    flag = word.partition("=")[0]
    if not flag.startswith("--") and name in known:
        return name
    from fp8check.rules.settings.programs import begun

    flags = begun(tool, flag, known)
    if flag in flags or len(flags) == 1:
        return (flag if flag in flags else flags[0]).lstrip("-").replace("-", "_")
    if not flags and name not in known:
        raise Unclear(f"{tool} has a flag that is not known here: {flag}")
    return flag.lstrip("-")
