"""Arguments that TrainingArguments and TRL's configurations had once, and have no more, or not yet.

Each stands below the first release without it that was looked at: the fields of the classes in transformers 4.45.2,
4.49.0, 4.52.4, 4.53.3, 4.57.1, 5.0.0, 5.2.0, 5.3.0, 5.6.0, 5.16.1, 5.23.0 and 5.24.0 (training_args.py; of releases
between two of these nothing is said), and in 54 releases of TRL from 0.9.6 to 1.16.0, all but some third numbers
(trainer/*_config.py, scripts/utils.py, and experimental/kto while KTO stood there).
"""

from __future__ import annotations

from bisect import bisect_left

from fp8check.rules.releases.versions import at_least
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from fp8check.rules.releases.stack import Stack


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


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
# Those that came later, by the first release with them.
_SINCE_TRANSFORMERS: Mapping[tuple[int, ...], tuple[str, ...]] = {
    (4, 49): ("average_tokens_across_devices", "include_for_metrics"),
    (4, 53, 3): ("hub_revision", "liger_kernel_config"),
    (4, 57, 1): ("parallelism_config", "project", "trackio_space_id"),
    (5,): ("enable_jit_checkpoint", "use_cache"),
    (5, 2): ("train_sampling_strategy",),
    (5, 6): ("ddp_static_graph", "trackio_bucket_id", "trackio_static_space_id"),
    (5, 16, 1): ("dataloader_in_order", "dataloader_multiprocessing_context"),
    (5, 23): ("activation_checkpointing", "activation_checkpointing_kwargs"),
}
_OF_TRL: Mapping[str, Mapping[tuple[int, ...], frozenset[str]]] = {
    "SFTConfig": {
        (0, 18): _names("chars_per_token dataset_batch_size num_of_sequences use_liger"),
        (0, 20): _names("max_seq_length"),
    },
    "DPOConfig": {
        (0, 14): _names("max_target_length"),
        (0, 15): _names("is_encoder_decoder"),
        (0, 17): _names("use_num_logits_to_keep"),
        (0, 26): _names("padding_value"),
        (0, 28): _names("use_liger_loss"),
        (0, 29): _names(
            """
            base_model_attribute_name force_use_ref_model generate_during_eval label_pad_token_id
            max_completion_length max_prompt_length model_adapter_name ref_adapter_name
            ref_model_init_kwargs reference_free rpo_alpha tools use_logits_to_keep
            """
        ),
    },
    "GRPOConfig": {
        (0, 18): _names("vllm_device vllm_dtype vllm_enable_prefix_caching vllm_max_model_len"),
        (0, 27): _names("wandb_log_unique_prompts"),
        (0, 28): _names("max_prompt_length use_liger_loss vllm_guided_decoding_regex"),
    },
    "KTOConfig": {
        (0, 27): _names(
            """
            is_encoder_decoder max_completion_length max_prompt_length truncation_mode
            """
        ),
        (0, 28): _names(
            """
            base_model_attribute_name label_pad_token_id padding_value ref_model_init_kwargs
            use_liger_loss
            """
        ),
        (1, 2): _names("generate_during_eval"),
    },
    "RLOOConfig": {
        (0, 22): _names("normalize_advantage reward_model_path sft_model_path whiten_rewards"),
        (0, 25): _names(
            """
            cliprange dataset_num_proc exp_name kl_coef local_rollout_forward_batch_size
            missing_eos_penalty normalize_reward num_mini_batches num_ppo_epochs num_sample_generations
            response_length rloo_k stop_token stop_token_id token_level_kl total_episodes
            """
        ),
        (0, 27): _names("wandb_log_unique_prompts"),
        (0, 28): _names("vllm_guided_decoding_regex"),
        (0, 29): _names("max_prompt_length"),
    },
    "ModelConfig": {
        (0, 27): _names("torch_dtype"),
        (1, 7): _names("trust_remote_code"),
    },
    "ScriptArguments": {
        (0, 27): _names("gradient_checkpointing_use_reentrant"),
    },
}
# Those that a class got later, by the first release with them.
_SINCE_TRL: Mapping[str, Mapping[tuple[int, ...], frozenset[str]]] = {
    "SFTConfig": {
        (0, 16): _names("max_length padding_free"),
        (0, 16, 1): _names("pad_token"),
        (0, 17): _names("completion_only_loss eos_token"),
        (0, 18): _names("activation_offloading pad_to_multiple_of"),
        (0, 19): _names("assistant_only_loss chat_template_path packing_strategy"),
        (0, 23): _names("loss_type"),
        (0, 26): _names("shuffle_dataset"),
        (1,): _names("truncation_mode"),
        (1, 7): _names("router_aux_loss_coef trust_remote_code"),
    },
    "DPOConfig": {
        (0, 12): _names("use_weighting"),
        (0, 13): _names("discopop_tau precompute_ref_batch_size use_num_logits_to_keep"),
        (0, 14): _names("padding_free tools"),
        (0, 15): _names("use_logits_to_keep"),
        (0, 18): _names("ld_alpha"),
        (0, 19): _names("base_model_attribute_name use_liger_loss"),
        (0, 20): _names("loss_weights"),
        (0, 24): _names("pad_token"),
        (0, 29): _names("activation_offloading pad_to_multiple_of"),
        (1, 7): _names("trust_remote_code"),
        (1, 8): _names("router_aux_loss_coef"),
    },
    "GRPOConfig": {
        (0, 15): _names(
            """
            ds3_gather_for_generation log_completions ref_model_mixup_alpha ref_model_sync_steps
            reward_weights sync_ref_model vllm_dtype vllm_max_model_len
            """
        ),
        (0, 16): _names(
            """
            cache_implementation epsilon epsilon_high min_p num_iterations repetition_penalty
            scale_rewards top_k top_p vllm_enable_prefix_caching vllm_guided_decoding_regex
            vllm_server_host vllm_server_port vllm_server_timeout
            """
        ),
        (0, 17): _names(
            """
            disable_dropout loss_type mask_truncated_completions num_completions_to_print
            shuffle_dataset use_liger_loss wandb_log_unique_prompts
            """
        ),
        (0, 18): _names(
            """
            delta generation_batch_size steps_per_generation vllm_mode vllm_server_base_url
            vllm_tensor_parallel_size
            """
        ),
        (0, 19): _names("generation_kwargs"),
        (0, 20): _names("importance_sampling_level top_entropy_quantile use_transformers_paged"),
        (0, 21): _names("vllm_model_impl"),
        (0, 23): _names(
            """
            vllm_enable_sleep_mode vllm_importance_sampling_cap vllm_importance_sampling_correction
            """
        ),
        (0, 25): _names("cast_lm_head_to_fp32 chat_template_kwargs"),
        (0, 26): _names(
            """
            log_unique_prompts num_generations_eval sapo_temperature_neg sapo_temperature_pos
            use_bias_correction_kl vllm_importance_sampling_mode vllm_max_model_length
            """
        ),
        (0, 27): _names(
            """
            max_tool_calling_iterations multi_objective_aggregation off_policy_mask_threshold
            vllm_group_port vllm_structured_outputs_regex
            """
        ),
        (0, 28): _names("log_completions_hub_repo"),
        (1,): _names(
            """
            pad_to_multiple_of vespo_k_neg vespo_k_pos vespo_lambda_neg vespo_lambda_pos
            """
        ),
        (1, 6): _names("vllm_importance_sampling_clip_max vllm_importance_sampling_clip_min"),
        (1, 7): _names(
            """
            router_aux_loss_coef transformers_continuous_batching_config trust_remote_code
            use_transformers_continuous_batching
            """
        ),
        (1, 8): _names(
            """
            entropy_coef entropy_coef_delta entropy_coef_max entropy_coef_min entropy_target
            use_adaptive_entropy
            """
        ),
        (1, 9): _names("log_multimodal"),
    },
    "KTOConfig": {
        (0, 12): _names("disable_dropout"),
        (0, 17): _names("base_model_attribute_name use_liger_loss"),
        (1, 2): _names("precompute_ref_batch_size"),
        (1, 6): _names("activation_offloading"),
        (1, 7): _names(
            """
            pad_to_multiple_of ref_model_mixup_alpha ref_model_sync_steps sync_ref_model
            trust_remote_code
            """
        ),
        (1, 8): _names("router_aux_loss_coef"),
    },
    "RLOOConfig": {
        (0, 14): _names(
            """
            ds3_gather_for_generation normalize_advantage normalize_reward reward_clip_range
            token_level_kl
            """
        ),
        (0, 22): _names(
            """
            beta cache_implementation disable_dropout epsilon epsilon_high generation_batch_size
            generation_kwargs log_completions mask_truncated_completions max_completion_length
            max_prompt_length min_p model_init_kwargs normalize_advantages num_completions_to_print
            num_generations num_iterations ref_model_mixup_alpha ref_model_sync_steps repetition_penalty
            reward_weights shuffle_dataset steps_per_generation sync_ref_model top_k top_p
            use_transformers_paged use_vllm vllm_gpu_memory_utilization vllm_guided_decoding_regex
            vllm_mode vllm_model_impl vllm_server_base_url vllm_server_host vllm_server_port
            vllm_server_timeout vllm_tensor_parallel_size wandb_log_unique_prompts
            """
        ),
        (0, 24): _names("vllm_enable_sleep_mode"),
        (0, 25): _names("chat_template_kwargs"),
        (0, 26): _names("log_unique_prompts num_generations_eval"),
        (0, 27): _names("vllm_group_port vllm_max_model_length vllm_structured_outputs_regex"),
        (1,): _names("pad_to_multiple_of"),
        (1, 7): _names(
            """
            router_aux_loss_coef transformers_continuous_batching_config trust_remote_code
            use_transformers_continuous_batching
            """
        ),
        (1, 9): _names("log_multimodal"),
    },
    "RewardConfig": {
        (0, 14): _names("disable_dropout"),
        (0, 24): _names(
            """
            activation_offloading chat_template_path eos_token model_init_kwargs pad_to_multiple_of
            pad_token
            """
        ),
        (1, 7): _names("trust_remote_code"),
    },
    "ModelConfig": {
        (0, 16): _names("use_dora"),
        (0, 21): _names("lora_target_parameters"),
        (0, 23): _names("dtype"),
        (0, 26): _names("bnb_4bit_quant_storage"),
    },
    "ScriptArguments": {
        (0, 12): _names(
            """
            dataset_test_split dataset_train_split gradient_checkpointing_use_reentrant
            ignore_bias_buffers
            """
        ),
        (0, 13): _names("dataset_config"),
        (0, 19): _names("dataset_streaming"),
    },
    "GRPOScriptArguments": {
        (0, 18): _names("reward_funcs"),
    },
}
# What they are called now.
MEANT: Mapping[str, str] = {
    "evaluation_strategy": "eval_strategy",
    "max_seq_length": "max_length",
    "no_cuda": "use_cpu",
    "torch_dtype": "dtype",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "warmup_ratio": "warmup_steps",
    "tokenizer": "processing_class",  # of a Trainer
}
TAKE_A_SHARE = ("warmup_steps",)  # where it is below 1 (transformers 5.16.1 training_args.py get_warmup_steps)
# All fields that the classes have had in any of these releases, of transformers 4.46.3, 4.51.3 and 4.55.4, and of TRL
# 0.11.4, 0.13.0, 0.15.2, 0.16.1, 0.19.1 to 0.25.0, 0.28.0 to 1.0.0, 1.4.0, 1.6.0 and 1.7.0.
_OF_ARGUMENTS = _names(
    """
    accelerator_config activation_checkpointing activation_checkpointing_kwargs adafactor adam_beta1 adam_beta2
    adam_epsilon auto_find_batch_size average_tokens_across_devices batch_eval_metrics bf16 bf16_full_eval
    data_seed dataloader_drop_last dataloader_in_order dataloader_multiprocessing_context dataloader_num_workers
    dataloader_persistent_workers dataloader_pin_memory dataloader_prefetch_factor ddp_backend
    ddp_broadcast_buffers ddp_bucket_cap_mb ddp_find_unused_parameters ddp_static_graph ddp_timeout debug
    deepspeed disable_tqdm dispatch_batches do_eval do_predict do_train enable_jit_checkpoint
    eval_accumulation_steps eval_delay eval_do_concat_batches eval_on_start eval_steps eval_strategy
    eval_use_gather_object evaluation_strategy fp16 fp16_backend fp16_full_eval fp16_opt_level fsdp fsdp_config
    fsdp_min_num_params fsdp_transformer_layer_cls_to_wrap full_determinism gradient_accumulation_steps
    gradient_checkpointing gradient_checkpointing_kwargs greater_is_better group_by_length
    half_precision_backend hub_always_push hub_model_id hub_private_repo hub_revision hub_strategy hub_token
    ignore_data_skip include_for_metrics include_inputs_for_metrics include_num_input_tokens_seen
    include_tokens_per_second jit_mode_eval label_names label_smoothing_factor learning_rate length_column_name
    liger_kernel_config load_best_model_at_end local_rank log_level log_level_replica log_on_each_node
    logging_dir logging_first_step logging_nan_inf_filter logging_steps logging_strategy lr_scheduler_kwargs
    lr_scheduler_type max_grad_norm max_steps metric_for_best_model mp_parameters neftune_noise_alpha no_cuda
    num_train_epochs optim optim_args optim_target_modules output_dir overwrite_output_dir parallelism_config
    past_index per_device_eval_batch_size per_device_train_batch_size per_gpu_eval_batch_size
    per_gpu_train_batch_size prediction_loss_only project push_to_hub push_to_hub_model_id
    push_to_hub_organization push_to_hub_token ray_scope remove_unused_columns report_to
    restore_callback_states_from_checkpoint resume_from_checkpoint run_name save_on_each_node save_only_model
    save_safetensors save_steps save_strategy save_total_limit seed skip_memory_metrics split_batches tf32
    torch_compile torch_compile_backend torch_compile_mode torch_empty_cache_steps torchdynamo tp_size
    tpu_metrics_debug tpu_num_cores trackio_bucket_id trackio_space_id trackio_static_space_id
    train_sampling_strategy use_cache use_cpu use_ipex use_legacy_prediction_loop use_liger_kernel
    use_mps_device warmup_ratio warmup_steps weight_decay
    """
)
FIELDS: Mapping[str, frozenset[str]] = {
    "TrainingArguments": _OF_ARGUMENTS,
    "Seq2SeqTrainingArguments": _OF_ARGUMENTS
    | _names(
        """
        generation_config generation_max_length generation_num_beams predict_with_generate sortish_sampler
    """
    ),
    "SFTConfig": _OF_ARGUMENTS
    | _names(
        """
        activation_offloading assistant_only_loss chars_per_token chat_template_path completion_only_loss
        dataset_batch_size dataset_kwargs dataset_num_proc dataset_text_field eos_token eval_packing
        loss_type max_length max_seq_length model_init_kwargs num_of_sequences packing packing_strategy
        pad_to_multiple_of pad_token padding_free router_aux_loss_coef shuffle_dataset truncation_mode
        trust_remote_code use_liger
    """
    ),
    "DPOConfig": _OF_ARGUMENTS
    | _names(
        """
        activation_offloading base_model_attribute_name beta dataset_num_proc disable_dropout discopop_tau
        f_alpha_divergence_coef f_divergence_type force_use_ref_model generate_during_eval
        is_encoder_decoder label_pad_token_id label_smoothing ld_alpha loss_type loss_weights
        max_completion_length max_length max_prompt_length max_target_length model_adapter_name
        model_init_kwargs pad_to_multiple_of pad_token padding_free padding_value precompute_ref_batch_size
        precompute_ref_log_probs ref_adapter_name ref_model_init_kwargs ref_model_mixup_alpha
        ref_model_sync_steps reference_free router_aux_loss_coef rpo_alpha sync_ref_model tools
        truncation_mode trust_remote_code use_liger_loss use_logits_to_keep use_num_logits_to_keep
        use_weighting
    """
    ),
    "GRPOConfig": _OF_ARGUMENTS
    | _names(
        """
        beta cache_implementation cast_lm_head_to_fp32 chat_template_kwargs delta disable_dropout
        ds3_gather_for_generation entropy_coef entropy_coef_delta entropy_coef_max entropy_coef_min
        entropy_target epsilon epsilon_high generation_batch_size generation_kwargs
        importance_sampling_level log_completions log_completions_hub_repo log_multimodal log_unique_prompts
        loss_type mask_truncated_completions max_completion_length max_prompt_length
        max_tool_calling_iterations min_p model_init_kwargs multi_objective_aggregation
        num_completions_to_print num_generations num_generations_eval num_iterations
        off_policy_mask_threshold pad_to_multiple_of ref_model_mixup_alpha ref_model_sync_steps
        repetition_penalty reward_weights router_aux_loss_coef sapo_temperature_neg sapo_temperature_pos
        scale_rewards shuffle_dataset steps_per_generation sync_ref_model temperature top_entropy_quantile
        top_k top_p transformers_continuous_batching_config trust_remote_code use_adaptive_entropy
        use_bias_correction_kl use_liger_loss use_transformers_continuous_batching use_transformers_paged
        use_vllm vespo_k_neg vespo_k_pos vespo_lambda_neg vespo_lambda_pos vllm_device vllm_dtype
        vllm_enable_prefix_caching vllm_enable_sleep_mode vllm_gpu_memory_utilization vllm_group_port
        vllm_guided_decoding_regex vllm_importance_sampling_cap vllm_importance_sampling_clip_max
        vllm_importance_sampling_clip_min vllm_importance_sampling_correction vllm_importance_sampling_mode
        vllm_max_model_len vllm_max_model_length vllm_mode vllm_model_impl vllm_server_base_url
        vllm_server_host vllm_server_port vllm_server_timeout vllm_structured_outputs_regex
        vllm_tensor_parallel_size wandb_log_unique_prompts
    """
    ),
    "KTOConfig": _OF_ARGUMENTS
    | _names(
        """
        activation_offloading base_model_attribute_name beta dataset_num_proc desirable_weight
        disable_dropout generate_during_eval is_encoder_decoder label_pad_token_id loss_type
        max_completion_length max_density_ratio max_length max_prompt_length min_density_ratio
        model_init_kwargs pad_to_multiple_of padding_value precompute_ref_batch_size
        precompute_ref_log_probs prompt_sample_size ref_model_init_kwargs ref_model_mixup_alpha
        ref_model_sync_steps router_aux_loss_coef sync_ref_model truncation_mode trust_remote_code
        undesirable_weight use_liger_loss
    """
    ),
    "RewardConfig": _OF_ARGUMENTS
    | _names(
        """
        activation_offloading center_rewards_coefficient chat_template_path dataset_num_proc disable_dropout
        eos_token max_length model_init_kwargs pad_to_multiple_of pad_token trust_remote_code
    """
    ),
    "RLOOConfig": _OF_ARGUMENTS
    | _names(
        """
        base_model beta cache_implementation chat_template_kwargs cliprange cliprange_value dataset_num_proc
        disable_dropout ds3_gather_for_generation epsilon epsilon_high exp_name gamma generation_batch_size
        generation_kwargs kl_coef lam local_rollout_forward_batch_size log_completions log_multimodal
        log_unique_prompts mask_truncated_completions max_completion_length max_prompt_length min_p
        missing_eos_penalty model_init_kwargs non_eos_penalty normalize_advantage normalize_advantages
        normalize_reward num_completions_to_print num_generations num_generations_eval num_iterations
        num_mini_batches num_ppo_epochs num_sample_generations pad_to_multiple_of penalty_reward_value
        ref_model_mixup_alpha ref_model_sync_steps repetition_penalty response_length reward_clip_range
        reward_model_path reward_weights rloo_k router_aux_loss_coef sanity_check sft_model_path
        shuffle_dataset steps_per_generation stop_token stop_token_id sync_ref_model temperature
        token_level_kl top_k top_p total_episodes transformers_continuous_batching_config trust_remote_code
        use_transformers_continuous_batching use_transformers_paged use_vllm vf_coef vllm_enable_sleep_mode
        vllm_gpu_memory_utilization vllm_group_port vllm_guided_decoding_regex vllm_max_model_length
        vllm_mode vllm_model_impl vllm_server_base_url vllm_server_host vllm_server_port vllm_server_timeout
        vllm_structured_outputs_regex vllm_tensor_parallel_size wandb_log_unique_prompts whiten_rewards
    """
    ),
    **dict.fromkeys(("GRPOScriptArguments", "RLOOScriptArguments"), _names("reward_funcs reward_model_name_or_path")),
    "ModelConfig": _names(
        """
        attn_implementation bnb_4bit_quant_storage bnb_4bit_quant_type dtype load_in_4bit load_in_8bit
        lora_alpha lora_dropout lora_modules_to_save lora_r lora_target_modules lora_target_parameters
        lora_task_type model_name_or_path model_revision torch_dtype trust_remote_code use_bnb_nested_quant
        use_dora use_peft use_rslora
    """
    ),
    "ScriptArguments": _names(
        """
        dataset_config dataset_name dataset_streaming dataset_test_split dataset_train_split
        gradient_checkpointing_use_reentrant ignore_bias_buffers
    """
    ),
    "DatasetMixtureConfig": _names(
        """
        datasets streaming test_split_size
    """
    ),
}
# Those that came after the oldest releases above: of TRL's own all but these.
_OF_TRL_ALWAYS = _names(
    """
    beta cache_implementation dataset_kwargs dataset_num_proc dataset_text_field delta desirable_weight
    disable_dropout ds3_gather_for_generation epsilon epsilon_high eval_packing f_alpha_divergence_coef
    f_divergence_type generation_batch_size label_smoothing log_completions mask_truncated_completions
    max_completion_length max_length min_p model_init_kwargs num_completions_to_print num_generations num_iterations
    packing precompute_ref_log_probs ref_model_mixup_alpha ref_model_sync_steps repetition_penalty reward_weights
    scale_rewards shuffle_dataset steps_per_generation sync_ref_model temperature top_k top_p truncation_mode
    undesirable_weight use_vllm vllm_gpu_memory_utilization vllm_mode vllm_server_base_url vllm_server_host
    vllm_server_port vllm_server_timeout vllm_tensor_parallel_size
    """
)
_LATER = (
    frozenset().union(*(FIELDS[name] for name in ("SFTConfig", "DPOConfig", "GRPOConfig", "KTOConfig", "RLOOConfig")))
    - _OF_ARGUMENTS
    - _OF_TRL_ALWAYS
) | _names(
    """
    activation_checkpointing activation_checkpointing_kwargs average_tokens_across_devices bnb_4bit_quant_storage
    dataloader_in_order dataloader_multiprocessing_context dataset_streaming ddp_static_graph dtype
    enable_jit_checkpoint hub_revision include_for_metrics liger_kernel_config lora_target_parameters
    parallelism_config project trackio_bucket_id trackio_space_id trackio_static_space_id train_sampling_strategy
    use_cache use_dora use_rslora
    """
)


def begins_one(beginning: str, words: Sequence[str]) -> bool:
    """Whether one of these words, in order, begins so: argparse takes a flag that is cut short."""
    at = bisect_left(words, beginning)
    return at < len(words) and words[at].startswith(beginning)


_MOST_NAMED = 6


class Spelled:
    """The flags that HfArgumentParser makes of some classes, each field as it is and with hyphens.

    argparse takes the beginning of a flag where no other begins so, and counts the two spellings of one as two:
    --learn may be --learning_rate and --learning-rate, and ends the run (executed with Python 3.10 to 3.13). Which
    fields have a --no_ beside them is not known here.
    """

    def __init__(self, classes: Iterable[str], own: Iterable[str], stack: Stack) -> None:
        """`own`: the fields of other classes beside them."""
        names = {field: name for name in classes for field in FIELDS.get(name, ()) if not is_absent(name, field, stack)}
        self._perhaps = _LATER.intersection(names).difference(own)
        self._flags = {flag: field for field in (*names, *own) for flag in spellings(field)}
        self._flags["--help"] = "help"
        self._ordered = sorted(self._flags)
        self._negated = sorted(f"--no_{field}" for field in (*names, *own))

    def meant(self, flag: str) -> Sequence[str]:
        """The flags of which one is the beginning, as argparse looks for them; itself where it is whole.

        Raises:
            Undecided: whether there are several hangs on the release.
        """
        if flag in self._flags:
            return [flag]
        begun = self._begun(flag)
        if flag.startswith("--no"):
            return begun[:1] or [flag][: begins_one(flag.replace("-", "_").replace("__", "--", 1), self._negated)]
        sure = [one for one in begun if self._flags[one] not in self._perhaps]
        if len(sure) < 2 <= len(begun):
            raise Undecided(f"whether {flag} is the beginning of one flag or of several", f"the whole {begun[0]}")
        return begun

    def _begun(self, flag: str) -> Sequence[str]:
        first = bisect_left(self._ordered, flag)
        ends = (at for at in range(first, len(self._ordered)) if not self._ordered[at].startswith(flag))
        return self._ordered[first : next(ends, None)]


def spellings(field: str) -> tuple[str, ...]:
    """The flags of one field (transformers hf_argparser.py _parse_dataclass_field)."""
    return (f"--{field}", f"--{field.replace('_', '-')}") if "_" in field else (f"--{field}",)


def ambiguous(flag: str, meant: Sequence[str]) -> str:
    """What argparse says of a flag that may be several."""
    named = ", ".join(meant[:_MOST_NAMED])
    return f"ambiguous option: {flag} could match {named}{', ...' * (len(meant) > _MOST_NAMED)}"


def unknown(classes: Iterable[str], own: Container[str], names: Iterable[str], stack: Stack) -> list[str]:
    """The names that none of some classes has, in the releases of the run; none where one of the classes is not known.

    Args:
        classes: the classes of transformers and TRL.
        own: the fields of other classes beside them.
    """
    tables = {name: FIELDS.get(name) for name in classes}
    if not tables or None in tables.values():
        return []
    return [
        name
        for name in names
        if name not in own
        and not any(
            table is not None and name in table and not is_absent(one, name, stack) for one, table in tables.items()
        )
    ]


def has_not(class_name: str, name: str, stack: Stack) -> bool:
    """Whether a class does not have an argument that it or another one has: a name of a later release may be new."""
    fields = FIELDS.get(class_name)
    return (fields is not None and name in _EVERY and name not in fields) or is_absent(class_name, name, stack)


def is_absent(class_name: str, name: str, stack: Stack) -> bool:
    """Whether a class has that argument no more, or not yet, in the releases of the run."""
    if name in _GONE_OF_TRANSFORMERS and any(
        name in names and at_least(stack.version("transformers"), *until) for until, names in _OF_TRANSFORMERS.items()
    ):
        return True
    if name in _NEW_OF_TRANSFORMERS and any(
        name in names and not at_least(stack.version("transformers"), *since)
        for since, names in _SINCE_TRANSFORMERS.items()
    ):
        return True
    if name not in _CHANGED_OF_TRL.get(class_name, ()):
        return False  # as most of hundreds that a command asks for
    gone, new = _OF_TRL.get(class_name, {}), _SINCE_TRL.get(class_name, {})
    return any(name in names and at_least(stack.version("trl"), *until) for until, names in gone.items()) or any(
        name in names and not at_least(stack.version("trl"), *since) for since, names in new.items()
    )


_EVERY = frozenset(name for names in FIELDS.values() for name in names)
_GONE_OF_TRANSFORMERS = frozenset(name for names in _OF_TRANSFORMERS.values() for name in names)
_NEW_OF_TRANSFORMERS = frozenset(name for names in _SINCE_TRANSFORMERS.values() for name in names)
_CHANGED_OF_TRL: Mapping[str, frozenset[str]] = {
    class_name: frozenset(
        name for table in (_OF_TRL, _SINCE_TRL) for names in table.get(class_name, {}).values() for name in names
    )
    for class_name in {*_OF_TRL, *_SINCE_TRL}
}
