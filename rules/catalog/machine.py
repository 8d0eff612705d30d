"""FP6xx and FP7xx: what the facts say of themselves: how old they are, and of which machine."""

from __future__ import annotations

from fp8check.rules.engine.definition import WARNING, Found, rule
from fp8check.rules.engine.requirements import require_gpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.facts import Facts
    from fp8check.rules.outcome import Outcome

# accelerate alone had ten releases in the twelve months to 1.15.0: what was installed a month ago is likely not what is
# installed today, and clusters change their drivers and images about as often.
OLD_DAYS = 30


@rule(
    "FP623",
    "facts-are-old",
    WARNING,
    "own rules/catalog/machine.py: OLD_DAYS, and why",
    "own rules/facts/collect.py: the day that facts are stamped with",
    claims=("nothing",),
)
def facts_are_old(facts: Facts, requested: Requested, outcome: Outcome, today: str) -> Iterator[Found]:
    """The facts that were given were collected more than 30 days ago, or on a day in the future.

    Why it hurts: packages, drivers and images change about once a month. What is called clean is clean on a machine
    that may not be there any more.

    Example: `--facts node.json`, whose `collected` is a day of the quarter before.

    Write instead: `fp8check env --json > node.json`, on the node, anew.
    """
    if facts.collected is None or not _concerns_fp8(requested, outcome):
        return
    days = _days(today) - _days(facts.collected)
    if -1 <= days <= OLD_DAYS:  # a clock may be in another time zone
        return
    where = f" on {facts.host}" if facts.host is not None else ""
    yield Found(
        f"the facts are {days} days old" if days > 0 else "the facts are of a day that is to come",
        label="nothing is known of what was installed since",
        notes=(f"{facts.path or 'the facts'}: collected {facts.collected}{where}",),
        fact="`fp8check env --json > facts.json` on the node collects them anew",
    )


@rule(
    "FP714",
    "facts-of-another-node",
    WARNING,
    "https://slurm.schedmd.com/salloc.html",
    "own rules/facts/variables.py: which variables of Slurm facts have",
    claims=("nothing",),
)
def facts_of_another_node(facts: Facts, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """The facts are of a login node, or of another node than those of the job.

    Why it hurts: `salloc` opens its shell where it was called, with the variables of the job around it: what is found
    there, no GPU and maybe other packages, is not what the run will meet on the nodes of the job.

    Example: `salloc --gpus 8`, and `fp8check env --json > facts.json` in the shell that it opens.

    Write instead: `srun --overlap fp8check env --json > facts.json`, which runs on a node of the job.
    """
    variables = facts.variables or {}
    if "SLURM_JOB_ID" not in variables or not _concerns_fp8(requested, outcome):
        return
    nodes = variables.get("SLURM_JOB_NODELIST")
    if facts.host is not None and nodes is not None and not _is_among(facts.host, nodes):
        message, note = "the facts are of another node than those of the job", f"of {facts.host}; the job has {nodes}"
    elif "SLURMD_NODENAME" not in variables and not require_gpus(facts):
        message, note = (
            "the facts are of a login node",
            "a job of Slurm is around it, no step of it, and no GPU is there",
        )
    else:
        return
    yield Found(
        message,
        label="the run will be on another machine",
        notes=(note,),
        fact="`srun --overlap fp8check env --json > facts.json` collects them in a step of the job",
    )


def _concerns_fp8(requested: Requested, outcome: Outcome) -> bool:
    return bool(requested.fp8) or outcome.trains_in_fp8 is not False


def _days(day: str) -> int:
    """The number of a day, YYYY-MM-DD, which facts are held to when they are loaded."""
    from datetime import date

    return date.fromisoformat(day).toordinal()


def _is_among(host: str, nodes: str) -> bool:
    """Whether a host is among Slurm's list of nodes, "gpu[01-04,07],big1"; True where the list has another form."""
    name = host.partition(".")[0]
    return any(_is_one_of(name, part) for part in _parts(nodes))


def _parts(nodes: str) -> Iterator[str]:
    """The entries of a list of nodes: commas inside of brackets do not part them."""
    start, depth = 0, 0
    for at, character in enumerate(nodes):
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            yield nodes[start:at]
            start = at + 1
    yield nodes[start:]


def _is_one_of(name: str, part: str) -> bool:
    before, bracket, rest = part.partition("[")
    if not bracket:
        return name == part.partition(".")[0]
    ranges, _, behind = rest.partition("]")
    number = name[len(before) : len(name) - len(behind)]
    if "[" in behind:
        return True
    if not name.startswith(before) or not name.endswith(behind) or not number.isdecimal():
        return False
    for one in ranges.split(","):
        first, _, last = one.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal() and len(first) < 10):
            return True
        if len(number) == len(first) and first <= number <= (last or first):
            return True
    return False
