"""`fp8check run -- COMMAND`: check it, start it, watch its first steps from inside, and say what really ran."""

from __future__ import annotations

import json
import os
import shlex
import time

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import sources_of, style_of_complaints
from fp8check.cli.requests import documents_of, facts_of, request_for, request_of_documents, run_options
from fp8check.cli.streams import complain, finish
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.input_error import InputError
from fp8check.rules.reading import files
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from fp8check.cli.config import Config
    from fp8check.cli.options import Options
    from fp8check.probe.ranks import Look
    from fp8check.probe.session import Session
    from fp8check.rules.checking.request import Request
    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.checking.watching import Verdict
    from fp8check.rules.child.foreground import Foreground

ABOUT = """\
Check a command, start it unchanged, watch its first steps from inside every process that trains, and say on standard
error what really ran: as requested, as predicted, or what differs, with the rule. Then step aside. What could not be
seen is undecided.

  fp8check run -- accelerate launch --config_file accel.yaml train.py
  fp8check run --stop --evidence seen.json -- torchrun --nproc_per_node 8 train.py"""

STEPS, FEWEST_STEPS = 8, 3
PATIENCE_S = 900
_EVERY_S = 1.0  # how often the ranks are asked
_OLD_TORCH = (2, 5)


def parser() -> Parser:
    """The options of the command."""
    made = Parser("fp8check run", ABOUT, groups=(groups.files, groups.run, groups.config, groups.failing))
    watching = made.add_argument_group("the watch")
    watching.add_argument(
        "--steps", metavar="N", default=str(STEPS), help=f"watch N steps of the optimizer (default: {STEPS})"
    )
    watching.add_argument("--every", metavar="N", help="look again after every N steps: a run can lose FP8 later")
    watching.add_argument("--stop", action="store_true", help="end the run once the verdict is there")
    watching.add_argument("--abort", action="store_true", help="end the run where it is not what was asked for")
    watching.add_argument("--evidence", metavar="FILE", help="write what was seen there, as JSON (fp8check/seen/1)")
    watching.add_argument("--force", action="store_true", help="start it in spite of errors that the check found")
    watching.add_argument(
        "--patience",
        metavar="SECONDS",
        default=str(PATIENCE_S),
        help=f"without a sign of the run for so long, say what is undecided (default: {PATIENCE_S})",
    )
    watching.add_argument("--python", metavar="PATH", help="the interpreter that will train (found from the command)")
    groups.evidence(made)
    return made


def run(argv: list[str]) -> int:
    """Check, start, watch, and say what was seen."""
    options = parser().parse_args(argv)
    if options.launch is None:
        raise UsageError("run needs the command that it starts: fp8check run -- COMMAND")
    words = shlex.split(options.launch)
    if not words:
        raise UsageError("run needs the command that it starts: fp8check run -- COMMAND")
    steps = _number(options.steps, "--steps", FEWEST_STEPS)
    every = None if options.every is None else _number(options.every, "--every", steps)
    patience = _number(options.patience, "--patience", 1)
    config = load(options)
    checked = _check(options, config, words)
    if checked.code != ExitCode.OK and not options.force:
        complain("fp8check: not started; --force starts it all the same\n")
        return checked.code
    finish()
    from fp8check.probe.session import Session
    from fp8check.rules.child.foreground import Foreground
    from fp8check.rules.child.supervised import NotStarted

    session = Session(steps, every, old_torch=checked.old_torch)
    try:
        started = Foreground(words, session.environ(os.environ), session.mark)
    except NotStarted as problem:
        session.close()
        raise UsageError(str(problem)) from None
    watch = _Watch(options, checked, session, patience)
    try:
        status = started.wait(watch.goes_on)
        started.close()
        watch.end(started)
    finally:
        started.close()
        session.close()
    return _exit_code(watch, status, options)


def _number(text: str, name: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise UsageError(f"{name} takes a number of at least {least}, not {text}")
    return int(text)


def _exit_code(watch: _Watch, status: int, options: Options) -> int:
    from fp8check.rules.checking.watching import exit_code

    if status and not watch.ended_it:
        return status
    return exit_code(watch.verdicts, require_evidence=options.require_evidence)


class _Checked(Record):
    """What the check of the command came to.

    Attributes:
        runs: those that the command describes.
        code: what a check would exit with.
        old_torch: whether torch is older than what calls entry points.
    """

    request: Request | None
    runs: tuple[Assembled, ...]
    code: int
    old_torch: bool


def _check(options: Options, config: Config, words: Sequence[str]) -> _Checked:
    """Check the command as `fp8check -- COMMAND` does; the report goes to standard error where it has something."""
    from fp8check.rules.checking.advising import advised
    from fp8check.rules.checking.examining import is_to_be_advised
    from fp8check.rules.checking.request import checked, runs_of

    python = options.python or _interpreter(words)
    script = _script(words)
    named = options.replaced(python=python, launch=None if script else options.launch, files=[*options.files, *script])
    described = run_options(named)  # the command is what is checked, and no run of the configuration
    try:
        facts = facts_of(described[0])
    except InputError as problem:
        if options.python is not None:
            raise
        complain(f"fp8check: nothing is known of {python}: {problem}\n")
        described = [one._replace(python=None) for one in described]
        facts = facts_of(described[0])
    old = _is_old((facts.packages or {}).get("torch"))
    try:
        documents = tuple(documents_of(described[0], []))
        request = request_for((request_of_documents(described[0], documents, (), facts),), options, config)
        runs = runs_of(request)
        found = checked(request, runs)
    except InputError as problem:
        complain(f"fp8check: the command could not be checked: {problem}\n")
        return _Checked(None, (), ExitCode.OK, old)
    code = found.exit_code(options.fail_on or config.fail_on or "error")
    if code != ExitCode.OK:
        if is_to_be_advised(found.reports):
            found = advised(request, found)
        _complain(found.reports, options, config)
    return _Checked(request, runs, code, old)


def _complain(reports: Sequence[Any], options: Options, config: Config) -> None:
    from fp8check.rules.report import build, text
    from fp8check.rules.report.formats import Look

    look = Look(False, width=style_of_complaints().width)
    told = text.render([build.brief(one) for one in reports], sources_of(reports, options, config), look)
    complain(told, fold=False)


def _script(words: Sequence[str]) -> list[str]:
    """The shell script that the command is, which is checked as a file: each of its launch lines is a run."""
    name = os.path.basename(words[0])
    script = words[1] if name in ("bash", "sh", "dash", "zsh") and len(words) > 1 else words[0]
    return [script] if script.endswith((".sh", ".sbatch", ".slurm")) and files.is_there(script) else []


def _interpreter(words: Sequence[str]) -> str | None:
    """The interpreter of the environment that a program of the command is in; None where that is this one, or unknown.

    The command is the user's own word, so that it may be started to ask for its packages.
    """
    import shutil
    import sys

    for word in words:
        name = os.path.basename(word)
        if "=" in name or word.startswith("-"):
            continue
        found = shutil.which(word)
        if found is None:
            return None
        if name.startswith("python"):
            return None if os.path.realpath(found) == os.path.realpath(sys.executable) and _beside(found) else found
        beside = os.path.join(os.path.dirname(found), "python")
        if files.is_there(beside):  # a console script
            return None if _beside(found) else beside
        if name not in ("env", "srun", "nohup", "time", "nice", "timeout", "numactl"):
            return None
    return None


def _beside(program: str) -> bool:
    """Whether a program lies in the environment that fp8check runs in."""
    import sys

    return os.path.dirname(os.path.abspath(program)) == os.path.dirname(os.path.abspath(sys.executable))


def _is_old(release: str | None) -> bool:
    if release is None:
        return False
    parts = release.partition("+")[0].split(".")
    return tuple(int(part) for part in parts[:2] if part.isdecimal()) < _OLD_TORCH


class _Watch:
    """Reads what the ranks tell, judges each look once, and says when the run is to be ended.

    Attributes:
        verdicts: one a look.
        ended_it: whether the run was ended from here.
    """

    def __init__(self, options: Options, checked: _Checked, session: Session, patience: float) -> None:
        self.verdicts: list[Verdict] = []
        self.ended_it = False
        self._options = options
        self._checked = checked
        self._session = session
        self._patience = patience
        self._next = 0.0
        self._gave_up = False

    def goes_on(self) -> bool:
        """Look at what the ranks told; False where the run is to be ended."""
        now = time.monotonic()
        if now < self._next:
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

    def end(self, started: Foreground) -> None:
        """The run has ended: what was not told until now will not be."""
        from fp8check.probe.ranks import looks

        found = looks(self._session.told())
        for look in found[len(self.verdicts) :]:
            self._judge(look, _ended(started))
        if not self.verdicts:
            self._judge(None, _ended(started))

    def _judge(self, look: Look | None, ended: str) -> None:
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
        self.verdicts.append(verdict)
        complain(text(seen, verdict.words, verdict.differences, verdict.undecided))
        if self._options.evidence is not None:
            self._write(self._options.evidence)

    def _write(self, path: str) -> None:
        from fp8check.rules import writing
        from fp8check.rules.credentials import masked_shapes

        first, *later = [one.as_data() for one in self.verdicts]
        data = {**first, **({"later": later} if later else {})}
        writing.write(path, (masked_shapes(json.dumps(data, indent=2)) + "\n").encode())


def _ended(started: Foreground) -> str:
    status = started.status or 0
    if status > 128:
        return f"the command was ended by signal {status - 128}"
    return f"the command ended with exit code {status}"
