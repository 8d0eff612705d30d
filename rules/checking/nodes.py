"""The nodes of a cluster: this one checked and probed, and the reports of all of them read and merged."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict

from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.checking.request import checked, runs_of
from fp8check.rules.credentials import masked_shapes
from fp8check.rules.engine.definition import INFO
from fp8check.rules.nodes.digest import digest
from fp8check.rules.nodes.document import LARGEST, BadNode, Node, from_data, parsed, worst
from fp8check.rules.nodes.drift import slow_in_words, wrong_in_words
from fp8check.rules.nodes.merged import LARGEST as LARGEST_MERGED
from fp8check.rules.nodes.merged import SCHEMA as MERGED
from fp8check.rules.nodes.merged import Merged
from fp8check.rules.nodes.merged import from_data as merged_from_data
from fp8check.rules.nodes.outliers import ERROR, LOSS, NEXT_LOSS, Timed, off, slow
from fp8check.rules.plain_text import plain
from fp8check.rules.reading import Unreadable, files
from fp8check.rules.report import build
from fp8check.rules.report.schema import as_data
from fp8check.rules.report.seen import clocks_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fp8check.rules.checking.request import Request
    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.facts import Facts
    from fp8check.rules.nodes.fleet import Fleet
    from fp8check.rules.seen import Seen
    from fp8check.rules.suppression.examined import Examined, Verdict
    from fp8check.rules.trainers.run import Run

    ProbeGpus = Callable[[Run], Mapping[str, Seen]]

MOST_FILES = 200_000  # of one folder
_BEGINNING = 200  # bytes


class SeveralRuns(ValueError):
    """A probe takes one run."""


def node_of(host: str, facts: Facts, request: Request | None, probe: ProbeGpus | None = None) -> Node:
    """What this node tells of itself.

    Args:
        request: the check of the run here; None where no run is named.
        probe: makes a step of it on every GPU; None where none is wanted.

    Raises:
        SeveralRuns: more than one run is to be probed.
        InputError: see `runs_of`.
    """
    if request is None:
        verdict, why = _of_facts(facts)
        return Node(host, facts, None, None, verdict, why)
    runs = runs_of(request)
    if probe is not None and len(runs) != 1:
        raise SeveralRuns
    seen = None if probe is None else _judged(request, runs, probe(runs[0].run))
    reports = checked(request, runs).reports
    data = [as_data(build.full_report(report)) for report in reports]
    verdicts = [report.verdict for report in reports] + [verdict for _, verdict in seen or ()]
    gpus = None if seen is None else [one for one, _ in seen]
    return Node(host, facts, data[0] if len(data) == 1 else data, gpus, worst(verdicts))


def _of_facts(facts: Facts) -> tuple[Verdict, tuple[str, ...]]:
    """Of a node for which no run is named: whether anything could train there in FP8."""
    if facts.gpus == []:
        return "fail", ("it has no GPU",)
    if facts.gpus is None:
        return "undecided", ("nobody knows of its GPUs",)
    if facts.is_training_environment is not True:
        return "undecided", ("nobody knows what trains there: neither torch nor accelerate was found",)
    return "pass", ()


def _judged(
    request: Request, runs: Sequence[Assembled], seen: Mapping[str, Seen]
) -> list[tuple[dict[str, object], Verdict]]:
    """What was seen on each GPU with what is to be said of it: by the rules, and beside the other GPUs of the node."""
    of_probes = request._replace(rules=[rule for rule in request.rules if rule.id.startswith("FP8")], baseline=None)
    beside, alone = _beside(seen), _alone(seen)
    found = []
    for gpu, one in seen.items():
        (report,) = checked(of_probes, runs, [one]).reports
        why = [*_said(report, one), *beside.get(gpu, ()), *([alone[gpu]] if gpu in alone else [])]
        verdict: Verdict = worst([report.verdict, "undecided"]) if gpu in alone else report.verdict
        verdict = "fail" if gpu in beside else verdict
        data: dict[str, object] = {"gpu": gpu, "verdict": verdict, "why": why, "seen": one.as_data()}
        found.append((data, verdict))
    return found


def _said(report: Examined, seen: Seen) -> Iterator[str]:
    if seen.ended != "done":
        yield f"the probe: {seen.why or seen.ended}"
    for finding in report.findings:
        if finding.severity != INFO:
            yield f"{finding.rule} {finding.message}"


def _beside(seen: Mapping[str, Seen]) -> dict[str, list[str]]:
    """What is said of GPUs that are slow, or come to something else, beside the others of the same kind."""
    found: dict[str, list[str]] = defaultdict(list)
    for kind in dict.fromkeys(_kind(one) for one in seen.values()):
        those = {gpu: one for gpu, one in seen.items() if _kind(one) == kind}
        times = {gpu: time for gpu, one in those.items() if (time := _time(one)) is not None}
        median, places = slow(list(times.values()))
        for gpu in (list(times)[place] for place in places):
            clocks = those[gpu].clocks
            at = "" if clocks is None else f", at {clocks_in_words(clocks)}"
            found[gpu].append(f"{slow_in_words(times[gpu].fp8, median)}{at}")
        results = {gpu: numbers for gpu, one in those.items() if (numbers := _results(one))}
        for each in off(list(results.values())):
            usual_value = "none of them is usual" if each.median is None else f"the others to {each.median:.4g}"
            for gpu in (list(results)[place] for place in each.wrong):
                found[gpu].append(f"{each.name} {wrong_in_words(results[gpu][each.name])}, {usual_value}")
    for gpu, one in seen.items():
        if one.collective is not None and one.collective.why:
            found[gpu].append(f"the exchange of FP8 tensors over {one.collective.ranks} GPUs: {one.collective.why}")
    return found


def _time(seen: Seen) -> Timed | None:
    if seen.fp8_ms is None:
        return None
    return Timed(seen.fp8_ms.ms, None if seen.bf16_ms is None else seen.bf16_ms.ms)


def _results(seen: Seen) -> dict[str, float | None]:
    """What has to be the same on all GPUs of a kind."""
    numbers: dict[str, float | None] = {}
    numbers.update(zip((LOSS, NEXT_LOSS), seen.losses or (), strict=False))
    if seen.numerics is not None:
        numbers[ERROR] = seen.numerics.output.fp8
    return numbers


def _alone(seen: Mapping[str, Seen]) -> dict[str, str]:
    """Of GPUs that could not be held against the others, or that exchanged nothing with them, why that is."""
    gpus = list(seen)
    found = {}
    for name in {_name(one) for one in seen.values()}:
        kinds = Counter(_kind(one) for one in seen.values() if _name(one) == name)
        most = max(sorted(kinds), key=kinds.__getitem__)
        for gpu, one in seen.items():
            if _name(one) == name and _kind(one) != most and one.built is not None:
                sizes = ", ".join(one.built.scaled) or "the whole run"
                found[gpu] = f"not compared with the other GPUs: {sizes} had room on it"
    for gpu, one in seen.items():
        if one.collective is not None and one.collective.missing:
            names = ", ".join(gpus[place] if place < len(gpus) else "?" for place in one.collective.missing)
            found[gpu] = f"nothing was exchanged with the other GPUs: GPU {names} did not come to it"
    return found


def _name(seen: Seen) -> str:
    return "" if seen.device is None else seen.device.name


def _kind(seen: Seen) -> str:
    """What it is, and what was built there: times and results of other sizes are not compared."""
    return ", ".join([_name(seen), *(() if seen.built is None else seen.built.scaled)])


def bytes_of(node: Node) -> bytes:
    """HOST.json of a node."""
    return plain(masked_shapes(json.dumps(node.as_data(), indent=1, ensure_ascii=False)), "json").encode() + b"\n"


def code_of(answer: Fleet) -> int:
    """What a command exits with: who is not known never passes."""
    return {"fail": ExitCode.FINDINGS, "undecided": ExitCode.UNDECIDED}.get(answer.verdict, ExitCode.OK)


class Folder:
    """The reports in a folder, as they come: what was read once is read again only where it changed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._read: dict[str, tuple[object, Merged]] = {}

    def merged(self) -> Merged:
        """All that is there now. Files of other names than *.json, and hidden ones, are passed over.

        Raises:
            Unreadable: the folder cannot be read, or has too many files.
        """
        for name in self._names():
            path = os.path.join(self._path, name)
            try:
                found = os.stat(path)
                state: object = (found.st_mtime_ns, found.st_size, found.st_ino)
            except OSError:
                state = None
            if name not in self._read or self._read[name][0] != state:
                self._read[name] = (state, _read(path, name))
        whole = Merged()
        for _, one in self._read.values():
            whole.merge(one)
        return whole

    def _names(self) -> list[str]:
        names = []
        try:
            with os.scandir(self._path) as there:
                for entry in there:
                    if entry.name.endswith(".json") and not entry.name.startswith("."):
                        names.append(entry.name)
                    if len(names) > MOST_FILES:
                        raise Unreadable(self._path, f"it has more than {MOST_FILES:,} reports")
        except OSError as problem:
            raise Unreadable(self._path, (problem.strerror or "it cannot be read").lower()) from problem
        return sorted(names)


def _read(path: str, name: str) -> Merged:
    """What one file tells; a file that is no report is told of, and never passed over."""
    try:
        return parse_report(files.start(path, LARGEST_MERGED + 1))
    except (BadNode, Unreadable) as problem:
        why = problem.message if isinstance(problem, Unreadable) else str(problem)
        one = Merged()
        one.add_unread(name, why)
        return one


def parse_report(data: bytes) -> Merged:
    """What a report tells: of one node, or a larger one of many, which says so at its beginning.

    Raises:
        BadNode: it is none.
    """
    limit = LARGEST_MERGED if MERGED.encode() in data[:_BEGINNING] else LARGEST
    if len(data) > limit:
        raise BadNode(f"larger than {limit >> 20} MiB")
    found = parsed(data)
    if found.get("schema") == MERGED:
        return merged_from_data(found)
    one = Merged()
    one.add(digest(from_data(found)))
    return one
