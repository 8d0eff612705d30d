"""`fp8check FILE...` and `fp8check outcome FILE...`."""

from __future__ import annotations

import sys

from fp8check.cli.config import load
from fp8check.cli.exit_codes import ExitCode
from fp8check.cli.options import UsageError, format_names, names, parser
from fp8check.rules import facts as machine
from fp8check.rules.catalog import RULES
from fp8check.rules.checking.judging import compared, examine_all
from fp8check.rules.checking.runs import WrongFiles, assemble, parse_launch, sort
from fp8check.rules.outcome import predict
from fp8check.rules.reading import Unreadable
from fp8check.rules.report.style import Style, wants_color
from fp8check.rules.suppression.examined import counts
from fp8check.rules.trainers.detect import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from fp8check.cli.config import Config
    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.engine.running import Crash
    from fp8check.rules.facts import Facts
    from fp8check.rules.reading import Document
    from fp8check.rules.report.formats import Format
    from fp8check.rules.seen import Seen
    from fp8check.rules.suppression.examined import Examined

PROBLEMS = (UsageError, WrongFiles, Unreadable, machine.BadFacts)
INTERNAL_ERROR = "FP999"


def check(words: list[str]) -> int:
    """Check the runs that the files describe."""
    try:
        options = parser().parse_args(words)
        config = load(options)
        formats = _formats(options.format)
        if options.server is not None:
            from fp8check.cli.remote import check_there

            return check_there(options, config, formats)
        rules, crashes = chosen(options, config)
        assembled = runs(options, config)
        baseline = _baseline(options, config)
    except SystemExit as leave:  # --help, --version
        return int(leave.code or 0)
    except PROBLEMS as problem:
        return usage(problem)
    reports = examine_all(
        [(one.run, one.documents) for one in assembled],
        rules,
        _probed(assembled, options),
        configured=config.suppressions,
        crashes=crashes,
    )
    if baseline is not None:
        reports = [compared(report, baseline) for report in reports]
    try:
        if options.write_baseline is not None:
            return _write_baseline(options.write_baseline, reports)
        for name, target in formats:
            _write(name, target, reports, options)
    except OSError as problem:
        return usage(problem)
    print_crashes(crash for report in reports for crash in report.crashes)
    return _exit_code(reports, options.fail_on or config.fail_on or "error", options)


def outcome(words: list[str]) -> int:
    """Print the chain of decisions of each run."""
    from fp8check.rules.report import trace

    try:
        options = parser("outcome").parse_args(words)
        formats = _formats(options.format)
        assembled = runs(options)
    except SystemExit as leave:
        return int(leave.code or 0)
    except PROBLEMS as problem:
        return usage(problem)
    style = Style(wants_color(sys.stdout, options.color))
    for one in assembled:
        predicted = predict(one.run)
        if formats[0][0] == "json":
            import json

            from fp8check.rules.report.json_ import outcome_as_data

            sys.stdout.write(json.dumps(outcome_as_data(predicted), indent=2) + "\n")
        else:
            sys.stdout.write(trace.render(predicted, style))
    return ExitCode.OK


def _probed(assembled: list[Assembled], options: argparse.Namespace) -> list[Seen | None]:
    """What the probe saw of each run; None without --probe."""
    if options.probe is None:
        return [None] * len(assembled)
    from fp8check.cli.probe import probe_runs

    return list(probe_runs(assembled, options))


def usage(problem: Exception) -> int:
    """Say what is wrong with the command line or a file."""
    words = str(problem)
    if isinstance(problem, OSError) and problem.strerror is not None:
        words = f"{problem.filename}: {problem.strerror.lower()}"
    sys.stderr.write(f"fp8check: {words}\n")
    hint = getattr(problem, "hint", "")
    if hint:
        sys.stderr.write(f"  {hint}\n")
    return ExitCode.USAGE


def _formats(values: list[str]) -> list[tuple[str, str | None]]:
    formats: list[tuple[str, str | None]] = []
    for value in values or ["text"]:
        name, equals, target = value.partition("=")
        if name != "text" and _format(name) is None:
            raise UsageError(f"no such format: {name}; there are {', '.join(format_names())}")
        formats.append((name, target if equals else None))
    return formats


def _format(name: str) -> Format | None:
    from fp8check.rules.report.formats import find

    return find(name)


def chosen(options: argparse.Namespace, config: Config) -> tuple[tuple[Rule, ...], tuple[Crash, ...]]:
    """The rules to run, and what went wrong with plug-ins.

    Raises:
        UsageError: a rule or group is named that does not exist.
    """
    rules, crashes = with_plugins((*config.plugins, *options.plugin))
    select = names(options.select) or names(config.select)
    ignore = (*names(options.ignore), *names(config.ignore))
    for name in (*select, *ignore):
        if not any(one.id.startswith(name) for one in rules) and not crashes:
            raise UsageError(f"no rule or group is called {name}; fp8check rules lists them")
    return tuple(one for one in rules if _is_chosen(one.id, select, ignore)), crashes


def _is_chosen(id_: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    """That a rule failed is said whatever was chosen."""
    if id_ == INTERNAL_ERROR:
        return True
    return (not select or id_.startswith(select)) and not (ignore and id_.startswith(ignore))


def with_plugins(wanted: Sequence[str]) -> tuple[tuple[Rule, ...], tuple[Crash, ...]]:
    """All rules with those of these plug-ins, and what went wrong with the plug-ins.

    Raises:
        UsageError: no installed package has a plug-in of that name.
    """
    rules: tuple[Rule, ...] = RULES
    crashes: tuple[Crash, ...] = ()
    if not wanted:
        return rules, crashes
    from fp8check.rules.engine import plugins

    known = plugins.installed()
    for name in dict.fromkeys(wanted):
        if name not in known:
            raise UsageError(f"no installed package has the plug-in {name}; there are: {', '.join(known) or 'none'}")
        plugin = plugins.load(name, rules)
        rules = (*rules, *plugin.rules)
        crashes = (*crashes, plugin.crash) if plugin.crash is not None else crashes
    return rules, crashes


def _baseline(options: argparse.Namespace, config: Config) -> Sequence[Mapping[str, str]] | None:
    path = options.baseline or config.baseline
    if path is None or options.write_baseline is not None:
        return None
    from fp8check.rules.suppression.baseline import BadBaseline, load_baseline

    try:
        return load_baseline(path)
    except BadBaseline as problem:
        raise UsageError(str(problem)) from None


def _write_baseline(path: str, reports: Sequence[Examined]) -> int:
    from fp8check.rules.suppression.baseline import save_baseline
    from fp8check.rules.suppression.fingerprint import fingerprints

    if any(report.crashes for report in reports):
        print_crashes(crash for report in reports for crash in report.crashes)
        return ExitCode.INTERNAL_ERROR
    marked = [
        pair
        for report in reports
        for pair in zip(fingerprints(report.findings, report.documents), report.findings, strict=True)
    ]
    number = save_baseline(path, marked)
    sys.stdout.write(f"{path}: {number} finding{'s' if number != 1 else ''}\n")
    return ExitCode.OK


def print_crashes(crashes: Iterable[Crash]) -> None:
    """What a plug-in's or rule's author needs, on standard error; each once."""
    for crash in {crash.rule: crash for crash in crashes}.values():
        sys.stderr.write(f"fp8check: {crash.rule} failed; please report it with these lines:\n{crash.traceback}")


def runs(options: argparse.Namespace, config: Config | None = None) -> list[Assembled]:
    """The runs that the command line describes; those of the configuration where it names no file.

    Raises:
        UsageError, WrongFiles, Unreadable, BadFacts: it does not describe any.
    """
    if options.probe and options.facts is not None:
        raise UsageError("--facts says what another machine is: the probe runs on this one, without --facts")
    if not options.files and config is not None and config.runs:
        return [one for run in config.runs for one in runs(as_options(run, options))]
    if not options.files:
        raise UsageError("name a training file, an Accelerate file, or both; fp8check --help says more")
    return assembled(documents_of(options), options, facts_of(options))


def as_options(run: Mapping[str, object], options: argparse.Namespace) -> argparse.Namespace:
    """The options of one [[run]] of the configuration; what the command line says goes first."""
    import argparse

    given = vars(options)
    return argparse.Namespace(**{**given, **{key: given.get(key) or value for key, value in run.items()}})


def assembled(documents: list[Document], options: argparse.Namespace, facts: Facts) -> list[Assembled]:
    """The runs that these documents make up on this machine, started as the options say.

    Raises:
        WrongFiles, Unreadable: they do not make up any.
    """
    launch = parse_launch(options.launch)
    if not options.hook:
        return assemble(documents, facts, launch=launch, trainer=options.trainer)
    return list(_hooked(documents, facts, options))


def _hooked(documents: list[Document], facts: Facts, options: argparse.Namespace) -> Iterable[Assembled]:
    """The changed files of a commit: together where there is one Accelerate file, else each for itself."""
    kinds = sort(documents)
    ours = [*kinds.training, *kinds.accelerate]
    launch = parse_launch(options.launch)
    together = len(kinds.accelerate) <= 1
    for group in [ours] if together and ours else [[one] for one in ours]:
        yield from assemble(group, facts, launch=launch, trainer=options.trainer)


def documents_of(options: argparse.Namespace) -> list[Document]:
    """The files of the command line, each once.

    Raises:
        Unreadable: one of them cannot be read.
    """
    return list(_documents(options))


def _documents(options: argparse.Namespace) -> Iterable[Document]:
    seen: set[str] = set()
    for path in options.files:
        if path in seen:
            continue
        seen.add(path)
        data = sys.stdin.buffer.read() if path == "-" else None
        try:
            yield read(path, data)
        except Unreadable as problem:
            if not (options.hook and problem.kind in (None, "other")):
                raise


def facts_of(options: argparse.Namespace) -> Facts:
    """What is known of the machine that the options name. Looks at this one, or starts an interpreter: once is enough.

    Raises:
        UsageError, BadFacts: they name none.
    """
    if options.facts is not None:
        if options.python is not None or options.no_environment:
            raise UsageError("--facts says what the machine is: --python and --no-environment do not go with it")
        facts = machine.load(options.facts)
    elif options.no_environment or options.hook:
        facts = machine.Facts()
    else:
        facts = machine.collect_for_run(options.python)
    for pair in options.set_variable:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--set-variable takes NAME=VALUE, not {pair!r}")
        facts.variables = {**(facts.variables or {}), name: value}
    return facts


def _write(name: str, target: str | None, reports: list[Examined], options: argparse.Namespace) -> None:
    put(_rendered(name, reports, options, to_file=target is not None), target)


def put(text: str, target: str | None) -> None:
    """Write a report to standard output, or to a file."""
    if target is None:
        sys.stdout.write(text)
        return
    with open(target, "w", encoding="utf-8") as stream:
        stream.write(text)


def _rendered(name: str, reports: list[Examined], options: argparse.Namespace, *, to_file: bool) -> str:
    format_ = _format(name)
    if format_ is not None:
        from fp8check.rules.report.json_ import as_data

        sources = {document.path: document.text for report in reports for document in report.documents}
        return format_.render([as_data(report) for report in reports], sources)
    from fp8check.rules.report import text

    choice = "never" if to_file and options.color == "auto" else options.color
    style = Style(wants_color(sys.stdout, choice))
    quiet = options.quiet or options.hook
    return "\n".join(text.render(report, style, quiet=quiet, verbose=options.verbose) for report in reports)


def _exit_code(reports: list[Examined], fail_on: str, options: argparse.Namespace) -> int:
    if any(report.crashes for report in reports):
        return ExitCode.INTERNAL_ERROR
    for report in reports:
        numbers = counts(report)
        if fail_on != "never" and numbers["error"]:
            return ExitCode.FINDINGS
        if fail_on == "warning" and numbers["warning"]:
            return ExitCode.FINDINGS
    if options.require_evidence and any(report.undecided or report.outcome.undecided for report in reports):
        return ExitCode.UNDECIDED
    return ExitCode.OK
