"""How many tokens a micro-batch has: exactly, or at least by what their number is always divisible.

What makes the batches is known for LLaMA-Factory's stages pt and sft and for TRL's SFTTrainer. A script that hands
batches to transformers' Trainer may pad them as it likes.
"""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training

# Transformer Engine's FP8 GEMMs want this much on Hopper and Ada, where wgrad has the tokens as its leading dimension.
ALIGNMENT = 16
HALF = 8  # what the forward pass wants everywhere
BLOCK = 32  # what MXFP8 wants
TN_ONLY = ("8.9", "9.0")
LLAMAFACTORY_PADS_TO = 8  # train/sft/workflow.py pad_to_multiple_of


class Tokens(Record):
    """The tokens of a micro-batch.

    Attributes:
        exact: their number, where every full batch has the same; else None.
        divisor: the number of tokens of every full batch is a multiple of it.
        last: the same for the last batch of an epoch, which may hold fewer sequences.
        why: what makes it so, for people.
        place: the setting that decides.
    """

    exact: int | None
    divisor: int
    last: int
    why: str
    place: Setting | None


def batch_tokens(run: Run) -> Tokens | None:
    """The tokens of a micro-batch; None where what makes the batches is not known."""
    training = run.training
    batch, sequence = training.micro_batch, training.sequence
    if batch is None or sequence is None:
        return None
    if training.trainer == "llamafactory":
        return _llamafactory(training, batch, sequence)
    if training.trainer == "trl":
        return _trl(training, batch, sequence)
    return None


def _llamafactory(training: Training, batch: int, sequence: int) -> Tokens | None:
    """data/processor/supervised.py and pretrain.py, hparams/data_args.py and parser.py of 0.9.4 and 0.9.5."""
    stage = training.value("stage", "sft")
    packing = training.get("packing")
    packs = training.on("neat_packing") or (packing is not None and bool(packing.value))
    if stage == "sft":
        if packs:
            row = -(-sequence // LLAMAFACTORY_PADS_TO) * LLAMAFACTORY_PADS_TO
            return _exact(training, batch, row, f"packed into {row:,} tokens each")
        return _varying(training, batch, LLAMAFACTORY_PADS_TO, "padded to the longest of the batch, and to 8")
    if stage != "pt":
        return None
    if packs:  # data_args.py: cutoff_len -= 1, which only the packing of sft makes up for
        return _exact(
            training, batch, sequence - 1, f"cut into blocks of {sequence - 1:,}: packing takes one token off"
        )
    if packing is None or packing.value is None:
        return _exact(training, batch, sequence, f"cut into blocks of {sequence:,} tokens")
    return _varying(training, batch, 1, "padded to the longest of the batch")


def _trl(training: Training, batch: int, sequence: int) -> Tokens:
    """trainer/sft_config.py and sft_trainer.py of 0.21.0 to 1.16.0."""
    multiple = training.value("pad_to_multiple_of")
    multiple = multiple if isinstance(multiple, int) and multiple > 0 else 1
    padded = f"padded to the longest of the batch, and to {multiple}" if multiple > 1 else "padded to the longest"
    if training.on("packing") and training.value("packing_strategy") == "wrapped":
        row = -(-sequence // multiple) * multiple
        return _exact(training, batch, row, f"packed into {row:,} tokens each")
    if training.on("packing") or training.on("padding_free"):
        return Tokens(None, multiple, multiple, "flattened into one row of tokens", training.get("packing"))
    return _varying(training, batch, multiple, padded)


def _exact(training: Training, batch: int, row: int, why: str) -> Tokens:
    return Tokens(batch * row, batch * row, row, f"{_sequences(batch)}, {why}", training.setting_for("sequence"))


def _varying(training: Training, batch: int, multiple: int, why: str) -> Tokens:
    return Tokens(None, batch * multiple, multiple, f"{_sequences(batch)}, {why}", training.setting_for("micro_batch"))


def _sequences(batch: int) -> str:
    return f"{batch} sequence{'s' if batch > 1 else ''}"
