"""From a run and its predicted outcome to what the child process is told: sizes, precision, recipe, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

from fp8check.rules.outcome.prepare import prepares_together

if TYPE_CHECKING:
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.trainers.run import Run

ASSUMED_ROWS, ASSUMED_COLUMNS = 1, 2048
# Emulated float8 on a CPU: small enough for seconds, and every width with the same remainder by 16.
SMALL_HEADS, SMALL_HEAD_DIM, SMALL_WIDTH, SMALL_VOCAB = 4, 32, 256, 512
EMULATED_TOKENS = 64
EMULATED_MEMORY = 4 * 2**30
SHORTER = 3  # tokens that the last batch has less where batches are padded to their longest sequence only


class Shape(TypedDict):
    """The model: how wide it is, and the Linear layers of a decoder layer.

    Keys:
        block: name, columns, rows and whether there is a bias, of each.
        layer_class: the class name that FSDP wraps; None where the run names none.
    """

    hidden: int
    head_dim: int
    layers: int
    vocab: int
    tied: bool
    head: bool
    head_bias: bool
    block: list[tuple[str, int, int, bool]]
    layer_class: str | None


class Batch(TypedDict):
    """Sequences in a micro-batch, and tokens in each."""

    rows: int
    columns: int


class RaggedBatch(Batch):
    """The last batch, and by how many tokens it is shorter than the others."""

    less: int


class Lora(TypedDict):
    """Adapters: their rank, and the last parts of the names of the layers that have them."""

    rank: int
    targets: list[str]


# A handler of accelerate: its class, and its arguments by name. ("class" is a keyword.)
Handler = TypedDict("Handler", {"class": str, "arguments": dict[str, object]})


class Together(TypedDict):
    """The place of a process among those that probe at the same time, and the file by which they meet."""

    rank: int
    world: int
    store: str


class Spec(TypedDict):
    """What the child process is told.

    Keys:
        emulate: on the CPU with torchao's emulated float8.
        backend: "TE", "AO", "MSAMP"; None where FP8 is not on.
        mixed_precision: Accelerator's argument; None where it is not given.
        prepare: whether model and optimizer reach prepare() in one call.
        distributed: "NO", "MULTI_GPU" or "FSDP".
        dtype: of the weights, as torch names it.
        checkpointing: None without; else whether it is the reentrant kind.
        ragged: None where the run packs its sequences.
        emulated_memory: bytes that emulation may use.
        together: the other processes that probe beside it, with which it exchanges at the end; None where it is alone.
    """

    emulate: bool
    backend: str | None
    mixed_precision: str | None
    handler: Handler | None
    prepare: Literal["together", "model first"]
    distributed: str
    model: Shape
    batch: Batch
    ragged: RaggedBatch | None
    dtype: str
    lora: Lora | None
    checkpointing: bool | None
    compile: bool
    emulated_memory: int
    together: Together | None


class NotProbed(Exception):
    """There is nothing that could be probed; the text says why."""


def specify(run: Run, outcome: Outcome, *, emulate: bool = False) -> tuple[Spec, tuple[str, ...]]:
    """What the child is told, and what of the run had to be assumed, in words.

    Raises:
        NotProbed: the run ends before Accelerator, its model is not known, or it is distributed in a way that one
            process cannot show.
    """
    if outcome.accelerator_arguments is None:
        raise NotProbed(_not_reached(outcome))
    if run.script.own:
        raise NotProbed(f"{run.script.own[0].describe()}, and a probe does not run the script")
    model = run.model
    if model is None or not model.block:
        raise NotProbed("the model's layers are not known: give its config.json, or the folder that holds it")
    kind = _distribution(outcome)
    if kind not in ("NO", "MULTI_GPU", "FSDP"):
        raise NotProbed(f"the run is distributed by {kind}, which one process does not show")
    assumed: list[str] = []
    batch = _batch(run, emulate, assumed)
    spec: Spec = {
        "emulate": emulate,
        "backend": _backend(outcome),
        "mixed_precision": _argument(outcome),
        "handler": _handler(outcome, emulate, assumed),
        "prepare": "together" if _together(run, outcome) else "model first",
        "distributed": kind,
        "model": _shape(model, emulate, outcome),
        "batch": batch,
        "ragged": _ragged(run, batch),
        "dtype": _dtype(outcome, assumed),
        "lora": _lora(run, model),
        "checkpointing": run.training.reentrant(outcome.stack),
        "compile": run.training.torch_compile and not emulate,
        "emulated_memory": EMULATED_MEMORY,
        "together": None,
    }
    if emulate:
        assumed.append("widths are scaled down for the CPU; each leaves the same remainder by 16")
    if model.experts:
        assumed.append("the routed experts are left out: only the layers that every token goes through are probed")
    return spec, tuple(assumed)


def _not_reached(outcome: Outcome) -> str:
    if outcome.error is not None:
        return f"the run ends before Accelerator: {outcome.error.type} ({outcome.error.stage})"
    what = outcome.undecided.what if outcome.undecided is not None else "how it is started"
    return f"what Accelerator would be given is not known: {what}"


def _distribution(outcome: Outcome) -> str:
    return outcome.distributed_type or "NO"


def _together(run: Run, outcome: Outcome) -> bool:
    """Whether model and optimizer reach prepare() in one call; under FSDP1, Trainer makes the optimizer later."""
    if outcome.accelerator_arguments is None or outcome.accelerator is None:
        return True
    return prepares_together(run, outcome.stack, outcome.accelerator, outcome.accelerator_arguments)


def _backend(outcome: Outcome) -> str | None:
    backend = outcome.backend_name
    return backend if isinstance(backend, str) else None


def _argument(outcome: Outcome) -> str | None:
    accelerator_arguments = outcome.accelerator_arguments
    setting = accelerator_arguments.mixed_precision if accelerator_arguments is not None else None
    return None if setting is None else str(setting.value)


def _handler(outcome: Outcome, emulate: bool, assumed: list[str]) -> Handler | None:
    accelerator_arguments = outcome.accelerator_arguments
    if emulate and _backend(outcome) == "TE":
        assumed.append("Transformer Engine has no emulation: torchao's stands in for it, with its own recipe")
        return None
    if accelerator_arguments is None or accelerator_arguments.handler is None:
        return None
    return {"class": accelerator_arguments.handler, "arguments": dict(accelerator_arguments.handler_arguments)}


def _shape(model: ModelShape, emulate: bool, outcome: Outcome) -> Shape:
    wrap = outcome.environment.get("FSDP_TRANSFORMER_CLS_TO_WRAP")
    shape: Shape = {
        "hidden": model.hidden,
        "head_dim": model.head_dim,
        "layers": model.layers,
        "vocab": model.vocab,
        "tied": model.tied,
        "head": model.head is not None,
        "head_bias": model.head.bias if model.head is not None else False,
        "block": [(linear.name, linear.in_features, linear.out_features, linear.bias) for linear in model.block],
        "layer_class": None if wrap is None else str(wrap.value).partition(",")[0].strip(),
    }
    return _small(model, shape) if emulate else shape


def _small(model: ModelShape, shape: Shape) -> Shape:
    """The same layers at a fraction of their widths; each leaves the same remainder by 16."""
    head_dim = model.head_dim if model.head_dim % 16 else min(model.head_dim, SMALL_HEAD_DIM)
    heads = min(model.heads, SMALL_HEADS)
    kv_heads = max(1, min(heads, model.kv_heads * heads // model.heads))
    heads = heads // kv_heads * kv_heads
    widths = {
        model.heads * model.head_dim: heads * head_dim,
        model.kv_heads * model.head_dim: kv_heads * head_dim,
        model.hidden: _smaller(model.hidden, SMALL_WIDTH),
    }

    def width(size: int) -> int:
        return widths.get(size) or _smaller(size, 2 * SMALL_WIDTH)

    attention = ("q_proj", "k_proj", "v_proj")
    block: list[tuple[str, int, int, bool]] = []
    for linear in model.block:
        name, columns, rows, bias = linear.name, linear.in_features, linear.out_features, linear.bias
        last = name.rpartition(".")[2]
        if last in attention:
            out = (heads if last == "q_proj" else kv_heads) * head_dim
            block.append((name, widths[model.hidden] if columns == model.hidden else width(columns), out, bias))
        elif last in ("o_proj", "out_proj", "dense"):
            block.append((name, heads * head_dim, widths[model.hidden], bias))
        else:
            block.append((name, width(columns), width(rows), bias))
    return {
        **shape,
        "hidden": widths[model.hidden],
        "head_dim": head_dim,
        "vocab": _smaller(model.vocab, SMALL_VOCAB),
        "block": block,
    }


def _smaller(size: int, largest: int) -> int:
    return size if size <= largest else largest + size % 16


def _batch(run: Run, emulate: bool, assumed: list[str]) -> Batch:
    rows, columns = run.training.micro_batch, run.training.sequence
    if rows is None or columns is None:
        rows, columns = rows or ASSUMED_ROWS, columns or ASSUMED_COLUMNS
        assumed.append(f"the run does not say how large a micro-batch is: {rows} x {columns} tokens were taken")
    if emulate:
        columns = min(columns, EMULATED_TOKENS + columns % 16)
        rows = min(rows, 2)
    return {"rows": rows, "columns": columns}


def _ragged(run: Run, batch: Batch) -> RaggedBatch | None:
    """The last batch: one sequence, shorter than the longest by what the padding leaves over."""
    if run.training.packs:
        return None
    less = run.training.pads_to or SHORTER
    columns = batch["columns"] - less
    return {"rows": 1, "columns": columns, "less": less} if columns > 0 else None


def _dtype(outcome: Outcome, assumed: list[str]) -> str:
    """What the weights are kept in; bfloat16, as most checkpoints are, where that is not known."""
    known = outcome.effective.weights
    if known is None:
        assumed.append("the weights are taken to be bfloat16")
    return "bfloat16" if known is None else str(known.value)


def _lora(run: Run, model: ModelShape) -> Lora | None:
    training = run.training
    if not training.uses_lora or training.lora_rank is None:
        return None
    targets = sorted({linear.name.rpartition(".")[2] for linear in model.block if training.adapts(linear.name)})
    return {"rank": training.lora_rank, "targets": targets}
