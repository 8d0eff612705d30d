"""Running the rules over one run: what was found, what could not be decided, what went wrong in a rule."""

from __future__ import annotations

from operator import itemgetter

from fp8check.rules.engine.definition import CALLED, DECIDES, GIVEN, KNOWLEDGE, LATE, SUBJECTS, Related, placed
from fp8check.rules.plain_text import shown
from fp8check.rules.record import Record
from fp8check.rules.settings.values import Undecided
from fp8check.rules.trainers.registry import is_trainer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from fp8check.rules.edits.action import Action
    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.engine.definition import Found, Rule, Severity
    from fp8check.rules.engine.inputs import Inputs
    from fp8check.rules.reading import Span
    from fp8check.rules.settings.shell_lines import Line
    from fp8check.rules.trainers.run import Unread

    # Rules with how the inputs of each are taken, and what is said of it without asking it; one of both is None.
    _Taking = Callable[[Mapping[str, object]], tuple[object, ...]]
    _Applying = tuple[tuple[Rule, "_Taking | None", "UndecidedRule | None"], ...]


class Finding(Record):
    """One finding, ready to be reported.

    Attributes:
        help: what is true of its cure. What to do is said only once it was done to a copy: rules/checking/advising.py.
        fix, action: what the rule takes for its cure.
        may_end: whether what was found may end the run, and the outcome need not know of that.
        last_resort: whether it only says that something is wrong, where others say what.
        after: the rules whose errors have to be fixed before it comes up; empty where it is there now.
    """

    rule: str
    name: str
    severity: Severity
    message: str
    span: Span | None
    label: str
    related: tuple[Related, ...]
    notes: tuple[str, ...]
    help: str
    fix: Fix | None = None
    may_end: bool = False
    last_resort: bool = False
    action: Action | None = None
    after: tuple[str, ...] = ()


class UndecidedRule(Record):
    """A rule that could not be decided. A report has it as it stands here: fields are added only, with a default.

    Attributes:
        needs: what it lacks.
        command: what gets it.
        depends: what it finds with some releases and not with others, which nobody knows; absent where nothing is.
    """

    rule: str
    needs: str
    command: str
    depends: str | None = None

    def __init__(self, rule: str, needs: str, command: str, depends: str | None = None) -> None:
        own = self.__dict__  # by hand, as Setting: without facts half of all rules are undecided
        own["rule"], own["needs"], own["command"], own["depends"] = rule, needs, command, depends


class Crash(Record):
    """A rule that raised: an internal error, never a pass."""

    rule: str
    error: str
    traceback: str


class Result(Record):
    """What the catalog says of one run."""

    findings: tuple[Finding, ...]
    undecided: tuple[UndecidedRule, ...]
    crashes: tuple[Crash, ...]


def run_rules(inputs: Inputs, rules: Sequence[Rule], *, of_outcome: bool = False) -> Result:
    """Run the rules over one run. The order of findings is that of the files and lines.

    Args:
        of_outcome: those alone that look at the outcome; all others say of another outcome what they said of one.
    """
    findings: list[Finding] = []
    undecided: list[UndecidedRule] = []
    crashes: list[Crash] = []
    values = inputs.values()
    there = frozenset(values)
    concerns_fp8 = inputs.concerns_fp8
    line = inputs.run.launch.line
    unseen = inputs.run.facts.unseen
    asks_more = concerns_fp8 and bool(unseen)
    unread: dict[str, Unread] = {file.input: file for file in inputs.run.unread}
    if unread:
        applying = tuple(_each_applying(rules, there, unread, unseen, concerns_fp8, of_outcome))
    else:
        applying = _applying(rules, there, unseen, concerns_fp8, of_outcome)
    for rule, take, missing in applying:
        if take is None:
            if missing is not None:
                undecided.append(missing)
            continue
        before = len(findings)
        try:
            for found in rule.check(*take(values)):
                findings.append(_finding(rule, found, line))  # noqa: PERF401  a generator more would cost more than it says
            if asks_more and "variables" in rule.knowledge and len(findings) == before:
                undecided.append(_unseen(rule, unseen))
        except Undecided as reason:
            told = _undecided(rule, reason, unseen)
            if told is not None:
                undecided.append(told)
            else:  # a word that no kind of facts has tells nobody what to do
                crashes.append(crash(rule.id, reason))
        except Exception as error:  # noqa: BLE001  a rule's fault is reported as such, and the other rules go on
            crashes.append(crash(rule.id, error))
    return Result(ordered(findings), tuple(undecided), tuple(crashes))


_APPLYING: dict[tuple[int, frozenset[str], str, bool, bool], tuple[Sequence[Rule], _Applying]] = {}
_SETS = 64  # of inputs, for which it is kept: a check of many files has one or two, a search for plans a dozen


def _applying(
    rules: Sequence[Rule], there: frozenset[str], unseen: str, concerns_fp8: bool, of_outcome: bool
) -> _Applying:
    """Which of the rules apply to a run that has these inputs: the same for nearly all runs of a command."""
    key = id(rules), there, unseen, concerns_fp8, of_outcome
    kept = _APPLYING.get(key)
    if kept is not None and kept[0] is rules:
        return kept[1]
    made = tuple(_each_applying(rules, there, {}, unseen, concerns_fp8, of_outcome))
    if len(_APPLYING) >= _SETS:
        _APPLYING.clear()
    _APPLYING[key] = rules, made  # held, so that no other rules come to have its id
    return made


def _each_applying(
    rules: Sequence[Rule],
    there: frozenset[str],
    unread: Mapping[str, Unread],
    unseen: str,
    concerns_fp8: bool,
    of_outcome: bool,
) -> Iterator[tuple[Rule, _Taking | None, UndecidedRule | None]]:
    for rule in rules:
        if of_outcome and not rule.is_of_outcome:
            continue
        if unread and (lacking := _lacking(rule, unread, there)) is not None:
            yield rule, None, UndecidedRule(rule.id, lacking.needs, lacking.command)
        elif not rule.subjects <= there:
            continue
        elif rule.knowledge <= there:
            yield rule, _taking(rule.parameters), None
        elif concerns_fp8:
            yield rule, None, _missing(rule, there, unseen)


def _taking(names: tuple[str, ...]) -> _Taking:
    """How the inputs of these names are taken from all that there are."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple([values[name] for name in names])


def _missing(rule: Rule, there: Collection[str], unseen: str) -> UndecidedRule:
    """That a rule lacks what nobody looked at."""
    missing = [name for name in rule.needs if name in rule.knowledge and name not in there]
    if missing[0] == "variables" and unseen:
        return _unseen(rule, unseen)
    return UndecidedRule(rule.id, ", ".join(CALLED.get(name, name) for name in missing), KNOWLEDGE[missing[0]])


def _undecided(rule: Rule, reason: Undecided, unseen: str) -> UndecidedRule | None:
    """What a rule says that it lacks; None where nothing would get it."""
    if unseen and reason.needs == "variables":
        return _unseen(rule, unseen)
    command = reason.needs if " " in reason.needs else DECIDES.get(reason.needs)
    return None if command is None else UndecidedRule(rule.id, shown(reason.what), shown(command))


def _unseen(rule: Rule, unseen: str) -> UndecidedRule:
    """That a rule found nothing in the variables that are known, and something may set others."""
    return UndecidedRule(rule.id, f"{unseen} may set any variable", "fp8check where that can be looked at")


def _lacking(rule: Rule, unread: Mapping[str, Unread], there: Collection[str]) -> Unread | None:
    """The file that decides a rule and that could not be read; None with none, and where the rule does not apply."""
    if not {*there, *unread} >= rule.subjects:
        return None
    return next((file for name, file in unread.items() if name in rule.reads), None)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in the order of a report: by severity, file and line."""
    return tuple(sorted(findings, key=_order))


def _finding(rule: Rule, found: Found, line: Line | None) -> Finding:
    related = found.related
    if line is not None:
        related = tuple([Related(placed(other.place, line), other.message) for other in related])
    return Finding(
        rule.id,
        rule.name,
        rule.severity,
        found.message,
        _span(rule, found, line),
        found.label,
        related,
        found.notes,
        found.help,
        found.fix,
        rule.may_end,
        rule.last_resort,
        found.action,
    )


# Rules about the files and the command of a run, and what is required of it; all others are about the machine, or what
# was seen there.
_OF_THE_RUN = ("FP1", "FP2", "FP3", "FP4", "FP5", "FP995", "FP996")


def _span(rule: Rule, found: Found, line: Line | None) -> Span | None:
    """Where a finding stands; what stands in no file, and is about the run, at the line of a script that starts it."""
    span = placed(found.place, line)
    return line.span if span is None and line is not None and rule.id.startswith(_OF_THE_RUN) else span


def crash(name: str, error: Exception) -> Crash:
    """An error as it is reported."""
    import traceback

    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return Crash(name, f"{type(error).__name__}: {error}", "".join(lines))


def _order(finding: Finding) -> tuple[int, str, int, int, str]:
    rank = ("error", "warning", "info").index(finding.severity)
    if finding.span is None:
        return (rank, "", 0, 0, finding.rule)
    return (rank, finding.span.file, finding.span.line, finding.span.column, finding.rule)


def is_input(name: str) -> bool:
    """Whether a rule may have a parameter of that name."""
    return name in GIVEN or is_subject(name) or name in KNOWLEDGE or name in LATE


def is_subject(name: str) -> bool:
    """Whether a rule that asks for that input does not apply to a run without it: a file, or a trainer by its name."""
    return name in SUBJECTS or is_trainer(name)
