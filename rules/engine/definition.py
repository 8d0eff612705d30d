"""What a rule is: one function that looks at a run and yields what it found.

A rule asks for its inputs by the names of its parameters. The engine hands them over; where one is not known, the
engine reports the rule as undecided, with the command that would decide it. A rule never guesses.
"""

from __future__ import annotations

from fp8check.rules.reading.nodes import Span
from fp8check.rules.record import Record
from fp8check.rules.settings.values import Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Literal

    from fp8check.rules.edits.action import Action
    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.reading import Node
    from fp8check.rules.settings.shell_lines import Line
    from fp8check.rules.trainers.run import FileInput

    Place = Setting | Node | Span | None
    Severity = Literal["error", "warning", "info"]
    # What a finding says of the outcome; CLAIMS has what that means.
    Claim = Literal["nothing", "perhaps", "seen", "ends", "FP8", "no FP8", "lost", "frozen", "ignored", "decides"]
    # What a run may lack, or what may not be known of it: SUBJECTS and KNOWLEDGE.
    Requirement = Literal[
        "accelerate",
        "training",
        "trains",
        "deepspeed",
        "documents",
        "script",
        "packages",
        "variables",
        "gpus",
        "transformer_engine",
        "model",
        "seen",
    ]

ERROR: Severity = "error"
WARNING: Severity = "warning"
INFO: Severity = "info"
SEVERITIES = (ERROR, WARNING, INFO)

# What a finding says of the outcome of its run. tests/tools/agreement.py holds each against what is predicted: a rule
# has no model of its own, and never says otherwise than the outcome.
CLAIMS: Mapping[Claim, str] = {
    "nothing": "of what the outcome says, nothing",
    "perhaps": "the run may end, or be slower, for a reason that is not certain, or only after the first step",
    "seen": "what a probe saw, which FP813 holds against the outcome",
    "ends": "the run ends before its first step is done",
    "FP8": "layers run in FP8, if it comes to that",
    "no FP8": "no layer runs in FP8",
    "lost": "the precision of the run is not fp8",
    "frozen": "the weights that are converted are not trained",
    "ignored": "no value that counts comes from the place, or the variable, that it names",
    "decides": "a value that counts comes from the place, or the variable, that it names",
}

# Inputs without which there is nothing to look at: the rule does not apply.
SUBJECTS = ("accelerate", "training", "trains", "deepspeed", "documents", "script")
_SUBJECTS = frozenset(SUBJECTS)
# Inputs that may be unknown, and what would tell them.
KNOWLEDGE = {
    "packages": "fp8check --python /path/to/train-env/bin/python, or --facts with the node's facts.json",
    "variables": "fp8check --facts with the node's facts.json",
    "gpus": "fp8check on the GPU node, or --facts with the node's facts.json",
    "transformer_engine": "fp8check --python /path/to/train-env/bin/python, or --facts with the node's facts.json",
    "model": "fp8check where the model's config.json is (its folder, or the hub cache)",
    "seen": "fp8check --probe on the GPU node",
}
# What would decide what a rule cannot: the same, and what is not an input that may be lacking.
DECIDES = {**KNOWLEDGE, "launch": "fp8check -- COMMAND, with the command that starts the training"}
# What an input is called where people are told that it is missing, if not by its own name.
CALLED = {"seen": "probe"}
# Inputs that are always there.
GIVEN = ("run", "outcome", "launch", "requested", "facts", "probed", "today")
# Inputs that exist once all other rules have run: what asks for one of them runs after them.
LATE = ("suppressions", "known_rules", "crashes", "required")
# Inputs that are files which the run names, or the command: one that could not be read leaves the rule undecided.
FILES = ("accelerate", "deepspeed", "script", "model", "training", "launch")
_NO_SUBJECTS = frozenset((*GIVEN, *KNOWLEDGE, *LATE))
_KNOWLEDGE = frozenset(KNOWLEDGE)
_FILES = frozenset(FILES)


class Related(Record):
    """A second place that a finding speaks of."""

    place: Place
    message: str


class Found(Record):
    """What a rule yields.

    Attributes:
        message: one line: what is wrong.
        place: where; None where no file holds it.
        label: what really happens there, shown under the source.
        related: other places, usually the line that lost or won.
        notes: further facts, one line each.
        fix: the edits that cure it, where there are any.
        action: what else cures it: a variable, a package, a flag out of the command.
        fact: what is true of its cure, where neither says it, and never what to do: nothing proves a free text.
        help: a free text that says what to do. Of what a probe saw alone, which no edit takes back, and of the few
            rules that tests/catalog/test_helps.py lists.
    """

    message: str
    place: Place
    label: str
    related: tuple[Related, ...]
    notes: tuple[str, ...]
    help: str
    fix: Fix | None
    action: Action | None

    def __init__(
        self,
        message: str,
        *,  # seven values in a row would not say which is which
        place: Place = None,
        label: str = "",
        related: tuple[Related, ...] = (),
        notes: tuple[str, ...] = (),
        help: str = "",  # noqa: A002  as the report calls it
        fact: str = "",
        fix: Fix | None = None,
        action: Action | None = None,
    ) -> None:
        super().__init__(message, place, label, related, notes, help or fact, fix, action)


class Rule(Record):
    """A rule of the catalog.

    Attributes:
        parameters: the names of its parameters, which are its inputs.
        needs: these, and what it requires beside them.
        evidence: where it is known from: package, file and symbol with releases, a thread, or an executed case.
        claims: what a finding of it says of the outcome: at least one of these holds.
        last_resort: it speaks only where no other error was found: it says that something is wrong, others say what.
        subjects, knowledge: those of its needs without which it does not apply, and without which it is undecided.
        reads: the files that decide it: where one is named and could not be read, the rule is undecided.
        is_late: whether it runs after the others, and looks at what they said.
        is_of_outcome: whether it looks at the outcome: any other says the same with all releases.
    """

    id: str
    name: str
    severity: Severity
    check: Callable[..., Iterator[Found]]
    parameters: tuple[str, ...]
    needs: tuple[str, ...]
    evidence: tuple[str, ...]
    last_resort: bool = False
    subjects: frozenset[str] = frozenset()
    knowledge: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    claims: tuple[Claim, ...] = ("nothing",)
    is_late: bool = False
    is_of_outcome: bool = False

    @property
    def may_end(self) -> bool:
        """Whether what it finds may end the run, and the outcome need not know of that."""
        return self.severity == ERROR and {*self.claims} <= {"ends", "perhaps"}

    @property
    def summary(self) -> str:
        """The first line of the rule's text."""
        return (self.check.__doc__ or "").strip().partition("\n")[0]

    @property
    def explanation(self) -> str:
        """The rule's text, its lines as far in as they are meant; empty under `python -OO`."""
        from inspect import cleandoc  # for who asks what a rule is

        return cleandoc(self.check.__doc__ or "")


def rule(
    id_: str,
    name: str,
    severity: Severity,
    *evidence: str,
    requires: tuple[Requirement, ...] = (),
    reads: tuple[FileInput, ...] = (),
    last_resort: bool = False,
    claims: tuple[Claim, ...] = ("nothing",),
) -> Callable[[Callable[..., Iterator[Found]]], Callable[..., Iterator[Found]]]:
    """Make a rule of a function: its number, its name for people, its severity, and where it is known from.

    Args:
        requires: inputs that have to be there, or known, beside those that the function takes. A prediction rests on
            the packages, for example: a rule that only looks at the outcome may not be decided without them.
        reads: files that decide it, beside those among its inputs, where they are named.
        claims: what its findings say of the outcome, of CLAIMS; at least one of these holds where it is found.
    """

    def register(check: Callable[..., Iterator[Found]]) -> Callable[..., Iterator[Found]]:
        code = check.__code__
        parameters = code.co_varnames[: code.co_argcount]
        needs = parameters + requires
        # A file, or a trainer by its name, also one that a plug-in brings later.
        wanted = frozenset(needs)
        subjects, knowledge, files = wanted - _NO_SUBJECTS, wanted & _KNOWLEDGE, wanted & _FILES
        if reads:
            files |= _FILES.intersection(reads)
        if not subjects <= _SUBJECTS or "trains" in wanted:  # a trainer's name stands for its training file
            files |= {"training"}
        check.rule = Rule(  # type: ignore[attr-defined]
            id_,
            name,
            severity,
            check,
            parameters,
            needs,
            evidence,
            last_resort,
            subjects,
            knowledge,
            files,
            claims,
            not wanted.isdisjoint(LATE),
            "outcome" in wanted,
        )
        return check

    return register


def span_of(place: Place) -> Span | None:
    """The span of a place: of the whole `key: value` where the place is a setting or a node with a key."""
    if isinstance(place, Setting):
        return _joined(place.origin.key_span, place.origin.span)
    if place is None or isinstance(place, Span):
        return place
    return _joined(place.key_span, place.span)


def placed(place: Place, line: Line | None) -> Span | None:
    """The span of a place; of a flag or a variable of a shell script's line, where that has it."""
    span = span_of(place)
    return line.place_of(place.origin) if span is None and line is not None and isinstance(place, Setting) else span


def _joined(key: Span | None, value: Span | None) -> Span | None:
    if key is None or value is None or value.start < key.start:
        return value or key
    if value.line > key.line:
        return key  # a block value: the key's line says enough
    return Span(key.file, key.line, key.column, value.end_line, value.end_column, key.start, value.end)
