"""How much of the model fits: layers, vocabulary and tokens, from the memory that is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

SPARE = 0.85  # of the free memory; the rest is for workspaces and what cannot be counted
LAYERS = 2  # a first and a last one: torchao leaves out one Linear at either end
SMALLEST_VOCAB = 1024
GIB = 2**30


class Built(NamedTuple):
    """What is built of the model.

    Attributes:
        layers: decoder layers.
        vocab: rows of embedding and head; scaled, it leaves the same remainder by 16.
        rows, columns: sequences in the micro-batch, and tokens in each.
        scaled: what differs from the run, in words.
    """

    layers: int
    vocab: int
    rows: int
    columns: int
    scaled: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens in the micro-batch."""
        return self.rows * self.columns


def choose(spec: dict[str, Any], free: int) -> Built:
    """The largest part of the run that fits into `free` bytes: vocabulary gives way first, then layers, then tokens.

    Raises:
        MemoryError: not even one layer with one short sequence fits.
    """
    model, batch = spec["model"], spec["batch"]
    whole = Built(min(LAYERS, model["layers"]), model["vocab"], batch["rows"], batch["columns"])
    for built in _smaller(whole):
        if needed(spec, built) <= free * SPARE:
            return built._replace(scaled=_words(whole, built, model["layers"]))
    raise MemoryError(f"one decoder layer needs {needed(spec, built) / GIB:.1f} GiB, and {free / GIB:.1f} GiB are free")


def _smaller(built: Built) -> Iterator[Built]:
    yield built
    small = min(built.vocab, SMALLEST_VOCAB + built.vocab % 16)
    while built.vocab > small:
        built = built._replace(vocab=max(small, built.vocab // 4 // 16 * 16 + built.vocab % 16))
        yield built
    if built.layers > 1:
        built = built._replace(layers=1)
        yield built
    while built.rows > 1:
        built = built._replace(rows=built.rows // 2)
        yield built
    while built.columns > 256:
        built = built._replace(columns=built.columns // 2)
        yield built


def needed(spec: dict[str, Any], built: Built) -> float:
    """Bytes of a training step with its reference: weights, gradients, AdamW's two moments, FP8 copies, activations."""
    model = spec["model"]
    layer = sum(rows * columns for _, columns, rows, _ in model["block"])
    widths = sum(rows + columns for _, columns, rows, _ in model["block"])
    head = built.vocab * model["hidden"] * (1 if model["tied"] or not model["head"] else 2)
    size = 4 if spec["dtype"] == "float32" else 2
    parameters = built.layers * layer + head
    state = parameters * (4 * size + 2)
    reference = parameters * 8 + layer * built.layers * 4
    activations = built.layers * built.tokens * widths * 3.0
    logits = built.tokens * built.vocab * 14.0 if model["head"] else 0.0
    return float(state + max(reference, activations + logits))


def _words(whole: Built, built: Built, layers: int) -> tuple[str, ...]:
    words = [f"{built.layers} of {layers} decoder layers"] if built.layers != layers else []
    if built.vocab != whole.vocab:
        words.append(f"vocabulary {built.vocab:,} instead of {whole.vocab:,}")
    if built.tokens != whole.tokens:
        words.append(f"{built.rows} x {built.columns} tokens instead of {whole.rows} x {whole.columns}")
    return tuple(words)
