"""FP5xx: FSDP, DeepSpeed, checkpointing, LoRA, quantization."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import gather_off, upgraded, use_torchao, write, write_bf16
from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, WARNING, Found, Related, rule
from fp8check.rules.engine.requirements import LATER, reached, require_decided, require_packages, require_prediction
from fp8check.rules.outcome.layers import ALIGNMENT
from fp8check.rules.outcome.limits import uneven
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.settings.edits import insert, replace
from fp8check.rules.settings.script import in_script
from fp8check.rules.settings.values import Setting, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.facts import Facts
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.trainers.llamafactory import LlamaFactory
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training


@rule(
    "FP501",
    "te-with-checkpointing",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-te-checkpointing]: CheckpointError in the first step",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl checkpoint-reentrant-te]: 2 backward FP8 GEMMs instead of 30",
    'llamafactory 0.9.5 model/model_utils/checkpointing.py "if not model_args.disable_gradient_checkpointing:"',
    "https://github.com/NVIDIA/TransformerEngine/issues/776",
    reads=("training", "script"),
    claims=("ends", "FP8"),
)
def te_with_checkpointing(run: Run, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine together with gradient checkpointing.

    Why it hurts: the checkpointed layers are computed again in the backward pass, outside FP8 autocast. Without
    reentrant checkpointing the step ends with CheckpointError; with it (LLaMA-Factory's way) the recomputation and
    both backward GEMMs run without FP8. LLaMA-Factory and TRL (0.22 and newer) switch checkpointing on by themselves.

    Example: with backend TE `gradient_checkpointing: true`, any LLaMA-Factory run, or
    `model.gradient_checkpointing_enable()` in a script.

    Write instead: `disable_gradient_checkpointing: true` in LLaMA-Factory, `gradient_checkpointing: false` elsewhere;
    or backend AO.
    """
    if outcome.backend_name != "TE":
        return
    checkpointing, training = outcome.effective.checkpointing, run.training
    if checkpointing is None or outcome.checkpointing is None or not outcome.runs_te:
        return
    training.rest_on(checkpointing)
    place = checkpointing if checkpointing.origin.span is not None else training.get("gradient_checkpointing")
    place = place or training.get("fp8_backend") or requested.backend or next(iter(requested.fp8), None)
    if outcome.reentrant:
        message = "gradient checkpointing takes the backward pass out of FP8"
        label = "the recomputation and its backward GEMMs run outside FP8 autocast"
    else:
        label = "the recomputation runs outside FP8 autocast and saves other tensors"
        message = "gradient checkpointing ends the first step with CheckpointError"
        if outcome.error_of("checkpointing-not-reentrant") is None:
            message = "gradient checkpointing would end the first step, too"
            label = f"{LATER}CheckpointError, as {label}"
    by_itself = f"{training.title} switches gradient checkpointing on by itself"
    notes = (by_itself,) if training.checkpoints_by_itself else ()
    if checkpointing.origin.default is not None:
        notes = (f"{checkpointing.origin.default} switches gradient checkpointing on by default",)
    key, value = training.checkpointing_off
    fix = None if in_script(checkpointing) else unsafe(write(training.top, key, value))
    fact = "with backend AO (torchao) checkpointing keeps FP8"
    yield Found(message, place=place, label=label, related=(), notes=notes, fact=fact, fix=fix)


@rule(
    "FP502",
    "te-under-fsdp2",
    ERROR,
    "ran accelerate 1.15.0 [conformance layout-fsdp2-TE-script-1.15]: layers converted, no FP8 autocast entered",
    "ran accelerate 1.7.0 [conformance handler-fsdp2-TERecipeKwargs-1.7]: KeyError in prepare()",
    "ran accelerate 1.15.0 [executed te-state-under-fsdp2-loading]: AttributeError at the layers' own `_extra_state`",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl fsdp2-te]: 14 TE layers, fp8_enabled True, 0 FP8 GEMMs",
    "https://github.com/huggingface/accelerate/issues/3710",
    claims=("no FP8", "ends"),
)
def te_under_fsdp2(requested: Requested, outcome: Outcome, run: Run) -> Iterator[Found]:
    """Transformer Engine under FSDP2 never computes in FP8.

    Why it hurts: the layers are converted, fp8_enabled says True, and the FP8 autocast is never entered: every GEMM
    runs in BF16, with Transformer Engine's overhead on top. accelerate 1.6 and 1.7 end in prepare(), where a script
    passes the recipe handler itself; later ones do where fsdp_cpu_ram_efficient_loading is on, which is the launcher's
    default: they take the scales that a layer saves for a shard of its weights.

    Example: `fsdp_version: 2` with backend TE.

    Write instead: backend AO with `fsdp_cpu_ram_efficient_loading: false`; or FSDP1 in a script of your own.
    """
    state = outcome.accelerator
    if state is None or not state.is_fsdp2 or state.backend_name != "TE":
        return
    message = "Transformer Engine under FSDP2 runs no GEMM in FP8"
    label = "layers are converted, but FP8 autocast is never entered"
    if outcome.error is not None:
        if outcome.error_of("fsdp2-empties-optimizer", "fsdp2-loads-te-state") is None:
            return
        message = f"Transformer Engine under FSDP2 does not start with {outcome.stack.name('accelerate')}"
        label = f"prepare() raises {outcome.error.type}: {outcome.error.message}"
    notes: tuple[str, ...] = ()
    if outcome.error_of("fsdp2-loads-te-state") is not None:
        notes = ("with fsdp_cpu_ram_efficient_loading: false it would start, and run no GEMM in FP8",)
    version = run.accelerate.fsdp.get("fsdp_version") if run.accelerate is not None else None
    places = [setting for setting in (requested.backend, *requested.fp8, version) if setting is not None]
    passed = run.script.handler
    yield Found(
        message,
        place=next((setting for setting in places if setting.origin.span is not None), next(iter(places), None)),
        label=label,
        related=(Related(version, "FSDP2 is chosen here"),) if version is not None else (),
        notes=(*notes, *(() if version is not None else ("FSDP2 comes from the training arguments",))),
        fact=f"AORecipeKwargs instead of {passed} computes in FP8 under FSDP2"
        if passed
        else "torchao computes in FP8 under FSDP2",
        fix=use_torchao(run.accelerate, under_fsdp2=True) if version is not None and not passed else None,
    )


@rule(
    "FP503",
    "te-thaws-lora-base",
    WARNING,
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py "te_module = te.Linear(" !"requires_grad": it is not copied',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl lora16-te]: 57,344 trainable parameters become 5,300,224",
    "https://github.com/meta-pytorch/torchtune/issues/2833",
    claims=("FP8",),
)
def te_thaws_lora_base(training: Training, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine makes the frozen base of a LoRA run trainable again.

    Why it hurts: the converted base weights ask for gradients. They are computed, stored and counted in gradient
    clipping, and never used: memory as for full training. Adapters whose rank is not divisible by 16 stay in BF16.

    Example: `finetuning_type: lora` with backend TE.

    Write instead: BF16 for LoRA; or freeze the base again after prepare().
    """
    if not training.uses_lora or not outcome.runs_te:
        return
    rank = training.lora_rank
    aligned = rank is None or rank % 16 == 0
    adapters = () if aligned else (f"adapters of rank {rank} are not converted: {rank} is not a multiple of 16",)
    place = training.get("finetuning_type") or training.get("adapter") or training.get("use_peft")
    yield Found(
        "Transformer Engine unfreezes the base model of this LoRA run",
        place=place or requested.backend,
        label="the converted base weights have requires_grad again",
        notes=("gradients of the whole base are computed, stored and clipped, and then not used", *adapters),
        fact="LoRA in BF16 keeps the base frozen: FP8 gains little there",
    )


@rule(
    "FP504",
    "fp8-on-quantized-base",
    ERROR,
    'llamafactory 0.9.4..0.9.5 hparams/parser.py "FP8 training is not compatible with quantization"',
    'accelerate 0.34.0..1.15.0 utils/transformer_engine.py "isinstance(module, nn.Linear)": Linear4bit is one, too',
    'torchao 0.17.0..0.18.0 float8/float8_linear_utils.py "isinstance(module, nn.Linear)": the same',
    "ran llamafactory 0.9.5 [executed llamafactory-refuses-quantized-base]: ValueError",
    "ran accelerate 1.15.0, bitsandbytes 0.50.2 [executed packed-weights-and-fp8]: neither backend runs it in FP8",
    claims=("no FP8", "ends"),
)
def fp8_on_quantized_base(training: Training, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """FP8 training of a model that is loaded quantized.

    Why it hurts: LLaMA-Factory refuses it. Elsewhere Transformer Engine converts nothing, because packed weights have
    a dimension of 1, and torchao wraps packed weights that its GEMM cannot read.

    Example: `quantization_bit: 4` with `fp8: true`.

    Write instead: either of them.
    """
    quantized = training.quantized
    if quantized is None or not requested.fp8:
        return
    yield Found(
        "FP8 training does not go with a quantized base model",
        place=quantized,
        label=training.refuses_quantized(outcome.stack) or "packed weights are not what the FP8 layers expect",
        related=(Related(requested.fp8[0], "FP8 is asked for here"),),
        fact="a quantized base trains without FP8, and FP8 with a base that is not quantized",
    )


@rule(
    "FP505",
    "torchao-with-ram-efficient-loading",
    ERROR,
    'accelerate 1.8.0..1.15.0 accelerator.py "torchao with FSDP2 and cpu_ram_efficient_loading is not supported"',
    "ran accelerate 1.15.0 [conformance layout-fsdp1-efficient-AO-script-1.15]: raised for FSDP1 as well",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl fsdp2-ao-ram-default]: the launcher's own default is true",
    claims=("ends",),
)
def torchao_with_ram_efficient_loading(
    accelerate: AccelerateConfig, requested: Requested, outcome: Outcome
) -> Iterator[Found]:
    """torchao under FSDP with cpu_ram_efficient_loading, which is the launcher's default.

    Why it hurts: Accelerator() raises ValueError. Leaving the key out does not help: the default is true.

    Example: `distributed_type: FSDP` with backend AO and no fsdp_cpu_ram_efficient_loading.

    Write instead: `fsdp_cpu_ram_efficient_loading: false` under fsdp_config.
    """
    require_decided(requested, outcome)
    if outcome.error_of("torchao-ram-efficient-loading") is None:
        return
    written = accelerate.fsdp.get("fsdp_cpu_ram_efficient_loading")
    fix = _loading_off(accelerate, written)
    off = "" if fix is not None else "with fsdp_cpu_ram_efficient_loading: false under fsdp_config "
    yield Found(
        "torchao cannot be used with cpu_ram_efficient_loading",
        place=written or accelerate.top.get("fsdp_config") or accelerate.fp8.get("backend"),
        label="Accelerator() raises ValueError" + ("" if written else "; the launcher's default is true"),
        fact=f"{off}each process loads the model by itself",
        fix=fix,
    )


def _loading_off(accelerate: AccelerateConfig, written: Setting | None) -> Fix | None:
    if written is not None:
        return unsafe(replace(written, False))
    return unsafe(insert(accelerate.fsdp, "fsdp_cpu_ram_efficient_loading", False)) if accelerate.fsdp else None


@rule(
    "FP506",
    "te-under-fsdp1-in-trainer",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-fsdp1-te]: ValueError, model and optimizer together",
    "ran accelerate 1.15.0 [conformance layout-fsdp1-TE-transformers-1.15]: the same on a CPU",
    "ran transformers 4.53.3 [conformance layout-fsdp1-TE-transformers-1.8-te]: the same, for that release alone",
    "https://github.com/huggingface/transformers/issues/34024",
    claims=("ends",),
)
def te_under_fsdp1_in_trainer(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine under FSDP1 with Hugging Face Trainer, which prepares the model before it has an optimizer.

    Why it hurts: to swap layers, Accelerate needs model and optimizer in one call of prepare(). Trainer makes the
    optimizer after FSDP1 has wrapped the model. transformers 4.47 to 5.2 made an exception for FP8, which 4.53 lost
    for that one release; 5.3 dropped it.

    Example: `distributed_type: FSDP` with backend TE and transformers 5.3 or newer.

    Write instead: FSDP2 with backend AO; or transformers 4.54 to 5.2.
    """
    require_decided(requested, outcome)
    error = outcome.error_of("te-model-alone")
    if error is None or outcome.distributed_type != "FSDP":
        return
    yield Found(
        "Transformer Engine under FSDP1 does not start in Hugging Face Trainer",
        place=requested.backend or next(iter(requested.fp8), None),
        label=f"{outcome.stack.name('transformers')} prepares the model alone: {error.type}",
        fact="FSDP2 with backend: AO starts, and so do transformers 4.54 to 5.2",
    )


@rule(
    "FP507",
    "megatron-without-fp8",
    ERROR,
    'accelerate 1.13.0..1.15.0 accelerator.py "we don\'t need to prepare TE AO at this moment": no layer is converted',
    "ran accelerate 1.15.0 [executed megatron-fp8]: fp8 sets neither bf16 nor fp16 among Megatron-LM's arguments",
    "https://github.com/NVIDIA/Megatron-LM/pull/485",
    claims=("no FP8",),
)
def megatron_without_fp8(
    run: Run, accelerate: AccelerateConfig, requested: Requested, outcome: Outcome
) -> Iterator[Found]:
    """`mixed_precision: fp8` with Megatron-LM, to which Accelerate hands no FP8 setting.

    Why it hurts: Accelerate converts no layer under Megatron-LM, and of the precisions it hands on bf16 and fp16 only.
    With fp8 it sets neither: Megatron-LM trains in FP32.

    Example: `distributed_type: MEGATRON_LM` with `mixed_precision: fp8`.

    Write instead: `mixed_precision: bf16`; FP8 is set in Megatron-LM's own arguments.
    """
    chosen = accelerate.distributed_type
    if chosen is None or chosen.value != "MEGATRON_LM" or run.config_read is None or not requested.fp8:
        return
    if outcome.error is not None:
        return
    skips = outcome.stack.does(Accelerate.MEGATRON_SKIPS_CONVERSION)
    yield Found(
        "under Megatron-LM mixed_precision: fp8 means FP32",
        place=requested.fp8[0],
        label="Accelerate hands nothing of it to Megatron-LM, neither fp8 nor bf16",
        related=(Related(chosen, "Megatron-LM is chosen here"),),
        notes=("no layer is converted either",) if skips else (),
        fact="Megatron-LM has an fp8 of its own among its arguments",
        fix=write_bf16(requested.fp8[0]),
    )


@rule(
    "FP508",
    "torchao-gather-without-fsdp2",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl fsdp1-ao]: RuntimeError in prepare(), tensors on two devices",
    'accelerate 1.13.0..1.15.0 utils/dataclasses.py "ENABLE_FSDP_FLOAT8_ALL_GATHER": true by default',
    "https://github.com/pytorch/ao/issues/1605",
    claims=("ends",),
)
def torchao_gather_without_fsdp2(run: Run, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """torchao's float8 all-gather, which is on by default, under FSDP1 or DeepSpeed.

    Why it hurts: for the all-gather, torchao puts tensors of a class of its own in the place of the weights. FSDP2
    knows them; FSDP1 and DeepSpeed end in prepare(). From accelerate 1.13 on the option is on unless it is switched
    off.

    Example: `distributed_type: FSDP`, `fsdp_version: 1` and backend AO.

    Write instead: `enable_fsdp_float8_all_gather: false`, or FSDP2.
    """
    require_decided(requested, outcome)
    error = outcome.error_of("deepspeed-swapped-weights", "fsdp1-swapped-weights")
    if error is None:
        return
    gather = error.because[0]
    what = "DeepSpeed" if error.code == "deepspeed-swapped-weights" else "FSDP1"
    fix = gather_off(run.accelerate)
    off = "" if fix is not None else "with enable_fsdp_float8_all_gather: false under fp8_config "
    yield Found(
        f"torchao's float8 all-gather does not work under {what}",
        place=gather if gather.origin.span is not None else requested.backend or next(iter(requested.fp8), None),
        label=f"prepare() raises {error.type}: {error.message}",
        notes=() if gather.origin.span is not None else ("the all-gather is on by default",),
        fact=f"{off}the weights stay plain tensors",
        fix=fix,
    )


@rule(
    "FP509",
    "torchao-fsdp2-without-config",
    ERROR,
    "ran accelerate 1.12.0 [conformance layout-fsdp2-AO-script-1.12]: AttributeError, NoneType",
    'accelerate 1.8.0..1.12.0 accelerator.py "self.ao_recipe_handler.config.enable_fsdp_float8_all_gather"',
    'accelerate 1.12.0 utils/dataclasses.py !"ENABLE_FSDP_FLOAT8_ALL_GATHER": the configuration is left None',
    claims=("ends",),
)
def torchao_fsdp2_without_config(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """torchao under FSDP2 with accelerate 1.8 to 1.12, which forgets to make its configuration.

    Why it hurts: the recipe's configuration is None unless a script passes one, and under FSDP2 prepare() looks into
    it: AttributeError.

    Example: `fsdp_version: 2` and backend AO with accelerate 1.12.

    Write instead: accelerate 1.13 or newer.
    """
    require_decided(requested, outcome)
    error = outcome.error_of("torchao-without-config")
    if error is None:
        return
    yield Found(
        f"torchao under FSDP2 does not start with {outcome.stack.name('accelerate')}",
        place=requested.backend or next(iter(requested.fp8), None),
        label=f"prepare() raises {error.type}: {error.message}",
        action=upgraded(outcome, "accelerate"),
        fact="accelerate 1.13 and newer start torchao under FSDP2",
    )


@rule(
    "FP510",
    "te-with-fsdp-checkpointing",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl checkpoint-te]: this kind ends in CheckpointError",
    'accelerate 1.9.0..1.15.0 accelerator.py "checkpoint_impl=CheckpointImpl.NO_REENTRANT": FSDP uses that kind',
    "https://github.com/NVIDIA/TransformerEngine/issues/1190",
    claims=("ends",),
)
def te_with_fsdp_checkpointing(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine together with FSDP's own activation checkpointing.

    Why it hurts: the layers are computed again in the backward pass, outside FP8 autocast, and save other tensors than
    in the forward pass: the first step ends with CheckpointError.

    Example: `fsdp_activation_checkpointing: true` with `fsdp_version: 1` and backend TE.

    Write instead: `fsdp_activation_checkpointing: false`.
    """
    error = outcome.error_of("fsdp-checkpointing")
    written = accelerate.fsdp_checkpointing
    if error is None or written is None:
        return
    yield Found(
        f"FSDP's activation checkpointing ends the first step with {error.type}",
        place=written,
        label="the recomputation runs outside FP8 autocast and saves other tensors",
        fix=unsafe(replace(written, False)),
    )


@rule(
    "FP511",
    "te-under-tensor-parallelism",
    ERROR,
    "https://github.com/huggingface/accelerate/issues/3827",
    'accelerate 1.10.0..1.15.0 parallelism_config.py "PARALLELISM_CONFIG_TP_SIZE"',
    "ran accelerate 1.15.0, torch 2.13.0 [executed te-under-tensor-parallelism]: mixed torch.Tensor and DTensor",
    claims=("ends",),
)
def te_under_tensor_parallelism(run: Run, outcome: Outcome) -> Iterator[Found]:
    """Transformer Engine under tensor parallelism.

    Why it hurts: tensor parallelism makes DTensors of the weights, and Transformer Engine's layers hold plain ones:
    the first step fails with "got mixed torch.Tensor and DTensor".

    Example: `parallelism_config_tp_size: 2` with backend TE.

    Write instead: backend AO, whose layers know DTensor.
    """
    size = run.tensor_parallel
    if size is None or outcome.backend_name != "TE" or outcome.starts:
        return
    yield Found(
        "Transformer Engine does not go with tensor parallelism",
        place=size if size.origin.span is not None else outcome.backend,
        label=reached(
            outcome,
            f"the weights are DTensors over {size.value} GPUs, those of Transformer Engine's layers are not",
            "te-under-tensor-parallelism",
        ),
        fact="torchao computes with the DTensors of tensor parallelism",
        fix=use_torchao(run.accelerate, under_fsdp2=outcome.distributed_type == "FSDP"),
    )


@rule(
    "FP512",
    "shards-not-divisible",
    WARNING,
    "https://github.com/pytorch/ao/issues/4106",
    'torchao 0.17.0..0.18.0 float8/float8_linear.py "Float8Linear"',
    claims=("perhaps",),
)
def shards_not_divisible(run: Run, training: Training, model: ModelShape, outcome: Outcome) -> Iterator[Found]:
    """Tensor parallelism cuts a layer into shards that are not multiples of 16.

    Why it hurts: whether a layer is converted is decided on the whole layer; the GEMM then runs on the shard, and FP8
    GEMMs want both dimensions divisible by 16.

    Example: a k_proj of 64 outputs over 8 GPUs leaves 8 for each.

    Write instead: fewer GPUs for tensor parallelism.
    """
    size = run.tensor_parallel
    if size is None or outcome.trains_in_fp8 is not True or not isinstance(size.value, int):
        return
    for linear in model.block_in(outcome.stack.version("transformers")[0]):
        # What reads the residual stream is cut along its outputs; the others read what these wrote.
        cut = linear.out_features
        if linear.in_features != model.hidden or model.hidden % 16 or cut % 16 or cut % (16 * size.value) == 0:
            continue
        yield Found(
            f"tensor parallelism over {size.value} GPUs leaves {linear.name} a shard of {cut / size.value:g}",
            place=size if size.origin.span is not None else training.setting_for("model"),
            label=f"{linear.name} is {linear.in_features} x {linear.out_features}; a shard has to be a multiple of 16",
            fact="over fewer GPUs the shards are larger",
        )
        return


@rule(
    "FP530",
    "checkpointing-twice",
    ERROR,
    'transformers 4.57.1 trainer.py "can\'t be set to True simultaneously"',
    'transformers 5.23.0 trainer.py "Use FSDP\'s activation"',
    "ran transformers 5.23.0, accelerate 1.15.0 [executed checkpointing-twice]: ValueError while the Trainer is built",
    'axolotl 0.19.0 utils/trainer.py "FSDP_ACTIVATION_CHECKPOINTING": set by itself',
    requires=("training",),
    claims=("ends",),
)
def checkpointing_twice(training: Training, outcome: Outcome) -> Iterator[Found]:
    """FSDP's activation checkpointing together with the trainer's gradient checkpointing.

    Why it hurts: Trainer raises ValueError as soon as it has its Accelerator, after the model is loaded. TRL (0.22 and
    newer) switches gradient checkpointing on by itself, so that there FSDP's own alone is enough.

    Example: `fsdp_activation_checkpointing: true` and `gradient_checkpointing: true`.

    Write instead: one of them; under FSDP its own, as the other gathers the weights twice.
    """
    error = outcome.error_of("checkpointing-twice")
    if error is None:
        return
    layers, own = error.because
    by_itself = layers.origin.span is None
    if layers.origin.span is not None:
        fix = unsafe(replace(layers, False))
    else:
        fix = unsafe(write(training.top, "gradient_checkpointing", False))
    place = own if own.origin.span is not None else layers
    yield Found(
        "activations are checkpointed twice: by FSDP and by the trainer",
        place=place,
        label=f"the Trainer raises {error.type}: both can't be set to True simultaneously",
        related=() if by_itself or place is layers else (Related(layers, "the trainer's own is switched on here"),),
        notes=(f"{layers.origin.describe()} switches gradient checkpointing on",) if by_itself else (),
        fact="FSDP's own activation checkpointing stays on",
        fix=fix,
    )


@rule(
    "FP531",
    "gather-of-uneven-shards",
    ERROR,
    'torchao 0.17.0..0.18.0 float8/fsdp_utils.py "def fsdp_pre_all_gather(self, mesh)": its part is handed on unpadded',
    "ran torchao 0.18.0, torch 2.13.0, three processes [executed gather-of-uneven-shards]: sizes differ, and max() of "
    "nothing; 48 rows run, and so does 64 without the all-gather",
    "https://github.com/pytorch/ao/issues/3982",
    claims=("ends",),
)
def gather_of_uneven_shards(run: Run, outcome: Outcome) -> Iterator[Found]:
    """torchao's float8 all-gather under FSDP2, where the number of GPUs does not divide the rows of a weight.

    Why it hurts: FSDP2 deals out rows, and the last GPU gets fewer. torchao hands its part on without filling it up:
    in the first step one process ends, and the others wait for it until the watchdog ends them.

    Example: three or six GPUs, a model whose projections have 3,584 or 4,096 rows, and backend AO.

    Write instead: a number of GPUs that divides them; or `enable_fsdp_float8_all_gather: false`.
    """
    state = outcome.accelerator
    if state is None:
        return
    odd, rank, shared = uneven(run, outcome.stack, state, outcome.prepared)
    model = run.model
    if model is None and isinstance(shared.value, int) and ALIGNMENT % shared.value:
        raise Undecided(f"whether {shared.value} GPUs can share the rows of the weights evenly", "model")
    if outcome.error_of("gather-of-uneven-shards") is None or model is None:
        return
    gather = (outcome.prepared.recipe or {})["enable_fsdp_float8_all_gather"]
    rows = f"{odd[0].name} of {model.name} has {odd[0].out_features:,} rows" if odd else f"adapters have {rank} rows"
    yield Found(
        f"float8 all-gather does not go with {shared.value} GPUs: they cannot share the rows of the weights evenly",
        place=gather if gather.origin.span is not None else shared,
        label=f"{rows}; the first all-gather ends one process and leaves the others waiting",
        notes=() if gather.origin.span is not None else ("the float8 all-gather is on by default",),
        fact="a number of GPUs that divides the rows goes with the all-gather",
        fix=gather_off(run.accelerate),
    )


@rule(
    "FP532",
    "weights-stay-in-half-precision",
    WARNING,
    'accelerate 1.13.0 utils/fsdp_utils.py "                param = param.to(torch.float32)": no weight is changed',
    'accelerate 1.14.0 utils/fsdp_utils.py "param.data = param.data.to(torch.float32)"',
    "ran accelerate 1.12.0 to 1.15.0, fsdp2_prepare_model with BF16 weights [executed fsdp2-upcast]: float32 with each "
    "but 1.13.0",
    requires=("training",),
    claims=("nothing",),
)
def weights_stay_in_half_precision(training: Training, outcome: Outcome, facts: Facts) -> Iterator[Found]:
    """accelerate 1.13 under FSDP2: weights that are loaded in BF16 or FP16 stay so, and with them the optimizer.

    Why it hurts: other releases cast the weights that train to float32 first, so that small updates count. 1.13 says
    in the log that it did, and does not: the optimizer's states and steps are in BF16, and small updates are lost.

    Example: `fsdp_version: 2`, accelerate 1.13.0, transformers 5, which loads a checkpoint in its own dtype.

    Write instead: accelerate 1.14 or newer.
    """
    state = outcome.accelerator
    if state is None or not state.is_fsdp2 or state.mixed_precision.value == "no":
        return
    if training.uses_lora or training.quantized is not None:
        return  # what trains there are adapters, in float32
    weights = outcome.effective.weights
    if weights is None or weights.value not in ("bfloat16", "float16"):
        return
    require_packages(facts)
    if not outcome.stack.does(Accelerate.FSDP2_LEAVES_WEIGHTS):
        return
    yield Found(
        f"{outcome.stack.name('accelerate')} leaves the weights in {weights.value} under FSDP2",
        place=weights if weights.origin.span is not None else training.setting_for("model"),
        label="its log says that they were upcast to float32; the optimizer gets what was loaded",
        action=upgraded(outcome, "accelerate"),
        fact="accelerate 1.14 and newer cast the weights that train to float32",
    )


@rule(
    "FP553",
    "llamafactory-deepspeed-alone",
    ERROR,
    'llamafactory 0.9.3..0.9.5 hparams/parser.py "Please use `FORCE_TORCHRUN=1` to launch DeepSpeed training."',
    "ran llamafactory 0.9.5 [command strategy-lf-te-zero2-one]: ValueError",
    "ran llamafactory 0.9.5 [command strategy-lf-zero2-cli]: ValueError; with FORCE_TORCHRUN=1 it trains",
    claims=("ends",),
)
def llamafactory_deepspeed_alone(llamafactory: LlamaFactory, run: Run, outcome: Outcome) -> Iterator[Found]:
    """LLaMA-Factory's `deepspeed` in a process that no launcher told its rank.

    Why it hurts: on one GPU `llamafactory-cli train` starts a plain process, and so does `accelerate launch` with
    `distributed_type: "NO"`. LLaMA-Factory takes DeepSpeed from torchrun alone, and ends.

    Example: `deepspeed: ds_z2_config.json` and `llamafactory-cli train train.yaml` on one GPU.

    Write instead: `FORCE_TORCHRUN=1` before the command, or no `deepspeed`: on one GPU it spreads nothing.
    """
    if llamafactory.deepspeed is None or not run.launch.given:
        return
    require_prediction(outcome)
    error = outcome.error_of("llamafactory-deepspeed-alone")
    if error is None:
        return
    yield Found(
        "LLaMA-Factory refuses DeepSpeed in a process that no launcher told its rank",
        place=error.because[0],
        label=f"{error.type}: {error.message}",
        fact="FORCE_TORCHRUN=1 makes llamafactory-cli start torchrun; without deepspeed one GPU trains as well",
    )
