"""What a file is, told from its content: which keys it has, and what stands under a few of them."""

from __future__ import annotations

from fp8check.rules import reading
from fp8check.rules.reading.kind import OTHER, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.rules.reading.kind import Shape
    from fp8check.rules.reading.nodes import Document


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Accelerate's ClusterConfig and SageMakerConfig (commands/config/config_args.py, 0.11 to 1.15).
ACCELERATE = _names(
    """
    compute_environment distributed_type mixed_precision num_processes num_machines machine_rank gpu_ids
    same_network main_process_ip main_process_port main_training_function rdzv_backend downcast_bf16
    enable_cpu_affinity fp8_config fsdp_config deepspeed_config megatron_lm_config parallelism_config
    mpirun_config dynamo_config ipex_config tp_config tpu_name tpu_zone tpu_env tpu_vm tpu_use_cluster
    tpu_use_sudo ec2_instance_type iam_role_name dynamo_backend use_cpu debug commands command_file
    """
)
ACCELERATE_ALONE = _names(
    """
    compute_environment distributed_type mixed_precision num_processes num_machines fp8_config deepspeed_config
    megatron_lm_config parallelism_config
    """
)

DEEPSPEED = _names(
    """
    zero_optimization train_batch_size train_micro_batch_size_per_gpu zero_allow_untested_optimizer
    zero_force_ds_cpu_optimizer gradient_clipping steps_per_print wall_clock_breakdown tensor_parallel
    """
)
DEEPSPEED_ALONE = _names("zero_optimization train_micro_batch_size_per_gpu zero_allow_untested_optimizer")

# What the configurations of models have that those of tokenizers, adapters and generation do not.
MODEL_SHAPE = _names(
    """
    hidden_size num_hidden_layers num_attention_heads intermediate_size n_embd n_layer n_head d_model num_layers
    d_ff ffn_dim hidden_dim text_config vision_config llm_config language_config thinker_config encoder decoder
    """
)

AXOLOTL = _names(
    """
    micro_batch_size sequence_len sample_packing eval_sample_packing pad_to_sequence_len adapter datasets
    test_datasets val_set_size dataset_prepared_path num_epochs lora_r lora_target_linear lora_target_modules
    lr_scheduler optimizer flash_attention load_in_4bit load_in_8bit special_tokens chat_template wandb_project
    plugins rl strict train_on_inputs base_model_config model_type tokenizer_type fsdp_config
    peft_layers_to_transform
    """
)
AXOLOTL_ALONE = _names("sequence_len sample_packing eval_sample_packing lora_target_linear val_set_size")

LLAMAFACTORY_V1 = _names(
    """
    train_dataset eval_dataset dist_config kernel_config peft_config quant_config init_config optim_config
    model_class sample_backend batching_strategy
    """
)

# Keys of LLaMA-Factory's own argument classes (hparams/*.py) that no other trainer here has.
LLAMAFACTORY = _names(
    """
    stage finetuning_type template cutoff_len dataset dataset_dir eval_dataset media_dir max_samples val_size
    overwrite_cache preprocessing_num_workers tokenized_path plot_loss infer_backend adapter_name_or_path
    lora_target lora_rank lora_alpha lora_dropout quantization_bit quantization_method flash_attn fp8 fp8_backend
    fp8_enable_fsdp_float8_all_gather pure_bf16 pref_loss pref_beta export_dir export_size export_device
    export_quantization_bit export_legacy_format neat_packing enable_thinking mask_history train_on_prompt
    use_galore use_badam use_apollo use_unsloth use_adam_mini use_muon use_kt ray_num_workers
    freeze_trainable_layers image_max_pixels video_max_pixels mixture_of_depths shift_attn rope_scaling
    reward_model ref_model disable_gradient_checkpointing use_llama_pro upcast_layernorm double_quantization
    """
)
LLAMAFACTORY_ALONE = _names(
    """
    finetuning_type cutoff_len infer_backend plot_loss neat_packing pure_bf16 fp8_backend
    fp8_enable_fsdp_float8_all_gather quantization_bit overwrite_cache export_legacy_format
    """
)

# Keys of TRL's ScriptArguments, ModelConfig and trainer configurations that TrainingArguments does not have.
TRL = _names(
    """
    dataset_name dataset_config dataset_train_split dataset_test_split dataset_text_field dataset_num_proc
    dataset_mixer datasets max_length max_prompt_length max_completion_length num_generations loss_type beta
    use_peft lora_r lora_target_modules lora_task_type load_in_4bit load_in_8bit attn_implementation dtype
    torch_dtype packing padding_free eval_packing assistant_only_loss completion_only_loss use_vllm vllm_mode
    vllm_gpu_memory_utilization model_init_kwargs model_revision reward_model_path reward_funcs
    precompute_ref_log_probs chat_template_path reward_weights sync_ref_model trust_remote_code_model
    use_liger_kernel_loss gradient_checkpointing_kwargs
    """
)
# Keys of the example scripts of transformers (run_clm.py and its kin), which share `dataset_name` with TRL.
SCRIPTS = _names(
    """
    dataset_config_name block_size train_file validation_file max_seq_length config_name tokenizer_name cache_dir
    use_fast_tokenizer pad_to_max_length max_train_samples max_eval_samples doc_stride task_name text_column
    """
)

# Keys of TrainingArguments that are not words of everyday configuration.
TRAINER = _names(
    """
    model_name_or_path output_dir overwrite_output_dir do_train do_eval do_predict per_device_train_batch_size
    per_device_eval_batch_size gradient_accumulation_steps gradient_checkpointing learning_rate num_train_epochs
    max_steps lr_scheduler_type warmup_ratio warmup_steps weight_decay max_grad_norm bf16 fp16 tf32 bf16_full_eval
    fp16_full_eval fp16_opt_level half_precision_backend logging_steps logging_strategy logging_dir save_steps
    save_strategy save_total_limit save_only_model eval_strategy evaluation_strategy eval_steps report_to run_name
    optim optim_args adam_beta1 adam_beta2 adam_epsilon deepspeed fsdp fsdp_config torch_compile
    torch_compile_backend ddp_timeout ddp_find_unused_parameters dataloader_num_workers dataloader_drop_last
    dataloader_pin_memory group_by_length remove_unused_columns resume_from_checkpoint push_to_hub hub_model_id
    use_liger_kernel accelerator_config parallelism_config auto_find_batch_size neftune_noise_alpha
    load_best_model_at_end metric_for_best_model include_num_input_tokens_seen
    """
)
# One of these alone says that a small file is for a trainer.
TRAINER_ALONE = _names("bf16 fp16 fp8 tf32 per_device_train_batch_size gradient_accumulation_steps")


def read(path: str, data: bytes | None = None, *, loader: str | None = None) -> Document:
    """Reads a file that may be one of a run's, and tells what it is.

    Raises:
        Unreadable: see rules/reading/read.py.
    """
    return reading.read(path, data, loader=loader, identify=identify)


def identify(shape: Shape) -> Kind:
    """What a file is, from its top-level keys and what each of them holds."""
    for test, kind in TESTS:
        if test(shape):
            return kind
    return OTHER


def told(document: Document) -> Kind:
    """What a document is by its content, whatever it was taken for."""
    if document.root is None or document.root.kind != "map":
        return OTHER
    return identify({name: child.kind for name, child in document.root.entries.items()})


def _count(shape: Shape, names: frozenset[str]) -> int:
    return len(names & shape.keys())


def _is_deepspeed(shape: Shape) -> bool:
    switches = sum(shape.get(name) == "map" for name in ("bf16", "fp16", "optimizer", "scheduler"))
    return (
        shape.get("bf16") == "map"
        or shape.get("fp16") == "map"
        or (_count(shape, DEEPSPEED_ALONE) > 0 and _count(shape, DEEPSPEED) + switches >= _count(shape, TRAINER))
    )


def _is_model(shape: Shape) -> bool:
    named = "architectures" in shape or "model_type" in shape
    return named and (_count(shape, MODEL_SHAPE) > 0 or shape.get("architectures") == "list")


def _is_axolotl(shape: Shape) -> bool:
    if "base_model" in shape:
        return _count(shape, AXOLOTL) + _count(shape, TRAINER) > 0
    return "model_name_or_path" not in shape and _count(shape, AXOLOTL_ALONE) > 0 and _count(shape, AXOLOTL) >= 2


def _is_llamafactory_v1(shape: Shape) -> bool:
    return shape.get("model") == "scalar" and _count(shape, LLAMAFACTORY_V1) > 0


def _is_accelerate(shape: Shape) -> bool:
    known = _count(shape, ACCELERATE)
    return _count(shape, ACCELERATE_ALONE) > 0 and 2 * known >= len(shape) and known > _count(shape, TRAINER)


def _is_llamafactory(shape: Shape) -> bool:
    own, shared = _count(shape, LLAMAFACTORY), _count(shape, TRAINER)
    known = _count(shape, LLAMAFACTORY_ALONE) > 0 or ("model_name_or_path" in shape and own > 0)
    return own > _count(shape, TRL) and (known or ("fp8" in shape and own + shared >= 2))


def _is_trl(shape: Shape) -> bool:
    own, shared = _count(shape, TRL), _count(shape, TRAINER)
    known = ("model_name_or_path" in shape and own > 0) or (own >= 2 and shared >= 2)
    return known and own > _count(shape, SCRIPTS) and shape.get("model") != "map"


def _is_trainer(shape: Shape) -> bool:
    if shape.get("model") == "map":
        return False  # torchtune and Hydra describe the model there
    known = _count(shape, TRAINER | TRAINER_ALONE)
    enough = known >= 2 or _count(shape, TRAINER_ALONE) > 0
    return enough and (2 * known >= len(shape) or known >= 4)


# In this order: what has the most telling keys comes first.
# LLaMA-Factory 0.9.4 and newer, and its v1, load their files with OmegaConf (hparams/parser.py); all others use
# yaml.safe_load.
TESTS: tuple[tuple[Callable[[Shape], bool], Kind], ...] = (
    (_is_deepspeed, Kind("deepspeed")),
    (_is_model, Kind("model")),
    (_is_axolotl, Kind("training", "axolotl")),
    (_is_llamafactory_v1, Kind("training", "llamafactory-v1", "omegaconf")),
    (_is_accelerate, Kind("accelerate")),
    (_is_llamafactory, Kind("training", "llamafactory", "omegaconf")),
    (_is_trl, Kind("training", "trl")),
    (_is_trainer, Kind("training", "transformers")),
)
