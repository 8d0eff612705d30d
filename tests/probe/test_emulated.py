"""The real path on the CPU, with torchao's emulated float8: what a healthy run shows, and faults in it.

Each fault changes the real packages in the child process (fault_site/sitecustomize.py).
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fp8check.probe.process import Limits
from fp8check.rules.seen.data import Autocast, Kernels
from tests.support.probing import AO, AO_OFF, SMALL, TE, TRAINING, not_a_pass, probed, said, torch_python

if TYPE_CHECKING:
    from fp8check.rules.seen import Seen
    from fp8check.rules.suppression.examined import Examined


def emulated(case: dict[str, object], fault: str | None = None, limits: Limits | None = None) -> tuple[Examined, Seen]:
    # One thread each: the layers are small, and two probes share two cores.
    environ = {"OMP_NUM_THREADS": "1"}
    return probed(case, python=torch_python(), emulate=True, fault=fault, limits=limits, environ=environ)


def test_healthy_run_shows_conversion_and_numerics_and_leaves_the_rest_undecided() -> None:
    report, seen = emulated({"accelerate": AO_OFF})
    assert seen.ended == "done"
    assert seen.layers is not None
    assert (seen.layers.torchao, seen.layers.total) == (13, 15)
    assert seen.accelerator is not None
    assert (seen.accelerator.mixed_precision, seen.accelerator.backend) == ("fp8", "AO")
    assert seen.autocast == Autocast(layers_in_fp8=13)
    assert seen.moved is not None
    assert seen.moved.moved == seen.moved.trainable
    assert seen.optimizer is not None
    assert seen.optimizer.missing == 0
    assert seen.numerics is not None
    assert seen.numerics.output.fp8 is not None
    assert 0.005 < seen.numerics.output.fp8 < 0.2
    assert seen.losses is not None
    assert None not in seen.losses
    assert [one.rule for one in report.findings if one.rule.startswith("FP8")] == []
    undecided = {one.rule for one in report.undecided if one.rule.startswith("FP8")}
    assert undecided == {"FP806", "FP807", "FP814", "FP815"}
    assert "emulation" in said(report, "FP806")
    not_a_pass(report)


def test_torchao_as_accelerate_sets_it_up_trains_none_of_the_converted_weights() -> None:
    report, seen = emulated({"accelerate": AO})
    assert seen.ended == "done"
    assert report.verdict == "fail"
    assert "13 of 27" not in said(report, "FP812")
    assert "do not move in the optimizer's step" in said(report, "FP811")
    assert "enable_fsdp_float8_all_gather: false" in said(report, "FP811")
    assert "the optimizer does not hold 13 trainable parameters" in said(report, "FP812")
    assert said(report, "FP813") == ""  # it was predicted


def test_bf16_run_is_shown_as_not_fp8() -> None:
    config = "distributed_type: 'NO'\nmixed_precision: fp8\n"
    report, seen = emulated({"accelerate": config, "training": TRAINING + "bf16: true\n"})
    assert seen.converted == 0
    assert "the step did not run in FP8: none of 15 Linear layers was converted" in said(report, "FP806")
    assert said(report, "FP813") == ""


@pytest.mark.slow
def test_bf16_with_torchao_ends_in_prepare_as_predicted() -> None:
    report, seen = emulated({"accelerate": AO, "training": TRAINING + "bf16: true\n"})
    assert seen.ended == "error"
    assert "as predicted: AttributeError (prepare)" in said(report, "FP805")
    assert report.verdict == "fail"


def test_transformer_engine_is_stood_in_for_and_the_report_says_so() -> None:
    _, seen = emulated({"accelerate": TE})
    assert seen.ended == "done"
    assert any("Transformer Engine has no emulation" in words for words in seen.assumed)
    assert seen.layers is not None
    assert seen.layers.torchao == 13


@pytest.mark.slow
def test_lora_and_checkpointing_go_the_real_way() -> None:
    training = TRAINING + (
        "use_peft: true\nlora_r: 16\nlora_target_modules: all-linear\ngradient_checkpointing: true\n"
        "gradient_checkpointing_kwargs: {use_reentrant: false}\n"
    )
    report, seen = emulated({"accelerate": AO_OFF, "training": training})
    assert seen.ended == "done", seen.output
    assert seen.parameters is not None
    assert seen.parameters.before.trainable_tensors == 28
    assert seen.moved is not None
    assert seen.moved.moved == 28
    assert said(report, "FP813") == ""


def test_tied_head_stays_tied_with_torchao() -> None:
    report, seen = emulated({"accelerate": AO_OFF, "model": {**SMALL, "tie_word_embeddings": True}})
    assert seen.parameters is not None
    assert seen.parameters.after.tied is True
    assert said(report, "FP812") == ""


@pytest.mark.slow
def test_misaligned_layer_is_left_behind_as_predicted() -> None:
    model = {**SMALL, "num_key_value_heads": 1, "head_dim": 24, "hidden_size": 96}
    report, seen = emulated({"accelerate": AO_OFF, "model": model})
    assert seen.layers is not None
    assert "layers.1.self_attn.k_proj" in seen.layers.left
    assert seen.converted == 9
    assert said(report, "FP813") == ""


# fault: (rule, what it must say, the Accelerate file)
FAULTS = {
    "segfault": ("FP802", "SIGSEGV in stage step", AO_OFF),
    "killed": ("FP802", "SIGKILL in stage step", AO_OFF),
    "abort": ("FP802", "SIGABRT in stage step", AO_OFF),
    "exit-0": ("FP802", "exit code 0 and without an answer in stage step", AO_OFF),
    "exit-3": ("FP802", "exit code 3", AO_OFF),
    "sys-exit": ("FP805", "SystemExit in stage step", AO_OFF),
    "garbage-answer": ("FP802", "its answer cannot be read", AO_OFF),
    "gpu-memory": ("FP803", "ran out of memory in stage step", AO_OFF),
    "host-memory": ("FP803", "ran out of memory in stage step", AO_OFF),
    "device-assert": ("FP805", "device-side assert triggered", AO_OFF),
    "filter-skips-all": ("FP806", "none of 15 Linear layers was converted", AO_OFF),
    "silent-bf16": ("FP813", "mixed_precision: predicted fp8, observed bf16", AO_OFF),
    "converts-one": ("FP813", "converted Linear layers: predicted 13, observed 1", AO_OFF),
    "nan-weights": ("FP810", "the loss of step 1 is NaN or infinite", AO_OFF),
    "untied": ("FP812", "the head was tied to the embedding, and is not any more", AO_OFF),
    "wrong-copy": ("FP812", "other values than before have layers.1.mlp.up_proj.weight", AO_OFF),
    "base-thawed": ("FP812", "values trained before prepare()", AO_OFF),
    "optimizer-forgets": ("FP812", "the optimizer does not hold 18 trainable parameters", AO_OFF),
    "optimizer-idle": ("FP811", "21 of 21 trainable parameters do not move", AO_OFF),
    "gradients-of-noise": ("FP809", "gradients are off by", AO_OFF),
    "wrong-output": ("FP809", "rounding explains", AO_OFF),
    "zero-output": ("FP809", "rounding explains", AO_OFF),
    "refuses-odd-batches": ("FP816", "ends the run with ValueError", AO_OFF),
}
CASES: dict[str, dict[str, object]] = {
    "untied": {"model": {**SMALL, "tie_word_embeddings": True}},
    "base-thawed": {"training": TRAINING + "use_peft: true\nlora_r: 16\nlora_target_modules: all-linear\n"},
}

# One of each kind: the others are tried by make probe-test.
SAMPLE = ("segfault", "garbage-answer", "gpu-memory", "silent-bf16", "nan-weights", "optimizer-forgets", "wrong-output")
CHOSEN = [fault for fault in FAULTS if fault in SAMPLE or os.environ.get("TEST_PROBE") == "all"]


@pytest.fixture(scope="module")
def faults() -> dict[str, tuple[Examined, Seen]]:
    """Every fault, two at a time: most of the time goes into importing torch."""
    torch_python()
    cases = [({"accelerate": FAULTS[fault][2], **CASES.get(fault, {})}, fault) for fault in CHOSEN]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(CHOSEN, pool.map(lambda case: emulated(*case), cases), strict=True))


@pytest.mark.parametrize("fault", CHOSEN)
def test_fault_is_found_and_named(fault: str, faults: dict[str, tuple[Examined, Seen]]) -> None:
    rule, words, _ = FAULTS[fault]
    report, seen = faults[fault]
    not_a_pass(report)
    assert report.verdict == "fail" or rule in ("FP813", "FP816"), seen.as_data()
    assert words in said(report, rule), (seen.ended, seen.error, seen.output[-800:])


def test_silent_bf16_is_no_fp8(faults: dict[str, tuple[Examined, Seen]]) -> None:
    report, _ = faults["silent-bf16"]
    assert "none of 15 Linear layers was converted" in said(report, "FP806")


def test_profiler_that_records_nothing_is_undecided_and_no_pass() -> None:
    report, seen = emulated({"accelerate": AO_OFF}, "profiler-empty")
    not_a_pass(report)
    assert seen.kernels == Kernels(forward={}, backward={}, nodes={})
    assert said(report, "FP807").startswith("undecided")


def test_hang_in_the_step_is_killed_after_the_limit_and_named() -> None:
    began = time.monotonic()
    report, seen = emulated({"accelerate": AO_OFF}, "hang-in-step", Limits(60.0, 6.0))
    assert time.monotonic() - began < 40
    assert seen.ended == "hang"
    assert "within 6 s after its imports" in said(report, "FP801")
    assert "in stage step" in said(report, "FP801")
    not_a_pass(report)


def test_too_little_time_leaves_stages_out_and_says_so() -> None:
    report, seen = emulated({"accelerate": AO_OFF}, limits=Limits(60.0, 0.9))
    if seen.ended == "hang":
        assert "after its imports" in said(report, "FP801")
        return
    assert set(seen.left_out) & {"time", "numerics", "ragged", "bf16"}
    not_a_pass(report)
