"""What FSDP takes for one unit: executed with accelerate 1.10.1 and 1.15.0 (tests/conformance/commands.jsonl)."""

from __future__ import annotations

import pytest

from tests.support.outcomes import LLAMA, outcome_of, seen

STACK = {"torch": "2.13.0", "accelerate": "1.15.0", "transformers": "5.23.0", "torchao": "0.18.0", "peft": "0.21.2"}
FILE = "distributed_type: FSDP\nnum_processes: 2\nmixed_precision: bf16\n"
FSDP2 = f"{FILE}fsdp_config:\n  fsdp_version: 2\n  fsdp_cpu_ram_efficient_loading: false\n"
FSDP1 = FSDP2.replace("fsdp_version: 2", "fsdp_version: 1")
BY_LAYER = "  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP\n  fsdp_transformer_layer_cls_to_wrap: "
BY_SIZE = "  fsdp_auto_wrap_policy: SIZE_BASED_WRAP\n"
GOOD = "bf16 NO none"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (f"{FSDP2}{BY_LAYER}LlamaDecoderLayer\n", GOOD),
        (f"{FSDP2}{BY_LAYER}Qwen2DecoderLayer\n", "ValueError (prepare)"),
        (f"{FSDP1}{BY_LAYER}Qwen2DecoderLayer\n", "ValueError (prepare)"),
        (f"{FSDP2}{BY_LAYER}[LlamaDecoderLayer]\n", "ValueError (prepare)"),
        (f"{FSDP2}{BY_LAYER}LlamaDecoderLayer,Embedding\n", GOOD),
        (f"{FSDP2}{BY_LAYER}'LlamaDecoderLayer, Embedding'\n", "ValueError (prepare)"),
        (f"{FSDP2}{BY_LAYER}SomeBlock\n", GOOD),
        (f"{FSDP2}{BY_LAYER}Qwen2DecoderLayer\n".replace("TRANSFORMER_BASED_WRAP", "NO_WRAP"), GOOD),
        (f"{FSDP2}{BY_SIZE}", GOOD),  # of 100,000,000 parameters at least: this model has fewer
        (f"{FSDP2}{BY_SIZE}  fsdp_min_num_params: 1000\n", "ValueError (prepare)"),
        (f"{FSDP1}{BY_SIZE}  fsdp_min_num_params: 1000\n", GOOD),
        (f"{FSDP2}{BY_SIZE}  fsdp_min_num_params: 1e8\n", "ValueError (accelerator)"),
        (f"{FSDP2}  fsdp_auto_wrap_policy: BY_LAYER\n", "ValueError (accelerator)"),
        (f"{FSDP2}  fsdp_reshard_after_forward: FULL_SHARD\n", "ValueError (accelerator)"),
        (f"{FSDP2}  fsdp_state_dict_type: LOCAL_STATE_DICT\n", "ValueError (accelerator)"),
        (f"{FSDP2}  fsdp_state_dict_type: SHARDED\n", "KeyError (accelerator)"),
        (f"{FSDP1}  fsdp_sharding_strategy: SOME_SHARD\n", "KeyError (accelerator)"),
        (f"{FSDP1}  fsdp_sharding_strategy: 2\n", GOOD),
        (f"{FSDP1}  fsdp_backward_prefetch: BACKWARD\n", "KeyError (accelerator)"),
        (f"{FSDP1}  fsdp_backward_prefetch: NO_PREFETCH\n", GOOD),
        (
            f"{FSDP2}{BY_LAYER}${{LAYER}}\n",
            "undecided: accel.yaml:8: fsdp_transformer_layer_cls_to_wrap: ${LAYER} is filled in later",
        ),
        (
            FSDP1.replace("loading: false", "loading: true") + "  fsdp_sync_module_states: false\n",
            "ValueError (launch)",
        ),
    ],
)
def test_what_accelerate_and_the_model_say_of_it(file: str, expected: str) -> None:
    training = "output_dir: o\nmodel_name_or_path: m\nbf16: true\n"
    case = {"accelerate": file, "training": training, "model": LLAMA, "stack": STACK, "gpu": ["9.0", "9.0"]}
    assert seen(outcome_of(case)) == expected


@pytest.mark.parametrize(
    ("peft", "expected"), [("0.21.2", "TypeError (step)"), ("0.19.1", "Exception (step)"), (None, "TypeError (step)")]
)
def test_peft_looks_for_the_class_itself(peft: str | None, expected: str) -> None:
    stack = {name: version for name, version in STACK.items() if name not in ("peft", "torchao")}
    stack |= {"trl": "1.16.0"} if peft is None else {"trl": "1.16.0", "peft": peft}
    training = "output_dir: o\nmodel_name_or_path: m\ndataset_name: d\nbf16: true\nuse_peft: true\n"
    file = f"{FSDP1}{BY_LAYER}Qwen2DecoderLayer\n"
    case = {"accelerate": file, "training": training, "trainer": "trl", "model": LLAMA, "stack": stack}
    assert seen(outcome_of(case)) == expected


@pytest.mark.parametrize(
    ("fsdp", "expected"),
    [
        ("fsdp: full_shard auto_wrap\nfsdp_config: {transformer_layer_cls_to_wrap: [LlamaDecoderLayer]}\n", GOOD),
        (
            "fsdp: full_shard auto_wrap\nfsdp_config: {transformer_layer_cls_to_wrap: [Qwen2DecoderLayer]}\n",
            "ValueError (prepare)",
        ),
    ],
)
def test_the_training_file_names_it(fsdp: str, expected: str) -> None:
    file = "distributed_type: MULTI_GPU\nnum_processes: 2\nmixed_precision: bf16\n"
    training = f"output_dir: o\nmodel_name_or_path: m\nbf16: true\n{fsdp}"
    case = {"accelerate": file, "training": training, "model": LLAMA, "stack": STACK, "gpu": ["9.0", "9.0"]}
    assert seen(outcome_of(case)) == expected
