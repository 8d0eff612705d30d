"""`fp8check run -- COMMAND`: check it, start it, watch its first steps from inside, and say what really ran."""

from __future__ import annotations

import os
import shlex

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import sources_of, style_of_complaints
from fp8check.cli.requests import documents_of, facts_of, request_for, request_of_documents, run_options
from fp8check.cli.streams import complain, finish
from fp8check.cli.watching import Checked, Watch
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.input_error import InputError
from fp8check.rules.reading import files
from fp8check.rules.reading.kind import SHELLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from fp8check.cli.config import Config
    from fp8check.cli.options import Options

ABOUT = """\
Check a command, start it unchanged, watch its first steps from inside every process that trains, and say on standard
error what really ran: as requested, as predicted, or what differs, with the rule. Then get out of the way. What could
not be seen is undecided.

  fp8check run -- accelerate launch --config_file accel.yaml train.py
  fp8check run --stop --evidence seen.json -- torchrun --nproc_per_node 8 train.py"""

STEPS, FEWEST_STEPS = 8, 3
STEPS_COMPARED = 32  # of each run: the first are slow, and those in which something is looked at do not count
PATIENCE_S = 900
_OLD_TORCH = (2, 5)


def parser() -> Parser:
    """The options of the command."""
    made = Parser("fp8check run", ABOUT, groups=(groups.files, groups.run, groups.config, groups.failing))
    watching = made.add_argument_group("the watch")
    watching.add_argument(
        "--steps",
        metavar="N",
        help=f"watch N steps of the optimizer (default: {STEPS}, and {STEPS_COMPARED} with --compare)",
    )
    watching.add_argument("--every", metavar="N", help="look again every N steps: a run can lose FP8 later")
    watching.add_argument("--stop", action="store_true", help="end the run once there is a verdict")
    watching.add_argument("--abort", action="store_true", help="end the run if it is not what was asked for")
    watching.add_argument(
        "--compare",
        choices=("bf16",),
        help="try the first steps twice, as written and in BF16: speed, memory and loss side by side; nothing is saved",
    )
    watching.add_argument(
        "--evidence", metavar="FILE", help="write what was seen to this file, as JSON (fp8check/seen/1)"
    )
    watching.add_argument("--force", action="store_true", help="start it even if the check found errors")
    watching.add_argument(
        "--patience",
        metavar="SECONDS",
        default=str(PATIENCE_S),
        help=f"give up watching after this long without a sign of the run, and say so (default: {PATIENCE_S})",
    )
    watching.add_argument(
        "--python", metavar="PATH", help="the Python interpreter that will train (default: found from the command)"
    )
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
    usual = STEPS if options.compare is None else STEPS_COMPARED
    steps = usual if options.steps is None else _number(options.steps, "--steps", FEWEST_STEPS)
    why = ", as many as each look takes (--steps)"
    every = None if options.every is None else _number(options.every, "--every", steps, why)
    patience = _number(options.patience, "--patience", 1)
    _can_be_written(options.evidence)
    config = load(options)
    checked = _check(options, config, words)
    if checked.code != ExitCode.OK and not options.force:
        complain("fp8check: not started; --force starts it all the same\n")
        return checked.code
    finish()
    if options.compare is not None:
        from fp8check.cli.comparing import compare

        return compare(options, checked, words, steps, patience)
    from fp8check.probe.session import Session
    from fp8check.rules.child.foreground import Foreground
    from fp8check.rules.child.supervised import NotStarted

    session = Session(steps, every, old_torch=checked.old_torch)
    try:
        started = Foreground(words, session.environ(os.environ), session.mark)
    except NotStarted as problem:
        session.close()
        raise UsageError(str(problem)) from None
    watch = Watch(options, checked, session, patience)
    try:
        status = started.wait(watch.goes_on)
        started.close()
        watch.end(started)
    finally:
        started.close()
        session.close()
    watch.sum_up()
    return _exit_code(watch, status, options)


def _number(text: str, name: str, least: int, why: str = "") -> int:
    if not text.isdecimal() or int(text) < least:
        raise UsageError(f"{name} takes a number of at least {least}{why}, not {text}")
    return int(text)


def _can_be_written(evidence: str | None) -> None:
    """Raise where it is plain that it cannot: nobody wants to learn that at the end of a run."""
    if evidence is None:
        return
    folder = os.path.dirname(evidence) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"--evidence {evidence}: there is no folder {folder}")
    if os.path.isdir(evidence):
        raise UsageError(f"--evidence {evidence}: is a directory")


def _exit_code(watch: Watch, status: int, options: Options) -> int:
    from fp8check.rules.checking.watching import exit_code

    if status and not watch.ended_it:
        return status
    return exit_code(watch.verdicts, require_evidence=options.require_evidence)


def _check(options: Options, config: Config, words: Sequence[str]) -> Checked:
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
        return Checked(None, (), ExitCode.OK, old, python)
    code = found.exit_code(options.fail_on or config.fail_on or "error")
    if code != ExitCode.OK:
        if is_to_be_advised(found.reports):
            found = advised(request, found)
        _complain(found.reports, options, config)
    return Checked(request, runs, code, old, python)


def _complain(reports: Sequence[Any], options: Options, config: Config) -> None:
    from fp8check.rules.report import build, text
    from fp8check.rules.report.formats import Look

    look = Look(False, width=style_of_complaints().width)
    told = text.render([build.brief(report) for report in reports], sources_of(reports, options, config), look)
    complain(told, fold=False)


def _script(words: Sequence[str]) -> list[str]:
    """The shell script that the command is, which is checked as a file: each of its launch lines is a run."""
    name = os.path.basename(words[0])
    script = words[1] if name in SHELLS and len(words) > 1 else words[0]
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
