"""How the run is started: the launch command, taken apart."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.values import Origin, taken, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.settings.shell_lines import Line
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


class LaunchError(ValueError):
    """A launch command that cannot be read."""


class NotARun(LaunchError):
    """Words that start no training, or nothing that is known to: `pip install torch`, `accelerate config`."""


class Unclear(LaunchError):
    """A launch command that is one, and of which it is not known what it starts."""


class Elsewhere(Unclear):
    """A command that is handed to another machine.

    Attributes:
        words: what is handed over, as it is written.
    """

    def __init__(self, message: str, words: tuple[str, ...]) -> None:
        super().__init__(message)
        self.words = words


class Foreign(Unclear):
    """A command that trains by a tool that is not known here."""


class Surroundings(Record):
    """What the wrappers in front of a command change for it. A text names who does it; "" where nobody does.

    Attributes:
        clears: who takes all variables of the shell away: "env -i".
        hides: who sets variables of which nothing is known here: "docker run", "sudo".
        unset: the variables that are taken away one by one.
        environment: who brings packages of its own: "conda run".
        machine: who starts it on another machine: "srun".
        gpus: who may keep the GPUs from it: "docker run without --gpus".
        copies: how many of it run side by side; None where that is not known.
        copies_by: who starts them: "srun".
        folder: the working folder in which they start it, from that of the command; "" where it is the same.
    """

    clears: str = ""
    hides: str = ""
    unset: tuple[str, ...] = ()
    environment: str = ""
    machine: str = ""
    gpus: str = ""
    copies: int | None = 1
    copies_by: str = ""
    folder: str = ""


HERE = Surroundings()


def written_by(line: int) -> str:
    """Why it is not known what is in a file: its script writes it."""
    return f"line {line} of the script writes or changes it"


class Launch(Record):
    """One launch command.

    Attributes:
        tool: "accelerate", "python", "torchrun" or "deepspeed"; "" where it is not known what the command starts.
        flags: the launcher's own flags by name with underscores; a switch has the value True.
        script: the program that is started, or None where only the tool is known.
        arguments: the words behind the program.
        given: whether the user wrote the command, or it was assumed.
        through: the name of the trainer whose command starts the launcher by itself; else None.
        variables: the environment variables that are set in front of the command.
        as_module: whether an interpreter was told to run a module (-m).
        unknown: why it is not known what the command starts; "" where it is.
        surroundings: what the wrappers in front of it change.
        outer: the launchers around this one, the outermost first: `torchrun --no_python accelerate launch ...`.
        inner: the launchers that this one starts, the innermost last: `accelerate launch -m torch.distributed.run ...`.
        line: where a shell script has it, with the places of its words; None where no script does.
        rewritten: the files of the command that its script writes or changes before it, each with why what is in it
            is not known.
        modules_in: the folders in which a module may lie that it is told to run, the working folder first.
        by_module: the module that was run for the trainer's command: `python -m trl.cli`; "" where none was.
    """

    tool: str
    flags: Mapping[str, object] = {}
    script: str | None = None
    arguments: tuple[str, ...] = ()
    given: bool = True
    through: str | None = None
    variables: Mapping[str, str] = {}
    as_module: bool = False
    unknown: str = ""
    surroundings: Surroundings = HERE
    outer: tuple[Launch, ...] = ()
    inner: tuple[Launch, ...] = ()
    line: Line | None = None
    rewritten: Mapping[str, str] = {}
    modules_in: tuple[str, ...] = ("",)
    by_module: str = ""

    def changed(self, path: str) -> str:
        """Why it is not known what is in a file by the time that this starts; "" where it is what is there now."""
        if path in self.rewritten:
            return self.rewritten[path]
        line = None if self.line is None else self.line.changed_by(path)
        return written_by(line) if line is not None else ""

    @property
    def is_module(self) -> bool:
        """Whether the program is a module, by its dotted name, and no file."""
        return self.as_module or bool(self.flags.get("m") or self.flags.get("module"))

    def places(self, setting: Setting) -> bool:
        """Whether people can be shown where a setting stands: in a file, or in the line of a script."""
        return setting.origin.span is not None or (
            self.line is not None and self.line.place_of(setting.origin) is not None
        )

    @property
    def precision(self) -> object:
        """The precision that a flag of the launcher says; None where none does."""
        return self.flags.get("mixed_precision")

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


def is_several(word: str) -> bool:
    """Whether a shell may make several words of one, or none: $ARGS, "$@", ${ARGS[@]}, $(cat args)."""
    name = word[1:]
    if word[:1] != "$" or not name:
        return False
    if name[0] == "{":
        return name.find("}") == len(name) - 1
    return (name[0] == "(" and name[-1] == ")") or name.isidentifier() or not name.strip("@*0123456789")
