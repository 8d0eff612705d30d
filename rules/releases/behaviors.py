"""What changed between releases, as data: every version bound of the model, each with its evidence.

A behavior holds from `since` to before `until`. The evidence names the file and symbol in the released wheel; the
functions were compared over accelerate 0.34.0, 1.0.1, 1.3.0, 1.4.0, 1.5.2, 1.6.0, 1.7.0, 1.8.0, 1.8.1, 1.9.0 to 1.15.0
and executed by tests/conformance on the stacks named there. tests/outcome/test_releases.py has a run for each.
"""

from __future__ import annotations

from fp8check.rules.record import Record

_ALWAYS: tuple[int, ...] = (0,)
_STILL: tuple[int, ...] = (9999,)


class Behavior(Record):
    """What a package does in the releases since <= release < until, and only there."""

    package: str
    since: tuple[int, ...]
    until: tuple[int, ...]
    evidence: str


class Accelerate:
    """What some releases of Accelerate do, and others do not."""

    # commands/launch.py and utils/launch.py
    LAUNCHER_COPIES_FP8_CONFIG = Behavior("accelerate", (1, 4), _STILL, "commands/launch.py _validate_launch_command")
    FP8_CONFIG_BEATS_FLAGS = Behavior(
        "accelerate", (1, 4), (1, 5), "commands/launch.py _validate_launch_command: plain setattr"
    )
    CONFIG_BEATS_FLAGS = Behavior("accelerate", _ALWAYS, (1, 5), "commands/launch.py _validate_launch_command: setattr")
    LAUNCHER_DEFAULTS_TO_E4M3 = Behavior("accelerate", _ALWAYS, (1, 8, 1), "commands/launch.py --fp8_format default")
    LAUNCHER_OFFERS_E5M2 = Behavior("accelerate", (1, 8, 1), _STILL, "commands/launch.py --fp8_format choices")
    LAUNCHER_OFFERS_AO = Behavior("accelerate", (1, 13), _STILL, "commands/launch.py --fp8_backend choices")
    LAUNCHER_EXPORTS_OVERRIDE_WHOLE = Behavior("accelerate", _ALWAYS, (1, 4), "utils/launch.py setup_fp8_env")
    LAUNCHER_STRIPS_OVERRIDE = Behavior(
        "accelerate", (1, 4), (1, 5), "utils/launch.py setup_fp8_env: value.strip('()')"
    )
    LAUNCHER_EXPORTS_OVERRIDE_RAW = Behavior("accelerate", (1, 5), (1, 9), "utils/launch.py setup_fp8_env: no str()")
    FSDP2_EMPTIES_OPTIMIZER_BEFORE_TE = Behavior(
        "accelerate", (1, 6), (1, 8), "accelerator.py prepare, _prepare_te: mapping[p]"
    )
    FSDP2_READS_TORCHAO_CONFIG = Behavior(
        "accelerate", (1, 8), _STILL, "accelerator.py _prepare_ao: ao_recipe_handler.config"
    )
    PREFIXES_DYNAMO = Behavior("accelerate", (1, 14), _STILL, "commands/launch.py: key = 'dynamo_' + key")
    HAS_FSDP2 = Behavior("accelerate", (1, 6), _STILL, "commands/launch.py --fsdp_version")
    # utils/imports.py
    TORCHAO_COUNTS_AS_FP8_LIBRARY = Behavior("accelerate", (1, 4), _STILL, "utils/imports.py is_fp8_available")
    # state.py
    COUNTS_BY_SIZE_ALONE = Behavior("accelerate", _ALWAYS, (1, 13), "state.py _prepare_backend: WORLD_SIZE above 1")
    CAPABILITY_NEEDS_GPU = Behavior("accelerate", _ALWAYS, (1, 5), "utils/environment.py check_fp8_capability")
    DEEPSPEED_KEEPS_FP8 = Behavior("accelerate", (1, 11), _STILL, "state.py AcceleratorState.__init__")
    # accelerator.py
    ONE_RECIPE_CLASS = Behavior(
        "accelerate", _ALWAYS, (1, 4), "utils/dataclasses.py FP8RecipeKwargs; accelerator.py __init__"
    )
    AUTOMATIC_HANDLER_NOT_COUNTED = Behavior(
        "accelerate", (1, 4), (1, 8), "accelerator.py __init__: has_fp8_handler stays False"
    )
    HAS_FP8_ENABLED = Behavior("accelerate", (1, 8), _STILL, "accelerator.py __init__")
    HANDLER_NEEDS_ARGUMENT = Behavior("accelerate", (1, 4), (1, 9), "accelerator.py __init__: mixed_precision != 'fp8'")
    TORCHAO_NEEDS_FSDP = Behavior("accelerate", (1, 8), (1, 9), "accelerator.py __init__: self.state.fsdp_plugin")
    TORCHAO_REFUSES_RAM_EFFICIENT_LOADING = Behavior("accelerate", (1, 8), _STILL, "accelerator.py __init__")
    BACKEND_FROM_ENVIRONMENT = Behavior("accelerate", (1, 9), _STILL, "accelerator.py fp8_backend, FP8BackendType")
    MEGATRON_SKIPS_CONVERSION = Behavior("accelerate", (1, 13), _STILL, "accelerator.py prepare")
    TAKES_PARALLELISM_CONFIG = Behavior("accelerate", (1, 10), _STILL, "accelerator.py __init__: parallelism_config")
    TAKES_LOADER_KEYWORDS = Behavior("accelerate", _ALWAYS, (1,), "accelerator.py __init__: dispatch_batches")
    # utils/dataclasses.py
    RECIPE_ACCEPTS_E5M2 = Behavior("accelerate", (1, 8, 1), _STILL, "utils/dataclasses.py FP8Format")
    RECIPE_READS_MXFP8 = Behavior("accelerate", (1, 11), _STILL, "utils/dataclasses.py TERecipeKwargs")
    TORCHAO_RECIPE_HAS_CONFIG = Behavior(
        "accelerate",
        (1, 13),
        _STILL,
        "utils/dataclasses.py AORecipeKwargs.__post_init__; commands/launch.py --fp8_pad_inner_dim",
    )
    # utils/transformer_engine.py and utils/ao.py
    MXFP8_CHECK_BY_ATTRIBUTE = Behavior(
        "accelerate", (1, 11), (1, 13), "utils/transformer_engine.py: te.fp8.check_mxfp8_support"
    )
    MXFP8_CHECK_BY_IMPORT = Behavior(
        "accelerate", (1, 13), _STILL, "utils/transformer_engine.py: from transformer_engine.pytorch.fp8"
    )
    IMPORTS_TORCHAO = Behavior(
        "accelerate", (1, 4), (1, 7), "utils/ao.py, where torchao is installed: at the top of the module"
    )
    TORCHAO_FILTER_BROKEN = Behavior(
        "accelerate", (1, 4), (1, 6), "utils/ao.py: filter_linear_layers(first_layer_name=...)"
    )
    # utils/fsdp_utils.py
    FSDP2_LEAVES_WEIGHTS = Behavior(
        "accelerate", (1, 13), (1, 14), "utils/fsdp_utils.py fsdp2_prepare_model: param = param.to(torch.float32)"
    )


class Transformers:
    """What some releases of transformers do, and others do not."""

    ARGUMENTS_REWRITE_ENVIRONMENT = Behavior("transformers", _ALWAYS, (5,), "training_args.py __post_init__")
    TRAINER_PASSES_MIXED_PRECISION = Behavior(
        "transformers", (5,), _STILL, "trainer.py create_accelerator_and_postprocess"
    )
    ARGUMENTS_WANT_ACCELERATE_1_1 = Behavior(
        "transformers", (5,), _STILL, "utils/import_utils.py ACCELERATE_MIN_VERSION"
    )
    # trainer.py of 4.45.2, 4.49.0, 4.52.4, 4.53.3, 4.54.0, 4.55.0, 4.56.0, 4.57.1 and 5.0.0 to 5.24.0 compared
    PREPARES_OPTIMIZER_ALONE = Behavior(
        "transformers", (4, 57), _STILL, "trainer.py: accelerator.prepare(self.optimizer), where the model is wrapped"
    )
    TRAINER_PASSES_HANDLERS = Behavior(
        "transformers", (5, 3), _STILL, "trainer.py _build_accelerator_args: kwargs_handlers"
    )
    FSDP_PREPARES_FP8_TOGETHER = Behavior(
        "transformers", (4, 47), (5, 3), "trainer.py: accelerator.mixed_precision != 'fp8'"
    )
    FSDP_PREPARES_ONE_ALONE = Behavior(
        "transformers", (4, 53), (4, 54), "trainer.py: if delay_optimizer_creation, prepare() of one of the two"
    )
    # trainer.py of 4.45.2, 4.46.0, 4.49.0, 4.52.4, 4.57.1, 5.0.0, 5.2.0, 5.16.1 and 5.24.0 compared
    WANTS_EVALUATED = Behavior("transformers", (4, 46), _STILL, "trainer.py: eval_strategy, and eval_dataset is None")
    LOADS_CHECKPOINT_DTYPE = Behavior(
        "transformers", (5,), _STILL, "modeling_utils.py from_pretrained: dtype is None -> auto"
    )
    FUSED_BY_DEFAULT = Behavior("transformers", (4, 54), _STILL, "training_args.py default_optim, with torch 2.8")
    WANTS_BITSANDBYTES = Behavior("transformers", (5,), _STILL, "trainer_optimizer.py: ImportError; before ValueError")
    FSDP2_BY_DEFAULT = Behavior("transformers", (5, 10), _STILL, "training_args.py fsdp_config version")
    CHECKPOINTS_PLAIN_FUNCTION = Behavior("transformers", (5, 23), _STILL, "modeling_layers.py: partial(forward, self)")
    ADAPTERS_ON_FP8_CHECKPOINTS = Behavior(
        "transformers", (5, 22), _STILL, "quantizers/quantizer_finegrained_fp8.py is_trainable"
    )
    CHECKPOINTING_NOT_REENTRANT = Behavior(
        "transformers", (5,), _STILL, "modeling_utils.py gradient_checkpointing_enable"
    )
    FSDP_CONFIG_OVER_LAUNCHER = Behavior(
        "transformers",
        _ALWAYS,
        (5, 10),
        "trainer.py create_accelerator_and_postprocess: setattr(fsdp_plugin, param, ...)",
    )
    # training_args.py, trainer.py, optimization.py and integration_utils.py of 4.45.2, 4.49.0, 4.52.4, 4.53.3, 4.55.0,
    # 4.57.1, 5.0.0, 5.2.0, 5.3.0, 5.6.0, 5.10.0, 5.13.0, 5.16.1, 5.20.0, 5.23.0 and 5.24.0 compared
    WARMS_UP_BY_WHOLE_STEPS = Behavior("transformers", _ALWAYS, (5,), "training_args.py: isinstance(warmup_steps, int)")
    SMOOTHS_ABOVE_ZERO = Behavior("transformers", (4, 57), (5, 2), "trainer.py: if label_smoothing_factor > 0")
    REPORTS_TO_ALL = Behavior("transformers", _ALWAYS, (5,), 'training_args.py: report_to is None, then "all"')
    SCHEDULES_LAST = Behavior("transformers", (5, 2), _STILL, "trainer.py: create_scheduler() behind prepare()")
    COUNTS_WORKERS = Behavior("transformers", (5, 16, 1), _STILL, "training_args.py: dataloader_num_workers > 1")
    CLIPS_WITHOUT_LOOKING = Behavior("transformers", (5, 3), _STILL, "trainer.py: if self.args.max_grad_norm > 0")
    TELLS_TIMESCALE = Behavior("transformers", (5, 6), _STILL, "optimization.py get_scheduler: INVERSE_SQRT")
    KNOWS_GREEDY = Behavior("transformers", (5, 6), _STILL, "trainer_utils.py SchedulerType.GREEDY")
    KNOWS_SWANLAB = Behavior("transformers", (4, 52, 4), _STILL, "integration_utils.py INTEGRATION_TO_CALLBACK")
    KNOWS_TRACKIO = Behavior("transformers", (4, 55), _STILL, "integration_utils.py INTEGRATION_TO_CALLBACK")
    KNOWS_KUBEFLOW = Behavior("transformers", (5, 6), _STILL, "integration_utils.py INTEGRATION_TO_CALLBACK")
    HAS_ACTIVATION_CHECKPOINTING = Behavior(
        "transformers", (5, 23), _STILL, "training_args.py activation_checkpointing"
    )


class LlamaFactory:
    """What some releases of LLaMA-Factory do, and others do not."""

    LOADS_CHECKPOINT_DTYPE = Behavior(
        "llamafactory", (0, 9, 4), _STILL, "model/loader.py: torch_dtype auto; before patcher.py"
    )
    DEQUANTIZES = Behavior("llamafactory", (0, 9, 4), _STILL, "model/model_utils/quantization.py: dequantize=True")
    KNOWS_FP8 = Behavior("llamafactory", (0, 9, 4), _STILL, "hparams/model_args.py, hparams/training_args.py")
    # 0.9.4 reads fp8 from model_args, which its workflows never hand to the trainer: accepted, and without effect.
    CONFIGURES_FP8 = Behavior(
        "llamafactory", (0, 9, 5), _STILL, "train/sft/workflow.py, train/pt/workflow.py: arguments of the trainer"
    )
    PACKS_BEFORE_4_53 = Behavior("llamafactory", (0, 9, 4), (0, 9, 5), "hparams/parser.py: neat packing, transformers")
    FAILS_ON_JSON = Behavior("llamafactory", (0, 9, 5), _STILL, "hparams/parser.py read_args: json.load(Path(...))")


class Peft:
    """What some releases of PEFT do, and others do not."""

    NAMES_NO_MATCH = Behavior("peft", (0, 21), _STILL, "utils/error.py NoMatchingPeftModuleError; not in 0.20.0")


class Torch:
    """What some releases of torch do, and others do not."""

    # pytorch issue 158936, of a nightly build of 2.9; measured with 2.11.0: it does not (docs/evidence/h200-ddp.jsonl)
    DDP_CUTS_TORCHAO = Behavior("torch", _ALWAYS, (2, 11), "_dynamo/backends/distributed.py DDPOptimizer")


class TransformerEngine:
    """What some releases of Transformer Engine do, and others do not."""

    HAS_CHECK_MXFP8_SUPPORT = Behavior("transformer_engine", (2, 0), _STILL, "pytorch/fp8.py, pytorch/quantization.py")
    IMPORTS_FP8_MODULE = Behavior(
        "transformer_engine", _ALWAYS, (2, 9), "pytorch/__init__.py; pytorch/fp8.py is a shim from 2.9"
    )
    HAS_OVERRIDE_LINEAR_PRECISION = Behavior(
        "transformer_engine", _ALWAYS, (2, 0), "common/recipe/__init__.py DelayedScaling"
    )
    MXFP8_BELOW_SM120_ONLY = Behavior("transformer_engine", (2, 6), _STILL, "pytorch/fp8.py check_mxfp8_support")
    CHECKS_RAISE_RUNTIME_ERROR = Behavior(
        "transformer_engine", (2, 14), _STILL, "pytorch/quantization.py check_recipe_support"
    )
    METAPACKAGE_WITHOUT_DEPENDENCIES = Behavior(
        "transformer_engine", (2, 9), _STILL, "METADATA of the metapackage wheel"
    )
    # compared in 2.4.0, 2.8.0, 2.9.0, 2.12.0, 2.14.0, 2.15.0, 2.17.0, 2.18.0, 2.19.0 and 2.20.2
    WANTS_CUDNN_9_12 = Behavior("transformer_engine", (2, 20), _STILL, "METADATA: cuDNN: 9.12+; before: 9.3+")
    READS_NVTE_BACKWARD_OVERRIDE = Behavior(
        "transformer_engine", (2, 15), _STILL, "common/recipe/__init__.py DelayedScaling.__post_init__"
    )
    REFUSES_COMPILED_DELAYED_SCALING = Behavior(
        "transformer_engine", (2, 15), _STILL, "pytorch/quantization.py check_recipe_support"
    )
    LOOKS_AT_GPU_WHEN_TRACED = Behavior(
        "transformer_engine", (2, 15), _STILL, "pytorch/quantization.py check_fp8_support, _compute_fp8_support"
    )
    # What stands below `_extra_state`: a file object in 1.x; from 2.4 an empty tensor where FP8 was off; a pickle else.
    STATE_IS_A_FILE = Behavior("transformer_engine", _ALWAYS, (2, 0), "pytorch/module/base.py get_extra_state")
    EMPTY_STATE_WITHOUT_FP8 = Behavior("transformer_engine", (2, 4), _STILL, "pytorch/module/base.py get_extra_state")
    # 2.16.1 and 2.17.1 got it after 2.16.0 and 2.17.0 were out: neither of these has the file.
    REFUSES_PICKLED_STATE = Behavior("transformer_engine", (2, 17, 1), _STILL, "pytorch/_extra_state.py")
    REFUSED_PICKLED_STATE = Behavior("transformer_engine", (2, 16, 1), (2, 17), "pytorch/_extra_state.py")
    CHECKS_LEADING_DIMENSION = Behavior(
        "transformer_engine", (2, 9), _STILL, "common/gemm/cublaslt_gemm.cu CanonicalizeGemmInput"
    )


class Trl:
    """What some releases of TRL do, and others do not."""

    PARSES_FOR_ALL = Behavior("trl", _ALWAYS, (0, 29), "cli.py: TrlParser, with the parsers of all commands below it")
    REFUSES_ADAPTED_HEAD = Behavior("trl", (1, 15), _STILL, "trainer/sft_trainer.py, dpo_trainer.py; not in 1.14.0")

    # compared in the wheels of 0.18.2 to 0.29.0, 1.0.0 and 1.16.0
    CHECKPOINTS_BY_DEFAULT = Behavior("trl", (0, 22), _STILL, "trainer/sft_config.py, trainer/base_config.py")
    CHECKPOINTING_NOT_REENTRANT = Behavior("trl", (0, 28), _STILL, "trainer/sft_trainer.py: use_reentrant False")
    LOADS_AUTO = Behavior("trl", (0, 26), (0, 27), "trainer/utils.py create_model_from_path")
    # trainer/utils.py of 0.24.0, 0.25.0, 0.26.0, 0.28.0, 1.0.0, 1.9.0 and 1.16.0 compared
    SPLITS_OVER_GPUS = Behavior("trl", (0, 26), _STILL, 'trainer/utils.py create_model_from_path: device_map "auto"')
    REFUSES_DATA_PARALLEL = Behavior("trl", (1, 15), _STILL, "trainer/*_trainer.py: args.n_gpu > 1")
    LOADS_FLOAT32 = Behavior("trl", (0, 27), _STILL, "trainer/model_config.py dtype")
    # cli.py to 0.28, cli/commands/ from 0.29 on: 0.12.2 to 0.18.2, 0.21.0 to 0.29.0, 1.0.0 to 1.9.0 and 1.16.0 compared
    TAKES_LAUNCHER_FLAGS = Behavior("trl", (0, 18), _STILL, "cli.py main: return_remaining_strings; before parse_args")
    COMMAND_IS_A_FOLDER = Behavior("trl", (0, 29), _STILL, "cli/main.py, cli/__init__.py; cli.py before")
    # scripts/sft.py and dpo.py of 0.24.0, 0.25.0, 0.28.0, 0.29.0, 1.0.0, 1.4.0 and 1.16.0 compared
    SCRIPTS_REFUSE_WORDS = Behavior(
        "trl", (1,), _STILL, "scripts/sft.py: fail_with_unknown_args=False; before return_remaining_strings"
    )
    # scripts/*.py of 0.18.2, 0.21.0 to 0.24.0, 0.26.2, 0.29.0, 1.0.0, 1.4.0 to 1.7.0, 1.9.0 and 1.16.0 compared
    ASKS_FOR_DATA = Behavior("trl", (0, 22), _STILL, 'scripts/sft.py "Either `datasets` or `dataset_name`"')
    SFT_LEAVES_LOADING = Behavior("trl", (1, 5), _STILL, "scripts/sft.py, dpo.py: model=model_args.model_name_or_path")
    KTO_LEAVES_LOADING = Behavior("trl", (1, 9), _STILL, "scripts/kto.py: model=model_args.model_name_or_path")
    GRPO_LEAVES_LOADING = Behavior("trl", (0, 22), _STILL, "scripts/grpo.py: model=model_args.model_name_or_path")
    HAS_GRPO = Behavior("trl", (0, 14), _STILL, "cli.py main")
    HAS_RLOO = Behavior("trl", (0, 22), _STILL, "cli.py main")
    HAS_REWARD = Behavior("trl", (0, 24), _STILL, "cli.py main")
    HAS_DISTILLATION = Behavior("trl", (1, 16), _STILL, "cli/commands/__init__.py get_commands")
    # trainer/*_config.py: 0.15.2 to 0.18.0, 0.24.0 to 0.29.0, 1.0.0, 1.4.0, 1.9.0 and 1.16.0 compared
    SFT_PADS = Behavior("trl", (0, 18), _STILL, 'trainer/sft_config.py "pad_to_multiple_of"')
    REWARD_PADS = Behavior("trl", (0, 24), _STILL, 'trainer/reward_config.py "pad_to_multiple_of"')
    DPO_PADS = Behavior("trl", (0, 29), _STILL, 'trainer/dpo_config.py "pad_to_multiple_of"; DPO 0.24.0 refuses it')
    GRPO_PADS = Behavior("trl", (1, 0), _STILL, 'trainer/grpo_config.py, rloo_config.py "pad_to_multiple_of"')
    KTO_PADS = Behavior("trl", (1, 9), _STILL, 'trainer/kto_config.py "pad_to_multiple_of"')
    # compared in the wheels of 1.1.0 to 1.16.0
    HAS_CHUNKED_LOSS = Behavior("trl", (1, 4), (1, 15), 'trainer/sft_config.py "chunked_nll"')
    CHUNKS_BY_DEFAULT = Behavior("trl", (1, 7), (1, 15), "trainer/sft_config.py __post_init__: loss_type")
    FUSES_HEAD = Behavior("trl", (1, 15), _STILL, "trainer/utils.py add_fused_lm_head, of SFT, DPO, GRPO, KTO and RLOO")
    BF16_BY_DEFAULT = Behavior("trl", (0, 19), _STILL, "trainer/sft_config.py, trainer/base_config.py __post_init__")


class Axolotl:
    """What some releases of axolotl do, and others do not."""

    # compared in 0.13.1, 0.14.0, 0.15.0, 0.16.1, 0.17.0, 0.18.0 and 0.19.0
    READS_FP8_CONFIG = Behavior(
        "axolotl", (0, 19), _STILL, "utils/schemas/validation.py check_fp8_config, core/trainers/base.py"
    )
    LEAVES_ROUTERS = Behavior("axolotl", (0, 18), _STILL, "monkeypatch/accelerate/float8_moe_filter.py")
    REFUSES_TWO_ATTENTIONS = Behavior(
        "axolotl", (0, 17), _STILL, "utils/schemas/config.py normalize_attn_implementation; earlier not looked at"
    )
    HAS_FP8_ATTENTION = Behavior("axolotl", (0, 17), _STILL, "loaders/patch_manager.py: patch_fp8_attention(model)")
