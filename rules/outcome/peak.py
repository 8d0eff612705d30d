"""Peak GPU memory of a training step of the Hugging Face Trainer, counted from what each layer keeps for its backward.

Nothing is fitted. Of a decoder layer of transformers it is counted which tensors autograd saves (modeling_llama.py and
its kin in 4.57 and 5.17: RMSNorm in float32, q, k and v, the output of scaled_dot_product_attention, gate, its SiLU, up
and their product), under autocast with its BF16 copies of the weights, or with weights in BF16; what Transformer
Engine, torchao and Liger save in their place; and of the loss the copies of the logits. What the weights take is in
spread.py.
docs/evidence/h100-peaks.jsonl and peaks-of-trainers.jsonl hold what was measured, and tests/outcome/test_memory.py the
errors: torch.cuda.max_memory_allocated, without the CUDA context.

The peak is in one of six moments: when the loss is computed, when the backward pass begins, in the last layer, in the
first one, at the embedding, and in the optimizer.
"""

from __future__ import annotations

from functools import lru_cache

from fp8check.rules.outcome.peak_inputs import GIB, sizes_of
from fp8check.rules.outcome.spread import spread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome.peak_inputs import Sizes, Step

# Rotary tables, the workspace of cuBLAS, the batch.
REST = 0.1 * GIB
# Copies of the logits, in bytes a logit: BF16, float32 and its log-softmax at the loss; log-softmax, two gradients in
# float32 and one in BF16 as the backward pass begins. Under torch.compile the loss is part of the compiled model.
AT_LOSS, AT_BACKWARD = 10.0, 12.0
AT_LOSS_COMPILED, AT_BACKWARD_COMPILED = 8.0, 9.0
AT_LOSS_FLOAT32 = 8.0  # without autocast there is no copy in BF16
# Where the layers are checkpointed, the loss is compiled apart from them: two runs with a vocabulary of 128,256.
AT_LOSS_APART, AT_BACKWARD_APART = 5.0, 6.0
# The same, its log-softmax and what is cut off for the metrics (trl 0.24 SFTTrainer.compute_loss).
AT_LOSS_KEPT = 12.0
# Tokens and rows of the head whose logits TRL makes at a time.
TILE = (4096, 32768)


@lru_cache(maxsize=1024)  # three rules ask for the same step, and a plan tries many runs with it
def peak_bytes(model: ModelShape, step: Step) -> float:
    """The most that a step allocates on one GPU, in bytes."""
    return max(moments(model, step).values())


def layers_bytes(model: ModelShape, step: Step) -> float:
    """The same of the decoder layers alone, without embedding, head, loss and optimizer."""
    alone = sizes_of(model)._replace(head=0.0, embedding=0.0, vocab=0)
    return max(_moments(alone, step._replace(optimizer="sgd")).values())


def bytes_a_token(model: ModelShape, step: Step) -> float:
    """What each token more takes as the backward pass begins, in bytes."""
    many = step.tokens or 4096
    of, without = (moments(model, step._replace(tokens=tokens))["backward"] for tokens in (many, 0))
    return (of - without) / many


def moments(model: ModelShape, step: Step) -> dict[str, float]:
    """Bytes that are allocated at each moment that may have the peak."""
    return _moments(sizes_of(model), step)


def _moments(sizes: Sizes, step: Step) -> dict[str, float]:
    tokens, layers = step.tokens, sizes.layers
    there = spread(sizes, step)
    fixed = there.always + REST
    at_loss, at_backward = _of_the_loss(sizes, step)
    residual = 2.0 if step.computes_in_bf16 else 4.0
    # What is checkpointed is computed again as it is written: the compiler has no say in what is kept there. Six runs
    # with torchao on H200s, one and two GPUs (docs/evidence/advised.jsonl).
    again_as_written = step.compiled and step.checkpointing
    inside = step._replace(compiled=False, engine="BF16") if again_as_written else step
    kept = tokens * _kept_by_layer(sizes, inside)
    copies, copies_of_head = _copies(sizes, inside)
    end = tokens * _kept_by_the_end(sizes, step)
    stored = tokens * residual * sizes.hidden
    if step.checkpointing:
        forward = layers * stored + end + copies_of_head
        # Autocast keeps its copies until the forward pass ends; Transformer Engine's are gone with each layer.
        casting = 0.0 if step.engine == "TE" else layers * copies
        again = kept + copies
    else:
        forward = layers * (kept + copies) + end + copies_of_head
        casting = again = 0.0
    working = tokens * _working(sizes, inside)
    one = stored if step.checkpointing else kept + copies
    return {
        "loss": fixed + there.loss + forward + casting + at_loss,
        "backward": fixed + there.backward + forward + at_backward,
        "last layer": fixed + there.last + forward - end - copies_of_head + again + working,
        "first layer": fixed + there.first + one + again + working,
        "embedding": fixed + there.embedding + stored,
        "optimizer": fixed + there.optimizer,
    }


def _of_the_loss(sizes: Sizes, step: Step) -> tuple[float, float]:
    """Bytes of the logits and of what is made of them, at the loss and as the backward pass begins."""
    logits = float(step.tokens * sizes.vocab)
    if step.loss == "fused":
        # liger_kernel 0.8.5 ops/fused_linear_cross_entropy.py: the gradients of head and input are made at the loss,
        # that of the head in its own type; a piece of the logits is as long as the hidden states are.
        residual = 2.0 if step.computes_in_bf16 else 4.0
        found = 2.0 * logits * _piece(sizes, step.tokens) + residual * step.tokens * sizes.hidden
        if not step.lora_rank:
            found += (4.0 if not step.computes_in_bf16 else 2.0) * sizes.head
        return found, found
    if step.loss == "chunked":
        # trl 1.16 kernels/chunked_logprob.py: gradients of head and input in float32.
        tile = 2.0 * min(step.tokens, TILE[0]) * min(sizes.vocab, TILE[1])
        return tile, tile + 4.0 * step.tokens * sizes.hidden + (0.0 if step.lora_rank else 4.0 * sizes.head)
    if step.compiled and step.checkpointing:
        return AT_LOSS_APART * logits, AT_BACKWARD_APART * logits
    if step.compiled:
        return AT_LOSS_COMPILED * logits, AT_BACKWARD_COMPILED * logits
    if step.in_float32:
        return AT_LOSS_FLOAT32 * logits, AT_BACKWARD * logits
    return (AT_LOSS_KEPT if step.loss == "kept" else AT_LOSS) * logits, AT_BACKWARD * logits


def _piece(sizes: Sizes, tokens: int) -> float:
    """The share of the tokens whose logits Liger makes at a time."""
    if not tokens:
        return 0.0
    parts = -(-sizes.vocab // sizes.hidden)
    piece = 1 << (-(-tokens // parts) - 1).bit_length()
    return min(1.0, piece / tokens)


def _kept_by_layer(sizes: Sizes, step: Step) -> float:
    """Bytes for each token that a decoder layer keeps for its backward pass."""
    hidden, q, kv, wide = sizes.hidden, sizes.q, sizes.kv, sizes.intermediate
    times = 2.0 if step.in_float32 else 1.0
    attention = times * (4.0 * q + 4.0 * kv)  # q, k, v and the output, in BF16
    readers = sum(sizes.fan_in)
    if step.compiled:
        # Inductor keeps neither the SiLU nor what it can compute from its inputs, and with FP8 not the product either.
        return attention + (0.5 if step.engine == "AO" else 0.75) * sizes.mlp + 11.0 * hidden + sizes.routed
    # Liger's norm keeps its input as it is, and its SwiGLU makes the SiLU again.
    of_norm = (2.0 if step.computes_in_bf16 else 4.0) if step.liger else 4.0
    mlp = times * sizes.mlp - (2.0 * wide if step.liger and sizes.gated else 0.0)
    norms = 2 * of_norm * hidden
    if step.lora_rank:
        bytes_ = norms + attention + mlp + _kept_by_adapters(sizes, step)
        if step.engine == "AO":
            bytes_ += (4.0 if step.computes_in_bf16 else 2.0 * readers) * hidden + 2.0 * wide
        return bytes_ + sizes.routed
    product = 0.0 if step.liger else 2.0 if step.computes_in_bf16 else 4.0  # the input in its norm, before the weight
    if step.computes_in_bf16:
        norms += 2 * (product + 2.0) * hidden  # and the output, which all readers share
        inputs = 0.0
    else:
        norms += 2 * product * hidden
        inputs = 0.0 if step.in_float32 else 2.0 * readers * hidden  # autocast casts the input anew for each of them
    if step.engine == "TE":  # each layer keeps its input in FP8: one byte
        shared = 2 * 2.0 * hidden if step.computes_in_bf16 else inputs
        inputs += readers * hidden + q - (2.0 * times - 1.0) * wide - shared
    return norms + inputs + attention + mlp + sizes.routed


def _kept_by_adapters(sizes: Sizes, step: Step) -> float:
    """Bytes for each token that the adapters of a decoder layer keep; `mlp` has the input of the last one already.

    The frozen base keeps no input and the frozen norms no product. PEFT's adapters are in float32 and cast their input
    to it; autocast casts it back, and a copy in BF16 is kept of each. DeepSpeed has no autocast: ZeRO-1 and 2 make the
    adapters BF16, which share what they read, and under ZeRO-3 they stay float32, beside inputs that its own linear
    function keeps for the frozen base as well (runtime/zero/linear.py).
    """
    readers = sum(sizes.fan_in)
    read = float(readers * sizes.hidden + sizes.q)
    if step.strategy in ("zero1", "zero2"):
        inputs = 4.0 * sizes.hidden
    elif step.strategy == "zero3":
        inputs = 4.0 * sizes.hidden + 4.0 * (read + sizes.intermediate)
    else:
        inputs = 2.0 * read
    dropped = read + sizes.intermediate if step.lora_dropout else 0.0  # a byte for each, whether it was dropped
    return inputs + dropped + 4.0 * step.lora_rank * (readers + 2)


def _working(sizes: Sizes, step: Step) -> float:
    """Bytes for each token of gradients that are under way in a decoder layer."""
    residual = 2.0 if step.computes_in_bf16 else 4.0
    wide = 4.0
    if step.lora_rank and step.strategy not in ("zero1", "zero2"):  # through the casts of the adapter, and its dropout
        wide = 8.0 if step.lora_dropout else 6.0
    if step.engine == "AO" and not step.compiled:
        # torchao 0.17 float8/float8_training_tensor.py: a cast to FP8 makes a float32 copy, and its product with the
        # scale; without adapters half of it is made when other gradients are gone.
        wide += 8.0 if step.lora_rank else 4.0
    if step.in_float32:
        wide *= 2.0
    return wide * sizes.intermediate + residual * sizes.hidden


def _kept_by_the_end(sizes: Sizes, step: Step) -> float:
    """Bytes for each token that the last norm and the head keep."""
    if step.compiled:
        return 0.0
    if step.loss == "fused":
        return (2.0 if step.computes_in_bf16 else 4.0) * sizes.hidden
    if step.lora_rank:
        return 4.0 * sizes.hidden
    return (8.0 if step.computes_in_bf16 else 10.0) * sizes.hidden


def _copies(sizes: Sizes, step: Step) -> tuple[float, float]:
    """Bytes of copies of the weights, of a decoder layer and of the head: autocast's in BF16, or Transformer Engine's
    in FP8, for the forward and for the backward pass. torchao keeps none."""
    if step.engine == "TE":
        return 2.0 * sizes.layer, 2.0 * sizes.head
    of_head = 0.0 if step.computes_in_bf16 or step.loss == "chunked" else 2.0 * sizes.head
    are_in_bf16 = step.computes_in_bf16 or step.weights != "float32"
    return (0.0 if are_in_bf16 or step.engine == "AO" else 2.0 * sizes.layer), of_head
