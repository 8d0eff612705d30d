"""`fp8check run --compare bf16`: the first steps of a command in FP8, then those of its copy in BF16, side by side."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile

from fp8check.cli.options import UsageError
from fp8check.cli.output import style_of_complaints
from fp8check.cli.streams import complain
from fp8check.cli.watching import Checked, Watch
from fp8check.rules.checking.exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.cli.options import Options
    from fp8check.probe.mirror import Mirror
    from fp8check.rules.checking.comparing import Compared, Copy
    from fp8check.rules.checking.watching import Verdict

_ENTERS_S = 120


class Trials:
    """The two runs: each in a copy of the working folder, and neither leaves anything behind."""

    def __init__(self, options: Options, checked: Checked, steps: int, patience: float) -> None:
        self._options = options.replaced(stop=True, evidence=None)
        self._evidence: str | None = options.evidence
        self._checked = checked
        self._steps = steps
        self._patience = patience
        self._folder = tempfile.mkdtemp(prefix="fp8check-compare-")

    def run(self, words: Sequence[str], python: str) -> int:
        """Try both, and say what they come to; the exit code."""
        from fp8check.rules.checking.comparing import CannotCompare, compared, copy_of
        from fp8check.rules.checking.watching import exit_code

        try:
            try:
                copy = copy_of(self._checked.request, self._checked.runs, words)
                self._try_the_way([python, *_flags(words)])
            except CannotCompare as reason:
                complain(f"fp8check: not started: it cannot be compared with BF16: {reason}\n")
                return ExitCode.FINDINGS
            first, status = self._trial("FP8", words, {}, {}, self._checked)
            if status:
                return status
            self._write(first, None)
            if first.agrees is False and self._options.abort:
                complain("fp8check: not compared with BF16: the run is not what was asked for\n")
                return ExitCode.FINDINGS
            _tell(copy)
            then = Checked(copy.request, copy.runs, ExitCode.OK, self._checked.old_torch, self._checked.python)
            second, _ = self._trial("BF16", copy.words, copy.files, copy.variables, then)
            both = compared(first, second, copy.steps)
            self._say(both)
            code = exit_code([first], require_evidence=self._options.require_evidence)
            undecided = bool(both.undecided) and self._options.require_evidence
            return code if code or not undecided else ExitCode.UNDECIDED
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _try_the_way(self, python: Sequence[str]) -> None:
        """Nothing is switched off where the watcher is not let in: torch is imported once, to see that it is."""
        from fp8check.probe.session import Session
        from fp8check.rules.checking.comparing import CannotCompare
        from fp8check.rules.child.run import run
        from fp8check.rules.child.supervised import NotStarted

        session = Session(self._steps, None, trial=True)
        try:
            done = run([*python, "-c", "import torch"], limit_s=_ENTERS_S, environ=session.environ(os.environ))
            if done.how != "exit" or done.code or not session.entered():
                raise CannotCompare(
                    f"{' '.join(python)} does not let the watcher in, and nothing could be switched off"
                )
        except NotStarted as problem:
            raise CannotCompare(str(problem)) from None
        finally:
            session.close()

    def _trial(
        self,
        name: str,
        words: Sequence[str],
        files: Mapping[str, str],
        variables: Mapping[str, str | None],
        checked: Checked,
    ) -> tuple[Verdict, int]:
        """One of the two, and what it ended with by itself; 0 where it was ended from here."""
        from fp8check.probe.mirror import Mirror
        from fp8check.probe.session import Session
        from fp8check.rules.child.foreground import Foreground
        from fp8check.rules.child.supervised import NotStarted

        root = os.path.join(self._folder, name)
        os.mkdir(root)
        mirror = Mirror(root, os.getcwd(), files)
        session = Session(self._steps, None, old_torch=checked.old_torch, trial=True)
        complain(f"fp8check: {name}: {self._steps} steps; nothing is saved, tracked or pushed\n")
        try:
            environ = _changed(session.environ(os.environ), variables, mirror)
            started = Foreground([*map(mirror.word, words)], environ, session.mark, mirror.here)
        except NotStarted as problem:
            session.close()
            raise UsageError(str(problem)) from None
        watch = Watch(self._options, checked, session, self._patience)
        try:
            status = started.wait(watch.goes_on)
            watch.end(started)
        finally:
            started.close()
            session.close()
            shutil.rmtree(root, ignore_errors=True)
        return watch.verdicts[-1], 0 if watch.ended_it else status

    def _say(self, both: Compared) -> None:
        from fp8check.rules.report.compared import text

        complain(text(both.first.seen, both.second.seen, both.gaps, both.undecided))
        self._write(both.first, both)

    def _write(self, first: Verdict, both: Compared | None) -> None:
        if self._evidence is None:
            return
        from fp8check.rules import writing
        from fp8check.rules.credentials import masked_shapes

        data = {**first.as_data(), **({} if both is None else {"compared": both.as_data()})}
        writing.write(self._evidence, (masked_shapes(json.dumps(data, indent=2)) + "\n").encode())


def _changed(environ: Mapping[str, str], variables: Mapping[str, str | None], mirror: Mirror) -> dict[str, str]:
    kept = {**environ, "PWD": mirror.here}
    for name, value in variables.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    return kept


def _flags(words: Sequence[str]) -> list[str]:
    """Those of the interpreter that the command names, as they stand in it: some of them let nobody in."""
    found: list[str] = []
    at = next((at for at, word in enumerate(words) if os.path.basename(word).startswith("python")), len(words))
    rest = iter(words[at + 1 :])
    for word in rest:
        if not word.startswith("-") or word in ("-m", "-c", "-"):
            break
        found += [word, *([next(rest, "")] if word in ("-W", "-X") else [])]
    return found


def _tell(copy: Copy) -> None:
    """What is another in the copy."""
    from fp8check.rules.credentials import masked_shapes
    from fp8check.rules.report.plan import step_of
    from fp8check.rules.report.plan_text import step_lines

    style = style_of_complaints()
    lines = [line for number, step in enumerate(copy.steps, 1) for line in step_lines(step_of(step), number, style)]
    complain("fp8check: the copy for BF16\n" + "".join(f"{masked_shapes(line)}\n" for line in lines))


def compare(options: Options, checked: Checked, words: Sequence[str], steps: int, patience: float) -> int:
    """The command in both precisions.

    Raises:
        UsageError: it cannot be started; or an option that goes with a run and not with a trial.
    """
    if options.every is not None:
        raise UsageError("--every goes with a whole run, and --compare tries a few steps")
    return Trials(options, checked, steps, patience).run(words, options.python or checked.python or sys.executable)
