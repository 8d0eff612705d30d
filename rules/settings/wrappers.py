"""What people write in front of a launch command: taken off, and what it changes for the command is kept.

The options are those of GNU coreutils 9.5, util-linux 2.40, sudo 1.9, numactl 2.0, Slurm 24.05 (and pyxis), Open MPI 5,
MPICH 4 (hydra), uv 0.9, conda 25, micromamba 2, poetry 2, pixi 0.50, docker 28, Apptainer 1.4, Nsight Systems 2025. An
option that stands in no table makes the command unclear: nobody knows whether it takes the word behind it.
"""

from __future__ import annotations

from fp8check.rules.reading.kind import SHELLS
from fp8check.rules.record import Record
from fp8check.rules.settings.command import is_python, split
from fp8check.rules.settings.launch import HERE, LAUNCHERS, NotARun, Unclear, is_several
from fp8check.rules.settings.values import is_filled_in, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from fp8check.rules.settings.launch import Surroundings

    Effect = Callable[["Inside", "Given"], "Inside"]
    # Options with their values; a wrapper, or the commands of one that has several.
    Options = tuple[tuple[str, str], ...]
    Entry: TypeAlias = "Wrapper | Mapping[str, Entry]"

# Wrappers in wrappers in wrappers: nobody writes more.
_DEEPEST = 16


class Inside(Record):
    """What is left of a command once a wrapper is taken off.

    Attributes:
        words: what comes behind it.
        variables: those that are set for it.
        surroundings: what the wrappers changed.
    """

    words: tuple[str, ...]
    variables: Mapping[str, str] = {}
    surroundings: Surroundings = HERE

    def around(self, **changed: object) -> Inside:
        """The same command in other surroundings."""
        return self._replace(surroundings=self.surroundings._replace(**changed))


class Given(Record):
    """What a wrapper was given: its options with their values ("" for a switch), and the words before the command."""

    name: str
    options: tuple[tuple[str, str], ...]
    before: tuple[str, ...]

    def value(self, *names: str) -> str | None:
        """What the last option of these names says; None where none of them is given."""
        return next((value for name, value in reversed(self.options) if name in names), None)

    def has(self, *names: str) -> bool:
        """Whether one of these options is given."""
        return any(name in names for name, _ in self.options)


class Wrapper(Record):
    """How a wrapper's own words are told from those of the command.

    Attributes:
        values: options that take a value: the next word, or what stands behind "=".
        switches: options that take none, or one behind "=" only.
        pairs: options that take the next two words.
        before: how many words stand between the options and the command: an image, a time, a mask.
        effect: what it changes for the command.
        one_dash: whether options of more than one letter begin with one dash: -np 4.
        ends: options with which it starts nothing: --version.
        folders: options that change the working folder: the files of the command are then not those of this one.
        may_vary: whether options that are filled in later change nothing but the variables, and how many are started.
        extends: whether it takes options of plug-ins, as Slurm does of a site: one with "=" takes no other word.
    """

    values: frozenset[str]
    switches: frozenset[str]
    before: int = 0
    effect: Effect | None = None
    pairs: frozenset[str] = frozenset()
    one_dash: bool = False
    ends: frozenset[str] = frozenset(("-h", "--help", "--version"))
    folders: frozenset[str] = frozenset()
    extends: bool = False
    may_vary: bool = False


def unwrap(words: Sequence[str], variables: Mapping[str, str]) -> Inside:
    """The command behind all wrappers.

    Raises:
        NotARun: a wrapper that was told to start nothing.
        Unclear: an option that is not known, or a command that cannot be told.
    """
    inside = Inside(tuple(words), dict(variables))
    for _ in range(_DEEPEST):
        name = inside.words[0].rpartition("/")[2] if inside.words else ""
        entry = WRAPPERS.get(name)
        if entry is None:
            return inside
        inside = _taken_off(name, entry, inside._replace(words=inside.words[1:]))
    raise Unclear("it has more wrappers in each other than are looked at")


def _taken_off(name: str, entry: Entry, inside: Inside, earlier: Options = ()) -> Inside:
    if isinstance(entry, Wrapper):
        return _started_by(name, entry, inside, earlier)
    general = _GLOBAL.get(name, _PLAIN)
    options, rest = _options(name, general._replace(may_vary=False), inside.words)
    _stay(Given(name, options, ()), general)
    command = rest[0] if rest else ""
    if command not in entry:
        if is_filled_in(command):
            raise Unclear(f"what {command} stands for is not known")
        raise NotARun(f"{name} {command} starts no training that is known here".replace("  ", " "))
    return _taken_off(f"{name} {command}", entry[command], inside._replace(words=rest[1:]), earlier + options)


def _stay(given: Given, wrapper: Wrapper) -> None:
    """Go on only where the working folder is not changed.

    Raises:
        Unclear: it is.
    """
    folder = given.value(*wrapper.folders)
    if folder is not None and folder not in (".", "./"):
        raise Unclear(f"{given.name} starts it in another folder ({folder}), where its files are other ones")


def _started_by(name: str, wrapper: Wrapper, inside: Inside, earlier: Options) -> Inside:
    options, rest = _options(name, wrapper, inside.words)
    later = next((value for option, value in options if option == _LATER), None)
    if later is not None and not _starts(rest):
        raise Unclear(f"what {later} stands for is not known: options of {name}, or the command")
    before, rest = rest[: wrapper.before], rest[wrapper.before :]
    if before and rest[:1] == ("--",):  # kubectl exec POD -- COMMAND
        rest = rest[1:]
    given = Given(name, earlier + options, before)
    _stay(given, wrapper)
    inside = inside._replace(words=rest)
    if wrapper.effect is not None:
        inside = wrapper.effect(inside, given)
    if later is not None:
        inside = inside.around(hides=name)
        if wrapper.effect in (_slurm, _mpi):
            inside = inside.around(copies=None)
    if not inside.words:
        raise NotARun(f"no command stands behind {name}")
    return inside


def _options(
    name: str, wrapper: Wrapper, words: tuple[str, ...]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """A wrapper's own options, and the words behind them."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(words) and (_is_option(words[at]) or (wrapper.may_vary and _varies(words, at))):
        word = words[at]
        if is_several(word):
            found.append((_LATER, word))
            at += 1
            continue
        if word == "--":
            at += 1
            break
        if word in wrapper.ends:
            raise NotARun(f"{name} {word} starts nothing")
        if _is_of_a_plugin(wrapper, words, at):
            at += 1
            continue
        taken, values = _option(name, wrapper, word)
        if values == _PAIR and word in _JOINED and "=" in "".join(words[at + 1 : at + 2]):
            values = 1  # MVAPICH's mpirun takes NAME=VALUE behind -env, too
        behind = words[at + 1 : at + 1 + values]
        if len(behind) < values:
            raise Unclear(f"{name} {taken[-1][0]} has no value")
        if values:
            taken[-1] = (taken[-1][0], " ".join(behind))
        found += taken
        at += 1 + values
    return tuple(found), words[at:]


def _is_of_a_plugin(wrapper: Wrapper, words: tuple[str, ...], at: int) -> bool:
    """Whether an option is that of a plug-in, and takes no value: what stands behind it is the command."""
    word = words[at]
    known = wrapper.values | wrapper.switches | wrapper.pairs
    is_own = word[:2] == "--" and "=" not in word and word not in known and not is_filled_in(word)
    return wrapper.extends and is_own and _starts(words[at + 1 :])


_PAIR = 2
_JOINED = ("-env", "-genv")
# The name under which options that are filled in later stand among those of a wrapper.
_LATER = "options that are filled in later"


def _is_option(word: str) -> bool:
    return word[:1] == "-" and word != "-"


def _varies(words: Sequence[str], at: int) -> bool:
    """Whether a word is filled in later, and a command stands behind it that is known to be one."""
    return is_several(words[at]) and any(_starts(words[behind : behind + 2]) for behind in range(at + 1, len(words)))


def _starts(words: Sequence[str]) -> bool:
    """Whether the first of these words is a launcher, Python, or another wrapper."""
    name = words[0].rpartition("/")[2] if words else ""
    return len(words) > 1 and (name in LAUNCHERS or name in _STARTING or name in WRAPPERS or is_python(name))


_STARTING = ("accelerate-launch", "llamafactory-cli", "trl", "axolotl", "swift")


def _option(name: str, wrapper: Wrapper, word: str) -> tuple[list[tuple[str, str]], int]:
    """The options in one word, and how many words behind it belong to the last of them.

    Raises:
        Unclear: one is not known.
    """
    option, equals, value = word.partition("=")
    known = wrapper.values | wrapper.switches | wrapper.pairs
    if equals and (option in known or (wrapper.extends and option[:2] == "--")):
        return [(option, value)], 0
    if word in known:
        return [(word, "")], 1 if word in wrapper.values else 2 if word in wrapper.pairs else 0
    if word[1:].isdigit() and "-N" in wrapper.values:  # nice -10
        return [("-N", word[1:])], 0
    if word[1:2] != "-" and not wrapper.one_dash:
        return _letters(name, wrapper, word)
    raise _not_known(name, option)


def _letters(name: str, wrapper: Wrapper, word: str) -> tuple[list[tuple[str, str]], int]:
    """`-it`, `-n4`: letters in one word, the last of which may have its value there as well."""
    found: list[tuple[str, str]] = []
    for at, letter in enumerate(word[1:], 1):
        option = f"-{letter}"
        if option in wrapper.values:
            rest = word[at + 1 :]
            return [*found, (option, rest.removeprefix("="))], 0 if rest else 1
        if option not in wrapper.switches:
            break
        if word[at + 1 :].isdigit():  # srun -K1
            return [*found, (option, word[at + 1 :])], 0
        found.append((option, ""))
    else:
        return found, 0
    raise _not_known(name, word.partition("=")[0])


def _not_known(name: str, option: str) -> Unclear:
    if is_filled_in(option):
        return Unclear(f"what {option} stands for is not known: options of {name}, or the command")
    return Unclear(f"{name} has an option that is not known here: {option}")


# What wrappers change.

_GIVES_GPUS = ("--gpus", "--device", "--runtime", "--nv", "--nvccli")


def _assignments(inside: Inside) -> Inside:
    """`NAME=value` in front of the command, as env and sudo have it."""
    variables = dict(inside.variables)
    words = inside.words
    while words and "=" in words[0] and not words[0].startswith("="):
        name, _, variables[name] = words[0].partition("=")
        words = words[1:]
    return inside._replace(words=words, variables=variables)


def _env(inside: Inside, given: Given) -> Inside:
    if given.has("-S", "--split-string"):
        variables, words = split(str(given.value("-S", "--split-string")))
        assigned = [f"{name}={value}" for name, value in variables.items()]
        inside = inside._replace(words=(*assigned, *words, *inside.words))
        options, rest = _options(given.name, WRAPPERS["env"], inside.words)  # type: ignore[arg-type]
        given = given._replace(options=given.options + options)
        inside = inside._replace(words=rest)
    if inside.words[:1] == ("-",) or given.has("-i", "--ignore-environment"):
        behind = inside.words[1:] if inside.words[:1] == ("-",) else inside.words
        inside = inside._replace(words=behind, variables={}).around(clears="env -i", unset=())
    gone = tuple(value for name, value in given.options if name in ("-u", "--unset"))
    if gone:
        left = {name: value for name, value in inside.variables.items() if name not in gone}
        inside = inside._replace(variables=left).around(unset=(*inside.surroundings.unset, *gone))
    return _assignments(inside)


def _sudo(inside: Inside, given: Given) -> Inside:
    """Without -E it starts the command with the variables of its own policy (sudoers, env_reset)."""
    kept = given.value("--preserve-env")
    if not given.has("-E") and kept != "":
        names = (kept or "").split(",")
        left = {name: value for name, value in inside.variables.items() if name in names}
        inside = inside._replace(variables=left).around(hides=given.name)
    return _assignments(inside)


def _exec(inside: Inside, given: Given) -> Inside:
    return inside._replace(variables={}).around(clears="exec -c") if given.has("-c") else inside


def _environment(inside: Inside, given: Given) -> Inside:
    return inside.around(environment=given.name)


def _uv(inside: Inside, given: Given) -> Inside:
    """`uv run x.py` and `uv run -m x` start Python by themselves."""
    inside = _environment(inside, given)
    first = inside.words[0] if inside.words else ""
    if given.has("-m", "--module"):
        return inside._replace(words=("python", "-m", *inside.words))
    if first.endswith((".py", ".pyw")) or given.has("-s", "--script"):
        return inside._replace(words=("python", *inside.words))
    return inside


def _with_variables(inside: Inside, given: Given) -> Inside:
    """It sets variables of which nothing is known here."""
    return inside.around(hides=given.name)


def _tool(inside: Inside, given: Given) -> Inside:
    return _environment(inside, given)


def _hatch(inside: Inside, given: Given) -> Inside:
    """`hatch run ENVIRONMENT:COMMAND`."""
    first = inside.words[0] if inside.words else ""
    return _environment(inside._replace(words=(first.rpartition(":")[2], *inside.words[1:])), given)


def _slurm(inside: Inside, given: Given) -> Inside:
    """srun starts so many tasks on the nodes of its allocation."""
    if given.has("--container-image", "--container-name"):
        inside = inside.around(environment=f"{given.name} with a container")
    exported = given.value("--export")
    if exported is not None:
        inside = _exported(inside, exported)
    return inside.around(machine=given.name, copies=_tasks(inside, given), copies_by=given.name)


def _exported(inside: Inside, exported: str) -> Inside:
    """`--export=ALL,A=1`, `--export=NONE`: which variables reach the tasks."""
    parts = exported.split(",")
    variables = dict(inside.variables)
    if "ALL" not in parts:
        variables = {name: value for name, value in variables.items() if name in parts}
        inside = inside.around(clears=f"srun --export={parts[0]}" if parts[0] in ("NONE", "NIL") else "srun --export")
    for part in parts:
        name, equals, value = part.partition("=")
        if equals:
            variables[name] = value
    return inside._replace(variables=variables)


def _tasks(inside: Inside, given: Given) -> int | None:
    """How many tasks there are: as srun is told, else as its allocation is, else one on each node.

    None where what is written is no number: it is filled in later.
    """
    tasks = _told(inside, given, ("-n", "--ntasks"), "SLURM_NTASKS")
    nodes = _told(inside, given, ("-N", "--nodes"), "SLURM_NNODES") or "1"
    each = _told(inside, given, ("--ntasks-per-node",), "SLURM_NTASKS_PER_NODE") or "1"
    by_itself = given.value("-N", "--nodes") is not None or given.value("--ntasks-per-node") is not None
    if tasks is not None and (given.value("-n", "--ntasks") is not None or not by_itself):
        return whole_number(tasks)
    number, per_node = whole_number(nodes), whole_number(each)
    return None if number is None or per_node is None else number * per_node


def _told(inside: Inside, given: Given, options: Sequence[str], variable: str) -> str | None:
    """What the option says, else the variable that the allocation sets."""
    value = given.value(*options)
    return inside.variables.get(variable) if value is None else value


def _sbatch(inside: Inside, given: Given) -> Inside:
    """`sbatch --wrap TEXT`: a shell script of one line."""
    text = given.value("--wrap")
    if text is None:
        script = inside.words[0] if inside.words else "JOB"
        raise Unclear(f"{given.name} starts a shell script: fp8check {script} checks the launch lines in it")
    set_, words = split(text)
    variables = dict(inside.variables)
    for options, name in _ALLOCATION.items():
        value = given.value(*options)
        if value is not None:
            variables[name] = value
    return inside._replace(words=tuple(words), variables={**variables, **set_}).around(machine=given.name)


# What sbatch tells the srun in its script.
_ALLOCATION = {
    ("-n", "--ntasks"): "SLURM_NTASKS",
    ("-N", "--nodes"): "SLURM_NNODES",
    ("--ntasks-per-node",): "SLURM_NTASKS_PER_NODE",
}


def _mpi(inside: Inside, given: Given) -> Inside:
    """mpirun starts so many processes; -x NAME=value sets a variable for them."""
    number = given.value("-n", "-np", "--np", "-c", "--n")
    variables = dict(inside.variables)
    for option, value in given.options:
        if option in ("-x", "-env", "-genv"):
            name, equals, text = value.replace(" ", "=", 1).partition("=")
            if equals:
                variables[name] = text
    copies = whole_number(number) if number is not None else None
    return inside._replace(variables=variables).around(copies=copies, copies_by=given.name)


def _container(inside: Inside, given: Given) -> Inside:
    """A container has an environment of its own, and of the variables those that it is given."""
    variables = {}
    for option, value in given.options:
        if option in ("-e", "--env"):
            for part in (value,) if given.name.startswith(_DOCKERS) else value.split(","):
                name, equals, text = part.partition("=")
                if equals:
                    variables[name] = text
                elif name in inside.variables:
                    variables[name] = inside.variables[name]
    entry = given.value("--entrypoint")
    words = (entry, *inside.words) if entry else inside.words
    if not words:
        raise Unclear(f"the container's image says what {given.name} starts")
    new = inside._replace(words=words, variables=variables)
    return new.around(environment=given.name, hides=given.name, clears="", unset=(), gpus=_gpus(given))


def _gpus(given: Given) -> str:
    """Who keeps the GPUs from the command, or may: a container has those that it is given."""
    if "compose" in given.name:
        return given.name  # its file says so
    if given.name in ("docker exec", "podman exec", "nerdctl exec", "enroot start") or given.has(*_GIVES_GPUS):
        return ""
    return f"{given.name} without --{'nv' if given.name.startswith(('apptainer', 'singularity')) else 'gpus'}"


def _apptainer(inside: Inside, given: Given) -> Inside:
    """The variables of the shell reach what is in the image, unless they are kept out."""
    inner = _container(inside, given)
    if given.has("-e", "--cleanenv", "-C", "--containall"):
        return inner
    kept = inside.surroundings
    return inner._replace(variables={**inside.variables, **inner.variables}).around(
        hides=kept.hides, clears=kept.clears, unset=kept.unset
    )


def _remote(inside: Inside, given: Given) -> Inside:
    """The command runs on a machine of which nothing is known here."""
    return inside._replace(variables={}).around(environment=given.name, machine=given.name, hides=given.name)


def _ssh(inside: Inside, given: Given) -> Inside:  # noqa: ARG001  one of the effects
    raise Unclear(
        f"{given.name} starts it on another machine, whose files are not here: fp8check has to be started there"
    )


def _shell(inside: Inside, given: Given) -> Inside:
    """`bash -c TEXT`: a command line of its own."""
    if not given.has("-c"):
        script = next((word for word in inside.words if not word.startswith("-")), "SCRIPT")
        raise Unclear(f"{given.name} starts a shell script: fp8check {script} checks the launch lines in it")
    if not inside.words:
        raise NotARun(f"{given.name} -c starts nothing")
    return _text(inside, inside.words[0])


def _eval(inside: Inside, given: Given) -> Inside:  # noqa: ARG001  one of the effects
    return _text(inside, " ".join(inside.words))


def _text(inside: Inside, text: str) -> Inside:
    variables, words = split(text)
    return inside._replace(words=tuple(words), variables={**inside.variables, **variables})


def _one_text(inside: Inside, given: Given) -> Inside:
    """tmux send-keys "cmd" C-m, screen -dmS NAME cmd: one word that is a command line, or its words."""
    words = inside.words
    while words and words[-1] in ("C-m", "Enter", "ENTER", "^M"):
        words = words[:-1]
    if given.has("-X") and words[:1] == ("stuff",):  # screen -X stuff "cmd"
        words = words[1:]
    inside = inside._replace(words=words)
    return _text(inside, words[0]) if len(words) == 1 else inside


def _script(inside: Inside, given: Given) -> Inside:
    """script -c TEXT FILE."""
    text = given.value("-c", "--command")
    if text is None:
        raise NotARun("script starts a shell")
    return _text(inside, text)


def _xargs(inside: Inside, given: Given) -> Inside:
    """What is read stands in the place of `{}`, or behind all words: nobody knows what that is."""
    mark = given.value("-I", "--replace")
    if not mark:
        return inside._replace(words=(*inside.words, "${XARGS}")) if inside.words else inside
    return inside._replace(words=tuple(word.replace(mark, "${XARGS}") for word in inside.words))


def _filled(word: str) -> str:
    """The word with what GNU parallel puts in: {}, {.}, {1}, {%}."""
    for mark in ("{}", "{.}", "{/}", "{//}", "{/.}", "{#}", "{%}", *(f"{{{number}}}" for number in range(1, 10))):
        word = word.replace(mark, "${PARALLEL}")
    return word


def _parallel(inside: Inside, given: Given) -> Inside:  # noqa: ARG001  one of the effects
    """parallel CMD {} ::: A B: each of the words in the place of `{}`, or behind the others."""
    words = inside.words
    ends = next((at for at, word in enumerate(words) if word[:3] in (":::", "::::")), len(words))
    words = words[:ends]
    if len(words) == 1:
        variables, parts = split(words[0])
        inside, words = inside._replace(variables={**inside.variables, **variables}), tuple(parts)
    filled = tuple(_filled(word) for word in words)
    return inside._replace(words=filled if filled != words else (*words, "${PARALLEL}"))


def _lookup(inside: Inside, given: Given) -> Inside:
    """`command -v accelerate` asks where a program is."""
    if given.has("-v", "-V"):
        raise NotARun("command -v starts nothing")
    return inside


def _profiled(inside: Inside, given: Given) -> Inside:
    """Profilers that run a Python file themselves: `coverage run x.py`."""
    first = inside.words[0] if inside.words else ""
    if given.has("-m", "--module"):
        return inside._replace(words=("python", "-m", *inside.words))
    return inside._replace(words=("python", *inside.words)) if first.endswith(".py") else inside


def _wrapper(
    values: str = "",
    switches: str = "",
    before: int = 0,
    effect: Effect | None = None,
    *,
    pairs: str = "",
    one_dash: bool = False,
    ends: str = "-h --help --version",
    folders: str = "",
    extends: bool = False,
    may_vary: bool = False,
) -> Wrapper:
    return Wrapper(
        frozenset((values + " " + folders).split()),
        frozenset(switches.split()),
        before,
        effect,
        frozenset(pairs.split()),
        one_dash,
        frozenset(ends.split()),
        frozenset(folders.split()),
        extends,
        may_vary,
    )


_PLAIN = _wrapper()
_DOCKERS = ("docker", "podman", "nerdctl")

_SLURM_VALUES = """
    -A --account --acctg-freq -b --begin --bcast --bell --cluster-constraint -M --clusters --comment -C --constraint
    --container --container-id --container-image --container-mounts --container-workdir --container-name
    --container-save --container-env --core-spec -S --cores-per-socket --cpu-bind --cpu-freq -c --cpus-per-task
    --cpus-per-gpu --deadline --delay-boot -d --dependency -m --distribution --epilog -e --error -x --exclude --export
    --extra-node-info -B --extra --gpu-bind --gpu-freq -G --gpus --gpus-per-node --gpus-per-socket --gpus-per-task
    --gres --gres-flags --het-group --hint -i --input -J --job-name --jobid -K --kill-on-bad-exit -L --licenses
    --mail-type --mail-user --mcs-label --mem --mem-bind --mem-per-cpu --mem-per-gpu --mincpus --mpi --multi-prog
    --network --nice -w --nodelist -N --nodes --ntasks -n --ntasks-per-core --ntasks-per-gpu --ntasks-per-node
    --ntasks-per-socket --open-mode -o --output -p --partition --power --prefer --prolog --propagate -q --qos
    --relative -r --reservation --resv-ports --signal --slurmd-debug --sockets-per-node --switches --task-epilog
    --task-prolog --threads -T --threads-per-core --thread-spec -t --time --time-min --tmp --tres-bind --tres-per-task
    --wait -W --wckey --wrap -a --array --export-file --chdir-to --profile --comment --uid --gid
"""
_SLURM_SWITCHES = """
    --contiguous --disable-status --exact --exclusive -s --oversubscribe -O --overcommit --overlap -Q --quiet
    --reboot --spread-job --test-only -u --unbuffered --use-min-nodes -v --verbose -X -Z --no-allocate -l --label
    -E --preserve-env -H --hold --immediate -I --interactive -k --no-kill --pty --het-step --whole --send-libs
    --no-container-mount-home --no-container-remap-root --no-container-entrypoint --no-container-writable
    --container-mount-home --container-remap-root --container-entrypoint --container-writable --no-requeue --requeue
    --parsable --ignore-pbs --kill-on-invalid-dep --get-user-env
"""
# --kill-on-bad-exit, --resv-ports, --propagate, --nice, --multi-prog take a value behind "=" only.
_SLURM_OPTIONAL = "-K --kill-on-bad-exit --resv-ports --propagate --nice --multi-prog --bcast --bell"


def _of_slurm(effect: Effect, ends: str = "") -> Wrapper:
    """srun and sbatch, which take the same options."""
    values = set(_SLURM_VALUES.split()).difference(_SLURM_OPTIONAL.split())
    switches = f"{_SLURM_SWITCHES} {_SLURM_OPTIONAL}"
    asking = f"{ends}--help --usage -V --version"
    return _wrapper(
        " ".join(values), switches, 0, effect, ends=asking, folders="-D --chdir", extends=True, may_vary=True
    )


_UV_VALUES = """
    --extra --no-extra --group --no-group --only-group --env-file --with --with-editable --with-requirements -w
    --package --python -p --index --default-index -i --index-url --extra-index-url -f --find-links
    --project -P --upgrade-package --reinstall-package --index-strategy --keyring-provider -C --config-setting
    --config-settings-package --no-build-isolation-package --no-build-package --no-binary-package --refresh-package
    --link-mode --resolution --prerelease --exclude-newer --exclude-newer-package --fork-strategy --cache-dir --color
    --allow-insecure-host --config-file --python-platform --python-preference --no-sources-package --upgrade-group
    --from --torch-backend --constraints --overrides
"""
_UV_SWITCHES = """
    --all-extras --dev --no-dev --only-dev --all-groups --no-default-groups --no-editable --inexact --exact --isolated
    --active --no-active --no-sync --locked --frozen -s --script --gui-script --all-packages --no-project --no-config
    --no-env-file -U --upgrade --reinstall --no-sources --no-index --refresh --no-build --no-binary -n --no-cache
    --offline -q --quiet -v --verbose --native-tls --system-certs --managed-python --no-managed-python
    --no-python-downloads --no-progress -m --module --compile-bytecode --no-build-isolation --preview --show-settings
"""
_UV = _wrapper(_UV_VALUES, _UV_SWITCHES, 0, _uv, folders="--directory", may_vary=True)
_TOOL = _wrapper(_UV_VALUES, _UV_SWITCHES, 0, _tool, folders="--directory")
_CONDA = _wrapper(
    "-n --name -p --prefix -a --attach -e --env --rc-file -r --root-prefix --label",
    "-v --verbose --dev --debug-wrapper-scripts --no-capture-output --live-stream -s -d --detach --clean-env -q --quiet"
    " --no-env --no-rc",
    0,
    _environment,
    folders="--cwd",
)
_DOCKER_VALUES = """
    --add-host --annotation -a --attach --blkio-weight --cap-add --cap-drop --cgroup-parent --cgroupns --cidfile
    --cpu-period --cpu-quota --cpu-shares -c --cpus --cpuset-cpus --cpuset-mems --detach-keys --device
    --device-cgroup-rule --device-read-bps --device-write-bps
    --dns --dns-option --dns-search --domainname --entrypoint -e --env --env-file
    --expose --gpus --group-add --health-cmd -h --hostname --ip --ip6 --ipc --isolation --kernel-memory -l --label
    --label-file --link --log-driver --log-opt --mac-address -m --memory --memory-reservation --memory-swap
    --memory-swappiness --mount --name --network --net --network-alias --oom-score-adj --pid --pids-limit --platform
    -p --publish --pull --restart --runtime --security-opt --shm-size --stop-signal --stop-timeout --storage-opt
    --sysctl --tmpfs --ulimit -u --user --userns --uts -v --volume --volume-driver --volumes-from -w --workdir
    --arch --authfile --pod --systemd --secret --hooks-dir --rootfs
"""
_DOCKER_SWITCHES = """
    -d --detach --init -i --interactive -t --tty --rm --privileged -P --publish-all --read-only --no-healthcheck
    --oom-kill-disable --sig-proxy --disable-content-trust -q --quiet --replace --no-hosts --env-host --gpus-all
"""
_RUN = _wrapper(_DOCKER_VALUES, _DOCKER_SWITCHES, 1, _container, ends="--help")
_IN_RUNNING = _wrapper(
    "-e --env --env-file -u --user -w --workdir --detach-keys --index",
    "-d --detach -i --interactive -t --tty --privileged -T --no-TTY",
    1,
    _container,
    ends="-h --help",
)
_COMPOSE = _wrapper(
    "-e --env -u --user -w --workdir --entrypoint --name -l --label -p --publish -v --volume --index --pull --cap-add",
    "-d --detach -i --interactive -t -T --no-TTY --tty --rm --build --no-deps --service-ports --use-aliases"
    " --privileged --quiet-pull --remove-orphans -P",
    1,
    _container,
)
_DOCKER: Mapping[str, Entry] = {"run": _RUN, "exec": _IN_RUNNING, "compose": {"run": _COMPOSE, "exec": _COMPOSE}}
_IMAGE = _wrapper(
    "-B --bind --mount --env --env-file -H --home -W --workdir --scratch -S -o --overlay --app --add-caps --drop-caps"
    " --dns --hostname --memory --network --network-args --pem-path --pid-file --security --cpus --cpuset-cpus"
    " --shell --fusemount --docker-username --docker-password --apply-cgroups --device",
    "--nv --rocm --nvccli -e --cleanenv -c --contain -C --containall -w --writable --writable-tmpfs -f --fakeroot"
    " -i --ipc -n --net -p --pid -u --userns --uts --no-home --no-privs --no-init --no-umask --no-eval --no-mount"
    " --allow-setuid --compat --sharens --unsquash --disable-cache --keep-privs -q --quiet -s --silent --underlay",
    1,
    _apptainer,
    folders="--pwd --cwd",
)
_MPI = _wrapper(
    "-n -np --np --n -c -H -host --host -hosts -hostfile --hostfile -machinefile --machinefile -f -x -N -npernode"
    " --npernode -ppn -npersocket --npersocket -bind-to --bind-to -map-by --map-by -rank-by --rank-by -rf --rankfile"
    " -output-filename --output-filename -report-uri --report-uri -tune --tune --am -am -launcher -bootstrap -rmk"
    " -path --path -prefix --prefix -timeout --timeout -wdir-to -iface -envlist -genvlist --pernode-n --output"
    " -ppr --personality -cpu-set --cpu-set -xterm --xterm --display --runtime-options -hosts-file",
    "-q -quiet --quiet -v -verbose --verbose -V-off -allow-run-as-root --allow-run-as-root"
    " -oversubscribe --oversubscribe"
    " -nooversubscribe --nooversubscribe -bynode -byslot --bynode --byslot -pernode --pernode"
    " -display-map --display-map -display-allocation --display-allocation"
    " -report-bindings --report-bindings -tag-output --tag-output -l"
    " -prepend-rank -genvall -genvnone -envall -envnone -timestamp-output --timestamp-output -merge-stderr-to-stdout"
    " --merge-stderr-to-stdout -enable-recovery --enable-recovery --use-hwthread-cpus -use-hwthread-cpus -tm --tm"
    " -noprefix --noprefix -continuous --continuous -do-not-launch -nolocal --nolocal -debug-daemons --debug-daemons"
    " --leave-session-attached -leave-session-attached -bind-to-none -bind-to-core -bycore",
    0,
    _mpi,
    pairs="-mca --mca -gmca --gmca -env -genv --prtemca --pmixmca",
    one_dash=True,
    may_vary=True,
    folders="-wdir --wdir -wd --wd -C",
)

# One entry a wrapper; one with commands of its own has a table of them.
WRAPPERS: Mapping[str, Entry] = {
    "nohup": _wrapper(),
    "time": _wrapper("-f --format -o --output", "-p -v --verbose -a --append -q --quiet --portability", may_vary=True),
    "timeout": _wrapper("-k --kill-after -s --signal", "-f -v --foreground -p --preserve-status --verbose", 1),
    "nice": _wrapper("-n --adjustment -N"),
    "ionice": _wrapper("-c --class -n --classdata -p --pid -P --pgid -u --uid", "-t --ignore"),
    "chrt": _wrapper("-T -P -D", "-b -f -i -o -r -R -a -v --batch --fifo --idle --other --rr", 1),
    "numactl": _wrapper(
        "-N --cpunodebind --cpubind -C --physcpubind -m --membind -i --interleave -p --preferred -P --preferred-many"
        " -w --weighted-interleave -b --balancing-n",
        "-l --localalloc -a --all -b --balancing -c",
        ends="-h --help -V --version -H --hardware -s --show",
        may_vary=True,
    ),
    "taskset": _wrapper("", "-a --all-tasks -c --cpu-list", 1, ends="-h --help -V --version -p --pid"),
    "stdbuf": _wrapper("-i --input -o --output -e --error"),
    "unbuffer": _wrapper("", "-p"),
    "setsid": _wrapper("", "-c --ctty -f --fork -w --wait"),
    "catchsegv": _wrapper(),
    "chronic": _wrapper("", "-v -e"),
    "tini": _wrapper("-p -e", "-s -v -w -g -vv"),
    "dumb-init": _wrapper("-r --rewrite", "-c --single-child -v --verbose"),
    "gosu": _wrapper("", "", 1, _environment),
    "flock": _wrapper(
        "-w --timeout --wait -E --conflict-exit-code",
        "-n --nb --nonblock -x -e --exclusive -s --shared -o --close -F --no-fork --verbose",
        1,
    ),
    "strace": _wrapper("-o -e -s -p -P -a -S -E", "-f -ff -t -tt -ttt -T -c -q -v -y -r -x -k"),
    "compute-sanitizer": _wrapper(
        "--tool --log-file --kernel-regex --launch-timeout --target-processes --error-exitcode --save",
        "--leak-check --report-api-errors",
        extends=True,
    ),
    "dotenv": {"run": _wrapper("", "--override --no-override", 0, _with_variables)},
    "direnv": {"exec": _wrapper("", "", 1, _environment)},
    "doppler": {"run": _wrapper("-p --project -c --config -t --token", "--preserve-env", 0, _with_variables)},
    "script": _wrapper(
        "-c --command -E --echo -o --output-limit", "-a -e -f -q --append --return --flush --quiet", 0, _script
    ),
    "watch": _wrapper("-n --interval", "-b -c -d -e -g -t -x --beep --color --errexit --no-title --exec", 0, _one_text),
    "tmux": dict.fromkeys(
        ("new-session", "new", "new-window", "neww", "split-window", "splitw", "send-keys", "send", "respawn-pane"),
        _wrapper("-s -t -n -c -x -y -F -e -l -p", "-d -A -D -P -X -h -v -b -f -k -l -R -M", 0, _one_text),
    ),
    "screen": _wrapper("-S -t -h -c -e -s -T -p", "-d -m -D -L -A -U -a -i -q -r -x -X -wipe", 0, _one_text),
    "xargs": _wrapper(
        "-I -n -P -L -a -d -E -s --max-args --max-procs --replace --max-lines --arg-file --delimiter",
        "-0 -r -t -p -x --null --no-run-if-empty --verbose",
        0,
        _xargs,
    ),
    "parallel": _wrapper(
        "-j --jobs --joblog --results --delay --timeout -a --arg-file -I --tmpdir -S --sshlogin --colsep --retries"
        " --memfree -C -N -n --max-args",
        "-k --keep-order --bar --eta --lb --line-buffer -u --ungroup --progress --dry-run -v --verbose --will-cite"
        " --halt-on-error -q --quote --resume --resume-failed --linebuffer --tag -0 -X -m",
        0,
        _parallel,
        extends=True,
    ),
    **dict.fromkeys(
        ("pdsh", "clush", "pssh", "parallel-ssh"),
        _wrapper("-w -x -f -R -l -t -u -g -h -H -p -i -o -e -b", "-S -b -N -v -q -A -P", 0, _ssh),
    ),
    "caffeinate": _wrapper("-t -w", "-d -i -m -s -u"),
    "prlimit": _wrapper("", "--nofile --memlock --stack --core --as --nproc --noheadings --verbose"),
    "systemd-run": _wrapper(
        "-p --property --unit -u --slice --uid --gid --nice -E --setenv -M --machine --description",
        "--user --scope --wait -P --pipe -t --pty -q --quiet --collect -G --same-dir -d --no-block -r",
        folders="--working-directory",
    ),
    "xvfb-run": _wrapper(
        "-e --error-file -f --auth-file -n --server-num -p --xauth-protocol -s --server-args -w --wait",
        "-a --auto-servernum -l --listen-tcp",
    ),
    "env": _wrapper(
        "-u --unset -S --split-string -a --argv0",
        "-i --ignore-environment -0 --null -v --debug --block-signal --default-signal --ignore-signal",
        0,
        _env,
        folders="-C --chdir",
    ),
    "sudo": _wrapper(
        "-u --user -g --group -h --host -p --prompt -r --role -t --type -T --command-timeout -U --other-user -c -R",
        "-E --preserve-env -H --set-home -n --non-interactive -b --background -S --stdin -k --reset-timestamp"
        " -A --askpass -P --preserve-groups -B --bell",
        0,
        _sudo,
        ends="-V --version --help -l --list -v --validate -K",
        folders="-D --chdir",
    ),
    "doas": _wrapper("-u -C", "-n", 0, _sudo),
    "exec": _wrapper("-a", "-c -l", 0, _exec),
    "command": _wrapper("", "-p -v -V", 0, _lookup),
    "builtin": _wrapper(),
    "eval": _wrapper(effect=_eval),
    **dict.fromkeys(
        SHELLS,
        _wrapper(
            "-o -O +o --rcfile --init-file",
            "-c -l -i -e -u -x -v -f -r -s --login --norc --noprofile --posix",
            0,
            _shell,
        ),
    ),
    "srun": _of_slurm(_slurm),
    "sbatch": _of_slurm(_sbatch, ends="-h "),
    **dict.fromkeys(("mpirun", "mpiexec", "orterun", "mpiexec.hydra", "prterun"), _MPI),
    "uv": {"run": _UV},
    "uvx": _TOOL,
    **{name: {"run": _CONDA} for name in ("conda", "mamba", "micromamba")},
    "poetry": {"run": _wrapper("", "-q --quiet -v -vv -vvv --verbose -n --no-interaction", 0, _environment)},
    "pdm": {"run": _wrapper("-p --project --venv -s --site-packages", "-q -v --recreate", 0, _environment)},
    "pipenv": {"run": _wrapper("--pypi-mirror --python", "-q -v --system", 0, _environment)},
    "rye": {"run": _wrapper("", "-l --list", 0, _environment)},
    "hatch": {"run": _wrapper("", "", 0, _hatch)},
    "pixi": {
        "run": _wrapper(
            "-e --environment --manifest-path -m --color --platform -p --concurrent-downloads",
            "--frozen --locked --as-is --no-install --clean-env --skip-deps -q --quiet -v --verbose --no-progress"
            " -x --executable --revalidate --force-activate --no-completions",
            0,
            _environment,
        )
    },
    **dict.fromkeys(_DOCKERS, _DOCKER),
    "docker-compose": _DOCKER["compose"],
    "ssh": _wrapper(
        "-b -B -c -D -e -E -F -i -I -J -l -L -m -O -o -p -Q -R -S -w -W",
        "-4 -6 -A -a -C -f -G -g -K -k -M -N -n -q -s -T -t -V -v -X -x -Y -y",
        1,
        _ssh,
    ),
    **{name: {"exec": _IMAGE, "run": _IMAGE} for name in ("apptainer", "singularity")},
    "enroot": {
        "start": _wrapper("-c --conf -e --env -m --mount", "-r --root -w --rw", 1, _container, ends="-h --help")
    },
    "kubectl": {
        "exec": _wrapper(
            "-n --namespace -c --container --context --kubeconfig -f", "-i --stdin -t --tty -q", 1, _remote
        )
    },
    "nsys": {
        "profile": _wrapper(
            "-t --trace -o --output -y --delay -d --duration -c --capture-range --capture-range-end -s --sample"
            " -w --show-output -x --stop-on-exit -f --force-overwrite --gpu-metrics-device --gpu-metrics-devices"
            " --gpu-metrics-frequency --cuda-memory-usage --cudabacktrace --cuda-graph-trace --python-sampling"
            " --python-backtrace --pytorch --python-functions-trace --session-new --kill --stats --export -e --env-var"
            " --backtrace --cpuctxsw -p --nvtx-capture --osrt-threshold --nic-metrics --wait -n --inherit-environment"
            " --trace-fork-before-exec --nvtx-domain-include --nvtx-domain-exclude"
            " --sampling-frequency --cuda-flush-interval",
            "",
            extends=True,
            may_vary=True,
        )
    },
    "ncu": _wrapper(
        "-o --export -k --kernel-name -c --launch-count -s --launch-skip --set --section --metrics --target-processes"
        " --nvtx-include --nvtx-exclude --replay-mode --clock-control --cache-control --log-file --import-source"
        " --csv-to --kernel-name-base --profile-from-start --launch-skip-before-match",
        "-f --force-overwrite --nvtx --csv --quiet",
    ),
    "py-spy": {
        "record": _wrapper(
            "-o --output -f --format -d --duration -r --rate -p --pid", "-s --subprocesses -n --native -i -g -t"
        ),
    },
    "coverage": {
        "run": _wrapper(
            "--rcfile --source --omit --include --context --concurrency --data-file",
            "-p --parallel-mode -a --append --branch -m --module",
            0,
            _profiled,
        )
    },
    "kernprof": _wrapper(
        "-o --outfile -s --setup -p --prof-mod", "-l --line-by-line -b --builtin -v --view -m", 0, _profiled
    ),
    "memray": {
        "run": _wrapper(
            "-o --output -p --live-port",
            "-f --force -q --quiet --native --follow-fork --trace-python-allocators --live -m",
            0,
            _profiled,
        )
    },
    "viztracer": _wrapper(
        "-o --output_file --tracer_entries --max_stack_depth", "--log_async -m --module --quiet", 0, _profiled
    ),
    "scalene": _wrapper(
        "--outfile --cpu-percent-threshold --profile-interval",
        "--cpu --gpu --memory --html --json --cli --reduced-profile",
        0,
        _profiled,
    ),
}
_GLOBAL: Mapping[str, Wrapper] = {
    **dict.fromkeys(
        ("docker compose", "docker-compose"),
        _wrapper(
            "-f --file -p --project-name --profile --env-file --ansi --progress",
            "--compatibility --dry-run",
            folders="--project-directory",
        ),
    ),
    "uv": _UV,
    **dict.fromkeys(("conda", "mamba", "micromamba"), _CONDA),
    "poetry": _wrapper(
        "", "-q --quiet -v -vv -vvv --verbose -n --no-interaction --no-plugins", folders="-C --directory -P --project"
    ),
    **dict.fromkeys(_DOCKERS, _wrapper("-c --context -H --host -l --log-level --config", "-D --debug --tls")),
    **dict.fromkeys(
        ("apptainer", "singularity"),
        _wrapper("-c --config", "-d --debug -q --quiet -s --silent -v --verbose --nocolor"),
    ),
}
