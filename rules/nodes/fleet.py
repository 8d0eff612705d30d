"""The one answer about a cluster: its verdict, where each node stands, and where nodes differ."""

from __future__ import annotations

from collections import defaultdict

from fp8check.rules.nodes.document import WORST, worst
from fp8check.rules.nodes.drift import drift
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.nodes.drift import Drift, Weight
    from fp8check.rules.nodes.merged import Merged
    from fp8check.rules.suppression.examined import Verdict

NO_REPORT = "it did not report"
_VERDICTS: Mapping[Weight, Verdict] = {"error": "fail", "warning": "warn", "undecided": "undecided"}


class Standing(Record):
    """Where one node stands.

    Attributes:
        why: what speaks against it, in words.
    """

    host: str
    verdict: Verdict
    why: tuple[str, ...]


class Fleet(Record):
    """What is said of all nodes.

    Attributes:
        nodes: all of them by name, also those that did not report.
        absent: how many more did not, of which nobody knows the names.
        unread: files that are no document of a node, by name, and why not.
    """

    verdict: Verdict
    nodes: tuple[Standing, ...]
    drift: tuple[Drift, ...]
    absent: int
    unread: tuple[tuple[str, str], ...]

    @property
    def passing(self) -> tuple[str, ...]:
        """The nodes that may be used."""
        return self._those("pass", "warn")

    @property
    def failing(self) -> tuple[str, ...]:
        """The nodes that may not."""
        return self._those("fail")

    @property
    def unknown(self) -> tuple[str, ...]:
        """The nodes of which nobody knows: those that did not report, too."""
        return self._those("undecided")

    def _those(self, *verdicts: Verdict) -> tuple[str, ...]:
        return tuple(standing.host for standing in self.nodes if standing.verdict in verdicts)

    @property
    def reasons(self) -> list[tuple[Verdict, str, tuple[str, ...]]]:
        """What speaks against nodes but for the drift, the worst first, and against which of them."""
        differ = {differs(difference, other.value) for difference in self.drift for other in difference.others}
        by_reason: dict[str, list[Standing]] = defaultdict(list)
        for standing in self.nodes:
            for why in standing.why:
                if why not in differ:
                    by_reason[why].append(standing)
        found = [
            (worst([standing.verdict for standing in those]), why, tuple(standing.host for standing in those))
            for why, those in by_reason.items()
        ]
        return sorted(found, key=lambda each: (WORST.index(each[0]), -len(each[2]), each[1]))


def fleet(known: Merged) -> Fleet:
    """The answer about nodes that were merged."""
    told = {host: digests[0] for host, digests in known.nodes.items() if len(digests) == 1}
    whys: dict[str, list[str]] = defaultdict(list)
    verdicts: dict[str, list[Verdict]] = defaultdict(list)
    for host, digest in told.items():
        whys[host].extend(digest.why)
        verdicts[host].append(digest.verdict)
    for host, digests in known.nodes.items():
        if len(digests) > 1:
            _say(whys, verdicts, host, f"it reported {len(digests)} times, each time something else", "undecided")
    for host, why in known.unread_hosts():
        _say(whys, verdicts, host, why, "undecided")
    for host in known.expected - set(verdicts):
        _say(whys, verdicts, host, NO_REPORT, "undecided")
    differences = drift(list(told.values()))
    for each in differences:
        for other in each.others:
            # Where nothing is usual, nobody knows which of them is right.
            nobody_knows = each.usual is None and each.weight == "error"
            verdict: Verdict = "undecided" if nobody_knows else _VERDICTS[each.weight]
            for host in other.hosts:
                _say(whys, verdicts, host, differs(each, other.value), verdict)
    nodes = tuple(Standing(host, worst(verdicts[host]), tuple(whys[host])) for host in sorted(verdicts))
    unread = tuple(sorted(known.unread.items()))
    whole = _verdict(nodes, differences, known.absent, unread)
    return Fleet(whole, nodes, tuple(differences), known.absent, unread)


def _say(whys: dict[str, list[str]], verdicts: dict[str, list[Verdict]], host: str, why: str, verdict: Verdict) -> None:
    whys[host].append(why)
    verdicts[host].append(verdict)


def differs(difference: Drift, value: str) -> str:
    """What is said of a node that differs."""
    if difference.usual is None:
        return f"{difference.subject}: {value}, and no value is that of more than half of the nodes"
    return f"{difference.subject}: {value}; usual is {difference.usual}"


def _verdict(
    nodes: Sequence[Standing], differences: Sequence[Drift], absent: int, unread: Sequence[tuple[str, str]]
) -> Verdict:
    said: list[Verdict] = [standing.verdict for standing in nodes]
    said += ["fail" for difference in differences if difference.weight == "error"]
    if absent or unread or not nodes:
        said.append("undecided")
    return worst(said)
