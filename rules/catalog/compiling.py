"""FP5xx: torch.compile: torchao needs it, Transformer Engine does not bear it."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import unset, write
from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import WARNING, Found, rule
from fp8check.rules.engine.requirements import require_decided
from fp8check.rules.outcome.compiled import asked_by, switched_off
from fp8check.rules.releases.behaviors import Torch, TransformerEngine
from fp8check.rules.settings.edits import replace
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training


def _torchao(outcome: Outcome) -> bool:
    return outcome.backend_name == "AO" and outcome.trains_in_fp8 is True


@rule(
    "FP518",
    "torchao-not-compiled",
    WARNING,
    "https://github.com/pytorch/ao/issues/685",
    "https://github.com/pytorch/ao/blob/v0.13.0/torchao/float8/README.md",
    'axolotl 0.19.0 utils/schemas/validation.py "torch_compile is strongly recommended for FP8 training"',
    'measured NVIDIA H200 [docs/evidence/h200-speed.jsonl "AO" "compiled": false]: 0.12 to 0.53 times the speed',
    claims=("FP8",),
)
def torchao_not_compiled(run: Run, requested: Requested, outcome: Outcome, probed: bool) -> Iterator[Found]:
    """torchao without torch.compile: slower than BF16, with more memory.

    Why it hurts: torchao casts in many small kernels, which only torch.compile fuses. Without it FP8 was slower than
    BF16 at every size that was measured on an H200, 7 to 9 times at 0.5B and 1.5B, and takes half as much memory again.

    Example: `fp8_config: {backend: AO}` and no `torch_compile: true`.

    Write instead: `torch_compile: true` in the training file, or `dynamo_backend: INDUCTOR` under dynamo_config.
    """
    require_decided(requested, outcome)
    if not _torchao(outcome) or outcome.effective.compiled is not None:
        return
    if not run.training.is_huggingface:
        if probed:
            return  # FP814 says whether it is slower
        raise Undecided("whether the script compiles the model itself", "seen")
    off = run.training.get("torch_compile")
    against = _against_compiling(run, outcome)
    yield Found(
        "torchao without torch.compile is slower than BF16",
        place=off or requested.backend or next(iter(requested.fp8), None),
        label="nothing compiles the model: each cast to FP8 is a kernel of its own",
        fact=against,
        fix=unsafe(write(run.training.top, "torch_compile", True)) if not against else None,
    )


def _against_compiling(run: Run, outcome: Outcome) -> str:
    """Why torchao compiled fails as well; "" where it does not."""
    if _is_ddp(outcome) and outcome.stack.does(Torch.DDP_CUTS_TORCHAO):
        return "compiled, it needs FSDP2 or torch 2.11 here: with DDP the compiled step may fail (FP520)"
    if run.model is not None and _has_linear_experts(run.model, outcome):
        return "its experts cannot be compiled with torchao (FP521); BF16 trains them"
    return ""


def _is_ddp(outcome: Outcome) -> bool:
    return outcome.distributed_type == "MULTI_GPU"


def _has_linear_experts(model: ModelShape, outcome: Outcome) -> bool:
    if model.routed is None:
        return False
    block = model.block_in(outcome.stack.version("transformers")[0])
    return any(".experts." in linear.name for linear in block)


@rule(
    "FP519",
    "te-compiled",
    WARNING,
    'transformer_engine 2.15.0..2.20.2 pytorch/quantization.py "DelayedScaling is not supported under torch.compile"',
    'transformer_engine 2.8.0..2.20.2 pytorch/module/linear.py "@no_torch_dynamo()": the graph breaks at each layer',
    "ran transformer_engine 2.20.2 [executed te-refuses-the-compiler]: it ends with fullgraph, else nothing is raised",
    "measured NVIDIA H200 [docs/evidence/tries-h200.jsonl tenth-compiled-plain]: the first step ends, torch 2.11.0",
    claims=("perhaps",),
)
def te_compiled(run: Run, outcome: Outcome) -> Iterator[Found]:
    """torch.compile on a model of Transformer Engine layers.

    Why it hurts: Transformer Engine keeps the compiler out of its layers, so that the graph breaks at each of them:
    long compilation, nothing gained. From 2.15 on it refuses to be traced with delayed scaling, which is what
    Accelerate uses: with fullgraph the compiler ends there, without it the graph breaks once more. With torch 2.11 the
    first step ends before that, where the compiler comes to Transformer Engine's own look at the GPU.

    Example: `torch_compile: true` with backend TE.

    Write instead: `torch_compile: false`; or backend AO, which needs the compiler.
    """
    compiles = outcome.effective.compiled
    if compiles is None or not outcome.runs_te:
        return
    if outcome.error_of("te-traced") is not None:
        comes = "the first step ends in the compiler, at Transformer Engine's own look at the GPU"
    elif outcome.stack.does(TransformerEngine.REFUSES_COMPILED_DELAYED_SCALING):
        comes = "the graph breaks at FP8 autocast; with fullgraph: DelayedScaling is not supported under torch.compile"
    else:
        comes = "the graph breaks at every Transformer Engine layer"
    in_file = compiles.origin.span is not None
    flag = in_file and compiles == run.training.get("torch_compile")
    yield Found(
        "torch.compile does not go with Transformer Engine",
        place=compiles if in_file else None,
        label=comes,
        fact="torchao is what compiling is for",
        fix=unsafe(replace(compiles, False)) if flag else None,
    )


@rule(
    "FP520",
    "torchao-compiled-under-ddp",
    WARNING,
    "https://github.com/pytorch/ao/issues/2586",
    "https://github.com/pytorch/pytorch/issues/158936",
    "https://github.com/pytorch/ao/issues/1308",
    "measured NVIDIA H200 [docs/evidence/h200-ddp.jsonl ddp-trainer-compile]: torch 2.11.0 trains, 27 layers in FP8",
    "measured NVIDIA H200 [docs/evidence/h200-ddp.jsonl ddp-as-reported]: the reported case, torch 2.11.0: trains",
    claims=("perhaps",),
)
def torchao_compiled_under_ddp(run: Run, outcome: Outcome) -> Iterator[Found]:
    """torchao, torch.compile and DDP with a Hugging Face model, and a torch before 2.11: the compiler may fail.

    Why it hurts: DDP cuts the compiled graph into pieces, and torch up to the nightly builds of 2.9 did not get
    torchao's tensors over the cuts: "RuntimeError: val" in the first step, with any backend of the compiler. With torch
    2.11 the same runs train (measured, seven ways to write them). Between the two nobody looked.

    Example: `distributed_type: MULTI_GPU`, backend AO and `torch_compile: true` with torch 2.8.

    Write instead: torch 2.11 or newer; or FSDP2 instead of DDP.
    """
    compiles = outcome.effective.compiled
    if compiles is None or not _torchao(outcome) or not _is_ddp(outcome):
        return
    if not run.training.is_huggingface:
        return  # a model of another kind may work
    if not outcome.stack.has("torch"):
        raise Undecided("the release of torch: before 2.11 the compiled step may fail under DDP", "packages")
    if not outcome.stack.does(Torch.DDP_CUTS_TORCHAO):
        return
    yield Found(
        "torchao and torch.compile under DDP may fail on Hugging Face models",
        place=compiles,
        label="reported of torch before 2.11: the compiled step ends with RuntimeError: val",
        fact="torch 2.11 and newer run it, and so does FSDP2 with fsdp_cpu_ram_efficient_loading: false",
    )


@rule(
    "FP521",
    "torchao-compiled-experts",
    WARNING,
    "ran torch 2.13.0, torchao 0.18.0, transformers 4.57.1 [executed compiled-experts]: 6 breaks, a dense model none",
    "https://github.com/pytorch/ao/issues/1200",
    "https://github.com/pytorch/pytorch/issues/139125",
    claims=("perhaps",),
)
def torchao_compiled_experts(training: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """torchao and torch.compile on a mixture of experts whose experts are Linear layers (transformers 4).

    Why it hurts: which tokens an expert gets is known in the step only. The graph breaks around the experts, six times
    in one layer of Mixtral, and torchao's casts there are not fused across the breaks: what it needs the compiler for.
    Numbers of tokens that are not multiples of 16 are refused as well, unless they are padded.

    Example: Mixtral with transformers 4.57, backend AO and `torch_compile: true`.

    Write instead: BF16; or transformers 5, where experts are not Linear layers and stay in BF16.
    """
    compiles = outcome.effective.compiled
    if compiles is None or model.routed is None or not _torchao(outcome) or not _has_linear_experts(model, outcome):
        return
    yield Found(
        "torch.compile breaks the graph at experts, whose number of tokens changes in every step",
        place=compiles if outcome.run.launch.places(compiles) else training.setting_for("model"),
        label=f"{model.routed.number} experts a layer, each of Linear layers with dynamic shapes",
        fact="transformers 5 leaves experts out of FP8",
    )


@rule(
    "FP535",
    "compiling-switched-off",
    WARNING,
    'torch 2.9.1..2.15.0 _dynamo/config.py "TORCH_COMPILE_DISABLE"',
    'torch 2.9.1..2.15.0 _dynamo/eval_frame.py "TORCHDYNAMO_DISABLE"',
    "ran torch 2.13.0 [executed compiling-switched-off]: with either, torch.compile calls the function as it is",
    claims=("ignored",),
)
def compiling_switched_off(run: Run, variables: Mapping[str, str], outcome: Outcome) -> Iterator[Found]:
    """A variable of the shell switches torch.compile off, which the run asks for.

    Why it hurts: torch.compile returns the model as it is, and nothing is logged. torchao in FP8 is then slower than
    BF16, at every size that was measured.

    Example: `export TORCHDYNAMO_DISABLE=1`, left over from the search for an error, with `torch_compile: true`.

    Write instead: `unset TORCHDYNAMO_DISABLE`.
    """
    off = switched_off(run)
    asked = asked_by(run) if off is not None and outcome.trains_in_fp8 is True else None
    if off is None or asked is None:
        return
    name = off.origin.variable
    yield Found(
        f"{name}={variables[str(name)]} switches torch.compile off, without a word",
        place=asked,
        label="this asks for it, and nothing is compiled",
        action=unset(str(name)),
    )
