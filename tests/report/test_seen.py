"""What the probe saw, in words: each subject where it was seen, and nothing where it was not."""

from __future__ import annotations

import pytest

from fp8check.rules.report.seen import page, summary
from fp8check.rules.seen import from_data
from tests.support.runs import PROBED

HEALTHY = PROBED["te"]
FULL = {
    **HEALTHY,
    "packages": {"torch": "2.11.0", "transformer_engine": "2.20.2"},
    "assumed": ["64 columns, as the file names none"],
    "left_out": ["ragged", "bf16"],
    "seconds": {"imports": 9.1, "total": 21.0},
    "layers": {**HEALTHY["layers"], "left": ["a", "b", "c", "d", "e"]},
    "built": {**HEALTHY["built"], "scaled": ["layers 28 to 2"]},
    "moved": {"trainable": 21, "moved": 21, "stayed": [], "steps": 1},
}


def row(text: str, title: str) -> str | None:
    return next((line[11:] for line in text.splitlines() if line.startswith(f"{title} ")), None)


def test_a_healthy_step() -> None:
    line = summary(from_data(HEALTHY))
    assert line == (
        "NVIDIA H200 · 15 of 15 Linear layers converted · fprop, dgrad, wgrad in FP8 · output off by 10.0% · 1.30x of BF16"
    )


def test_everything_has_its_row() -> None:
    text = page(from_data(FULL))
    assert row(text, "gpu") == "NVIDIA H200, compute capability 9.0, 142000 MiB free"
    assert row(text, "packages") == "torch 2.11.0, transformer_engine 2.20.2"
    assert row(text, "built") == "2 layers, 2 x 64 tokens; scaled: layers 28 to 2"
    assert row(text, "assumed") == "64 columns, as the file names none"
    assert row(text, "layers") == "te 15, torchao 0, msamp 0, plain 0; left: a, b, c, d"
    assert row(text, "moved") == "21 of 21 trainable parameters, in 1 step"
    assert row(text, "losses") == "6.200, 6.100, 6.000"
    assert row(text, "fp8") == "10.00 ms (9.80 to 10.20) forward and backward, peak 5.00 GiB"
    assert row(text, "ragged") == "a batch of 1 x 61 tokens goes through"
    assert row(text, "left out") == "ragged, bf16: the time did not suffice"
    assert row(text, "seconds") == "9.1 to the end of the imports, 21.0 in all"
    assert (row(text, "fprop") or "").startswith("15 in FP8, 0 not: nvjet_sm90_qqtst")
    assert (row(text, "output") or "").startswith("off by 10.0% from FP32, bound ")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"ended": "not run", "why": "CUDA shows no GPU to this process"},
            "not run: CUDA shows no GPU to this process",
        ),
        ({"ended": "hang", "why": "a limit was reached"}, "a limit was reached"),
        ({"ended": "killed"}, "NVIDIA H200 · killed"),
        ({"device": None}, "no GPU reached"),
        ({"kernels": None}, "no GEMM kernel recorded"),
        ({"kernels": {"forward": {"nvjet_sm90_tst_a": 15}, "backward": {}, "nodes": {}}}, "no GEMM in FP8"),
        ({"emulated": True}, "emulated on the CPU: proves conversion and numerics, not kernels or speed"),
    ],
)
def test_the_summary_says_what_is_other(changes: dict[str, object], words: str) -> None:
    assert words in summary(from_data({**HEALTHY, **changes}))


@pytest.mark.parametrize("changes", [{"layers": None}, {"numerics": None}, {"fp8_ms": None}])
def test_what_was_not_seen_is_not_said(changes: dict[str, object]) -> None:
    seen = from_data({**HEALTHY, **changes})
    (gone,) = {"layers": ["converted"], "numerics": ["output off"], "fp8_ms": ["of BF16"]}[next(iter(changes))]
    assert gone not in summary(seen)
    assert page(seen)


def test_an_emulated_step_has_no_kernels_and_no_times() -> None:
    text = page(from_data({**FULL, "emulated": True}))
    assert (row(text, "fprop"), row(text, "fp8"), row(text, "bf16")) == (None, None, None)


def test_a_failure_is_shown_with_its_stage() -> None:
    error = {"stage": "step", "type": "ValueError", "message": "no"}
    ragged = {"rows": 1, "columns": 61, "error": {"stage": "ragged", "type": "ValueError", "message": "divisible by 8"}}
    text = page(from_data({**HEALTHY, "error": error, "ragged": ragged, "losses": [1.0, None], "fp8_gib": None}))
    assert row(text, "error") == "ValueError in stage step: no"
    assert row(text, "ragged") == "a batch of 1 x 61 tokens ends with ValueError: divisible by 8"
    assert row(text, "losses") == "1.000, not finite"
    assert (row(text, "fp8") or "").endswith("forward and backward")


def test_nearly_nothing_was_seen() -> None:
    assert page(from_data({"ended": "no answer"})).splitlines()[0].startswith("probe")


def test_numbers_that_are_none() -> None:
    numerics = {"output": {"fp8": None, "bf16": None}, "gradients": {"fp8": {}, "bf16": {}}}
    assert "not a number" in page(from_data({**HEALTHY, "numerics": numerics}))


def test_ratios_need_both_times() -> None:
    seen = from_data({**HEALTHY, "bf16_ms": None})
    assert (seen.speed_up, seen.speed_range) == (None, None)
