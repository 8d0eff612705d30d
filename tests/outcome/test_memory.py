"""The memory model against measured peaks, and what it takes from a run."""

from __future__ import annotations

import json
from statistics import median
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.facts import Facts
from fp8check.rules.models.shape import Linear, ModelShape
from fp8check.rules.outcome.memory import predict_memory, what_memory_lacks
from fp8check.rules.outcome.peak import moments, peak_bytes
from fp8check.rules.outcome.peak_inputs import GIB, Step, sizes_of
from fp8check.rules.outcome.spread import weights_bytes
from fp8check.rules.settings.values import Undecided
from fp8check.rules.trainers.training import Training
from tests.support.outcomes import DDP, ONE, TE, outcome_of
from tests.support.paths import ROOT
from tests.tools.gpu.llamas import MIXTURE, SHAPES

if TYPE_CHECKING:
    from fp8check.rules.outcome.peak_inputs import Engine, Strategy

ENGINES: dict[str, Engine] = {"bf16": "BF16", "te": "TE", "ao": "AO"}
STRATEGIES: dict[str, Strategy] = {"single": "single", "ddp": "ddp", "fsdp2": "fsdp2", "zero2": "zero2"}


def shape(name: str, layers: int) -> ModelShape:
    """The Llama that was measured."""
    hidden, wide, heads, kv, vocabulary, tied = SHAPES[name]
    size = hidden // heads
    layer = (
        ("self_attn.q_proj", hidden, hidden),
        ("self_attn.k_proj", hidden, kv * size),
        ("self_attn.v_proj", hidden, kv * size),
        ("self_attn.o_proj", hidden, hidden),
        ("mlp.gate_proj", hidden, wide),
        ("mlp.up_proj", hidden, wide),
        ("mlp.down_proj", wide, hidden),
    )
    block = tuple(Linear(each, *sizes, bias=False) for each, *sizes in layer)
    head = Linear("lm_head", hidden, vocabulary, bias=False)
    return ModelShape(name, "table", "llama", hidden, wide, layers, heads, kv, size, vocabulary, tied, block, head, 0)


def rows(file: str) -> list[dict[str, object]]:
    """The measurements of a file, less those that ended."""
    lines = (ROOT / "docs/evidence" / file).read_text().splitlines()
    return [row for row in map(json.loads, lines) if "error" not in row.get("seen", {})]


def step_of(case: dict[str, object]) -> Step:
    """What was measured, in the terms of the model."""
    return Step(
        ENGINES[str(case["precision"])],
        int(str(case["batch"])) * int(str(case["sequence"])),
        str(case["weights"]),
        str(case["optimizer"]),
        STRATEGIES[str(case["strategy"])],
        int(str(case.get("processes", 1))),
        bool(case["checkpointing"]),
        bool(case["compile"]),
        int(str(case["lora"])),
    )


def errors(file: str) -> dict[str, float]:
    """Predicted over measured, less one, by what was measured."""
    found = {}
    for number, row in enumerate(rows(file)):
        case = row["case"]
        assert isinstance(case, dict)
        seen = row.get("seen")
        peak = seen["peak"] if isinstance(seen, dict) else float(str(row["peak_gib"])) * GIB
        predicted = peak_bytes(shape(case["shape"], case["layers"]), step_of(case))
        found[f"{number} {case}"] = predicted / peak - 1
    return found


@pytest.mark.parametrize(("file", "least"), [("h100-peaks.jsonl", 30), ("h100-trainers.jsonl", 18)])
def test_the_peaks_that_were_measured(file: str, least: int) -> None:
    found = errors(file)
    assert len(found) >= least
    assert {name: error for name, error in found.items() if abs(error) > 0.05} == {}
    assert median(map(abs, found.values())) <= 0.01


def test_each_moment_that_was_measured() -> None:
    """Not the peak alone is right: so is what there is once the loss is computed, and in the optimizer."""
    wrong = {}
    for number, row in enumerate(rows("h100-peaks.jsonl")):
        case, seen = row["case"], row["seen"]
        assert isinstance(case, dict)
        assert isinstance(seen, dict)
        at = moments(shape(case["shape"], case["layers"]), step_of(case))
        for name, phase in (("loss", "forward"), ("optimizer", "optimizer")):
            error = at[name] / seen["phases"][phase] - 1
            if abs(error) > 0.1:
                wrong[f"{number} {name}"] = f"{error:+.0%} {case}"
    # Transformer Engine's gradients come in its own type, and Adafactor's step makes more than is counted.
    assert len(wrong) <= 4, wrong


SMALL = shape("8B", 4)
FULL = Step("BF16", 2048, "bfloat16", processes=2)


@pytest.mark.parametrize(
    ("step", "more"),
    [
        (FULL._replace(strategy="fsdp2"), {"accumulates": True}),
        (FULL._replace(strategy="fsdp1"), {"accumulates": True}),
        (FULL._replace(strategy="zero1"), {"accumulates": True}),
        (FULL._replace(strategy="zero2"), {"accumulates": True}),
        (FULL._replace(strategy="fsdp1", tokens=8192), {"reshards": False}),
        (FULL._replace(strategy="zero2", offload="optimizer"), {"offload": "none"}),
        (FULL._replace(strategy="zero3", offload="all"), {"offload": "optimizer"}),
        (FULL._replace(strategy="zero3", offload="optimizer"), {"offload": "none"}),
        (FULL._replace(strategy="zero2", lora_rank=16), {"strategy": "zero3"}),
        (FULL._replace(lora_rank=16), {"lora_dropout": True}),
        (FULL._replace(lora_rank=16), {"engine": "AO"}),
        (FULL._replace(optimizer="paged_adamw_8bit"), {"optimizer": "adamw_8bit"}),
        (FULL._replace(optimizer="adamw_8bit"), {"optimizer": "adamw_torch_fused"}),
        (FULL._replace(optimizer="sgd", tokens=0), {"optimizer": "adafactor"}),
        (FULL._replace(loss="fused", liger=True), {"loss": "logits"}),
        (FULL._replace(loss="chunked"), {"loss": "logits"}),
        (FULL._replace(loss="chunked", weights="float32"), {"loss": "kept"}),
    ],
)
def test_what_takes_more(step: Step, more: dict[str, object]) -> None:
    assert peak_bytes(SMALL, step._replace(**more)) > peak_bytes(SMALL, step)


def test_weights_alone_by_how_they_are_spread() -> None:
    sizes, step = sizes_of(SMALL), FULL._replace(weights="float32")
    whole = weights_bytes(sizes, step)
    assert whole == 4 * sizes.all
    assert weights_bytes(sizes, step._replace(strategy="fsdp2")) == whole / 2
    assert weights_bytes(sizes, step._replace(strategy="zero2")) == whole / 2  # whole, in BF16
    assert weights_bytes(sizes, step._replace(strategy="zero3")) == whole / 4
    assert weights_bytes(sizes, step._replace(strategy="zero3", offload="all")) == 0


def test_a_tied_embedding_has_its_states_in_float32_with_eight_bits() -> None:
    """bitsandbytes is told so by the Trainer: eight bytes for each number of the embedding, about two for all others."""
    tied = shape("1B", 8)
    one, other = (moments(tied, FULL._replace(optimizer=name))["loss"] for name in ("adamw_8bit", "paged_adamw_8bit"))
    rest = tied.layers * sum(each.parameters for each in tied.block)
    assert one - other == pytest.approx(8 * tied.vocab * tied.hidden + (2 + 1 / 32) * rest)


LLAMA = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 3,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False,
    "dtype": "bfloat16",
}  # fmt: skip
TRAIN = "model_name_or_path: tiny\nper_device_train_batch_size: 2\nmax_seq_length: 2048\n"
H100 = [{"compute_capability": "9.0", "name": "NVIDIA H100 80GB HBM3", "memory_mib": 81559}]


def memory(training: str = TRAIN, accelerate: str = ONE + TE, **more: object) -> tuple[float, float | None] | None:
    """GiB in BF16 and in FP8."""
    outcome = outcome_of({"training": training, "accelerate": accelerate, "model": LLAMA, "gpu": 2 * H100, **more})
    found = predict_memory(outcome.run, outcome)
    return (
        None
        if found is None
        else (round(found.bf16_gib, 1), None if found.fp8_gib is None else round(found.fp8_gib, 1))
    )


def test_of_a_run() -> None:
    assert memory() == (17.9, 20.0)
    outcome = outcome_of({"training": TRAIN, "accelerate": ONE + TE, "model": LLAMA, "gpu": H100})
    found = predict_memory(outcome.run, outcome)
    assert found is not None
    assert found.gpu_gib == pytest.approx(79.65, abs=0.01)
    assert found.limit_gib == pytest.approx(76.3, abs=0.1)
    assert found.least_gib < found.peak_gib == found.fp8_gib


@pytest.mark.parametrize(
    ("training", "accelerate", "expected"),
    [
        (TRAIN + "bf16: true\n", ONE.replace("fp8\n", "bf16\n"), (17.9, None)),
        (TRAIN + "gradient_accumulation_steps: 4\n", ONE + TE, (21.1, 23.2)),
        (TRAIN + "optim: adamw_torch\n", ONE + TE, (17.9, 20.0)),
        (TRAIN, DDP + TE, (21.1, 23.2)),
    ],
)
def test_what_changes_it(training: str, accelerate: str, expected: tuple[float, float | None]) -> None:
    assert memory(training, accelerate) == expected


@pytest.mark.parametrize(
    "training",
    [
        TRAIN + "use_liger_kernel: true\n",  # with Transformer Engine
        TRAIN + "attn_implementation: eager\n",
        TRAIN + "optim: lion_8bit\n",
        TRAIN + "torch_dtype: float16\n",
        TRAIN + "use_peft: true\nlora_target_modules: [q_proj]\n",
        TRAIN.replace("max_seq_length: 2048\n", ""),
    ],
)
def test_what_is_not_counted_is_not_said(training: str) -> None:
    assert memory(training) is None


FSDP2 = "distributed_type: FSDP\nnum_processes: 2\nmixed_precision: bf16\nfsdp_config:\n  fsdp_version: 2\n"
FSDP1 = FSDP2.replace("version: 2", "version: 1")
ZERO = "distributed_type: DEEPSPEED\nnum_processes: 2\nmixed_precision: bf16\ndeepspeed_config:\n  zero_stage: 2\n"
BF16 = TRAIN + "bf16: true\n"
STACK = {"accelerate": "1.15.0", "transformers": "5.17.0", "torch": "2.11.0", "deepspeed": "0.19.8"}


@pytest.mark.parametrize(
    ("accelerate", "expected"),
    [
        (FSDP2, 18.9),
        (FSDP2 + "  fsdp_reshard_after_forward: false\n", 20.1),
        (FSDP2 + "  fsdp_reshard_after_forward: sometimes\n", None),
        (FSDP2 + "  fsdp_offload_params: true\n", 9.4),
        (FSDP2 + "  fsdp_activation_checkpointing: true\n", 16.7),
        (FSDP2 + "  fsdp_auto_wrap_policy: SIZE_BASED_WRAP\n", None),
        (FSDP2 + "parallelism_config:\n  parallelism_config_dp_replicate_size: 2\n", None),
        (FSDP1, 19.9),
        (FSDP1 + "  fsdp_sharding_strategy: SHARD_GRAD_OP\n", 20.7),
        (FSDP1 + "  fsdp_sharding_strategy: HYBRID_SHARD\n", None),
        (ZERO, 21.1),
        (ZERO.replace("stage: 2", "stage: 1"), 21.1),
        (ZERO.replace("stage: 2", "stage: 3"), 23.9),
        (ZERO.replace("stage: 2", "stage: 0"), None),
        (ZERO + "  offload_optimizer_device: cpu\n", 11.6),
        (ZERO + "  offload_optimizer_device: nvme\n", None),
        (ZERO.replace("stage: 2", "stage: 3") + "  offload_param_device: cpu\n", 11.2),
        (ZERO.replace("  zero_stage: 2\n", "  gradient_clipping: 1.0\n"), 21.1),
    ],
)
def test_how_it_is_spread(accelerate: str, expected: float | None) -> None:
    found = memory(BF16, accelerate, stack=STACK)
    assert (found and found[0]) == expected


SIZES = '"reduce_bucket_size": "auto", "stage3_max_live_parameters": 1e8'
AUTO = f'{{"zero_optimization": {{"stage": 3, {SIZES}}}, "bf16": {{"enabled": true}}}}'


@pytest.mark.parametrize(
    ("deepspeed", "expected"),
    [
        ('{"zero_optimization": {"stage": 2}, "bf16": {"enabled": true}}', 21.1),
        ('{"zero_optimization": {"stage": 3, "offload_param": {"device": "cpu"}}, "bf16": {"enabled": true}}', 11.2),
        ('{"zero_optimization": {"stage": 3, "offload_param": {"device": "nvme"}}, "bf16": {"enabled": true}}', None),
        (AUTO, 22.1),
        ('{"bf16": {"enabled": true}}', None),
    ],
)
def test_how_deepspeed_s_own_file_spreads_it(deepspeed: str, expected: float | None) -> None:
    accelerate = "distributed_type: MULTI_GPU\nnum_processes: 2\nmixed_precision: bf16\n"
    found = memory(BF16 + "deepspeed: ds.json\n", accelerate, deepspeed=deepspeed, stack=STACK)
    assert (found and found[0]) == expected


@pytest.mark.parametrize(
    ("trl", "more", "expected"),
    [
        ("0.24.0", "", 15.7),
        ("1.0.0", "loss_type: nll\n", 15.7),
        ("1.2.0", "", None),  # when it began to make the logits in pieces was not looked at
        ("1.9.0", "", 12.8),
        ("1.9.0", "loss_type: nll\n", 15.7),
        ("1.16.0", "loss_type: nll\n", 12.8),
        ("1.16.0", "use_liger_kernel: true\n", 12.8),
        ("1.16.0", "loss_type: dft\n", None),
        ("1.16.0", "attn_implementation: eager\n", None),
    ],
)
def test_the_loss_of_trl(trl: str, more: str, expected: float | None) -> None:
    training = TRAIN.replace("max_seq_length", "max_length") + "packing: true\ndtype: bfloat16\n" + more
    found = memory(training, ONE.replace("fp8\n", "bf16\n"), trainer="trl", stack={**STACK, "trl": trl})
    assert (found and found[0]) == expected


@pytest.mark.parametrize(
    "training", [TRAIN.replace("2048", "${LENGTH}"), TRAIN + "optim: ${OPTIM}\n", TRAIN + "torch_dtype: ${TYPE}\n"]
)
def test_what_is_filled_in_later_is_undecided(training: str) -> None:
    with pytest.raises(Undecided):
        memory(training)


def test_where_some_layers_stay_behind_nothing_is_said_of_fp8() -> None:
    odd = {**LLAMA, "vocab_size": 128255}
    outcome = outcome_of({"training": TRAIN, "accelerate": ONE + TE, "model": odd, "gpu": H100})
    assert outcome.fp8_layers == "some"
    assert predict_memory(outcome.run, outcome) is None


def test_a_trainer_of_which_nothing_is_counted() -> None:
    outcome = outcome_of({"accelerate": ONE})
    trainer, stack = Training(), outcome.stack
    assert trainer.uncounted(outcome.run.launch, outcome.run.script)
    assert not trainer.asks_for_fsdp
    assert trainer.deepspeed is None
    assert trainer.optimizer(stack) is None
    assert trainer.shipped("fsdp2", Facts()) is None


AXOLOTL = "base_model: m\nsequence_len: 2048\nmicro_batch_size: 4\ndatasets:\n- path: a\n  type: alpaca\n"
OF_AXOLOTL = {**STACK, "axolotl": "0.19.0", "transformer_engine": "2.20.2", "torchao": "0.17.0"}


def of_axolotl(more: str, accelerate: str = "") -> tuple[float, float | None] | None:
    """Of a run of axolotl, in GiB."""
    return memory(AXOLOTL + more, accelerate or ONE.replace("fp8\n", "'no'\n"), trainer="axolotl", stack=OF_AXOLOTL)


def test_axolotl_keeps_the_ends_in_float32_unless_flash_attention_casts_them_back() -> None:
    narrow, wide = of_axolotl("bf16: true\nflash_attention: true\n"), of_axolotl("bf16: true\n")
    assert narrow is not None
    assert wide is not None
    # Weight, gradient and two states of embedding and head are twice as wide, and so is the residual stream.
    assert wide[0] > narrow[0] + 4 * 2 * 2 * 32000 * 3584 / GIB


def test_axolotl_without_bf16_computes_in_float32_what_is_no_product_in_fp8() -> None:
    found = of_axolotl("bf16: false\n", ONE + TE)
    assert found is not None
    assert found[1] is not None
    assert found[1] > found[0]


@pytest.mark.parametrize(
    ("more", "lacks"),
    [
        ("bf16: true\n", None),
        ("bf16: true\noptimizer: adamw_torch\n", None),
        (
            "bf16: true\nadapter: lora\nlora_r: 8\nlora_alpha: 16\nlora_target_linear: true\n",
            "what adapter makes of a step",
        ),
        ("bf16: true\nplugins:\n- axolotl.integrations.liger.LigerPlugin\n", "what plugins makes of a step"),
        ("bf16: true\nattn_implementation: fp8\n", "what a step keeps with attn_implementation: fp8"),
        ("bf16: true\ngradient_checkpointing: offload\n", "what a step keeps with gradient_checkpointing: offload"),
        ("bf16: true\noptimizer: muon\n", "what the optimizer muon keeps"),
        ("bf16: true\nuse_dora: true\n", "what use_dora makes of a step"),
        ("bf16: true\nliger_kernel_config:\n  rope: true\n", "what liger_kernel_config makes of a step"),
        ("bf16: true\nsequence_len: ${LENGTH}\n", "sequence_len"),
    ],
)
def test_what_the_memory_of_axolotl_lacks(more: str, lacks: str | None) -> None:
    training = AXOLOTL.replace("sequence_len: 2048\n", "") if "sequence_len" in more else AXOLOTL
    given = {"training": training + more, "accelerate": ONE.replace("fp8\n", "'no'\n"), "model": LLAMA, "gpu": H100}
    outcome = outcome_of({**given, "trainer": "axolotl", "stack": OF_AXOLOTL})
    found = what_memory_lacks(outcome.run, outcome)
    assert found == lacks or (lacks is not None and found is not None and lacks in found)


AO = "fp8_config:\n  backend: AO\n  enable_fsdp_float8_all_gather: false\n"
MIXTURE_OF_TWO = {**MIXTURE, "num_hidden_layers": 2}
WITH_TE = {**STACK, "transformer_engine": "2.20.2", "torchao": "0.17.0"}
PLAIN = {"training": TRAIN, "accelerate": ONE.replace("fp8\n", "bf16\n"), "model": LLAMA, "gpu": H100}


@pytest.mark.parametrize(
    ("changed", "lacks"),
    [
        ({}, None),
        ({"model": None}, "the model, or the sizes of its layers"),
        ({"model": None, "training": TRAIN.replace("tiny", "meta-llama/Llama-3.2-1B")}, None),
        ({"model": {**LLAMA, "quantization_config": {"quant_method": "modelopt"}}}, "quantized (modelopt)"),
        ({"model": {"model_type": "llava", "text_config": LLAMA, "vision_config": {}}}, "the layers of "),
        ({"model": {"model_type": "something"}}, "the model, or the sizes of its layers"),
        ({"training": TRAIN.replace("max_seq_length: 2048\n", "")}, "how long the longest sequence is"),
        ({"training": TRAIN + "torch_dtype: float16\n"}, "what weights in float16 keep"),
        ({"accelerate": ONE + TE, "training": TRAIN + "use_liger_kernel: true\n"}, "what FP8 keeps beside Liger's"),
        ({"accelerate": ONE + TE, "model": {**LLAMA, "vocab_size": 128255}}, "that Transformer Engine leaves out"),
        (
            {"accelerate": FSDP2.replace("version: 2", "version: 1") + "  fsdp_auto_wrap_policy: SIZE_BASED_WRAP\n"},
            "how the run is spread over its GPUs",
        ),
        ({"accelerate": ONE + TE + "  fp8_format: E5M2\n"}, None),  # the run ends
        ({"accelerate": ONE + AO, "model": MIXTURE_OF_TWO}, "what experts in FP8 keep"),
        (
            {"training": TRAIN.replace("per_device_train_batch_size: 2", "per_device_train_batch_size: ''")},
            None,
        ),  # it ends
    ],
)
def test_what_the_memory_of_a_run_lacks(changed: dict[str, object], lacks: str | None) -> None:
    outcome = outcome_of({**{k: v for k, v in {**PLAIN, **changed}.items() if v is not None}, "stack": WITH_TE})
    found = what_memory_lacks(outcome.run, outcome)
    assert found == lacks or (lacks is not None and found is not None and lacks in found)


def test_a_run_that_ends_takes_no_memory() -> None:
    given = {**PLAIN, "accelerate": ONE + TE + "  fp8_format: E5M2\n", "stack": WITH_TE}
    outcome = outcome_of(given)
    assert outcome.error is not None
    assert predict_memory(outcome.run, outcome) is None


OF_TRL = {**WITH_TE, "trl": "1.16.0"}


@pytest.mark.parametrize(
    ("launch", "is_known"),
    [
        (
            "accelerate launch --module trl.scripts.sft --model_name_or_path m --dataset_name d --max_length 4096 --bf16 true",
            True,
        ),
        (
            "accelerate launch --module trl.scripts.dpo --model_name_or_path m --dataset_name d --max_length 4096 --bf16 true",
            False,
        ),
        ("trl sft --model_name_or_path m --dataset_name d --max_length 4096 --bf16 true", True),
        ("trl dpo --model_name_or_path m --dataset_name d --max_length 4096 --bf16 true", False),
    ],
)
def test_the_command_of_trl_says_which_trainer_it_is(launch: str, is_known: bool) -> None:
    given = {"launch": launch, "model": LLAMA, "gpu": H100, "stack": OF_TRL, "trainer": "trl"}
    outcome = outcome_of({**given, "training": "model_name_or_path: m\nmax_length: 4096\n"})
    assert (predict_memory(outcome.run, outcome) is not None) is is_known
    assert (what_memory_lacks(outcome.run, outcome) is None) is is_known
