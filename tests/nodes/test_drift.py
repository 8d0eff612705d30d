"""Where nodes differ is named, node by node; unknown is never taken for alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.nodes import answer, facts, hosts, node, seen, write

if TYPE_CHECKING:
    from pathlib import Path

ODD = "gpu00003"
FACTS = facts(ODD)


def eight(folder: Path, **changed: Any) -> Path:
    """Eight nodes, of which one is odd."""
    return write(folder, [node(name, **(changed if name == ODD else {})) for name in hosts(8)])


def packages(**changed: str | None) -> dict[str, object]:
    """The packages of a node, with others."""
    return {"packages": {**FACTS["packages"], **changed}}


GPUS = FACTS["gpus"]


@pytest.mark.parametrize(
    ("changed", "subject", "verdict", "value"),
    [
        ({"driver": "550.54.14"}, "driver", "warn", "550.54.14"),
        ({"driver": None}, "driver", "undecided", "not known"),
        ({"python": "3.12.1"}, "python", "fail", "3.12.1"),
        ({"cuda": {"torch": "12.6", "driver": "13.0"}}, "CUDA of torch", "fail", "12.6"),
        ({"libraries": {**FACTS["libraries"], "cudnn": "9.5.0"}}, "cudnn", "fail", "9.5.0"),
        ({"libraries": {**FACTS["libraries"], "cublas": "12.1"}}, "cublas", "fail", "12.1"),
        ({"libraries": {**FACTS["libraries"], "nccl": "2.20.5"}}, "nccl", "fail", "2.20.5"),
        (packages(torch="2.9.0"), "torch", "fail", "2.9.0"),
        (packages(transformer_engine=None), "transformer_engine", "fail", "not installed"),
        (packages(torchao="0.15.0"), "torchao", "fail", "0.15.0"),
        (packages(accelerate="1.12.0"), "accelerate", "fail", "1.12.0"),
        (packages(transformers="4.57.1"), "transformers", "fail", "4.57.1"),
        ({"packages": None}, "torch", "undecided", "not known"),
        ({"variables": {"NCCL_DEBUG": "WARN", "NVTE_FP8_DPA_BWD": "0"}}, "variable NVTE_FP8_DPA_BWD", "fail", "0"),
        ({"variables": {}}, "variable NCCL_DEBUG", "fail", "not set"),
        ({"variables": None}, "variable NCCL_DEBUG", "undecided", "not known"),
        ({"gpus": GPUS[:7]}, "GPUs", "fail", "7 x NVIDIA H100 80GB HBM3, 81559 MiB"),
        ({"gpus": []}, "GPUs", "fail", "none"),
        ({"gpus": [{**one, "name": "NVIDIA H200"} for one in GPUS]}, "GPUs", "fail", "8 x NVIDIA H200, 81559 MiB"),
        ({"gpus": [{**one, "mig": True} for one in GPUS]}, "MIG", "fail", "on"),
        ({"gpus": [{**one, "power_w": 500} for one in GPUS]}, "clocks", "warn", "1980 MHz, 2619 MHz of memory, 500 W"),
        ({"gpus": [{**one, "sm_mhz": None} for one in GPUS]}, "clocks", "warn", "2619 MHz of memory, 700 W"),
    ],
)
def test_facts(changed: dict[str, object], subject: str, verdict: str, value: str, tmp_path: Path) -> None:
    found = answer(eight(tmp_path, facts=changed))
    (one,) = [drift for drift in found.drift if drift.subject == subject]
    odd = {host for other in one.others for host in other.hosts}
    assert odd == {ODD}
    assert one.others[0].value == value
    standing = {each.host: each.verdict for each in found.nodes}
    assert standing[ODD] == verdict
    assert {host for host, one_verdict in standing.items() if one_verdict == "pass"} == {*hosts(8)} - {ODD}
    assert found.verdict == verdict


def test_where_one_node_alone_knows_the_others_are_undecided(tmp_path: Path) -> None:
    found = answer(eight(tmp_path, facts={"transformer_engine": {"imports": True}}))
    assert found.unknown == tuple(name for name in hosts(8) if name != ODD)


def test_nodes_that_are_alike_pass(tmp_path: Path) -> None:
    found = answer(write(tmp_path, map(node, hosts(8))))
    assert (found.verdict, found.drift, len(found.passing)) == ("pass", (), 8)


@pytest.mark.parametrize("name", ["RANK", "CUDA_VISIBLE_DEVICES", "SLURMD_NODENAME", "NODE_RANK"])
def test_what_says_which_node_it_is_may_differ(name: str, tmp_path: Path) -> None:
    nodes = [
        node(one, facts={"variables": {"NCCL_DEBUG": "WARN", name: str(place)}}) for place, one in enumerate(hosts(4))
    ]
    found = answer(write(tmp_path, nodes))
    assert found.drift == () or [one.subject for one in found.drift] == ["GPUs"]


def test_of_two_that_differ_nobody_knows_which_is_right(tmp_path: Path) -> None:
    nodes = [node("a", facts=packages(torch="2.8.0")), node("b", facts=packages(torch="2.9.0"))]
    found = answer(write(tmp_path, nodes))
    assert found.verdict == "fail"
    assert found.unknown == ("a", "b")
    assert found.drift[0].usual is None


def test_a_slow_gpu(tmp_path: Path) -> None:
    slow = [seen(gpu, **({"fp8_ms": {"ms": 40.0}} if gpu == 5 else {})) for gpu in range(8)]
    found = answer(eight(tmp_path, seen=slow))
    assert found.failing == (ODD,)
    (one,) = found.drift
    assert one.subject == "speed of NVIDIA H100 80GB HBM3"
    assert one.others[0].value == "GPU 5 takes 40 ms for a step, 2.00 times as long as usual"


@pytest.mark.parametrize("ms", [20.9, 22.5, 12.0])
def test_a_gpu_that_is_hardly_slower_or_faster_is_none(ms: float, tmp_path: Path) -> None:
    assert answer(eight(tmp_path, seen=[seen(0, fp8_ms={"ms": ms})])).drift == ()


@pytest.mark.parametrize(("loss", "told"), [(13.0, "13"), (None, "no number"), (0.1, "0.1")])
def test_a_wrong_gpu(loss: float | None, told: str, tmp_path: Path) -> None:
    wrong = [seen(gpu, **({"losses": [loss]} if gpu == 2 else {})) for gpu in range(8)]
    found = answer(eight(tmp_path, seen=wrong))
    assert found.failing == (ODD,)
    assert found.drift[0].others[0].value == f"GPU 2 comes to {told}"


def test_a_gpu_at_a_lower_clock_is_a_warning(tmp_path: Path) -> None:
    low = [seen(gpu, clocks={"sm_mhz": 345 if gpu == 5 else 1900 + gpu}) for gpu in range(8)]
    usual = [seen(gpu, clocks={"sm_mhz": 1900 + gpu}) for gpu in range(8)]
    found = answer(write(tmp_path, [node(host, seen=low if host == ODD else usual) for host in hosts(4)]))
    (one,) = found.drift
    assert (one.subject, one.weight) == ("clock of NVIDIA H100 80GB HBM3 at work", "warning")
    assert one.others[0].value == "GPU 5 runs at 345 MHz"
    assert found.verdict == "warn"


def test_another_result_of_fp8(tmp_path: Path) -> None:
    fewer = {"te": 7, "torchao": 0, "msamp": 0, "plain": 8, "total": 15}
    found = answer(eight(tmp_path, seen=[seen(gpu, layers=fewer) for gpu in range(8)]))
    assert found.failing == (ODD,)
    assert found.drift[0].subject == "FP8 result"
    ended = {"ended": "error", "error": {"stage": "step", "type": "RuntimeError", "message": "x"}}
    found = answer(eight(tmp_path, seen=[seen(gpu, **ended) for gpu in range(8)]))
    assert "ended with RuntimeError" in str(found.drift)
    found = answer(eight(tmp_path, seen=None))
    assert found.unknown == (ODD,)


def test_a_node_is_no_better_than_its_report_and_its_gpus(tmp_path: Path) -> None:
    report = {"verdict": "fail", "findings": [{"rule": "FP101", "severity": "error", "message": "bf16 cancels FP8"}]}
    found = answer(eight(tmp_path, report=report))
    assert found.failing == (ODD,)
    assert found.reasons == [("fail", "FP101 bf16 cancels FP8", (ODD,))]
    failing = {**seen(0), "verdict": "fail", "why": ["wrong"]}
    found = answer(eight(tmp_path, seen=[failing, *(seen(gpu) for gpu in range(1, 8))]))
    assert found.failing == (ODD,)
    assert found.reasons == [("fail", "GPU 0: wrong", (ODD,))]
    found = answer(eight(tmp_path, report={"verdict": "as good as none"}))
    assert found.unknown == (ODD,)
