"""What stands behind the errors of a run: one of them hides what would be found once it is fixed.

The errors are cured in a copy, as their rules would cure them; where they have no cure, what the prediction gives for
its reason is left out, or the machine is taken to have today's packages and an H100. What is found then, and stands in
what the user wrote, is told with the rest, and says what has to be fixed before. Nothing here tells anybody what to do.
"""

from __future__ import annotations

from itertools import takewhile

from fp8check.rules.checking.curing import cured
from fp8check.rules.checking.examining import REQUIREMENTS
from fp8check.rules.edits.action import Action
from fp8check.rules.edits.fix import Edit, Fix
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.engine.definition import ERROR, INFO, Related, span_of
from fp8check.rules.facts import Gpu
from fp8check.rules.input_error import InputError
from fp8check.rules.outcome.accelerator import can_fp8
from fp8check.rules.record import Record
from fp8check.rules.releases.accelerate_enums import BACKENDS
from fp8check.rules.releases.versions import EARLIER, NEWEST
from fp8check.rules.settings.edits import insert

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from fp8check.rules.checking.request import RunRequest
    from fp8check.rules.engine.running import Finding
    from fp8check.rules.facts import Facts
    from fp8check.rules.reading import Document, Span
    from fp8check.rules.settings.values import Origin
    from fp8check.rules.suppression.examined import Examined

    Judge = Callable[[RunRequest], Examined]
    Affords = Callable[[Sequence[Document], str | None], bool]

_DIGITS = 8  # of the number of a line
TRIED = 8  # cures at most, of which each is a run that is judged
EDITED = 100_000  # characters of the files that are edited at most: one with a thousand errors is read anew for each
_NAMED = 2  # errors that are named before what stands behind them; of more it is "the errors above"
_OF_GPUS = ("FP7", "FP309", "FP414", "FP415", "FP417")  # rules about how many GPUs there are, and what they have
_NEW_GPU = Gpu(0, "NVIDIA H100 80GB HBM3", "9.0", 81559, mig=False)


class _State(Record):
    """The run with some of its errors cured.

    Attributes:
        gone: the rules whose errors were told and are cured by now.
    """

    part: RunRequest
    report: Examined
    gone: tuple[str, ...] = ()


class _Cure(Record):
    """What is done to a run: the cure of a finding, or the whole run as it is then.

    Attributes:
        is_deletion: whether something goes that nobody would advise to take out: the run may end for the lack of it.
    """

    fix: Fix | None = None
    action: Action | None = None
    part: RunRequest | None = None
    is_deletion: bool = False


def behind(
    part: RunRequest, report: Examined, judge: Judge, affords: Affords
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """What is found only once the errors of a run are cured, and the rules of those that nobody could look behind.

    Args:
        judge: judges the one run of a part with all rules; it raises Unfixable once that takes too long.
        affords: whether it would for a run of these files and that command, which are not edited then either.

    Returns:
        Errors and warnings in the order in which they come up; then rules whose errors may hide others still.
    """
    state: _State | None = _State(part, report)
    last, shown = _State(part, report), _Places(report.documents)
    known = {(finding.rule, finding.span) for finding in report.findings}
    found: list[Finding] = []
    tries = Tries(judge, affords)
    while state is not None and _errors(state.report):
        told = {finding.rule for finding in (*report.findings, *found)}
        state = _next(state, tries, told)
        if state is not None:
            last = state
            new = [finding for finding in _new(state, part.facts, shown) if (finding.rule, finding.span) not in known]
            known.update((finding.rule, finding.span) for finding in new)
            found += new
    return tuple(found), _hiding(_errors(last.report), (*report.findings, *found))


def unseen(report: Examined) -> tuple[str, ...]:
    """The rules whose errors may hide others, where nobody has the time to look behind any."""
    return _hiding(_errors(report), report.findings)


def _hiding(left: Sequence[Finding], told: Sequence[Finding]) -> tuple[str, ...]:
    """The rules that people were told of, whose errors are left; all errors told, where a cure brought those."""
    names = {finding.rule for finding in left}
    errors = dict.fromkeys(finding.rule for finding in told if finding.severity == ERROR)
    return tuple(error for error in errors if error in names) or (tuple(errors) if names else ())


class Tries:
    """Judges runs, as long as it may."""

    def __init__(self, judge: Judge, affords: Affords) -> None:
        self._judge = judge
        self._affords = affords
        self._left = TRIED
        self._characters = EDITED

    @property
    def are_over(self) -> bool:
        """Whether nothing more is judged, so that nothing has to be edited for it either."""
        return self._left <= 0 or self._characters <= 0

    def cured(self, state: _State, cure: _Cure) -> RunRequest | None:
        """The part once a cure is made; None where it cannot be made."""
        if cure.part is not None:
            return cure.part
        if not self._affords(state.part.documents, state.part.launch):
            self._left = 0
            return None
        self._characters -= sum(len(document.text) for document in state.part.documents)
        try:
            return cured(state.part, state.report.documents, cure.fix, cure.action)
        except (Unfixable, InputError):
            return None

    def report(self, part: RunRequest) -> Examined | None:
        """The report of the one run of a part; None where it is none, or enough were judged."""
        if self.are_over:
            return None
        self._left -= 1
        try:
            return self._judge(part)
        except Unfixable:
            self._left = 0
        except InputError:
            pass
        return None


def _next(state: _State, tries: Tries, told: Collection[str]) -> _State | None:
    """The run with some of its errors cured; None where no cure takes any away."""
    cures = takewhile(lambda _: not tries.are_over, _cures(state))
    return next((after for cure in cures if (after := _after(state, cure, tries, told)) is not None), None)


def _errors(report: Examined) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity == ERROR and finding.rule not in REQUIREMENTS]


def _cures(state: _State) -> Iterator[_Cure]:
    """What may be done about the errors of a run: all at once, each by itself, and what nobody would advise."""
    errors = _errors(state.report)
    cures = [
        _Cure(finding.fix, finding.action)
        for finding in errors
        if finding.fix is not None or finding.action is not None
    ]
    if len(cures) > 1:
        yield _together(cures)
    yield from cures
    yield from _processes(state)
    error = state.report.outcome.error
    for setting in () if error is None else error.because:
        yield from _without(setting.origin)
    ours = {document.path for document in state.part.documents}
    places = [
        finding.span
        for finding in errors
        if finding.fix is None and finding.span is not None and finding.span.file in ours
    ]
    for span in dict.fromkeys(places):
        yield _Cure(Fix((Edit("delete", span),), safe=False), is_deletion=True)
    yield from _launches(state)
    for facts in _machines(state.part.facts):
        yield _Cure(part=state.part._replace(facts=facts))


def _together(cures: Sequence[_Cure]) -> _Cure:
    """All cures at once."""
    edits = tuple(edit for cure in cures if cure.fix is not None for edit in cure.fix.edits)
    actions = [cure.action for cure in cures if cure.action is not None]
    launches = [one.launch for one in actions if one.launch is not None]
    action = Action(
        "",
        launch=launches[0] if launches else None,
        variables={name: value for one in actions for name, value in one.variables.items()},
        packages={name: release for one in actions for name, release in one.packages.items()},
        without=tuple(dict.fromkeys(flag for one in actions for flag in one.without)),
    )
    return _Cure(Fix(edits, safe=False) if edits else None, action if actions else None)


def _processes(state: _State) -> Iterator[_Cure]:
    """One process for each GPU, where the Accelerate file has to say how many and does not."""
    run, error = state.report.inputs.run, state.report.outcome.error
    if error is None or error.code != "processes-not-given" or run.accelerate is None:
        return
    number = max(2, len(run.visible_gpus() or ()))
    yield _Cure(Fix((insert(run.accelerate.top, "num_processes", number),), safe=False))


def _without(origin: Origin) -> Iterator[_Cure]:
    """The run without a setting."""
    if origin.span is not None:
        yield _Cure(Fix((Edit("delete", origin.key_span or origin.span),), safe=False), is_deletion=True)
    elif origin.flag is not None:
        yield _Cure(action=Action(without=(origin.flag,)))
    elif origin.variable is not None:
        yield _Cure(action=Action(variables={origin.variable: None}))


def _launches(state: _State) -> Iterator[_Cure]:
    """Started by a launcher that reads its Accelerate file, or the usual way."""
    part, run = state.part, state.report.inputs.run
    if part.launch is None or run.launch.line is not None:
        return
    from fp8check.rules.moves.launching import command_with_file
    from fp8check.rules.moves.site import Site

    files = {document.kind: document.path for document in part.documents}
    path = files.get("accelerate")
    if path is not None:
        site = Site("", "fp8", run, state.report.outcome, files.get("training"), path, "", part.launch)
        try:
            command = command_with_file(site, path)
        except Unfixable:
            command = None
        if command is not None and command != part.launch:
            yield _Cure(action=Action(launch=command))
    if "training" in files:
        yield _Cure(part=part._replace(launch=None, script=None))


def _machines(facts: Facts) -> Iterator[Facts]:
    """Machines on which FP8 runs: with the packages that are missing, with H100s, and with today's releases as well."""
    from fp8check.rules.checking.stacks import installed

    absent = {name: NEWEST[name] for name, release in (facts.packages or {}).items() if not release and name in NEWEST}
    if absent:
        yield installed(facts, absent)
    if facts.gpus is not None:  # of GPUs that nobody knows no rule says anything that others would cure
        number = max(1, len(facts.gpus))
        new = facts._replace(gpus=[_NEW_GPU._replace(index=at) for at in range(number)], driver=None, cuda=None)
        yield new
        if not facts.gpus or not all(map(can_fp8, facts.gpus)):  # else today's releases on the GPUs that are there
            facts = new
    if facts.packages is not None:
        for releases in (NEWEST, EARLIER):
            yield installed(facts, {**releases, "torch": facts.packages.get("torch") or releases["torch"]})


def _after(state: _State, cure: _Cure, tries: Tries, told: Collection[str]) -> _State | None:
    """The run with the cure made; None where it cannot be made, the errors are as they were, or FP8 is given up."""
    part = tries.cured(state, cure)
    if part is None:
        return None
    report = tries.report(part)
    if report is None:
        return None
    now = {finding.rule for finding in _errors(report)}
    gone = [finding.rule for finding in _errors(state.report) if finding.rule not in now]
    if not gone or not _asks_the_same(state.report, report):
        return None
    error = report.outcome.error
    if cure.is_deletion and error is not None and not error.because and error.code not in _codes(state.report):
        return None  # the run ends for what was taken out
    return _State(part, report, tuple(dict.fromkeys((*state.gone, *(one for one in gone if one in told)))))


def _codes(report: Examined) -> tuple[str, ...]:
    error = report.outcome.error
    return () if error is None else (error.code,)


def _asks_the_same(before: Examined, after: Examined) -> bool:
    """Whether a run is still asked for FP8, by the same backend: else other things are wrong with it."""
    old, new = before.inputs.requested, after.inputs.requested
    if old.fp8 and not new.fp8:
        return False
    backend = "" if old.backend is None else str(old.backend.shown).upper()
    return backend not in BACKENDS or (new.backend is not None and str(new.backend.shown).upper() == backend)


def _new(state: _State, facts: Facts, shown: _Places) -> Iterator[Finding]:
    """What is found in a state, as it stands in the files of the user; nothing of another machine than the user's."""
    there = {document.path: document for document in state.report.documents}
    now = state.part.facts
    others = ("FP6",) * (now.packages != facts.packages) + _OF_GPUS * (now.gpus != facts.gpus)
    for finding in state.report.findings:
        if finding.severity == INFO or finding.rule in REQUIREMENTS:
            continue
        if finding.rule.startswith(others):
            continue
        span = finding.span
        if span is not None:
            span = shown.of(span, there)
            if span is None:
                continue
        related = tuple(
            Related(place, other.message)
            for other in finding.related
            if (at := span_of(other.place)) is not None and (place := shown.of(at, there)) is not None
        )
        message, *notes = (shown.told(text, there) for text in (finding.message, *finding.notes))
        yield finding._replace(
            message=f"{_first(state.gone)}{message}",
            span=span,
            label=shown.told(finding.label, there),
            related=related,
            notes=tuple(notes),
            fix=None,
            action=None,
            after=state.gone,
        )


def _first(rules: Sequence[str]) -> str:
    """What has to be fixed before, in words."""
    if len(rules) > _NAMED:
        return "after the errors above are fixed: "
    return f"after {' and '.join(rules)} {'is' if len(rules) == 1 else 'are'} fixed: "


class _Places:
    """Where the entries of edited files stand in the files as they are."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._now = {document.path: document for document in documents}
        self._known: dict[int, _Entries] = {}

    def of(self, span: Span, there: Mapping[str, Document]) -> Span | None:
        """The place of an entry of an edited file; None where the edits made it, or it is no entry.

        Args:
            there: the files that it was found in.
        """
        now, then = self._now.get(span.file), there.get(span.file)
        if now is None or then is None or now.text == then.text:
            return span
        name = self._entries(then).names.get((span.start, span.end))
        place = None if name is None else self._entries(now).places.get(name)
        same = place is not None and now.text[place.start : place.end] == then.text[span.start : span.end]
        return place if same else None

    def told(self, text: str, there: Mapping[str, Document]) -> str:
        """What is said of lines of edited files, of the same lines of the files as they are."""
        for path, now in self._now.items():
            before, *places = text.split(f"{path}:")
            then = there.get(path)
            if places and then is not None and then.text.count("\n") != now.text.count("\n"):
                known = self._entries(now).places
                lines = {at.line: known[name].line for name, at in self._entries(then).places.items() if name in known}
                text = before + "".join(f"{path}:{_line_first(place, lines)}" for place in places)
        return text

    def _entries(self, document: Document) -> _Entries:
        known = self._known.get(id(document))
        if known is None:
            places = dict(_parts(document))
            names = {(at.start, at.end): name for name, at in places.items()}
            known = self._known[id(document)] = _Entries(document, places, names)
        return known


class _Entries(Record):
    """What findings stand at in a document, each by its pointer and its part; and which that is, by where it stands."""

    document: Document
    places: Mapping[tuple[str, str], Span]
    names: Mapping[tuple[int, int], tuple[str, str]]


def _parts(document: Document) -> Iterator[tuple[tuple[str, str], Span]]:
    """Of each entry its key, its value, and both."""
    for node in () if document.root is None else document.root.walk():
        yield (node.pointer, "value"), node.span
        if node.key_span is not None:
            yield (node.pointer, "key"), node.key_span
            yield (node.pointer, "entry"), span_of(node) or node.span


def _line_first(text: str, lines: Mapping[int, int]) -> str:
    """A text that may begin with the number of a line, with the number that it has in the file as it is."""
    number = next((text[:at] for at, letter in enumerate(text) if not letter.isdecimal()), text)
    if not 0 < len(number) < _DIGITS:
        return text
    return f"{lines.get(int(number), int(number))}{text[len(number) :]}"
