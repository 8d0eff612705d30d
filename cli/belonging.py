"""The runs that changed files belong to: those that somebody wrote down, and what nearest files make up.

A run is checked whole wherever one of its files changed, whichever: what it reads when it is put together tells. So a
changed model, DeepSpeed file, module or facts.json counts as its training file does, and so does one that is gone.

1. [[run]] of each fp8check.toml or pyproject.toml of the repository, seen from the folder of that file, as `fp8check`
   sees it there.
2. Lines of shell scripts that start a training.
3. What is left of the changed files, with what stands nearest (cli/nearest.py).
"""

from __future__ import annotations

import os

from fp8check.cli.commit import identities
from fp8check.cli.mentions import CONFIGURATION, Texts
from fp8check.cli.nearest import Nearest
from fp8check.cli.requests import run_options, run_request
from fp8check.cli.units import TAKEN_AWAY, Names, Part, Unit, as_declared, as_given, each_of, put_together
from fp8check.rules.checking.request import assembled
from fp8check.rules.input_error import InputError
from fp8check.rules.reading import Unreadable, files
from fp8check.rules.reading.kind import CONFIGURATION as KINDS
from fp8check.rules.reading.read import SUFFIXES as SHELL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.cli.options import Options
    from fp8check.cli.projects import Project
    from fp8check.rules.checking.request import RunRequest
    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.facts import Facts


class Known:
    """What is known of the runs that were found so far.

    Attributes:
        covered: the absolute names of the files of runs that have a changed one: nothing else is said of these.
    """

    def __init__(self) -> None:
        self.covered: set[str] = set()
        self._declared: list[tuple[frozenset[str], Facts]] = []

    def cover(self, unit: Unit) -> None:
        """Note the files of runs that have a changed one."""
        for part in unit.parts:
            if part.wanted:
                names = (*part.names.every, *(document.path for run in part.runs for document in run.documents))
                self.covered.update(identity for name in names for identity in identities(name))

    def declare(self, part: Part) -> None:
        """Note the runs of a configuration, whether they have a changed file or not."""
        self._declared += [(_configurations_of(run), part.request.facts) for run in part.runs]

    def machine_of(self, run: Assembled) -> Facts | None:
        """The machine of the declared run that has all files of this one; None where no configuration has it."""
        own = _configurations_of(run)
        return next((facts for names, facts in self._declared if own <= names), None) if own else None


def _configurations_of(run: Assembled) -> frozenset[str]:
    return frozenset(os.path.realpath(document.path) for document in run.documents if document.kind in KINDS)


def declared(project: Project, options: Options, known: Known) -> Unit | None:
    """The runs that a configuration names; None where no changed file is one of theirs.

    Where one has a changed file the others are among them, and not wanted: a suppression may be theirs.
    """
    config, change = project.config, project.change
    path = config.path or ""
    anew = bool(change.touches([path], every=True))
    parts: list[Part] = []
    problems: list[InputError] = []
    missing: list[str] = []
    for number, described in enumerate(run_options(options.replaced(files=[]), config), 1):
        one = put_together(as_declared(described))
        if anew or change.touches(one.names.every, every=True):
            where = f"{path}, [[run]] {number}"
            gone = [f"{where} names {name}" for name in change.missing(one.names.relied_on)]
            if one.problem is None:
                missing += gone
            elif gone:
                problems += [InputError(f"{what}, {TAKEN_AWAY}") for what in gone]
            else:
                problem = InputError(f"{where}: {one.problem}")
                problem.hint = one.problem.hint
                problems.append(problem)
            parts.append(Part(one.request, one.runs, one.names, wanted=True))
        else:
            parts.append(Part(one.request, one.runs, one.names, wanted=False))
        known.declare(parts[-1])
    if not any(part.wanted for part in parts):
        return None
    unit = Unit(project, tuple(parts), tuple(problems), tuple(missing), declared=True)
    known.cover(unit)
    return unit


def guessed(project: Project, options: Options, known: Known) -> Iterator[Unit]:
    """The runs that shell scripts start, and those that nearest files make up, as far as no configuration has them."""
    change = project.change
    if not change.names:
        return
    texts = Texts(change.tracked)
    mentioned = [*texts.naming(change.names)]
    for name in dict.fromkeys([*filter(_is_script, change.given), *(one for one in mentioned if one.endswith(SHELL))]):
        unit = _of_script(name, project, options, known)
        if unit is not None:
            known.cover(unit)
            yield unit
    # A training or Accelerate file names no other such file: what has a changed one says so itself.
    left = [name for name in mentioned if name.endswith(CONFIGURATION) and name in texts.direct]
    yield from Nearest(project, options, texts, known.covered).units(left)


def _is_script(name: str) -> bool:
    """Whether a file is a shell script by its name, or may be one by its first characters."""
    if name.endswith(SHELL):
        return True
    try:
        return "." not in os.path.basename(name) and files.start(name, 2) == b"#!"
    except Unreadable:
        return False


def _of_script(script: str, project: Project, options: Options, known: Known) -> Unit | None:
    """The lines of a shell script that have a changed file; None where no line has one."""
    change = project.change
    is_changed = bool(change.touches([script]))
    try:
        request = run_request(as_given(options, [script]))
        lines = [*each_of(request)]
        # Any line may call what a script reads as a part of itself, and what a program imports.
        read = change.touches(name for _, names in lines for name in names.every)
        every = is_changed or any(not name.endswith(CONFIGURATION) for name in read)
        chosen = [
            number
            for number, (run, names) in enumerate(lines)
            if every or change.touches([*names.every, *(document.path for document in run.documents)])
        ]
        parts = tuple(_parts(request, lines, chosen, known, is_changed=is_changed))
    except InputError as problem:
        return Unit(project, problems=(problem,)) if is_changed else None
    missing = [
        f"{_where(run)} names {name}"
        for run, names in (lines[number] for number in chosen)
        for name in change.missing(names.relied_on)
    ]
    passed_over = request.passed_over if is_changed else ()
    if not parts and not missing and not passed_over:
        return None
    return Unit(project, parts, missing=tuple(missing), passed_over=passed_over)


def _parts(
    request: RunRequest,
    lines: Sequence[tuple[Assembled, Names]],
    chosen: Sequence[int],
    known: Known,
    *,
    is_changed: bool,
) -> Iterator[Part]:
    """The chosen lines, those of one machine together.

    A line with the files of a declared run is that run, on the machine that its facts are of. It is looked at where the
    script itself changed, and else the declared run says all.
    """
    machines: dict[int, tuple[Facts, list[int]]] = {}
    for number in chosen:
        facts = known.machine_of(lines[number][0])
        if facts is None or is_changed:
            facts = request.facts if facts is None else facts
            machines.setdefault(id(facts), (facts, []))[1].append(number)
    for facts, numbers in machines.values():
        there = request._replace(facts=facts, apart=False)
        runs = [run for run, _ in lines] if facts is request.facts else [*assembled(there)]
        if len(runs) == len(lines):
            runs = [runs[number] for number in numbers]
        # Else a variable of that machine makes the script another one, and all its lines are looked at.
        names = [lines[number][1] for number in numbers]
        every = Names(*(tuple(name for one in names for name in getattr(one, kind)) for kind in Names.fields))
        yield Part(there, tuple(runs), every, wanted=True)


def _where(run: Assembled) -> str:
    """The line of a script that starts a run."""
    line = run.run.launch.line
    return "the script" if line is None else f"{line.span.file}:{line.span.line}"
