"""What the child is told of a run: its sizes, its precision, and what had to be assumed."""

from __future__ import annotations

import pytest

from fp8check.probe.spec import NotProbed, Spec, specify
from fp8check.rules.outcome import predict
from tests.support.probing import AO_OFF, SMALL, TE, TRAINING
from tests.support.runs import assembled_of

QWEN = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
}


def spec_of(emulate: bool = False, **case: object) -> tuple[Spec, tuple[str, ...]]:
    one = assembled_of({"training": TRAINING, "accelerate": AO_OFF, "model": SMALL, **case})
    return specify(one.run, predict(one.run), emulate=emulate)


def test_the_runs_own_sizes() -> None:
    spec, assumed = spec_of(model=QWEN, training=TRAINING.replace("float32", "bfloat16"))
    assert (spec["model"]["hidden"], spec["model"]["vocab"], spec["model"]["layers"]) == (3584, 152064, 28)
    assert spec["batch"] == {"rows": 2, "columns": 64}
    assert (spec["backend"], spec["mixed_precision"], spec["dtype"]) == ("AO", "fp8", "bfloat16")
    assert spec["ragged"] == {"rows": 1, "columns": 61, "less": 3}
    assert assumed == ()


@pytest.mark.parametrize("hidden", [3584, 3592, 1000, 96])
@pytest.mark.parametrize("inner", [18944, 1000, 4100])
def test_emulated_widths_leave_the_same_remainder(hidden: int, inner: int) -> None:
    config = {**QWEN, "hidden_size": hidden, "intermediate_size": inner, "head_dim": 128}
    spec, assumed = spec_of(model=config, emulate=True)
    block = {name.rpartition(".")[2]: (columns, rows) for name, columns, rows, _ in spec["model"]["block"]}
    assert block["gate_proj"][0] % 16 == hidden % 16
    assert block["gate_proj"][1] % 16 == inner % 16
    assert max(max(sizes) for sizes in block.values()) <= 528
    assert any("scaled down" in words for words in assumed)


def test_lora_and_checkpointing() -> None:
    training = (
        TRAINING + "use_peft: true\nlora_r: 16\nlora_target_modules: [q_proj, v_proj]\ngradient_checkpointing: true\n"
    )
    spec, _ = spec_of(training=training)
    assert spec["lora"] == {"rank": 16, "targets": ["q_proj", "v_proj"]}
    assert spec["checkpointing"] is False


def test_what_is_not_known_is_assumed_aloud() -> None:
    spec, assumed = spec_of(training="model_name_or_path: x\n", trainer="script")
    assert spec["batch"] == {"rows": 1, "columns": 2048}
    assert any("does not say how large a micro-batch is" in words for words in assumed)


def test_packed_batches_are_not_ragged() -> None:
    spec, _ = spec_of(training=TRAINING + "packing: true\n")
    assert spec["ragged"] is None


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"model": {"model_type": "gpt2", "n_embd": 64, "n_head": 4, "n_layer": 2, "vocab_size": 64}}, "not known"),
        ({"accelerate": TE.replace("'NO'", "MEGATRON_LM")}, "one process does not show|before Accelerator|not known"),
        ({"training": TRAINING + "bf16: true\nfp16: true\n"}, "ends before Accelerator: ValueError"),
    ],
)
def test_what_cannot_be_probed(case: dict[str, object], why: str) -> None:
    with pytest.raises(NotProbed, match=why):
        spec_of(**case)  # type: ignore[arg-type]
