"""What `#SBATCH` lines say of a job: Slurm hands it to the script as variables."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SHORT = {"-N": "nodes", "-n": "ntasks", "-G": "gpus", "-D": "chdir", "-c": "cpus-per-task"}


def options(directives: Sequence[tuple[str, int]]) -> dict[str, str]:
    """The options of the lines, by their long names."""
    given: dict[str, str] = {}
    for text, _ in directives:
        words = text.partition(" #")[0].split()
        for word, following in zip(words, [*words[1:], ""], strict=False):
            name, equals, value = word.partition("=")
            if word.startswith("-"):
                given[_SHORT.get(name, name.lstrip("-"))] = value if equals else following
    return given


def variables(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variables that sbatch makes of its options, where they are numbers: sbatch(1), output environment."""
    nodes, tasks = _number(given.get("nodes")), _number(given.get("ntasks"))
    each = _number(given.get("ntasks-per-node"))
    gpus = _number(given.get("gpus-per-node")) or _of_gres(given.get("gres", ""))
    if gpus is None and nodes in (None, 1):
        gpus = _number(given.get("gpus"))
    if tasks is None and nodes is not None and each is not None:
        tasks = nodes * each
    for value, names in (
        (nodes, ("SLURM_NNODES", "SLURM_JOB_NUM_NODES")),
        (tasks, ("SLURM_NTASKS", "SLURM_NPROCS")),
        (each, ("SLURM_NTASKS_PER_NODE",)),
        (gpus, ("SLURM_GPUS_ON_NODE",)),
        (_number(given.get("cpus-per-task")), ("SLURM_CPUS_PER_TASK",)),
    ):
        if value is not None:
            yield from ((name, str(value)) for name in names)
    for pair in given.get("export", "").split(","):
        name, equals, text = pair.partition("=")
        if equals and name.isidentifier():
            yield name, text


def _number(text: str | None) -> int | None:
    """A count, also with the kind before it: 4, h100:4."""
    digits = (text or "").rpartition(":")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 8 else None


def _of_gres(text: str) -> int | None:
    """The GPUs of --gres=gpu:h100:4,nvme."""
    for part in text.split(","):
        kind, _, count = part.partition(":")
        if kind == "gpu":
            return _number(count) if count else 1
    return None
