"""What wrappers change for the command behind them: its variables, environment and machine, how often it starts."""

from __future__ import annotations

from fp8check.rules.settings.command import split
from fp8check.rules.settings.launch import Elsewhere, NotARun, Unclear
from fp8check.rules.settings.values import whole_number
from fp8check.rules.settings.wrapper_data import ShellScript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from fp8check.rules.settings.wrapper_data import Given, Inside

DOCKERS = ("docker", "podman", "nerdctl")
_GIVES_GPUS = ("--gpus", "--device", "--runtime", "--nv", "--nvccli")


def _assignments(inside: Inside) -> Inside:
    """`NAME=value` in front of the command, as env and sudo have it."""
    variables = dict(inside.variables)
    words = inside.words
    while words and "=" in words[0] and not words[0].startswith("="):
        name, _, variables[name] = words[0].partition("=")
        words = words[1:]
    return inside._replace(words=words, variables=variables)


def env(inside: Inside, given: Given) -> Inside:
    """Variables that it takes away and sets."""
    if inside.words[:1] == ("-",) or given.has("-i", "--ignore-environment"):
        behind = inside.words[1:] if inside.words[:1] == ("-",) else inside.words
        inside = inside._replace(words=behind, variables={}).around(clears="env -i", unset=())
    gone = tuple(value for name, value in given.options if name in ("-u", "--unset"))
    if gone:
        left = {name: value for name, value in inside.variables.items() if name not in gone}
        inside = inside._replace(variables=left).around(unset=(*inside.surroundings.unset, *gone))
    return _assignments(inside)


def sudo(inside: Inside, given: Given) -> Inside:
    """Without -E it starts the command with the variables of its own policy (sudoers, env_reset)."""
    kept = given.value("--preserve-env")
    if not given.has("-E") and kept != "":
        names = (kept or "").split(",")
        left = {name: value for name, value in inside.variables.items() if name in names}
        inside = inside._replace(variables=left).around(hides=given.name)
    return _assignments(inside)


def exec_(inside: Inside, given: Given) -> Inside:
    """`exec -c`: no variable is left."""
    return inside._replace(variables={}).around(clears="exec -c") if given.has("-c") else inside


def environment(inside: Inside, given: Given) -> Inside:
    """It starts the command in an environment of its own: other packages."""
    return inside.around(environment=given.name)


def uv(inside: Inside, given: Given) -> Inside:
    """`uv run x.py` and `uv run -m x` start Python by themselves."""
    inside = environment(inside, given)
    first = inside.words[0] if inside.words else ""
    if given.has("-m", "--module"):
        return inside._replace(words=("python", "-m", *inside.words))
    if first.endswith((".py", ".pyw")) or given.has("-s", "--script"):
        return inside._replace(words=("python", *inside.words))
    return inside


def with_variables(inside: Inside, given: Given) -> Inside:
    """It sets variables of which nothing is known here."""
    return inside.around(hides=given.name)


def hatch(inside: Inside, given: Given) -> Inside:
    """`hatch run ENVIRONMENT:COMMAND`."""
    first = inside.words[0] if inside.words else ""
    return environment(inside._replace(words=(first.rpartition(":")[2], *inside.words[1:])), given)


def slurm(inside: Inside, given: Given) -> Inside:
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


def sbatch(inside: Inside, given: Given) -> Inside:
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


def mpi(inside: Inside, given: Given) -> Inside:
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


def container(inside: Inside, given: Given) -> Inside:
    """A container has an environment of its own, and of the variables those that it is given."""
    variables = {}
    for option, value in given.options:
        if option in ("-e", "--env"):
            for part in (value,) if given.name.startswith(DOCKERS) else value.split(","):
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


def apptainer(inside: Inside, given: Given) -> Inside:
    """The variables of the shell reach what is in the image, unless they are kept out."""
    inner = container(inside, given)
    if given.has("-e", "--cleanenv", "-C", "--containall"):
        return inner
    kept = inside.surroundings
    return inner._replace(variables={**inside.variables, **inner.variables}).around(
        hides=kept.hides, clears=kept.clears, unset=kept.unset
    )


def outside(folder: str, given: Given, mounts: Collection[str]) -> str:
    """A folder of a container, as the machine calls it: where it is mounted; as the container does where it is not."""
    source, rest, longest = "", folder, 0
    for option, value in given.options:
        for here, there in _mounted(value) if option in mounts else ():
            is_within = folder == there or folder.startswith(f"{there}/")
            if is_within and len(there) > longest:
                source, rest, longest = here, folder[len(there) :], len(there)
    return f"{source}{rest}" or folder


def _mounted(value: str) -> Iterator[tuple[str, str]]:
    """What a mount says: HOST:CONTAINER:ro, several of them with commas; type=bind,source=HOST,target=CONTAINER."""
    if "=" in value.partition(",")[0]:
        pairs = dict(part.partition("=")[::2] for part in value.split(","))
        source = pairs.get("source") or pairs.get("src") or ""
        target = pairs.get("target") or pairs.get("destination") or pairs.get("dst") or ""
        parts = [[source, target]]
    else:
        parts = [mount.split(":") for mount in value.split(",")]
    for here, *there in parts:
        if here:
            yield here, (there[0] if there else here).rstrip("/")


def remote(inside: Inside, given: Given) -> Inside:
    """The command runs on a machine of which nothing is known here."""
    return inside._replace(variables={}).around(environment=given.name, machine=given.name, hides=given.name)


def ssh(inside: Inside, given: Given) -> Inside:
    """It starts the command on another machine."""
    why = f"{given.name} starts it on another machine, whose files are not here: fp8check has to be started there"
    raise Elsewhere(why, inside.words)


def shell(inside: Inside, given: Given) -> Inside:
    """`bash -c TEXT`: a command line of its own."""
    if not given.has("-c"):
        script = next((word for word in inside.words if not word.startswith("-")), "SCRIPT")
        text = f"{given.name} starts a shell script: fp8check {script} checks the launch lines in it"
        raise ShellScript(text, inside)
    if not inside.words:
        raise NotARun(f"{given.name} -c starts nothing")
    return _text(inside, inside.words[0])


def eval_(inside: Inside, given: Given) -> Inside:  # noqa: ARG001  one of the effects
    """Its words, read a second time."""
    return _text(inside, " ".join(inside.words))


def _text(inside: Inside, text: str) -> Inside:
    variables, words = split(text)
    return inside._replace(words=tuple(words), variables={**inside.variables, **variables})


def one_text(inside: Inside, given: Given) -> Inside:
    """tmux send-keys "cmd" C-m, screen -dmS NAME cmd: one word that is a command line, or its words."""
    words = inside.words
    while words and words[-1] in ("C-m", "Enter", "ENTER", "^M"):
        words = words[:-1]
    if given.has("-X") and words[:1] == ("stuff",):  # screen -X stuff "cmd"
        words = words[1:]
    inside = inside._replace(words=words)
    return _text(inside, words[0]) if len(words) == 1 else inside


def script(inside: Inside, given: Given) -> Inside:
    """script -c TEXT FILE."""
    text = given.value("-c", "--command")
    if text is None:
        raise NotARun("script starts a shell")
    return _text(inside, text)


def xargs(inside: Inside, given: Given) -> Inside:
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


def parallel(inside: Inside, given: Given) -> Inside:  # noqa: ARG001  one of the effects
    """parallel CMD {} ::: A B: each of the words in the place of `{}`, or behind the others."""
    words = inside.words
    ends = next((at for at, word in enumerate(words) if word[:3] in (":::", "::::")), len(words))
    words = words[:ends]
    if len(words) == 1:
        variables, parts = split(words[0])
        inside, words = inside._replace(variables={**inside.variables, **variables}), tuple(parts)
    filled = tuple(_filled(word) for word in words)
    return inside._replace(words=filled if filled != words else (*words, "${PARALLEL}"))


def lookup(inside: Inside, given: Given) -> Inside:
    """`command -v accelerate` asks where a program is."""
    if given.has("-v", "-V"):
        raise NotARun("command -v starts nothing")
    return inside


def profiled(inside: Inside, given: Given) -> Inside:
    """Profilers that run a Python file themselves: `coverage run x.py`."""
    first = inside.words[0] if inside.words else ""
    if given.has("-m", "--module"):
        return inside._replace(words=("python", "-m", *inside.words))
    return inside._replace(words=("python", *inside.words)) if first.endswith(".py") else inside
