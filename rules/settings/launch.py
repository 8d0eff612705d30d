"""How the run is started: the launch command, taken apart."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.values import Origin, taken, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.settings.values import Setting

# Flags of `accelerate launch` that take no value. Every other flag takes the word that follows it.
SWITCHES = frozenset(
    [
        "cpu",
        "multi_gpu",
        "tpu",
        "use_mps_device",
        "use_deepspeed",
        "use_fsdp",
        "use_megatron_lm",
        "use_parallelism_config",
        "use_xpu",
        "use_tp",
        "quiet",
        "module",
        "m",
        "no_python",
        "debug",
        "tpu_cluster",
        "no_tpu_cluster",
        "tpu_use_sudo",
        "dynamo_use_fullgraph",
        "dynamo_use_dynamic",
        "dynamo_use_regional_compilation",
        "fp8_use_autocast_during_eval",
        "enable_cpu_affinity",
        "same_network",
        "ipex",
    ]
)

# Every flag of `accelerate launch` over the releases 0.34.0 to 1.15.0 (commands/launch.py), with underscores.
LAUNCHER_FLAGS = frozenset(
    [
        "aws_access_key_id",
        "aws_secret_access_key",
        "config_file",
        "cpu",
        "debug",
        "deepspeed_config_file",
        "deepspeed_exclusion_filter",
        "deepspeed_hostfile",
        "deepspeed_inclusion_filter",
        "deepspeed_moe_layer_cls_names",
        "deepspeed_multinode_launcher",
        "downcast_bf16",
        "dynamo_backend",
        "dynamo_mode",
        "dynamo_use_dynamic",
        "dynamo_use_fullgraph",
        "dynamo_use_regional_compilation",
        "enable_cpu_affinity",
        "env",
        "fp8_amax_compute_algo",
        "fp8_amax_history_len",
        "fp8_backend",
        "fp8_enable_fsdp_float8_all_gather",
        "fp8_format",
        "fp8_interval",
        "fp8_margin",
        "fp8_opt_level",
        "fp8_override_linear_precision",
        "fp8_pad_inner_dim",
        "fp8_use_autocast_during_eval",
        "fsdp_activation_checkpointing",
        "fsdp_activation_checkpointing_offload",
        "fsdp_auto_wrap_policy",
        "fsdp_backward_prefetch",
        "fsdp_backward_prefetch_policy",
        "fsdp_cpu_ram_efficient_loading",
        "fsdp_forward_prefetch",
        "fsdp_min_num_params",
        "fsdp_offload_params",
        "fsdp_reshard_after_forward",
        "fsdp_sharding_strategy",
        "fsdp_state_dict_type",
        "fsdp_sync_module_states",
        "fsdp_transformer_layer_cls_to_wrap",
        "fsdp_use_orig_params",
        "fsdp_version",
        "gpu_ids",
        "gradient_accumulation_steps",
        "gradient_clipping",
        "h",
        "help",
        "ipex",
        "log_dir",
        "m",
        "machine_rank",
        "main_process_ip",
        "main_process_port",
        "main_training_function",
        "max_restarts",
        "megatron_lm_attention_backend",
        "megatron_lm_attention_dropout",
        "megatron_lm_attention_softmax_in_fp32",
        "megatron_lm_calculate_per_token_loss",
        "megatron_lm_context_parallel_size",
        "megatron_lm_decoder_last_pipeline_num_layers",
        "megatron_lm_eod_mask_loss",
        "megatron_lm_expert_model_parallel_size",
        "megatron_lm_expert_tensor_parallel_size",
        "megatron_lm_gradient_clipping",
        "megatron_lm_hidden_dropout",
        "megatron_lm_no_load_optim",
        "megatron_lm_no_save_optim",
        "megatron_lm_num_micro_batches",
        "megatron_lm_optimizer_cpu_offload",
        "megatron_lm_overlap_cpu_optimizer_d2h_h2d",
        "megatron_lm_pp_degree",
        "megatron_lm_recompute_activations",
        "megatron_lm_recompute_granularity",
        "megatron_lm_recompute_method",
        "megatron_lm_recompute_num_layers",
        "megatron_lm_sequence_parallelism",
        "megatron_lm_tp_degree",
        "megatron_lm_use_custom_fsdp",
        "megatron_lm_use_distributed_optimizer",
        "megatron_lm_use_precision_aware_optimizer",
        "megatron_lm_use_rotary_position_embeddings",
        "mixed_precision",
        "module",
        "monitor_interval",
        "mpirun_ccl",
        "mpirun_hostfile",
        "multi_gpu",
        "no_python",
        "no_tpu_cluster",
        "num_cpu_threads_per_process",
        "num_machines",
        "num_processes",
        "offload_optimizer_device",
        "offload_optimizer_nvme_path",
        "offload_param_device",
        "offload_param_nvme_path",
        "parallelism_config_cp_backend",
        "parallelism_config_cp_comm_strategy",
        "parallelism_config_cp_size",
        "parallelism_config_dp_replicate_size",
        "parallelism_config_dp_shard_size",
        "parallelism_config_sp_attn_implementation",
        "parallelism_config_sp_backend",
        "parallelism_config_sp_seq_length",
        "parallelism_config_sp_seq_length_is_variable",
        "parallelism_config_sp_size",
        "parallelism_config_tp_size",
        "q",
        "quiet",
        "rdzv_backend",
        "rdzv_conf",
        "role",
        "same_network",
        "t",
        "tee",
        "tp_size",
        "tpu",
        "tpu_cluster",
        "tpu_use_sudo",
        "use_deepspeed",
        "use_fsdp",
        "use_megatron_lm",
        "use_parallelism_config",
        "use_tp",
        "use_xpu",
        "vm",
        "zero3_init_flag",
        "zero3_save_16bit_model",
        "zero_stage",
    ]
)


# Those that argparse reads by int() and by float(), over the same releases.
INTEGERS = frozenset(
    [
        "num_processes",
        "num_machines",
        "num_cpu_threads_per_process",
        "machine_rank",
        "main_process_port",
        "max_restarts",
        "zero_stage",
        "gradient_accumulation_steps",
        "fsdp_min_num_params",
        "fp8_margin",
        "fp8_interval",
        "fp8_amax_history_len",
        "megatron_lm_tp_degree",
        "megatron_lm_pp_degree",
        "megatron_lm_num_micro_batches",
        "megatron_lm_recompute_num_layers",
        "megatron_lm_decoder_last_pipeline_num_layers",
        "megatron_lm_expert_model_parallel_size",
        "megatron_lm_context_parallel_size",
        "megatron_lm_expert_tensor_parallel_size",
        "parallelism_config_dp_replicate_size",
        "parallelism_config_dp_shard_size",
        "parallelism_config_tp_size",
        "parallelism_config_cp_size",
        "parallelism_config_sp_size",
    ]
)
REALS = frozenset(
    [
        "monitor_interval",
        "gradient_clipping",
        "megatron_lm_gradient_clipping",
        "megatron_lm_attention_dropout",
        "megatron_lm_hidden_dropout",
    ]
)


# Launchers that pip installs: commands of the shell, not Python files.
LAUNCHERS = frozenset(["accelerate", "deepspeed", "torchrun"])
# Options of the interpreter whose value is the next word.
_PYTHON_VALUES = ("-W", "-X", "--check-hash-based-pycs")
TORCHRUN_SWITCHES = frozenset(["standalone", "module", "m", "no_python", "use_env"])


# Characters of a launch command. shlex takes a time that grows with the square of a word.
MAX_COMMAND = 32_768


class LaunchError(ValueError):
    """A launch command that cannot be understood."""


class Launch(Record):
    """One launch command.

    Attributes:
        tool: "accelerate", "python", "torchrun" or "deepspeed".
        flags: the launcher's own flags by name with underscores; a switch has the value True.
        script: the program that is started, or None where only the tool is known.
        arguments: the words behind the program.
        given: whether the user wrote the command, or it was assumed.
        through: the name of the trainer whose command starts the launcher by itself; else None.
        variables: the environment variables that are set in front of the command.
        as_module: whether an interpreter was told to run a module (-m).
    """

    tool: str
    flags: Mapping[str, object] = {}
    script: str | None = None
    arguments: tuple[str, ...] = ()
    given: bool = True
    through: str | None = None
    variables: Mapping[str, str] = {}
    as_module: bool = False

    @property
    def is_module(self) -> bool:
        """Whether the program is a module, by its dotted name, and no file."""
        return self.as_module or bool(self.flags.get("m") or self.flags.get("module"))

    @property
    def config_file(self) -> str | None:
        """What --config_file names."""
        value = self.flags.get("config_file")
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> object:
        """The value of a launcher flag; None where it was not given.

        Raises:
            Undecided: it is filled in later: $PRECISION.
        """
        value = self.flags.get(name)
        setting = self.setting(name) if isinstance(value, str) else None
        return value if setting is None else setting.value

    def setting(self, name: str) -> Setting | None:
        """A launcher flag as a setting; None where it was not given."""
        value = self.flags.get(name)
        return None if value is None else taken(value, Origin(flag=f"--{name} {value}"))

    def number(self, name: str) -> int | None:
        """A launcher flag as a number; None where it was not given or is none.

        Raises:
            Undecided: it is filled in later.
        """
        value = self.flag(name)
        return whole_number(value) if isinstance(value, str) else None


def split(command: str) -> tuple[dict[str, str], list[str]]:
    """The variables that are set in front of a command, and its words.

    Raises:
        LaunchError: unbalanced quotes, or more characters than anybody writes.
    """
    import shlex

    if len(command) > MAX_COMMAND:
        raise LaunchError(f"the launch command has {len(command):,} characters; {MAX_COMMAND:,} are read")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise LaunchError(f"the launch command cannot be read: {error}") from None
    variables: dict[str, str] = {}
    while words and "=" in words[0] and not words[0].startswith("-"):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    return variables, words


def started_by(tool: str, words: Sequence[str]) -> Launch:
    """What a launcher or an interpreter starts: "accelerate" and "launch --config_file a.yaml train.py cfg.yaml".

    Raises:
        LaunchError: a program that starts no training that is known here.
    """
    if tool == "accelerate":
        return _accelerate(words[1:] if words[:1] == ["launch"] else words)
    if tool in ("torchrun", "deepspeed"):
        return with_flags(tool, words, switches=TORCHRUN_SWITCHES)
    if tool.startswith("python"):
        return _python(words)
    raise LaunchError(
        f"cannot tell how {tool!r} starts a training run: "
        "say --launch accelerate, python or torchrun, or the whole command that begins with one of them"
    )


def _accelerate(words: Sequence[str]) -> Launch:
    return with_flags("accelerate", words, switches=SWITCHES)


def _python(words: Sequence[str]) -> Launch:
    if words[:2] in (["-m", "torch.distributed.run"], ["-m", "torch.distributed.launch"]):
        return with_flags("torchrun", words[2:], switches=TORCHRUN_SWITCHES)
    if words[:2] == ["-m", "accelerate.commands.launch"]:
        return _accelerate(words[2:])
    while words and words[0].startswith("-") and words[0] not in ("-m", "-c", "-"):
        words = words[2 if words[0] in _PYTHON_VALUES else 1 :]
    as_module = words[:1] == ["-m"]
    if as_module:
        words = words[1:]
    return Launch("python", {}, words[0] if words else None, tuple(words[1:]), as_module=as_module)


def flags_among(words: Sequence[str]) -> dict[str, object]:
    """The flags among the words, wherever they stand, each with the word behind it."""
    flags: dict[str, object] = {}
    for word, following in zip(words, [*words[1:], ""], strict=False):  # nothing follows the last
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if word.startswith("--"):
            flags[name] = True if name in SWITCHES else value if equals else following
    return flags


def with_flags(tool: str, words: Sequence[str], switches: frozenset[str]) -> Launch:
    """What a launcher starts: its own flags stand before the program.

    Raises:
        LaunchError: the last flag has no value.
    """
    flags: dict[str, object] = {}
    position = 0
    while position < len(words) and words[position].startswith("-") and words[position] != "-":
        name, equals, value = words[position].lstrip("-").partition("=")
        name = name.replace("-", "_")
        if equals:
            flags[name] = value
        elif name in switches:
            flags[name] = True
        elif position + 1 < len(words):
            position += 1
            flags[name] = words[position]
        else:
            raise LaunchError(f"--{name} in the launch command has no value")
        position += 1
    script = words[position] if position < len(words) else None
    return Launch(tool, flags, script, tuple(words[position + 1 :]))
