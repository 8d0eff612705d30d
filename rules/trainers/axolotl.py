"""Axolotl: its own keys over TrainingArguments, torchao's FP8, and the `axolotl` command."""

from __future__ import annotations

from fp8check.rules.reading.kind import Kind
from fp8check.rules.releases import behaviors
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.readers import STILL
from fp8check.rules.releases.versions import at_least
from fp8check.rules.settings.launch import (
    LAUNCHER_FLAGS,
    SWITCHES,
    Launch,
    Unclear,
)
from fp8check.rules.settings.values import Origin, Setting, is_filled_in
from fp8check.rules.trainers.data import Detection, HandedOver, count, names
from fp8check.rules.trainers.huggingface import ARGUMENTS, HuggingFace, with_precision

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from fp8check.rules.models import ModelShape
    from fp8check.rules.reading.kind import Shape
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.script import Script
    from fp8check.rules.settings.values import Section
    from fp8check.rules.trainers.data import Environment

KEYS = names(
    """
    micro_batch_size sequence_len sample_packing eval_sample_packing pad_to_sequence_len adapter datasets
    test_datasets val_set_size dataset_prepared_path num_epochs lora_r lora_target_linear lora_target_modules
    lr_scheduler optimizer flash_attention load_in_4bit load_in_8bit special_tokens chat_template wandb_project
    plugins rl strict train_on_inputs base_model_config model_type tokenizer_type fsdp_config
    peft_layers_to_transform
    """
)
# utils/schemas/fp8.py, 0.19.0
RECIPES = ("tensorwise", "rowwise", "rowwise_with_gw_hp")
# Options of `axolotl train` that accelerate launch has, too (0.19.0 cli/config_options.py, cli/args.py).
# What pydantic takes for a truth value, in any case.
_TRUTH = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0", "1.0", "0.0"))
_OWN_OPTIONS = names("gradient_accumulation_steps fsdp_version fp8_enable_fsdp_float8_all_gather debug h help")
# What it takes as `--fp8` and `--no-fp8`, without a value: the fields of its schema that are nothing but bool
# (0.19.0 cli/utils/args.py add_options_from_config).
_SWITCHES = names("fp8 fp16 bfloat16 float16 fp8_enable_fsdp_float8_all_gather load_in_8bit load_in_4bit")
# Options by which it starts something else than one training here.
_ELSEWHERE = {
    "sweep": "starts a training for each combination of its file",
    "cloud": "starts the training on machines of a cloud",
    "use_ray": "starts the training through Ray, which is not modeled",
}
# Keys with which a step keeps something else than what is counted, where they are set.
_NOT_COUNTED = names(
    """
    plugins adapter rl reward_model process_reward_model qat quantization unfrozen_parameters relora lisa_n_layers
    activation_offloading layer_offloading selective_checkpointing cut_cross_entropy chunked_cross_entropy fp32_norms
    tiled_mlp use_kernels xformers_attention flex_attention sage_attention eager_attention s2_attention
    flash_attn_cross_entropy flash_attn_rms_norm flash_attn_fuse_mlp flash_attn_fuse_qkv context_parallel_size
    sequence_parallel_degree tensor_parallel_size dp_shard_size dp_replicate_size expert_parallel_size
    model_quantization_config load_in_8bit load_in_4bit embedding_lr embedding_lr_scale loraplus_lr_ratio
    torch_compile_mode
    """
)
# utils/schemas/enums.py LEGACY_ATTN_FLAG_TO_IMPL of 0.17.0 to 0.19.0.
_ATTENTION = (
    *("xformers_attention", "sage_attention", "flex_attention", "flash_attention", "sdp_attention", "eager_attention"),
)
_TELLING = names("sequence_len sample_packing eval_sample_packing lora_target_linear val_set_size")


def _tells(shape: Shape) -> bool:
    if "base_model" in shape:
        return count(shape, KEYS) + count(shape, ARGUMENTS) + ("fp8" in shape) > 0
    return "model_name_or_path" not in shape and count(shape, _TELLING) > 0 and count(shape, KEYS) >= 2


class Axolotl(HuggingFace):
    """A configuration for Axolotl."""

    __slots__ = ()

    name = "axolotl"
    title = "Axolotl"
    detections = (Detection(30, _tells, Kind("training", "axolotl")),)
    shares_keys = True
    own_keys = _TELLING
    telling = _TELLING | {"base_model"}
    known = ARGUMENTS | KEYS
    fp8_keys = dict.fromkeys(("fp8", "fp8_enable_fsdp_float8_all_gather"), (((0,), STILL),)) | {
        "fp8_config": (((0, 19), STILL),)
    }
    unread_key = "axolotl passes over it without a word"
    passes_over_unread_keys = True
    model_key = "base_model"
    micro_batch_key = "micro_batch_size"
    sequence_key = "sequence_len"
    default_micro_batch = 1
    default_sequence = 512
    default_rank = None
    programs = ("axolotl",)
    launching_modules = ("axolotl.cli.main",)
    savers = ("adapter", "fsdp", "fsdp_config", "fsdp_version", "unfrozen_parameters", "load_in_8bit")
    optimizer_key = "optimizer"
    all_linears = ("lora_target_linear", True)

    @property
    def uses_lora(self) -> bool:
        """See Training."""
        return self.value("adapter") in ("lora", "qlora")

    @property
    def adapters(self) -> Setting | None:
        """See Training."""
        return self.get("adapter")

    @property
    def fp8_config(self) -> Section:
        """Its section for torchao's recipe."""
        return self.top.section("fp8_config")

    def bf16(self, stack: Stack) -> Setting:
        """`auto` by default: what torch says of the first GPU; "full" is for evaluation alone.

        utils/schemas/config.py, utils/config/__init__.py resolve_dtype and core/builders/base.py of 0.13.1 to 0.19.0.
        """
        written = self.get("bf16")
        if written is None:
            written = Setting("auto", Origin(default=stack.name("axolotl")))
        if written.is_later:
            return written
        if written.value == "auto":
            return self._automatic_bf16(stack, written)
        if not written.value:
            other = self.flag("bfloat16", stack, "axolotl")
            return other.over(written) if other.value else written._replace(value=False)
        on = written.value != "full" and self._means_yes(written.value)
        return written if written.value is on else written._replace(value=on)

    def _automatic_bf16(self, stack: Stack, auto: Setting) -> Setting:
        if self.flag("fp16", stack, "axolotl").value:
            return Setting(False, Origin(code=f"{stack.name('axolotl')}, as fp16 is on")).over(auto)
        if stack.sees_gpu() is False:  # torch.cuda.is_bf16_supported(): yes for each GPU that it runs on
            return Setting(False, Origin(code=f"{stack.name('axolotl')}, which finds no GPU")).over(auto)
        return auto._replace(value=True)

    def fp16(self, stack: Stack) -> Setting:
        """What stays of it beside bf16; on by itself where bf16 is `auto` and there is no GPU for it."""
        bf16, written = self.get("bf16"), self.get("fp16")
        automatic = bf16 is None or bf16.value == "auto"
        alone = automatic and written is None and stack.sees_gpu() is False
        if alone and not self.flag("float16", stack, "axolotl").value:
            return Setting(True, Origin(code=f"{stack.name('axolotl')}, which finds no GPU"))
        own = self.flag("fp16", stack, "axolotl")
        if own.value and bf16 is not None and bf16.value and not automatic:
            return Setting(False, Origin(code=f"{stack.name('axolotl')}, as bf16 is on")).over(own)
        return own

    def uncounted(self, launch: Launch, script: Script) -> str:
        """See Training: full fine-tuning by its own loss; plug-ins exchange that, and adapters bring kernels."""
        written = next((name for name in sorted(_NOT_COUNTED.intersection(self.top)) if self.value(name)), None)
        if written is not None:
            return f"what {written} makes of a step"
        return (
            self._counts("attn_implementation", None, "sdpa", "flash_attention_2")
            or self._counts("gradient_checkpointing", False, None, True)
            or super().uncounted(launch, script)
        )

    @property
    def wide_ends(self) -> bool:
        """See Training: loaders/model.py _configure_embedding_dtypes of 0.13.1 to 0.19.0."""
        flashes = self.on("flash_attention") or self.value("attn_implementation") not in (None, "sdpa")
        return not (flashes or self.uses_lora or self.asks_for_fsdp)

    def optimizer(self, stack: Stack) -> str | None:
        """See Training: its own default is the fused one (utils/schemas/training.py, 0.13.1 to 0.19.0)."""
        return "adamw_torch_fused" if self.value("optimizer") is None else super().optimizer(stack)

    def weights(self, stack: Stack, model: ModelShape | None) -> Setting | None:
        """It sets torch_dtype by bf16 and fp16, whatever the file says of it (utils/config/__init__.py resolve_dtype).

        Adapters are of another kind than what they stand on: that is no one dtype.
        """
        if self.uses_lora or self.quantized is not None:
            return None
        written, bf16 = self.written_dtype(), self.bf16(stack)
        if bf16.value or self.full_evaluation(stack).value:
            return bf16._replace(value="bfloat16").over(written)
        for half in (self.fp16(stack), self.flag("float16", stack, "axolotl")):
            if half.value:
                return half._replace(value="float16").over(written)
        return Setting("float32", Origin(code=f"{stack.name('axolotl')}, with neither bf16 nor fp16")).over(written)

    def full_evaluation(self, stack: Stack) -> Setting:
        """See HuggingFace: bf16: full."""
        written = self.get("bf16")
        return written._replace(value=written.value == "full") if written is not None else Setting(False)

    @property
    def own_all_gather(self) -> Setting | None:
        """See Training."""
        return self.get("fp8_enable_fsdp_float8_all_gather")

    def fsdp_setting(self, name: str) -> Setting | None:
        """An entry of its fsdp_config, with or without its old prefix."""
        config = self.top.section("fsdp_config")
        return config.get(name) or config.get(f"fsdp_{name}")

    def dequantizes(self, method: str, stack: Stack) -> bool:
        """Where it is told to."""
        return self.get("model_quantization_config") is not None

    def _training_arguments(self, stack: Stack, environment: Environment) -> HandedOver:
        """The variable is what its own keys say, whatever stood there: "no" without bf16 and fp16.

        utils/trainer.py prepare_optim_env, 0.16.1 and 0.19.0.
        """
        code = f"{stack.name('axolotl')} prepare_optim_env, as neither bf16 nor fp16 is on"
        decided = self.precision_flag(stack) or Setting("no", Origin(code=code))
        environment = with_precision(environment, decided)
        return super()._training_arguments(stack, environment)

    def after_arguments(self, stack: Stack, handed: HandedOver) -> Iterator[HandedOver]:
        """utils/trainer.py sets the variable over bf16; the patched Trainer passes an explicit torchao handler."""
        fp8 = self.fp8
        if fp8 is None or not fp8.value:
            return
        reads_config = stack.does(behaviors.Axolotl.READS_FP8_CONFIG)
        requested = Setting("fp8", Origin(span=fp8.origin.span, key_span=fp8.origin.key_span, code="axolotl"))
        gather = self.own_all_gather
        config = {
            "recipe": self.fp8_config.value("recipe", "tensorwise") if reads_config else "tensorwise",
            "pad_inner_dim": False,
            "enable_fsdp_float8_all_gather": gather is not None and bool(gather.value),
        }
        arguments = handed.arguments._replace(
            mixed_precision=requested.over(handed.arguments.mixed_precision),
            handler="AORecipeKwargs",
            handler_arguments={"config": config},
        )
        yield HandedOver(with_precision(handed.environment, requested), arguments)

    def _check_attention(self, stack: Stack) -> None:
        """What computes attention is said once (executed with 0.19.0)."""
        said = self.get("attn_implementation")
        if said is None or said.is_later or not said.value or not stack.does(behaviors.Axolotl.REFUSES_TWO_ATTENTIONS):
            return
        legacy = {name: setting for name in _ATTENTION if (setting := self.switched_on(name)) is not None}
        if legacy:
            names = ", ".join(sorted(legacy))
            text = f"attn_implementation={said.value!r} cannot be combined with legacy attention flags ({names})."
            because = (said, *legacy.values())
            raise PredictedError("settings-not-together", "arguments", "ValidationError", text, because)

    def check_file(self, stack: Stack, environment: Environment) -> None:
        """Its schema, which pydantic validates: every refusal is a ValidationError (utils/schemas/, 0.18.0 and 0.19.0).

        Validators that look at the bare file come first, then the types of values, then what the GPU can.
        """
        reads_config = stack.does(behaviors.Axolotl.READS_FP8_CONFIG)
        self._check_fp8(reads_config=reads_config)
        wrong = self.refused_recipe if reads_config else None
        if wrong is not None:
            text = f"fp8_config: {wrong.value!r} is not permitted"
            raise PredictedError("axolotl-recipe-refused", "arguments", "ValidationError", text, (wrong,))
        self._check_attention(stack)
        self._check_bf16()
        bits = self.switched_on("load_in_8bit") or self.switched_on("load_in_4bit")
        if bits is not None and not self.uses_lora:  # utils/schemas/peft.py validate_adapter
            text = "load_in_8bit and load_in_4bit are not supported without setting an adapter for training."
            raise PredictedError("quantized-without-adapters", "arguments", "ValidationError", text, (bits,))
        fp8 = self.switched_on("fp8")
        if fp8 is not None:
            self._check_gpu(fp8, stack, environment)
        self._check_fsdp()

    def _check_gpu(self, fp8: Setting, stack: Stack, environment: Environment) -> None:
        visible = environment.get("CUDA_VISIBLE_DEVICES")
        capability = stack.capability(None if visible is None else str(visible.value))
        if capability is not None and not at_least(capability, 9):  # cli/config.py compute_supports_fp8
            text = "fp8 requested, but fp8 is not supported on this GPU"
            raise PredictedError("axolotl-refuses-gpu", "arguments", "ValidationError", text, (fp8,))
        if stack.sees_fp8_library() is False:
            text = "fp8 requested, but missing one of ms-amp, transformers-engine or torchao."
            raise PredictedError("axolotl-without-fp8-library", "arguments", "ValidationError", text, (fp8,))

    def check_step(self, stack: Stack) -> None:
        """With fp16 it loads the weights in float16, whose gradients the scaler of Accelerate refuses.

        utils/config/__init__.py sets torch_dtype, 0.16.1 and 0.19.0; executed with 0.19.0. Adapters are in float32,
        and DeepSpeed and FSDP have scalers of their own.
        """
        fp16 = self.fp16(stack)
        sharded = self.deepspeed is not None or self.asks_for_fsdp
        if fp16.value and self.value("adapter") is None and not sharded:
            text = "Attempting to unscale FP16 gradients."
            raise PredictedError("half-precision-gradients", "step", "ValueError", text, (fp16,))

    @property
    def refused_recipe(self) -> Setting | None:
        """What of its fp8_config is no key, no value, or no map (utils/schemas/fp8.py, 0.19.0)."""
        config = self.get("fp8_config")
        if config is None or config.value is None or config.is_later:
            return None
        if not isinstance(config.value, dict):
            return config
        for key, setting in self.fp8_config.settings():
            if (key != "recipe" or setting.value not in RECIPES) and not setting.is_later:
                return setting
        return None

    def _check_bf16(self) -> None:
        """utils/schemas/config.py of 0.12.2 to 0.19.0: "auto" or a truth value; "full" ends it (executed, 0.19.0)."""
        written = self.get("bf16")
        if written is None or written.is_later or written.value in (None, "auto"):
            return
        if str(written.value).lower() not in _TRUTH:
            text = f"bf16.literal['auto'] Input should be 'auto', and no truth value: {written.value}"
            raise PredictedError("value-not-taken", "arguments", "ValidationError", text, (written,), flag="bf16")

    def _check_fsdp(self) -> None:
        """utils/trainer.py setup_fsdp_envs of 0.12.2 to 0.19.0 looks into fsdp_config, however FSDP is asked for."""
        asked = self.switched_on("fsdp")
        if asked is not None and not self.on("fsdp_config"):
            text = "'NoneType' object has no attribute 'activation_checkpointing'"
            raise PredictedError("axolotl-fsdp-without-config", "arguments", "AttributeError", text, (asked,))

    def _check_fp8(self, *, reads_config: bool) -> None:
        """utils/schemas/validation.py check_fp8_config, axolotl 0.19.0; before, fp8_config was no key."""
        fp8, gather, version = self.fp8, self.own_all_gather, self.get("fsdp_version")
        config = self.get("fp8_config") if reads_config else None
        recipe = self.fp8_config.get("recipe") if reads_config else None
        because = (config, fp8, gather, version)
        if config is not None and config.value is not None and (fp8 is None or not fp8.value):
            text = "`fp8_config` requires `fp8: true`; set `fp8: true` or remove `fp8_config`."
            raise PredictedError("fp8-config-without-fp8", "arguments", "ValidationError", text, because)
        if gather is None or not gather.value:
            return
        if recipe is not None and recipe.value != "tensorwise":
            text = "`fp8_enable_fsdp_float8_all_gather` only supports the tensorwise `fp8_config.recipe`"
            raise PredictedError("all-gather-not-tensorwise", "arguments", "ValidationError", text, because)
        if version is None or version.value != 2:
            text = "fp8_enable_fsdp_float8_all_gather requires FSDP2 (fsdp_version: 2) to be used."
            raise PredictedError("all-gather-without-fsdp2", "arguments", "ValidationError", text, because)

    @property
    def asks_for_fsdp(self) -> bool:
        """See HuggingFace."""
        return self.on("fsdp") or self.on("fsdp_config")

    @property
    def loads_shards_itself(self) -> bool:
        """See Training: monkeypatch/accelerate/fsdp2.py of 0.16.1 to 0.19.0, where its own file asks for FSDP."""
        return self.asks_for_fsdp

    def fsdp_arguments(self, stack: Stack) -> tuple[int, Environment]:
        """axolotl writes the variables of FSDP itself (utils/trainer.py setup_fsdp_envs, 0.19.0).

        To load efficiently is off where it does not say so: TrainingArguments get its fsdp_config, and say it.
        """
        config = self.top.section("fsdp_config")
        efficient = self.fsdp_setting("cpu_ram_efficient_loading")
        on = efficient is not None and bool(efficient.value)
        default = Setting("false", Origin(default=stack.name("transformers")))
        loading = efficient._replace(value="true") if efficient is not None and on else default
        variables = {"FSDP_CPU_RAM_EFFICIENT_LOADING": loading}
        classes = self.fsdp_setting("transformer_layer_cls_to_wrap")
        if classes is not None:
            policy = Setting("TRANSFORMER_BASED_WRAP", Origin(default=stack.name("transformers")))
            variables["FSDP_AUTO_WRAP_POLICY"] = self.fsdp_setting("auto_wrap_policy") or policy
            variables["FSDP_TRANSFORMER_CLS_TO_WRAP"] = classes
        version = self.value("fsdp_version", config.value("fsdp_version", config.value("version")))
        return (2 if str(version) == "2" and stack.does(behaviors.Accelerate.HAS_FSDP2) else 1), variables

    def check_distribution(
        self, kind: DistributedType, launch: Launch, config: AccelerateConfig | None, stage: Setting | None
    ) -> None:
        """It hands `fsdp` on to Trainer, and has a configuration of its own for ZeRO-3: `deepspeed` alone.

        core/builders/base.py of 0.12.2 to 0.19.0: training_args_kwargs["fsdp"], True where fsdp_config stands alone.
        loaders/model.py _configure_zero3_memory_efficient_loading of 0.13.1 to 0.19.0 asks for the stage that
        Accelerate was given, and opens the file of `deepspeed` then: None (executed: strategy-axolotl-te-zero3).
        """
        if kind == "DEEPSPEED" and self.deepspeed is None and stage is not None and str(stage.value) == "3":
            text = "stat: path should be string, bytes, os.PathLike or integer, not NoneType"
            raise PredictedError("axolotl-zero3-without-its-file", "arguments", "TypeError", text, (stage,))
        sharded = self.switched_on("fsdp") or self.switched_on("fsdp_config")
        if sharded is not None:
            self._check_sharded(sharded, kind, launch, config)

    def check_wrapped(self, stack: Stack, model: ModelShape | None, *, fsdp2: bool) -> None:
        """It leaves norms and embeddings in float32, but where its own file asks for FSDP, or adapters are trained.

        loaders/model.py _configure_embedding_dtypes of 0.13.1 to 0.19.0 (executed with 0.19.0:
        strategy-axolotl-bf16-fsdp1, -fsdp2).
        """
        if self.asks_for_fsdp or self.uses_lora:
            return
        kept = self.weights(stack, model)
        if kept is None or kept.value not in ("bfloat16", "float16"):
            return
        if fsdp2:
            text = f"FSDP expects uniform original parameter dtype but got {{torch.{kept.value}, torch.float32}}"
            raise PredictedError("axolotl-wraps-two-dtypes", "step", "AssertionError", text, (kept,))
        text = f"Must flatten tensors with uniform dtype but got torch.{kept.value} and torch.float32"
        raise PredictedError("axolotl-wraps-two-dtypes", "prepare", "ValueError", text, (kept,))

    def fsdp_checkpointing(self, stack: Stack, launcher: Setting | None) -> Setting | None:
        """See HuggingFace: it sets the variable that the launcher would (utils/trainer.py setup_fsdp_envs)."""
        own = self.fsdp_setting("activation_checkpointing")
        return own if own is not None and self._means_yes(own.value) else launcher

    def leaves_routers(self, stack: Stack) -> bool:
        """See Training."""
        return stack.does(behaviors.Axolotl.LEAVES_ROUTERS)

    @classmethod
    def over_the_file(cls, words: Sequence[str], own: Collection[str] | None = None) -> dict[str, Setting]:
        """See Training: what stands behind `--` is for the launcher; click takes no beginning of a flag."""
        words = list(words)
        words = words[: words.index("--")] if "--" in words else words
        switched = {f"--{one.replace('_', '-')}": one for one in _SWITCHES}
        found = super().over_the_file([word for word in words if _switch(word) not in switched])
        for word in words:
            if (name := switched.get(_switch(word))) is not None:
                found[name] = Setting(not word.startswith("--no-"), Origin(flag=word))
        return found

    @classmethod
    def launch(cls, program: str, words: Sequence[str]) -> Launch:
        """`axolotl train FILE --launcher accelerate -- FLAGS`; accelerate is the default (0.19.0 cli/main.py).

        Options that are none of its own reach the launcher as well (ignore_unknown_options).
        """
        from fp8check.rules.settings.command import (  # few checks are given a command
            TORCHRUN_SWITCHES,
            flags_among,
            not_told_to_train,
            with_flags,
        )

        if words and words[0] != "train":
            raise not_told_to_train(program, words[0], ("train",))
        words = list(words)
        end = words.index("--") if "--" in words else len(words)
        valued = next(
            (word for word in words[:end] if word[2:].partition("=")[0].replace("-", "_") in _SWITCHES and "=" in word),
            "",
        )
        if valued:
            raise Unclear(f"axolotl train takes no value behind {valued.partition('=')[0]}, and ends there")
        own = flags_among(words[:end])
        for name, what in _ELSEWHERE.items():
            if name in own:
                raise Unclear(f"axolotl train --{name} {what}")
        tool = str(own.get("launcher", "accelerate"))
        if is_filled_in(tool):
            raise Unclear(f"what {tool} stands for is not known: the launcher of axolotl")
        if tool == "python":
            return Launch("python", {}, program, tuple(words), through=cls.name)
        if tool not in ("accelerate", "torchrun"):
            raise Unclear(f"axolotl has no launcher {tool}: there are accelerate, torchrun and python")
        switches = SWITCHES if tool == "accelerate" else TORCHRUN_SWITCHES
        flags = dict(with_flags(tool, [*words[end + 1 :], program], switches=switches).flags)
        if tool == "accelerate":
            handed_on = LAUNCHER_FLAGS - _OWN_OPTIONS
            flags = {name: value for name, value in own.items() if name in handed_on} | flags
        return Launch(tool, flags, program, tuple(words), through=cls.name)

    @classmethod
    def usual(cls, launch: Launch) -> Launch:
        """`axolotl train` is accelerate launch, which starts a process on each GPU."""
        return launch if launch.given else launch._replace(tool="accelerate", through=cls.name)

    def command(self, config: str, file: str | None, launch: Launch) -> list[str] | None:
        """`axolotl train` is accelerate launch; what stands behind `--` is for it."""
        if launch.given and launch.script not in (None, *self.programs):
            return super().command(config, file, launch)
        words = list(launch.arguments) or ["train", *([file] if file else [])]
        if "--" in words:
            return None
        return [self.programs[0], *words, "--", "--config_file", config]

    @classmethod
    def instead_of_launching(cls, start: str) -> str:
        """See Training."""
        return "axolotl train cfg.yaml -- --config_file accel.yaml starts accelerate launch by itself"

    @classmethod
    def sample(cls, *, bf16: bool, checkpointing: bool, lora: bool) -> dict[str, object] | None:
        """Its FP8 is torchao's alone: no table of backends."""
        return None


def _switch(word: str) -> str:
    """A word as the flag that it sets or unsets."""
    return f"--{word[5:]}" if word.startswith("--no-") else word
