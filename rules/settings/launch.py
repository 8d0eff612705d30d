"""How the run is started: the launch command, taken apart."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.values import Origin, is_filled_in, taken, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.reading.shell import Word
    from fp8check.rules.settings.shell import Line
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
_PYTHON_JOINED = ("-W", "-X", "--check-hash-based-pycs=")
_PYTHON_LETTERS = frozenset("bBdEiIOPqRsSuvx")
TORCHRUN_SWITCHES = frozenset(["standalone", "module", "m", "no_python", "run_path", "use_env", "virtual_local_rank"])


# Characters of a launch command. shlex takes a time that grows with the square of a word.
MAX_COMMAND = 32_768


class LaunchError(ValueError):
    """A launch command that cannot be read."""


class NotARun(LaunchError):
    """Words that start no training, or nothing that is known to: `pip install torch`, `accelerate config`."""


class Unclear(LaunchError):
    """A launch command that is one, and of which it is not known what it starts."""


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
    """

    clears: str = ""
    hides: str = ""
    unset: tuple[str, ...] = ()
    environment: str = ""
    machine: str = ""
    gpus: str = ""
    copies: int | None = 1
    copies_by: str = ""


HERE = Surroundings()


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


# Programs that show or keep what they read: what writes to them is the run.
_READERS = frozenset(("tee", "cat", "ts", "grep", "egrep", "sed", "awk", "tail", "less", "more", "head", "rotatelogs"))
# A placeholder of documentation, which a shell takes for two redirections.
_PLACEHOLDER = r"(?<![^\s=/:])<([A-Za-z][\w ./-]{0,60})>(?=[\s/:]|$)"


SEVERAL = "there is more than one command: name the one that trains"


def split(command: str) -> tuple[dict[str, str], list[str]]:
    """The variables that are set in front of a command, and its words, as a shell takes them.

    Where the output goes is left out, and that it runs in the background: `> train.log 2>&1 &`, `| tee train.log`.

    Raises:
        LaunchError: a quote that is not closed, or more characters than anybody writes.
        Unclear: more than one command.
    """
    from fp8check.rules.reading import Unreadable
    from fp8check.rules.reading.shell import Command
    from fp8check.rules.reading.shell_syntax import read
    from fp8check.rules.reading.source import Source

    if len(command) > MAX_COMMAND:
        raise LaunchError(f"the launch command has {len(command):,} characters; {MAX_COMMAND:,} are read")
    text = one_line(command)
    try:
        script = read(Source("the launch command", text))
    except Unreadable as error:
        raise LaunchError(f"the launch command cannot be read: {error.message}") from None
    if script.stopped is not None:
        raise LaunchError(f"the launch command cannot be read: {script.stopped.message}")
    items = script.items
    commands = [one for one in items if isinstance(one, Command)]
    is_plain = len(commands) == len(items)
    while len(commands) > 1 and commands[-1].in_pipe and _word(commands[-1].words[:1], text) in _READERS:
        commands.pop()
    if len(commands) > 1 or not is_plain:
        raise Unclear(SEVERAL)
    if not commands:
        return {}, []
    (one,) = commands
    variables = {set_.name: _word([set_.value] if set_.value is not None else [], text) for set_ in one.assignments}
    return variables, [_word([word], text) for word in one.words]


def one_line(command: str) -> str:
    """A command on one line, with placeholders of documentation between quotes."""
    import re

    return re.sub(_PLACEHOLDER, r"'<\1>'", command.strip().replace("\\\n", " ").replace("\n", " "))


def _word(words: Sequence[Word], text: str) -> str:
    """What the first of these words says; variables and what other programs print stay as they are written."""
    said = ""
    for piece in words[0].pieces if words else ():
        found = piece.text.split() if piece.kind == "output" else []
        if found[:-1] in (["which"], ["command", "-v"], ["type", "-p"]):
            said += f"/usr/bin/{found[-1]}"
        else:
            said += piece.text if piece.kind == "text" else text[piece.start : piece.end]
    return said


def started_by(tool: str, words: Sequence[str]) -> Launch:
    """What a launcher or an interpreter starts: "accelerate" and "launch --config_file a.yaml train.py cfg.yaml".

    Raises:
        NotARun: a program that starts no training, or none that is known here.
        Unclear: it is not known what it starts.
    """
    if tool in ("accelerate", "accelerate-launch"):
        return _accelerate(tool, words)
    if tool in ("torchrun", "deepspeed"):
        return _launcher(tool, words)
    if is_python(tool):
        return _python(words)
    if is_filled_in(tool):
        raise Unclear(f"what {tool} stands for is not known")
    from fp8check.rules.settings.programs import FOREIGN

    whose, commands = FOREIGN.get(tool, ("", ()))
    if whose and (not commands or any(word in commands for word in words[:1])):
        raise Foreign(f"this is {whose}, which is not checked: {' '.join([tool, *words[:1]])}")
    raise NotARun(f"nothing is known of {tool!r}: say the command that it starts, with accelerate, torchrun or python")


def unlike(program: str, command: str, trains: Sequence[str]) -> LaunchError:
    """That a trainer's command was not told to train: `trl env`, `trl train.py`, `trl $METHOD`."""
    if is_filled_in(command):
        return Unclear(f"what {command} stands for is not known: a command of {program}")
    known = ", ".join(f"{program} {one}" for one in trains)
    return NotARun(f"{program} {command} starts no training that is known here: what does is {known}")


def is_python(tool: str) -> bool:
    """Whether a program is a Python interpreter: python, python3, python3.12."""
    return tool[:6] == "python" and not tool[6:].strip("0123456789.")


def _accelerate(tool: str, words: Sequence[str]) -> Launch:
    if tool == "accelerate":
        if not words:
            return Launch("accelerate")
        command, words = words[0], words[1:]
        if is_filled_in(command):
            raise Unclear(f"what {command} stands for is not known")
        if command != "launch":
            raise NotARun(f"accelerate {command} starts no training")
    return _launcher("accelerate", words)


def _launcher(tool: str, words: Sequence[str]) -> Launch:
    if any(word in ("-h", "--help", "--version") for word in words[:1]):
        raise NotARun(f"{'accelerate launch' if tool == 'accelerate' else tool} {words[0]} starts nothing")
    if tool == "accelerate":
        launch = with_flags(tool, words, switches=SWITCHES)
    elif tool == "torchrun":
        from fp8check.rules.settings.programs import TORCHRUN

        launch = with_flags(tool, words, switches=TORCHRUN_SWITCHES, known=TORCHRUN)
    else:
        from fp8check.rules.settings.programs import DEEPSPEED, DEEPSPEED_SWITCHES

        launch = with_flags(tool, words, switches=DEEPSPEED_SWITCHES, known=DEEPSPEED)
        if "autotuning" in launch.flags:
            raise Unclear("deepspeed --autotuning starts many runs")
    if launch.script is not None and is_several(launch.script):
        raise Unclear(f"what {launch.script} stands for is not known: options of {tool}, or what it starts")
    return launch


def is_several(word: str) -> bool:
    """Whether a shell may make several words of one, or none: $ARGS, "$@", ${ARGS[@]}, $(cat args)."""
    name = word[1:]
    if word[:1] != "$" or not name:
        return False
    if name[0] == "{":
        return name.find("}") == len(name) - 1
    return (name[0] == "(" and name[-1] == ")") or name.isidentifier() or not name.strip("@*0123456789")


def _python(words: Sequence[str]) -> Launch:
    words = list(words)
    while words and words[0].startswith("-") and words[0] not in ("-", "-c", "-m"):
        option = words.pop(0)
        if option.startswith("-m"):  # python -mtorch.distributed.run
            words[:0] = ["-m", option[2:]]
            break
        if option in ("-V", "--version", "-h", "--help"):
            raise NotARun(f"python {option} starts nothing")
        if option in _PYTHON_VALUES:
            del words[:1]
        elif option == "--":
            break
        elif not option.startswith(_PYTHON_JOINED):
            letters = option[1:].rstrip("cm") if option[-1] in "cm" else option[1:]
            if set(letters) - _PYTHON_LETTERS:
                raise Unclear(f"python has no option that is known here as {option}")
            if option[-1] in "cm":  # python -um x
                words.insert(0, f"-{option[-1]}")
    as_module = words[:1] == ["-m"]
    if as_module:
        words = words[1:]
    script = words[0] if words else None
    if script is not None and is_several(script):
        raise Unclear(f"what {script} stands for is not known: options of python, or the script")
    if script is not None and as_module:
        return _module(script, words[1:])
    if "--" in words and _is_launch(words[words.index("--") + 1 :]):  # mason.py of open-instruct: on a cluster
        raise Unclear(f"{script} starts what stands behind --, and nobody knows where")
    return Launch("python", {}, script, tuple(words[1:]))


def _is_launch(words: Sequence[str]) -> bool:
    name = words[0].rpartition("/")[2] if words else ""
    return name in LAUNCHERS or name.startswith("python")


# Modules that are launchers, by the command that does the same.
_MODULES = {
    "torch.distributed.run": "torchrun",
    "torch.distributed.launch": "torchrun",
    "accelerate.commands.launch": "accelerate-launch",
    "accelerate.commands.accelerate_cli": "accelerate",
    "deepspeed.launcher.runner": "deepspeed",
}


def module_as_command(module: str) -> str | None:
    """The launcher that a module is: "torchrun" for torch.distributed.run; None where it is none."""
    return _MODULES.get(module)


def _module(module: str, words: Sequence[str]) -> Launch:
    command = module_as_command(module)
    if command is not None:
        return started_by(command, words)
    from fp8check.rules.settings.programs import RUNNERS, TOOLS

    if module in TOOLS:
        raise NotARun(f"python -m {module} starts no training")
    if module in RUNNERS:
        return _python(_behind_options(words, RUNNERS[module]))
    return Launch("python", {}, module, tuple(words), as_module=True)


def _behind_options(words: Sequence[str], values: Sequence[str]) -> Sequence[str]:
    """The file or -m and the module that a debugger or profiler runs."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "-m":
        at += 2 if words[at] in values else 1
    return words[at:]


def flags_among(words: Sequence[str]) -> dict[str, object]:
    """The flags among the words, wherever they stand, each with the word behind it."""
    flags: dict[str, object] = {}
    for word, following in zip(words, [*words[1:], ""], strict=False):  # nothing follows the last
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if word.startswith("--"):
            flags[name] = True if name in SWITCHES else value if equals else following
    return flags


def with_flags(
    tool: str, words: Sequence[str], switches: frozenset[str], known: frozenset[str] | None = None
) -> Launch:
    """What a launcher starts: its own flags stand before the program.

    Args:
        known: the names of all its flags, of which the beginning is enough; None: any flag may be one.

    Raises:
        LaunchError: the last flag has no value.
        Unclear: a flag is not among the known ones, or a variable stands where one may be.
    """
    flags: dict[str, object] = {}
    position = 0
    while position < len(words) and words[position].startswith("-") and words[position] != "-":
        if words[position] == "--":
            position += 1
            break
        name, equals, value = words[position].lstrip("-").partition("=")
        name = name.replace("-", "_")
        if known is not None:
            name = _whole(tool, name, words[position], known)
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


def _whole(tool: str, name: str, word: str, known: frozenset[str]) -> str:
    """The whole name of a flag: argparse takes the beginning of one, where no other begins so."""
    if name in known:
        return name
    begun = [one for one in known if one.startswith(name)] if word.startswith("--") else []
    if len(begun) != 1:
        raise Unclear(f"{tool} has a flag that is not known here: {word.partition('=')[0]}")
    return begun[0]
