"""Files of tools that fp8check does not know, told so that they are not taken for those of one that it knows.

The keys are those of the tools' own examples, at their newest commit of November 2026:
NeMo AutoModel examples/**/*.yaml, gpt-neox configs/*.yml, SimpleTuner examples/*/config.json, ms-swift examples/yaml,
verl verl/trainer/config/*.yaml, nanotron (smollm text/pretraining/*.yaml), torchtune recipes/configs,
sagemaker-hyperpod-recipes recipes_collection/recipes/**/*.yaml, kohya_ss presets and test/config,
PaddleNLP llm/config/**/*.json.
"""

from __future__ import annotations

from fp8check.rules.reading.kind import Kind
from fp8check.rules.trainers.data import Detection, count, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading.kind import Shape

_NEOX = names(
    """
    pipe_parallel_size model_parallel_size num_layers hidden_size num_attention_heads seq_length
    max_position_embeddings train_iters pos_emb te_fp8_format
    """
)
_NEOX_ALONE = names("pipe_parallel_size te_fp8_format")
# Parts of its configuration stand in files of their own: paths, a model's size, the text to generate.
_NEOX_PARTS = names(
    """
    train_iters lr_decay_iters checkpoint_factor data_impl merge_file train_data_paths text_gen_type pos_emb
    synchronize_each_layer checkpoint_validation_with_forward_pass
    """
)
_BESIDE_THEM = names("vocab_file data_path tensorboard_dir valid_data_paths sample_input_file partition_activations")
# What the GUI of kohya writes for the scripts of sd-scripts, which read flags and TOML.
_KOHYA = names(
    """
    bucket_reso_steps caption_extension enable_bucket keep_tokens max_data_loader_n_workers min_snr_gamma
    reg_data_dir v_parameterization
    """
)
_PADDLE_DEGREES = names("tensor_parallel_degree pipeline_parallel_degree sharding_parallel_degree")
_PADDLE_ALONE = names("eval_with_do_generation recompute sharding src_length unified_checkpoint zero_padding")
_SWIFT_ALONE = names("tuner_type train_type rlhf_type split_dataset_ratio model_author")


_HYPHENS = frozenset(key.replace("_", "-") for key in _NEOX_ALONE | _NEOX_PARTS)


def _maps(shape: Shape, *keys: str) -> bool:
    return all(shape.get(key) == "map" for key in keys)


def _is_automodel(shape: Shape) -> bool:
    if "recipe" in shape and _maps(shape, "recipe_args"):
        return True
    return shape.get("model") == "map" and (_maps(shape, "step_scheduler") or _maps(shape, "dist_env"))


def _is_neox(shape: Shape) -> bool:
    # Both ways of writing a key are read (megatron/neox_arguments/arguments.py).
    if shape.keys().isdisjoint(_NEOX_ALONE | _NEOX_PARTS) and shape.keys().isdisjoint(_HYPHENS):
        return False
    written = {key.replace("-", "_"): kind for key, kind in shape.items()}
    if count(written, _NEOX_ALONE) > 0 and count(written, _NEOX) > 2:
        return True
    parts = count(written, _NEOX_PARTS)
    return parts > 1 or (parts > 0 and count(written, _BESIDE_THEM) > 0)


def _is_simpletuner(shape: Shape) -> bool:
    return any(f"{dashes}model_family" in shape and f"{dashes}data_backend_config" in shape for dashes in ("", "--"))


def _is_swift(shape: Shape) -> bool:
    return shape.get("model") == "scalar" and count(shape, _SWIFT_ALONE) > 0


def _is_kohya(shape: Shape) -> bool:
    return count(shape, _KOHYA) > 2


def _is_paddle(shape: Shape) -> bool:
    return count(shape, _PADDLE_DEGREES) > 0 and count(shape, _PADDLE_ALONE) > 0


def _is_verl(shape: Shape) -> bool:
    return shape.get("actor_rollout_ref") == "map" or _maps(shape, "algorithm", "trainer", "data")


def _is_nanotron(shape: Shape) -> bool:
    return _maps(shape, "parallelism", "tokens", "general")


def _is_torchtune(shape: Shape) -> bool:
    return _maps(shape, "model", "tokenizer", "checkpointer")


def _is_hyperpod(shape: Shape) -> bool:
    if "chat_template_key" in shape or "override_training_dir" in shape:  # parts of its llmft recipes
        return True
    return _maps(shape, "run") and (_maps(shape, "training_config") or _maps(shape, "trainer", "exp_manager"))


def _is_nemo(shape: Shape) -> bool:
    return _maps(shape, "trainer", "exp_manager", "model")


def _is_hydra(shape: Shape) -> bool:
    return shape.get("defaults") == "list" or "_target_" in shape


# Before DeepSpeed's, whose keys gpt-neox shares.
FOREIGN = tuple(
    Detection(place, tells, Kind("other", tool))
    for place, (tells, tool) in enumerate(
        (
            (_is_automodel, "NeMo AutoModel"),
            (_is_neox, "gpt-neox"),
            (_is_verl, "verl"),
            (_is_nanotron, "nanotron"),
            (_is_torchtune, "torchtune"),
            (_is_simpletuner, "SimpleTuner"),
            (_is_swift, "ms-swift"),
            (_is_kohya, "kohya_ss"),
            (_is_paddle, "PaddleNLP"),
            (_is_hyperpod, "SageMaker HyperPod"),
            (_is_nemo, "NeMo"),
            (_is_hydra, "Hydra"),
        )
    )
)
