"""The speed model against what six NVIDIA H200s measured: two that it was fitted to, and four that it never saw."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules import models
from fp8check.rules.outcome.gpus import find, gpus
from fp8check.rules.outcome.speed import LIKELY_FASTER, LIKELY_SLOWER, Point, Setup, memory_of, predict_point
from tests.tools.gpu.shapes import SHAPES

if TYPE_CHECKING:
    from fp8check.rules.models import ModelShape

EVIDENCE = Path(__file__).parent.parent.parent / "docs" / "evidence"
PAGE = Path(__file__).parent.parent.parent / "docs" / "probe.md"
POINTS: list[dict[str, Any]] = [json.loads(line) for line in (EVIDENCE / "h200-speed.jsonl").read_text().splitlines()]
# Machines that no constant was fitted to. First the third one: shape, tokens, BF16 ms, FP8 ms.
HELD_OUT = (
    ("0.5B", 2048, 4.05, 10.18),
    ("0.5B", 16384, 9.28, 14.21),
    ("1.5B", 4096, 6.15, 15.56),
    ("3B", 16384, 30.89, 24.02),
    ("7B", 2048, 10.39, 11.88),
    ("7B", 16384, 81.36, 55.43),
    ("14B", 4096, 25.02, 18.98),
    ("70B", 2048, 34.15, 24.10),
)


def described(point: dict[str, Any]) -> tuple[ModelShape, Setup]:
    """What was measured, in the terms of the model."""
    hidden, intermediate, heads, kv_heads, _, vocabulary = SHAPES[point["shape"]]
    config = {
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "num_hidden_layers": point.get("layers", 2),
        "vocab_size": vocabulary,
    }
    model = models.from_config(config, point["shape"], "config.json")
    gpu = find("H200")
    assert model is not None
    assert gpu is not None
    return model, Setup(gpu, point.get("backend", "TE"), point.get("compiled", False), point.get("scope", "layers"))


def predicted(point: dict[str, Any]) -> Point:
    model, setup = described(point)
    return predict_point(model, point["tokens"], setup)


def ratio(point: dict[str, Any]) -> float:
    return float(point["bf16"]["ms"] / point["fp8"]["ms"])


def errors(points: list[dict[str, Any]]) -> list[float]:
    return sorted(abs((predicted(point).speedup or 0.0) / ratio(point) - 1) for point in points)


def wrong_signs(points: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [
        (point["shape"], point["tokens"])
        for point in points
        if not 0.95 <= ratio(point) <= 1.05 and ((predicted(point).speedup or 0.0) > 1) != (ratio(point) > 1)
    ]


def eager_te() -> list[dict[str, Any]]:
    return [p for p in POINTS if p.get("backend", "TE") == "TE" and p.get("scope", "layers") == "layers"]


def held_out() -> list[dict[str, Any]]:
    return [{"shape": s, "tokens": t, "bf16": {"ms": b}, "fp8": {"ms": f}} for s, t, b, f in HELD_OUT]


def hosts() -> list[dict[str, Any]]:
    """The machines 4, 5 and 6."""
    return [json.loads(line) for line in (EVIDENCE / "h200-hosts.jsonl").read_text().splitlines()]


def everything() -> list[dict[str, Any]]:
    return [*eager_te(), *held_out(), *hosts()]


def by_point() -> dict[tuple[str, int], float]:
    """The median over the machines of what each point was measured at."""
    found: dict[tuple[str, int], list[float]] = {}
    for point in everything():
        found.setdefault((point["shape"], point["tokens"]), []).append(ratio(point))
    return {key: statistics.median(ratios) for key, ratios in found.items()}


def test_the_machine_that_was_held_out() -> None:
    found = errors(held_out())
    assert statistics.median(found) <= 0.10
    assert found[-1] <= 0.25
    assert wrong_signs(held_out()) == []


def test_the_machines_of_the_fit() -> None:
    points = eager_te()
    assert len(points) == 84
    assert statistics.median(errors(points)) <= 0.05
    assert wrong_signs(points) == []


def test_points_over_all_machines() -> None:
    """One host launches half as fast as another; what can be predicted is the usual one."""
    points = [{"shape": s, "tokens": t, "bf16": {"ms": r}, "fp8": {"ms": 1.0}} for (s, t), r in by_point().items()]
    assert len(points) == 48
    found = errors(points)
    assert statistics.median(found) <= 0.05
    assert found[-1] <= 0.25
    assert wrong_signs(points) == []


def test_single_measurements_where_the_gpu_decides() -> None:
    points = [point for point in everything() if predicted(point).bound != "launch"]
    assert len(points) >= 60
    found = errors(points)
    assert statistics.median(found) <= 0.05
    assert found[-1] <= 0.25
    assert wrong_signs(points) == []


def test_single_measurements_on_machines_of_no_fit() -> None:
    points = [*held_out(), *hosts()]
    assert len(points) == 112
    assert statistics.median(errors(points)) <= 0.10


def test_the_numbers_that_are_told() -> None:
    """docs/probe.md and `fp8check worth` have them, in percent: points, median error, worst error."""

    def told(points: list[dict[str, Any]]) -> tuple[int, int, int]:
        found = errors(points)
        return len(points), round(100 * statistics.median(found)), round(100 * found[-1])

    decided = [point for point in everything() if predicted(point).bound != "launch"]
    usual = [{"shape": s, "tokens": t, "bf16": {"ms": r}, "fp8": {"ms": 1.0}} for (s, t), r in by_point().items()]
    numbers = (told(usual), told(decided), told(everything()), told([*held_out(), *hosts()]))
    assert numbers == ((48, 3, 16), (64, 2, 13), (196, 5, 67), (112, 8, 67))
    rows = [line.split("|")[2:5] for line in PAGE.read_text().splitlines() if line.endswith(" % |")]
    assert [tuple(int(cell.strip(" %")) for cell in row) for row in rows] == list(numbers)
    inside = [(p.low or 0.0) <= ratio(point) <= (p.high or 0.0) for point in everything() for p in [predicted(point)]]
    assert round(100 * sum(inside) / len(inside)) == 99


def test_what_is_called_likely() -> None:
    """Whatever the host: below the one bound FP8 is slower, above the other it is faster."""
    low = [ratio(point) for point in everything() if (predicted(point).speedup or 0.0) < LIKELY_SLOWER]
    high = [ratio(point) for point in everything() if (predicted(point).speedup or 0.0) > LIKELY_FASTER]
    assert (sum(one < 1 for one in low), len(low)) == (111, 112)
    assert (sum(one > 1 for one in high), len(high)) == (67, 68)


def test_the_number_of_layers_does_not_change_the_ratio_of_layers() -> None:
    for point in everything():
        whole = predicted({**point, "layers": SHAPES[point["shape"]][4]})
        assert whole.speedup == pytest.approx(predicted(point).speedup)


def test_measurements_lie_in_the_stated_range() -> None:
    seen = [(predicted(point), ratio(point)) for point in everything()]
    inside = [(point.low or 0.0) <= measured <= (point.high or 0.0) for point, measured in seen]
    assert sum(inside) / len(inside) >= 0.98
    # No measurement contradicts a range that lies on one side of 1.
    assert not [point for point, measured in seen if (point.high or 0.0) < 1 and measured > 1]
    assert not [point for point, measured in seen if (point.low or 0.0) > 1 and measured < 1]


@pytest.mark.parametrize(("compiled", "median"), [(True, 0.15), (False, 0.25)])
def test_torchao(compiled: bool, median: float) -> None:
    points = [p for p in POINTS if p.get("backend") == "AO" and p["compiled"] is compiled]
    assert points
    assert statistics.median(errors(points)) <= median
    assert wrong_signs(points) == []


def test_whole_models() -> None:
    points = [p for p in POINTS if p.get("scope") == "model"]
    assert points
    assert errors(points)[-1] <= 0.25
    times = [abs(predicted(p).bf16_ms / p["bf16"]["ms"] - 1) for p in points]
    assert statistics.median(times) <= 0.2


def memory(point: dict[str, Any]) -> tuple[float, float]:
    """Predicted GiB over measured, less one, in BF16 and in FP8."""
    model, setup = described(point)
    found = memory_of(model, point["tokens"], setup)
    return found[0] / point["bf16"]["peak_gib"] - 1, found[1] / point["fp8"]["peak_gib"] - 1


def test_memory_of_layers() -> None:
    """The one count of memory, of layers that it was never held against."""
    for kind in zip(*(memory(point) for point in eager_te()), strict=True):
        assert statistics.median(map(abs, kind)) <= 0.05
        assert max(map(abs, kind)) <= 0.2


def test_memory_of_whole_models() -> None:
    found = [memory(point) for point in POINTS if point.get("scope") == "model"]
    assert max(abs(error) for pair in found for error in pair) <= 0.07


def test_table_of_gpus() -> None:
    names = {gpu.name for gpu in gpus()}
    assert {"H100", "H200", "B200", "RTX 4090", "L40S", "A100"} <= names
    assert [gpu.name for gpu in gpus() if gpu.measured] == ["H200"]
    assert all(gpu.source.startswith("https://") for gpu in gpus())
    assert [gpu.name for gpu in gpus() if gpu.fp8_tflops is None] == ["A100"]
