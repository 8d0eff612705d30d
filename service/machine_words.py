"""The machine that trains in a few words, as a form has it: which GPUs, how many, and which releases are installed.

Nobody who only wants to know has a facts.json at hand. What is picked becomes one, so that a check knows facts in one
shape; what is not picked stays unknown.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules import facts as machine
from fp8check.rules.checking.stacks import LONGEST, BadStack, changed_facts, matters, releases
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.outcome.gpus import gpus as datasheets
from fp8check.rules.releases.stack import Stack
from fp8check.rules.releases.versions import EXECUTED
from fp8check.rules.trainers.registry import BY_NAME
from fp8check.service.check_request import File
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_GPUS = 64
LARGEST_STACK = 200_000  # characters of a whole pip freeze
_NAME = "facts.json"
_IMPLIED = ("transformer_engine_torch",)  # by stacks.changed_facts
_BY_NAME = {datasheet.name: datasheet for datasheet in datasheets()}
# What a run's releases are about, in the order in which a form names them; the trainer itself stands before them.
_PACKAGES = ("torch", "accelerate", "transformers", "transformer_engine", "torchao", "peft")


class Words(NamedTuple):
    """What a form says of the machine; empty where it says nothing.

    Attributes:
        gpu: the name of one of rules/outcome/gpus.py.
        gpus: how many of it, as typed.
        stack: releases, as `pip freeze` prints them or on one line.
    """

    gpu: str = ""
    gpus: str = ""
    stack: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return not (self.gpu or self.gpus or self.stack)


def facts_of(words: Words) -> File:
    """The facts.json that these words come to.

    Raises:
        Problem: no GPU has that name, the number is none, or the releases cannot be understood.
    """
    facts = Facts(gpus=_gpus(words))
    text = _of_interest(words.stack)
    try:
        found = releases(text) if text else {}
    except BadStack as error:
        raise _fault("stack", f"{error}; {error.hint}") from None
    return File(_NAME, machine.dump(changed_facts(facts, {}, found)))


def words_of(file: File) -> Words | None:
    """The words that such a facts.json was made of, for the form to show again; None where it was not."""
    try:
        facts = machine.loads(file.text, file.name)
    except machine.BadFacts:
        return None
    words = Words(
        next((name for name in _BY_NAME for gpu in facts.gpus or () if gpu.name == f"NVIDIA {name}"), ""),
        str(len(facts.gpus)) if facts.gpus else "",
        "\n".join(f"{name}=={release}" for name, release in (facts.packages or {}).items() if name not in _IMPLIED),
    )
    try:
        return words if facts_of(words).text == file.text else None
    except Problem:
        return None


def _gpus(words: Words) -> list[Gpu] | None:
    if not words.gpu:
        if words.gpus:
            raise _fault("gpus", "of which GPU? Say gpu, too")
        return None
    known = _BY_NAME.get(words.gpu)
    if known is None:
        raise _fault("gpu", f"one of {', '.join(_BY_NAME)}")
    count = words.gpus or "1"
    if not (count.isascii() and count.isdecimal() and 1 <= int(count[:4]) <= MOST_GPUS):
        raise _fault("gpus", f"a number from 1 to {MOST_GPUS}")
    return [Gpu(index, f"NVIDIA {known.name}", known.compute_capability) for index in range(int(count))]


def _of_interest(stack: str) -> str:
    """The releases that say something about FP8: of a whole `pip freeze` most lines do not, and some are addresses."""
    if len(stack) > LARGEST_STACK:
        raise _fault("stack", f"at most {LARGEST_STACK:,} characters")
    lines = [line for line in stack.splitlines() if not line.lstrip().startswith(("#", "-")) and " @ " not in line]
    words = " ".join(lines).replace(",", " ").split()
    if len(lines) == 1:  # typed by hand: a word that is not known is a mistake
        return " ".join(words)
    kept = " ".join(word for word in words if matters(word.partition("==")[0].lower().replace("-", "_")))
    if words and not kept:
        raise _fault("stack", "none of these packages has to do with FP8")
    if len(kept) > LONGEST:
        raise _fault("stack", f"more than {LONGEST:,} characters of releases that matter")
    return kept


def _fault(field: str, message: str) -> Problem:
    return Problem("invalid", f"{field}: {message}", errors=[{"field": f"/{field}", "message": message}])


@functools.cache
def stacks() -> Mapping[str, str]:
    """The stacks that a form offers, by what they are: the newest releases that were really run with each trainer."""
    return {f"{BY_NAME[name].title}, newest": _stack_of(name) for name in BY_NAME if name in EXECUTED}


def _stack_of(name: str) -> str:
    trainer, stack = BY_NAME[name](), Stack(Facts(packages={"torch": EXECUTED["torch"]}))
    found = {one: trainer.newest(stack, one) for one in dict.fromkeys((name, *_PACKAGES))}
    found["torch"] = EXECUTED["torch"]
    return " ".join(f"{one}=={release}" for one, release in found.items() if release is not None)


def preset_of(stack: str) -> str:
    """The stack that is offered and means these releases, in whatever order; "" where none does."""
    return next((one for one in stacks().values() if set(one.split()) == set(stack.split())), "")


def gpus() -> tuple[str, ...]:
    """The GPUs that a form offers."""
    return tuple(_BY_NAME)
