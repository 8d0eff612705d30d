"""Rules about the training script itself: what it passes to Accelerate, and in which order."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import dropped
from fp8check.rules.engine.definition import ERROR, WARNING, Found, Related, rule
from fp8check.rules.engine.requirements import reached, require_prediction
from fp8check.rules.settings.launch import LAUNCHER_FLAGS
from fp8check.rules.settings.script import READERS, Unevaluated, model_prepared_alone, models_in
from fp8check.rules.trainers.data import is_no_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.outcome import Outcome
    from fp8check.rules.releases.errors import ErrorCode, PredictedError
    from fp8check.rules.settings.script import Call, Script, ScriptSource
    from fp8check.rules.trainers.run import Run


@rule(
    "FP227",
    "filter-filters-nothing",
    WARNING,
    'accelerate 1.4.0..1.15.0 utils/ao.py "def filter_first_and_last_linear_layers": it looks inside one layer',
    "ran accelerate 1.15.0, torchao 0.18.0 [executed filter-filters-nothing]: all of three layers are converted",
    claims=("nothing",),
)
def filter_filters_nothing(script: ScriptSource) -> Iterator[Found]:
    """Accelerate's own `filter_first_and_last_linear_layers` excludes no layer when it is passed to a recipe.

    Why it hurts: torchao calls it with one layer at a time, and it looks for the first and the last layer inside that
    one. The first layer and the head are converted, too. Left out, Accelerate excludes them by itself.

    Example: `AORecipeKwargs(module_filter_func=filter_first_and_last_linear_layers)`.

    Write instead: `AORecipeKwargs()`.
    """
    for call in script.named("AORecipeKwargs"):
        passed = call.keywords.get("module_filter_func")
        if passed is None or not isinstance(passed.value, Unevaluated):
            continue
        if passed.value.text.rpartition(".")[2] != "filter_first_and_last_linear_layers":
            continue
        yield Found(
            "filter_first_and_last_linear_layers excludes no layer",
            place=passed,
            label="torchao calls it with one layer at a time: first layer and head are converted, too",
            fact="without module_filter_func Accelerate excludes both by itself",
        )


@rule(
    "FP233",
    "two-models-prepared",
    ERROR,
    'accelerate 0.34.0..1.15.0 accelerator.py "You can\'t use multiple models (": ValueError with Transformer Engine',
    "ran accelerate 1.15.0 [executed two-models-prepared]: ValueError",
    claims=("ends",),
)
def two_models_prepared(script: ScriptSource, outcome: Outcome) -> Iterator[Found]:
    """The script gives two models to one prepare(), with Transformer Engine.

    Why it hurts: Accelerate maps one optimizer to one converted model, and raises ValueError. DPO with a reference
    model, distillation and GANs come to it.

    Example: `accelerator.prepare(model, ref_model, optimizer)`.

    Write instead: backend AO; or prepare the model that trains alone with its optimizer, and leave the other as it is.
    """
    call = next((one for one in script.prepares if len(models_in(one)) > 1), None)
    if call is None:
        return
    require_prediction(outcome)
    error = outcome.error_of("te-several-models")
    if error is None:
        return
    yield Found(
        f"{' and '.join(models_in(call))} are prepared together",
        place=call.span,
        label=f"{error.type}: {error.message}",
        fact="the model that trains goes into prepare() with its optimizer; backend: AO takes several",
    )


@rule(
    "FP323",
    "wrong-keyword",
    ERROR,
    'accelerate 0.34.0..1.15.0 accelerator.py "kwargs_handlers" !"kwarg_handlers": the name of the argument',
    "ran accelerate 1.15.0 [executed wrong-keyword]: TypeError, unexpected keyword argument 'kwarg_handlers'",
    "ran accelerate 1.15.0 [executed wrong-keyword-of-recipe]: TypeError, 'optimization_level'",
    claims=("ends",),
)
def wrong_keyword(script: ScriptSource, outcome: Outcome) -> Iterator[Found]:
    """A keyword of Accelerate's documentation that its classes do not have.

    Why it hurts: TypeError, when the Accelerator or its recipe is made.

    Example: `Accelerator(kwarg_handlers=[...])`, `FP8RecipeKwargs(optimization_level="O2")`.

    Write instead: `kwargs_handlers`, `opt_level`.
    """
    from fp8check.rules.releases.accelerate_classes import wrong_keywords  # most runs have no script

    for call, wrong, right in wrong_keywords(script, outcome.stack):
        if outcome.starts:
            return
        yield Found(
            f"{call.name} has no {wrong}",
            place=call.keywords[wrong],
            label=reached(outcome, f"TypeError: unexpected keyword argument {wrong!r}", "wrong-keyword"),
            fact=f"its name is {right}" if right else f"{call.name} takes other keywords",
        )
    if next(wrong_keywords(script, outcome.stack, perhaps=True), None) is not None:
        require_prediction(outcome)


@rule(
    "FP324",
    "model-prepared-alone",
    ERROR,
    'accelerate 0.34.0..1.15.0 accelerator.py "You must pass a model and an optimizer together": ValueError',
    "ran accelerate 1.15.0 [conformance script-model-only-te-1.15]: ValueError in prepare()",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl model-only]: ValueError in prepare()",
    "https://github.com/kohya-ss/sd-scripts/issues/2176",
    claims=("ends", "no FP8"),
)
def model_prepared_without_optimizer(script: ScriptSource, outcome: Outcome) -> Iterator[Found]:
    """The script prepares the model in one call and the optimizer in another, or the model alone.

    Why it hurts: Transformer Engine's layers have new weights, and Accelerate maps the optimizer to them in the same
    call only. Alone, prepare() raises ValueError; so does a run that only evaluates. FSDP2 wants both together, too.

    A model that the loop trains and that no prepare() gets is not converted, and no mixed precision is put around it.

    Example: `model = accelerator.prepare(model)`, then `optimizer = accelerator.prepare(optimizer)`.

    Write instead: `model, optimizer = accelerator.prepare(model, optimizer)`.
    """
    call = model_prepared_alone(script)
    if call is None:
        yield from _never_prepared(script, outcome)
        return
    require_prediction(outcome)
    error = outcome.error_of("te-model-alone", "fsdp2-model-alone")
    if error is None:
        return
    others = [one for one in script.prepares if any("opt" in name.lower() for name in one.positional or ())]
    yield Found(
        "the model is prepared without its optimizer",
        place=call.span,
        label=f"{error.type}: {error.message}",
        related=tuple(Related(one.span, "the optimizer is prepared here") for one in others),
        fact="accelerator.prepare(model, optimizer, ...) prepares both in one call",
    )


def _never_prepared(script: ScriptSource, outcome: Outcome) -> Iterator[Found]:
    if script.unprepared is None:
        return
    require_prediction(outcome)
    if outcome.accelerator is None or outcome.accelerator.requested.value != "fp8":
        return
    error = outcome.error_of("te-model-alone", "fsdp2-model-alone")
    if error is None and (not outcome.starts or outcome.prepared.coverage.converted):
        return
    yield Found(
        "the model is not given to prepare(): it trains without FP8 and without mixed precision",
        place=script.unprepared,
        label="no prepare() comes before this step" if error is None else f"{error.type}: {error.message}",
        fact="prepare() takes model and optimizer together",
    )


@rule(
    "FP325",
    "environment-set-too-late",
    ERROR,
    'accelerate 0.34.0..1.15.0 state.py "parse_choice_from_env(": read when the state is made, once',
    "ran accelerate 1.15.0 [executed environment-set-too-late]: mixed_precision no",
    claims=("ignored",),
)
def environment_set_too_late(script: ScriptSource) -> Iterator[Found]:
    """The script sets a variable of Accelerate after what reads it.

    Why it hurts: Accelerator() reads the environment once. Later it counts for nobody.

    Example: `accelerator = Accelerator()`, and below it `os.environ["ACCELERATE_MIXED_PRECISION"] = "fp8"`.

    Write instead: the assignment above; better, `Accelerator(mixed_precision="fp8")`.
    """
    readers = script.named(*READERS)
    ends: dict[tuple[int, ...], int | None] = {}
    for assigned in script.assigned:
        # From accelerate 1.9 on ACCELERATE_FP8_BACKEND is read whenever the backend is asked for.
        if not assigned.name.startswith("ACCELERATE_") or assigned.name == "ACCELERATE_FP8_BACKEND" or not readers:
            continue
        if assigned.block not in ends:
            ends[assigned.block] = _last_in(assigned.block, readers)
        end = ends[assigned.block]
        if end is None or end > assigned.span.start:
            continue  # a reader comes after it, or may
        yield Found(
            f"{assigned.name} is set too late",
            place=assigned.span,
            label="nothing reads it after this line",
            related=(Related(readers[0].span, "the environment was read here"),),
            fact="above the Accelerator it would count, and so does mixed_precision=... of Accelerator()",
        )


def _last_in(block: tuple[int, ...], calls: Sequence[Call]) -> int | None:
    """Where the last of these calls begins, if all run when that list of statements does; else None."""
    depth = len(block)
    for call in calls:
        if call.block[:depth] != block or any(number < 0 for number in call.block[depth:]):
            return None
    return max(call.span.start for call in calls)


@rule(
    "FP326",
    "never-in-training-mode",
    WARNING,
    'accelerate 1.0.1..1.15.0 utils/transformer_engine.py "self.training": FP8 autocast is on in training mode only',
    'transformers 4.45.2..5.24.0 modeling_utils.py "model.eval()": from_pretrained leaves a model in evaluation mode',
    "ran transformers 5.24.0, accelerate 1.15.0 [executed evaluation-mode-after-loading]: no layer in FP8 autocast",
    claims=("perhaps",),
)
def never_in_training_mode(script: ScriptSource, outcome: Outcome) -> Iterator[Found]:
    """A script that loads its model with from_pretrained and never calls model.train().

    Why it hurts: from_pretrained leaves the model in evaluation mode, where Accelerate keeps Transformer Engine's FP8
    autocast off. The layers are converted and every GEMM runs in BF16; dropout is off as well.

    Example: `model = AutoModel.from_pretrained(...)` and a loop of your own without `model.train()`.

    Write instead: `model.train()` before the loop.
    """
    loads = [(call, script.text[call.span.start : call.span.end]) for call in script.named("from_pretrained")]
    models = [call for call, called in loads if "Model" in called or "For" in called]
    if script.accelerator is None or not models or script.named("train"):
        return
    require_prediction(outcome)
    if outcome.backend_name != "TE" or not outcome.prepared.autocast:
        return
    eval_too = (outcome.accelerator.recipe or {}).get("use_autocast_during_eval") if outcome.accelerator else None
    if eval_too is not None and eval_too.value:
        return
    yield Found(
        "nothing here puts the model into training mode: then no GEMM runs in FP8",
        place=models[0].span,
        label="from_pretrained leaves it in evaluation mode, unless what this script imports calls model.train()",
        fact="model.train() before the loop is what puts it into training mode",
    )


@rule(
    "FP336",
    "trained-in-evaluation-mode",
    ERROR,
    'accelerate 1.0.1..1.15.0 utils/transformer_engine.py "self.training": FP8 autocast is on in training mode only',
    "ran accelerate 1.15.0 [command script-modes-te-no-train]: 15 layers converted, none runs in FP8",
    claims=("no FP8",),
)
def trained_in_evaluation_mode(script: ScriptSource, outcome: Outcome) -> Iterator[Found]:
    """The script's loop trains a model that is in evaluation mode, with Transformer Engine.

    Why it hurts: from_pretrained() leaves a model in evaluation mode, and Accelerate enters FP8 autocast in training
    mode alone. The layers are converted, and every GEMM runs in BF16; dropout is off as well.

    Example: `model = AutoModel.from_pretrained(...)`, prepare(), and a loop without `model.train()`.

    Write instead: `model.train()` before the loop.
    """
    if script.evaluates is None:
        return
    require_prediction(outcome)
    if outcome.backend_name != "TE" or outcome.prepared.autocast or outcome.prepared.coverage.converted == 0:
        return
    if outcome.accelerator is not None and outcome.accelerator.is_fsdp2:
        return  # nothing runs in FP8 there: FP502 speaks
    yield Found(
        "the model is trained in evaluation mode: no GEMM runs in FP8",
        place=script.evaluates,
        label="no model.train() comes before this step",
        fact="model.train() before the loop is what puts it into training mode",
    )


_INSTEAD: Mapping[ErrorCode, str] = {
    "deepspeed-plugin-twice": "one of deepspeed_plugin and deepspeed_plugins is enough",
    "plugin-is-no-object": "the plugin is an object of its class, with these values as its arguments",
    "script-without-deepspeed": "the plugin needs deepspeed",
    "deepspeed-without-batch-size": "a data loader that prepare() gets says it, or train_micro_batch_size_per_gpu",
    "deepspeed-without-launcher": "torchrun, deepspeed and accelerate launch tell a process its rank; or MPI does",
    "context-parallel-without-fsdp": "it goes with an fsdp_plugin of fsdp_version=2",
    "mesh-without-launcher": "torchrun and accelerate launch start the processes that it needs",
    "mesh-too-large": "the product of the sizes is the number of processes",
    "mesh-not-whole": "the product of the sizes is the number of processes",
    "handler-twice": "one handler of each class is taken",
    "accumulation-twice": "one of the two is enough: GradientAccumulationPlugin(num_steps=...)",
}


@rule(
    "FP337",
    "object-refused",
    ERROR,
    'accelerate 1.15.0 accelerator.py "You cannot pass in both `deepspeed_plugins` and `deepspeed_plugin`": ValueError',
    'accelerate 1.15.0 accelerator.py "in `kwargs_handlers`.": ValueError for two handlers of one class',
    "ran accelerate 1.15.0 [command script-objects-parallel-too-many]: RuntimeError: Mesh should not be bigger",
    "ran accelerate 1.15.0 [command script-ways-same-handler-twice]: You can only pass one ... in `kwargs_handlers`",
    "ran deepspeed 0.19.8 [command script-objects-deepspeed-mpi]: No module named 'mpi4py', which asks MPI",
    claims=("ends",),
)
def object_refused(run: Run, outcome: Outcome) -> Iterator[Found]:
    """An object that the script gives to Accelerator, and that Accelerator refuses.

    Why it hurts: the script ends when it makes its Accelerator, or at prepare(): on the node, after the queue.

    Example: `ParallelismConfig(tp_size=2)` in a script that is started without a launcher; two `TERecipeKwargs()`.

    Write instead: what the message asks for.
    """
    error = outcome.error_of(*_INSTEAD)
    if error is None and outcome.undecided is not None and run.script.plugins:
        raise outcome.undecided
    if error is None:
        return
    yield Found(
        f"Accelerator refuses what {run.launch.script or 'the script'} gives it",
        place=error.because[0],
        label=f"{error.type}: {error.message}",
        fact=_INSTEAD[error.code],
    )


@rule(
    "FP338",
    "word-refused",
    ERROR,
    "ran python 3.11.7 [command script-mains-argparse-4]: error: unrecognized arguments: True",
    "ran typer 0.29.2 [command script-mains-typer-4]: it ends as well",
    "ran tyro 1.0.17 [command script-mains-tyro-3]: it ends as well",
    "ran transformers 5.23.0 [command flags-no-flag-te]: ValueError: Some specified arguments are not used",
    "ran transformers 5.23.0 [command fourth-cut-hf-learn]: SystemExit: ambiguous option: --learn",
    claims=("ends",),
)
def word_refused(run: Run, outcome: Outcome) -> Iterator[Found]:
    """A word of the command that no option of the script's parser takes.

    Why it hurts: the script ends before it does anything. So it does at a keyword that TrainingArguments or a class of
    TRL had once, and has no more. A flag of the launcher that stands behind the script is the
    script's, which may have none of that name, or take other values: the examples of diffusers take no, fp16 and bf16
    for --mixed_precision. The beginning of a flag is enough for argparse where no other begins so: --learn may be
    --learning_rate and --learning-rate, and ends the run.

    Example: `python train.py --bf16 True`, where the script has `add_argument("--bf16", action="store_true")`; or
    `accelerate launch train.py --mixed_precision fp8`, where it parses TrainingArguments; or
    `SFTConfig(max_seq_length=2048)` or `SFTTrainer(tokenizer=tokenizer)` with TRL 1.16.

    Write instead: `--bf16`; `accelerate launch --mixed_precision fp8 train.py`.
    """
    error = outcome.error_of("script-refuses-words", "unknown-training-key", "ambiguous-flag")
    flag = error.because[0].origin.flag if error is not None else None
    if error is None:
        return
    if flag is None:
        yield from _argument_gone(run.script, error)
        yield from _key_refused(run, error)
        return
    script = run.launch.script or run.launch.through or "the script"
    name = flag.split()[0].partition("=")[0].lstrip("-").replace("-", "_")
    if error.code == "ambiguous-flag":
        yield Found(
            f"{script} does not take {flag}",
            place=error.because[0],
            label=f"{error.type}: {error.message}",
            fact="argparse takes the beginning of a flag where no other begins so, and counts two spellings as two",
        )
        return
    misplaced = name in LAUNCHER_FLAGS and run.launch.tool in ("accelerate", "python") and not run.launch.flag(name)
    yield Found(
        f"{script} does not take {flag}",
        place=error.because[0],
        label=f"{error.type}: {error.message}",
        fact=f"accelerate launch {flag} {script} ... is its place" if misplaced else "",
        action=dropped(str(flag)) if not misplaced else None,
    )


def _key_refused(run: Run, error: PredictedError) -> Iterator[Found]:
    """A key of the file that the script's parser reads, of which none of its classes knows."""
    from fp8check.rules.releases.training_arguments import MEANT, TAKE_A_SHARE  # most files have no such key

    parsed, spans = run.script.parsed, {setting.origin.span for setting in error.because}
    if parsed is None:
        return
    for name, setting in run.training.top.settings():
        if setting.origin.span not in spans:
            continue
        meant = MEANT.get(name, "")
        about_fp8 = "FP8 is mixed_precision: fp8 of the Accelerate file" if is_no_argument(name) else ""
        yield Found(
            f"{parsed.parser} in {run.launch.script or 'the script'} refuses {name}",
            place=setting,
            label=f"{error.type}: {error.first_line}",
            fact=f"its name is {meant}{', which takes a share as well' * (meant in TAKE_A_SHARE)}"
            if meant
            else about_fp8,
        )


def _argument_gone(script: Script, error: PredictedError) -> Iterator[Found]:
    """A keyword of TrainingArguments, of TRL's configurations or of a Trainer that these had once, or got later."""
    from fp8check.rules.releases.training_arguments import MEANT, TAKE_A_SHARE  # most runs have no such keyword

    span = error.because[0].origin.span
    named = (
        (call, name)
        for call in (*script.arguments, *script.constructs)
        for name, one in call.keywords.items()
        if one.origin.span == span and name == error.flag  # all of ** have one place
    )
    for call, name in named:
        meant = MEANT.get(name, "")
        yield Found(
            f"{call.name} refuses {name}",
            place=error.because[0],
            label=f"{error.type}: {error.message}",
            fact=f"its name is {meant}{', which takes a share as well' * (meant in TAKE_A_SHARE)}" if meant else "",
        )


@rule(
    "FP339",
    "backward-without-gradients",
    ERROR,
    "ran torch 2.13.0 [command script-modes-te-no-grad]: RuntimeError: element 0 of tensors does not require grad",
    claims=("ends",),
)
def backward_without_gradients(outcome: Outcome) -> Iterator[Found]:
    """The script goes back from what it computed under torch.no_grad() or torch.inference_mode().

    Why it hurts: RuntimeError in the first step, once the model is loaded and converted.

    Example: `with torch.no_grad(): loss = model(**batch).loss`, then `accelerator.backward(loss)`.

    Write instead: the forward pass outside of the block.
    """
    error = outcome.error_of("backward-without-gradients")
    if error is None:
        return
    yield Found(
        "what goes back here was computed without gradients",
        place=error.because[0],
        label=f"{error.type}: {error.message}",
        fact="outside of torch.no_grad() and torch.inference_mode() the loss has gradients",
    )
