"""The command that starts the run: one that reads the Accelerate file, and one without a flag that is in the way."""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT, Action
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.moves.wording import rewritten
from fp8check.rules.reading.read import SUFFIXES
from fp8check.rules.settings.launch import HERE, LAUNCHERS
from fp8check.rules.settings.script import in_script
from fp8check.rules.trainers.registry import PROGRAMS
from fp8check.rules.trainers.training import CONFIGURATIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fp8check.rules.edits.action import Assign
    from fp8check.rules.moves.site import Site

_SLURM = "srun"
_FLAGS_OF_PRECISION = ("mixed_precision", "fp8_backend", "cpu", "gpu_ids")


def with_the_file(site: Site) -> Iterator[Action]:
    """The trainer's own way of a launch that reads the Accelerate file."""
    path = site.accelerate
    if path is None or not site.run.launch.given or site.run.accelerate_is_default:
        return
    if entry := in_trainers_file(site, path):
        yield from site.act(entry)
        return
    command = command_with_file(site, path)
    if command is not None and command != site.command:
        yield Action(site.why, launch=command)


def usual(site: Site) -> Iterator[Action]:
    """The trainer's own command, where nobody said how the run is started: it says who reads the file."""
    launch = site.run.launch
    if launch.given or launch.line is not None or site.accelerate is None or site.training is None:
        return
    words = site.trainer.command(site.accelerate, site.training, launch)
    if words is not None:
        from shlex import join

        yield Action(site.why, launch=join(words))


def in_trainers_file(site: Site, path: str) -> list[Assign]:
    """The entry of the training file that names the Accelerate file to the trainer's command; none where it has none.

    The command's own flag beside it would be one too many (FP340).
    """
    key = site.trainer.config_key
    by_command = site.run.launch.through == site.trainer.name
    return site.in_training((key, path)) if key is not None and by_command and key in site.trainer.top else []


def named(site: Site, path: str) -> tuple[list[Assign], str | None] | None:
    """How the run comes to read an Accelerate file: the entry that names it, or the command; None where it cannot.

    Where nobody said how the run is started, the file that is among its files is read.

    Raises:
        Unfixable: the launcher would have to be another one, and stands behind something that goes on to it.
    """
    entry = in_trainers_file(site, path)
    around = site.run.launch.surroundings
    if entry or not site.run.launch.given:
        return entry, None
    command = command_with_file(site, path)
    if command is None and around != HERE:
        what = around.machine or around.hides or around.copies_by or "a wrapper"
        raise Unfixable(f"accelerate launch would have to name {path}, and what {what} starts is left as it is")
    return None if command is None else (entry, command)


def command_with_file(site: Site, path: str) -> str | None:
    """The command that starts this run by `accelerate launch` with that file; None where it cannot be written.

    A command with wrappers gets no other launcher: more than that is in it. Of a container or another machine nobody
    knows which files it sees, and in another folder this file has another name. A job step of Slurm's starts in the
    folder of its job, and sees what stands there.

    Raises:
        Unfixable: the run has several machines, and the command does not say which of them each is.
    """
    launch = site.run.launch
    around = launch.surroundings
    elsewhere = around.hides or around.machine not in ("", _SLURM)
    if (launch.line is not None and site.command is None) or launch.unknown or elsewhere:
        return None
    if around.folder:
        return None
    is_plain = launch.tool == "accelerate" and launch.through is None and not (launch.outer or launch.inner)
    if launch.given and is_plain and launch.script not in PROGRAMS and site.command is not None:
        return rewritten(site.command, lambda words: _with_config(words, path, launch.script))
    if launch.script in LAUNCHERS or around != HERE:
        return None
    words = site.trainer.command(path, site.training, launch)
    if launch.tool == "deepspeed" and "hostfile" in launch.flags:
        raise Unfixable(f"accelerate launch has to be told which of the machines of {launch.flags['hostfile']} each is")
    if words is not None and site.machines > 1:
        words = _on_machines(site, words)
    from shlex import join

    # Those of a script are set there.
    variables = [f"{name}={value}" for name, value in launch.variables.items()] if launch.line is None else []
    return None if words is None else join([*variables, *words])


# By which each machine of a run tells its place: for torchrun, for LLaMA-Factory, which starts it, and for accelerate
# launch.
_PLACES = (
    ("node_rank", "NODE_RANK", "machine_rank"),
    ("master_addr", "MASTER_ADDR", "main_process_ip"),
    ("master_port", "MASTER_PORT", "main_process_port"),
)


def _on_machines(site: Site, words: list[str]) -> list[str] | None:
    """An `accelerate launch` on as many machines as the run has.

    Raises:
        Unfixable: it is not known which of them is which.
    """
    launch, processes = site.run.launch, site.processes
    told = dict(launch.flags)
    host, colon, port = str(told.get("rdzv_endpoint", "")).partition(":")
    if colon:
        told = {"master_addr": host, "master_port": port, **told}
    if processes is None or words[:2] != ["accelerate", "launch"]:
        return None
    added = ["--num_machines", str(site.machines), "--num_processes", str(processes)]
    for flag, variable, option in _PLACES:
        value = told.get(flag) if launch.tool == "torchrun" else (site.run.facts.variables or {}).get(variable)
        if not isinstance(value, str) or not value:
            raise Unfixable(f"accelerate launch has to be told --{option} on each of {site.machines} machines")
        added += [f"--{option}", value]
    return [*words[:4], *added, *words[4:]]


# Behind which of the words of an `accelerate launch` its flags stand.
_LAUNCHING = ("launch", "accelerate-launch", "accelerate.commands.launch")


def _with_config(words: list[str], path: str, script: str | None) -> list[str]:
    """The words of an `accelerate launch` with that file in the place of another.

    What stands behind the script is the script's, also a --config_file.
    """
    for at, word in enumerate(words[: words.index(script)] if script in words else words):
        if word == "--config_file" and at + 1 < len(words):
            return [*words[: at + 1], path, *words[at + 2 :]]
        if word.startswith("--config_file="):
            return [*words[:at], f"--config_file={path}", *words[at + 1 :]]
    at = next((at for at, word in enumerate(words) if word in _LAUNCHING), -1)
    if at < 0:  # the tool's bare name
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
        if command is None and name in refused:
            command = _without_words(site.command, name)
        if command is not None:
            yield Action(site.why, launch=command)


def flag_whole(site: Site) -> Iterator[Action]:
    """A flag that is the beginning of several, whole: the one that the others begin with, else each of them."""
    error, command = site.outcome.error, site.command
    written = error.because[0].origin.flag if error is not None and error.because else None
    if error is None or command is None or written is None:
        return
    short = written.partition(" ")[0].partition("=")[0]
    fields = dict.fromkeys(choice.lstrip("-").replace("-", "_") for choice in error.choices)
    meant = [field for field in fields if all(other.startswith(field) for other in fields)]
    for field in meant or fields:
        whole = rewritten(command, lambda words: _renamed(words, short, f"--{field}"))  # noqa: B023  asked at once
        if whole is not None:
            yield Action(site.why, launch=whole)


def _renamed(words: list[str], short: str, whole: str) -> list[str] | None:
    """The words with another name of one flag; None where it does not stand there once."""
    at = [here for here, word in enumerate(words) if word.partition("=")[0] == short]
    if len(at) != 1:
        return None
    _, equals, value = words[at[0]].partition("=")
    return [*words[: at[0]], f"{whole}{equals}{value}", *words[at[0] + 1 :]]


def module_off(site: Site) -> Iterator[Action]:
    """A file that is started as a module, as what it is: `-m train.py`."""
    launch = site.run.launch
    if launch.is_module and str(launch.script).endswith(".py"):
        for word in ("-m", "--module"):
            command = without_flag(site.command, word)
            if command is not None:
                yield Action(site.why, launch=command)


def _without_words(command: str | None, name: str) -> str | None:
    """The command without an option and what may be meant as its value: as far as the next one or the program."""

    def without(words: list[str]) -> list[str] | None:
        options = [word[:2] == "--" and word.lstrip("-").replace("-", "_") == name for word in words]
        at = [here for here, is_it in enumerate(options) if is_it]
        if len(at) != 1:
            return None
        end = at[0] + 1
        while end < len(words) and not words[end].startswith("-") and not words[end].endswith(".py"):
            end += 1
        return [*words[: at[0]], *words[end:]]

    return rewritten(command or "", without)


def own_words_off(site: Site) -> Iterator[Action]:
    """Words of a script's own command line that say a precision, which the script makes of them: out of the command."""
    for name in ("bf16", "fp16") if site.command is not None else ():
        setting = site.trainer.top.get(name)
        if setting is None or not in_script(setting):
            continue
        command = _without_words(site.command, name)
        if command is not None:
            yield Action(site.why, launch=command)


# What says how the run is spread, in the launcher's words.
_SPREADING = ("multi_gpu", "use_fsdp", "use_deepspeed", "use_megatron_lm", "tpu", "cpu")


def words_gone(site: Site) -> Iterator[Action]:
    """A word that the script's own parser refuses out of the command: the value behind a switch, a key of no class."""
    refused, error = site.run.script.refused, site.outcome.error
    words = [] if refused is None else [str(refused.value)]
    if error is not None and error.code == "unknown-training-key":
        words += [setting.origin.flag for setting in error.because if setting.origin.flag is not None]
    command = site.command
    for word in words:
        command = without_word(command, word) or command
    if command is not None and command != site.command:
        yield Action(site.why, launch=command)


def file_told(site: Site) -> Iterator[Action]:
    """A file that the trainer's command takes by a flag alone, behind that flag; any other word out of the command."""
    run, command = site.run, site.command
    word, flag = run.training.instead_of_script(run.launch, run.facts), run.training.file_flag
    if word is None or flag is None or command is None or f" {command} ".count(f" {word} ") != 1:
        return
    if not word.endswith(CONFIGURATIONS):
        yield Action(site.why, launch=without_word(command, word))
        return
    yield Action(site.why, launch=f" {command} ".replace(f" {word} ", f" {flag} {word} ").strip())


def with_a_blank(site: Site) -> Iterator[Action]:
    """A flag that the trainer's command takes as a word of its own alone, without the equals sign."""
    command, error = site.command, site.outcome.error
    glued = error.because[0].origin.flag if error is not None and error.because else None
    if command is None or glued is None or f" {command} ".count(f" {glued} ") != 1:
        return
    yield Action(site.why, launch=f" {command} ".replace(f" {glued} ", f" {glued.replace('=', ' ', 1)} ").strip())


def without_word(command: str | None, word: str) -> str | None:
    """The command without a word; None where it does not stand there once."""
    if command is None or f" {command} ".count(f" {word} ") != 1:
        return None
    return f" {command} ".replace(f" {word} ", " ").strip()


def words_for_script_off(site: Site) -> Iterator[Action]:
    """Words of the command that starts a shell script, which makes something else of them: each of them out of it.

    An option goes alone, as a switch does, and with the word behind it, which may be its value.
    """
    for command in _shorter(site.starts):
        yield Action(site.why, starts=command)


def words_not_known_off(site: Site) -> Iterator[Action]:
    """The option for which nobody understands a command, out of it: the reason ends with its name."""
    unknown = site.run.launch.unknown
    if unknown:
        for command in _shorter(site.command, lambda word: unknown.endswith(f": {word.partition('=')[0]}")):
            yield Action(site.why, launch=command)


def _shorter(command: str | None, goes: Callable[[str], bool] = lambda _: True) -> Iterator[str]:
    """The command without each of its options, alone and with the word behind it, and without each other word.

    Args:
        goes: whether that may be tried of an option, or another word.
    """
    for number in range(_WAYS if command is not None else 0):
        shorter = rewritten(command or "", lambda words: _without_any(words, number, goes))  # noqa: B023  asked at once
        if shorter is None:
            return
        yield shorter


_WAYS = 40  # that are tried


def _without_any(words: list[str], number: int, goes: Callable[[str], bool]) -> list[str] | None:
    """The words without those of one number: of all ways to leave some out behind the script; None with fewer."""
    script = next((here for here, word in enumerate(words) if word.endswith(SUFFIXES)), 0)
    ways = []
    for here in range(script + 1, len(words)):
        if not goes(words[here]):
            continue
        ways.append((here, here + 1))
        if words[here].startswith("-") and here + 1 < len(words) and not words[here + 1].startswith("-"):
            ways.insert(len(ways) - ("." not in words[here + 1]), (here, here + 2))  # a file rather stands for itself
    if number >= len(ways):
        return None
    start, end = ways[number]
    return [*words[:start], *words[end:]]


def spreading_off(site: Site) -> Iterator[Action]:
    """Flags of the launcher for the kind of run: each of them out of the command, and all of them."""
    if site.command is None:
        return
    there = [name for name in _SPREADING if site.run.launch.flags.get(name) is True]
    single = len(site.run.visible_gpus() or ()) == 1
    for names in ([one] for one in there):
        command = _without_all(site.command, names)
        if command is not None:
            yield Action(site.why, launch=command)
    if single and there:
        command = _without_all(site.command, there)
        if command is not None:
            yield Action(site.why, launch=_with_option(command, "num_processes", "1") or command)


def _without_all(command: str, names: Iterable[str]) -> str | None:
    """The command without these switches; None where one does not stand there once."""
    left: str | None = command
    for name in names:
        left = without_flag(left, f"--{name}")
    return left


def flags_right(site: Site) -> Iterator[Action]:
    """The launcher's own precision as the goal says it."""
    value = site.run.launch.flags.get("mixed_precision")
    if isinstance(value, str) and value != site.goal and site.command is not None:
        for text in (f"--mixed_precision {value}", f"--mixed_precision={value}"):
            if site.command.count(text) == 1:
                yield Action(site.why, launch=site.command.replace(text, text.replace(value, site.goal)))


# Variables that say where things are. What they decide of a run is where a default Accelerate file is looked for; the
# models that were downloaded are found by them as well. Those of Slurm's are set for each job anew.
_WHERE = frozenset(("HF_HOME", "XDG_CACHE_HOME", "CUDA_HOME"))


def _without_setting(command: str | None, name: str, value: str) -> str | None:
    """The command without a variable in front of it, however it is quoted; None where it does not stand there once."""
    for written in (value, f"'{value}'", f'"{value}"'):
        text = f"{name}={written} "
        if command is not None and command.count(text) == 1:
            return command.replace(text, "")
    return None


def variables_unset(site: Site) -> Iterator[Action]:
    """A variable that decides something, unset where it is set: in the shell, before the command, in a script.

    Those of the shell one by one, and all of them together.
    """
    launch = site.run.launch
    ours: dict[str, None] = {}
    for variable, setting in site.outcome.environment.items():
        if variable in _WHERE or variable.startswith("SLURM_"):
            continue
        for one in (setting, *setting.overrode):
            name = one.origin.variable
            if name is None:
                yield from site.act(site.write(one, ABSENT))
            elif launch.line is not None and name in launch.line.variables and site.scripts is not None:
                yield from site.act(site.scripts.exported(launch.line, name, ABSENT))
            elif name not in (site.run.facts.variables or {}):
                continue
            elif name in launch.variables:
                command = _without_setting(site.command, name, launch.variables[name])
                if command is not None:
                    yield Action(site.why, launch=command)
            elif name not in ours:
                ours[name] = None
                yield Action(site.why, variables={name: None})
    if len(ours) > 1:
        yield Action(site.why, variables=ours)


# By the launcher, the option that says how many processes a machine has; `accelerate launch` counts over all machines.
_PROCESSES = {"torchrun": "nproc_per_node", "accelerate": "num_processes"}


def with_processes(site: Site, number: int) -> str | None:
    """The command with that many processes, where it says how many; None where it does not, or cannot be written."""
    launch = site.run.launch
    name = _PROCESSES.get(launch.tool, "")
    if launch.through is not None and site.run.accelerate is None and launch.tool == "accelerate":
        return None if site.command is None else _with_option(site.command, name, str(number), append=True)
    return None if site.command is None or name not in launch.flags else _with_option(site.command, name, str(number))


def _with_option(command: str, name: str, value: str, *, append: bool = False) -> str | None:
    """The command with another value of an option of its launcher.

    Args:
        append: whether it is to be at the end where it is not there.

    Returns:
        None where it is there more than once, or not at all.
    """
    spelled = {f"--{name}", f"--{name.replace('_', '-')}"}

    def with_value(words: list[str]) -> list[str] | None:
        at = [here for here, word in enumerate(words) if word.partition("=")[0] in spelled]
        if not at:
            return [*words, f"--{name}", value] if append else None
        if len(at) > 1:
            return None
        here = at[0]
        if "=" in words[here]:
            return [*words[:here], f"{words[here].partition('=')[0]}={value}", *words[here + 1 :]]
        return [*words[: here + 1], *([value] if here + 1 < len(words) else []), *words[here + 2 :]]

    return rewritten(command, with_value)


def default_overruled(site: Site) -> Iterator[Action]:
    """BF16 by the launcher's option, where the machine's default file says something else: other runs read it, too."""
    if site.goal == "bf16" and site.run.accelerate_is_default:
        yield from _launched_in_bf16(site)


def _launched_in_bf16(site: Site) -> Iterator[Action]:
    launch = site.run.launch
    if site.command is None or launch.tool != "accelerate" or launch.through is not None:
        return
    if " launch " in site.command:
        changed = _with_option(site.command, "mixed_precision", "bf16")
        yield Action(site.why, launch=changed or site.command.replace(" launch ", " launch --mixed_precision bf16 ", 1))


def precision_told(site: Site) -> Iterator[Action]:
    """The goal's precision by the launcher's option or by its variable, where no Accelerate file says it."""
    if site.run.accelerate is not None:
        return
    launch, variable = site.run.launch, "ACCELERATE_MIXED_PRECISION"
    if launch.tool == "accelerate" and site.goal == "bf16":
        yield from _launched_in_bf16(site)
    if launch.tool not in ("python", "torchrun"):
        return
    if variable in launch.variables:
        text = f"{variable}={launch.variables[variable]} "
        if site.command is not None and site.command.count(text) == 1:
            yield Action(site.why, launch=site.command.replace(text, f"{variable}={site.goal} "))
    elif site.goal == "bf16":
        yield Action(site.why, variables={variable: "bf16"})
    elif not site.trainer.is_huggingface:
        for backend in ("TE", "AO"):
            told = {variable: "fp8", "ACCELERATE_FP8_BACKEND": backend}
            gather = {} if backend == "TE" else {"ACCELERATE_FP8_ENABLE_FSDP_FLOAT8_ALL_GATHER": "false"}
            yield Action(site.why, variables={**told, **gather}, packages=site.lacking(backend))
