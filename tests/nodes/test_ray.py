"""`fp8check nodes --ray` with a Ray that is none: who answers, who fails and who does not come are told apart.

What a real cluster does stands in docs/evidence/cluster.md.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.nodes import EXAMPLE, nodes_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = [str(EXAMPLE / name) for name in ("train.yaml", "accelerate.yaml")]
CLUSTER = [
    {"Alive": True, "NodeManagerHostname": host, "NodeID": number * 12, "Resources": {"GPU": 2.0}}
    for host, number in (("good", "a"), ("twin", "b"), ("twin", "c"), ("late", "d"), ("fails", "e"))
] + [{"Alive": False, "NodeManagerHostname": "gone", "NodeID": "f" * 12, "Resources": {}}]


class Task:
    """A remote function."""

    def __init__(self, run: Callable[..., bytes], asked: list[dict[str, Any]]) -> None:
        self._run = run
        self._asked = asked

    def options(self, **how: object) -> Task:
        self._asked.append(how)
        return self

    def remote(self, name: str, asked: dict[str, object]) -> SimpleNamespace:
        return SimpleNamespace(name=name, get=lambda: self._run(name, asked))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """With a cluster of five nodes that live; how tasks were asked for."""
    how: list[dict[str, Any]] = []
    ray, util, strategies = (ModuleType(name) for name in ("ray", "ray.util", "ray.util.scheduling_strategies"))
    strategies.NodeAffinitySchedulingStrategy = lambda node, soft: (node, soft)  # type: ignore[attr-defined]

    def get(one: SimpleNamespace) -> bytes:
        if one.name == "fails":
            raise RuntimeError("no module\nModuleNotFoundError: fp8check")
        found = one.get()
        assert isinstance(found, bytes)
        return found

    def wait(every: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        assert (num_returns, timeout) == (5, 7)
        return [one for one in every if one.name != "late"], [one for one in every if one.name == "late"]

    vars(ray).update(
        init=lambda **_: None, shutdown=lambda: None, nodes=lambda: CLUSTER, remote=lambda run: Task(run, how), get=get,
        wait=wait, cancel=lambda _one, **_: None,
    )  # fmt: skip
    for module in (ray, util, strategies):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return how


def test_every_node_is_asked_by_a_task(
    asked: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nodes_command("--ray", *FILES, "--seconds", 7, "--out", tmp_path) == 1
    said = capsys.readouterr().out
    assert "it did not report\n  late\n" in said
    assert "its task failed: RuntimeError: ModuleNotFoundError: fp8check" in said
    assert (tmp_path / "unknown_nodes.txt").read_text().split() == ["fails", "late"]
    assert (tmp_path / "failing_nodes.txt").read_text().split() == ["good", "twin-bbbbbbbbbbbb", "twin-cccccccccccc"]
    assert [one["num_gpus"] for one in asked] == [0] * 5
    assert all(one["scheduling_strategy"][1] is False for one in asked)


def test_a_probe_takes_the_gpus_of_its_node(asked: list[dict[str, Any]]) -> None:
    assert nodes_command("--ray", *FILES, "--seconds", 7, "--probe") == 1
    assert [one["num_gpus"] for one in asked] == [2.0] * 5


def test_without_ray(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert nodes_command("--ray", *FILES) == 2
    assert "fp8check[ray]" in capsys.readouterr().err


def test_options_of_ray_go_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--probe"], ["--launch", "torchrun t.py"], ["--seconds", "3"]):
        assert nodes_command(tmp_path, *words) == 2
        assert "goes with --ray" in capsys.readouterr().err
    assert nodes_command(tmp_path, tmp_path) == 2
    assert nodes_command() == 2
