"""FP2xx: the backend and recipe that run, against those that were written."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import upgraded
from fp8check.rules.edits.fix import safe, unsafe
from fp8check.rules.engine.definition import ERROR, INFO, WARNING, Found, Related, rule
from fp8check.rules.engine.requirements import require_prediction
from fp8check.rules.outcome.step import frozen_by_torchao
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.readers import backend_meant
from fp8check.rules.releases.recipes import scaling_of
from fp8check.rules.settings.edits import delete, insert, replace
from fp8check.rules.settings.values import Section, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.llamafactory import LlamaFactory
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training


@rule(
    "FP205",
    "recipe-not-as-written",
    ERROR,
    'accelerate 1.6.0..1.15.0 accelerator.py "model = apply_fp8_autowrap(model, self.fp8_recipe_handler)": '
    "under DeepSpeed the recipe is dropped",
    'accelerate 1.9.0..1.15.0 accelerator.py "if self.fp8_enabled and not self.has_fp8_handler": no recipe '
    "unless the precision is fp8",
    "ran accelerate 1.15.0 [conformance train-bf16-te-1.15]: E4M3 and 16 become HYBRID and 1024",
    "ran accelerate 1.15.0 [conformance deepspeed1-TE-script-1.15-deepspeed]: history 16 becomes 1024",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-te-bf16]: HYBRID and 1024 instead of E4M3 and 16",
    claims=("ignored",),
)
def recipe_not_as_written(requested: Requested, outcome: Outcome, run: Run) -> Iterator[Found]:
    """The recipe that runs is not the one that was written.

    Why it hurts: FP8 runs, with another format or amax history than the file says, and nothing reports it.

    Example: `fp8_format: E4M3` in the Accelerate file, while `bf16: true` in the training file leaves the default
    recipe HYBRID.

    Write instead: depends on what replaced it; the finding says.
    """
    if requested.recipe:
        require_prediction(outcome)
    if _fixed(run, outcome):
        return
    for name, written, real in differing(requested, outcome):
        yield Found(
            f"{name} will be {real.value}, not {written.value}",
            place=written,
            label=f"the recipe that runs has {real.value}",
            notes=(_why(outcome),),
            fact=_how(outcome),
        )


def differing(requested: Requested, outcome: Outcome) -> Iterator[tuple[str, Setting, Setting]]:
    """The options of Transformer Engine's recipe that were asked for and are others: name, as written, as it runs."""
    recipe = outcome.prepared.recipe
    if recipe is None or outcome.backend_name != "TE":
        return
    for name, written in requested.recipe.items():
        real = recipe.get(name)
        if real is None or _same(written.value, real.value) or _unreachable(written):
            continue
        if name == "fp8_format" and scaling_of(recipe) is not None and _same(written.value, "HYBRID"):
            continue  # with block scaling E4M3 is right for gradients, too
        yield name, written, real


def _same(written: object, real: object) -> bool:
    return str(written).lower() == str(real).lower()


def _unreachable(written: Setting) -> bool:
    return str(written.value).lower() == "most_recent"  # FP207


def _why(outcome: Outcome) -> str:
    state = outcome.accelerator
    if state is not None and state.distributed_type == "DEEPSPEED":
        return "under DeepSpeed Accelerate drops the recipe: only the deprecated FP8RecipeKwargs arrives there"
    if state is not None and state.mixed_precision.value != "fp8":
        return (
            f"the precision is {state.mixed_precision.value}: no recipe is built, and the layers convert all the same"
        )
    if not outcome.stack.does(Accelerate.LAUNCHER_COPIES_FP8_CONFIG):
        return f"{outcome.stack.name('accelerate')} does not read fp8_config at all: 1.4 is the first that does"
    return "another setting of the same name won; `fp8check outcome` prints which"


def _how(outcome: Outcome) -> str:
    state = outcome.accelerator
    if state is not None and state.distributed_type == "DEEPSPEED":
        return "a script that passes kwargs_handlers=[FP8RecipeKwargs(...)] has its recipe under DeepSpeed, too"
    if state is not None and state.mixed_precision.value != "fp8":
        return "the recipe is built where the precision is fp8: with neither bf16 nor fp16 in the training file"
    return "accelerate 1.4 and newer read this line, where nothing overrides it"


def _fixed(run: Run, outcome: Outcome) -> bool:
    return (
        outcome.accelerator_arguments is not None
        and outcome.accelerator_arguments.handler is not None
        and run.training.brings_recipe
    )


@rule(
    "FP206",
    "llamafactory-fixed-recipe",
    WARNING,
    'llamafactory 0.9.5 train/fp8_utils.py "amax_history_len=16": HYBRID, 16 and max are literals',
    "ran llamafactory 0.9.5, accelerate 1.11.0 [executed llamafactory-recipe-is-fixed]: HYBRID 16 max",
    claims=("FP8",),
)
def llamafactory_fixed_recipe(run: Run, training: Training, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """LLaMA-Factory's `fp8_backend: te` brings its own recipe and drops the one of the Accelerate file.

    Why it hurts: history 16, HYBRID and max are written into its code. Whatever fp8_config says about them is lost.

    Example: `fp8: true`, `fp8_backend: te`, and an Accelerate file with `amax_history_len: 1024`.

    Write instead: leave fp8 out of the training file and let the Accelerate file decide, without bf16.
    """
    recipe = outcome.prepared.recipe
    if recipe is None or not _fixed(run, outcome):
        return
    different = {
        name: written
        for name, written in requested.recipe.items()
        if name in recipe and not _same(written.value, recipe[name].value)
    }
    if not different:
        return
    first = next(iter(different.values()))
    words = ", ".join(f"{name} {recipe[name].value} instead of {written.value}" for name, written in different.items())
    yield Found(
        "LLaMA-Factory replaces the recipe of the Accelerate file with its own",
        place=training.get("fp8_backend"),
        label="its code fixes HYBRID, amax history 16, max",
        related=(Related(first, "this is lost"),),
        notes=(words,),
        fact="without these keys the recipe of the Accelerate file is used",
        fix=unsafe(*(delete(line) for line in map(training.get, ("fp8", "fp8_backend", "bf16")) if line is not None)),
    )


@rule(
    "FP210",
    "torchao-trains-nothing",
    ERROR,
    'accelerate 1.13.0..1.15.0 utils/dataclasses.py "ENABLE_FSDP_FLOAT8_ALL_GATHER": on by default',
    'accelerate 1.12.0 utils/dataclasses.py !"ENABLE_FSDP_FLOAT8_ALL_GATHER": left to torchao before, where it is off',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl ao-default]: 13 of 13 converted weights unchanged "
    "after the step",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-ao]: the same with the Trainer",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl lora16-ao]: no parameter moves at all",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl ao-gather-off]: with the option off they all move",
    claims=("frozen",),
)
def torchao_trains_nothing(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """With torchao, none of the converted weights is trained.

    Why it hurts: from accelerate 1.13 on the FSDP2 all-gather option is on by default. It puts a new parameter in
    the place of every converted weight, and outside FSDP2 nobody tells the optimizer. The loss goes down a little,
    through embeddings and norms; the Linear layers stay as they were loaded. Nothing is logged.

    Example: `backend: AO` in a single-GPU or DDP run on accelerate 1.15.

    Write instead: `enable_fsdp_float8_all_gather: false` under fp8_config.
    """
    if requested.fp8:
        require_prediction(outcome)
    if outcome.error is not None or outcome.prepared.coverage.converted == 0:
        return
    if outcome.frozen is None:
        _require_order(outcome)
        return
    training = outcome.run.training
    own = training.own_all_gather
    written = outcome.frozen if outcome.frozen.origin.span is not None else own
    place = written or requested.backend or (requested.fp8[0] if requested.fp8 else None)
    lora = training.uses_lora
    yield Found(
        "the weights that torchao converts will not be trained",
        place=place,
        label="the optimizer keeps the weights from before the conversion",
        notes=(
            "enable_fsdp_float8_all_gather is on"
            + (f" by default in {outcome.stack.name('accelerate')}" if written is None else "")
            + " and this run is not FSDP2",
            *(("with LoRA of a rank divisible by 16, nothing at all is trained",) if lora else ()),
        ),
        fact="without float8 all-gather the optimizer has the weights that run",
        fix=_gather_off(written, outcome.run),
    )


def _require_order(outcome: Outcome) -> None:
    """Where the model goes alone into prepare(), an optimizer that is made of it afterward trains, an older one not.

    Raises:
        Undecided: that is the question.
    """
    state = outcome.accelerator
    if state is not None and frozen_by_torchao(state, outcome.prepared) is not None:
        raise Undecided("whether the script makes its optimizer before prepare(model) or after it", "seen")


def _gather_off(written: Setting | None, run: Run) -> Fix | None:
    if written is not None:
        return unsafe(replace(written, False))
    fp8 = run.accelerate.fp8 if run.accelerate is not None else Section()
    return unsafe(insert(fp8, "enable_fsdp_float8_all_gather", False)) if fp8.node is not None else None


@rule(
    "FP212",
    "backend-not-named",
    WARNING,
    'accelerate 1.8.0..1.15.0 accelerator.py "# Prioritize AO -> TE -> MSAMP": the order',
    "ran accelerate 1.15.0 [conformance file-recipe-empty-1.15]: torchao, with Transformer Engine installed",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl no-backend]: both installed, torchao runs",
    requires=("packages",),  # which are installed decides here
    claims=("nothing",),
)
def backend_not_named(requested: Requested, outcome: Outcome, accelerate: AccelerateConfig) -> Iterator[Found]:
    """No backend is named, so the packages that happen to be installed choose it.

    Why it hurts: Accelerate takes torchao where it finds it, even if every other key of the section is Transformer
    Engine's. Installing or removing a package changes the recipe of the next run.

    Example: an fp8_config with `fp8_format` and `amax_history_len`, and no `backend`.

    Write instead: `backend: TE`, or `backend: AO`.
    """
    state = outcome.accelerator
    if state is None or not accelerate.wants_fp8() or state.mixed_precision.value != "fp8":
        return
    if not state.takes_first:
        return
    keys = [name for name in requested.recipe if state.backend_name == "AO"]
    lost = (f"{', '.join(keys)} belong to Transformer Engine and are ignored",) if keys else ()
    yield Found(
        f"no backend is named: Accelerate takes {state.backend_name}",
        place=accelerate.top.get("fp8_config") or accelerate.mixed_precision,
        label="the first of torchao, Transformer Engine and MS-AMP that is installed",
        notes=lost,
        fact="with a name the run does not depend on what else is installed",
        fix=_name_backend(accelerate, "TE" if keys else str(state.backend_name)),
    )


def _name_backend(accelerate: AccelerateConfig, backend: str) -> Fix | None:
    written = accelerate.fp8.get("backend")
    if written is not None:
        return unsafe(replace(written, backend))
    return unsafe(insert(accelerate.fp8, "backend", backend)) if accelerate.fp8.node is not None else None


@rule(
    "FP213",
    "llamafactory-backend-ignored",
    WARNING,
    'llamafactory 0.9.4..0.9.5 train/fp8_utils.py "FP8_BACKEND": written; Accelerate reads ACCELERATE_FP8_BACKEND',
    'accelerate 1.9.0..1.15.0 accelerator.py "ACCELERATE_FP8_BACKEND": the name that is read',
    "ran llamafactory 0.9.5, accelerate 1.11.0 [executed llamafactory-backend-is-not-read]: TE, not torchao",
    claims=("ignored",),
)
def llamafactory_backend_ignored(llamafactory: LlamaFactory, outcome: Outcome) -> Iterator[Found]:
    """LLaMA-Factory's `fp8_backend` is looked at for `te` only.

    Why it hurts: any other value ends up in a variable that nothing reads. Accelerate then takes the backend that
    it finds, tensorwise; the rowwise recipe of LLaMA-Factory is built for a log line and thrown away.

    Example: `fp8: true` with `fp8_backend: torchao`.

    Write instead: the backend in the Accelerate file: `backend: AO`, with `enable_fsdp_float8_all_gather: false`.
    """
    backend = llamafactory.get("fp8_backend")
    if backend is None or llamafactory.late_fp8(outcome.stack) is None:
        return
    if backend.value in ("te", "auto"):
        return
    require_prediction(outcome)
    state = outcome.accelerator
    if state is None:
        return
    wanted = backend_meant(str(backend.value))
    if state.backend_name == wanted == "TE" or state.mixed_precision.value != "fp8":
        return
    tensorwise = ("torchao runs tensorwise, not with LLaMA-Factory's rowwise recipe",) if wanted == "AO" else ()
    yield Found(
        f"fp8_backend: {backend.value} is not what decides: the backend will be {state.backend_name}",
        place=backend,
        label="written to the variable FP8_BACKEND, which nothing reads",
        notes=(f"the backend comes from {state.backend.origin.describe()}", *tensorwise),
        fact="what decides is the backend of an Accelerate file that accelerate launch reads",
    )


@rule(
    "FP216",
    "msamp-unmaintained",
    WARNING,
    'accelerate 1.13.0..1.15.0 accelerator.py "MS-AMP is deprecated and will be removed": a FutureWarning',
    "https://github.com/Azure/MS-AMP/issues/158",
    "https://github.com/Azure/MS-AMP/issues/196",
    "ran accelerate 1.15.0 [executed msamp-deprecated]: the FutureWarning",
    claims=("nothing",),
)
def msamp_unmaintained(outcome: Outcome, requested: Requested) -> Iterator[Found]:
    """The backend is MS-AMP, which nobody maintains any more.

    Why it hurts: it is not on PyPI, pins NCCL 2.17, and breaks `import torch` of later releases. Accelerate has
    announced that it will drop it.

    Example: `backend: MSAMP` under fp8_config.

    Write instead: `backend: TE`, or `backend: AO`.
    """
    if requested.fp8:
        require_prediction(outcome)
    if outcome.backend_name != "MSAMP":
        return
    yield Found(
        "MS-AMP is no longer maintained",
        place=requested.backend or (requested.fp8[0] if requested.fp8 else None),
        label="Accelerate has announced that it will drop it",
        fact="TE is Transformer Engine, AO is torchao",
        fix=unsafe(replace(requested.backend, "TE")) if requested.backend is not None else None,
    )


@rule(
    "FP217",
    "msamp-missing",
    ERROR,
    'accelerate 1.4.0..1.15.0 accelerator.py "MS-AMP was not found on your system.": ImportError in prepare()',
    "ran accelerate 1.15.0 [conformance file-msamp-1.15]: ImportError in prepare()",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl backend-msamp]: Accelerator() passes, prepare() raises",
    claims=("ends",),
)
def msamp_missing(outcome: Outcome, requested: Requested, packages: Mapping[str, str | None]) -> Iterator[Found]:
    """The backend is MS-AMP and it is not installed; only prepare() finds out.

    Why it hurts: the check at the start is content with any FP8 library. The run ends after the model is loaded.

    Example: `backend: MSAMP` where only Transformer Engine is installed.

    Write instead: `backend: TE`.
    """
    if outcome.backend_name != "MSAMP" or packages.get("msamp") is not None:
        return
    yield Found(
        "MS-AMP is asked for and not installed",
        place=requested.backend or (requested.fp8[0] if requested.fp8 else None),
        label="Accelerator() passes; prepare() raises ImportError, after the model is loaded",
        fact="MS-AMP is not on PyPI",
        fix=unsafe(replace(requested.backend, "TE")) if requested.backend is not None else None,
    )


@rule(
    "FP222",
    "no-amax-history",
    ERROR,
    'transformer_engine 2.1.0..2.20.2 pytorch/module/base.py "amax_history": the history is a tensor of that length',
    "ran torch 2.13.0 [executed no-amax-history]: what torch says of a tensor of -1 rows, and of row 0 of none",
    claims=("ends",),
)
def no_amax_history(outcome: Outcome, requested: Requested) -> Iterator[Found]:
    """An amax history of length 0, or shorter.

    Why it hurts: nobody checks it before the first step, where Transformer Engine makes a tensor of that many rows and
    takes the first. 0 does not mean "no history": there is no such mode.

    Example: `amax_history_len: 0` under fp8_config.

    Write instead: `amax_history_len: 1`, which is the shortest; 16 and 1024 are usual.
    """
    if "amax_history_len" in requested.recipe:
        require_prediction(outcome)
    length = (outcome.prepared.recipe or {}).get("amax_history_len")
    if length is None or not isinstance(length.value, int) or length.value > 0:
        return
    yield Found(
        f"an amax history of length {length.value} cannot be kept",
        place=length,
        label="the first step fails: Transformer Engine takes row 0 of it",
        fact="a history of 1, which looks back one step, is the least",
        fix=unsafe(replace(length, 1)) if length.origin.span is not None else None,
    )


@rule(
    "FP223",
    "e4m3-for-gradients",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/README.md loses the first step]: 72 % of the gradients zero, with HYBRID 0 %",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl te-e4m3-16]: the format arrives as written",
    claims=("FP8",),
)
def e4m3_for_gradients(outcome: Outcome, requested: Requested) -> Iterator[Found]:
    """`fp8_format: E4M3` with delayed scaling: gradients go through E4M3 as well.

    Why it hurts: E4M3 reaches down to 2^-9 only. With delayed scaling the first scale is 1, and most gradients of the
    first step round to zero; later steps live on the history. HYBRID takes E5M2, which is made for gradients.

    Example: `fp8_format: E4M3` under fp8_config.

    Write instead: `fp8_format: HYBRID`.
    """
    if "fp8_format" in requested.recipe:
        require_prediction(outcome)
    recipe = outcome.prepared.recipe or {}
    form = recipe.get("fp8_format")
    if form is None or form.value != "E4M3" or recipe["class"].value != "DelayedScaling":
        return
    if form.origin.default is not None or outcome.trains_in_fp8 is not True:
        return  # FP224 speaks of the launcher's own default
    in_file = form.origin.span is not None
    yield Found(
        "E4M3 for gradients loses most of the first step",
        place=form,
        label="72 % of the gradients were exactly zero in the first step on an H200, with HYBRID none",
        notes=() if in_file else (f"E4M3 comes from {form.origin.describe()}",),
        fact="HYBRID has E5M2 for gradients",
        fix=unsafe(replace(form, "HYBRID")) if in_file else None,
    )


@rule(
    "FP224",
    "e4m3-by-default",
    WARNING,
    'accelerate 0.34.0..1.8.0 commands/launch.py "default=" "E4M3" !"E5M2": the default of --fp8_format',
    'accelerate 1.8.1..1.15.0 commands/launch.py "choices=[" "E5M2": HYBRID from 1.8.1 on',
    "ran accelerate 1.3.0 [conformance file-te-1.3]: Transformer Engine gets E4M3",
    requires=("packages",),  # without them the release is not known
    claims=("FP8",),
)
def e4m3_by_default(outcome: Outcome, requested: Requested) -> Iterator[Found]:
    """accelerate 1.8.0 and older launch FP8 with E4M3 for the gradients too, unless told otherwise.

    Why it hurts: the launcher's default is E4M3, that of the recipe itself is HYBRID. Nobody chose it, and it costs
    most gradients of the first step (FP223).

    Example: `accelerate launch` with `mixed_precision: fp8` and no fp8_format, on accelerate 1.8.0.

    Write instead: `fp8_format: HYBRID` under fp8_config; before 1.4 the flag `--fp8_format HYBRID`.
    """
    recipe = outcome.prepared.recipe or {}
    form = recipe.get("fp8_format")
    if form is None or form.value != "E4M3" or form.origin.default is None or outcome.trains_in_fp8 is False:
        return
    if recipe["class"].value != "DelayedScaling":
        return
    copied = outcome.stack.does(Accelerate.LAUNCHER_COPIES_FP8_CONFIG)
    yield Found(
        f"{outcome.stack.name('accelerate')} uses E4M3 for gradients, too: no file names a format",
        place=requested.fp8[0] if requested.fp8 else None,
        label="E4M3 is the default of its launcher; HYBRID would give gradients more range",
        action=upgraded(outcome, "accelerate"),
        fact="with fp8_format: HYBRID under fp8_config gradients get E5M2"
        if copied
        else "with --fp8_format HYBRID gradients get E5M2",
    )


@rule(
    "FP225",
    "fp8-config-not-read",
    ERROR,
    'accelerate 0.34.0..1.3.0 commands/launch.py !"fp8_config": the section is never copied',
    'accelerate 1.5.2..1.15.0 commands/launch.py "fp8_config": copied from 1.4 on',
    "ran accelerate 1.3.0 [conformance file-te-e4m3-16-1.3]: history 1024 instead of 16",
    requires=("packages",),  # without them the release is not known
    claims=("ignored",),
)
def fp8_config_not_read(accelerate: AccelerateConfig, outcome: Outcome, run: Run) -> Iterator[Found]:
    """accelerate 1.3 and older accept fp8_config and read none of it.

    Why it hurts: backend, format and history are the launcher's defaults, whatever the file says.

    Example: `backend: TE` and `fp8_format: HYBRID` under fp8_config, with accelerate 1.3.

    Write instead: accelerate 1.13 or newer; or the flags --fp8_backend, --fp8_format and so on.
    """
    if not accelerate.wants_fp8() or not accelerate.fp8 or run.config_read is None:
        return
    if outcome.stack.does(Accelerate.LAUNCHER_COPIES_FP8_CONFIG):
        return
    yield Found(
        f"{outcome.stack.name('accelerate')} does not read fp8_config",
        place=accelerate.top.get("fp8_config"),
        label="the flags and their defaults decide instead",
        action=upgraded(outcome, "accelerate"),
        fact="accelerate 1.4 and newer read fp8_config",
    )


@rule(
    "FP234",
    "format-of-block-scaling",
    INFO,
    'accelerate 1.11.0..1.15.0 utils/dataclasses.py "if default_dict[k] != v": HYBRID is its default, and stays behind',
    'transformer_engine 2.9.0..2.20.2 common/recipe/__init__.py "class MXFP8BlockScaling" "Format = Format.E4M3"',
    "ran accelerate 1.15.0, transformer_engine 2.20.2 [executed format-of-block-scaling]: not handed over, E4M3",
    claims=("ignored",),
)
def format_of_block_scaling(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """`fp8_format: HYBRID` with block scaling, which computes in E4M3.

    Why it hurts: little. HYBRID is Accelerate's own default, and values equal to a default are not handed over; that of
    MXFP8 is E4M3, also for gradients, for which its blocks leave enough range.

    Example: `fp8_format: HYBRID` and `use_mxfp8_block_scaling: true`.

    Write instead: nothing; delete the line.
    """
    written = requested.recipe.get("fp8_format")
    if written is not None:
        require_prediction(outcome)
    scaling = scaling_of(outcome.prepared.recipe)
    real = (outcome.prepared.recipe or {}).get("fp8_format")
    if written is None or scaling is None or real is None or _same(written.value, real.value):
        return
    yield Found(
        f"{scaling.called} computes in {real.value}, not in {written.value}",
        place=written,
        label="it is Accelerate's own default, which is not handed over",
        fix=safe(delete(written)) if written.origin.span is not None else None,
    )
