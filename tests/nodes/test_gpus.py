"""One step on each GPU of a node: what each process is given, and which GPU is slow or wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.probe import side_by_side
from fp8check.rules.checking.nodes import SeveralRuns, bytes_of, node_of, parse_report
from fp8check.rules.checking.request import Request, RunRequest
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.nodes.fleet import fleet
from fp8check.rules.seen import Seen
from fp8check.rules.seen.data import (
    Built,
    Clocks,
    Collective,
    Device,
    GradientErrors,
    LayerErrors,
    Numerics,
    OutputErrors,
    Time,
)
from fp8check.rules.trainers.detect import read
from tests.support.nodes import EXAMPLE, GPU

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.nodes.document import Node
    from fp8check.rules.trainers.run import Run

GPUS = [Gpu(place, GPU, "9.0", 81559, False) for place in range(4)]


def request(count: int = 1, **facts: Any) -> Request:
    """The example's run, on a node with four GPUs."""
    documents = tuple(read(str(EXAMPLE / name)) for name in ("train.yaml", "accelerate.yaml"))
    machine = Facts(gpus=GPUS, variables={}, packages={}, **facts)
    return Request((RunRequest(documents, machine),) * count)


def one(ms: float = 20.0, loss: float | None = 11.9, **more: Any) -> Seen:
    """What a probe saw on a good GPU, or on one that is not."""
    return Seen("done", device=Device(GPU), fp8_ms=Time(ms, ms - 0.1, ms + 0.1), losses=(loss, loss), **more)


def off_by(error: float) -> Numerics:
    """Errors against FP32."""
    layers = LayerErrors(0.05, 0.06, "layers.0")
    return Numerics(OutputErrors(error, 0.003), GradientErrors(layers, layers))


def probed(*seen: Seen) -> Node:
    """A node with these GPUs."""
    asked = request()
    return node_of("n1", asked.runs[0].facts, asked, lambda _run: {str(place): each for place, each in enumerate(seen)})


def whys(node: Node) -> dict[str, str]:
    """What is said of GPUs beside the others, by GPU."""
    found = {}
    for gpu in node.seen or ():
        why = gpu["why"]
        assert isinstance(why, list)
        said = [text for text in why if not text.startswith("FP8")]
        if said:
            found[str(gpu["gpu"])] = "; ".join(said)
    return found


def test_gpus_that_are_alike() -> None:
    assert whys(probed(one(20.0), one(20.4), one(19.8), one(20.1))) == {}


@pytest.mark.parametrize("count", [2, 4, 8])
def test_a_gpu_at_half_the_speed_is_found(count: int) -> None:
    node = probed(*(one(20.0 + place / 10) for place in range(count - 1)), one(41.0))
    assert list(whys(node)) == [str(count - 1)]
    assert "takes 41 ms for a step, 2.0" in whys(node)[str(count - 1)]
    assert node.verdict == "fail"
    last = (node.seen or ())[-1]
    assert last["verdict"] == "fail"


@pytest.mark.parametrize(
    ("loss", "said"), [(9.0, "first loss comes to 9, the others to 11.9"), (None, "first loss comes to no number")]
)
def test_a_gpu_whose_numbers_are_off_is_found(loss: float | None, said: str) -> None:
    node = probed(one(), one(), one(loss=loss))
    assert list(whys(node)) == ["2"]
    assert said in whys(node)["2"]
    assert node.verdict == "fail"


def test_of_two_that_differ_the_one_further_from_fp32_is_wrong() -> None:
    node = probed(one(loss=11.0, numerics=off_by(0.31)), one(loss=11.9, numerics=off_by(0.04)))
    assert list(whys(node)) == ["0"]
    assert whys(node)["0"] == "error of the output comes to 0.31, the others to 0.04"


@pytest.mark.parametrize(
    ("times", "named"),
    [
        (((67.13, 33.34), (57.93, 32.80)), []),  # two H200 that were alike; other programs kept the processors busy
        (((27.23, 33.30), (32.12, 33.13)), []),
        (((30.93, 33.18), (59.70, 74.16)), ["1"]),  # the second one had other work
        (((30.93, None), (59.70, None)), ["1"]),
        (((30.93, 33.18), (59.70, None)), ["1"]),
    ],
)
def test_a_gpu_is_slow_where_bf16_says_so_as_well(
    times: tuple[tuple[float, float | None], ...], named: list[str]
) -> None:
    """As measured: docs/evidence/nodes-h200.jsonl."""
    node = probed(*(one(fp8, bf16_ms=None if bf16 is None else Time(bf16, bf16, bf16)) for fp8, bf16 in times))
    assert list(whys(node)) == named
    answer = fleet(parse_report(bytes_of(node)))
    assert [other.value[:6] for drift in answer.drift for other in drift.others] == [f"GPU {gpu} " for gpu in named]


def test_a_second_loss_says_what_a_first_one_in_bf16_is_too_coarse_for() -> None:
    node = probed(*(one()._replace(losses=(11.0, loss, 10.0)) for loss in (8.4375, 8.4375, 7.5625)))
    assert list(whys(node)) == ["2"]
    assert "second loss comes to 7.562" in whys(node)["2"]


def test_a_gpu_with_room_for_less_is_not_compared_and_no_pass() -> None:
    less = Built(1, 32000, 4, 2048, scaled=("1 of 28 decoder layers",))
    usual = Built(2, 32000, 4, 2048, scaled=("2 of 28 decoder layers",))
    node = probed(one(built=usual), one(11.0, loss=8.0, built=less), one(built=usual))
    assert whys(node) == {"1": "not compared with the other GPUs: 1 of 28 decoder layers had room on it"}
    assert node.verdict != "pass"


def test_of_two_that_differ_in_their_loss_alone_nobody_knows_which_is_right() -> None:
    node = probed(one(loss=11.0, numerics=off_by(0.04)), one(loss=11.9, numerics=off_by(0.04)))
    assert list(whys(node)) == ["0", "1"]
    assert whys(node)["1"].startswith("first loss comes to 11.9, none of them is usual; ")
    assert node.verdict == "fail"


def test_what_came_otherwise_than_it_was_sent_fails_the_gpu_that_saw_it() -> None:
    wrong = Collective(2, why="the bytes of rank 1 came otherwise than they were sent")
    node = probed(one(collective=wrong), one(collective=Collective(2)))
    assert whys(node) == {
        "0": "the exchange of FP8 tensors over 2 GPUs: the bytes of rank 1 came otherwise than they were sent"
    }
    assert node.verdict == "fail"


def test_a_gpu_that_waited_for_another_one_is_undecided() -> None:
    node = probed(one(collective=Collective(2, missing=(1,))), Seen("killed", why="it was killed"))
    assert "GPU 1 did not come" in whys(node)["0"]
    assert (node.seen or ())[0]["verdict"] == "undecided"


def test_how_fast_a_slow_gpu_runs_and_why_is_said() -> None:
    slow = one(41.0, clocks=Clocks(sm_mhz=345, power_w=120, held_by=("temperature, hardware",)))
    assert whys(probed(one(), one(), slow))["2"].endswith("at 345 MHz, 120 W, held by temperature, hardware")


def test_gpus_of_another_kind_are_not_compared() -> None:
    other = one(60.0)._replace(device=Device("NVIDIA L4"))
    assert whys(probed(one(), one(), other)) == {}


def test_a_gpu_that_was_not_probed_is_no_pass() -> None:
    node = probed(one(), Seen("hang", why="it did not end within 60 s, and was killed in stage step"))
    assert "it did not end within 60 s" in whys(node)["1"]
    assert (node.seen or ())[1]["verdict"] != "pass"


def test_what_a_node_says_of_its_gpus_reaches_the_answer() -> None:
    answer = fleet(parse_report(bytes_of(probed(one(), one(), one(41.0)))))
    assert answer.verdict == "fail"
    assert any(why.startswith("GPU 2: takes 41 ms") for standing in answer.nodes for why in standing.why)


def test_one_run_is_probed() -> None:
    asked = request(2)
    with pytest.raises(SeveralRuns):
        node_of("n1", asked.runs[0].facts, asked, lambda _run: {})
    assert isinstance(node_of("n1", asked.runs[0].facts, asked).report, list)


@pytest.mark.parametrize(
    ("variables", "gpus", "named", "ordered"),
    [
        ({}, GPUS, ("0", "1", "2", "3"), True),
        ({"CUDA_VISIBLE_DEVICES": "2,0"}, GPUS, ("2", "0"), False),
        ({"CUDA_VISIBLE_DEVICES": "GPU-ab, GPU-cd"}, GPUS, ("GPU-ab", "GPU-cd"), False),
        ({"CUDA_VISIBLE_DEVICES": ""}, GPUS, ("",), False),
        (None, None, ("0",), True),
    ],
)
def test_each_process_sees_one_gpu(
    variables: Mapping[str, str] | None,
    gpus: list[Gpu] | None,
    named: tuple[str, ...],
    ordered: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, Mapping[str, str]] = {}

    def probe_run(_run: Run, *, gpu: Mapping[str, str], **_: object) -> Seen:
        given[gpu["CUDA_VISIBLE_DEVICES"]] = gpu
        time.sleep(0.3)
        return one()

    monkeypatch.setattr(side_by_side, "probe_run", probe_run)
    asked = request()
    facts = asked.runs[0].facts._replace(variables=variables, gpus=gpus)
    asked = asked._replace(runs=(asked.runs[0]._replace(facts=facts),))
    seen: dict[str, Seen] = {}

    def probe(run: Run) -> Mapping[str, Seen]:
        began = time.monotonic()
        seen.update(side_by_side.probe_each(run, side_by_side.gpus_of(run)))
        assert time.monotonic() - began < 0.3 * 2  # at once, and not one after the other
        return seen

    node_of("n1", facts, asked, probe)
    assert tuple(seen) == named
    assert set(given) == set(named)
    assert all(("CUDA_DEVICE_ORDER" in one_) is ordered for one_ in given.values())
