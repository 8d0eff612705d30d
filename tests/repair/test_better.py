"""Whether a run is better once something was done to it."""

from __future__ import annotations

import pytest

from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.engine.running import UndecidedRule
from fp8check.rules.repair.better import Worse, check_better
from tests.support.runs import report_of

TRAIN = "output_dir: out\nlearning_rate: 1.0e-5\nbf16: {bf16}\n"
ACCEL = 'distributed_type: "NO"\nmixed_precision: {precision}\nfp8_config:\n  backend: {backend}\n'
MODEL = {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64}
LARGE = {**MODEL, "model_type": "llama", "vocab_size": 128256, "architectures": ["LlamaForCausalLM"]}


def run(bf16: str = "true", precision: str = "fp8", backend: str = "TE", **case: object) -> object:
    accel = ACCEL.format(precision=precision, backend=backend)
    return report_of({"training": TRAIN.format(bf16=bf16), "accelerate": accel, **case})


def test_a_run_without_the_finding_is_better() -> None:
    check_better("FP101", run(), run("false"))


UNDECIDED = UndecidedRule("FP101", "x", "y")
STAYS = {
    "the finding would still be there": (run(), run()),
    "whether the finding would be gone then cannot be decided": (run(), run("false")._replace(undecided=(UNDECIDED,))),
    "what would happen then cannot be decided": (run(), run("${BF16}")._replace(findings=(), undecided=())),
}


@pytest.mark.parametrize("reason", STAYS)
def test_what_does_not_take_it_away(reason: str) -> None:
    before, after = STAYS[reason]
    with pytest.raises(Unfixable, match=reason):
        check_better("FP101", before, after)


WORSE = {
    "leads to FP210": (run(backend="AO"), run("false", backend="AO")),
    "ends the run with ValueError": (run(), run("false", backend="te")._replace(findings=())),
    "takes the run out of FP8": (run(), run("false", precision="bf16")),
}


@pytest.mark.parametrize("reason", WORSE)
def test_what_brings_something_else_is_worse(reason: str) -> None:
    before, after = WORSE[reason]
    with pytest.raises(Worse, match=f"fixing this alone {reason}"):
        check_better("FP101", before, after)
