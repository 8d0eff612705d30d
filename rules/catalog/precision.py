"""FP1xx: which precision wins between the files."""

from __future__ import annotations

from fp8check.rules.catalog.recipe import differing
from fp8check.rules.catalog.shared_fixes import WHAT_TO_CHANGE, dropped, upgraded
from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, WARNING, Found, Related, rule
from fp8check.rules.engine.requirements import not_known
from fp8check.rules.releases import behaviors
from fp8check.rules.settings.edits import delete, insert, replace
from fp8check.rules.settings.script import in_script
from fp8check.rules.settings.values import Origin, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.outcome.accelerator import Accelerator
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.script import ScriptSource
    from fp8check.rules.trainers.llamafactory import LlamaFactory
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training


@rule(
    "FP101",
    "precision-flag-cancels-fp8",
    ERROR,
    'transformers 4.45.2..4.57.1 training_args.py "mixed_precision_dtype = " "os.environ[": bf16 and fp16 '
    "rewrite the variable",
    'transformers 5.0.0..5.24.0 trainer.py "self.args.mixed_precision": and from 5.0 on they go to '
    "Accelerator as an argument",
    "ran transformers 5.23.0, accelerate 1.15.0 [conformance train-bf16-no-recipe-1.15]: mixed_precision "
    "bf16, no layer converted",
    "ran transformers 4.57.1, accelerate 1.10.1 [conformance train-bf16-no-recipe-1.10]: the same on transformers 4",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-te-bf16]: Trainer with bf16=True and a TE config "
    "reports bf16, fp8_enabled False",
    "https://github.com/huggingface/trl/issues/3860",
    claims=("lost", "ends"),
)
def precision_flag_cancels_fp8(
    training: Training, requested: Requested, outcome: Outcome, launch: Launch
) -> Iterator[Found]:
    """`bf16: true` or `fp16: true` in the training file cancels the FP8 that was asked for elsewhere.

    Why it hurts: nothing is logged. The trainer passes its own flag to Accelerator, and the precision of the
    Accelerate file is gone; what is left of FP8 is another recipe, a crash, or nothing at all.

    Example: a training file with `bf16: true`, started with an Accelerate file that says `mixed_precision: fp8`.

    Write instead: leave bf16 and fp16 out of the training file. FP8 keeps BF16 for everything else by itself.
    """
    won = outcome.mixed_precision or (
        outcome.accelerator_arguments.mixed_precision if outcome.accelerator_arguments is not None else None
    )
    flag = outcome.effective.precision_flag if requested.fp8 and won is not None else None
    if flag is None or won is None or won.value != flag.value:
        return
    own = training.late_fp8(outcome.stack)  # FP108 speaks of that
    loser = next((asker for asker in requested.fp8 if asker != own and asker.origin != flag.origin), None)
    if loser is None or (flag.value == "bf16" and _is_as_asked(requested, outcome)):
        return
    place = _place(flag, training, launch)
    by_default = flag.value == "bf16" and training.bf16_by_default(outcome.stack)
    remedy = _remedy(flag, place, outcome, by_default=by_default)
    yield Found(
        _canceled(flag),
        place=place,
        label=f'{outcome.stack.name("transformers")} passes mixed_precision="{flag.value}" to Accelerator',
        related=(_overridden(loser),),
        notes=tuple(_what_is_left(outcome)),
        fact=remedy,
        fix=None if outcome.distributed_type == "DEEPSPEED" else _without(flag, training),
        action=dropped(flag.origin.flag) if flag.origin.flag is not None else None,
    )


def _is_as_asked(requested: Requested, outcome: Outcome) -> bool:
    """Whether the run is what was asked all the same: DeepSpeed needs the flag, and the recipe is the default one.

    Measured on two H100s with accelerate 1.15.0, transformers 5.17.0: 87 FP8 GEMMs under ZeRO-2 with `bf16: true`.
    """
    runs = outcome.distributed_type == "DEEPSPEED" and outcome.runs_te and outcome.trains_in_fp8 is True
    return runs and not any(differing(requested, outcome))


def _canceled(flag: Setting) -> str:
    if flag.origin.default is not None:
        return "bf16 is on by default and cancels FP8"
    if in_script(flag):
        return f"{flag.value}=True cancels FP8"
    return f"{flag.origin.flag or f'{flag.value}: true'} cancels FP8"


def _overridden(loser: Setting) -> Related:
    here = loser.origin.span is not None
    return Related(loser, "this is what it overrides" if here else f"it overrides the {loser.origin.describe()}")


def _place(flag: Setting, training: Training, launch: Launch) -> Setting | None:
    if launch.places(flag):
        return flag
    here = training.setting_for("model")
    written = (
        setting for _, setting in training.top.settings() if in_script(setting) and setting.origin.key_span is not None
    )
    return here if here is not None and here.origin.span is not None else next(written, here)


NEEDED_BY_DEEPSPEED = "DeepSpeed needs it (FP314): the recipe stays the default there; FSDP2 with backend: AO does not"
# The way that works with the releases of today: LLaMA-Factory's own keys came too late, or with old releases only.
WITH_A_FILE = "FP8 comes from an Accelerate file with mixed_precision: fp8, where bf16: false stands here"


_KEEPS_BF16 = "FP8 keeps BF16 for the rest by itself"


def _remedy(flag: Setting, place: Setting | None, outcome: Outcome, *, by_default: bool) -> str:
    """What is true where it is off; `by_default`: whether the flag is on without anybody's word, too."""
    if outcome.distributed_type == "DEEPSPEED":
        return NEEDED_BY_DEEPSPEED
    if flag.origin.flag is not None and by_default:
        return f"it is on by default, and off by --{flag.value} False; {_KEEPS_BF16}"
    if in_script(place) and flag.origin.default is not None:
        return f"with bf16=False {_KEEPS_BF16}"  # where to write it is not known
    return _KEEPS_BF16


def _without(flag: Setting, training: Training) -> Fix | None:
    """No flag: where the trainer's default sets it, it has to be switched off; None where the command sets it."""
    if flag.origin.flag is not None:
        return None
    if flag.origin.default is None:
        return unsafe(replace(flag, False))
    written = training.get("bf16")
    return unsafe(replace(written, False) if written is not None else insert(training.top, "bf16", False))


def _what_is_left(outcome: Outcome) -> Iterator[str]:
    backend = outcome.backend_name
    if outcome.error is not None:
        yield f"and the run ends with {outcome.error.type}: {outcome.error.first_line}"
    elif backend == "TE" and outcome.trains_in_fp8:
        yield "with backend TE the layers still convert, and run with the default recipe, not yours (FP205)"
    elif outcome.trains_in_fp8 is False:
        word = outcome.mixed_precision.value if outcome.mixed_precision is not None else "?"
        yield f"no layer runs in FP8: this is a plain {'float32' if word == 'no' else word} run"


@rule(
    "FP102",
    "fp8-config-without-precision",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/launch.py "if defaults.mixed_precision is None": an absent '
    "mixed_precision is `no`",
    "ran accelerate 1.15.0 [conformance file-precision-missing-1.15]: mixed precision no, no layer converted",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl no-precision]: mixed precision no, backend NO",
    claims=("ignored",),
)
def fp8_config_without_precision(accelerate: AccelerateConfig, launch: Launch) -> Iterator[Found]:
    """An fp8_config without `mixed_precision: fp8`: the whole section is ignored and the run is not in FP8.

    Why it hurts: the launcher exports fp8_config only where the precision is fp8. A missing or null
    mixed_precision means `no`: float32, slower than BF16, without a word.

    Example: an Accelerate file that has `fp8_config:` and no `mixed_precision` line.

    Write instead: `mixed_precision: fp8` at the top level of the same file.
    """
    section = accelerate.top.get("fp8_config")
    if not accelerate.fp8 or accelerate.mixed_precision is not None or launch.flag("mixed_precision") is not None:
        return
    written = accelerate.top.get("mixed_precision")
    yield Found(
        "fp8_config is ignored: mixed_precision is not set",
        place=section,
        label="nothing of this section reaches the training process",
        related=(Related(written, "null means `no`"),) if written is not None else (),
        notes=(
            "without a mixed_precision the launcher takes `no`: the run is float32 unless its trainer says otherwise",
        ),
        fix=unsafe(
            replace(written, "fp8") if written is not None else insert(accelerate.top, "mixed_precision", "fp8")
        ),
    )


@rule(
    "FP103",
    "fp8-config-unused",
    WARNING,
    'accelerate 0.34.0..1.15.0 utils/launch.py "current_env = setup_fp8_env(args, current_env)": called for fp8 only',
    "ran accelerate 1.15.0 [conformance file-bf16-with-recipe-1.15]: the section is not exported",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl bf16-with-fp8-config]: bf16, no layer converted",
    claims=("ignored",),
)
def fp8_config_unused(accelerate: AccelerateConfig) -> Iterator[Found]:
    """An fp8_config beside a mixed_precision that is not fp8: nobody reads it.

    Why it hurts: either the precision or the section is a leftover, and the next reader will believe the wrong one.

    Example: `mixed_precision: bf16` above an `fp8_config:` section.

    Write instead: `mixed_precision: fp8`, or delete the section.
    """
    precision = accelerate.mixed_precision
    if not accelerate.fp8 or precision is None or not isinstance(precision.value, str) or accelerate.wants_fp8():
        return
    yield Found(
        f"fp8_config is ignored: mixed_precision is {precision.value}",
        place=accelerate.top.get("fp8_config"),
        label="the launcher hands this on only for mixed_precision: fp8",
        related=(Related(precision, "this decides"),),
        fix=unsafe(replace(precision, "fp8")),
    )


@rule(
    "FP108",
    "llamafactory-fp8-inert",
    ERROR,
    'llamafactory 0.9.5 train/fp8_utils.py "= backend" "not kwargs[": set after TrainingArguments; the patch '
    "wants no handlers",
    'transformers 5.0.0..5.24.0 training_args.py "self.mixed_precision = ": the precision is fixed when the '
    "arguments are made",
    'transformers 5.3.0..5.24.0 trainer.py "= [DistributedDataParallelKwargs(**ddp_kwargs)]": kwargs_handlers '
    "is never empty",
    'transformers 5.2.0 trainer.py !"= [DistributedDataParallelKwargs(**ddp_kwargs)]": the last release where '
    "the patch works",
    'llamafactory 0.9.4 train/sft/workflow.py "finetuning_args=finetuning_args" !"model_args=model_args": fp8 '
    "is in model_args there",
    "https://github.com/hiyouga/LlamaFactory/issues/9500",
    "ran llamafactory 0.9.5, transformers 5.2.0 [command lf-key-value-0.9.5]: the precision is bf16, no layer in FP8",
    "ran llamafactory 0.9.4, transformers 4.57.1 [command lf-key-value-0.9.4]: the same",
    claims=("lost",),
)
def llamafactory_fp8_inert(llamafactory: LlamaFactory, outcome: Outcome) -> Iterator[Found]:
    """LLaMA-Factory's `fp8: true` does nothing with the installed transformers.

    Why it hurts: LLaMA-Factory sets its variable after transformers 5 has fixed the precision, and from
    transformers 5.3 on its patch for `fp8_backend: te` steps aside. It still logs "FP8 training enabled".

    Example: `fp8: true` with `bf16: true` on llamafactory 0.9.5 and transformers 5.6.

    Write instead: transformers 4.57 with accelerate 1.9 to 1.11; or `fp8_backend: te` with transformers 5.0 to 5.2.
    """
    fp8 = llamafactory.get("fp8")
    state = outcome.accelerator
    if fp8 is None or not fp8.value or outcome.error is not None:
        return
    if state is None or state.mixed_precision.value == "fp8" or llamafactory.value("stage", "sft") not in ("pt", "sft"):
        return
    if not outcome.stack.does(behaviors.LlamaFactory.CONFIGURES_FP8):
        yield Found(
            f"fp8: true has no effect in {outcome.stack.name('llamafactory')}",
            place=fp8,
            label="the key is accepted, and its workflows never hand it to the trainer",
            fact=WITH_A_FILE,
        )
        return
    if not outcome.stack.does(behaviors.Transformers.TRAINER_PASSES_MIXED_PRECISION):
        return
    precision = state.mixed_precision
    left = (
        "no layer runs in FP8" if outcome.trains_in_fp8 is False else "FP8 runs only by the Accelerate file's backend"
    )
    yield Found(
        f"fp8: true has no effect with {outcome.stack.name('transformers')}",
        place=fp8,
        label=f'Accelerator is built with mixed_precision="{precision.value}"',
        related=(Related(llamafactory.get("fp8_backend"), "its patch steps aside"),) if _patched(llamafactory) else (),
        notes=(left, "the log still says that FP8 training is enabled"),
        fact=WITH_A_FILE,
    )


def _patched(training: Training) -> bool:
    return training.value("fp8_backend") == "te"


@rule(
    "FP109",
    "llamafactory-stage-without-fp8",
    ERROR,
    'llamafactory 0.9.4..0.9.5 train/sft/trainer.py "configure_fp8_environment": wired here and in pt only',
    'llamafactory 0.9.4..0.9.5 train/dpo/trainer.py !"fp8": dpo does not know it',
    'llamafactory 0.9.4..0.9.5 train/kto/trainer.py !"fp8": nor does kto',
    'llamafactory 0.9.4..0.9.5 train/ppo/trainer.py !"fp8": nor does ppo',
    'llamafactory 0.9.4..0.9.5 train/rm/trainer.py !"fp8": nor does rm',
    "ran llamafactory 0.9.5 [command lf-dpo-fp8-0.9.5]: the precision is bf16",
    "ran llamafactory 0.9.5 [command lf-kto-fp8-te-0.9.5]: the same",
    "ran llamafactory 0.9.4 [command lf-dpo-fp8-te-0.9.4]: the same",
    claims=("ignored",),
)
def llamafactory_stage_without_fp8(llamafactory: LlamaFactory, outcome: Outcome) -> Iterator[Found]:
    """`fp8: true` in a LLaMA-Factory stage where FP8 is not wired.

    Why it hurts: only the stages pt and sft look at it. dpo, kto, ppo and rm accept the key and train without FP8.

    Example: `stage: dpo` with `fp8: true`.

    Write instead: an Accelerate file with `mixed_precision: fp8` and no bf16 in the training file.
    """
    stage = llamafactory.get("stage")
    fp8 = llamafactory.get("fp8")
    if fp8 is None or not fp8.value or stage is None:
        return
    if stage.value in ("pt", "sft") or not outcome.stack.does(behaviors.LlamaFactory.KNOWS_FP8):
        return
    yield Found(
        f"fp8: true is ignored in stage {stage.value}",
        place=fp8,
        label="no code of this stage reads it",
        related=(Related(stage, "only pt and sft are wired for FP8"),),
        fact="FP8 of an Accelerate file that says mixed_precision: fp8 works in every stage, without bf16 here",
    )


@rule(
    "FP110",
    "asked-fp8-but-not-fp8",
    ERROR,
    'accelerate 1.4.0..1.7.0 accelerator.py "if self._mixed_precision == ": a handler is made and not counted',
    "ran axolotl 0.19.0 [command axolotl-launcher-flags]: the command says fp8, no layer is converted",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl fsdp2-te]: fp8_enabled True and no FP8 GEMM",
    last_resort=True,
    claims=("no FP8",),
)
def asked_fp8_but_not_fp8(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """FP8 is asked for, the run starts, and no layer runs in FP8.

    Why it hurts: it is the failure that nothing reports. The other rules of this group say why where they can; this
    one makes sure that it is said at all.

    Example: `mixed_precision: fp8` on accelerate 1.5, which converts nothing unless the script passes a handler.

    Write instead: see the trace that `fp8check outcome` prints.
    """
    if outcome.error is not None or outcome.trains_in_fp8 is True or not requested.fp8:
        return
    state = outcome.accelerator
    if outcome.trains_in_fp8 is None or state is None:
        raise not_known(outcome, "whether any layer runs in FP8")
    yield Found(
        "FP8 is asked for, and no layer will run in FP8",
        place=requested.fp8[0],
        label=f"the run starts {_in_words(state.mixed_precision)}, and says nothing",
        notes=(_reason(outcome, state),),
        fact=WHAT_TO_CHANGE,
    )


def _in_words(precision: Setting) -> str:
    return "without mixed precision" if precision.value == "no" else f"in {precision.shown}"


def _reason(outcome: Outcome, state: Accelerator) -> str:
    stack = outcome.stack
    if state.mixed_precision.value != "fp8":
        return f"the precision is decided by {state.mixed_precision.origin.describe()}"
    if stack.does(behaviors.Accelerate.AUTOMATIC_HANDLER_NOT_COUNTED):
        return f"{stack.name('accelerate')} converts nothing unless the script passes a recipe: use 1.9 or newer"
    if outcome.is_data_parallel:
        return "one process sees several GPUs, and Trainer hands no model to prepare() (FP343)"
    if state.distributed_type == "MEGATRON_LM":
        return "under Megatron-LM Accelerate converts no layer"
    if state.is_fsdp2 and state.backend_name == "TE":
        return "under FSDP2 Transformer Engine's layers never enter FP8 autocast (FP502)"
    return "no Linear layer of this model has both dimensions divisible by 16"


@rule(
    "FP113",
    "release-converts-nothing",
    ERROR,
    'accelerate 1.4.0..1.7.0 accelerator.py "self._mixed_precision == ": a handler is made, and has_fp8_handler stays '
    "False",
    'accelerate 1.9.0..1.15.0 accelerator.py "if self.fp8_enabled and not self.has_fp8_handler": from 1.8 on it counts',
    "ran accelerate 1.7.0 [conformance script-kwarg-fp8-python-1.7]: the precision says fp8, no layer is converted",
    "ran accelerate 1.4.0 [conformance script-kwarg-fp8-python-1.4]: likewise",
    requires=("packages",),  # without them the release is not known
    claims=("no FP8",),
)
def release_converts_nothing(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """accelerate 1.4 to 1.7 says fp8 and converts no layer, unless the script passes a recipe handler itself.

    Why it hurts: the handler that these releases make by themselves is never counted. `accelerator.mixed_precision` is
    "fp8", nothing is logged, and the run trains in BF16.

    Example: `mixed_precision: fp8` with accelerate 1.7.

    Write instead: accelerate 1.13 or newer; or pass `mixed_precision="fp8"` and
    `kwargs_handlers=[TERecipeKwargs()]` to Accelerator().
    """
    state = outcome.accelerator
    if state is None or outcome.error is not None or not requested.fp8 or state.counted:
        return
    if state.requested.value != "fp8" or not outcome.stack.does(behaviors.Accelerate.AUTOMATIC_HANDLER_NOT_COUNTED):
        return
    yield Found(
        f"{outcome.stack.name('accelerate')} converts no layer to FP8 by itself",
        place=requested.fp8[0],
        label='the precision will say "fp8", and every GEMM runs in BF16',
        action=upgraded(outcome, "accelerate"),
        fact="accelerate 1.9 and newer convert the layers",
    )


@rule(
    "FP114",
    "handler-without-precision",
    ERROR,
    'accelerate 1.4.0..1.15.0 accelerator.py "Passing in an FP8 configuration requires setting": raised',
    'accelerate 1.8.0..1.8.1 accelerator.py "if mixed_precision != ": 1.8 looks at the argument alone',
    "ran accelerate 1.8.1 [conformance file-te-docs-1.8]: fp8 by the launcher, ValueError",
    "ran accelerate 1.15.0 [conformance script-handler-python-1.15]: a handler and no precision, ValueError",
    "https://github.com/huggingface/accelerate/issues/3086",
    requires=("packages",),  # without them the release is not known
    claims=("ends",),
)
def handler_without_precision(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """Accelerator() gets an FP8 recipe, and no precision that it counts as fp8.

    Why it hurts: it raises ValueError. In accelerate 1.8 only the argument of Accelerator() counts, so that fp8 from
    the launcher, its file or the environment ends every run that is neither FSDP nor DeepSpeed.

    Example: `mixed_precision: fp8` in the Accelerate file, with accelerate 1.8.

    Write instead: accelerate 1.13 or newer; in a script, `Accelerator(mixed_precision="fp8", ...)`.
    """
    error = outcome.error_of("handler-without-precision")
    if error is None:
        return
    decided = error.because[0]
    from_outside = decided.value == "fp8"
    name = outcome.stack.name("accelerate")
    yield Found(
        f"{name} does not take fp8 from outside Accelerator()"
        if from_outside
        else "an FP8 recipe without fp8 precision",
        place=decided if decided.origin.span is not None else requested.fp8[0] if requested.fp8 else None,
        label=f"Accelerator() raises ValueError: {error.message}",
        action=upgraded(outcome, "accelerate") if from_outside else None,
        fact="accelerate 1.9 and newer take fp8 from the launcher"
        if from_outside
        else 'Accelerator(mixed_precision="fp8", ...) counts as fp8',
    )


@rule(
    "FP115",
    "two-precision-flags",
    ERROR,
    'transformers 4.45.2..5.24.0 training_args.py "At most one of fp16 and bf16 can be True, but not both": raised',
    "ran transformers 5.23.0 [conformance train-both-te-1.15]: ValueError",
    claims=("ends",),
)
def two_precision_flags(training: Training, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """`fp16: true` and `bf16: true` in one training file.

    Why it hurts: TrainingArguments raises ValueError before anything else happens. Two people each added "theirs".

    Example: `bf16: true` at the top of the file and `fp16: true` at its end.

    Write instead: for FP8 neither of them; else one.
    """
    error = outcome.error_of("fp16-and-bf16")
    if error is None:
        return
    fp16, bf16 = error.because
    yield Found(
        "fp16 and bf16 are both on",
        place=fp16 if outcome.run.launch.places(fp16) else training.setting_for("model"),
        label=f"TrainingArguments raises ValueError: {error.message}",
        related=(Related(bf16, "and this one"),),
        fact="for FP8 neither fp16 nor bf16 is needed in the training file"
        if requested.concerns_fp8
        else "one of fp16 and bf16 is enough",
        fix=unsafe(delete(fp16)) if fp16.origin.span is not None else None,
    )


@rule(
    "FP116",
    "deepspeed-loses-fp8",
    ERROR,
    'accelerate 1.11.0..1.15.0 state.py "mixed_precision == ": fp8 survives DeepSpeed from 1.11 on',
    "ran accelerate 1.10.1, deepspeed 0.19.8 [conformance deepspeed1-TE-script-1.10-deepspeed]: mixed_precision bf16",
    "https://github.com/huggingface/accelerate/issues/3054",
    "https://github.com/huggingface/accelerate/issues/3360",
    requires=("packages",),  # without them the release is not known
    claims=("lost",),
)
def deepspeed_loses_fp8(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """Under DeepSpeed, accelerate 1.10 and older turn fp8 into bf16.

    Why it hurts: the state takes DeepSpeed's own precision, which knows no FP8. fp8_enabled is False; with a backend
    named, accelerate 1.9 and 1.10 convert the layers all the same, with the default recipe.

    Example: `distributed_type: DEEPSPEED` and `mixed_precision: fp8` on accelerate 1.10.

    Write instead: accelerate 1.11 or newer.
    """
    state = outcome.accelerator
    if state is None or state.distributed_type != "DEEPSPEED" or not requested.fp8 or state.requested.value != "fp8":
        return
    if outcome.stack.does(behaviors.Accelerate.DEEPSPEED_KEEPS_FP8):
        return
    left = "with the default recipe, the layers convert all the same" if outcome.trains_in_fp8 else "no layer is in FP8"
    yield Found(
        f"{outcome.stack.name('accelerate')} turns fp8 into bf16 under DeepSpeed",
        place=requested.fp8[0],
        label=f"accelerator.mixed_precision will say bf16; {left}",
        action=upgraded(outcome, "accelerate"),
        fact="accelerate 1.11 and newer keep fp8 under DeepSpeed",
    )


@rule(
    "FP117",
    "llamafactory-gather-without-fp8",
    ERROR,
    'llamafactory 0.9.5 hparams/parser.py "model_args.fp8 = True" "Setting fp8=True": not what the trainer reads',
    'llamafactory 0.9.4 hparams/parser.py "model_args.fp8 = True": and there nothing hands model_args to the trainer',
    "ran llamafactory 0.9.5 [executed llamafactory-gather-alone]: logged, and the fp8 of the trainer is False",
    claims=("ignored",),
)
def llamafactory_gather_without_fp8(llamafactory: LlamaFactory, outcome: Outcome) -> Iterator[Found]:
    """LLaMA-Factory's `fp8_enable_fsdp_float8_all_gather` without `fp8: true`: the log says FP8 is on, and it is not.

    Why it hurts: it logs "Setting fp8=True" and sets it where the trainer does not look. The run trains in BF16.

    Example: `fp8_enable_fsdp_float8_all_gather: true` with no `fp8` line.

    Write instead: `fp8: true` as well; and see FP108 for what that needs.
    """
    gather = llamafactory.get("fp8_enable_fsdp_float8_all_gather")
    if gather is None or not gather.value or llamafactory.on("fp8"):
        return
    if not outcome.stack.does(behaviors.LlamaFactory.KNOWS_FP8):
        return
    written = llamafactory.get("fp8")
    yield Found(
        "fp8_enable_fsdp_float8_all_gather does not switch FP8 on",
        place=gather,
        label='it logs "Setting fp8=True", and the trainer still reads false',
        related=(Related(written, "this is what counts"),) if written is not None else (),
        fix=unsafe(replace(written, True) if written is not None else insert(llamafactory.top, "fp8", True)),
    )


@rule(
    "FP118",
    "script-overrides-precision",
    ERROR,
    'accelerate 0.34.0..1.15.0 state.py "if mixed_precision is None": the argument of Accelerator() wins',
    "ran accelerate 1.15.0 [command mixed-044]: bf16, and FP8 GEMMs by the backend of the file",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl script-bf16]: bf16, and FP8 GEMMs with the default recipe",
    claims=("lost", "ends"),
)
def script_overrides_precision(
    script: ScriptSource, requested: Requested, outcome: Outcome, run: Run
) -> Iterator[Found]:
    """The script passes its own mixed_precision to Accelerator(), and cancels the fp8 of the Accelerate file.

    Why it hurts: the argument wins over the launcher, without a word. Left over are layers of Transformer Engine with
    the default recipe, a crash with torchao, or no FP8 at all.

    Example: `Accelerator(mixed_precision="bf16")` in train.py, started with a file that says `mixed_precision: fp8`.

    Write instead: `Accelerator()`.
    """
    own = run.script.mixed_precision
    elsewhere = next((asker for asker in requested.fp8 if asker != own), None)
    if own is None or own.value == "fp8" or elsewhere is None:
        return
    source = run.script.maker or script
    flag, maker = own.origin.flag, source.accelerator
    here = Setting(own.value, Origin(span=maker.span)) if flag is not None and maker is not None else own
    yield Found(
        f"the script's mixed_precision={own.value!r}{f', by {flag},' if flag is not None else ''} cancels fp8",
        place=here,
        label="the argument of Accelerator() wins over the launcher",
        related=(_overridden(elsewhere),),
        notes=tuple(_what_is_left(outcome)),
        action=dropped(flag) if flag is not None else None,
        fact=f"Accelerator() without mixed_precision in {source.path} takes it from the launcher",
    )
