"""FP4xx: the model: size, shapes, coverage, whether FP8 pays."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import use_torchao
from fp8check.rules.engine.definition import ERROR, WARNING, Found, rule
from fp8check.rules.engine.requirements import reached
from fp8check.rules.outcome.limits import odd_for_blocks
from fp8check.rules.outcome.speed import LIKELY_SLOWER, advise, pays_from, predict_speed, setup_of
from fp8check.rules.releases.behaviors import Transformers
from fp8check.rules.releases.recipes import scaling_of
from fp8check.rules.settings.values import Undecided
from fp8check.rules.trainers.huggingface import FP8_METHODS, PASSED_OVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training


@rule(
    "FP401",
    "too-small-to-pay",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl 0.5B 2048]: 0.28x and 0.36x with Transformer Engine, eager",
    "measured NVIDIA H200 [docs/evidence/h200-hosts.jsonl 0.5B 2048]: 0.31x and 0.44x, on two machines more",
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl 7B 2048]: 0.60x and 0.75x",
    "measured NVIDIA H200 [docs/evidence/h200-hosts.jsonl 7B 2048]: 0.65x and 0.71x, on two machines more",
    "https://github.com/huggingface/accelerate/issues/2597",
    "https://github.com/NVIDIA/TransformerEngine/issues/671",
    claims=("FP8",),
)
def too_small_to_pay(run: Run, trains: Training, model: ModelShape, outcome: Outcome, probed: bool) -> Iterator[Found]:
    """FP8 will be slower than BF16: the layers times the tokens of a step are too small.

    Why it hurts: casting to FP8 and launching it cost the same whether the GEMM behind it is large or small. What
    decides is the size of the layers times the tokens in one micro-batch; gradient accumulation does not count. A 7B
    model gains at 16,384 tokens and loses at 2,048. torchao without torch.compile loses nearly everywhere.

    Example: Qwen2.5-0.5B, or a 7B model with a micro-batch of 1 and 512 tokens.

    Write instead: the smallest change that the help names; or BF16.
    """
    if outcome.trains_in_fp8 is not True:
        return
    speed = predict_speed(run, outcome)
    if speed is None and not probed:  # FP814 says what was measured
        _require_tokens(run, outcome)
    if speed is None or (speed.predicted >= LIKELY_SLOWER and speed.high >= 1):
        return
    word = "will" if speed.high < 1 else "will probably"
    yield Found(
        f"FP8 {word} make this run slower: about {speed.predicted:.1f}x the speed of BF16",
        place=trains.setting_for("micro_batch") or trains.setting_for("model"),
        label=f"at most {speed.tokens:,} tokens in a micro-batch, on layers of {model.hidden} x {model.intermediate}",
        notes=(
            f"{speed.why}; predicted {speed.low:.1f}x to {speed.high:.1f}x",
            "gradient accumulation does not help: each micro-batch is its own GEMM",
        ),
        fact=advise(run, outcome),
    )


def _require_tokens(run: Run, outcome: Outcome) -> None:
    """Where the file sets no length, nobody knows here whether FP8 pays.

    Raises:
        Undecided: all but that is known.
    """
    model, setup = run.model, setup_of(run, outcome)
    if model is None or not model.block or model.experts or setup is None or outcome.effective.tokens is not None:
        return
    needed = pays_from(model, setup)
    pays = f"FP8 pays from {needed:,} on" if needed is not None else "FP8 pays at none that fits"
    what = f"how many tokens a micro-batch has, which no file says; {pays}"
    raise Undecided(what, "fp8check worth with --tokens, or --probe on the GPU node")


@rule(
    "FP403",
    "tied-head-untied",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py "te_module = te.Linear(" !"requires_grad": a new weight',
    'accelerate 0.34.0..1.15.0 accelerator.py "new_named_params[n] for n, p in old_named_params.items()"',
    "ran accelerate 1.15.0 [conformance model-tied-te-1.15]: the tie is gone after prepare()",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl tied-te]: untied, the head not in the optimizer",
    claims=("nothing",),
)
def tied_head_untied(run: Run, trains: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine unties the tied output head, and the head is never trained.

    Why it hurts: the converted lm_head is a new weight. The optimizer knows the tied one only, so the head stays at
    its first value; on reloading the checkpoint it is tied again, which is another model.

    Example: Qwen2.5-0.5B (tie_word_embeddings, vocabulary divisible by 16) with backend TE.

    Write instead: backend AO, which keeps the tie; or untie the embeddings before trains.
    """
    head = model.head
    if outcome.backend_name != "TE" or outcome.error is not None:
        return
    if trains.uses_lora:
        return  # the head is frozen: there is nothing that it would miss
    if not model.tied or head is None or head.in_features % 16 or head.out_features % 16:
        return
    if outcome.prepared.coverage.word == "none":
        return
    yield Found(
        "the tied lm_head will be untied and never trained",
        place=trains.setting_for("model"),
        label=f"{model.name} ties its output head to the embedding (vocabulary {model.vocab:,})",
        notes=("Transformer Engine's lm_head is a new weight that the optimizer does not have",),
        fact="torchao keeps the tie; so does a head that is not tied",
        fix=use_torchao(run.accelerate),
    )


@rule(
    "FP404",
    "layers-left-behind",
    WARNING,
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py "if any(p % 16 != 0 for p in module.weight.shape):": return',
    "ran accelerate 1.15.0 [conformance model-one-odd-projection-te-1.15]: with k_proj 24 wide, v_proj and o_proj stay",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl intermediate-1000-te]: the feed-forward layers stay in BF16",
    requires=("model",),
    claims=("FP8",),
)
def layers_left_behind(trains: Training, outcome: Outcome) -> Iterator[Found]:
    """Linear layers stay in BF16 because a dimension is not divisible by 16.

    Why it hurts: FP8 GEMMs need it. With Transformer Engine one such layer also stops the conversion of the layers
    behind it in the same block: a MoE router of 8 experts leaves all experts in BF16.

    Example: Mixtral's `gate` (8 wide), with backend TE.

    Write instead: backend AO, which skips only the layer itself.
    """
    coverage = outcome.prepared.coverage
    if outcome.trains_in_fp8 is not True or coverage.converted is None or coverage.total is None:
        return
    te = outcome.backend_name == "TE"
    expected = 0 if te else 2
    if coverage.total - coverage.converted <= expected or all("lora_" in name for name in coverage.left):
        return  # adapters whose rank 16 does not divide: FP503
    better = te and coverage.left != ("lm_head",)  # torchao leaves the last layer alone in any case
    names = ", ".join(coverage.left[:4]) + (", ..." if len(coverage.left) > 4 else "")
    yield Found(
        f"only {coverage.converted} of {coverage.total} Linear layers will run in FP8",
        place=trains.setting_for("model"),
        label=f"left in BF16: {names}",
        notes=("one unaligned layer ends the conversion of its later siblings",) if better else (),
        fact="torchao skips only the unaligned layer itself" if better else "",
    )


@rule(
    "FP408",
    "layers-are-conv1d",
    ERROR,
    'transformers 4.57.1..5.24.0 models/gpt2/modeling_gpt2.py "Conv1D(": its projections are no nn.Linear',
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py "isinstance(module, nn.Linear)": nothing else is converted',
    'torchao 0.17.0..0.18.0 float8/float8_linear_utils.py "isinstance(module, nn.Linear)": the same',
    "ran transformers 5.23.0 [executed gpt2-has-one-linear]: lm_head is GPT-2's only Linear layer",
    claims=("no FP8",),
)
def layers_are_conv1d(trains: Training, requested: Requested, model: ModelShape) -> Iterator[Found]:
    """The model's decoder layers have no Linear layer: GPT-2 builds them of Conv1D.

    Why it hurts: both backends convert nn.Linear and nothing else. The run says that FP8 is on, and every layer
    computes in BF16.

    Example: `model_name_or_path: openai-community/gpt2` with `mixed_precision: fp8`.

    Write instead: BF16; or a model whose projections are nn.Linear.
    """
    if not requested.fp8 or model.block:
        return
    yield Found(
        f"{model.name} has no Linear layer that FP8 could convert",
        place=trains.setting_for("model"),
        label=f"the {model.layers} layers of {model.model_type} are made of Conv1D",
        fact="it trains in BF16; FP8 needs projections that are nn.Linear",
    )


@rule(
    "FP409",
    "experts-stay-in-bf16",
    WARNING,
    'transformers 5.0.0..5.24.0 models/mixtral/modeling_mixtral.py "self.gate_up_proj = nn.Parameter(": no nn.Linear',
    'transformers 5.0.0..5.24.0 models/qwen3_moe/modeling_qwen3_moe.py "self.gate_up_proj = nn.Parameter("',
    'transformers 4.57.1 models/mixtral/modeling_mixtral.py "self.w1 = nn.Linear(": there they were',
    "ran transformers 5.23.0 [executed experts-are-parameters]: the experts are two parameters, and no Linear layer",
    claims=("FP8",),
)
def experts_stay_in_bf16(
    trains: Training, requested: Requested, model: ModelShape, outcome: Outcome
) -> Iterator[Found]:
    """The experts of a mixture-of-experts model are not Linear layers, so FP8 passes them by.

    Why it hurts: nearly all of the computing is in the experts. From transformers 5 on they are three-dimensional
    parameters, which neither Transformer Engine's nor torchao's conversion touches; only attention runs in FP8.

    Example: Qwen3-30B-A3B with transformers 5.

    Write instead: BF16; or a trainer with FP8 kernels for grouped GEMMs.
    """
    routed = model.routed
    if not requested.fp8 or routed is None or outcome.trains_in_fp8 is not True:
        return
    block = model.block_in(outcome.stack.version("transformers")[0])
    if len(block) > len(model.block) + 1:
        return  # more than a router: each expert is made of Linear layers
    share = routed.parameters * (model.layers - model.dense_layers) / model.parameters
    yield Found(
        f"the experts stay in BF16: {share:.0%} of the parameters are in them",
        place=trains.setting_for("model"),
        label=f"{routed.number} experts a layer, each a slice of a parameter, none an nn.Linear",
        notes=("only attention and shared layers are converted",),
        fact="it trains in BF16; FP8 of the rest pays little",
    )


@rule(
    "FP410",
    "router-in-fp8",
    WARNING,
    'transformers 4.57.1 models/qwen3_moe/modeling_qwen3_moe.py "self.gate = nn.Linear(": converted like any other',
    'accelerate 1.15.0 utils/ao.py "def filter_linear_layers" !"router": no name is left out',
    "ran transformers 4.57.1, accelerate 1.10.1 [executed router-is-converted]: mlp.gate becomes Float8Linear",
    'axolotl 0.18.0..0.19.0 monkeypatch/accelerate/float8_moe_filter.py "router": it leaves them out',
    'axolotl 0.17.0 loaders/patch_manager.py !"patch_fp8_exclude_moe_router": before, it did not',
    claims=("FP8",),
)
def router_in_fp8(training: Training, requested: Requested, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """The router of a mixture-of-experts model runs in FP8.

    Why it hurts: a router picks the experts by comparing numbers that lie close together. Up to transformers 4 it is a
    Linear layer, and where 16 divides the number of experts both backends convert it like any other: the choice of
    experts gets noisy. Axolotl leaves routers out for that reason, from 0.18 on.

    Example: Qwen3-30B-A3B (128 experts) with transformers 4.57.

    Write instead: a module filter that leaves `gate` out; Axolotl has one from 0.18 on.
    """
    if not requested.fp8 or model.routed is None or outcome.trains_in_fp8 is not True:
        return
    if training.leaves_routers(outcome.stack):
        return
    block = model.block_in(outcome.stack.version("transformers")[0])
    routers = [linear for linear in block if linear.name.endswith(".gate") and linear.out_features == model.experts]
    if not routers or routers[0].out_features % 16 or routers[0].in_features % 16:
        return
    router = routers[0]
    yield Found(
        f"the router of the {model.experts} experts runs in FP8",
        place=training.setting_for("model"),
        label=f"{router.name} is {router.in_features} x {router.out_features}: it is converted like any other",
        fact="AORecipeKwargs(module_filter_func=...) in a script can leave the router out, and Axolotl 0.18 does",
    )


@rule(
    "FP411",
    "checkpoint-is-fp8",
    ERROR,
    'transformers 4.57.1 trainer.py "You cannot perform fine-tuning on purely quantized models": without adapters',
    'transformers 5.3.0..5.24.0 trainer_utils.py "You cannot perform fine-tuning on purely quantized models"',
    'transformers 4.57.1 trainer.py "but that quantization method do not support training": with adapters',
    "ran transformers 5.22.0 [executed fp8-checkpoint-trainable]: adapters are let through; by 5.21.1 not",
    "https://github.com/huggingface/transformers/issues/46736",
    claims=("ends",),
)
def checkpoint_is_fp8(training: Training, requested: Requested, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """The checkpoint to be fine-tuned holds FP8 weights.

    Why it hurts: an FP8 checkpoint is made for inference. "FP8 training" keeps BF16 weights and casts them in each
    step; weights that are FP8 in the file cannot be trained, and Trainer refuses the model.

    Example: `model_name_or_path: Qwen/Qwen3-8B-FP8`, or DeepSeek-V3 as it is published.

    Write instead: the BF16 checkpoint of the same model, or one that was dequantized to BF16.
    """
    method = model.quantization
    if method not in FP8_METHODS or method is None or training.dequantizes(method, outcome.stack):
        return
    if (
        method == "fp8"
        and training.uses_lora
        and requested.fp8
        and outcome.stack.does(Transformers.ADAPTERS_ON_FP8_CHECKPOINTS)
    ):
        stack = outcome.stack.name("transformers")
        what = f"what Accelerate's FP8 makes of an FP8 checkpoint with adapters, which {stack} lets start"
        raise Undecided(what, "a short run of it")
    if outcome.starts:
        return
    yield Found(
        f"{model.name} is an FP8 checkpoint: it is for inference, not for training",
        place=training.setting_for("model"),
        label=reached(
            outcome,
            f"its config.json says quant_method: {method}; Trainer raises ValueError",
            "quantized-without-adapters",
            "quantization-not-trainable",
        ),
        notes=("FP8 training starts from BF16 weights and casts them itself",),
        fact="the BF16 checkpoint of this model trains, or this one once it is dequantized",
    )


@rule(
    "FP412",
    "checkpoint-is-quantized",
    ERROR,
    'transformers 4.57.1 trainer.py "You cannot perform fine-tuning on purely quantized models": without adapters',
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py "if any(p % 16 != 0 for p in module.weight.shape):"',
    'torchao 0.17.0..0.18.0 float8/float8_linear_utils.py "isinstance(module, nn.Linear)": packed weights or not',
    "ran transformers 5.24.0 [executed quantized-checkpoint-without-adapters]: ValueError",
    claims=("no FP8", "ends"),
)
def checkpoint_is_quantized(
    training: Training, requested: Requested, model: ModelShape, outcome: Outcome
) -> Iterator[Found]:
    """FP8 training of a checkpoint that is stored quantized: GPTQ, AWQ, bitsandbytes.

    Why it hurts: its layers are no plain Linear layers with BF16 weights. What can be trained on such a base are
    adapters, in BF16; FP8 finds nothing that it could convert, or wraps packed weights that its GEMM cannot read.

    Example: `model_name_or_path: Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4` with `mixed_precision: fp8`.

    Write instead: the unquantized checkpoint; or adapters in BF16.
    """
    method = model.quantization
    if not requested.fp8 or method is None or method in FP8_METHODS or training.quantized is not None:
        return
    if training.dequantizes(method, outcome.stack):
        return
    yield Found(
        f"FP8 training does not go with a checkpoint that is quantized ({method})",
        place=training.setting_for("model"),
        label=f"the config.json of {model.name} says quant_method: {method}",
        fact="the unquantized checkpoint trains in FP8; adapters on this one train in BF16",
    )


@rule(
    "FP413",
    "mxfp8-needs-32",
    ERROR,
    'transformer_engine 2.18.0..2.20.2 pytorch/tensor/mxfp8_tensor.py "inp.shape[-1] % MXFP8_BLOCK_SCALING_SIZE != 0"',
    "https://github.com/NVIDIA/TransformerEngine/issues/2966",
    "https://github.com/NVIDIA/TransformerEngine/blob/v2.18/transformer_engine/pytorch/csrc/quantizer.cpp",
    'accelerate 1.11.0..1.15.0 utils/transformer_engine.py "if any(p % 16 != 0 for p in module.weight.shape):"',
    requires=("model",),
    claims=("ends",),
)
def mxfp8_needs_32(trains: Training, outcome: Outcome) -> Iterator[Found]:
    """MXFP8 on layers whose sizes are multiples of 16 and not of 32.

    Why it hurts: MXFP8 scales blocks of 32. Accelerate converts whatever 16 divides, and the first step ends in
    Transformer Engine: "MXFP8 requires tensor dims that are divisible by 32".

    Example: LoRA adapters of rank 16 with `use_mxfp8_block_scaling: true`.

    Write instead: adapters of rank 32, or delayed scaling.
    """
    scaling = scaling_of(outcome.prepared.recipe)
    if scaling is None or not outcome.runs_te:
        return
    odd, rank = odd_for_blocks(outcome.run, outcome.stack, scaling)
    if outcome.error_of("dimensions-not-by-block") is None:
        return  # it is raised where one of both is there
    if rank is not None:
        place = trains.get("lora_rank") or trains.get("lora_r") or trains.setting_for("model")
        text = f"adapters of rank {rank} cannot run in {scaling.called}: the rank is not a multiple of {scaling.block}"
        yield Found(
            text,
            place=place,
            label="Accelerate converts them, as the rank is a multiple of 16: the first step fails",
            fact=f"a rank that is a multiple of {scaling.block} runs in this recipe",
        )
    else:
        sizes = f"{odd[0].name} is {odd[0].in_features} x {odd[0].out_features}"
        yield Found(
            f"{len(odd)} layers cannot run in {scaling.called}: their sizes are not multiples of {scaling.block}",
            place=trains.setting_for("model"),
            label=f"{sizes}: Accelerate converts it, as both are multiples of 16, and the first step fails",
            fact=f"delayed scaling, without {scaling.switch}, only needs sizes that are multiples of 16",
        )


@rule(
    "FP418",
    "scales-passed-over",
    ERROR,
    'transformers 4.57.1..5.23.0 quantizers/auto.py "Unknown quantization type" !"modelopt": a warning',
    "ran transformers 4.57.1 and 5.23.0, quant_method modelopt [executed modelopt-scales]: weights of at most 0.09 are "
    "448 in the model",
    claims=("nothing",),
)
def scales_passed_over(training: Training, model: ModelShape) -> Iterator[Found]:
    """A checkpoint in FP8 of NVIDIA's ModelOpt, whose scales transformers passes over.

    Why it hurts: transformers does not know quant_method modelopt. It says so in one warning, loads the FP8 numbers as
    if they were the weights, and leaves their scales out: the model is noise, and training starts from that.

    Example: `model_name_or_path: nvidia/Llama-3.1-8B-Instruct-FP8`.

    Write instead: the BF16 checkpoint of the same model.
    """
    if model.quantization != PASSED_OVER:
        return
    yield Found(
        f"{model.name} is stored in FP8 with scales that transformers passes over: the weights will be noise",
        place=training.setting_for("model"),
        label=f"its config.json says quant_method: {PASSED_OVER}; the log says: Unknown quantization type",
        fact="the BF16 checkpoint of this model trains",
    )
