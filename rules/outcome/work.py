"""What a decoder layer and a head have to do, forward and backward, for so many tokens, and how fast that goes.

What there is to do is counted. The shares of a datasheet's rates are those of bare decoder layers (speed.py says what
was measured); the model of whole steps takes them over, so that few of its numbers are fitted to whole steps.
"""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.models import ModelShape

ATTENTION_SHARE = 0.52
# Over the activations counted once; eager code reads and writes each more than once, compiled code fuses.
MEMORY_SHARE = {False: 0.358, True: 0.6}
# torchao's eager casts are a kernel for each of their steps.
CAST_SHARE: Mapping[tuple[str, bool], float] = {("TE", False): 0.73, ("AO", False): 0.03, ("AO", True): 0.35}
# Seconds a decoder layer, forward and backward, that launching takes on the CPU.
LAUNCH: Mapping[tuple[str, bool], float] = {
    ("BF16", False): 2.2e-3,
    ("TE", False): 6.0e-3,
    ("AO", False): 18.5e-3,
    ("BF16", True): 1.5e-3,
    ("AO", True): 3.2e-3,
}
LOGIT_BYTES = 30  # read and written per logit: BF16 and FP32 copies, softmax, gradient


class Work(Record):
    """What a layer, or the rest of the model, has to do: operations, bytes, elements that are cast."""

    flops: float
    attention: float
    bytes: float
    casts: float
    parameters: float


def of_layer(model: ModelShape, tokens: int, sequence: int) -> Work:
    """A decoder layer, forward and backward."""
    linears = model.block
    parameters = sum(linear.in_features * linear.out_features for linear in linears)
    widths = sum(linear.in_features + linear.out_features for linear in linears)
    # Causal: half of the square. Two products forward, five backward.
    attention = 7.0 * tokens * min(tokens, sequence) * model.heads * model.head_dim
    return Work(
        flops=6.0 * tokens * parameters,
        attention=attention,
        bytes=2.0 * tokens * (14 * model.hidden + 10 * model.intermediate),
        casts=float(tokens * widths + parameters),
        parameters=float(parameters),
    )


def of_head(model: ModelShape, tokens: int) -> Work:
    """The head with its loss."""
    size = float(model.vocab * model.hidden)
    casts = tokens * (model.vocab + model.hidden) + size
    return Work(6.0 * tokens * size, 0.0, float(LOGIT_BYTES * tokens * model.vocab), casts, size)
