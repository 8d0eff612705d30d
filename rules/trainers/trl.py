"""TRL: its scripts, and the `trl` command, which is `accelerate launch`."""

from __future__ import annotations

from fp8check.rules.reading.kind import Kind
from fp8check.rules.releases import behaviors
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.versions import parsed
from fp8check.rules.settings.launch import LAUNCHER_FLAGS, SWITCHES, Launch, is_several
from fp8check.rules.settings.script import LOADER, PLACES
from fp8check.rules.settings.values import Origin, Section, Setting, Undecided
from fp8check.rules.trainers.data import Detection, HandedOver, Tokens, count, exact, has_share, listed, names, varying
from fp8check.rules.trainers.huggingface import ARGUMENTS, LESS_USUAL, OFF_GPUS, HuggingFace
from fp8check.rules.trainers.training import CONFIGURATIONS
from fp8check.rules.trainers.transformers import dtype_of_checkpoint, loaded_dtype

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fp8check.rules.facts import Facts
    from fp8check.rules.models import ModelShape
    from fp8check.rules.reading.kind import Shape
    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.script import Script
    from fp8check.rules.trainers.data import Environment
    from fp8check.rules.trainers.training import Loss, Size, Thing

# Keys of TRL's ScriptArguments, ModelConfig and trainer configurations that TrainingArguments does not have.
KEYS = names(
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
# Its commands that train, over the releases 0.9 to 1.16 (trl/cli.py, trl/cli/commands/__init__.py).
COMMANDS = ("sft", "dpo", "grpo", "kto", "reward", "rloo", "distillation")
CHUNKED = "chunked_nll"  # SFT's loss that takes the weight of the head, a piece of the vocabulary at a time
# Those that multiply with the head's weight themselves (trainer/*_trainer.py of 1.15.0 and 1.16.0).
_WITH_FUSED_HEAD = ("sft", "dpo", "grpo", "kto", "rloo")
_HAS: Mapping[str, Callable[[Stack], bool]] = {
    "grpo": lambda stack: stack.does(behaviors.Trl.HAS_GRPO),
    "rloo": lambda stack: stack.does(behaviors.Trl.HAS_RLOO),
    "reward": lambda stack: stack.does(behaviors.Trl.HAS_REWARD),
    "distillation": lambda stack: stack.does(behaviors.Trl.HAS_DISTILLATION),
}
# What the script of each command parses (scripts/*.py make_parser); of distillation it is not known.
_CLASSES: Mapping[str, tuple[str, ...]] = {
    command: (config, *more, "ScriptArguments", "ModelConfig", "DatasetMixtureConfig")
    for command, config, *more in (
        ("sft", "SFTConfig"),
        ("dpo", "DPOConfig"),
        ("kto", "KTOConfig"),
        ("reward", "RewardConfig"),
        ("grpo", "GRPOConfig", "GRPOScriptArguments"),
        ("rloo", "RLOOConfig", "RLOOScriptArguments"),
    )
}
# Keys of the example scripts of transformers (run_clm.py and its kin), which share `dataset_name` with TRL.
_OF_SCRIPTS = names(
    """
    dataset_config_name block_size train_file validation_file max_seq_length config_name tokenizer_name cache_dir
    use_fast_tokenizer pad_to_max_length max_train_samples max_eval_samples doc_stride task_name text_column
    """
)
# Arguments that take several words: nargs="+" in the parsers of 0.18.2, 0.24.0, 1.9.0 and 1.16.0.
_OF_SEVERAL = names(
    """
    datasets debug include_for_metrics label_names lora_modules_to_save lora_target_modules lora_target_parameters
    loss_type loss_weights reward_funcs reward_weights tools
    """
)
# Flags of the launcher that `trl` does not hand on: its scripts have flags of the same name, and take them first.
_TAKEN_BY_SCRIPTS = frozenset(["debug", "gradient_accumulation_steps", "h", "help", "log_dir", "m", "module", "q", "t"])


# Keys that say how a model is loaded, for whatever.
_OF_LOADING = names("attn_implementation dtype torch_dtype model_revision model_init_kwargs")


def _tells(shape: Shape) -> bool:
    own, shared = count(shape, KEYS), count(shape, ARGUMENTS)
    trains = own > count(shape, _OF_LOADING) or shared >= 2
    known = ("model_name_or_path" in shape and own > 0 and trains) or (own >= 2 and shared >= 2)
    known = known and has_share(shape, own + shared)
    return known and own > count(shape, _OF_SCRIPTS) and shape.get("model") != "map"


def _as_section(values: Mapping[str, object], origin: Origin) -> Section:
    return Section(over={key: Setting(value, origin) for key, value in values.items()})


# Keys of GRPOConfig, RLOOConfig and OnlineDPOConfig.
_OF_SFT = ("packing", "packing_strategy", "eval_packing", "assistant_only_loss", "completion_only_loss")
_GENERATING = ("num_generations", "max_completion_length", "reward_funcs")


def _used(script: Script) -> frozenset[str]:
    """The classes of TRL's Trainers and of their arguments that a script uses, in small letters."""
    return frozenset(use.rpartition(".")[2].lower() for use in script.uses if use.startswith("trl."))


def _unknown_flags(launch: Launch, classes: tuple[str, ...], stack: Stack, stage: Stage) -> dict[str, Setting]:
    """The flags of a command that are none of its script's, nor the beginning of one.

    Raises:
        PredictedError: one is the beginning of several, which ends the parser at that stage.
    """
    from fp8check.rules.releases.training_arguments import Spelled, ambiguous  # few runs are by the command
    from fp8check.rules.trainers.arguments import options

    spelled = Spelled(classes, (), stack)
    strange: dict[str, Setting] = {}
    for name, _, word in options(launch.arguments):
        flag = word.split()[0].partition("=")[0]
        meant = spelled.meant(flag)
        if len(meant) > 1:
            because = (Setting(word, Origin(flag=word)),)
            text, choices = ambiguous(flag, meant), tuple(meant)
            raise PredictedError("ambiguous-flag", stage, "SystemExit", text, because, flag=flag, choices=choices)
        if not meant:
            strange[name] = Setting(word, Origin(flag=word))
    return strange


def _check_by_module(launch: Launch, stack: Stack) -> None:
    """`python -m trl.cli`, which is a file or a folder, and `python -m trl.cli.main`, which is in the folder."""
    is_folder = stack.does(behaviors.Trl.COMMAND_IS_A_FOLDER)
    if not launch.by_module or is_folder is (launch.by_module == "trl.cli.main"):
        return
    text = "No module named trl.cli.__main__; 'trl.cli' is a package and cannot be directly executed"
    if not is_folder:
        text = "No module named trl.cli.main; 'trl.cli' is not a package"
    raise PredictedError(
        "command-is-no-script", "arguments", "ImportError", text, (Setting(launch.by_module, Origin(flag="-m")),)
    )


# Whose scripts hand the model's name to their Trainer, and since when; those of the others always did.
_LEAVES_LOADING: Mapping[str, Callable[[Stack], bool]] = {
    "sft": lambda stack: stack.does(behaviors.Trl.SFT_LEAVES_LOADING),
    "dpo": lambda stack: stack.does(behaviors.Trl.SFT_LEAVES_LOADING),
    "kto": lambda stack: stack.does(behaviors.Trl.KTO_LEAVES_LOADING),
    "grpo": lambda stack: stack.does(behaviors.Trl.GRPO_LEAVES_LOADING),
}


def _words_of(launch: Launch) -> Iterator[str]:
    """All words of a command, also what its script hands on of its own arguments."""
    yield from launch.arguments
    yield from () if launch.line is None else (word.text for word in launch.line.words)


def _is_open(word: str) -> bool:
    """Whether a word may stand for several, of which nothing is known."""
    return is_several(word) or word.startswith(("${@", "${*"))


class Trl(HuggingFace):
    """A configuration for TRL."""

    __slots__ = ()

    name = "trl"
    reads_logits_again = True
    title = "TRL"
    detections = (Detection(70, _tells, Kind("training", "trl")),)
    shares_keys = True
    telling = ARGUMENTS
    known = ARGUMENTS | OFF_GPUS | LESS_USUAL | KEYS
    unread_key = "TrlParser raises ValueError: unknown arguments from config file"
    sequence_key = "max_length"
    default_sequence = 1024  # trainer/sft_config.py@1.16.0
    default_lora_dropout = 0.05  # trainer/model_config.py@1.16.0
    programs = ("trl",)
    meets_early = True
    launching_modules = ("trl.cli", "trl.cli.main")
    config_flag = "--accelerate_config"
    file_flag = "--config"
    config_key = "accelerate_config"
    shipped_configs = frozenset(["single_gpu", "multi_gpu", "zero1", "zero2", "zero3", "fsdp1", "fsdp2"])
    calling_head = ("loss_type", "nll")
    shards_from_cpu = True
    parses_in_command = True
    written_in_scripts = True
    savers = ("use_peft", "load_in_4bit", "load_in_8bit")

    @property
    def variables(self) -> Mapping[str, Setting]:
        """`env` (scripts/utils.py TrlParser of 0.14.0 to 1.16.0): str(value) of each; those that change a run."""
        if "env" not in self.top:
            return {}
        from fp8check.rules.facts.variables import kept  # few files have it

        written = dict(self.top.section("env").settings())
        texts = kept({name: str(setting.shown) for name, setting in written.items()})
        return {
            name: written[name] if written[name].is_later else written[name]._replace(value=text)
            for name, text in texts.items()
        }

    def hand_over(self, stack: Stack, environment: Environment, script: Script) -> Iterator[HandedOver]:
        """The script parses the file once more, and sets the variables of `env` over those of the launcher."""
        own = {name: setting.over(environment.get(name)) for name, setting in self.variables.items()}
        return super().hand_over(stack, {**environment, **own}, script)

    def uncounted(self, launch: Launch, script: Script) -> str:
        """See Training: its trainers beside SFT have other losses, and models beside the one."""
        if not self._is_sft(launch, script):
            return "what a step keeps of one of TRL's trainers that is not SFT, or not known to be"
        return (
            self._counts("loss_type", None, "nll", "chunked_nll")
            or self._counts("attn_implementation", None, "sdpa")
            or super().uncounted(launch, script)
        )

    def _is_sft(self, launch: Launch, script: Script) -> bool:
        """Whether its command, the script's class or a key says that it is SFTTrainer."""
        if launch.is_module and str(launch.script).startswith("trl.scripts."):
            return launch.script == "trl.scripts.sft"
        by_command = launch.through == self.name and bool(launch.arguments)
        if by_command or _used(script):
            return self.trainer_of(launch, script) == "sft"
        return any(name in self.top for name in _OF_SFT)

    def loss(self, stack: Stack) -> Loss | None:
        """SFTTrainer keeps the logits for its metrics to 1.0, and makes none in 1.9 and 1.16; between, not known."""
        if stack.does(behaviors.Trl.FUSES_HEAD):
            return "chunked"
        if self.uses_liger:
            return "fused"
        version = stack.version("trl")
        if self.value("loss_type") == "nll" and version >= (1, 9):
            return "kept"
        return "chunked" if version >= (1, 9) else "kept" if version < (1, 1) else None

    def adds_bias_of_head(self, stack: Stack, launch: Launch, script: Script) -> Setting | None:
        """See Training: SFT with the loss chunked_nll of 1.4 to 1.14, and nearly all trainers from 1.15 on."""
        trainer = self.trainer_of(launch, script)
        if trainer not in _WITH_FUSED_HEAD:
            return None
        if stack.does(behaviors.Trl.FUSES_HEAD):
            return Setting("fused", Origin(default=stack.name("trl")))
        if trainer != "sft" or self.uses_liger:
            return None
        written = self.get("loss_type")
        if written is not None and (written.is_later or written.value is not None):
            is_chunked = written.value == CHUNKED and stack.does(behaviors.Trl.HAS_CHUNKED_LOSS)
            return written if is_chunked else None
        by_default = stack.does(behaviors.Trl.CHUNKS_BY_DEFAULT)
        return Setting(CHUNKED, Origin(default=stack.name("trl"))) if by_default else None

    def trainer_of(self, launch: Launch, script: Script) -> str | None:
        """Its command, as "sft": that of the launch, or the class that the script makes; None for one of no command."""
        if launch.through == self.name and launch.arguments:
            return launch.arguments[0]
        made = {call.name.removesuffix("Trainer").lower() for call in script.constructs}
        if len(made) == 1 and not made.isdisjoint(COMMANDS):
            return made.pop()
        used = _used(script)
        if used:
            return next((name for name in COMMANDS if f"{name}trainer" in used or f"{name}config" in used), None)
        return "grpo" if self.generates else "sft"

    def padding_key(self, stack: Stack, launch: Launch, script: Script) -> str | None:
        """See Training: not every class of its arguments has it from the first on."""
        trainer = self.trainer_of(launch, script)
        pads = (
            (trainer == "sft" and stack.does(behaviors.Trl.SFT_PADS))
            or (trainer == "reward" and stack.does(behaviors.Trl.REWARD_PADS))
            or (trainer == "dpo" and stack.does(behaviors.Trl.DPO_PADS))
            or (trainer in ("grpo", "rloo") and stack.does(behaviors.Trl.GRPO_PADS))
            or (trainer == "kto" and stack.does(behaviors.Trl.KTO_PADS))
            or (trainer == "distillation" and stack.does(behaviors.Trl.HAS_DISTILLATION))
        )
        return "pad_to_multiple_of" if pads else None

    def setting_for(self, what: Thing) -> Setting | None:
        """SFTConfig puts max_seq_length over max_length (to 0.19; later ones refuse it)."""
        older = self.get("max_seq_length") if what == "sequence" else None
        if older is not None and (older.is_later or older.value is not None):
            return older.over(self.get("max_length"))
        return super().setting_for(what)

    @property
    def generates(self) -> bool:
        """Told by keys that only GRPOConfig, RLOOConfig and OnlineDPOConfig have."""
        return any(name in self.top for name in _GENERATING)

    def size(self, what: Size) -> Setting | None:
        """`max_length: null` sets no limit; GRPO and its kin have none: they generate what they train on."""
        written = self.setting_for(what)
        if what == "sequence" and written is None and self.generates:
            return None
        if what == "sequence" and written is not None and not written.is_later and written.value is None:
            return None
        return super().size(what)

    def _count_tokens(self) -> Tokens | None:
        """trainer/sft_config.py and sft_trainer.py of 0.21.0 to 1.16.0."""
        batch, sequence = self.micro_batch, self.sequence
        if batch is None or sequence is None:
            return None
        written = self.value("pad_to_multiple_of")
        multiple = written if isinstance(written, int) and written > 0 else 1
        if self.on("packing") and self.value("packing_strategy") == "wrapped":
            row = -(-sequence // multiple) * multiple
            return exact(batch, row, f"packed into {row:,} tokens each", self.setting_for("sequence"))
        if self.on("packing") or self.on("padding_free"):
            return Tokens(None, multiple, multiple, "flattened into one row of tokens", self.get("packing"))
        padded = f"padded to the longest of the batch, and to {multiple}" if multiple > 1 else "padded to the longest"
        return varying(batch, multiple, padded, self.setting_for("micro_batch"))

    def bf16_by_default(self, stack: Stack) -> bool:
        """See Training."""
        return stack.does(behaviors.Trl.BF16_BY_DEFAULT)

    def bf16(self, stack: Stack) -> Setting:
        """TRL turns an unset bf16 on: self.bf16 = not self.fp16 if self.bf16 is None else self.bf16."""
        if not self.bf16_by_default(stack):
            return super().bf16(stack)
        written = self.get("bf16")
        if written is not None and (written.is_later or written.value is not None):
            return super().bf16(stack)
        fp16 = self.fp16(stack)
        if fp16.value:
            return Setting(False, Origin(code=f"{stack.name('trl')}, as fp16 is on")).over(written)
        return Setting(True, Origin(default=stack.name("trl"))).over(written)

    def weights(self, stack: Stack, model: ModelShape | None) -> Setting | None:
        """ModelConfig.dtype of its scripts: float32 from 0.27 on; before, and with null, transformers decides.

        Its trainers load a model of that name in the checkpoint's type in 0.26 (trainer/utils.py
        create_model_from_path of 0.24.0 to 1.16.0); a model that the script loads is transformers'.
        """
        written, loader = self.get("dtype") or self.get("torch_dtype"), self.value(LOADER)
        by_trainer = written is None and loader == "trl" and stack.does(behaviors.Trl.LOADS_AUTO)
        if by_trainer or (written is not None and written.value == "auto"):
            return dtype_of_checkpoint(model)
        if written is None and loader != "transformers" and stack.does(behaviors.Trl.LOADS_FLOAT32):
            return Setting("float32", Origin(default=stack.name("trl")))
        return self.written_dtype() or loaded_dtype(stack, model)

    def replicates(self, stack: Stack, launch: Launch, script: Script) -> bool | None:
        """See Training. SFTTrainer loads a model by its name with device_map "auto": Trainer's n_gpu is 1 then.

        Executed on two H200s with 1.16.0 (docs/evidence/data-parallel.jsonl dp-trl-ao). A model that the script loads
        goes to nn.DataParallel, which 1.16.0 refuses; so may one that is so small that a single GPU gets all of it.
        """
        by_command = self.own_command(launch) is not None and stack.does(behaviors.Trl.SFT_LEAVES_LOADING)
        loads = by_command or self.value(LOADER) == "trl"
        placed = self.value(PLACES) or "model_init_kwargs" in self.top
        if placed or not loads or self.trainer_of(launch, script) != "sft":
            return None
        return False if stack.does(behaviors.Trl.SPLITS_OVER_GPUS) else None

    def check_replicas(self, stack: Stack, launch: Launch, script: Script) -> None:
        """From 1.15 on each of its Trainers refuses nn.DataParallel, which Trainer takes for several GPUs.

        Executed on two H200s with 1.16.0 (docs/evidence/tries-h200.jsonl). A model that its SFTTrainer loads, or that
        is placed over the GPUs, is none.
        """
        loads = self.own_command(launch) is not None or self.value(LOADER) == "trl"
        placed = self.value(PLACES) or "model_init_kwargs" in self.top
        if placed or not stack.does(behaviors.Trl.REFUSES_DATA_PARALLEL):
            return
        trainer = self.trainer_of(launch, script)
        if trainer is None or (trainer == "sft" and loads):
            return
        text = (
            "Trainer does not support `nn.DataParallel`, which `Trainer` uses when several GPUs are visible to a single"
        )
        model = self.setting_for("model")
        raise PredictedError("replicas-refused", "trainer", "ValueError", f"{trainer.upper()}{text} process.", (model,))

    def checkpointing(self, stack: Stack) -> Setting | None:
        """TRL switches gradient checkpointing on by itself where the file does not say."""
        if "gradient_checkpointing" in self.top or self._set_afterward("checkpointing", stack) is not None:
            return super().checkpointing(stack)
        by_default = stack.does(behaviors.Trl.CHECKPOINTS_BY_DEFAULT)
        return Setting(True, Origin(default=stack.name("trl"))) if by_default else None

    def _reentrant_by_default(self, stack: Stack) -> bool:
        return not stack.does(behaviors.Trl.CHECKPOINTING_NOT_REENTRANT) and super()._reentrant_by_default(stack)

    @classmethod
    def launch(cls, program: str, words: Sequence[str]) -> Launch:
        """`trl sft ...` is `accelerate launch`: it hands on the flags that its script does not know.

        trl/cli.py to 0.29, trl/cli/ from 1.0 on: --accelerate_config becomes --config_file.
        """
        from fp8check.rules.settings.command import flags_among, not_told_to_train  # few checks are given a command

        if words and words[0] not in COMMANDS:
            raise not_told_to_train(program, words[0], COMMANDS)
        return Launch("accelerate", cls._for_launcher(flags_among(words)), program, tuple(words), through=cls.name)

    @classmethod
    def shipped(cls, name: str, facts: Facts) -> Section | None:
        """See Training: trl/accelerate_configs, from 0.18 on."""
        from fp8check.rules.releases import trl_profiles  # few commands name one

        known = facts.package("trl")
        release = parsed(known) if isinstance(known, str) else None
        profile = trl_profiles.PROFILES.get(name)
        if profile is None or (release is not None and release < trl_profiles.SINCE):
            return None
        origin = Origin(code=f"trl's own {name}.yaml")
        sections = {key: _as_section(value, origin) for key, value in profile.items() if isinstance(value, dict)}
        return Section(over={key: Setting(value, origin) for key, value in profile.items()}, sections=sections)

    @classmethod
    def with_flags_of_file(cls, launch: Launch, top: Section) -> Launch:
        """The command line wins over the file (trl/cli/commands/training.py)."""
        written = {name: setting.shown for name, setting in top.settings()}
        flags = {
            name: True if name in SWITCHES else str(value)
            for name, value in cls._for_launcher(written).items()
            if value not in (None, False)
        }
        return launch._replace(flags={**flags, **launch.flags})

    @classmethod
    def as_released(cls, launch: Launch, facts: Facts) -> Launch:
        """To 0.28 `trl sft` alone hands flags on: the others start the launcher without any.

        trl/cli.py of 0.18.2 to 0.28.0, trl/cli/commands/training.py from 0.29.0 on. Executed with 0.24.0: their scripts
        pass over what they do not know without a word.
        """
        return launch if cls._starts_with_flags(launch, facts) else launch._replace(flags={})

    @classmethod
    def _starts_with_flags(cls, launch: Launch, facts: Facts) -> bool:
        known = facts.package("trl")
        release = parsed(known) if isinstance(known, str) else None
        return release is None or cls._hands_flags_on(launch, release)

    @staticmethod
    def _hands_flags_on(launch: Launch, release: tuple[int, ...]) -> bool:
        return release >= (0, 29) or launch.arguments[:1] in ((), ("sft",))

    def check_command(self, launch: Launch, stack: Stack) -> None:
        """Its bf16 is true, false or null, and such a flag wants its value (HfArgumentParser; executed with 0.24.0).

        Its releases got their commands one by one, and before 0.18 none takes the launcher's flags.
        """
        if launch.through != self.name:
            if launch.script == self.name:
                text = "No module named trl.__main__; 'trl' is a package and cannot be directly executed"
                raise PredictedError("command-is-no-script", "arguments", "ImportError", text)
            self._check_module(launch, stack)
            return
        _check_by_module(launch, stack)
        if not launch.arguments:
            return
        from fp8check.rules.settings.command import flags_among

        if launch.arguments[-1] == self.file_flag:  # TrlParser takes the word behind it away
            named = Setting(self.file_flag, Origin(flag=self.file_flag))
            raise PredictedError("flag-without-value", "launch", "IndexError", "pop from empty list", (named,))
        others = [name for name in flags_among(launch.arguments) if self._for_launcher({name: ""})]
        if others and not stack.does(behaviors.Trl.TAKES_LAUNCHER_FLAGS):
            text = f"trl: error: unrecognized arguments: --{', --'.join(others)}"
            raise PredictedError("command-refuses-flag", "launch", "SystemExit", text)
        self._check_values()  # its command makes the arguments of the training before it starts the launcher
        self._check_deepspeed_is_there(stack)
        self._check_config(launch, stack)
        self._check_unknown(launch, stack)
        command = launch.arguments[0]
        is_there = _HAS.get(command) if launch.through == self.name else None
        if is_there is not None and not is_there(stack):
            raise Undecided(f"{stack.name('trl')} may have no command {command}", "a newer trl, or another command")
        bf16 = self.get("bf16")
        if bf16 is not None and bf16.origin.flag == "--bf16" and stack.does(behaviors.Trl.BF16_BY_DEFAULT):
            text = "argument --bf16: expected one argument"
            raise PredictedError("flag-without-value", "launch", "SystemExit", text, (bf16,))

    @classmethod
    def instead_of_script(cls, launch: Launch, facts: Facts) -> str | None:
        """`trl sft train.yaml`: what its script does not take is handed on, and the launcher takes it for the script.

        Executed with 0.24.0 and 1.16.0. Where nothing is handed on (see as_released), the file is not read.
        """
        if launch.through != cls.name or not cls._starts_with_flags(launch, facts):
            return None
        option = before = ""
        for word in launch.arguments[1:]:
            is_value = before.startswith("-") and "=" not in before
            option = word if word.startswith("-") else option
            before = word
            if option is word or is_value:
                continue
            if word.endswith(CONFIGURATIONS):
                return word
            name = option.lstrip("-").partition("=")[0].replace("-", "_")
            if name not in _OF_SEVERAL and not _is_open(word) and "$" not in word:
                return word
        return None

    def _check_unknown(self, launch: Launch, stack: Stack) -> None:
        """A key of the file, or a flag, that neither the command's script knows nor the launcher, which refuses it.

        Executed with 0.24.0, 1.9.0 and 1.16.0: "unrecognized arguments: --max_seq_length". One parser of all commands
        takes a key of the file that any of them knows, and says nothing.
        """
        classes = self._classes_of(launch.arguments[0], stack)
        if not classes:
            return
        flags = _unknown_flags(launch, classes, stack, "launch")
        if not self._hands_flags_on(launch, stack.version("trl")):
            return
        from fp8check.rules.releases.training_arguments import unknown  # few runs are by the command

        written = {
            name: setting
            for name, setting in self.top.settings()
            if setting.origin.span is not None and setting.origin.span.file == self.path
        }
        known = {*LAUNCHER_FLAGS, "accelerate_config", "config", "env", "help"}
        takers = classes
        if stack.does(behaviors.Trl.PARSES_FOR_ALL):
            there = [command for command in _CLASSES if command not in _HAS or _HAS[command](stack)]
            takers = tuple({name: None for command in there for name in self._classes_of(command, stack)})
        names = [*unknown(takers, known, written, stack), *unknown(classes, known, flags, stack)]
        if names:
            text = f"unrecognized arguments: --{names[0]}"
            because = tuple(written.get(name) or flags[name] for name in names)
            raise PredictedError("unknown-launcher-flag", "launch", "SystemExit", text, because, flag=names[0])

    @staticmethod
    def _classes_of(command: str, stack: Stack) -> tuple[str, ...]:
        """What the script of a command parses; nothing where that is not known. Before, they had no datasets."""
        classes = _CLASSES.get(command, ())
        return classes if stack.does(behaviors.Trl.ASKS_FOR_DATA) else classes[:-1]

    def _check_module(self, launch: Launch, stack: Stack) -> None:
        """`-m trl.scripts.sft` passes over what it does not know, to 0.29; from 1.0 on it ends at a word, not at a key.

        scripts/*.py: return_remaining_strings of 0.24.0 to 0.29.0, fail_with_unknown_args=False of 1.0.0 to 1.16.0.
        """
        package, _, command = str(launch.script).rpartition(".")
        classes = _CLASSES.get(command) if launch.is_module and package == "trl.scripts" else None
        if classes is None:
            return
        flags = _unknown_flags(launch, classes, stack, "arguments")
        flags.pop("config", None)
        if flags and stack.does(behaviors.Trl.SCRIPTS_REFUSE_WORDS):
            words = [word for flag in flags.values() for word in str(flag.value).split()]
            text = f"Some specified arguments are not used by the HfArgumentParser: {listed(words)}"
            because = tuple(flags.values())
            raise PredictedError("unknown-training-key", "arguments", "ValueError", text, because)

    def check_given(self, stack: Stack, launch: Launch, script: Script) -> None:
        """Its own scripts end without a model and without a dataset (executed with 0.18.2, 0.24.0, 1.9.0, 1.16.0).

        A script that loads the model by itself does so first.
        """
        if any(map(_is_open, _words_of(launch))):
            return
        command = self.own_command(launch)
        if command is None:
            self._check_asked(launch, script)
            return
        because = (Setting(command, Origin(flag=launch.script if launch.is_module else f"{self.name} {command}")),)
        leaves_loading = _LEAVES_LOADING.get(command)
        lacks_model = self._lacks("model_name_or_path")
        if lacks_model and leaves_loading is not None and not leaves_loading(stack):
            text = "None is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'"
            raise PredictedError("trainer-without-model", "trainer", "OSError", text, because)
        if self._lacks("dataset_name") and self._lacks("datasets"):
            asks = stack.does(behaviors.Trl.ASKS_FOR_DATA)
            text = "expected str, bytes or os.PathLike object, not NoneType"
            text = "Either `datasets` or `dataset_name` must be provided." if asks else text
            type_ = "ValueError" if asks else "TypeError"
            raise PredictedError("trainer-without-data", "trainer", type_, text, because)
        if lacks_model:
            refers = command in ("dpo", "kto")
            text = "'NoneType' object has no attribute 'config'"
            text = "`model` and `ref_model` cannot be the same object." if refers else text
            type_ = "ValueError" if refers else "AttributeError"
            raise PredictedError("trainer-without-model", "trainer", type_, text, because)

    def _check_asked(self, launch: Launch, script: Script) -> None:
        """A script that asks ModelConfig and ScriptArguments for what nothing has said: they have no default."""
        asked = script.parsed.asks if launch.given and script.parsed is not None else ()
        lacking = next((name for name in asked if self._lacks(name)), None)
        if lacking is not None:
            raise Undecided(f"what {launch.script} does without a {lacking}", f"--{lacking}")

    def loads_by_its_command(self, launch: Launch) -> bool:
        """See Training."""
        return self.own_command(launch) is not None

    def prepares_reference(self, launch: Launch, script: Script) -> bool:
        """See Training: DPOTrainer and KTOTrainer, which train no adapters, have one beside the model."""
        if self.uses_lora:
            return False
        return self.own_command(launch) in ("dpo", "kto") or any(
            call.name in ("DPOTrainer", "KTOTrainer") for call in script.constructs
        )

    def own_command(self, launch: Launch) -> str | None:
        """The command of which TRL's own script is started: that of `trl sft`, or of `-m trl.scripts.sft`."""
        if launch.through == self.name:
            command = launch.arguments[0] if launch.arguments else ""
        else:
            package, _, command = str(launch.script).rpartition(".")
            command = command if launch.is_module and package == "trl.scripts" else ""
        return command if launch.given and command in _CLASSES else None

    def _lacks(self, name: str) -> bool:
        written = self.get(name)
        return written is None or (not written.is_later and written.value is None)

    @classmethod
    def passed_over(cls, launch: Launch, facts: Facts) -> tuple[str, ...]:
        """See Training: max_seq_length, where its own scripts read the file."""
        known = facts.package(cls.name)
        release = parsed(known) if isinstance(known, str) else None
        by_command = launch.through == cls.name and not cls._starts_with_flags(launch, facts)  # else that refuses it
        its_own = by_command or (launch.is_module and str(launch.script).startswith("trl.scripts."))
        return ("max_seq_length",) if its_own and (release is None or release >= (0, 20)) else ()

    def _check_config(self, launch: Launch, stack: Stack) -> None:
        """Of the file's key and the command's flags the first becomes --config_file; the launcher refuses all others.

        cli/accelerate_config.py of 1.16.0, cli.py of 0.24.0: the flag is looked for as a word of its own.
        """
        written = self.get("accelerate_config")
        if written is not None and not written.is_later and written.value is None:
            text = "Accelerate config None is neither a file nor a valid config in the `trl` package."
            raise PredictedError("accelerate-config-null", "launch", "ValueError", text, (written,))
        if not self._hands_flags_on(launch, stack.version("trl")):
            return
        by_equals = (f"{self.config_flag}=", f"{self.file_flag}=")
        glued = next((word for word in launch.arguments if word.startswith(by_equals)), None)
        if glued is not None:
            if stack.version("trl") >= (1,):  # whose command makes the arguments before it starts the launcher
                self._check_precision(stack, "launch")
            because = (Setting(glued, Origin(flag=glued)),)
            text = f"unrecognized arguments: {glued}"
            raise PredictedError("accelerate-config-by-equals", "launch", "SystemExit", text, because)
        if launch.arguments.count(self.file_flag) > 1:
            named = Setting(self.file_flag, Origin(flag=self.file_flag))
            text = f"unrecognized arguments: {self.file_flag}"
            raise PredictedError("accelerate-config-twice", "launch", "SystemExit", text, (named,))
        if launch.arguments.count(self.config_flag) + (written is not None) > 1:
            named = written or Setting(self.config_flag, Origin(flag=self.config_flag))
            text = f"unrecognized arguments: {self.config_flag}"
            raise PredictedError("accelerate-config-twice", "launch", "SystemExit", text, (named,))

    @classmethod
    def hands_on(cls, name: str) -> bool:
        """See Training."""
        return name in LAUNCHER_FLAGS

    @classmethod
    def _for_launcher(cls, settings: Mapping[str, object]) -> dict[str, object]:
        """The launcher's flags among the flags of a `trl` command, or among the keys of its file."""
        handed = LAUNCHER_FLAGS - _TAKEN_BY_SCRIPTS
        # What neither knows is the launcher's, too, which refuses it: all else may be a key of the script.
        flags = {name: value for name, value in settings.items() if name in handed or name.startswith("fp8")}
        if "accelerate_config" in settings:
            flags["config_file"] = settings["accelerate_config"]
        return flags

    def command(self, config: str, file: str | None, launch: Launch) -> list[str] | None:
        """`trl sft` is accelerate launch; a script of somebody's own is started by that itself."""
        if launch.script not in (None, *self.programs):
            return super().command(config, file, launch)
        words = list(launch.arguments) or ["sft", *(["--config", file] if file else [])]
        while self.config_flag in words:
            at = words.index(self.config_flag)
            del words[at : at + 2]
        words = [word for word in words if not word.startswith(f"{self.config_flag}=")]
        return [self.programs[0], *words, self.config_flag, config]

    @classmethod
    def instead_of_launching(cls, start: str) -> str:
        """See Training."""
        return "trl sft ... --accelerate_config accel.yaml starts accelerate launch by itself"
