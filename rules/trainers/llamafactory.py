"""LLaMA-Factory: its argument classes over TrainingArguments, its own FP8, and `llamafactory-cli`."""

from __future__ import annotations

from fp8check.rules.reading.kind import Kind
from fp8check.rules.record import Record
from fp8check.rules.releases import behaviors
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.readers import OF_ACCELERATE, STILL
from fp8check.rules.releases.versions import at_least, parsed
from fp8check.rules.settings.launch import Launch
from fp8check.rules.settings.values import Origin, Setting, Undecided, is_filled_in
from fp8check.rules.trainers.data import Detection, HandedOver, Tokens, count, exact, listed, names, varying
from fp8check.rules.trainers.huggingface import ARGUMENTS, LESS_USUAL, OFF_GPUS, HuggingFace, with_precision
from fp8check.rules.trainers.training import number_of
from fp8check.rules.trainers.transformers import dtype_of_checkpoint
from fp8check.rules.trainers.trl import KEYS as OF_TRL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from fp8check.rules.facts import Gpu
    from fp8check.rules.models import ModelShape
    from fp8check.rules.reading.kind import Shape
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.releases.versions import Version
    from fp8check.rules.settings.script import Script
    from fp8check.rules.trainers.data import Environment
    from fp8check.rules.trainers.training import Size

# Keys of LLaMA-Factory's own argument classes (hparams/*.py) that no other trainer here has.
KEYS = names(
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
_TELLING = names(
    """
    finetuning_type cutoff_len infer_backend plot_loss neat_packing pure_bf16 fp8_backend
    fp8_enable_fsdp_float8_all_gather quantization_bit overwrite_cache export_legacy_format
    """
)
# Many a script has arguments of these names.
_OF_SCRIPTS = names("lora_rank lora_alpha lora_dropout lora_target preprocessing_num_workers use_unsloth")
_KEYS_OF_V1 = names(
    """
    train_dataset eval_dataset dist_config kernel_config peft_config quant_config init_config optim_config
    model_class sample_backend batching_strategy
    """
)

# What each of its releases takes of other packages, both ends included (extras/misc.py check_dependencies).
# What it takes of TRL for its stage ppo (train/ppo/trainer.py of 0.9.4 and 0.9.5), whatever DISABLE_VERSION_CHECK says.
PPO_TRL = ((0, 8, 6), (0, 9, 6))
VERSION_RANGES = {
    "0.9.3": {
        "transformers": ((4, 45, 0), (4, 52, 4)),
        "accelerate": ((0, 34, 0), (1, 7, 0)),
        "peft": ((0, 14, 0), (0, 15, 2)),
        "trl": PPO_TRL,
    },
    "0.9.4": {
        "transformers": ((4, 51, 0), (4, 57, 1)),
        "accelerate": ((1, 3, 0), (1, 11, 0)),
        "peft": ((0, 14, 0), (0, 17, 1)),
        "trl": ((0, 18, 0), (0, 24, 0)),
    },
    "0.9.5": {
        "transformers": ((4, 55, 0), (5, 6, 0)),
        "accelerate": ((1, 3, 0), (1, 15, 0)),
        "peft": ((0, 18, 0), (0, 20, 0)),
        "trl": ((0, 18, 0), (0, 24, 0)),
    },
}
RECIPE = {"fp8_format": "HYBRID", "amax_history_len": 16, "amax_compute_algo": "max"}
PADS_TO = 8  # train/sft/workflow.py pad_to_multiple_of
# Keys by which a file for Megatron is told.
_OF_MEGATRON = ("tensor_model_parallel_size", "pipeline_model_parallel_size", "expert_model_parallel_size")
_YES = ("true", "y", "1")


def _tells(shape: Shape) -> bool:
    own, shared = count(shape, KEYS), count(shape, ARGUMENTS)
    known = count(shape, _TELLING) > 0 or ("model_name_or_path" in shape and own > count(shape, _OF_SCRIPTS))
    return own > count(shape, OF_TRL) and (known or ("fp8" in shape and own + shared >= 2))


def _tells_v1(shape: Shape) -> bool:
    return shape.get("model") == "scalar" and count(shape, _KEYS_OF_V1) > 0


# Variables by which another engine reads the file (cli.py, hparams/parser.py, hparams/training_args.py of 0.9.5 and of
# the main branch in November 2026).
_ENGINES = {"USE_V1": "its v1 engine", "USE_MCA": "Megatron-Core", "USE_MEGATRON_BRIDGE": "Megatron-Bridge"}
# Without one of these no arguments of it are refused together (factory_arguments.py).
_TOGETHER = names(
    """
    use_galore use_apollo use_badam use_llama_pro pissa_init loraplus_lr_ratio use_rslora use_dora dpo_label_smoothing
    val_size streaming mask_history train_on_prompt predict_with_generate neat_packing do_predict do_eval eval_strategy
    evaluation_strategy load_best_model_at_end adapter_name_or_path quantization_bit
    """
)


class RefusedPackage(Record):
    """A package that LLaMA-Factory does not take, and the releases that it takes, both ends included."""

    package: str
    version: str
    oldest: Version
    newest: Version

    @property
    def range(self) -> str:
        """As pip writes it: ">=4.55.0,<=5.6.0"."""
        return f">={'.'.join(map(str, self.oldest))},<={'.'.join(map(str, self.newest))}"


class LlamaFactory(HuggingFace):
    """A configuration for LLaMA-Factory.

    Attributes:
        version_ranges: which releases of other packages each of its releases takes, both ends included.
    """

    __slots__ = ()

    name = "llamafactory"
    title = "LLaMA-Factory"
    # 0.9.4 and newer, and its v1, load their files with OmegaConf (hparams/parser.py).
    loader = "omegaconf"
    detections = (
        Detection(40, _tells_v1, Kind("training", "llamafactory-v1", loader)),
        Detection(60, _tells, Kind("training", "llamafactory", loader)),
    )
    loads_in_shards = True  # hparams/parser.py before model/loader.py; executed: docs/evidence/beyond-cpu.jsonl
    shares_keys = True
    own_keys = _TELLING
    telling = _TELLING | _KEYS_OF_V1 | {"model_name_or_path", "fp8"}
    known = ARGUMENTS | OFF_GPUS | LESS_USUAL | KEYS
    fp8_keys = dict.fromkeys(("fp8", "fp8_backend", "fp8_enable_fsdp_float8_all_gather"), (((0, 9, 4), STILL),))
    sequence_key = "cutoff_len"
    default_sequence = 2048  # hparams/data_args.py@0.9.5
    rank_key = "lora_rank"
    default_rank = 8
    targets_key = "lora_target"
    all_linears = ("lora_target", "all")
    programs = ("llamafactory-cli", "lmf")
    meets_early = True
    launching_modules = ("llamafactory.cli",)
    launched_alone = "-m llamafactory.launcher trains by itself, without a launcher of its own"
    pads_to = PADS_TO
    keeps_text = True
    brings_recipe = True
    te_by = "fp8_backend: te"
    torchao_by = "fp8_backend: torchao"
    checkpoints_by_itself = True
    checkpointing_off = ("disable_gradient_checkpointing", True)
    shards_from_cpu = False  # seen on two H200s with 0.9.5: docs/evidence/advised.jsonl, lora-fsdp2-lf
    pins_old_peft = True  # 0.9.5 pins peft to 0.18
    version_ranges = VERSION_RANGES
    savers = ("use_galore", "use_badam", "use_apollo", "use_adam_mini", "use_muon", "use_kt", "quantization_bit")

    @property
    def uses_lora(self) -> bool:
        """See Training."""
        return self.value("finetuning_type", "lora") in ("lora", "oft")

    @property
    def adapters(self) -> Setting | None:
        """See Training."""
        return self.get("finetuning_type")

    def uncounted(self, launch: Launch, script: Script) -> str:
        """See Training: its stages beside pre-training and SFT have other losses, and models beside the one."""
        return (
            self._counts("stage", "sft", "pt")
            or self._counts("finetuning_type", "lora", "full")
            or self._counts("flash_attn", "auto", "sdpa", "fa2")
            or super().uncounted(launch, script)
        )

    @property
    def trains_all(self) -> bool:
        """See Training."""
        return super().trains_all and self.value("finetuning_type") == "full"

    @property
    def uses_megatron(self) -> bool:
        """Where USE_MCA hands the file to Megatron (hparams/)."""
        return any(name in self.top for name in _OF_MEGATRON)

    @property
    def liger(self) -> Setting | None:
        """See Training."""
        return self.get("enable_liger_kernel")

    @property
    def packs(self) -> bool:
        """See Training: neat_packing switches packing on (hparams/data_args.py)."""
        return self.on("neat_packing") or self.on("packing")

    def size(self, what: Size) -> Setting | None:
        """Packing takes one token off cutoff_len (hparams/data_args.py of 0.9.3 to 0.9.5; not yet in 0.9.2).

        The packing of sft puts it back: data/processor/supervised.py pads to cutoff_len + 1.
        """
        written = super().size(what)
        length = number_of(written)
        if what != "sequence" or length is None or not self.packs or self._stage == "sft":
            return written
        return Setting(length - 1, Origin(code="llamafactory data_args.py: packing takes one token off")).over(written)

    @property
    def _stage(self) -> object:
        return self.value("stage", "sft")

    def _count_tokens(self) -> Tokens | None:
        """data/processor/supervised.py and pretrain.py, hparams/data_args.py and parser.py of 0.9.3 to 0.9.5.

        What makes the batches is known of the stages pt and sft.
        """
        batch, sequence = self.micro_batch, self.sequence
        if batch is None or sequence is None:
            return None
        stage, packing, packs = self._stage, self.get("packing"), self.packs
        rows, batches = self.setting_for("sequence"), self.setting_for("micro_batch")
        if stage == "sft":
            if packs:
                row = -(-sequence // PADS_TO) * PADS_TO
                return exact(batch, row, f"packed into {row:,} tokens each", rows)
            return varying(batch, PADS_TO, f"padded to the longest of the batch, and to {PADS_TO}", batches)
        if stage != "pt":
            return None
        if packs:
            return exact(batch, sequence, f"cut into blocks of {sequence:,}: packing takes one token off", rows)
        if packing is None or packing.value is None:
            return exact(batch, sequence, f"cut into blocks of {sequence:,} tokens", rows)
        return varying(batch, 1, "padded to the longest of the batch", batches)

    def late_fp8(self, stack: Stack) -> Setting | None:
        """Its stages pt and sft configure FP8 after TrainingArguments and before Trainer.__init__ (fp8_utils.py)."""
        if self._stage not in ("pt", "sft") or not stack.does(behaviors.LlamaFactory.CONFIGURES_FP8):
            return None
        return self.switched_on("fp8")

    def refuses_quantized(self, stack: Stack) -> str:
        """See Training."""
        if self.late_fp8(stack) is None:
            return ""
        return "LLaMA-Factory raises ValueError: FP8 training is not compatible with quantization"

    def dequantizes(self, method: str, stack: Stack) -> bool:
        """model/model_utils/quantization.py, from 0.9.4 on."""
        return method in ("fp8", "mxfp4") and stack.does(behaviors.LlamaFactory.DEQUANTIZES)

    def weights(self, stack: Stack, model: ModelShape | None) -> Setting | None:
        """LLaMA-Factory casts what full fine-tuning trains to float32, but for pure_bf16 and BAdam (model/adapter.py).

        That is 0.9.3 to 0.9.5. What it does not cast stays as loaded: as config.json names it from 0.9.4 on, before in
        the precision of the run. Frozen layers and trained ones are of two kinds: that is no one dtype.
        """
        if not self.uses_lora and not self.on("pure_bf16") and not self.on("use_badam"):
            full = self.value("finetuning_type") == "full"
            cast = Setting("float32", Origin(code=f"{stack.name('llamafactory')} model/adapter.py"))
            return cast if full else None
        if stack.does(behaviors.LlamaFactory.LOADS_CHECKPOINT_DTYPE):
            return dtype_of_checkpoint(model)
        for key, dtype in (("bf16", "bfloat16"), ("pure_bf16", "bfloat16"), ("fp16", "float16")):
            written = self.switched_on(key)
            if written is not None:
                return written._replace(value=dtype)
        return None

    def checkpointing(self, stack: Stack) -> Setting | None:
        """Switched on by itself unless `disable_gradient_checkpointing` is set, by Trainer where the other key says so.

        model/model_utils/checkpointing.py@0.9.5; what Trainer does was executed with 0.9.4 and 0.9.5.
        """
        if self.on("disable_gradient_checkpointing"):
            return self.switched_on("gradient_checkpointing")
        written = self.get("gradient_checkpointing")
        own = Setting(True, Origin(code="llamafactory, which switches gradient checkpointing on by itself"))
        return written if written is not None and written.value else own.over(written)

    def checkpointing_argument(self, stack: Stack) -> Setting | None:
        """See HuggingFace: what it switches on by itself is no argument (model/model_utils/checkpointing.py)."""
        return self.switched_on("gradient_checkpointing")

    def reentrant(self, stack: Stack) -> bool | None:
        """`use_reentrant_gc`, true by default (hparams/model_args.py@0.9.5); where Trainer alone does it, its kind."""
        if self.on("disable_gradient_checkpointing"):
            return super().reentrant(stack)
        return None if self.checkpointing(stack) is None else bool(self.value("use_reentrant_gc", True))

    def refused_packages(self, stack: Stack) -> Iterator[RefusedPackage]:
        """The packages whose releases it does not take (extras/misc.py check_dependencies)."""
        for package, (oldest, newest) in self.version_ranges.get(str(stack.known(self.name)), {}).items():
            version = parsed(stack.known(package))
            if version is not None and not (at_least(version, *oldest) and at_least(newest, *version)):
                yield RefusedPackage(package, str(stack.known(package)), oldest, newest)

    def check_packages(self, stack: Stack, environment: Environment, *, by_itself: bool) -> None:
        """extras/misc.py, when hparams/parser.py is imported: before anything else."""
        refused = next(self.refused_packages(stack), None) if by_itself else None
        if refused is not None and not self.checks_switched_off(stack, environment):
            self.rest_on()
            text = f"{refused.package}{refused.range} is required, but found {refused.package}=={refused.version}."
            raise PredictedError("llamafactory-refuses-version", "arguments", "ImportError", text)
        super().check_packages(stack, environment, by_itself=by_itself)

    def checks_switched_off(self, stack: Stack, environment: Environment) -> bool:
        """Whether DISABLE_VERSION_CHECK says so.

        Raises:
            Undecided: the variables are not known.
        """
        written = environment.get("DISABLE_VERSION_CHECK")
        if written is None and not stack.knows_variables:
            raise Undecided("whether DISABLE_VERSION_CHECK is set", "variables")
        return written is not None and str(written.value).lower() in _YES

    def check_file(self, stack: Stack, environment: Environment) -> None:
        """Its parser refuses unknown keys; and FP8 together with quantization."""
        for variable, engine in _ENGINES.items():
            switch = environment.get(variable)
            if switch is not None and str(switch.value).lower() in _YES:
                what = f"{variable}={switch.value} hands the file to {engine}, which is not modeled"
                raise Undecided(what, f"the run without {variable}")
        if (
            (self.path or "").endswith(".json")
            and stack.has(self.name)
            and stack.does(behaviors.LlamaFactory.FAILS_ON_JSON)
        ):
            self.rest_on()
            text = "'PosixPath' object has no attribute 'read'"  # executed with 0.9.5: it wants YAML
            raise PredictedError("json-never-read", "arguments", "AttributeError", text)
        may_refuse = not _TOGETHER.isdisjoint(self.top)
        if may_refuse:
            from fp8check.rules.trainers import factory_arguments  # most files have none of these

            factory_arguments.check_classes(self)
        unknown = [name for name in self.top if self._is_unknown(name, stack) and not self.uses_megatron]
        unknown += [name for name, setting in self.top.settings() if name not in self.known and _is_bare(name, setting)]
        allowed = environment.get("ALLOW_EXTRA_ARGS")
        if unknown and (allowed is None or str(allowed.value).lower() not in _YES):
            text = f"Some keys are not used by the HfArgumentParser: {listed(sorted(unknown))}"
            because = tuple(self.get(name) for name in unknown)
            raise PredictedError("unknown-training-key", "arguments", "ValueError", text, because)
        if may_refuse:
            factory_arguments.check_arguments(self, stack)
        fp8, bits = self.switched_on("fp8"), self.get("quantization_bit")
        if fp8 is not None and bits is not None and bits.value is not None:
            text = "FP8 training is not compatible with quantization. Please disable one of them."
            raise PredictedError("fp8-with-quantization", "arguments", "ValueError", text, (fp8, bits))
        if may_refuse:
            factory_arguments.check_model(self)

    def _is_unknown(self, name: str, stack: Stack) -> bool:
        """Whether a key has to do with FP8, and this LLaMA-Factory does not know it."""
        if name in self.fp8_keys:
            return not stack.does(behaviors.LlamaFactory.KNOWS_FP8)
        return _is_of_fp8(name)

    def after_arguments(self, stack: Stack, handed: HandedOver) -> Iterator[HandedOver]:
        """train/fp8_utils.py, which runs after TrainingArguments and before Trainer.__init__."""
        self._check_ppo(stack)
        fp8 = self.late_fp8(stack)
        if fp8 is None:
            return
        code = f"{stack.name('llamafactory')} fp8_utils"
        requested = Setting("fp8", Origin(span=fp8.origin.span, key_span=fp8.origin.key_span, code=code))
        handed = handed._replace(environment=with_precision(handed.environment, requested))
        yield handed
        backend = self.get("fp8_backend")
        if backend is None or backend.value != "te":
            return
        if stack.has("transformer_engine") is False:
            text = "No module named 'transformer_engine'"
            raise PredictedError("stub-without-te", "trainer", "ModuleNotFoundError", text, (backend,))
        arguments = handed.arguments._replace(te_stubbed=True)
        if not stack.does(behaviors.Transformers.TRAINER_PASSES_HANDLERS):  # else the patch steps aside: there is one
            old = stack.does(behaviors.Accelerate.ONE_RECIPE_CLASS)
            arguments = arguments._replace(
                handler="FP8RecipeKwargs" if old else "TERecipeKwargs",
                handler_arguments={**RECIPE, **({"backend": "TE"} if old else {})},
                mixed_precision=requested.over(arguments.mixed_precision),
            )
        yield handed._replace(arguments=arguments)

    def check_alone(self) -> None:
        """See Training: hparams/parser.py of 0.9.3 to 0.9.5 (executed with 0.9.5: strategy-lf-te-zero2-one)."""
        text = "Please use `FORCE_TORCHRUN=1` to launch DeepSpeed training."
        raise PredictedError("llamafactory-deepspeed-alone", "trainer", "ValueError", text, (self.deepspeed,))

    def _check_ppo(self, stack: Stack) -> None:
        """Its PPOTrainer is made of one that TRL no longer has (train/ppo/trainer.py of 0.9.4 and 0.9.5)."""
        version = parsed(stack.known("trl"))
        if self.value("stage") != "ppo" or version is None:
            return
        oldest, newest = PPO_TRL
        if not (at_least(version, *oldest) and at_least(newest, *version)):
            text = f"trl>=0.8.6,<=0.9.6 is required, but found trl=={stack.known('trl')}."
            stage = self.get("stage")
            raise PredictedError("ppo-wants-old-trl", "trainer", "ImportError", text, (stage,))

    def check_step(self, stack: Stack) -> None:
        """Its checkpointing wants a method of the layer; transformers 5.23 hands it a plain function.

        Executed: llamafactory 0.9.5 with transformers 5.23.0 (its own check allows 5.6.0 at most); the text is absent
        from modeling_layers.py of 5.22.0. Settings without a finetuning_type are no whole file, and left alone.
        """
        checkpointing = self.checkpointing(stack)
        if checkpointing is None or "finetuning_type" not in self.top:
            return
        if stack.has("transformers") and stack.does(behaviors.Transformers.CHECKPOINTS_PLAIN_FUNCTION):
            text = "'function' object has no attribute '__self__'"
            raise PredictedError("checkpointing-plain-function", "step", "AttributeError", text, (checkpointing,))

    def check_replicated(self, stack: Stack) -> None:
        """Its reward models go through each layer twice, and DDP takes no parameter of reentrant checkpointing twice.

        Executed with 0.9.3, 0.9.4 and 0.9.5 on two ranks (asked-rm-full-*); with adapters, without checkpointing, and
        with the other kind of it the step goes on.
        """
        checkpointing = self.checkpointing(stack)
        full = self.value("finetuning_type") == "full" and self.value("stage") == "rm"
        if full and checkpointing is not None and self.reentrant(stack):
            text = "Expected to mark a variable ready only once."
            because = (self.get("stage"), checkpointing)
            raise PredictedError("rewards-checkpointed-under-ddp", "step", "RuntimeError", text, because)

    @classmethod
    def over_the_file(cls, words: Sequence[str], own: Collection[str] | None = None) -> dict[str, Setting]:
        """`key=value` behind a file; `--key value` where there is none (hparams/parser.py read_args).

        It reads one file. OmegaConf.from_cli makes a key of another one's name, up to its dot (executed with 0.9.3 to
        0.9.5); and a key of FP8 that it does not have ends the run there as it does in the file.
        """
        from fp8check.rules.trainers.arguments import assigned, options, settings

        words = words[1:] if "train" in words[:1] else words
        if not words or not words[0].endswith(_FILES):
            return settings(options(words), cls.known, own)
        given = [*assigned(words)]
        given += [(_key_of(word), "null", word) for word in words[1:] if _is_no_entry(word)]
        never = [name for name, _, word in given if _is_of_fp8(name) or _is_no_entry(word)]
        return settings(given, cls.known.union(never))

    @classmethod
    def launch(cls, program: str, words: Sequence[str]) -> Launch:
        """Its command is a Python program, which may start torchrun (see spawns)."""
        from fp8check.rules.settings.command import not_told_to_train  # few checks are given a command

        if words and words[0] != "train":
            raise not_told_to_train(program, words[0], ("train",))
        return Launch("python", {}, program, tuple(words))

    @property
    def _lacks_dataset(self) -> bool:
        dataset = self.get("dataset")
        return dataset is None or (not dataset.is_later and dataset.value is None)

    def check_given(self, stack: Stack, launch: Launch, script: Script) -> None:
        """A flag that is the beginning of several ends its parser, and so does training without a dataset.

        Executed with 0.9.3 and 0.9.5; hparams/parser.py of 0.9.3 to 0.9.5 asks for the dataset.
        """
        trains = self.switched_on("do_train")
        if launch.given and trains is not None and launch.script is not None and self._lacks_dataset:
            self.rest_on()  # a script of somebody's own names its data itself
            text = "Please specify dataset for training."
            raise PredictedError("dataset-not-named", "arguments", "ValueError", text, (trains,))
        words = launch.arguments[1:] if "train" in launch.arguments[:1] else launch.arguments
        if not words or words[0].endswith(_FILES):
            return
        from fp8check.rules.releases.training_arguments import Spelled, ambiguous  # most runs have a file
        from fp8check.rules.trainers.arguments import options

        spelled = Spelled(("Seq2SeqTrainingArguments",), self.known - self.fp8_keys.keys(), stack)
        for _, _, word in options(words):
            flag = word.split()[0].partition("=")[0]
            meant = spelled.meant(flag)
            if len(meant) > 1:
                place = Setting(word, Origin(flag=word))
                text = ambiguous(flag, meant)
                because, choices = (place,), tuple(meant)
                raise PredictedError(
                    "ambiguous-flag", "arguments", "SystemExit", text, because, flag=flag, choices=choices
                )

    @classmethod
    def usual(cls, launch: Launch) -> Launch:
        """`llamafactory-cli train`, which starts torchrun where there are several GPUs."""
        return launch if launch.given or launch.tool != "python" else launch._replace(script=cls.programs[0])

    @classmethod
    def spawns(cls, variables: Mapping[str, str], gpus: Sequence[Gpu] | None) -> bool | None:
        """launcher.py: FORCE_TORCHRUN, or more than one GPU."""
        if variables.get("FORCE_TORCHRUN", "0").lower() in _YES:
            return True
        return None if gpus is None else len(gpus) > 1

    def newest_taken(self, stack: Stack, package: str) -> Version | None:
        """See Training (extras/misc.py check_dependencies)."""
        if package == self.name:
            return None
        ranges = self.version_ranges.get(str(stack.known(self.name) or stack.name(self.name).rpartition(" ")[2]), {})
        return ranges[package][1] if package in ranges else None

    def command(self, config: str, file: str | None, launch: Launch) -> list[str] | None:
        """Its own command starts torchrun; the module behind it is what a launcher starts."""
        if launch.given and launch.script not in (None, *self.programs, "llamafactory.launcher", "llamafactory.cli"):
            return super().command(config, file, launch)
        words = [word for word in launch.arguments if word != "train"] or ([file] if file else [])
        return ["accelerate", "launch", "--config_file", config, "-m", "llamafactory.launcher", *words]

    @classmethod
    def instead_of_launching(cls, start: str) -> str:
        """See Training."""
        return f"it is started by {start} ... -m llamafactory.launcher cfg.yaml"

    @classmethod
    def sample(cls, *, bf16: bool, checkpointing: bool, lora: bool) -> dict[str, object] | None:
        """See Training."""
        return {
            "bf16": bf16,
            "finetuning_type": "lora" if lora else "full",
            "disable_gradient_checkpointing": not checkpointing,
            "lora_rank": 16,
        }


_FILES = (".yaml", ".yml", ".json")


def _is_no_entry(word: str) -> bool:
    """Whether a word behind the file is no `key=value` of it: another file, a flag, or the value behind one."""
    return bool(word) and (word.startswith("-") or "=" not in word) and not is_filled_in(word)


def _is_bare(name: str, setting: Setting) -> bool:
    """Whether it stands for such a word."""
    flag = setting.origin.flag or ""
    return _is_no_entry(flag) and _key_of(flag) == name


def _key_of(word: str) -> str:
    """What OmegaConf.from_cli() makes a key of: the word up to its dot, or up to its equals sign."""
    return word.partition("=")[0].partition(".")[0]


def _is_of_fp8(name: str) -> bool:
    return name in OF_ACCELERATE or name.startswith("fp8")
