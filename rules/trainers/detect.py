"""What a file is, told from its content: which keys it has, and what stands under a few of them."""

from __future__ import annotations

from fp8check.rules import reading
from fp8check.rules.reading.kind import OTHER, Kind
from fp8check.rules.reading.limits import MAX_BYTES
from fp8check.rules.trainers.data import Detection, count, names
from fp8check.rules.trainers.foreign import FOREIGN
from fp8check.rules.trainers.huggingface import ARGUMENTS
from fp8check.rules.trainers.registry import NAMES, TRAINERS, find, of_dialect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from fp8check.rules.reading.kind import Identify, Shape
    from fp8check.rules.reading.nodes import Document

# Accelerate's ClusterConfig and SageMakerConfig (commands/config/config_args.py, 0.11 to 1.15).
ACCELERATE = names(
    """
    compute_environment distributed_type mixed_precision num_processes num_machines machine_rank gpu_ids
    same_network main_process_ip main_process_port main_training_function rdzv_backend downcast_bf16
    enable_cpu_affinity fp8_config fsdp_config deepspeed_config megatron_lm_config parallelism_config
    mpirun_config dynamo_config ipex_config tp_config tpu_name tpu_zone tpu_env tpu_vm tpu_use_cluster
    tpu_use_sudo ec2_instance_type iam_role_name dynamo_backend use_cpu debug commands command_file
    """
)
ACCELERATE_ALONE = names(
    """
    compute_environment distributed_type mixed_precision num_processes num_machines fp8_config deepspeed_config
    megatron_lm_config parallelism_config
    """
)

DEEPSPEED = names(
    """
    zero_optimization train_batch_size train_micro_batch_size_per_gpu zero_allow_untested_optimizer
    zero_force_ds_cpu_optimizer gradient_clipping steps_per_print wall_clock_breakdown tensor_parallel
    """
)
DEEPSPEED_ALONE = names("zero_optimization train_micro_batch_size_per_gpu zero_allow_untested_optimizer")

# What the configurations of models have that those of tokenizers, adapters and generation do not.
MODEL_SHAPE = names(
    """
    hidden_size num_hidden_layers num_attention_heads intermediate_size n_embd n_layer n_head d_model num_layers
    d_ff ffn_dim hidden_dim text_config vision_config llm_config language_config thinker_config encoder decoder
    """
)


def read(path: str, data: bytes | None = None, *, loader: str | None = None, trainer: str | None = None) -> Document:
    """Reads a file that may be one of a run's, and tells what it is.

    Args:
        trainer: who is said to read the training file: files of one that an installed package brings are told as well.

    Raises:
        Unreadable: see rules/reading/read.py.
        UnknownTrainer: there is no such trainer.

    A script is read as text: what it does is found out by who checks it (rules/settings/script_syntax.py).
    """
    if loader is None and path.endswith(".py"):
        return reading.read_script(path, data)
    document = reading.read(path, data, loader=loader, identify=_identify_with(trainer))
    reader = of_dialect(document.dialect)
    by_scripts = trainer is None and document.kind == "training" and reader.shares_keys and not reader.own_keys
    if by_scripts and _is_part_of_hydra(document.text):
        return document.as_kind(Kind(OTHER.name, "Hydra", document.loader))
    return document


def _is_part_of_hydra(text: str) -> bool:
    """Whether a file says itself that Hydra puts it together with others: where it goes, or what is still missing."""
    return "# @package " in text or ": ???\n" in text


def identify(shape: Shape) -> Kind:
    """What a file is, from its top-level keys and what each of them holds."""
    return _first(_DETECTIONS, shape)


def _identify_with(trainer: str | None) -> Identify:
    if trainer is None or trainer in NAMES:
        return identify
    detections = _in_order((*_DETECTIONS, *find(trainer).detections))
    return lambda shape: _first(detections, shape)


def _first(detections: Iterable[Detection], shape: Shape) -> Kind:
    return next((one.kind for one in detections if one.tells(shape)), OTHER)


def _in_order(detections: Iterable[Detection]) -> tuple[Detection, ...]:
    return tuple(sorted(detections, key=lambda detection: detection.place))


_TELLING: list[re.Pattern[bytes]] = []


def may_be_ours(data: bytes) -> bool:
    """Whether a file that is too large, or that cannot be parsed, may be one of a run's.

    One of JSON is told by its top-level keys: a vocabulary or a data set has all words somewhere. Any other may be ours
    if it has a word without which none is, and a colon behind it; so a file may count that only says such words.
    """
    import json
    import re

    if data.lstrip()[:1] == b"{" and len(data) <= MAX_BYTES:
        try:
            keys = json.loads(data)
        except (ValueError, RecursionError):
            pass  # its words tell
        else:
            kinds: dict[type, str] = {dict: "map", list: "list"}
            return identify({name: kinds.get(type(one), "scalar") for name, one in keys.items()}).name != OTHER.name
    if not _TELLING:  # made once: a hook asks of thousands of files
        telling = ACCELERATE_ALONE.union(DEEPSPEED_ALONE, ("bf16", "fp16"), *(trainer.telling for trainer in TRAINERS))
        _TELLING.append(re.compile(rb"\b(?:" + "|".join(sorted(telling)).encode() + rb")\b[\"']?\s*:"))
    if _TELLING[0].search(data) is None:
        return False
    shape = _top_of_large(data) if len(data) > MAX_BYTES else None
    return shape is None or identify(shape).name != OTHER.name


def _top_of_large(data: bytes) -> dict[str, str] | None:
    """The top-level keys of a JSON object that is too large to be built, and what each holds; None if it is none."""
    import re

    shape: dict[str, str] = {}
    behind_key = re.compile(rb"\s*:\s*(.)", re.DOTALL)
    kinds = {b"{": "map", b"[": "list"}
    depth = 0
    for token in re.finditer(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\]]', data, re.DOTALL):
        text = token[0]
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and (value := behind_key.match(data, token.end())) is not None:
            shape[text[1:-1].decode("utf-8", "replace")] = kinds.get(value[1], "scalar")
    return shape if data.lstrip()[:1] == b"{" and depth == 0 and data.rstrip()[-1:] == b"}" else None


def identified(document: Document) -> Kind:
    """What a document is by its content, whatever it was taken for."""
    if document.root is None or document.root.kind != "map":
        return OTHER
    return identify({name: child.kind for name, child in document.root.entries.items()})


def _is_deepspeed(shape: Shape) -> bool:
    switches = sum(shape.get(name) == "map" for name in ("bf16", "fp16", "optimizer", "scheduler"))
    return (
        shape.get("bf16") == "map"
        or shape.get("fp16") == "map"
        or (count(shape, DEEPSPEED_ALONE) > 0 and count(shape, DEEPSPEED) + switches >= count(shape, ARGUMENTS))
    )


def _is_model(shape: Shape) -> bool:
    named = "architectures" in shape or "model_type" in shape
    return named and (count(shape, MODEL_SHAPE) > 0 or shape.get("architectures") == "list")


def _is_accelerate(shape: Shape) -> bool:
    known = count(shape, ACCELERATE)
    return count(shape, ACCELERATE_ALONE) > 0 and 2 * known >= len(shape) and known > count(shape, ARGUMENTS)


_DETECTIONS = _in_order(
    (
        *FOREIGN,
        Detection(10, _is_deepspeed, Kind("deepspeed")),
        Detection(20, _is_model, Kind("model")),
        Detection(50, _is_accelerate, Kind("accelerate")),
        *(detection for trainer in TRAINERS for detection in trainer.detections),
    )
)
