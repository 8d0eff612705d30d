"""The search: from runs that are not good to the nearest that are, over actions that their problems propose.

States are tried in the order of what they cost, each judged as a run of its own; the problem that is answered next is
the first of a run, so that every order of the same actions is tried once.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import islice, zip_longest

from fp8check.rules.edits.action import ABSENT, Action, Assign
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.input_error import InputError
from fp8check.rules.moves import launching
from fp8check.rules.moves.backends import other_options_gone
from fp8check.rules.moves.remedies import (
    AT_ONCE,
    CHOICES,
    EVERY,
    KNOWN_BY,
    NOT_AS_ASKED,
    RELEASED_SINCE,
    RENAMING,
    TAKEN_ALONG,
    moves_for,
)
from fp8check.rules.moves.site import Site
from fp8check.rules.moves.strategies import SECTIONS
from fp8check.rules.outcome.memory import OF_LARGEST
from fp8check.rules.reading.overlay import Overlay
from fp8check.rules.record import Record
from fp8check.rules.repair.goal import chosen, cost_of, problems
from fp8check.rules.repair.state import changed
from fp8check.rules.repair.values import Places
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Protocol

    from fp8check.rules.engine.running import Finding
    from fp8check.rules.moves.site import Goal, Move
    from fp8check.rules.moves.sources import Scripts
    from fp8check.rules.reading import Document
    from fp8check.rules.repair.goal import Chosen, Problem
    from fp8check.rules.repair.state import Start, State
    from fp8check.rules.suppression.examined import Examined

    Entry = tuple[str, tuple[str, ...]]  # of a file, by its path

    class Judge(Protocol):
        """Judges runs of these files, with the launch, variables and packages of the state."""

        def __call__(self, documents: Sequence[Document], state: State, *, whole: bool = False) -> Sequence[Examined]:
            """The reports; `whole`: of all rules, and not of those alone that find errors."""


_AS_GIVEN = "\0"  # no command
_NEAR = frozenset(("backward", "frozen", "memory", "processes", "data-parallel", "left"))  # of the goal, nearly reached
MOST_ACTIONS = 100  # that are tried from one state: a command may have thousands of variables
WIDE = 60  # states of a search from which on it keeps a quarter of them for all that may be done
LACKS = 25  # what a problem that is left counts as beside the cost, where all that may be done is tried
LARGE = 20_000  # characters of the files above which fewer states are tried


class Judged(Record):
    """A state, and what its runs lack.

    Attributes:
        problems: those of each run; all of them are empty where the state is good.
        cost: of all that differs from what was given and chosen.
    """

    state: State
    reports: tuple[Examined, ...]
    problems: tuple[tuple[Problem, ...], ...]
    cost: int

    @property
    def warnings(self) -> int:
        """How many warnings there are."""
        return sum(finding.severity == "warning" for report in self.reports for finding in report.findings)

    @property
    def signature(self) -> frozenset[tuple[int, str, str]]:
        """What the runs lack, to be compared."""
        return frozenset(
            (at, problem.code, problem.text) for at, lacking in enumerate(self.problems) for problem in lacking
        )

    @property
    def is_good(self) -> bool:
        """Whether every run is good."""
        return not any(self.problems)


class Search:
    """One search.

    Args:
        most: how many states are judged at most.
        spent: whether the time is over.
        room_gib: what a run has to fit where no GPU is known: GiB of one.
    """

    def __init__(
        self,
        start: Start,
        goal: Goal,
        judge: Judge,
        most: int,
        spent: Callable[[], bool] = lambda: False,
        room_gib: float = OF_LARGEST,
    ) -> None:
        self._start = start
        self.goal = goal
        self._judge = judge
        size = sum(len(document.text) for document in start.documents)
        self._left = most if size <= LARGE else max(1, most * LARGE // size)
        self._asks = 4 if size <= LARGE else 1  # after so many states it is asked whether the time is over
        self._spent = spent
        self._room_gib = room_gib
        self._judged: dict[object, Judged | None] = {}
        self._overlays = {
            document.path: Overlay(document, start.state.files[document.path]) for document in start.documents
        }
        self.sources = start.sources
        self._before: tuple[Chosen, ...] = ()
        self.refused: list[str] = []  # why a state could not be made
        self.blocked: list[str] = []  # why something could not be changed where it stands
        self.seen: list[Judged] = []
        self.is_exhausted = False
        self._over = False
        self._unwritable: set[object] = set()  # states that are good, and cannot be written
        self._renamed: dict[Entry, frozenset[Entry]] = {}  # with what else is one change: a name goes, another comes
        self._lacked: dict[frozenset[tuple[int, str, str]], list[frozenset[object]]] = {}
        self._kept = self._left // 4 if self._left >= WIDE else 0  # of the states, for all that may be done
        self._finish = self._left // 6 if self._left >= WIDE else 0  # more, for what a good state does not need
        self._is_wide = False  # whether what answers any problem of a run is tried, and not of the first alone

    def begin(self, reports: Sequence[Examined]) -> Judged:
        """The runs as they are, with their reports."""
        self._before = tuple(chosen(report)._replace(room_gib=self._room_gib) for report in reports)
        state = self._start.state
        cost = max(cost_of(report, self.goal, before) for report, before in zip(reports, self._before, strict=True))
        given = Judged(state, tuple(reports), self.lacking(reports), cost)
        self._judged[state.key, False] = given
        self.seen.append(given)
        return given

    def documents(self, state: State) -> tuple[Document, ...]:
        """The files of a state, made of values."""
        return tuple(
            self.sources[document.path].with_data(self._start.changes(state, document.path))
            if document.path in self.sources
            else self._overlays[document.path].with_data(state.files[document.path])
            for document in self._start.documents
            if document.path != self._start.new_file or state.files[document.path]
        )

    def judged(self, state: State, *, whole: bool = False) -> Judged | None:
        """A state, judged; None where its files make no run, or no more may be tried.

        Args:
            whole: by all rules, and not by those alone that find errors.
        """
        key = state.key, whole
        if key in self._judged:
            return self._judged[key]
        if self._left <= 0 or self._is_over():
            self.is_exhausted = True
            return None
        self._left -= 1
        try:
            reports = tuple(self._judge(self.documents(state), state, whole=whole))
        except InputError as problem:
            self.refused.append(str(problem))
            reports = ()
        except Unfixable as reason:
            self.blocked.append(str(reason))
            reports = ()
        made = self._made(state, reports) if reports else None
        self._judged[key] = made
        if made is not None:
            self.seen.append(made)
        return made

    @property
    def _is_spent(self) -> bool:
        """Whether no more may be judged: to make a state of a large file takes long enough."""
        return self._left <= 0 or self._over

    @property
    def is_cut(self) -> bool:
        """Whether more would have been tried, had there been room for it."""
        return self.is_exhausted or self._is_spent

    def _is_over(self) -> bool:
        """Whether the time is over; to ask takes longer than to judge a state on some machines."""
        if not self._over and self._left % self._asks == 0:
            self._over = self._spent()
        return self._over

    def _made(self, state: State, reports: tuple[Examined, ...]) -> Judged | None:
        if len(reports) != len(self._before):
            return None
        pairs = zip(reports, self._before, strict=True)
        cost = self._start.cost(state) + max(cost_of(report, self.goal, before) for report, before in pairs)
        return Judged(state, reports, self.lacking(reports), cost)

    def lacking(self, reports: Sequence[Examined]) -> tuple[tuple[Problem, ...], ...]:
        """What each of the runs lacks, held against the runs as they were given."""
        pairs = zip(reports, self._before, strict=False)
        return tuple(tuple(problems(report, self.goal, before)) for report, before in pairs)

    def refuse(self, judged: Judged) -> None:
        """Come to no such state again: it cannot be written."""
        self._unwritable.add(judged.state.key)

    def limit(self, states: int) -> None:
        """Judge no more than so many states from now on."""
        self._left = min(self._left, states)

    def good(self, first: Judged) -> Iterator[Judged]:
        """Good states, the cheapest first, as far as the search comes; behind them what else may be chosen.

        Where answering one problem after the other leads to none, all that may be done is tried in any order.
        """
        found = False
        for judged in self._good(first):
            found, self._kept = True, 0
            yield judged
        if found:
            return
        waiting = self._waiting()
        if waiting is None and not self.is_exhausted:
            self._is_wide = True
            for judged in self._good(first):
                found = True
                yield judged
            waiting = None if found else self._waiting()
        if waiting is not None:
            yield waiting

    def _waiting(self) -> Judged | None:
        """The cheapest good state that was judged and whose turn did not come: it costs more than others do."""
        good = [judged for judged in self.seen if judged.is_good]
        return self._least(min(good, key=lambda one: one.cost)) if good else None

    def _good(self, first: Judged) -> Iterator[Judged]:
        heap: list[tuple[int, int, State, frozenset[tuple[int, str, str]] | None, int, bool]]
        heap = [(0, 0, first.state, None, 0, True)]
        queued = {first.state.key}
        number = 0
        while heap and (self._is_wide or self._left >= self._kept):
            cost, _, state, before, idle, is_judged = heappop(heap)
            if self._is_spent and not is_judged:
                self.is_exhausted = True
                continue
            judged = self.judged(state)
            if judged is None:
                continue
            now = idle + 1 if self._answers_nothing(judged, before) else 0
            if now > self._is_wide:
                continue  # what was done answers nothing of what the runs lack; it may take a second step
            lacks = _lacks(judged) if self._is_wide else 0
            if judged.cost + lacks > cost:
                number += 1
                heappush(heap, (judged.cost + lacks, number, state, before, idle, True))
                continue
            if judged.is_good:
                yield self._least(judged)
            elif not self._is_wide and self._adds_nothing(judged):
                continue
            signature = None if judged.is_good else judged.signature
            for action in islice(self._choices(judged) if judged.is_good else self.actions(judged), MOST_ACTIONS):
                if not self._is_wide and self._start.takes_back(state, action):
                    continue  # there and back again: what is reached so is reached without it, or by the second try
                after = state.after(action)
                if after.key in queued:
                    continue
                queued.add(after.key)
                number += 1
                heappush(heap, (max(cost, self._start.cost(after) + lacks), number, after, signature, now, False))

    def _adds_nothing(self, judged: Judged) -> bool:
        """Whether another state lacks the same with fewer changes: what this one has beside them answers nothing."""
        changes = frozenset(judged.state.why)
        others = self._lacked.setdefault(judged.signature, [])
        if any(one < changes for one in others):
            return True
        others.append(changes)
        return False

    def _answers_nothing(self, judged: Judged, before: frozenset[tuple[int, str, str]] | None) -> bool:
        """Whether all that was lacking is lacking still; on the way to BF16 what is left of FP8 lacks to the end."""
        if before is None:
            return False
        return judged.signature >= before if self.goal == "fp8" else judged.signature == before

    def actions(self, judged: Judged) -> Iterator[Action]:
        """What the first problem of a state proposes: its rule's own fix, then the moves that may answer it.

        Of several runs that have it, each of them does the same.
        """
        lacking = [(report, found) for report, found in zip(judged.reports, judged.problems, strict=True) if found]
        report, found = lacking[0]
        code = _first(found, report).code
        alike = [one for one in lacking if _first(one[1], one[0]).code == code]
        yield from _together([self._proposed(judged.state, *one) for one in alike])
        if len(alike) > 1 and self._is_wide:
            yield from self._proposed(judged.state, report, found)

    def _choices(self, judged: Judged) -> Iterator[Action]:
        """What else may be chosen in a state that is good."""
        sites = [self._site("choice", judged.state, report) for report in judged.reports]
        for move in (*KNOWN_BY, *CHOICES) if judged.state.key in self._unwritable else CHOICES:
            yield from _together([self._placed(site, move) for site in sites])

    def _proposed(self, state: State, report: Examined, lacking: Sequence[Problem]) -> Iterator[Action]:
        places = Places(report.documents)
        whole: list[frozenset[Entry]] = []
        for problem in lacking:
            fix = problem.finding.fix if problem.finding is not None else None
            assigns = places.assigns(fix) if fix is not None else None
            if fix is not None and assigns is None and self.sources:
                scripts = self._scripts(state, report)
                assigns = None if scripts is None else scripts.of_fix(fix)
            if assigns and all(self._is_writable(state, assign.file) for assign in assigns):
                site = self._site(problem.code, state, report)
                action = self._written(site, Action(problem.code, assigns))
                if action is None:
                    continue
                assigns = action.assigns
                whole.append(frozenset((assign.file, assign.path) for assign in assigns))
                if len({assign.value is ABSENT for assign in assigns}) > 1:
                    self._renamed.update(dict.fromkeys(whole[-1], whole[-1]))
                yield action
        first = _first(lacking, report)
        site = self._site(first.code, state, report)
        found = next((one.code for one in lacking if one.finding is not None), first.code)
        codes = [first.code, found, *(one.code for one in lacking if one.finding is None or self._is_wide)]
        moves = [move for code in dict.fromkeys(codes) for move in moves_for(code)]
        moves += AT_ONCE
        if first.is_of_earlier:
            moves = [*RELEASED_SINCE, *moves]
        for move in dict.fromkeys((*moves, *EVERY) if self._is_wide else moves):
            for action in self._placed(site, move):
                if self._is_wide or not _is_half(action, whole):
                    yield action

    def _placed(self, site: Site, move: Move) -> Iterator[Action]:
        """The actions of a move, each where it stands."""
        try:
            for action in move(site):
                placed = self._written(site, action)
                if placed is None:
                    continue
                if placed.launch is None and action.launch is not None and not placed.assigns:
                    continue
                if move in RENAMING:
                    together = frozenset((assign.file, assign.path) for assign in placed.assigns)
                    self._renamed.update(dict.fromkeys(together, together))
                yield placed
        except Undecided:
            return  # what the move would change is filled in later: it stays
        except Unfixable as reason:
            self.blocked.append(str(reason))

    def _is_writable(self, state: State, path: str) -> bool:
        """Whether a file can be written, be it as a copy."""
        default = self._start.default
        return path in state.files or (default is not None and path == default.path)

    def _written(self, site: Site, action: Action) -> Action | None:
        """The action where it is written: what is to change in the machine's default file, in a copy of it.

        None where the command cannot name the copy.

        Raises:
            Unfixable: it cannot be written there.
        """
        default = self._start.default
        if default is None or all(assign.file != default.path for assign in action.assigns):
            return site.placed(action)
        named = launching.named(site, site.new_file)
        data = self._start.before(site.new_file)
        if named is None or action.launch is not None or not isinstance(data, dict):
            return None
        entries, command = named
        copied = [Assign(site.new_file, (str(key),), value) for key, value in data.items()]
        changes = [
            assign._replace(file=site.new_file) if assign.file == default.path else assign for assign in action.assigns
        ]
        return site.placed(action._replace(assigns=(*copied, *entries, *changes), launch=command))

    def _site(self, why: str, state: State, report: Examined) -> Site:
        run = report.inputs.run
        files = state.files
        training = run.training.path if run.training.path in files else None
        accelerate = run.accelerate.path if run.accelerate is not None else None
        if accelerate is not None and not self._is_writable(state, accelerate):
            accelerate = None
        wanted = max((one.processes or 0 for one in self._before), default=0) or None
        new = self._start.new_file
        scripts = self._scripts(state, report)
        command, line = state.launch, run.launch.line
        if line is not None and scripts is not None and line.span.file in self.sources:
            from shlex import join

            command = join([word.text for word in line.words])
        starts = state.launch if line is not None else None
        return Site(why, self.goal, run, report.outcome, training, accelerate, new, command, wanted, scripts, starts)

    def _scripts(self, state: State, report: Examined) -> Scripts | None:
        """The scripts of a run that can be edited; None where there is none."""
        if not self.sources:
            return None
        from fp8check.rules.moves.sources import Scripts

        return Scripts(self.sources, state.files, report.documents)

    def _least(self, judged: Judged) -> Judged:
        """The state without the changes that it does not need: without them it is good, and warns of nothing more."""
        if self._left < self._finish and not self._over:
            self._left, self._finish = self._finish, 0
        best = self.judged(judged.state, whole=True) or judged
        for state in _smaller(self._start, judged.state, self._renamed):
            if self._is_spent:
                break
            merged = self._without(best.state, state)
            one = self.judged(merged, whole=True) if merged is not None else None
            if one is None or one.state.key in self._unwritable:
                continue
            if one.is_good and one.cost < best.cost and one.warnings <= best.warnings:
                best = one
        return self._as_asked(best)

    def _as_asked(self, best: Judged) -> Judged:
        """The state with the recipe that was asked for, and with what a plan takes along: fewer warnings, and good."""
        for action in islice(self._taken_along(best), MOST_ACTIONS):
            if self._is_spent:
                break
            one = self.judged(best.state.after(action), whole=True)
            if one is not None and one.is_good and one.warnings < best.warnings:
                return self._as_asked(one)
        return self._without_options(best)

    def _without_options(self, best: Judged) -> Judged:
        """The state without the options of a backend that it has no more: they would say what is not so."""
        for report, before in zip(best.reports, self._before, strict=True):
            if self._is_spent or before.backend in (None, chosen(report).backend):
                continue
            for action in self._placed(self._site("backend", best.state, report), other_options_gone):
                one = self.judged(best.state.after(action), whole=True)
                if one is not None and one.is_good and one.warnings <= best.warnings:
                    best = one._replace(cost=best.cost)  # what has no effect any more was no choice
        return best

    def _taken_along(self, best: Judged) -> Iterator[Action]:
        """What answers the warnings of a good state; of one that is as it was given what was not asked for stays."""
        is_given = best.state.key == self._start.state.key
        for report in best.reports:
            places = Places(report.documents)
            together = self._unread(report, places, best)
            if together:
                yield Action(together[0], tuple(together[1]))
            for finding in report.findings:
                moves = NOT_AS_ASKED.get(finding.rule)
                if moves is None:
                    moves = None if is_given else TAKEN_ALONG.get(finding.rule)
                if moves is not None:
                    yield from self._answers(finding, places, best, report, moves)

    def _unread(self, report: Examined, places: Places, best: Judged) -> tuple[str, list[Assign]] | None:
        """All at once what answers that entries are not as they were asked, and whose; None with fewer than two."""
        found = [finding for finding in report.findings if finding.rule in NOT_AS_ASKED and finding.fix is not None]
        if len(found) < 2:
            return None
        fixes = [places.assigns(finding.fix) for finding in found if finding.fix is not None]
        assigns = [assign for each in fixes for assign in each or () if assign.file in best.state.files]
        return (found[0].rule, assigns) if assigns else None

    def _answers(
        self, finding: Finding, places: Places, best: Judged, report: Examined, moves: Sequence[Move]
    ) -> Iterator[Action]:
        assigns = places.assigns(finding.fix) if finding.fix is not None else None
        if assigns and all(assign.file in best.state.files for assign in assigns):
            yield Action(finding.rule, assigns)
        site = self._site(finding.rule, best.state, report)
        for move in moves:
            yield from self._placed(site, move)

    def _without(self, state: State, part: Action) -> State | None:
        after = state.after(part._replace(variables={}, packages={}))
        variables = {name: value for name, value in state.variables.items() if name not in part.variables}
        packages = {name: value for name, value in state.packages.items() if name not in part.packages}
        after = after._replace(variables=variables, packages=packages, why=state.why)
        if part.launch == _AS_GIVEN:
            after = after._replace(launch=self._start.state.launch)
        return after


def _is_half(action: Action, whole: Sequence[frozenset[Entry]]) -> bool:
    """Whether an action only takes away what a rule's own fix writes in another way: a name that is misspelled."""
    if action.launch is not None or action.variables or action.packages:
        return False
    gone = {(assign.file, assign.path) for assign in action.assigns if assign.value is ABSENT}
    return len(gone) == len(action.assigns) and any(gone < one for one in whole)


def _together(proposed: Sequence[Iterator[Action]]) -> Iterator[Action]:
    """What each of several runs may do, as one action: the first of all of them, the second, and so on."""
    if len(proposed) == 1:
        yield from proposed[0]
        return
    for parts in zip_longest(*proposed):
        same_way = [action for action in parts if action is not None]
        first = same_way[0]
        if any(action.launch != first.launch or action.starts != first.starts for action in same_way):
            continue  # they are started each by itself, and one command starts them all
        yield first._replace(
            assigns=tuple({(each.file, each.path): each for action in same_way for each in action.assigns}.values()),
            variables={name: value for action in same_way for name, value in action.variables.items()},
            packages={name: value for action in same_way for name, value in action.packages.items()},
        )


def _smaller(start: Start, state: State, renamed: Mapping[Entry, frozenset[Entry]]) -> Iterator[Action]:
    """Each single change of a state, taken back."""
    for name in state.packages:
        yield Action(packages={name: ""})
    for name in state.variables:
        yield Action(variables={name: None})
    if state.launch != start.state.launch and not state.files[start.new_file]:  # else it names the new file
        yield Action(launch=_AS_GIVEN)
    for path, data in state.files.items():
        before = start.before(path)
        if start.state.files[path] is data or (path == start.new_file and start.default is None):
            continue
        if path in start.sources:
            for names in start.sources[path].together(start.changes(state, path)):
                entries = [renamed.get((path, (name,)), ((path, (name,)),)) for name in names]
                every = sorted({entry for several in entries for _, entry in several})
                yield Action("", tuple(Assign(path, entry, ABSENT) for entry in every))
            continue
        back = dict(changed(data, before))
        for entry, value in back.items():
            together = renamed.get((path, entry))
            if together is not None and all(each == path and name in back for each, name in together):
                yield Action("", tuple(Assign(path, name, back[name]) for _, name in together))
            elif entry[0] not in SECTIONS or len(entry) > 1:  # a section comes and goes with the kind that reads it
                yield Action("", (Assign(path, entry, value),))


def _lacks(judged: Judged) -> int:
    """How far a state is from a good one; one that has given the goal up lacks most, and so does one that ends.

    What ends a run hides what comes after it: to answer that is no step back, whatever is seen then.
    """
    return sum(
        LACKS * (4 if problem.finding is None and problem.code not in _NEAR else 1)
        for lacking in judged.problems
        for problem in lacking
    )


def _first(lacking: Sequence[Problem], report: Examined) -> Problem:
    """What ends the run, where something does; else the first error."""
    error = report.outcome.error
    if error is not None:
        found = next((problem for problem in lacking if problem.code == error.code), None)
        if found is not None:
            return found
    return lacking[0]
