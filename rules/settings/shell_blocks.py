"""A block of a shell script that is open: which of its branches is taken, and what is left of what they set."""

from __future__ import annotations

from fp8check.rules.reading.shell import Command, Enter, Leave, Then
from fp8check.rules.settings.shell_scope import text_of, why_of
from fp8check.rules.settings.shell_tests import matches, outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.reading.shell import Branch, Item
    from fp8check.rules.settings.shell_scope import Held, Scope
    from fp8check.rules.settings.shell_tests import Known


class Block:
    """A block that is open.

    Attributes:
        mark: the point of the variables to go back to.
        runs: whether the branch that is open is taken; None where that is not known.
    """

    __slots__ = ("_all", "_has_last", "_known", "_open", "_settled", "enter", "mark", "runs")

    def __init__(self, enter: Enter, mark: int, runs: bool | None, known: Known) -> None:
        self.enter = enter
        self.mark = mark
        self.runs = runs
        self._known = known
        self._all: list[Mapping[str, Held]] = []  # what branches set of which it is not known whether they are taken
        self._settled: Mapping[str, Held] | None = None
        self._open = self._has_last = False

    def end_branch(self, changed: Mapping[str, Held]) -> None:
        """The branch that is open ends."""
        if self.runs is False or self._settled is not None or self._has_last:
            return
        if self.runs and not self._open:
            self._settled = changed
            return
        self._all.append(changed)
        self._open = True
        self._has_last = bool(self.runs)

    def begin_branch(self, branch: Branch, items: Sequence[Item], at: int) -> None:
        """Another branch begins; what follows it stands at an index among the items."""
        if not branch.falls and (self._settled is not None or self._has_last):
            self.runs = False  # one before it is surely taken
        elif branch.patterns is not None:
            self.runs = None if branch.falls else self._fits(branch.patterns)
        else:
            self.runs = True if branch.is_last else tested(items, at, self._known)

    def _fits(self, patterns: Sequence[object]) -> bool | None:
        text = self._known(self.enter.words[0]) if self.enter.words else None
        fits = [None if text is None else matches(text, pattern, self._known) for pattern in patterns]  # type: ignore[arg-type]
        everything = [getattr(pattern, "bare", None) == "*" for pattern in patterns]
        return True if True in fits or True in everything else None if None in fits else False

    def leave(self, scope: Scope, why: str) -> None:
        """Make what is left of it: what a branch set that is surely taken, or what all set to the same."""
        if self._settled is not None:
            scope.restore(self._settled)
            return
        by_name: dict[str, list[Held]] = {}
        for changed in self._all:
            for name, held in changed.items():
                by_name.setdefault(name, []).append(held)
        for name, several in by_name.items():
            before = [] if self._has_last else [scope.held(name)]
            if len(several) == len(self._all) and _is_same([*several, *before]):
                scope.restore({name: several[0]})
                continue
            scope.spoil(name, why)
            if any(held.exported for held in several):
                scope.export(name)


def is_wanted(name: str, text: str) -> bool:
    """Whether a script says that it ends where a variable is empty: if [[ -z "$NAME" ]]; then ... exit 1; fi."""
    import re

    return re.search(rf'-z\s+"?\$\{{?{re.escape(name)}\b(?:(?!\bfi\b).){{0,500}}?\bexit\b', text, re.DOTALL) is not None


def _is_same(held: Sequence[Held | None]) -> bool:
    """Whether these are all the same known text."""
    values = [None if one is None else one.value for one in held]
    texts = {text_of(value) for value in values if isinstance(value, tuple) and not why_of(value)}
    return len(texts) == 1 and all(isinstance(value, tuple) and not why_of(value) for value in values)


def tested(items: Sequence[Item], at: int, known: Known) -> bool | None:
    """What the commands before `then` or `do` come to, which begin at an index: one, or two with `&&` or `||`."""
    first = items[at] if at < len(items) else None
    if not isinstance(first, Command):
        return None
    behind = items[at + 1 : at + 5]
    if behind and isinstance(behind[0], Then):
        return outcome(first, known)
    if len(behind) == 4 and isinstance(behind[3], Then) and isinstance(behind[2], Leave):
        joined, second = behind[0], behind[1]
        if isinstance(joined, Enter) and joined.kind == "and" and isinstance(second, Command):
            return _joined(joined.sign, outcome(first, known), outcome(second, known))
    return None


def _joined(sign: str, one: bool | None, other: bool | None) -> bool | None:
    if sign not in ("&&", "||"):
        return None
    deciding = sign == "||"  # true || x, false && x
    if deciding in (one, other):
        return deciding
    return None if None in (one, other) else not deciding


def hangs_on(items: Sequence[Item], at: int, sign: str, known: Known) -> bool | None:
    """Whether what stands behind `&&` or `||` is run, by the command before it, which stands at an index."""
    before = items[at] if at >= 0 else None
    found = outcome(before, known) if isinstance(before, Command) and sign in ("&&", "||") else None
    return found if found is None else found is (sign == "&&")
