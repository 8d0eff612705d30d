"""Merging is a union: a tree of merges gives what merging all at once does, in whatever order and however often."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fp8check.rules.nodes.digest import digest
from fp8check.rules.nodes.document import from_data
from fp8check.rules.nodes.fleet import fleet
from fp8check.rules.nodes.merged import Merged
from fp8check.rules.nodes.merged import from_data as merged_from_data
from fp8check.rules.report.nodes import as_data, as_json
from tests.support.nodes import hosts, merged, node, nodes_command, seen, write

if TYPE_CHECKING:
    from pathlib import Path

NAMES = hosts(6)


@st.composite
def told(draw: st.DrawFn) -> dict[str, Any]:
    """A node that differs in some things from others."""
    facts: dict[str, object] = {}
    if draw(st.booleans()):
        facts["driver"] = draw(st.sampled_from(["580.95.05", "570.1", None]))
    if draw(st.booleans()):
        facts["variables"] = draw(st.sampled_from([None, {}, {"NVTE_DEBUG": "1"}, {"NCCL_ALGO": "Ring"}]))
    if draw(st.booleans()):
        facts["packages"] = {"torch": draw(st.sampled_from(["2.8.0", "2.9.1", None]))}
    verdict = draw(st.sampled_from(["pass", "warn", "fail", "undecided"]))
    gpus = draw(st.lists(st.floats(1, 100), max_size=3))
    probed = [
        seen(place, fp8_ms={"ms": ms}, losses=[draw(st.sampled_from([11.9, 3.0, None]))])
        for place, ms in enumerate(gpus)
    ]
    return node(draw(st.sampled_from(NAMES)), facts=facts, verdict=verdict, seen=probed or None, why=[verdict])


@st.composite
def leaves(draw: st.DrawFn) -> Merged:
    """What one file tells."""
    one = Merged()
    if draw(st.integers(0, 9)) == 0:
        one.unread[f"{draw(st.sampled_from(NAMES))}.json"] = draw(st.sampled_from(["not JSON", "empty"]))
    else:
        one.add(digest(from_data(draw(told()))))
    one.expected.update(draw(st.lists(st.sampled_from(NAMES), max_size=2)))
    one.absent = draw(st.integers(0, 2))
    return one


def through_json(one: Merged) -> Merged:
    """As it comes back from a file that `fp8check nodes --format json` wrote."""
    return merged_from_data(json.loads(as_json(fleet(one), one)))


def of(parts: list[Merged]) -> Merged:
    """All in one."""
    whole = Merged()
    for one in parts:
        whole.merge(one)
    return whole


def data(one: Merged) -> dict[str, object]:
    """All that is said of it."""
    return as_data(fleet(one), one)


@settings(max_examples=150, deadline=None)
@given(st.lists(leaves(), min_size=1, max_size=12), st.data())
def test_a_tree_of_merges_is_the_flat_merge(parts: list[Merged], drawn: st.DataObject) -> None:
    flat = data(of(parts))
    level = list(drawn.draw(st.permutations(parts)))
    while len(level) > 1:
        size = drawn.draw(st.integers(2, 4))
        level = [through_json(of(level[start : start + size])) for start in range(0, len(level), size)]
    assert data(level[0]) == flat


@settings(max_examples=50, deadline=None)
@given(st.lists(leaves(), min_size=1, max_size=6))
def test_what_is_told_twice_counts_once(parts: list[Merged]) -> None:
    twice = of([*parts, *parts])
    twice.absent //= 2
    assert data(twice) == data(of(parts))


def test_the_command_merges_its_own_results(tmp_path: Path) -> None:
    names = hosts(12)
    odd = [node(name, facts={"driver": "570.1"} if place == 7 else {}) for place, name in enumerate(names)]
    write(tmp_path / "all", odd)
    racks = tmp_path / "racks"
    racks.mkdir()
    for rack in range(3):
        folder = write(tmp_path / f"rack{rack}", odd[rack * 4 : rack * 4 + 4])
        assert nodes_command(folder, "--expect", 4, "--format", f"json={racks / f'rack{rack}.json'}") == 0
    assert merged(racks) == merged(tmp_path / "all")


def test_who_did_not_report_to_a_part_is_missing_in_the_whole(tmp_path: Path) -> None:
    racks = tmp_path / "racks"
    racks.mkdir()
    folder = write(tmp_path / "rack0", map(node, hosts(3)))
    assert nodes_command(folder, "--expect", 4, "--format", f"json={racks / 'rack0.json'}") == 3
    assert nodes_command(racks) == 3
    assert merged(racks)["verdict"] == "undecided"
