"""`fp8check FILE...` and `fp8check outcome FILE...`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fp8check.cli.exit_codes import ExitCode
from fp8check.cli.options import UsageError, names, parser
from fp8check.rules import facts as machine
from fp8check.rules.assemble import WrongFiles, assemble, parse_launch, sort
from fp8check.rules.catalog import RULES
from fp8check.rules.outcome import predict
from fp8check.rules.reading import Unreadable, read
from fp8check.rules.report import counts, examine
from fp8check.rules.report.style import Style, wants_colour

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from fp8check.rules.assemble import Assembled
    from fp8check.rules.catalog import Rule
    from fp8check.rules.evidence import Evidence
    from fp8check.rules.facts import Facts
    from fp8check.rules.reading import Document
    from fp8check.rules.report import Report


def check(words: list[str]) -> int:
    """Check the runs that the files describe."""
    try:
        options = parser().parse_args(words)
        formats = _formats(options.format)
        rules = _chosen(options)
        assembled = runs(options)
    except SystemExit as leave:  # --help, --version
        return int(leave.code or 0)
    except (UsageError, WrongFiles, Unreadable, machine.BadFacts) as problem:
        return usage(problem)
    evidence = _probed(assembled, options)
    reports = [examine(one.run, one.documents, rules, seen) for one, seen in zip(assembled, evidence, strict=True)]
    for name, target in formats:
        try:
            _write(name, target, reports, options)
        except OSError as problem:
            return usage(problem)
    return _exit_code(reports, options)


def outcome(words: list[str]) -> int:
    """Print the chain of decisions of each run."""
    from fp8check.rules.report import trace

    try:
        options = parser("outcome").parse_args(words)
        formats = _formats(options.format)
        assembled = runs(options)
    except SystemExit as leave:
        return int(leave.code or 0)
    except (UsageError, WrongFiles, Unreadable, machine.BadFacts) as problem:
        return usage(problem)
    style = Style(wants_colour(sys.stdout, options.color))
    for one in assembled:
        predicted = predict(one.run)
        if formats[0][0] == "json":
            import json

            from fp8check.rules.report.json_ import outcome_as_data

            sys.stdout.write(json.dumps(outcome_as_data(predicted), indent=2) + "\n")
        else:
            sys.stdout.write(trace.render(predicted, style))
    return ExitCode.OK


def _probed(assembled: list[Assembled], options: argparse.Namespace) -> list[Evidence | None]:
    """What the probe saw of each run; None without --probe."""
    if options.probe is None:
        return [None] * len(assembled)
    from fp8check.cli.probe import probe_runs

    return list(probe_runs(assembled, options))


def usage(problem: Exception) -> int:
    """Say what is wrong with the command line or a file."""
    sys.stderr.write(f"fp8check: {problem}\n")
    hint = getattr(problem, "hint", "")
    if hint:
        sys.stderr.write(f"  {hint}\n")
    return ExitCode.USAGE


def _formats(values: list[str]) -> list[tuple[str, str | None]]:
    formats: list[tuple[str, str | None]] = []
    for value in values or ["text"]:
        name, equals, target = value.partition("=")
        if name not in ("text", "json"):
            raise UsageError(f"no such format: {name}; there are text and json")
        formats.append((name, target if equals else None))
    return formats


def _chosen(options: argparse.Namespace) -> tuple[Rule, ...]:
    select, ignore = names(options.select), names(options.ignore)
    known = [one.id for one in RULES]
    for name in (*select, *ignore):
        if not any(one.startswith(name) for one in known):
            raise UsageError(f"no rule or group is called {name}; fp8check rules lists them")
    return tuple(
        one for one in RULES if (not select or one.id.startswith(select)) and not (ignore and one.id.startswith(ignore))
    )


def runs(options: argparse.Namespace) -> list[Assembled]:
    """The runs that the command line describes.

    Raises:
        UsageError, WrongFiles, Unreadable, BadFacts: it does not describe any.
    """
    if options.probe and options.facts is not None:
        raise UsageError("--facts says what another machine is: the probe runs on this one, without --facts")
    if not options.files:
        raise UsageError("name a training file, an Accelerate file, or both; fp8check --help says more")
    launch = parse_launch(options.launch)
    documents = list(_documents(options))
    facts = _facts(options)
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


def _facts(options: argparse.Namespace) -> Facts:
    if options.facts is not None:
        if options.python is not None or options.no_environment:
            raise UsageError("--facts says what the machine is: --python and --no-environment do not go with it")
        facts = machine.load(options.facts)
    elif options.no_environment or options.hook:
        facts = machine.Facts()
    else:
        facts = machine.collect(options.python)
    for pair in options.set_variable:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--set-variable takes NAME=VALUE, not {pair!r}")
        facts.variables = {**(facts.variables or {}), name: value}
    return facts


def _write(name: str, target: str | None, reports: list[Report], options: argparse.Namespace) -> None:
    text = _rendered(name, reports, options, to_file=target is not None)
    if target is None:
        sys.stdout.write(text)
        return
    with open(target, "w", encoding="utf-8") as stream:
        stream.write(text)


def _rendered(name: str, reports: list[Report], options: argparse.Namespace, *, to_file: bool) -> str:
    if name == "json":
        import json

        from fp8check.rules.report.json_ import as_data

        data = [as_data(report) for report in reports]
        return json.dumps(data[0] if len(data) == 1 else data, indent=2, ensure_ascii=False) + "\n"
    from fp8check.rules.report import text

    choice = "never" if to_file and options.color == "auto" else options.color
    style = Style(wants_colour(sys.stdout, choice))
    quiet = options.quiet or options.hook
    return "\n".join(text.render(report, style, quiet=quiet) for report in reports)


def _exit_code(reports: list[Report], options: argparse.Namespace) -> int:
    if any(report.crashes for report in reports):
        return ExitCode.INTERNAL_ERROR
    for report in reports:
        numbers = counts(report)
        if options.fail_on != "never" and numbers["error"]:
            return ExitCode.FINDINGS
        if options.fail_on == "warning" and numbers["warning"]:
            return ExitCode.FINDINGS
    if options.require_evidence and any(report.undecided or report.outcome.undecided for report in reports):
        return ExitCode.UNDECIDED
    return ExitCode.OK
