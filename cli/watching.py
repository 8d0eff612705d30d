"""While a watched run goes on: what its ranks tell is judged, and said, one look after the other."""

from __future__ import annotations

import json
import signal
import time

from fp8check.cli.streams import complain
from fp8check.rules.input_error import InputError
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from fp8check.cli.options import Options
    from fp8check.probe.ranks import Look
    from fp8check.probe.session import Session
    from fp8check.rules.checking.request import Request
    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.checking.watching import Verdict
    from fp8check.rules.child.foreground import Foreground

_EVERY_S = 1.0  # how often the ranks are asked


class Checked(Record):
    """What the check of the command came to.

    Attributes:
        runs: those that the command describes.
        code: what a check would exit with.
        old_torch: whether torch is older than what calls entry points.
        python: the interpreter that trains; None where that is this one, or not known.
    """

    request: Request | None
    runs: tuple[Assembled, ...]
    code: int
    old_torch: bool
    python: str | None


class Watch:
    """Reads what the ranks tell, judges each look once, and says when the run is to be ended.

    Attributes:
        verdicts: one a look.
        ended_it: whether the run was ended from here.
    """

    def __init__(self, options: Options, checked: Checked, session: Session, patience: float) -> None:
        self.verdicts: list[Verdict] = []
        self.ended_it = False
        self._options = options
        self._checked = checked
        self._session = session
        self._patience = patience
        self._next = 0.0
        self._gave_up = False
        self._is_over = False  # whether there is nothing more to ask the ranks for

    def goes_on(self) -> bool:
        """Look at what the ranks told; False where the run is to be ended."""
        now = time.monotonic()
        if now < self._next or self._is_over:
            return True
        self._next = now + _EVERY_S
        from fp8check.probe.ranks import looks

        whole = [look for look in looks(self._session.told()) if look.whole]
        for look in whole[len(self.verdicts) :]:
            self._judge(look, "")
        if not self.verdicts and not self._gave_up and self._session.quiet_s() > self._patience:
            self._gave_up = True
            self._give_up()
        self.ended_it = self._is_to_end()
        if self.verdicts and self._options.every is None:
            self._is_over = True
            self._session.over()
        return not self.ended_it

    def _is_to_end(self) -> bool:
        if self._gave_up and self._options.stop:
            return True
        if not self.verdicts:
            return False
        return self._options.stop or (self._options.abort and self.verdicts[-1].agrees is False)

    def _give_up(self) -> None:
        """Say what is undecided while the run stands still; a verdict may still come."""
        from fp8check.probe.ranks import looks

        found = looks(self._session.told())
        why = f"no sign of the run for {self._patience:g} s"
        self._judge(found[0] if found else None, why)
        if not self._options.stop:
            self.verdicts.clear()
            complain("fp8check: the run goes on, and is watched; a verdict may still come\n")

    def end(self, started: Foreground) -> None:
        """The run has ended: what was not told until now will not be."""
        from fp8check.probe.ranks import looks

        found = looks(self._session.told())
        for look in found[len(self.verdicts) :]:
            self._judge(look, _ended(started), is_cut=bool(self.verdicts) and not look.whole and not started.status)
        if not self.verdicts:
            self._judge(None, _ended(started))

    def sum_up(self) -> None:
        """Say why the run was ended from here: launchers tell much of their end, and the verdict is far above it."""
        if self.ended_it and self.verdicts:
            why = "--stop" if self._options.stop else "--abort"
            complain(f"fp8check: the run was ended here ({why}): {self.verdicts[-1].words}\n")

    def _judge(self, look: Look | None, ended: str, *, is_cut: bool = False) -> None:
        """Judge a look, and say it.

        Args:
            look: what the ranks told; None where they told nothing.
            ended: how the run ended, in words; "" while it goes on.
            is_cut: whether it is a later one, and the run came to its regular end within it: then it takes nothing from
                those before, unless what it saw is a fault.
        """
        from fp8check.probe.ranks import seen as seen_of
        from fp8check.rules.checking.request import checked
        from fp8check.rules.checking.selection import select
        from fp8check.rules.checking.watching import OF_WHAT_WAS_SEEN, judged
        from fp8check.rules.report.watched import text

        seen = seen_of(look, self._session.entered(), ended)
        request, runs = self._checked.request, self._checked.runs
        reports: Sequence[Any] = ()
        if request is not None and len(runs) == 1:
            ours = request._replace(rules=select(only=OF_WHAT_WAS_SEEN).rules)
            reports = checked(ours, runs, [seen]).reports
        verdict = judged(reports if reports else [None] * len(runs), seen)  # type: ignore[list-item]
        if is_cut and verdict.agrees is not False:
            first = "" if seen.watched is None else f", from step {seen.watched.first} on"
            complain(f"\nfp8check: the run ended within a later look{first}: nothing is said of that one\n")
            return
        self.verdicts.append(verdict)
        # On a line of its own, also where the program has left a bar of progress on the last one.
        complain("\n" + text(seen, verdict.words, verdict.differences, verdict.undecided))
        if self._options.evidence is not None:
            try:
                self._write(self._options.evidence)
            except InputError as problem:  # the run goes on, and so does its watch
                complain(f"fp8check: no evidence was written: {problem}\n")

    def _write(self, path: str) -> None:
        from fp8check.rules import writing
        from fp8check.rules.credentials import masked_shapes

        first, *later = [verdict.as_data() for verdict in self.verdicts]
        data = {**first, **({"later": later} if later else {})}
        writing.write(path, (masked_shapes(json.dumps(data, indent=2)) + "\n").encode())


def _ended(started: Foreground) -> str:
    status = started.status or 0
    if status > 128:
        return f"the command was ended by signal {status - 128}{_name(status - 128)}"
    return f"the command ended with exit code {status}"


def _name(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:  # one that this system does not name
        return ""
