"""What transformers' TrainingArguments and Trainer do, for every trainer that is built on them."""

from __future__ import annotations

from fp8check.rules.releases import behaviors
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.versions import at_least, parsed
from fp8check.rules.settings.script import AFTERWARD, WRITTEN_OUT, Unevaluated
from fp8check.rules.settings.script import ARGUMENTS as CLASSES
from fp8check.rules.settings.values import Origin, Setting, Undecided
from fp8check.rules.trainers.data import AcceleratorArguments, HandedOver, is_no_argument, listed, names
from fp8check.rules.trainers.training import Training

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.models import ModelShape
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.deepspeed import DeepSpeedConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.script import Parsed, Script
    from fp8check.rules.settings.values import Section
    from fp8check.rules.trainers.data import Environment, Started

# Keys of TrainingArguments that are not words of everyday configuration.
ARGUMENTS = names(
    """
    model_name_or_path output_dir overwrite_output_dir do_train do_eval do_predict per_device_train_batch_size
    per_device_eval_batch_size gradient_accumulation_steps gradient_checkpointing learning_rate num_train_epochs
    activation_checkpointing
    max_steps lr_scheduler_type warmup_ratio warmup_steps weight_decay max_grad_norm bf16 fp16 tf32 bf16_full_eval
    fp16_full_eval fp16_opt_level half_precision_backend logging_steps logging_strategy logging_dir save_steps
    save_strategy save_total_limit save_only_model eval_strategy evaluation_strategy eval_steps report_to run_name
    optim optim_args adam_beta1 adam_beta2 adam_epsilon deepspeed fsdp fsdp_config torch_compile
    torch_compile_backend ddp_backend ddp_timeout ddp_find_unused_parameters dataloader_num_workers dataloader_drop_last
    dataloader_pin_memory group_by_length remove_unused_columns resume_from_checkpoint push_to_hub hub_model_id
    use_liger_kernel accelerator_config parallelism_config auto_find_batch_size neftune_noise_alpha
    load_best_model_at_end metric_for_best_model include_num_input_tokens_seen
    """
)
# Of TrainingArguments, too, the second until 5.0; the first is a word of Accelerate files as well, and tells none.
OFF_GPUS = names("use_cpu no_cuda")
# And these, by which no file is told; refused_values.py looks at what stands behind them.
LESS_USUAL = names(
    """
    dataloader_multiprocessing_context dataloader_persistent_workers dataloader_prefetch_factor debug eval_on_start
    gradient_checkpointing_kwargs label_smoothing_factor log_level log_level_replica lr_scheduler_kwargs seed
    torch_empty_cache_steps
    """
)
# One of these alone says that a small file is for a trainer.
TELLING = names("bf16 fp16 fp8 tf32 per_device_train_batch_size gradient_accumulation_steps")

# Keys with which a step keeps something else than what is counted, where they are set.
_NOT_COUNTED = names(
    """
    auto_find_batch_size use_dora modules_to_save additional_target use_unsloth
    use_unsloth_gc use_kt use_llama_pro mixture_of_depths shift_attn use_galore use_badam use_apollo use_adam_mini
    use_muon quantization_bit load_in_4bit load_in_8bit pref_loss ref_model reward_model create_new_adapter
    """
)

# Optimizers that keep two states of the weights' own type.
_ADAMW = ("adamw_torch", "adamw_torch_fused")


# Names of quantization methods in a config.json whose weights are FP8 already.
FP8_METHODS = ("fp8", "fbgemm_fp8")
# One that no release of transformers knows: from_pretrained() passes over quantization_config and takes the numbers.
PASSED_OVER = "modelopt"


class HuggingFace(Training):
    """A configuration that ends in transformers' TrainingArguments and Trainer.

    Attributes:
        savers: keys that make less of the weights, of the optimizer's states, or of what of them lies on one GPU; empty
            where a script decides that.
        optimizer_key: its key for the optimizer.
    """

    __slots__ = ()

    is_huggingface = True
    known = ARGUMENTS | OFF_GPUS | LESS_USUAL
    unread_key = "HfArgumentParser raises ValueError: some keys are not used"
    model_key = "model_name_or_path"
    micro_batch_key = "per_device_train_batch_size"
    deepspeed_key = "deepspeed"
    fsdp_key = "fsdp_config"
    file_keys = ("accelerator_config",)
    default_micro_batch = 8
    savers: tuple[str, ...] = ()
    optimizer_key = "optim"

    @property
    def trains_all(self) -> bool:
        """See Training."""
        if not self.savers or any(self.on(name) for name in self.savers):
            return False
        return self.value(self.optimizer_key, "adamw_torch") in _ADAMW

    def uncounted(self, launch: Launch, script: Script) -> str:
        """See Training. DoRA, modules_to_save and such train what is not counted."""
        written = next((name for name in sorted(_NOT_COUNTED.intersection(self.top)) if self.value(name)), None)
        if written is None and "liger_kernel_config" in self.top:
            written = "liger_kernel_config"
        return f"what {written} makes of a step" if written is not None else ""

    def _counts(self, name: str, *values: object) -> str:
        """What is not counted of a key that has another value than these; see uncounted."""
        value = self.value(name, values[0])
        return "" if value in values else f"what a step keeps with {name}: {value}"

    def optimizer(self, stack: Stack) -> str | None:
        """See Training: the fused one where nobody says (training_args.py default_optim).

        Raises:
            Undecided: it is filled in later.
        """
        written = self.get(self.optimizer_key)
        if written is not None and (written.is_later or written.value is not None):
            return str(written.value)
        fused = stack.does(behaviors.Transformers.FUSED_BY_DEFAULT) and at_least(stack.version("torch"), 2, 8)
        return "adamw_torch_fused" if fused else "adamw_torch"

    @property
    def compiled(self) -> Setting | None:
        """TrainingArguments take a backend or a mode for torch_compile: true (training_args.py)."""
        settings = map(self.switched_on, ("torch_compile", "torch_compile_backend", "torch_compile_mode"))
        return next((setting for setting in settings if setting is not None), None)

    @property
    def compile_backend(self) -> Setting | None:
        """TrainingArguments.torch_compile_backend, which goes into ACCELERATE_DYNAMO_BACKEND."""
        return self.get("torch_compile_backend")

    @property
    def adapters(self) -> Setting | None:
        """See Training."""
        return self.get("use_peft")

    def bf16(self, stack: Stack) -> Setting:
        """TrainingArguments.bf16."""
        return self.flag("bf16", stack, "transformers")

    def fp16(self, stack: Stack) -> Setting:
        """TrainingArguments.fp16."""
        return self.flag("fp16", stack, "transformers")

    def full_evaluation(self, stack: Stack) -> Setting:
        """TrainingArguments.bf16_full_eval, which counts for DeepSpeed's bf16, too (integrations/deepspeed.py)."""
        return self.flag("bf16_full_eval", stack, "transformers")

    def precision_flag(self, stack: Stack) -> Setting | None:
        """The bf16 or fp16 flag that decides TrainingArguments' precision."""
        for name, flag in (("fp16", self.fp16(stack)), ("bf16", self.bf16(stack))):
            if flag.value:
                return flag._replace(value=name)
        return None

    def check_packages(self, stack: Stack, environment: Environment, *, by_itself: bool) -> None:
        """TrainingArguments of transformers 5 want accelerate 1.1 (utils/import_utils.py ACCELERATE_MIN_VERSION)."""
        accelerate, transformers = parsed(stack.known("accelerate")), parsed(stack.known("transformers"))
        if accelerate is None or transformers is None or at_least(accelerate, 1, 1):
            return
        if stack.does(behaviors.Transformers.ARGUMENTS_WANT_ACCELERATE_1_1):
            self.rest_on()
            text = "Using the `Trainer` with `PyTorch` requires `accelerate>=1.1.0`"
            raise PredictedError("accelerate-too-old", "arguments", "ImportError", text)

    def hand_over(self, stack: Stack, environment: Environment, script: Script) -> Iterator[HandedOver]:
        """TrainingArguments first, then what the trainer does before Trainer.__init__."""
        environment = script.over(environment)
        self.check_file(stack, environment)
        _check_arguments(script, stack)
        self._check_values()
        handed = self._training_arguments(stack, environment)
        if script.parsed is not None:
            self._check_parser(script.parsed, stack)
        yield handed
        _check_constructed(script, stack)
        yield from self.after_arguments(stack, handed)

    def check_file(self, stack: Stack, environment: Environment) -> None:
        """What the trainer refuses of its file before it makes TrainingArguments.

        HfArgumentParser takes no flag that none of its classes has (parse_args_into_dataclasses; executed with
        transformers 4.57.1 and 5.23.0), and no class a keyword that it does not have.

        Raises:
            PredictedError: it refuses.
        """
        never = [(name, setting) for name, setting in self.top.settings() if is_no_argument(name)]
        for name, setting in never:
            if setting.origin.code in CLASSES:
                text = f"{setting.origin.code}.__init__() got an unexpected keyword argument '{name}'"
                raise PredictedError("unknown-training-key", "arguments", "TypeError", text, (setting,), flag=name)
        refused = [setting for _, setting in never if setting.origin.flag is not None]
        if refused:
            flags = [word for setting in refused for word in str(setting.origin.flag).split()]
            text = f"Some specified arguments are not used by the HfArgumentParser: {listed(flags)}"
            raise PredictedError("unknown-training-key", "arguments", "ValueError", text, tuple(refused))

    def _check_values(self) -> None:
        """What TrainingArguments are given and do not take: no choice of theirs, no number.

        A flag is refused by argparse, what a file says by TrainingArguments.__post_init__ (executed with 4.57.1 and
        5.23.0), which makes no number of a text: FP908. axolotl has names of its own.

        Raises:
            PredictedError: it is refused.
        """
        flags = [
            (name, setting)
            for name, setting in self.top.settings()
            if not setting.is_later and setting.origin.flag is not None and setting.origin.flag.startswith("--")
        ]
        if flags:
            from fp8check.rules.releases.argument_values import refused_word  # most runs have their arguments in a file

            for name, setting in flags:
                text = refused_word(name, str(setting.origin.flag))
                if text:
                    raise PredictedError("value-not-taken", "arguments", "SystemExit", text, (setting,), flag=name)
        given = self.get("accelerator_config")
        if given is not None and not given.is_later:
            _check_accelerator_config(given)
        for name, setting in self.top.settings(CHOSEN if self.name != "axolotl" else ()):
            by_flag = setting.origin.flag is not None and setting.origin.flag.startswith("--")
            if not by_flag and _is_no_choice(name, setting):
                self.rest_on()
                raise _no_choice(name, setting)

    @property
    def off_gpus(self) -> Setting | None:
        """See Training."""
        switches = (self.switched_on(name) for name in sorted(OFF_GPUS))
        return next((switch for switch in switches if switch is not None), None)

    def _check_parser(self, parsed: Parsed, stack: Stack) -> None:
        """What the script's parser ends at, once it has made its classes (executed with 4.57.1 and 5.23.0).

        transformers hf_argparser.py parse_args_into_dataclasses and parse_dict, TRL scripts/utils.py
        parse_args_and_config.
        """
        if parsed.word:
            text = f"Some specified arguments are not used by the HfArgumentParser: ['{parsed.word}']"
            word = Setting(parsed.word, Origin(flag=parsed.word))
            raise PredictedError("unknown-training-key", "arguments", "ValueError", text, (word,))
        self._check_flags(parsed, stack)
        if not parsed.strict:
            return
        from fp8check.rules.releases.training_arguments import unknown

        written = {
            name: setting
            for name, setting in self.top.settings()
            if setting.origin.span is not None
            and setting.origin.span.file == self.path
            and (name, parsed.parser) != ("env", "TrlParser")
        }
        names = unknown(parsed.classes, parsed.own, written, stack)
        if names:
            text = f"Some keys are not used by the HfArgumentParser: {listed(sorted(names))}"
            if parsed.parser == "TrlParser":
                text = f"Unknown arguments from config file: {listed([f'--{name}' for name in names])}"
            because = tuple(written[name] for name in names)
            raise PredictedError("unknown-training-key", "arguments", "ValueError", text, because)

    @staticmethod
    def _check_flags(parsed: Parsed, stack: Stack) -> None:
        """A flag that none of the classes has, and that is not the beginning of one that they have; or is of several.

        TrlParser looks for --config before argparse does, and for no beginning of it.
        """
        if not parsed.flags:
            return
        from fp8check.rules.releases.training_arguments import FIELDS, Spelled, ambiguous, unknown

        if any(name not in FIELDS for name in parsed.classes):
            return
        spelled = Spelled(parsed.classes, parsed.own, stack)
        meant = {flag: spelled.meant(flag) for _, flag in parsed.flags}
        several = next((flag for flag, flags in meant.items() if len(flags) > 1), None)
        if several is not None:
            place, text = Setting(several, Origin(flag=several)), ambiguous(several, meant[several])
            choices = tuple(meant[several])
            raise PredictedError(
                "ambiguous-flag", "arguments", "SystemExit", text, (place,), flag=several, choices=choices
            )
        strange = {name: flag for name, flag in parsed.flags if not meant[flag] and name != "config"}
        names = unknown(parsed.classes, parsed.own, strange, stack)
        if names:
            words = listed([strange[name] for name in names])
            text = f"Some specified arguments are not used by the HfArgumentParser: {words}"
            because = tuple(Setting(strange[name], Origin(flag=strange[name])) for name in names)
            raise PredictedError("unknown-training-key", "arguments", "ValueError", text, because)

    def after_arguments(self, stack: Stack, handed: HandedOver) -> Iterator[HandedOver]:
        """What the trainer changes once it has its TrainingArguments, as far as it comes.

        Raises:
            PredictedError: it ends there.
        """
        yield handed

    def _check_precision(self, stack: Stack, stage: Stage = "arguments") -> None:
        fp16, bf16 = self.fp16(stack), self.bf16(stack)
        if fp16.value and bf16.value:
            text = "At most one of fp16 and bf16 can be True, but not both"
            raise PredictedError("fp16-and-bf16", stage, "ValueError", text, (fp16, bf16))

    def _training_arguments(self, stack: Stack, environment: Environment) -> HandedOver:
        self._check_precision(stack)
        self._check_deepspeed_is_there(stack)
        before = environment.get("ACCELERATE_MIXED_PRECISION")
        flag = self.precision_flag(stack)
        if flag is not None and before is not None and before.value == "fp8":
            self.rest_on(flag)
        decided = flag or before or Setting("no", Origin(default=stack.name("transformers")))
        if stack.does(behaviors.Transformers.ARGUMENTS_REWRITE_ENVIRONMENT):
            return HandedOver(with_precision(environment, decided))
        argument = decided.over(before) if decided is not before else decided
        return HandedOver(environment, AcceleratorArguments(argument))

    def _check_deepspeed_is_there(self, stack: Stack) -> None:
        """HfDeepSpeedConfig asks for its release (integrations/deepspeed.py dep_version_check, 4.57.1 and 5.23.0)."""
        if self.deepspeed is not None and stack.has("deepspeed") is False:
            text = "The 'deepspeed>=0.9.3' distribution was not found and is required by this application."
            because = (self.deepspeed,)
            raise PredictedError("trainer-without-deepspeed", "arguments", "PackageNotFoundError", text, because)

    def distribute(self, stack: Stack, started: Started) -> Started:
        """`fsdp` and `deepspeed` of TrainingArguments count on top of the launcher's.

        FSDP only where the launcher set the variables of a distributed process (AcceleratorState: MULTI_*).
        """
        if self.deepspeed is not None:
            return started._replace(kind="DEEPSPEED", fsdp_version=None, unknown=None)
        if started.unknown is not None and self.asks_for_fsdp:
            raise started.unknown
        several = started.kind == "MULTI_GPU" or started.kind == "FSDP"  # noqa: PLR1714  mypy knows these words
        if started.kind == "MULTI_GPU" and not self.asks_for_fsdp and self.off_gpus is not None:
            return started._replace(kind="MULTI_CPU")  # PartialState(cpu=True)
        if not several or not self.asks_for_fsdp:
            return started
        version, variables = self.fsdp_arguments(stack)
        if started.kind == "FSDP" and not stack.does(behaviors.Transformers.FSDP2_BY_DEFAULT):
            version = started.fsdp_version or version  # of its variable: they set none
        return started._replace(kind="FSDP", fsdp_version=version, environment={**started.environment, **variables})

    @property
    def asks_for_fsdp(self) -> bool:
        """Whether the training file itself asks for FSDP."""
        return self.on("fsdp")

    def fsdp_arguments(self, stack: Stack) -> tuple[int, Environment]:
        """The version of FSDP that the training file asks for, and the variables that are set for it."""
        config = self.top.section("fsdp_config")
        efficient = config.get("cpu_ram_efficient_loading") or config.get("fsdp_cpu_ram_efficient_loading")
        default = Setting("false", Origin(default=stack.name("transformers")))
        chosen = efficient._replace(value=str(efficient.value).lower()) if efficient is not None else default
        variables = {"FSDP_CPU_RAM_EFFICIENT_LOADING": chosen}
        variables |= self._units_of(config, stack)
        written = config.value("version", config.value("fsdp_version"))
        if written is None:
            return (2 if stack.does(behaviors.Transformers.FSDP2_BY_DEFAULT) else 1), variables
        return (2 if str(written) == "2" else 1), variables

    def _units_of(self, config: Section, stack: Stack) -> Environment:
        """What FSDP takes for one unit, as TrainingArguments hand it to its plugin (_process_fsdp_args)."""
        fsdp = self.get("fsdp")
        options = fsdp.value if fsdp is not None and isinstance(fsdp.value, (str, list)) else ()
        options = options.split() if isinstance(options, str) else [str(one) for one in options]
        said = config.get("auto_wrap_policy") or config.get("fsdp_auto_wrap_policy")
        classes = config.get("transformer_layer_cls_to_wrap") or config.get("fsdp_transformer_layer_cls_to_wrap")
        renewed = stack.does(behaviors.Transformers.FSDP2_BY_DEFAULT)
        if said is None or not renewed:
            default = "TRANSFORMER_BASED_WRAP" if renewed or "auto_wrap" in options else "NO_WRAP"
            said = Setting(default, Origin(default=stack.name("transformers")))
        if classes is None:
            return {"FSDP_AUTO_WRAP_POLICY": said}
        named = ",".join(map(str, classes.value)) if isinstance(classes.value, list) else str(classes.value)
        return {"FSDP_AUTO_WRAP_POLICY": said, "FSDP_TRANSFORMER_CLS_TO_WRAP": classes._replace(value=named)}

    def check_distribution(
        self, kind: DistributedType, launch: Launch, config: AccelerateConfig | None, stage: Setting | None
    ) -> None:
        """Trainer wants a distributed process for `fsdp` (trainer.py __init__, ParallelMode, 4.45 to 5.23)."""
        fsdp = self.switched_on("fsdp")
        if fsdp is not None:
            self._check_sharded(fsdp, kind, launch, config)

    def _check_sharded(
        self, fsdp: Setting, kind: DistributedType, launch: Launch, config: AccelerateConfig | None
    ) -> None:
        """What Trainer says of `fsdp`. Of no distribution only where a command is given, or a file that names one."""
        by_launcher = config.distributed_type if config is not None and kind == "DEEPSPEED" else None
        if self.deepspeed is not None or kind == "DEEPSPEED":  # is_deepspeed_enabled: by either way
            text = "Using --fsdp xxx together with --deepspeed is not possible, deactivate one of those flags."
            raise PredictedError(
                "fsdp-with-deepspeed", "trainer", "ValueError", text, (fsdp, self.deepspeed or by_launcher)
            )
        if kind == "NO" and (launch.given or (launch.tool == "accelerate" and config is not None)):
            text = "Using fsdp only works in distributed training."
            because = (fsdp, config.distributed_type if config is not None else None)
            raise PredictedError("fsdp-not-distributed", "trainer", "ValueError", text, because)

    def checkpointing(self, stack: Stack) -> Setting | None:
        """See Training: from transformers 5.23 on it has a new name, which counts where it is set."""
        changed = self._set_afterward("checkpointing", stack)
        if changed is not None:
            return changed if changed.value else None
        written = self.get("activation_checkpointing")
        has = written is not None and written.value is not None
        if has and stack.does(behaviors.Transformers.HAS_ACTIVATION_CHECKPOINTING):
            return self.switched_on("activation_checkpointing")
        return super().checkpointing(stack)

    def reentrant(self, stack: Stack) -> bool | None:
        """See Training."""
        changed = self._set_afterward("checkpointing_kwargs", stack)
        way = changed.value.get("use_reentrant") if changed is not None and isinstance(changed.value, dict) else None
        return way if isinstance(way, bool) and self.checkpointing(stack) is not None else super().reentrant(stack)

    def _set_afterward(self, what: str, stack: Stack) -> Setting | None:
        """What a script sets of its arguments once they are made, by the name at which these releases look again.

        Executed with 4.57.1, and with 5.23.0, which takes no notice of the old name then.
        """
        is_new = stack.does(behaviors.Transformers.HAS_ACTIVATION_CHECKPOINTING)
        return self.get(f"{AFTERWARD}{'activation' if is_new else 'gradient'}_{what}")

    def check_fsdp(self, stack: Stack, launcher: Setting | None) -> None:
        """Trainer refuses both kinds of checkpointing at once (trainer.py, 4.45 to 5.23; executed with 5.23.0)."""
        layers, own = self.checkpointing_argument(stack), self.fsdp_checkpointing(stack, launcher)
        if layers is None or own is None:
            return
        text = (
            "The activation_checkpointing in FSDP config and the gradient_checkpointing in training arg can't be set "
            "to True simultaneously."
        )
        self.rest_on(layers)
        raise PredictedError("checkpointing-twice", "trainer", "ValueError", text, (layers, own))

    def checkpointing_argument(self, stack: Stack) -> Setting | None:
        """What sets TrainingArguments.gradient_checkpointing; None where it is off."""
        return self.checkpointing(stack)

    def fsdp_checkpointing(self, stack: Stack, launcher: Setting | None) -> Setting | None:
        """What switches FSDP's own activation checkpointing on: its fsdp_config, or the launcher; None where it is off.

        To transformers 5.9 the entry counts whoever asked for FSDP; from 5.10 on only where `fsdp` does (trainer.py).
        """
        config = self.top.section("fsdp_config")
        own = config.get("activation_checkpointing") or config.get("fsdp_activation_checkpointing")
        counts = self.asks_for_fsdp or stack.does(behaviors.Transformers.FSDP_CONFIG_OVER_LAUNCHER)
        if own is None or not counts:
            return launcher
        return own if self._means_yes(own.value) else None

    def check_model(self, stack: Stack, model: ModelShape | None) -> None:
        """Trainer.__init__ of 4.57 and 5.x: quantized weights do not train, and adapters on some kinds of them neither.

        Whether a script of somebody's own puts adapters on is not known; on weights in FP8 they do not help before
        transformers 5.22, where they are taken to be absent if the file does not name them.
        """
        method, written = (model.quantization if model is not None else None), self.quantized
        if method == PASSED_OVER:
            return
        if (method is None and written is None) or (method is not None and self.dequantizes(method, stack)):
            return
        because = (written if written is not None else self.setting_for("model"),)
        fp8 = method in FP8_METHODS
        if not self.uses_lora and (fp8 or not self.batches_by_script):
            if not fp8:  # adapters may be put on by a script of somebody's own
                self.rest_on(written, self.get("use_peft"))
            text = "You cannot perform fine-tuning on purely quantized models. Please attach trainable adapters"
            raise PredictedError("quantized-without-adapters", "trainer", "ValueError", text, because)
        if fp8 and not (method == "fp8" and stack.does(behaviors.Transformers.ADAPTERS_ON_FP8_CHECKPOINTS)):
            text = f"The model is quantized with {method} but that quantization method do not support training."
            raise PredictedError("quantization-not-trainable", "trainer", "ValueError", text, because)

    def check_deepspeed(
        self, stack: Stack, kind: DistributedType, environment: Environment, deepspeed: DeepSpeedConfig | None
    ) -> None:
        """Trainer compares DeepSpeed's configuration with TrainingArguments when train() begins."""
        if kind != "DEEPSPEED":
            return
        fp16, bf16 = self.fp16(stack), self.bf16(stack)
        half = bool(bf16.value or self.full_evaluation(stack).value)
        if self.deepspeed is not None:
            flags = ("bf16", bf16, half), ("fp16", fp16, bool(fp16.value or self.top.value("fp16_full_eval")))
            for name, flag, on in flags:
                written = deepspeed.enabled(name) if deepspeed is not None else None
                # "auto" is filled with the flag; what is not said is not compared.
                if written is not None and isinstance(written.value, bool) and written.value != on:
                    self._contradicted(name, written.value, flag, (written, self.deepspeed))
        elif not fp16.value:  # with fp16 it is DeepSpeed's fp16 that is compared, and agrees
            # DeepSpeedPlugin of the launcher: fp8 fills bf16.enabled, which TrainingArguments then does not match.
            precision = environment.get("ACCELERATE_MIXED_PRECISION")
            if precision is not None and precision.value in ("fp8", "bf16") and not half:
                because = (precision, bf16 if bf16.origin.span is not None else None)
                self._contradicted("bf16", True, bf16, because)

    def _contradicted(self, name: str, written: bool, flag: Setting, because: tuple[Setting | None, ...]) -> None:
        self.rest_on(flag, self.deepspeed)
        text = (
            "Please correct the following DeepSpeed config values that mismatch TrainingArguments values:\n"
            f"- ds {name}.enabled={written} vs hf {name}|{name}_full_eval={not written}"
        )
        raise PredictedError("deepspeed-bf16-mismatch", "step", "ValueError", text, because)

    @classmethod
    def sample(cls, *, bf16: bool, checkpointing: bool, lora: bool) -> dict[str, object] | None:
        """See Training."""
        return {
            "bf16": bf16,
            "gradient_checkpointing": checkpointing,
            **({"use_peft": True, "lora_r": 16} if lora else {}),
        }


def with_precision(environment: Environment, decided: Setting) -> Environment:
    """The variables with that precision over the one that stands there."""
    before = environment.get("ACCELERATE_MIXED_PRECISION")
    if decided is before:
        return environment
    return {**environment, "ACCELERATE_MIXED_PRECISION": decided.over(before)}


# The fields of transformers' AcceleratorConfig, 4.45.2 to 5.24.0 (trainer_pt_utils.py).
_OF_ACCELERATOR_CONFIG = frozenset(
    [
        *("split_batches", "dispatch_batches", "even_batches", "use_seedable_sampler", "non_blocking"),
        *("gradient_accumulation_kwargs", "use_configured_state"),
    ]
)


# What is one of a few words, and what is refused where it is none: nearly every file has one of these.
CHOSEN = ("eval_strategy", "logging_strategy", "save_strategy", "hub_strategy", "lr_scheduler_type", "optim")


def _is_no_choice(name: str, setting: Setting) -> bool:
    from fp8check.rules.releases.argument_values import CHOICES  # as few files as may be

    return not setting.is_later and setting.value not in CHOICES[name].values


def _no_choice(name: str, setting: Setting) -> PredictedError:
    from fp8check.rules.releases.argument_values import CHOICES

    text = f"{setting.value} is not a valid {CHOICES[name].kind}"
    return PredictedError("value-not-taken", "arguments", "ValueError", text, (setting,), flag=name)


def _check_constructed(script: Script, stack: Stack) -> None:
    """A script that makes a Trainer by a keyword that its class has no more, or not yet.

    Executed with transformers 4.57.1 and 5.23.0, TRL 0.24.0 and 1.16.0.

    Raises:
        PredictedError: it does.
        Undecided: it may.
    """
    if not script.constructs:
        return
    from fp8check.rules.releases.trainer_keywords import is_absent  # most runs have no script

    for call in script.constructs:
        absent = [name for name in call.keywords if name != "**" and is_absent(call.name, name, stack)]
        if not absent or call.retried:
            continue
        name = absent[0]
        if call.may_do_without(name):
            raise Undecided(
                f"{call.span.file}:{call.span.line} may give {call.name} {name}, which it does not have", WRITTEN_OUT
            )
        text = f"{call.name}.__init__() got an unexpected keyword argument '{name}'"
        place = call.keywords[name]._replace(origin=call.keywords[name].origin._replace(code=call.name))
        raise PredictedError("unknown-training-key", "trainer", "TypeError", text, (place,), flag=name)


def _check_arguments(script: Script, stack: Stack) -> None:
    """A script that makes a Trainer's arguments by a keyword that the class has no more, not yet, or another one has.

    Raises:
        PredictedError: it does.
        Undecided: it may.
    """
    if not script.arguments:
        return
    from fp8check.rules.releases.training_arguments import has_not  # most runs have no script

    may_end: list[str] = []
    for call in script.arguments:
        if call.retried:
            continue
        for name, setting in call.keywords.items():
            gone = has_not(call.name, name, stack)
            if call.may_do_without(name):
                may_end.extend(
                    [f"{call.span.file}:{call.span.line} may give {call.name} {name}"]
                    if gone or is_no_argument(name)
                    else []
                )
            elif gone:
                place = setting._replace(origin=setting.origin._replace(code=call.name))
                text = f"{call.name}.__init__() got an unexpected keyword argument '{name}'"
                raise PredictedError("unknown-training-key", "arguments", "TypeError", text, (place,), flag=name)
        for name, setting in call.keywords.items():  # the class looks at them once it has them all
            if name not in CHOSEN or isinstance(setting.value, Unevaluated) or call.may_do_without(name):
                continue
            if _is_no_choice(name, setting):
                raise _no_choice(name, setting)
        given = call.keywords.get("accelerator_config")
        if given is not None:
            _check_accelerator_config(given)
    if may_end:
        raise Undecided(f"{may_end[0]}, which it does not have", WRITTEN_OUT)


def _check_accelerator_config(given: Setting) -> None:
    """What of TrainingArguments.accelerator_config is no argument of AcceleratorConfig, as mixed_precision is none.

    Raises:
        PredictedError: something is none.
    """
    for name in given.value if isinstance(given.value, dict) else ():
        if name not in _OF_ACCELERATOR_CONFIG:
            text = f"AcceleratorConfig.__init__() got an unexpected keyword argument '{name}'"
            raise PredictedError("unknown-training-key", "arguments", "TypeError", text, (given,))
