"""FP5xx: what comes behind the first step: checkpoints, evaluation, generation while training, what is exported."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import upgraded
from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, INFO, WARNING, Found, rule
from fp8check.rules.outcome.effective import number
from fp8check.rules.outcome.step import ALIGNMENT
from fp8check.rules.releases.behaviors import TransformerEngine
from fp8check.rules.releases.recipes import scaling_of
from fp8check.rules.settings.edits import replace
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.definition import Place
    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.script import Call, ScriptSource
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training

_ALLOW = "NVTE_ALLOW_UNSAFE_PICKLE_EXTRA_STATE"
_EMPTY = ("no", "none", "")
_UNSHARDED = ("NO", "MULTI_GPU")
_SAVES = ("save_state", "save_model", "save_pretrained")


@rule(
    "FP540",
    "scales-are-refused",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl script-te-single]: load_state() raises it",
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl script-te-zero-2]: the same under DeepSpeed",
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl trainer-te-single-eval-in-fp8]: loading the best model",
    'transformer_engine 2.17.1..2.20.2 pytorch/_extra_state.py "Refusing to load pickled Transformer Engine extra"',
    'transformer_engine 2.16.1 pytorch/_extra_state.py "Refusing to load pickled Transformer Engine extra"',
    'transformer_engine 2.16.0..2.17.0 pytorch/module/base.py !"unsafe_pickle"',
    claims=("perhaps",),
)
def scales_are_refused(run: Run, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """A run that will load the scales of Transformer Engine's delayed scaling, which newer releases refuse.

    Why it hurts: scales and amax history stand in the checkpoint as a Python pickle. Saving them works, for hours;
    loading them back raises RuntimeError, when the run is resumed or, worse, when it is done and loads its best model.
    So it is in 2.16.1, 2.17.1, and everything since 2.18.

    Example: `accelerator.load_state("out/checkpoint")` with backend TE and Transformer Engine 2.18.

    Write instead: `NVTE_ALLOW_UNSAFE_PICKLE_EXTRA_STATE=1` in the environment, for checkpoints of your own.
    """
    place, where = _loads_scales(run, outcome)
    if not where or not _scales_by_history(requested, outcome):
        return
    if not _refuses(outcome) or _allowed(run, outcome):
        return
    yield Found(
        f"{where} will refuse the scales of its own checkpoint",
        place=place,
        label="RuntimeError: Refusing to load pickled Transformer Engine extra state for Linear",
        fact=f"{_ALLOW}=1 lets it load checkpoints that are trusted",
    )


def _loads_scales(run: Run, outcome: Outcome) -> tuple[Place, str]:
    """Where a run loads scales into layers that are converted already, and what does; "" where nothing does."""
    training = run.training
    call = _called(run.script.source, "load_state")
    if call is not None:
        return (None, "") if _is_sharded(run, outcome) else (call.span, "load_state()")
    resume = training.switched_on("resume_from_checkpoint")
    if resume is not None and outcome.distributed_type == "DEEPSPEED":
        return resume, "resuming under DeepSpeed"
    best = training.switched_on("load_best_model_at_end")
    if best is not None and training.is_huggingface and _evaluates_in_fp8(outcome) is not None:
        return best, "loading the best model, at the very end,"
    return None, ""


def _is_sharded(run: Run, outcome: Outcome) -> bool:
    """Whether each rank of FSDP saves its own part, and torch's loader looks at the sizes first."""
    kind = run.accelerate.fsdp.get("fsdp_state_dict_type") if run.accelerate is not None else None
    return outcome.distributed_type == "FSDP" and kind is not None and kind.value == "SHARDED_STATE_DICT"


def _called(script: ScriptSource | None, *names: str) -> Call | None:
    """The first call of one of these names, in a script that makes its own Accelerator."""
    if script is None or script.accelerator is None:
        return None
    return next((call for name in names for call in script.named(name)), None)


def _scales_by_history(requested: Requested, outcome: Outcome) -> bool:
    """Whether the run is Transformer Engine's, with delayed scaling, of a release that is known.

    Raises:
        Undecided: that is not known.
    """
    if not requested.concerns_fp8:
        return False
    if outcome.undecided is not None:
        raise outcome.undecided
    if not outcome.runs_te or scaling_of(outcome.prepared.recipe) is not None:
        return False
    _require_release(outcome)
    return True


def _refuses(outcome: Outcome) -> bool:
    """Whether Transformer Engine refuses pickles, and writes nothing for a recipe that has no scales to keep."""
    stack = outcome.stack
    return stack.does(TransformerEngine.REFUSES_PICKLED_STATE) or stack.does(TransformerEngine.REFUSED_PICKLED_STATE)


def _require_release(outcome: Outcome) -> None:
    if outcome.stack.known("transformer_engine") is None:
        raise Undecided("the release of Transformer Engine", "packages")


def _allowed(run: Run, outcome: Outcome) -> bool:
    """Whether Transformer Engine is told that it may load its pickles.

    Raises:
        Undecided: the variables of the run are not known.
    """
    script = run.script.source
    if script is not None and any(assigned.name == _ALLOW for assigned in script.assigned):
        return True
    setting = outcome.environment.get(_ALLOW)
    if setting is not None:
        return setting.value == "1"
    if run.facts.variables is None or run.facts.unseen:
        raise Undecided(f"whether {_ALLOW} is set", "variables")
    return False


def _evaluates_in_fp8(outcome: Outcome) -> Setting | None:
    """The setting that leaves FP8 on in evaluation, too; None where it is off."""
    recipe = outcome.accelerator.recipe if outcome.accelerator is not None else None
    setting = (recipe or {}).get("use_autocast_during_eval")
    return setting if setting is not None and setting.value else None


@rule(
    "FP541",
    "scales-start-anew",
    INFO,
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl trainer-te-single]: no history at the first step resumed",
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl trainer-te-ddp]: nor under DDP",
    'transformers 4.57.1..5.23.0 trainer.py "model.load_state_dict(state_dict, False)": what fits nowhere is dropped',
    claims=("FP8",),
)
def scales_start_anew(training: Training, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """Resuming with the Trainer starts Transformer Engine's delayed scaling anew.

    Why it hurts: the Trainer loads the weights before prepare() converts the layers, so that their scales have no place
    to go and are dropped. The first step after each resume scales with 1, and most of its gradients become zero.

    Example: `resume_from_checkpoint: true` with backend TE.

    Write instead: nothing; do not take the first step's gradient norm for a fault of the run.
    """
    resume = training.switched_on("resume_from_checkpoint")
    if resume is None or not training.is_huggingface or not _scales_by_history(requested, outcome):
        return
    if outcome.distributed_type not in _UNSHARDED:
        return
    yield Found(
        "resuming starts the scaling of Transformer Engine anew",
        place=resume,
        label="the weights are loaded before the layers are converted: scales and amax history are dropped",
        notes=("the first step scales with 1, so that most of its gradients are zero; it is right again within three",),
    )


@rule(
    "FP542",
    "checkpoint-without-scales",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl script-te-single]: not what was saved after eval()",
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl script-te-ddp]: the same under DDP",
    'accelerate 1.0.1..1.15.0 utils/other.py "def clean_state_dict_for_safetensors": of empty tensors it keeps one',
    'transformer_engine 2.4.0..2.20.2 pytorch/module/base.py "return torch.empty(0, dtype=torch.uint8)"',
    claims=("perhaps",),
)
def checkpoint_without_scales(script: ScriptSource, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """A checkpoint that save_state() writes after an evaluation, and that load_state() cannot load.

    Why it hurts: a layer that last ran outside FP8 writes an empty tensor for its scales. Accelerate takes all empty
    tensors for one and saves one of them; load_state() misses the others and raises RuntimeError. Only who saves behind
    a training step has a checkpoint that loads. A recipe that scales by blocks has no scales to write at all.

    Example: `model.eval()`, an evaluation, `accelerator.save_state()`; later `accelerator.load_state()`; backend TE.

    Write instead: `accelerator.load_state(folder, strict=False)`.
    """
    call = _called(script, "load_state")
    if call is None or not requested.concerns_fp8:
        return
    strict = call.keywords.get("strict")
    if strict is not None and strict.value is False:
        return
    if outcome.undecided is not None:
        raise outcome.undecided
    if not outcome.runs_te or outcome.distributed_type not in _UNSHARDED:
        return
    blocks = scaling_of(outcome.prepared.recipe)
    if blocks is None and not script.named("eval"):
        return
    _require_release(outcome)
    if not (_refuses(outcome) if blocks else outcome.stack.does(TransformerEngine.EMPTY_STATE_WITHOUT_FP8)):
        return
    when = f"with {blocks.called} scaling" if blocks else "after an evaluation"
    yield Found(
        f"load_state() cannot load what save_state() writes {when}",
        place=call.span,
        label='RuntimeError: Missing key(s) in state_dict: "..._extra_state", which is saved for one layer only',
        fact="load_state(folder, strict=False) passes over what is missing",
    )


@rule(
    "FP543",
    "te-1-cannot-save",
    ERROR,
    "ran accelerate 1.9.0, transformers 4.57.1 [executed te-1-cannot-save]: the first checkpoint ends the run",
    'transformer_engine 1.11.0..1.13.0 pytorch/module/base.py "state_serialized = io.BytesIO()"',
    'transformer_engine 2.1.0..2.20.2 pytorch/module/base.py !"state_serialized = io.BytesIO()"',
    claims=("perhaps",),
)
def te_1_cannot_save(run: Run, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine 1 and a checkpoint as safetensors: the first save ends the run.

    Why it hurts: its layers put a file object into the state dict, where the code that writes safetensors expects a
    tensor. All goes well until the first checkpoint, and AttributeError ends the run there with nothing saved.

    Example: `save_steps: 500` with Transformer Engine 1.13.

    Write instead: Transformer Engine 2.
    """
    place, what = _saves(run)
    if not what or not _scales_by_history(requested, outcome):
        return
    if not outcome.stack.does(TransformerEngine.STATE_IS_A_FILE):
        return
    yield Found(
        f"{what} ends the run: {outcome.stack.name('transformer_engine')} cannot be saved as safetensors",
        place=place,
        label="AttributeError: '_io.BytesIO' object has no attribute 'device'",
        action=upgraded(outcome, "transformer_engine"),
        fact="Transformer Engine 2 can load these checkpoints",
    )


def _saves(run: Run) -> tuple[Place, str]:
    """Where a run saves its model, and what does; "" where nothing is known to."""
    call = _called(run.script.source, *_SAVES)
    if call is not None:
        plainly = call.keywords.get("safe_serialization")
        return (None, "") if plainly is not None and plainly.value is False else (call.span, f"{call.name}()")
    strategy = run.training.get("save_strategy")
    if not run.training.is_huggingface or (strategy is not None and str(strategy.value).lower() in _EMPTY):
        return None, ""
    return strategy or run.training.setting_for("model"), "the first checkpoint"


@rule(
    "FP544",
    "ragged-evaluation-in-fp8",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl trainer-te-single-eval-in-fp8]: ValueError in evaluate()",
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl script-te-single-eval-in-fp8]: 21 tokens; generate()",
    'accelerate 1.9.0..1.15.0 utils/transformer_engine.py "enabled = use_during_eval or self.training"',
    claims=("perhaps",),
)
def ragged_evaluation_in_fp8(training: Training, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """Evaluation in FP8, of batches whose tokens need not be divisible by 8.

    Why it hurts: evaluation runs in BF16 unless `use_autocast_during_eval` is on. Then its batches have to be as
    training's are, and the last one of the data set, or each, is not: ValueError at the first evaluation, hours in.
    generate() of one sequence cannot run at all.

    Example: `use_autocast_during_eval: true` with batches padded to their longest sequence.

    Write instead: `use_autocast_during_eval: false`.
    """
    strategy = training.get("eval_strategy") or training.get("evaluation_strategy")
    if strategy is None or strategy.is_later or str(strategy.value).lower() in _EMPTY or not requested.concerns_fp8:
        return
    if outcome.undecided is not None:
        raise outcome.undecided
    switch = _evaluates_in_fp8(outcome)
    if switch is None or not outcome.runs_te:
        return
    tokens = training.tokens
    if tokens is not None and tokens.last % ALIGNMENT == 0:
        return
    written = switch.origin.span is not None
    fix = unsafe(replace(switch, False)) if written and switch.value is True else None
    off = "" if fix is not None else "with use_autocast_during_eval: false "
    yield Found(
        "evaluation runs in FP8, and the tokens of its batches may not always be a multiple of 8",
        place=switch if written else strategy,
        label="ValueError: FP8 execution requires the product of all dimensions except the last to be divisible by 8",
        fact=f"{off}evaluation is not in FP8, and takes any number of tokens",
        fix=fix,
    )


@rule(
    "FP545",
    "rollouts-in-fp8",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl grpo-te-single]: ValueError in the first step, 12 tokens",
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl grpo-te-ddp]: the same under DDP",
    claims=("perhaps",),
)
def rollouts_in_fp8(training: Training, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """A trainer that generates what it trains on, with Transformer Engine, in micro-batches of no multiple of 16.

    Why it hurts: prompts and completions have any length, so that only the number of sequences can make the tokens of
    a batch divisible. The model stays in training mode while it generates, and there FP8 is on as well: one token a
    sequence. ValueError in the first step, or at the first batch that is unlucky.

    Example: GRPO with `per_device_train_batch_size: 8` and backend TE.

    Write instead: `per_device_train_batch_size: 16`.
    """
    if not training.generates or not requested.concerns_fp8:
        return
    if outcome.undecided is not None:
        raise outcome.undecided
    rows = number(outcome.effective.micro_batch)
    if rows is None or rows % ALIGNMENT == 0 or not outcome.runs_te:
        return
    yield Found(
        f"{rows} sequences of any length: the tokens of a batch may not always be a multiple of {ALIGNMENT}",
        place=training.setting_for("micro_batch") or training.setting_for("model"),
        label="ValueError: FP8 execution requires the product of all dimensions except the last to be divisible by 8",
        fact=f"micro-batches that are a multiple of {ALIGNMENT} are not affected, nor is backend: AO, which pads",
    )


@rule(
    "FP546",
    "adapters-hold-scales",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl script-te-single-lora]: 28 keys beside 28 weights",
    "https://github.com/vllm-project/vllm/blob/main/vllm/lora/utils.py",
    claims=("FP8",),
)
def adapters_hold_scales(training: Training, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """The file of the adapters holds Transformer Engine's `_extra_state` beside the weights.

    Why it hurts: adapters whose rank 16 divides are converted, and each gets a key of its own in
    adapter_model.safetensors. PEFT passes over them. Others that know only lora_A.weight and lora_B.weight refuse the
    file: vLLM raises ValueError, "is unsupported LoRA weight", when the training is long done.

    Example: `lora_rank: 16` with backend TE.

    Write instead: `lora_rank: 8`, which leaves the adapters in BF16; or take the keys out before you serve the file.
    """
    rank = training.lora_rank if training.uses_lora else None
    if rank is None or rank % ALIGNMENT or not requested.concerns_fp8:
        return
    if outcome.undecided is not None:
        raise outcome.undecided
    if not outcome.runs_te or outcome.trains_in_fp8 is not True:
        return
    yield Found(
        "the saved adapters will hold keys that not every loader takes",
        place=training.get(training.rank_key) or training.setting_for("model"),
        label="lora_A and lora_B are converted, and each saves an `_extra_state` beside its weight",
        fact="vLLM takes adapter_model.safetensors without the keys that end with _extra_state",
    )


@rule(
    "FP547",
    "scales-under-fsdp1",
    ERROR,
    "ran accelerate 1.15.0, torch 2.13.0 [executed scales-under-fsdp1]: CheckpointException, a size mismatch",
    "measured NVIDIA H200 [docs/evidence/h200-beyond.jsonl script-te-fsdp1]: 15 keys of scales in the shards",
    claims=("perhaps",),
)
def scales_under_fsdp1(run: Run, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """A sharded checkpoint of FSDP1 with Transformer Engine, which cannot be loaded again.

    Why it hurts: behind a training step the checkpoint holds the scales of each layer. A model that has only just been
    prepared has none yet, and torch's loader refuses a tensor of another size: CheckpointException, on every rank,
    at the resume. The checkpoints are there, and of no use.

    Example: `accelerator.save_state()` under `fsdp_version: 1` with SHARDED_STATE_DICT and backend TE.

    Write instead: a forward pass in evaluation mode before each save_state(): then there are no scales to save.
    """
    call = _called(run.script.source, "save_state", "load_state")
    if call is None or not _scales_by_history(requested, outcome) or not _is_sharded(run, outcome):
        return
    yield Found(
        "the checkpoint of this run cannot be loaded again",
        place=call.span,
        label="load_state(): CheckpointException: Size mismatch between saved torch.Size([...]) and torch.Size([0])",
        fact="a model that ran in evaluation mode before save_state() has no layer with scales to save",
    )
