"""Arguments that TrainingArguments and TRL's configurations had once, and have no more.

Each stands below the first release without it that was looked at: the fields of the classes in transformers 4.45.2,
4.49.0, 4.52.4, 4.53.3, 4.57.1, 5.0.0, 5.2.0, 5.3.0, 5.6.0, 5.16.1, 5.23.0 and 5.24.0 (training_args.py), and in TRL
0.9.6, 0.18.2, 0.24.0, 1.9.0 and 1.16.0 (trainer/*_config.py). Of releases between two of these nothing is said.
"""

from __future__ import annotations

from fp8check.rules.releases.versions import at_least

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.releases.stack import Stack

_OF_TRANSFORMERS: Mapping[tuple[int, ...], tuple[str, ...]] = {
    (4, 52, 4): ("dispatch_batches", "evaluation_strategy", "split_batches"),
    (4, 57, 1): ("use_ipex",),
    (5,): (
        *("adafactor", "fp16_backend", "fp16_opt_level", "fsdp_min_num_params", "fsdp_transformer_layer_cls_to_wrap"),
        *("half_precision_backend", "include_inputs_for_metrics", "include_tokens_per_second", "jit_mode_eval"),
        *("mp_parameters", "no_cuda", "overwrite_output_dir", "past_index", "per_gpu_eval_batch_size"),
        *("per_gpu_train_batch_size", "push_to_hub_model_id", "push_to_hub_organization", "push_to_hub_token"),
        *("ray_scope", "save_safetensors", "torchdynamo", "tpu_metrics_debug", "tpu_num_cores"),
        *("use_legacy_prediction_loop", "use_mps_device"),
    ),
    (5, 2): ("group_by_length",),
    (5, 16, 1): ("logging_dir", "warmup_ratio"),
}
_OF_TRL: Mapping[str, Mapping[tuple[int, ...], tuple[str, ...]]] = {
    "SFTConfig": {
        (0, 18, 2): ("chars_per_token", "dataset_batch_size", "num_of_sequences"),
        (0, 24): ("max_seq_length",),
    },
    "DPOConfig": {
        (0, 18, 2): ("is_encoder_decoder", "max_target_length"),
        (1, 9): (
            *("force_use_ref_model", "generate_during_eval", "label_pad_token_id", "max_completion_length"),
            *("max_prompt_length", "model_adapter_name", "padding_value", "ref_adapter_name", "reference_free"),
            *("rpo_alpha", "tools", "use_liger_loss", "use_logits_to_keep"),
        ),
    },
    "GRPOConfig": {(1, 9): ("max_prompt_length", "vllm_guided_decoding_regex", "wandb_log_unique_prompts")},
}
# What they are called now.
MEANT: Mapping[str, str] = {
    "evaluation_strategy": "eval_strategy",
    "max_seq_length": "max_length",
    "no_cuda": "use_cpu",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "warmup_ratio": "warmup_steps",
}
TAKE_A_SHARE = ("warmup_steps",)  # where it is below 1 (transformers 5.16.1 training_args.py get_warmup_steps)
NAMES = frozenset(
    [name for names in _OF_TRANSFORMERS.values() for name in names]
    + [name for table in _OF_TRL.values() for names in table.values() for name in names]
)


def is_gone(class_name: str, name: str, stack: Stack) -> bool:
    """Whether a class has that argument no more, in the releases of the run."""
    tables = (("transformers", _OF_TRANSFORMERS), ("trl", _OF_TRL.get(class_name, {})))
    return any(
        name in names and at_least(stack.version(package), *since)
        for package, table in tables
        for since, names in table.items()
    )
