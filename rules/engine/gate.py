"""What a check requires of the outcome, `speedup>=1.1` or `fp8_layers==all`: a name, an operator and a value.

The names are those of the report's outcome, and are a closed list. A value that is not known meets no requirement, and
neither does one that is not there: the speed-up of a run that does not train in FP8.
"""

from __future__ import annotations

from fp8check.rules.engine.definition import KNOWLEDGE
from fp8check.rules.input_error import InputError
from fp8check.rules.outcome.memory import predict_memory
from fp8check.rules.outcome.speed import predict_speed
from fp8check.rules.record import Record
from fp8check.rules.releases.accelerate_enums import BACKENDS, DISTRIBUTED_TYPES
from fp8check.rules.releases.recipes import BLOCK_SCALINGS, DELAYED_SCALING
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

    from fp8check.rules.outcome import Outcome
    from fp8check.rules.outcome.memory import Memory
    from fp8check.rules.settings.values import Setting

    Value = str | float | bool
    # A value; None with the reason where there is none.
    Read = tuple[object, str]

MOST = 100  # of one check
LONGEST = 200  # characters
OPERATORS = ("==", "!=", ">=", "<=", ">", "<")
LAYERS = ("none", "some", "all")
SWITCH = ("false", "true")
PRECISIONS = ("no", "fp16", "bf16", "fp8")
CLASSES = (DELAYED_SCALING, *(scaling.name for scaling in BLOCK_SCALINGS), "Float8LinearConfig")
FORMS = ("HYBRID", "E4M3", "E5M2")
TORCHAO = ("tensorwise", "rowwise", "rowwise_with_gw_hp")
_WITH_BOTH = "it depends on releases that are not known"


class BadRequirement(InputError):
    """A requirement that cannot be understood."""


class Requirement(Record):
    """One requirement: the outcome's value of that name stands in that relation to this value.

    Attributes:
        text: as it is written, without spaces.
    """

    name: str
    operator: str
    value: Value
    text: str


class Required(Record):
    """A requirement, and what became of it.

    Attributes:
        requirement: as it was written.
        met: None where it is not known.
        value: of the outcome; None where it is not known, where there is none, and where it depends on releases.
        why: what the value holds for; why there is none, or why it is not known.
        command: what would tell it; "" where it is known.
        both: the two values, where they depend on releases; "" where they do not.
    """

    requirement: str
    met: bool | None
    value: object
    why: str = ""
    command: str = ""
    both: str = ""

    @property
    def said(self) -> str:
        """What the outcome says, for people."""
        if self.value is not None:
            return in_words(self.value)
        return self.both or ("not known" if self.met is None else "there is none")


class Name(Record):
    """A value of the outcome that may be required.

    Attributes:
        about: what it is, for people.
        words: what it may be; empty for a number.
        read: gets it from an outcome; raises Undecided where it is not known.
        ranked: whether the words have an order, the least first.
    """

    about: str
    words: tuple[str, ...]
    read: Callable[[Outcome], Read]
    ranked: bool = False


def parsed(texts: Iterable[str]) -> tuple[Requirement, ...]:
    """The requirements that are written like this, each once.

    Raises:
        BadRequirement: one is not understood, or there are too many.
    """
    written = [*dict.fromkeys(texts)]
    if len(written) > MOST:
        raise BadRequirement(f"more than {MOST} requirements")
    return tuple(_parsed(text) for text in written)


def _parsed(text: str) -> Requirement:
    if len(text) > LONGEST:
        raise BadRequirement(f"a requirement of more than {LONGEST} characters: {text[:40]!r}...")
    at = next((at for at, character in enumerate(text) if character in "=!<>"), len(text))
    name, rest = text[:at].strip(), text[at:]
    operator = next((one for one in OPERATORS if rest.startswith(one)), None)
    if not name or (operator is None and not rest):
        raise BadRequirement(f"a requirement is a name, an operator and a value, as speedup>=1.1; not {text!r}")
    if name not in NAMES:
        raise BadRequirement(f"the outcome has no {name!r}.{_near(name)} There are {', '.join(NAMES)}")
    if operator is None:
        raise BadRequirement(f"{text!r}: the operators are {' '.join(OPERATORS)}")
    written = rest[len(operator) :].strip()
    value = _value(NAMES[name], operator, written, text)
    shown = written if isinstance(value, float) else in_words(value)
    return Requirement(name, operator, value, f"{name}{operator}{shown}")


def _near(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name.lower(), NAMES, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _value(known: Name, operator: str, written: str, text: str) -> Value:
    """The value as its kind has it."""
    if not known.words:
        digits = written.removeprefix("-").replace(".", "", 1)
        if not (digits.isascii() and digits.isdigit() and len(digits) < 25):
            raise BadRequirement(f"{text!r}: its value is a number, as 1.1")
        return float(written)
    word = next((one for one in known.words if one.lower() == written.strip("\"'").lower()), None)
    if word is None:
        raise BadRequirement(f"{text!r}: its value is one of {', '.join(known.words)}")
    if operator not in ("==", "!=") and not known.ranked:
        raise BadRequirement(f"{text!r}: its values have no order; the operators are == and !=")
    return word == "true" if known.words == SWITCH else word


def required(requirements: Iterable[Requirement], outcome: Outcome, earlier: Outcome | None) -> tuple[Required, ...]:
    """What became of the requirements.

    Args:
        earlier: the outcome with earlier releases, where versions had to be assumed: what is required holds in both.
    """
    return tuple(_required(requirement, outcome, earlier) for requirement in requirements)


def _required(requirement: Requirement, outcome: Outcome, earlier: Outcome | None) -> Required:
    newest = _answer(requirement, outcome)
    before = newest if earlier is None else _answer(requirement, earlier)
    if newest.value == before.value and newest.met == before.met:
        return newest
    if newest.met is None or before.met is None:
        return newest if newest.met is None else before
    said = f"{newest.said} with the newest releases, {before.said} with earlier ones"
    if newest.met == before.met:
        return newest._replace(value=None, both=said)
    return Required(requirement.text, None, None, _WITH_BOTH, KNOWLEDGE["packages"], said)


def in_words(value: object) -> str:
    """A value for people."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _answer(requirement: Requirement, outcome: Outcome) -> Required:
    known = NAMES[requirement.name]
    try:
        value, why = known.read(outcome)
    except Undecided as reason:
        return Required(requirement.text, None, None, reason.what, KNOWLEDGE.get(reason.needs, reason.needs))
    shown = ", ".join(value) if isinstance(value, tuple) else value
    return Required(requirement.text, value is not None and _holds(requirement, known, value), shown, why)


def _holds(requirement: Requirement, known: Name, value: object) -> bool:
    if isinstance(value, tuple):  # of the words that tell a recipe
        return (str(requirement.value) in value) == (requirement.operator == "==")
    if not known.words:
        numbers = isinstance(value, (int, float)) and not isinstance(value, bool)
        return numbers and _compared(requirement.operator, float(str(value)), float(requirement.value))
    if known.ranked:
        return _compared(requirement.operator, known.words.index(str(value)), known.words.index(str(requirement.value)))
    return (str(value).lower() == str(requirement.value).lower()) == (requirement.operator == "==")


def _compared(operator: str, value: float, wanted: float) -> bool:
    return {
        "==": value == wanted,
        "!=": value != wanted,
        ">=": value >= wanted,
        "<=": value <= wanted,
        ">": value > wanted,
        "<": value < wanted,
    }[operator]


# How the values are read.


def _open(outcome: Outcome, what: str, needs: str = "") -> NoReturn:
    """Say what is not known: what ends the prediction early, where something does."""
    raise outcome.undecided or Undecided(what, needs or "nothing: it is not modeled for this run")


def _ends(outcome: Outcome) -> str:
    error = outcome.error
    return "" if error is None else f"the run does not start: {error.type} ({error.stage})"


def _starts(outcome: Outcome) -> Read:
    return (_open(outcome, "") if outcome.starts is None else outcome.starts), _ends(outcome)


def _state(setting: Callable[[Outcome], Setting | None]) -> Callable[[Outcome], Read]:
    """A reader of a setting of Accelerator's state."""

    def read(outcome: Outcome) -> Read:
        if outcome.accelerator is None:
            return None, _ends(outcome) or _open(outcome, "")
        found = setting(outcome)
        return None if found is None else found.value, ""

    return read


def _fp8_enabled(outcome: Outcome) -> Read:
    if outcome.fp8_enabled is None and outcome.run.script.own:
        _open(outcome, "the script turns FP8 on itself, or may")
    if outcome.accelerator is None:
        return None, _ends(outcome) or _open(outcome, "")
    return (
        outcome.fp8_enabled,
        "" if outcome.fp8_enabled is not None else "this release of Accelerate has no such value",
    )


def _trains(outcome: Outcome) -> bool:
    """Whether it trains in FP8.

    Raises:
        Undecided: it is not known.
    """
    found = outcome.trains_in_fp8
    return _open(outcome, "whether layers run in FP8 is not modeled with this backend") if found is None else found


def _not_in_fp8(outcome: Outcome) -> Read:
    return None, _ends(outcome) or "the run does not train in FP8"


def _fp8_layers(outcome: Outcome) -> Read:
    if not _trains(outcome):
        return "none", _ends(outcome)
    return outcome.fp8_layers, ""


def _trains_weights(outcome: Outcome) -> Read:
    return (outcome.frozen is None, "") if _trains(outcome) else _not_in_fp8(outcome)


def _layers(total: bool) -> Callable[[Outcome], Read]:
    """A reader of a number of layers."""

    def read(outcome: Outcome) -> Read:
        if outcome.error is not None:
            return None, _ends(outcome)
        if outcome.undecided is not None:
            raise outcome.undecided
        coverage = outcome.prepared.coverage
        found = coverage.total if total else coverage.converted
        return (_open(outcome, "the shapes of the model are not known", "model") if found is None else found), ""

    return read


def _distributed_type(outcome: Outcome) -> Read:
    if outcome.accelerator is None:
        return None, _ends(outcome) or _open(outcome, "")
    if outcome.distributed_type is None:
        raise Undecided("it is NO or MULTI_GPU, by the number of GPUs, which is not known", "gpus")
    return outcome.distributed_type, ""


def _recipe(outcome: Outcome) -> Read:
    """The words that tell the recipe: its class, and its format or its name."""
    if not _trains(outcome):
        return _not_in_fp8(outcome)
    made = outcome.prepared.recipe or {}
    words = tuple(str(made[name].value) for name in ("class", "fp8_format", "recipe") if name in made)
    return (words, "") if words else (None, "there is no recipe")


def _of_recipe(name: str) -> Callable[[Outcome], Read]:
    """A reader of one value of the recipe."""

    def read(outcome: Outcome) -> Read:
        if not _trains(outcome):
            return _not_in_fp8(outcome)
        found = (outcome.prepared.recipe or {}).get(name)
        return (None, f"the recipe has no {name}") if found is None else (found.value, "")

    return read


def _speedup(which: str) -> Callable[[Outcome], Read]:
    """A reader of the predicted speed-up."""

    def read(outcome: Outcome) -> Read:
        if not _trains(outcome):
            return _not_in_fp8(outcome)
        if not (outcome.run.visible_gpus() or outcome.run.facts.gpus):  # the prediction is then for an H200
            raise Undecided("the GPU that the speed-up is for", "gpus")
        speed = predict_speed(outcome.run, outcome)
        if speed is None:
            raise _unmodeled(outcome, "the speed-up")
        return round(getattr(speed, which), 2), speed.why

    return read


def _unmodeled(outcome: Outcome, what: str) -> Undecided:
    if outcome.run.model is None:
        return Undecided(f"{what} is not predicted: the shapes of the model are not known", "model")
    return Undecided(f"{what} of this run is not predicted", "fp8check --probe on the GPU node measures a step")


def _memory(size: Callable[[Memory], float | None], lacking: str = "", needs: str = "") -> Callable[[Outcome], Read]:
    """A reader of the predicted peak memory; `lacking`: what is not known where there is no size."""

    def read(outcome: Outcome) -> Read:
        if outcome.error is not None:
            return None, _ends(outcome)
        _trains(outcome)
        found = predict_memory(outcome.run, outcome)
        if found is None:
            raise _unmodeled(outcome, "the memory")
        gib = size(found)
        if gib is None and lacking:
            raise Undecided(lacking, needs)
        return (None if gib is None else round(gib, 2)), ("" if gib is not None else "the run does not train in FP8")

    return read


# The names, as the report's outcome has them.
NAMES: dict[str, Name] = {
    "starts": Name("whether the first step is done", SWITCH, _starts),
    "mixed_precision": Name("accelerator.mixed_precision", PRECISIONS, _state(lambda one: one.mixed_precision)),
    "fp8_enabled": Name("accelerator.fp8_enabled", SWITCH, _fp8_enabled),
    "backend": Name("accelerator.fp8_backend", BACKENDS, _state(lambda one: one.backend)),
    "recipe": Name("the recipe's class, or its format or name", (*CLASSES, *FORMS, *TORCHAO), _recipe),
    "recipe.class": Name("its class", CLASSES, _of_recipe("class")),
    "recipe.fp8_format": Name("Transformer Engine's format", FORMS, _of_recipe("fp8_format")),
    "recipe.amax_history_len": Name("the history of delayed scaling", (), _of_recipe("amax_history_len")),
    "recipe.amax_compute_algo": Name("what is taken of it", ("max", "most_recent"), _of_recipe("amax_compute_algo")),
    "recipe.margin": Name("the margin of delayed scaling", (), _of_recipe("margin")),
    "recipe.recipe": Name("torchao's recipe", TORCHAO, _of_recipe("recipe")),
    "recipe.pad_inner_dim": Name("whether torchao pads", SWITCH, _of_recipe("pad_inner_dim")),
    "recipe.enable_fsdp_float8_all_gather": Name(
        "whether torchao gathers in FP8", SWITCH, _of_recipe("enable_fsdp_float8_all_gather")
    ),
    "fp8_layers": Name("how many Linear layers run in FP8", LAYERS, _fp8_layers, ranked=True),
    "layers.converted": Name("their number", (), _layers(total=False)),
    "layers.total": Name("the number of Linear layers", (), _layers(total=True)),
    "distributed_type": Name("accelerator.distributed_type", DISTRIBUTED_TYPES, _distributed_type),
    "trains_converted_weights": Name("whether the converted weights are trained", SWITCH, _trains_weights),
    "speedup": Name("the predicted speed-up over BF16", (), _speedup("predicted")),
    "speedup.low": Name("on a host that launches slowly", (), _speedup("low")),
    "speedup.high": Name("on one that launches fast", (), _speedup("high")),
    "memory": Name("GiB of one GPU at the peak of the run as it is", (), _memory(lambda one: one.peak_gib)),
    "memory.bf16_gib": Name("the same in BF16", (), _memory(lambda one: one.bf16_gib)),
    "memory.fp8_gib": Name("the same in FP8", (), _memory(lambda one: one.fp8_gib)),
    "memory.limit_gib": Name(
        "what the smallest GPU has for it", (), _memory(lambda one: one.limit_gib, "the memory of the GPU", "gpus")
    ),
}
