"""Where nodes differ: by subject, what most of them have, and who has something else."""

from __future__ import annotations

from collections import Counter, defaultdict

from fp8check.rules.nodes.digest import CLOCKS, VARIABLE, VARIABLES
from fp8check.rules.nodes.outliers import SLOWER, Timed, off, slow, usual
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Literal

    from fp8check.rules.nodes.digest import Digest, GpuDigest, Values

    # error: what has to be one and the same in all processes of a job, or slows all of them; warning: what may differ
    # in a job that runs well; undecided: nobody knows whether it differs.
    Weight = Literal["error", "warning", "undecided"]

SPEED = "speed"
MOST_NOT_TOLD = 10  # subjects
_WEIGHED: Mapping[str, Weight] = {
    "driver": "warning",
    "CUDA of driver": "warning",
    CLOCKS: "warning",
    f"{VARIABLE}CUDA_HOME": "warning",
    f"{VARIABLE}HF_HOME": "warning",
    f"{VARIABLE}LD_LIBRARY_PATH": "warning",
    f"{VARIABLE}SLURM_JOB_ID": "warning",
    f"{VARIABLE}XDG_CACHE_HOME": "warning",
}


class Other(Record):
    """What some nodes have that most have not."""

    value: str
    hosts: tuple[str, ...]


class Drift(Record):
    """A subject in which nodes differ.

    Attributes:
        usual: what most nodes have; None where no more than half of them have the same.
        count: how many have it.
        others: what else there is. Where there is nothing usual, all that there is.
    """

    subject: str
    weight: Weight
    usual: str | None
    count: int
    others: tuple[Other, ...]

    @property
    def sentence(self) -> str:
        """In what they differ."""
        if self.usual is None:
            return f"{self.subject}: no value is that of more than half of the nodes"
        return f"{self.subject}: {self.usual} on {self.count:,}"


def drift(nodes: Sequence[Digest]) -> list[Drift]:
    """Where these nodes differ, in the order of the subjects; one digest a node."""
    kinds: dict[Values, list[str]] = defaultdict(list)
    for digest in nodes:
        if digest.values:
            kinds[digest.values].append(digest.host)
    found = [*_of_values(kinds), *_of_speed(nodes), *_of_clocks(nodes), *_of_numbers(nodes)]
    return sorted(found, key=lambda one: one.subject)


def _of_values(kinds: Mapping[Values, Sequence[str]]) -> Iterator[Drift]:
    by_kind = [(dict(values), hosts) for values, hosts in kinds.items()]
    subjects = dict.fromkeys(name for values, _ in by_kind for name in values if name != VARIABLES)
    not_told: list[Drift] = []
    for subject in subjects:
        having: dict[str, list[str]] = defaultdict(list)
        unknown: list[str] = []
        for values, hosts in by_kind:
            if subject in values:
                having[_shown(subject, values[subject])].extend(hosts)
            elif subject.startswith(VARIABLE) and VARIABLES in values:
                having[_shown(subject, None)].extend(hosts)
            else:
                unknown.extend(hosts)
        if len(having) > 1:
            yield _split(subject, having)
        if unknown:
            most = max(sorted(having), key=lambda value: len(having[value]))
            other = Other("not known", tuple(sorted(unknown)))
            not_told.append(Drift(subject, "undecided", most, len(having[most]), (other,)))
    yield from _few(not_told)


def _few(not_told: Sequence[Drift]) -> Iterator[Drift]:
    """What some nodes do not tell, those subjects first that most others tell, and all further ones as one.

    A single node may tell a thousand subjects that no other one has; of each all others would be named.
    """
    ranked = sorted(not_told, key=lambda one: (len(one.others[0].hosts), one.subject))
    yield from ranked[:MOST_NOT_TOLD]
    more = ranked[MOST_NOT_TOLD:]
    if more:
        hosts = sorted({host for difference in more for host in difference.others[0].hosts})
        count = max(difference.count for difference in more)
        other = Other("not known", tuple(hosts))
        yield Drift(f"other subjects ({len(more):,})", "undecided", "what others tell", count, (other,))


def _shown(subject: str, value: str | None) -> str:
    if value is not None:
        return value or '""'
    return "not set" if subject.startswith(VARIABLE) else "not installed"


def _split(subject: str, having: Mapping[str, Sequence[str]]) -> Drift:
    counts = Counter({value: len(hosts) for value, hosts in having.items()})
    most, count = max(counts.items(), key=lambda pair: (pair[1], pair[0]))
    is_usual = 2 * count > sum(counts.values())
    others = [
        Other(value, tuple(sorted(hosts))) for value, hosts in sorted(having.items()) if not is_usual or value != most
    ]
    weight = _WEIGHED.get(subject, "error")
    return Drift(subject, weight, most if is_usual else None, count if is_usual else 0, tuple(others))


def _of_speed(nodes: Sequence[Digest]) -> Iterator[Drift]:
    """GPUs that take longer for a step than others of their kind do."""
    for kind, every in _by_kind(nodes).items():
        timed = [(host, gpu.gpu, Timed(gpu.ms, gpu.bf16_ms)) for host, gpu in every if gpu.ms is not None]
        median, places = slow([time for _, _, time in timed])
        if places:
            named = sorted((timed[place] for place in places), key=lambda one: one[:2])
            others = [Other(f"GPU {gpu} {slow_in_words(time.fp8, median)}", (host,)) for host, gpu, time in named]
            yield Drift(f"{SPEED} of {kind}", "error", f"{median:.3g} ms", len(timed) - len(named), tuple(others))


def _of_clocks(nodes: Sequence[Digest]) -> Iterator[Drift]:
    """GPUs that run at a lower clock than others of their kind do, whether or not that makes this step slow."""
    for kind, every in _by_kind(nodes).items():
        timed = [(host, gpu.gpu, gpu.mhz) for host, gpu in every if gpu.mhz is not None]
        found = usual((-mhz for _, _, mhz in timed), SLOWER)  # of two the faster one is the measure, as of times
        slow = [] if found is None else [one for one in timed if found.is_above(-one[2])]
        if found is not None and slow:
            others = [Other(f"GPU {gpu} runs at {mhz:g} MHz", (host,)) for host, gpu, mhz in sorted(slow)]
            count = len(timed) - len(slow)
            yield Drift(f"clock of {kind} at work", "warning", f"{-found.median:g} MHz", count, tuple(others))


def slow_in_words(ms: float, median: float) -> str:
    """What is said of a slow GPU."""
    return f"takes {ms:.3g} ms for a step, {ms / median:.2f} times as long as usual"


def _of_numbers(nodes: Sequence[Digest]) -> Iterator[Drift]:
    """GPUs whose results are not those of the others of their kind."""
    for kind, every in _by_kind(nodes).items():
        told = [(host, gpu.gpu, dict(gpu.numbers)) for host, gpu in every if gpu.numbers]
        for one in off([results for _, _, results in told]):
            those = sorted((told[place] for place in one.wrong), key=lambda each: each[:2])
            others = [Other(f"GPU {gpu} {wrong_in_words(results[one.name])}", (host,)) for host, gpu, results in those]
            usual_value = None if one.median is None else f"{one.median:.4g}"
            alike = sum(one.name in results for _, _, results in told) - len(those)
            yield Drift(f"{one.name} on {kind}", "error", usual_value, alike, tuple(others))


def wrong_in_words(value: float | None) -> str:
    """What is said of a GPU with another result."""
    return f"comes to {'no number' if value is None else f'{value:.4g}'}"


def _by_kind(nodes: Iterable[Digest]) -> dict[str, list[tuple[str, GpuDigest]]]:
    found: dict[str, list[tuple[str, GpuDigest]]] = defaultdict(list)
    for digest in nodes:
        for gpu in digest.gpus:
            found[gpu.kind].append((digest.host, gpu))
    return found
