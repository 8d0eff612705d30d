"""Which predictions go beyond what was executed: those of packages that are newer than the records are."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.releases.versions import EXECUTED, parse, parsed
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.outcome.predict import Outcome

# What of a prediction rests on a package, in the order of the chain.
_RESTS_ON = {
    "accelerate": "the launch, Accelerator() and prepare()",
    "llamafactory": "its arguments and its trainer",
    "axolotl": "its arguments and its trainer",
    "trl": "its arguments and its trainer",
    "transformers": "the arguments and the Trainer",
    "peft": "the adapters",
    "deepspeed": "the engine and its step",
    "transformer_engine": "the recipe, the layers and their step",
    "torchao": "the recipe, the layers and their step",
    "torch": "the step: compiling, checkpointing, sharding and memory",
}


class Extrapolated(Record):
    """A package whose release nobody ran for this model, and what was predicted of it all the same.

    Attributes:
        release: the one that is installed.
        executed: the newest that was run.
        predictions: what rests on it.
    """

    package: str
    release: str
    executed: str
    predictions: str


def extrapolated(outcome: Outcome) -> tuple[Extrapolated, ...]:
    """What is extrapolated of an outcome; nothing where releases are not known: these are assumed, and said to be."""
    return tuple(_beyond(outcome))


def _beyond(outcome: Outcome) -> Iterator[Extrapolated]:
    concerned = _concerned(outcome)
    for package, predictions in _RESTS_ON.items():
        known = outcome.stack.known(package)
        release = parsed(known)
        if package in concerned and known is not None and release is not None and release > parse(EXECUTED[package]):
            yield Extrapolated(package, known, EXECUTED[package], predictions)


def _concerned(outcome: Outcome) -> set[str]:
    """The packages that take part in the run."""
    training = outcome.run.training
    packages = {"accelerate", "torch", training.name}
    if training.is_huggingface:
        packages.add("transformers")
    if _perhaps_with_adapters(outcome):
        packages.add("peft")
    if outcome.distributed_type == "DEEPSPEED":
        packages.add("deepspeed")
    backend = {"TE": "transformer_engine", "AO": "torchao"}.get(outcome.backend_name or "")
    return packages if backend is None else packages | {backend}


def _perhaps_with_adapters(outcome: Outcome) -> bool:
    """Whether adapters train, or may: the word that says it is filled in later."""
    try:
        return outcome.run.training.uses_lora
    except Undecided:
        return True


def in_words(found: tuple[Extrapolated, ...]) -> str:
    """All of it in one line, for people."""
    parts = [
        f"{one.predictions} with {one.package.replace('_', ' ')} {one.release} ({one.executed} was executed)"
        for one in found
    ]
    return f"extrapolated: {'; '.join(parts)}"
