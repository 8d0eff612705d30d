"""Many nodes together, fp8check/nodes/1: a union, so that merging what was merged gives what merging all at once does.

What follows of them (drift.py, fleet.py) is worked out where it is asked for, of all nodes that are in it, and never
merged. Nodes that have the same values share them, in memory and in JSON: most of a cluster is alike.
"""

from __future__ import annotations

from functools import lru_cache

from fp8check.rules.nodes.digest import MOST_REASONS, MOST_VALUES, Digest, GpuDigest
from fp8check.rules.nodes.document import MOST_GPUS, BadNode, texts_of, verdict_of
from fp8check.rules.nodes.hosts import is_host
from fp8check.rules.nodes.texts import LONGEST_NAME, LONGEST_REASON, kept
from fp8check.rules.plain_text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fp8check.rules.nodes.digest import Values
    from fp8check.rules.nodes.document import Data

SCHEMA = "fp8check/nodes/1"
LARGEST = 32 << 20  # bytes of merged nodes: ten thousand take a tenth of it
MOST_NODES = 1_000_000
_LONGEST = 1_000  # characters of any text in it
_LARGEST_COUNT = 1 << 53


class Merged:
    """What is known of many nodes.

    Attributes:
        nodes: what each told, by its host. More than one digest: it told different things.
        unread: files that are no document of a node, by their names, and why not.
        expected: hosts that should have told.
        absent: how many more should have told, of which nobody knows the names.
    """

    __slots__ = ("_known", "absent", "expected", "nodes", "unread")

    def __init__(self) -> None:
        self.nodes: dict[str, tuple[Digest, ...]] = {}
        self.unread: dict[str, str] = {}
        self.expected: set[str] = set()
        self.absent = 0
        self._known: dict[Values, Values] = {}

    def add(self, one: Digest) -> None:
        """What one node told, once more or for the first time."""
        values = self._known.setdefault(one.values, one.values)
        one = one if values is one.values else one._replace(values=values)
        there = self.nodes.get(one.host, ())
        if one not in there:
            self.nodes[one.host] = (*there, one)

    def add_unread(self, name: str, why: str) -> None:
        """A file that is no document of a node, and why not."""
        name, why = kept(shown(name), LONGEST_NAME), kept(shown(why), LONGEST_REASON)
        self.unread[name] = min(why, self.unread.get(name, why))

    def merge(self, other: Merged) -> None:
        """All that the other one knows."""
        for told in other.nodes.values():
            for digest in told:
                self.add(digest)
        for name, why in other.unread.items():
            self.add_unread(name, why)
        self.expected |= other.expected
        self.absent += other.absent

    def expect(self, count: int | None, hosts: Iterable[str]) -> None:
        """Who has to be among them: nodes by name, and how many in all; None where nobody says how many."""
        self.expected.update(hosts)
        named = {*self.nodes, *self.expected, *(host for host, _ in self.unread_hosts())}
        self.absent = max(self.absent, 0 if count is None else count - len(named))

    def unread_hosts(self) -> list[tuple[str, str]]:
        """The nodes that files are named for which cannot be read, and that did not report otherwise; and why not."""
        found = []
        for name, why in sorted(self.unread.items()):
            host = name.removesuffix(".json")
            if host != name and is_host(host) and host not in self.nodes:
                found.append((host, f"{name} cannot be read: {why}"))
        return found

    def as_data(self) -> dict[str, object]:
        """What can be merged again, as JSON has it."""
        kinds: dict[Values, int] = {}
        nodes = []
        for host in sorted(self.nodes):
            for digest in sorted(self.nodes[host], key=repr):
                kind = kinds.setdefault(digest.values, len(kinds))
                nodes.append(_node_data(digest, kind))
        return {
            "kinds": [dict(values) for values in kinds],
            "nodes": nodes,
            "unread": dict(sorted(self.unread.items())),
            "expected": sorted(self.expected),
            "absent": self.absent,
        }


def _node_data(digest: Digest, kind: int) -> dict[str, object]:
    data: dict[str, object] = {"host": digest.host, "verdict": digest.verdict, "kind": kind}
    if digest.why:
        data["why"] = list(digest.why)
    if digest.gpus:
        data["gpus"] = [_gpu_data(gpu) for gpu in digest.gpus]
    return data


def _gpu_data(gpu: GpuDigest) -> dict[str, object]:
    data: dict[str, object] = {"gpu": gpu.gpu, "kind": gpu.kind, "ms": gpu.ms, "numbers": dict(gpu.numbers)}
    sometimes = {"mhz": gpu.mhz, "bf16_ms": gpu.bf16_ms}
    return data | {name: value for name, value in sometimes.items() if value is not None}


def merged(parts: Iterable[Merged]) -> Merged:
    """All of them in one."""
    whole = Merged()
    for part in parts:
        whole.merge(part)
    return whole


def from_data(data: Data) -> Merged:
    """What was merged, from parsed JSON; what followed of it is not read.

    Raises:
        BadNode: it is none.
    """
    if data.get("schema") != SCHEMA:
        raise BadNode(f"the schema must be {SCHEMA}")
    found = Merged()
    kinds = [_values(one) for one in _objects(data, "kinds")]
    for one in _objects(data, "nodes"):
        found.add(_digest(one, kinds))
    unread = data.get("unread", {})
    if not isinstance(unread, dict) or not all(isinstance(why, str) for why in unread.values()):
        raise BadNode("unread is no object of texts")
    for name, why in unread.items():
        found.add_unread(name, why)
    expected = texts_of(data, "expected")
    if not all(map(is_host, expected)):
        raise BadNode("expected has what is no name of a host")
    found.expected = set(expected)
    found.absent = _count(data, "absent")
    return found


def _objects(data: Data, name: str) -> list[Data]:
    found = data.get(name)
    if not isinstance(found, list) or len(found) > MOST_NODES or not all(isinstance(one, dict) for one in found):
        raise BadNode(f"{name} is no list of at most {MOST_NODES:,} objects")
    return found


def _values(data: Data) -> Values:
    if len(data) > MOST_VALUES:
        raise BadNode(f"a kind has more than {MOST_VALUES:,} values")
    try:
        return _pairs(tuple(data.items()))
    except TypeError:  # a list or an object among them
        raise BadNode("a value of a kind is no text") from None


@lru_cache(maxsize=256)  # reports of nodes one by one have the same again and again
def _pairs(items: tuple[tuple[str, object], ...]) -> Values:
    pairs = []
    for name, value in items:
        if value is not None and not isinstance(value, str):
            raise BadNode(f"the value of {_short(name)[:60]} is no text")
        pairs.append((_short(name), None if value is None else _short(value)))
    return tuple(sorted(pairs, key=lambda pair: pair[0]))


def _digest(data: Data, kinds: list[Values]) -> Digest:
    host, kind = data.get("host"), data.get("kind")
    if not isinstance(host, str) or not is_host(host):
        raise BadNode("a node has no name of a host")
    if isinstance(kind, bool) or not isinstance(kind, int) or not 0 <= kind < len(kinds):
        raise BadNode(f"{host} is of no kind that is there")
    gpus = _objects(data, "gpus") if "gpus" in data else []
    if len(gpus) > MOST_GPUS:
        raise BadNode(f"{host} has more than {MOST_GPUS} GPUs")
    why = tuple(_short(one) for one in texts_of(data, "why")[:MOST_REASONS])
    return Digest(host, verdict_of(data), why, kinds[kind], tuple(map(_gpu, gpus)))


def _gpu(data: Data) -> GpuDigest:
    gpu, kind, numbers = data.get("gpu"), data.get("kind"), data.get("numbers")
    if not isinstance(gpu, str) or not isinstance(kind, str) or not isinstance(numbers, dict):
        raise BadNode("a GPU has no number, no name or no results")
    ms, mhz, bf16_ms = (_number(data, name) for name in ("ms", "mhz", "bf16_ms"))
    if any(one is not None and one <= 0 for one in (ms, mhz, bf16_ms)):
        raise BadNode("the time or the clock of a GPU is not above 0")
    few = tuple((_short(name), _number(numbers, name)) for name in list(numbers)[:10])
    return GpuDigest(_short(gpu), _short(kind), ms, few, mhz, bf16_ms)


def _number(data: Mapping[str, object], name: str) -> float | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e300:
        raise BadNode(f"{_short(name)[:60]} is no number")
    return float(value)


def _count(data: Data, name: str) -> int:
    value = data.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_COUNT:
        raise BadNode(f"{name} is no whole number from 0")
    return value


def _short(text: str) -> str:
    if len(text) > _LONGEST:
        raise BadNode(f"a text has more than {_LONGEST:,} characters")
    return kept(text, _LONGEST)
