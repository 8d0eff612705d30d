"""What a trainer is described with: how its file is told, how many tokens a batch has, what it hands to Accelerator."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal

    from fp8check.rules.reading.kind import Kind, Shape
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.settings.values import Setting, Undecided

    # The variables of the training process; a value is a string.
    Environment = Mapping[str, Setting]


class Detection(Record):
    """One way to tell a file.

    Attributes:
        place: in which order it is asked, the most telling first: tools that are not known below 10, DeepSpeed 10, a
            model's config.json 20, Accelerate 50. A trainer whose keys nobody else has stands before Accelerate, one
            that shares its keys behind it.
        tells: whether a file of these top-level keys is one.
        kind: what it is then.
    """

    place: int
    tells: Callable[[Shape], bool]
    kind: Kind


MOST_SAID = 20  # names in a message: one of thousands is said at each of them


def listed(words: Sequence[str]) -> str:
    """Words as Python writes a list of them, the first of very many."""
    return f"{[*words]}" if len(words) <= MOST_SAID else f"{[*words[:MOST_SAID]]}"[:-1] + ", ...]"


def names(text: str) -> frozenset[str]:
    """A set of keys from their names in a text."""
    return frozenset(text.split())


def count(shape: Shape, known: frozenset[str]) -> int:
    """How many of these keys the file has."""
    return len(known & shape.keys())


def has_share(shape: Shape, known: int) -> bool:
    """Whether so many known keys tell a file that may have keys of a script of its own, too.

    Files for the Trainer and for TRL in public repositories have 36 known keys in 100 or more; those of other tools,
    which have a learning rate and a seed, too, 20 or fewer.
    """
    return 4 * known >= len(shape)


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


def exact(batch: int, row: int, why: str, place: Setting | None) -> Tokens:
    """`batch` rows of `row` tokens each, every time."""
    return Tokens(batch * row, batch * row, row, f"{_sequences(batch)}, {why}", place)


def varying(batch: int, multiple: int, why: str, place: Setting | None) -> Tokens:
    """`batch` rows of a length that varies, and is a multiple of `multiple` tokens."""
    return Tokens(None, batch * multiple, multiple, f"{_sequences(batch)}, {why}", place)


def _sequences(batch: int) -> str:
    return f"{batch} sequence{'s' if batch > 1 else ''}"


class Started(Record):
    """The training process as the launcher starts it.

    Attributes:
        environment: its variables.
        kind: NO (one plain process), MULTI_GPU (torchrun's variables are set), FSDP, DEEPSPEED, MEGATRON_LM.
        fsdp_version: 1 or 2 where kind is FSDP.
        unknown: where kind is NO, and it may as well be MULTI_GPU: what is not known.
    """

    environment: Environment
    kind: DistributedType
    fsdp_version: int | None = None
    unknown: Undecided | None = None


class AcceleratorArguments(Record):
    """What Accelerator is constructed with, and how prepare() is called.

    Attributes:
        mixed_precision: the argument; None where the trainer passes none.
        handler: class name of the FP8 recipe handler among kwargs_handlers, with its arguments; None without one.
        prepares: "together" (model and optimizer in one call) or "model first".
        te_stubbed: LLaMA-Factory put a stand-in at transformer_engine.pytorch.fp8.
    """

    mixed_precision: Setting | None = None
    handler: str | None = None
    handler_arguments: Mapping[str, object] = {}
    prepares: Literal["together", "model first"] = "together"
    te_stubbed: bool = False


class HandedOver(Record):
    """What the trainer hands over: the variables as it leaves them, and the arguments of Accelerator."""

    environment: Environment
    arguments: AcceleratorArguments = AcceleratorArguments()


# Flags of `accelerate launch`, which it takes before the script alone.
_OF_LAUNCHER = frozenset(
    [
        *("mixed_precision", "config_file", "use_fsdp", "use_deepspeed", "multi_gpu", "num_processes"),
        *("num_machines", "machine_rank", "main_process_port", "dynamo_backend", "zero_stage"),
    ]
)


def is_no_argument(name: str) -> bool:
    """Whether it is a flag about precision, or one of Accelerate's launcher, that TrainingArguments never has.

    Looked up in transformers 4.45.2 to 5.24.0, and in the configurations of TRL 0.16.1 to 1.16.0 but DDPO's and
    AlignProp's.
    """
    return name.startswith("fp8") or name in ("no_bf16", "no_fp16") or name in _OF_LAUNCHER
