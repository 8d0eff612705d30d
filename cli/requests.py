"""From the options of a command and the configuration to the request that is checked."""

from __future__ import annotations

import os

from fp8check.cli.config import Config
from fp8check.cli.options import UsageError, names
from fp8check.cli.streams import complain, take
from fp8check.rules import facts as facts_
from fp8check.rules.catalog import RULES
from fp8check.rules.checking.request import Request, RunRequest
from fp8check.rules.input_error import InputError
from fp8check.rules.plain_text import shown
from fp8check.rules.reading import Unreadable, files
from fp8check.rules.reading.limits import MAX_BYTES
from fp8check.rules.record import Record
from fp8check.rules.trainers.detect import may_be_ours, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from fp8check.cli.options import Options
    from fp8check.cli.progress import Progress
    from fp8check.rules.checking.request import Probe
    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.engine.gate import Requirement
    from fp8check.rules.engine.running import Crash
    from fp8check.rules.facts import Facts
    from fp8check.rules.reading import Document


FEW = 50  # files that are kept in memory together
KEPT = 1 << 18  # characters of more files than those that are kept as they were read
_LOOKED_THROUGH = 16 << 20  # bytes of a file that is too large to be read


class RunOptions(Record):
    """The options that describe runs: of the command line, or of one [[run]] of the configuration.

    Attributes:
        python: the interpreter that trains, which may be started.
        not_trusted: the one that only a configuration names, and that is not started.
        elsewhere: whether another machine trains: of this one nothing counts but an interpreter that is named.
    """

    files: Sequence[str]
    launch: str | None = None
    trainer: str | None = None
    facts: str | None = None
    python: str | None = None
    not_trusted: str | None = None
    no_environment: bool = False
    set_variable: Sequence[str] = ()
    hook: bool = False
    elsewhere: bool = False


def request_of(
    options: Options, config: Config, *, probe: Probe | None = None, only: str = "", keep: bool = True
) -> Request:
    """What is to be checked: the runs of the command line, or those of the configuration where it names no file.

    Args:
        keep: whether files are kept in memory, however many they are.
        only: a beginning of rule ids outside of which no rule is looked at.

    Raises:
        InputError: it cannot be understood.
    """
    described = run_options(options, config)
    if keep or sum(len(one.files) for one in described) <= FEW:
        parts = tuple(run_request(one) for one in described)
    else:
        from fp8check.cli.progress import Progress

        parts = _run_requests(described, Progress(options))
    return request_for(parts, options, config, probe=probe, only=only)


def request_for(
    parts: tuple[RunRequest, ...], options: Options, config: Config, *, probe: Probe | None = None, only: str = ""
) -> Request:
    """What is to be checked of these runs: the rules, and what is known, suppressed and required, here and there.

    Raises:
        InputError: it cannot be understood.
    """
    given = vars(options)
    wanted = names(given.get("select", ())) or names(config.select)
    unwanted = (*names(given.get("ignore", ())), *names(config.ignore))
    plugins = (*config.plugins, *given.get("plugin", ()))
    rules: Sequence[Rule] = RULES
    crashes: tuple[Crash, ...] = ()
    if wanted or unwanted or plugins or only:
        from fp8check.rules.checking.selection import select  # most checks take all rules

        selection = select(wanted, unwanted, plugins=plugins, only=only)
        rules, crashes = selection.rules, selection.crashes
    baseline = None if given.get("write_baseline") else given.get("baseline") or config.baseline
    known = _known(options, baseline)
    requirements = required(options, config)
    return Request(parts, rules, crashes, config.suppressions, known, probe, requirements)


def required(options: Options, config: Config) -> tuple[Requirement, ...]:
    """What is required of the outcome, here and in the configuration; a baseline is written without.

    Raises:
        BadRequirement: one is not understood.
    """
    given = vars(options)
    texts = (*config.require, *given["require"]) if "require" in given and not given["write_baseline"] else ()
    if not texts:
        return ()
    from fp8check.rules.engine.gate import parsed

    return parsed(texts)


def _known(options: Options, path: str | None) -> Sequence[Mapping[str, str]] | None:
    if path is None or "baseline" not in vars(options):  # the command compares nothing
        return None
    from fp8check.rules.suppression.baseline import load_baseline

    return load_baseline(path)


def run_options(options: Options, config: Config | None = None) -> list[RunOptions]:
    """The options of each group of files: what the command line says goes before what the configuration says.

    Raises:
        UsageError: no file is named anywhere.
    """
    given = {name: value for name, value in vars(options).items() if name in RunOptions.fields}
    if options.files or given.get("launch"):  # a command names its own files
        return [RunOptions(**given)]
    if config is None or not config.runs:
        raise UsageError(
            "name a training file, an Accelerate file or both, or --launch with the whole command; "
            "fp8check init makes the first files, and fp8check --help says more"
        )
    return [_of_configuration(options, config, given, run) for run in config.runs]


def beside(options: Options, config: Config, request: Request) -> list[RunRequest]:
    """The runs of the configuration that have a file in common with those of the command line, and are not the same."""
    words = (options.launch or "").split() if options.files or options.launch else []
    paths = [document.path for part in request.runs for document in part.documents]
    given = {os.path.normpath(one) for one in (*paths, *words)}
    machine = {name: value for name, value in vars(options).items() if name in RunOptions.fields}
    machine.update(files=[], launch=None, trainer=None)
    found = []
    for run in config.runs if options.files or options.launch else ():
        one = _of_configuration(options, config, machine, run)
        names = {os.path.normpath(name) for name in one.files}
        if names & given and not names <= given:
            try:
                found.append(run_request(one))
            except InputError:
                continue  # who checks it is told
    return found


def _of_configuration(
    options: Options, config: Config, given: Mapping[str, Any], run: Mapping[str, object]
) -> RunOptions:
    """One [[run]]; the interpreter that it names counts only where it is trusted."""
    merged = RunOptions(**{**given, **{key: given.get(key) or value for key, value in run.items()}})
    if given.get("python") or not isinstance(run["python"], str):
        return merged
    from fp8check.cli.trust import trusts

    if trusts(options, config.path):
        return merged
    return merged._replace(python=None, not_trusted=run["python"])


def run_request(options: RunOptions) -> RunRequest:
    """The files, read, and the machine, looked at: once is enough.

    Raises:
        UsageError, Unreadable, BadFacts: they cannot be had.
    """
    passed_over: list[Unreadable] = []
    documents = tuple(documents_of(options, passed_over))
    return request_of_documents(options, documents, passed_over, facts_of(options))


def _run_requests(described: Sequence[RunOptions], progress: Progress) -> tuple[RunRequest, ...]:
    """As `run_request`, for many files: each is read, to know what it is, and most are read again when their run comes.

    The first of them are kept: a file's text becomes some 60 times as large when it is read.
    """
    from fp8check.rules.checking.later import Later

    machines: dict[object, Facts] = {}
    parts, kept = [], 0
    for options in described:
        passed_over: list[Unreadable] = []
        every = documents_of(options, passed_over)
        documents: list[Document] = []
        for each in every:
            kept += len(each.text)
            is_kept = each.path == "-" or kept <= KEPT
            documents.append(each if is_kept else Later(each, options.trainer))
            progress.tell(f"read {len(documents):,} of {len(options.files):,} files")
        machine = (options.facts, options.python, options.no_environment, options.hook, *options.set_variable)
        if machine not in machines:  # several runs may have it
            machines[machine] = facts_of(options)
        parts.append(request_of_documents(options, tuple(documents), passed_over, machines[machine]))
    progress.end()
    return tuple(parts)


def request_of_documents(
    options: RunOptions, documents: tuple[Document, ...], passed_over: Sequence[Unreadable], facts: Facts
) -> RunRequest:
    """What is to be checked of files that were read before."""
    return RunRequest(
        documents,
        facts,
        options.launch,
        options.trainer,
        apart=options.hook,
        passed_over=tuple(passed_over),
    )


def documents_of(options: RunOptions, passed_over: list[Unreadable]) -> Iterator[Document]:
    """The files, each once; those that a commit changed and that are none of ours are passed over.

    Args:
        passed_over: gets the changed files that nobody can parse, and that may be ours.
    """
    for path in dict.fromkeys(options.files):
        data = take(MAX_BYTES + 1) if path == "-" else None
        try:
            yield read(path, data, trainer=options.trainer)
        except Unreadable as problem:
            if not options.hook:
                raise
            if _is_filled_in(problem):
                passed_over.append(problem)
                continue
            if problem.kind not in (None, "other"):
                raise
            if problem.kind is not None or _is_data(problem):
                continue
            if problem.reason != "content":
                problem.hint = "leave it out of the hook (exclude:) if it is no training configuration"
                raise
            passed_over.append(problem)


def _is_filled_in(problem: Unreadable) -> bool:
    """Whether what nobody can parse is a place that something fills in before: `"stage": ${stage}` in JSON."""
    if problem.reason != "content" or problem.line is None:
        return False
    try:
        text = files.start(problem.file, MAX_BYTES).decode("utf-8", "replace")
    except Unreadable:
        return False
    return text[problem.offset :].startswith(("${", "{{", "{%", "<%"))


def _is_data(problem: Unreadable) -> bool:
    """Whether a file that is too large, or that nobody can parse, is none of ours: no key of ours stands in it."""
    if problem.reason not in ("large", "content"):
        return False
    try:
        data = files.start(problem.file, _LOOKED_THROUGH)
    except Unreadable:
        return False
    if problem.reason == "large" and data.lstrip()[:1] == b"[":  # a list in JSON
        return True
    return len(data) < _LOOKED_THROUGH and not may_be_ours(data)


def facts_of(options: RunOptions) -> Facts:
    """What is known of the machine that the options name: this one, another interpreter of it, or a saved one.

    Raises:
        UsageError, BadFacts: they name none.
    """
    variables = dict(_variable(pair) for pair in options.set_variable)
    if options.facts is not None:
        if options.python is not None or options.no_environment:
            raise UsageError("--facts says what the machine is: --python and --no-environment do not go with it")
        facts = facts_.load(options.facts)
    elif options.no_environment or options.hook or (options.elsewhere and options.python is None):
        facts = facts_.Facts()
    else:
        facts = facts_.collect_for_run(options.python)
        if options.not_trusted is not None:
            facts = _not_asked(facts, options.not_trusted)
    return facts.with_variables(variables) if variables else facts


def for_each_kind(request: Request, options: Options, paths: Sequence[str]) -> Request:
    """The same runs on each kind of machine that these facts are of.

    Raises:
        BadFacts: they are none.
    """
    from fp8check.rules.facts.kinds import kinds

    variables = dict(map(_variable, options.set_variable))
    every = [one.with_variables(variables) if variables else one for one in kinds(map(facts_.load, paths))]
    return request._replace(runs=tuple(part._replace(facts=facts) for part in request.runs for facts in every))


def _not_asked(facts: Facts, python: str) -> Facts:
    """This machine, of whose packages nothing is known: the interpreter that trains is not started."""
    what = f"the configuration names the interpreter that trains ({shown(python)}), and it was not started"
    note = f"{what}: its packages are unknown"
    complain(f"fp8check: {note}. To start it: --python, --trust-config, or `trusted` in {shown(_own_file())}\n")
    return facts.without_environment(note)._replace(python=None)


def _own_file() -> str:
    from fp8check.cli.trust import own_file

    return own_file()


def _variable(pair: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not equals or not name:
        raise UsageError(f"--set-variable takes NAME=VALUE, not {pair!r}")
    return name, value
