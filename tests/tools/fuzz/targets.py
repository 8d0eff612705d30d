"""The targets: what is done with a case, and what must be true of it. A target returns what it reached, to be counted."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, NamedTuple

import yaml

from fp8check.cli import main as command_line
from fp8check.cli.config import load as load_config
from fp8check.cli.options import Options
from fp8check.rules import facts as machine
from fp8check.rules import repair, writing
from fp8check.rules.checking.nodes import parse_report
from fp8check.rules.checking.planning import plan_request
from fp8check.rules.checking.request import Checked, Request, RunRequest, check_request
from fp8check.rules.checking.selection import select
from fp8check.rules.credentials import masked, masked_shapes, of_the_same_width
from fp8check.rules.edits.action import GONE
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.engine.gate import NAMES as NAMES_REQUIRED
from fp8check.rules.engine.gate import parsed
from fp8check.rules.input_error import InputError
from fp8check.rules.moves.sources import PythonSource
from fp8check.rules.nodes.document import BadNode
from fp8check.rules.nodes.fleet import fleet
from fp8check.rules.nodes.hosts import is_host
from fp8check.rules.nodes.merged import Merged
from fp8check.rules.plain_text import plain, shown
from fp8check.rules.reading import Unreadable, read_script
from fp8check.rules.reading.shell import Command, Enter, Leave, ShellScript
from fp8check.rules.reading.source import Source, decode
from fp8check.rules.report import build, html, nodes, nodes_for_ci, plan
from fp8check.rules.report import seen as seen_page
from fp8check.rules.report.formats import FORMATS, Look, find
from fp8check.rules.report.laying import laid_out
from fp8check.rules.report.plan import as_text
from fp8check.rules.report.stored import BadReport, all_from_data
from fp8check.rules.report.terminal import Style
from fp8check.rules.seen import from_data as seen_from_data
from fp8check.rules.suppression.baseline import load_baseline
from fp8check.rules.trainers.detect import read
from tests.support import nodes as simulated
from tests.support.loaded import attempt, merges_differently, same
from tests.support.paths import TESTS
from tests.support.widths import WIDTHS
from tests.tools.fuzz import cases, vocabulary
from tests.tools.fuzz.cases import FILES, Case, encoded
from tests.tools.fuzz.invariants import (
    Broken,
    clean,
    crashes,
    exit_code,
    folded,
    no_command,
    no_secret,
    page,
    place_in,
    report,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from fp8check.rules.facts import Facts
    from fp8check.rules.moves.site import Goal
    from fp8check.rules.reading import Document
    from fp8check.rules.report.schema import Edit, Report
    from fp8check.rules.seen import Seen
    from fp8check.rules.settings.shell_lines import Line
    from fp8check.rules.suppression.examined import Examined

NAMES = tuple(one.name for one in FORMATS)
FORMAT_PAIRS = tuple(f"{one} {other}" for one in NAMES for other in NAMES)
FEW_STATES = 40  # that are judged: an execution is to take a moment
ORACLE = 4_000  # characters: PyYAML is slow


class Target(NamedTuple):
    """One target.

    Attributes:
        name: as --target takes it.
        parts: the texts of a case that are changed, each with its kind (mutation.KINDS) or the words to choose from.
        run: does it; the folder is its own, and it may write there.
        seeds: the first cases.
        share: of the time, in relation to others.
        writes: whether writing is what it is about: then nobody looks at where it writes.
        here: whether it may write names without a folder, which stand in its own then.
    """

    name: str
    parts: Mapping[str, str | Sequence[str]]
    run: Callable[[Case, Path], Iterable[str]]
    seeds: Callable[[], Iterable[Case]] = cases.runs
    share: float = 1.0
    writes: bool = False
    here: bool = False


def said(problem: Exception, where: str) -> str:
    """A refusal: it says something, and nothing that a terminal obeys."""
    text = str(problem)
    if not text.strip():
        raise Broken(f"a refusal without a word in {where}")
    return "refused"


# Reading


def _one(part: str, names: Sequence[str]) -> Callable[[], Iterable[Case]]:
    def seeds() -> Iterable[Case]:
        texts = {case[name]: None for case in cases.runs() for name in names if name in case}
        return [{part: text} for text in texts]

    return seeds


def reading(case: Case, _folder: Path) -> Iterable[str]:
    """YAML is read as PyYAML reads it, or refused; each place of a document stands in its text."""
    text = case.get("yaml", "")
    data = encoded(text)
    loader = case.get("loader") or None
    try:
        document = read("f.yaml", data, loader=loader)
    except Unreadable as problem:
        refused = text.startswith("\ufeff\ufeff")  # PyYAML takes the second for a character of what follows
        if loader == "pyyaml" and "&" not in text and not refused and len(text) < ORACLE and _loads(text)[0]:
            raise Broken("YAML refused that PyYAML reads", f"{problem} {text}") from None
        return (said(problem, "yaml"),)
    _spans(document)
    if loader == "pyyaml" and len(text) < ORACLE and not merges_differently(text):
        loads, expected = _loads(text)
        if not loads and not any(one.fatal for one in document.problems):
            raise Broken("YAML read that PyYAML refuses", text)
        if loads and not same(document.root.data() if document.root else None, expected):
            raise Broken("YAML read otherwise than PyYAML reads it", text)
    return ("read", f"kind:{document.kind}")


def _loads(text: str) -> tuple[bool, object]:
    data = encoded(text)
    try:
        decode("f", data)
    except Unreadable:
        return False, None
    if len(data) >= 2 and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return False, None
    return attempt(lambda: yaml.safe_load(data.decode("utf-8")))


def _spans(document: Document) -> None:
    length = len(document.text)
    for node in document.root.walk() if document.root is not None else ():
        if not 0 <= node.span.start <= node.span.end <= length:
            raise Broken("a value outside of its file", f"{node.span} {document.text[:200]}")
    for problem in document.problems:
        if not 0 <= problem.span.start <= problem.span.end <= length:
            raise Broken("a problem outside of its file", f"{problem} {document.text[:200]}")


def reading_json(case: Case, _folder: Path) -> Iterable[str]:
    """JSON is read as json.loads reads it, or refused."""
    text = case.get("json", "")
    try:
        document = read("f.json", encoded(text))
    except Unreadable as problem:
        return (said(problem, "json"),)
    _spans(document)
    try:
        expected = json.loads(encoded(text))
    except (ValueError, RecursionError):
        if not any(one.fatal for one in document.problems):
            raise Broken("JSON read that json.loads refuses", text) from None
    else:
        if not same(document.root.data() if document.root else None, expected):
            raise Broken("JSON read otherwise than json.loads reads it", text)
    return ("read", f"kind:{document.kind}")


# Checking


def facts_of(case: Case) -> Facts:
    """The machine of a case; BadFacts where it is none."""
    known = machine.loads(case["facts"]) if "facts" in case else machine.Facts()
    pairs = (line.partition("=") for line in case.get("variables", "").splitlines() if "=" in line)
    variables = {name: value for name, _, value in pairs if name}
    return known.with_variables(variables) if variables else known


def request_of(case: Case) -> Request:
    """The check that a case asks for; nothing on the disk belongs to it."""
    documents = tuple(
        read(name, encoded(case[part])) for part, name in FILES.items() if part != "script" and case.get(part)
    )
    script = (FILES["script"], encoded(case["script"])) if "script" in case else None
    run = RunRequest(
        documents,
        facts_of(case),
        case.get("launch") or None,
        case.get("trainer") or None,
        follow=case.get("follow") == "yes",
        script=script,
    )
    chosen = select(tuple(case["select"].split(",")) if case.get("select") else ())
    return Request((run,), chosen.rules, chosen.crashes, requirements=parsed(case.get("require", "").split()))


def sources_of(examined: Sequence[Examined]) -> dict[str, str]:
    """The text of each file by its path."""
    return {document.path: document.text for one in examined for document in one.documents}


def render(reports: Sequence[Report], sources: Mapping[str, str], formats: Iterable[str], look: Look) -> list[str]:
    """Reports in some formats, each looked at; the labels to count."""
    labels = []
    for name in formats:
        found = find(name)
        assert found is not None
        text = found.render(reports, sources, look)
        report(name, text, painted=look.color or look.links)
        if name == "text" and look.width is not None:
            folded(text, look.width)
        labels.append(f"format:{name}")
    return labels


def _formats(case: Case) -> list[str]:
    """Two formats; which, where the case does not say it, depends on its length."""
    return (case.get("formats") or FORMAT_PAIRS[sum(map(len, case.values())) % len(FORMAT_PAIRS)]).split()


def _look(case: Case) -> Look:
    words = case.get("look", "")
    width = next((one for one in WIDTHS if str(one) in words), None)
    return Look("color" in words, "quiet" in words, "verbose" in words, width, "links" in words)


def checking(case: Case, _folder: Path) -> Iterable[str]:
    """Settings, outcome, rules, and reporters: a report in two formats, or a refusal."""
    try:
        request = request_of(case)
        seen = _seen(case)
        checked = check_request(request if seen is None else request._replace(probe=lambda _run: seen))
    except InputError as problem:
        return (said(problem, "check"),)
    except (ValueError, RecursionError) as problem:
        if "seen" not in case:
            raise
        return (said(problem, "seen"),)
    return [*_judged(checked), *_reported(checked, case)]


def _seen(case: Case) -> Seen | None:
    """What a probe saw; ValueError where it is no such data."""
    if not case.get("seen"):
        return None
    data = json.loads(case["seen"])
    if not isinstance(data, dict):  # whoever reads it has looked (report/stored.py, probe/run.py)
        return None
    return seen_from_data(data)


def _judged(checked: Checked) -> Iterable[str]:
    crashes(one for examined in checked.reports for one in examined.crashes)
    for examined in checked.reports:
        said_of = sum(one.rule in ("FP995", "FP996") for one in examined.findings)
        if said_of != sum(one.met is not True for one in examined.required):
            raise Broken("a requirement that is not known to be met, and no finding says so", str(examined.required))
    for fail_on in ("error", "warning", "never"):
        for require in (False, True):
            exit_code(checked.exit_code(fail_on, require_evidence=require), (0, 1, 3))
    return [f"verdict:{one.verdict}" for one in checked.reports]


def _reported(checked: Checked, case: Case) -> list[str]:
    formats = _formats(case)
    chosen = [one for name in formats if (one := find(name)) is not None]
    make = build.brief if all(one.brief for one in chosen) else build.full_report
    reports = [make(one) for one in checked.reports]
    return render(reports, sources_of(checked.reports), formats, _look(case))


def scripts(case: Case, _folder: Path) -> Iterable[str]:
    """A Python script: parsed and judged; one that no Python parses is never a pass."""
    text = case.get("script", "")
    base = {"accelerate": "mixed_precision: fp8\nfp8_config:\n  backend: TE\n", "launch": "accelerate launch train.py"}
    try:
        checked = check_request(request_of({**base, **case, "follow": ""}))
    except InputError as problem:
        return (said(problem, "script"),)
    started = "train.py" in case.get("launch", base["launch"])
    if started and not _parses(text) and any(one.verdict == "pass" for one in checked.reports):
        raise Broken("a script that cannot be parsed passes", text)
    return [*_judged(checked), *_reported(checked, case)]


def _parses(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(encoded(text).decode("utf-8-sig"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def shell_scripts(case: Case, _folder: Path) -> Iterable[str]:
    """A shell script: each run has its line in it, each word its place; one that starts nothing is refused."""
    try:
        document = read("run.sh", encoded(case.get("shell", "")))
    except Unreadable as problem:
        return (said(problem, "shell"),)
    if not isinstance(document, ShellScript):  # its first line names another interpreter
        return ("other",)
    _commands(document)
    others = [read("accel.yaml", b"mixed_precision: fp8\nfp8_config:\n  backend: TE\n")]
    script = ("train.py", encoded(case.get("script", "from accelerate import Accelerator\nAccelerator()\n")))
    run = RunRequest(
        (document, *others), facts_of(case), follow=False, scripts=(script,), apart=case.get("hook") == "yes"
    )
    try:
        checked = check_request(Request((run,)))
    except InputError as problem:
        return (said(problem, "shell"),)
    for one in checked.reports:
        line = one.inputs.run.launch.line
        if line is None and not run.apart:
            raise Broken("a run of a shell script without its line")
        if line is not None:
            _lines_of(line, document)
            if one.verdict == "pass" and one.inputs.run.launch.unknown:
                raise Broken("a line that is not understood passes", document.text)
    return [*_judged(checked), *_reported(checked, case)]


def _commands(document: ShellScript) -> None:
    length, ended = len(document.text), 0
    for item in document.items:
        if isinstance(item, Command):
            if not ended <= item.start <= item.end <= length:
                raise Broken("a command outside of its file, or before the last", document.text)
            ended = item.start
            words = [*item.assignments, *item.words]
            if any(not item.start <= one.start <= one.end <= item.end for one in words):
                raise Broken("a word outside of its command", document.text)
        elif isinstance(item, Enter) and not isinstance(document.items[item.leave], Leave):
            raise Broken("a block without an end", document.text)


def _lines_of(line: Line, document: ShellScript) -> None:
    spans = [line.span, *(word.span for word in line.words), *(place.span for place in line.variables.values())]
    if any(not 0 <= one.start <= one.end <= len(document.text) for one in spans):
        raise Broken("a word outside of its script", document.text)


def started() -> Iterable[Case]:
    """Shell scripts: the launch commands of the cases, and lines of the vocabulary."""
    commands_ = {case["launch"]: None for case in cases.runs() if "launch" in case}
    whole = "\n".join(line for line in vocabulary.SHELL if len(line) > 4 and "<<" not in line)
    texts_ = [whole, *(f"#!/bin/bash\nA=1\n{command} $A\n" for command in commands_)]
    texts_ += [f"accelerate launch train.py\n{line}\naccelerate launch train.py $A\n" for line in vocabulary.SHELL]
    return [{"shell": text} for text in texts_]


def changing(case: Case, _folder: Path) -> Iterable[str]:
    """Plans for scripts and launch lines, and each entry of a script changed by itself: all else stays, or it says why."""
    labels = [*_entries(case.get("script", ""))]
    documents = [read("accel.yaml", b"mixed_precision: fp8\nfp8_config:\n  backend: TE\n")]
    try:
        documents += [read(name, encoded(case[part])) for part, name in CHANGED.items() if case.get(part)]
        launch = (
            None if case.get("shell") else case.get("launch") or "accelerate launch --config_file accel.yaml train.py"
        )
        run = RunRequest(tuple(documents), facts_of(case), launch, follow=False)
        goal: Goal = "bf16" if case.get("goal") == "bf16" else "fp8"
        planned = plan_request(Request((run,)), goal, states=8, plans=1)
    except InputError as problem:
        return (*labels, said(problem, "changed"))
    texts = {one.path: one.text for one in documents}
    for found in planned.plans:
        for one in found.documents:
            if one.kind == "script" and _parses(texts[one.path]) and not _parses(one.text):
                raise Broken("a plan after which a script cannot be parsed", one.text)
        if any(one.kind == "edit" and one.before == one.after for one in found.steps):
            raise Broken("a step that changes nothing")
    clean(as_text(planned, Style(on=False)), "text")
    return (
        *labels,
        f"reached:{planned.reached}",
        *(f"step:{one.kind}" for found in planned.plans for one in found.steps),
    )


CHANGED = {"script": "train.py", "shell": "run.sh"}


def _entries(text: str) -> Iterable[str]:
    """Each of the first entries of a script gone, and with another value."""
    try:
        source = PythonSource(read_script("train.py", encoded(text)))
    except (Unreadable, Unfixable) as problem:
        yield said(problem, "script")
        return
    for name in source.file.names[:8]:
        for value in (GONE, False, "fp8", 1.5):
            try:
                made = source.written({name: value}, by_hand=True)
            except Unfixable as problem:
                yield said(problem, "script")
                continue
            (edit,) = source.file.text_edits({name: value})
            if made.text != f"{text_of(source)[: edit.start]}{edit.text}{text_of(source)[edit.end :]}":
                raise Broken("an edit that changes more than its entry", text)
            yield "edited"


def text_of(source: PythonSource) -> str:
    """The text of a script as it was read."""
    return source.document.text


def changed_ones() -> Iterable[Case]:
    """The scripts of the cases and of the vocabulary, and shell scripts."""
    yield from ({"script": case["script"]} for case in cases.runs() if "script" in case)
    yield from ({**one, "script": "TrainingArguments('o', bf16=True)\n"} for one in started())
    for arguments in (
        "",
        "'o', bf16=True",
        "\n    'o',\n    bf16=BF16,  # fast\n",
        "**a, bf16=f()",
        "bf16=(True),fp16=1",
    ):
        for made in (
            f"TrainingArguments({arguments})",
            f"Accelerator({arguments.replace('bf16=', 'mixed_precision=')})",
        ):
            yield {
                "script": f"BF16 = True\nos.environ['ACCELERATE_MIXED_PRECISION'] = 'no'\nx = {made}\nTrainer(args=x)\n"
            }


def launching(case: Case, _folder: Path) -> Iterable[str]:
    """A launch line: understood, or refused."""
    try:
        checked = check_request(request_of(case))
    except InputError as problem:
        return (said(problem, "launch"),)
    return [*_judged(checked), *_reported(checked, case)]


def fixing(case: Case, _folder: Path) -> Iterable[str]:
    """Fixes: the files can still be read, what was fixed stays fixed, and fixing again finds nothing to do."""
    unsafe = case.get("unsafe") == "yes"
    try:
        request = request_of(case)
        (part,) = request.runs

        def examine(current: Sequence[Document]) -> Sequence[Examined]:
            return check_request(request._replace(runs=(part._replace(documents=tuple(current)),))).reports

        fixed = repair.fix_all(part.documents, examine, unsafe=unsafe)
    except InputError as problem:
        return (said(problem, "fix"),)
    labels = ["fixed" if fixed.applied else "nothing to fix"]
    for old, new in zip(part.documents, fixed.documents, strict=True):
        again = read(new.path, ("\ufeff" * new.bom + new.text).encode(), loader=old.loader)
        if not same(again.root and again.root.data(), new.root and new.root.data()):
            raise Broken("a fixed file reads otherwise than it was checked", new.text)
        if not fixed.applied and old.text != new.text:
            raise Broken("a file is changed and nothing was fixed", new.text)
    if fixed.applied:
        if all(old.text == new.text for old, new in zip(part.documents, fixed.documents, strict=True)):
            raise Broken(f"said to be fixed, and nothing changed: {_rules(fixed.applied)}")
        twice = repair.fix_all(fixed.documents, examine, unsafe=unsafe)
        if twice.applied:
            raise Broken(f"no fixpoint: {_rules(fixed.applied)}; again {_rules(twice.applied)}")
    return [*labels, *_judged(Checked((), fixed.left))]


def planning(case: Case, _folder: Path) -> Iterable[str]:
    """Plans: safe to show in every format, and what they lead to is what was found when they were made."""
    try:
        request = request_of(case)
        checked = check_request(request)
    except InputError as problem:
        return (said(problem, "plan"),)
    goal: Goal | None = "bf16" if case.get("goal") == "bf16" else None
    planned = plan_request(request, goal, given=checked.reports, states=FEW_STATES, plans=2)
    narrow = plan.as_text(planned, Style(on=False, width=40))
    folded(narrow, 40)
    whole = plan.as_text(planned, Style(on=False))
    for name, text in (("json", plan.as_json(planned)), ("text", whole), ("narrow text", narrow)):
        clean(text, f"a plan as {name}")
        no_secret(text, f"a plan as {name}")
        no_command(text, f"a plan as {name}")
    plans = plan.plans_of(planned)
    for found in planned.plans:
        if any(one.severity == "error" for examined in found.reports for one in examined.findings):
            raise Broken("a plan that leaves an error", str(found.steps))
    for one, found in zip(plans.plans, planned.plans, strict=True):
        _edited(one.fix.edits if one.fix is not None else (), planned.before, found.documents)
    reports = [build.full_report(one) for one in checked.reports]
    reports[:1] = [one._replace(plan=plans) for one in reports[:1]]
    sources = {path: masked(text, of_the_same_width) for path, text in sources_of(checked.reports).items()}
    for part in (html.body(reports, sources, todo_first=True),):
        page(plain(masked_shapes(part), "markup"))
    labels = render(reports, sources, _formats(case), _look(case))
    return ["planned" if plans.reached else "no plan", *labels]


def _edited(edits: Sequence[Edit], before: Sequence[Document], after: Sequence[Document]) -> None:
    """The edits as text make what the plan has."""
    wanted = {one.path: one.text for one in after}
    for one in before:
        source, text = Source(one.path, one.text), one.text
        for edit in reversed([edit for edit in edits if edit.file == one.path]):
            start, end = (
                source.start_of(line) + column - 1
                for line, column in ((edit.line, edit.column), (edit.end_line, edit.end_column))
            )
            text = text[:start] + edit.text + text[end:]
        if edits and text != wanted.get(one.path, text):
            raise Broken("edits that do not make the file of the plan", text)


def _rules(findings: Iterable[object]) -> str:
    return " ".join(sorted({one.rule for one in findings}))  # type: ignore[attr-defined]


def suppressing(case: Case, folder: Path) -> Iterable[str]:
    """Suppressions and a baseline: every finding is left or suppressed, new or unchanged."""
    try:
        request = request_of(case)
        checked = check_request(request)
        if "baseline" in case:
            path = folder / "baseline.json"
            path.write_bytes(encoded(case["baseline"]))
            request = request._replace(baseline=load_baseline(str(path)))
            checked = check_request(request)
    except InputError as problem:
        return (said(problem, "suppressions"),)
    for one in checked.reports:
        compared = one.compared
        if compared is not None and len(compared.marks) != len(one.findings):
            raise Broken("findings without a mark")
        if compared is not None and set(compared.marks) != set(compared.new) | set(compared.unchanged):
            raise Broken("a finding that is neither new nor known")
        if any(not taken.suppression.reason for taken in one.suppressed):
            raise Broken("a suppression without a reason counts")
    return [*_judged(checked), *_reported(checked, case)]


def baselines() -> Iterable[Case]:
    """Runs with a baseline of what they have."""
    marks = {"schema": "fp8check/baseline/1", "findings": []}
    entry = {
        "fingerprint": "0123456789abcdef",
        "rule": "FP101",
        "file": "train.yaml",
        "message": "bf16: true cancels FP8",
    }
    texts = [json.dumps(marks), json.dumps({**marks, "findings": [entry]})]
    return [{**case, "baseline": texts[number % 2]} for number, case in enumerate(cases.runs())]


def knowing(case: Case, _folder: Path) -> Iterable[str]:
    """facts.json: refused, or understood, and what is written of it is read as the same."""
    try:
        known = machine.loads(case.get("facts", ""))
    except InputError as problem:
        return (said(problem, "facts"),)
    again = machine.loads(machine.dump(known))
    if again._replace(notes=()) != known._replace(notes=()):
        raise Broken("facts that are read otherwise than written", machine.dump(known))
    base = {**cases.runs()[0], **case}
    try:
        checked = check_request(request_of(base))
    except InputError as problem:
        return (said(problem, "facts"),)
    return [*_judged(checked), *_reported(checked, case)]


def nodes_telling(case: Case, _folder: Path) -> Iterable[str]:
    """HOST.json of three nodes, or merged ones: refused, or understood; merged again they are the same."""
    labels = []
    whole = Merged()
    for name in ("node", "other", "merged"):
        try:
            whole.merge(parse_report(encoded(case.get(name, ""))))
            labels.append(f"{name} read")
        except BadNode as problem:
            labels.append(said(problem, "node"))
            whole.add_unread(case.get("name", name), str(problem))
    whole.expect(len(case.get("name", "")) % 5, ())
    answer = fleet(whole)
    again = parse_report(plain(masked_shapes(nodes.as_json(answer, whole)), "json").encode())
    if nodes.as_data(fleet(again), again) != nodes.as_data(answer, whole):
        raise Broken("nodes that are merged otherwise than they were written")
    if whole.unread and answer.verdict in ("pass", "warn"):
        raise Broken("a pass though a report cannot be read")
    for listed in nodes.lists(answer).values():
        if not all(map(is_host, listed.splitlines())):
            raise Broken("a list of nodes with what is no name of one", listed)
    report("nodes, text", laid_out(nodes.as_text(answer, Style(on=False)), Style(on=False)))
    report("nodes, JSON", plain(masked_shapes(nodes.as_json(answer, whole)), "json"))
    report("sarif", plain(masked_shapes(nodes_for_ci.as_sarif(answer, "told")), "json"))
    report("junit", plain(masked_shapes(nodes_for_ci.as_junit(answer)), "markup"))
    return [*labels, f"verdict:{answer.verdict}"]


def told_nodes() -> list[Case]:
    """Nodes that are alike, and odd ones, and what was merged of them."""
    odd = [{}, {"driver": "570.1"}, {"variables": {"NVTE_DEBUG": "1"}}, {"gpus": None}]
    whole = Merged()
    texts = [json.dumps(simulated.node(f"n{place}", facts=one)) for place, one in enumerate(odd)]
    gpu = simulated.seen(0, **simulated.MORE)
    texts.append(json.dumps(simulated.node("n9", seen=[gpu, {**gpu, "gpu": "1"}])))
    for text in texts:
        whole.merge(parse_report(text.encode()))
    merged_ = nodes.as_json(fleet(whole), whole)
    return [{"node": text, "other": texts[0], "merged": merged_, "name": "n9.json"} for text in texts]


def as_json(reports: Sequence[Report]) -> str:
    """Reports as they are stored."""
    found = find("json")
    assert found is not None
    return found.render(reports, {})


def stored(case: Case, _folder: Path) -> Iterable[str]:
    """A report that was stored: refused, or shown in every format, and stored again as it was."""
    try:
        reports = all_from_data(json.loads(case.get("report", "")))
    except (BadReport, ValueError, RecursionError) as problem:
        return (said(problem, "stored"),)
    again = all_from_data(json.loads(as_json(reports)))  # halves of pairs are written out
    if as_json(again) != as_json(reports):
        raise Broken("a stored report that reads otherwise when it is stored again")
    labels = []
    look, sources = _look(case), {"train.yaml": "bf16: true\n\x1b[31m<b>\n", "accel.yaml": "mixed_precision: fp8\n"}
    for name in _formats(case):
        found = find(name)
        assert found is not None
        text = found.render(reports, sources, look)
        clean(text, f"format {name}", painted=look.color or look.links)
        labels.append(f"format:{name}")
    for one in reports:
        if one.probe is not None:
            text = seen_page.page(one.probe)
            clean(text, "the probe's page")
    return ["stored", *labels]


def stored_reports() -> Iterable[Case]:
    """Reports of runs, as JSON."""
    found = []
    for case in cases.runs()[::6]:
        try:
            request = request_of(case)
            seen = seen_from_data(json.loads(case["seen"])) if "seen" in case else None
            checked = check_request(request if seen is None else request._replace(probe=lambda _run, seen=seen: seen))
        except InputError:
            continue
        found.append({"report": as_json([build.full_report(one) for one in checked.reports])})
    return found


def configuring(case: Case, folder: Path) -> Iterable[str]:
    """fp8check.toml or pyproject.toml: refused, or understood; its suppressions count in a check."""
    path = folder / ("pyproject.toml" if case.get("shared") == "yes" else "fp8check.toml")
    path.write_bytes(encoded(case.get("toml", "")))
    try:
        config = load_config(Options(config=str(path), no_config=False))
        chosen = select(tuple(config.select), tuple(config.ignore))
        request = request_of(_plain_run())
        checked = check_request(request._replace(suppressions=config.suppressions, rules=chosen.rules))
    except InputError as problem:
        return (said(problem, "config"),)
    return [*_judged(checked), *_reported(checked, case)]


def _plain_run() -> Case:
    return {name: text for name, text in cases.runs()[0].items() if name in ("training", "accelerate")}


def configurations() -> Iterable[Case]:
    """Configurations, as docs/ has them."""
    whole = """fail-on = "warning"
select = ["FP1", "FP2"]
ignore = ["FP402"]
[[run]]
files = ["train.yaml", "accel.yaml"]
launch = "accelerate launch --config_file accel.yaml train.py train.yaml"
trainer = "trl"
facts = "node.json"
[[suppress]]
rules = ["FP101"]
files = ["configs/small/*.yaml", "train.yaml"]
reason = "small on purpose"
until = 2027-03-31
"""
    shared = "\n".join(
        f"[tool.fp8check.{line[1:-1]}]" if line.startswith("[") and not line.startswith("[[") else line
        for line in ["[tool.fp8check]", *whole.replace("[[", "[[tool.fp8check.").splitlines()]
    ).replace("[tool.fp8check.tool.fp8check]", "[tool.fp8check]")
    return [{"toml": whole}, {"toml": ""}, {"toml": 'select = ["FP1"]\n'}, {"toml": shared, "shared": "yes"}]


# Text and files that leave


def leaving(case: Case, folder: Path) -> Iterable[str]:
    """What is shown is clean, and as JSON and markup still says the same; what is written is there, and nothing beside."""
    text = case.get("text", "")
    one = shown(text)
    clean(one, "shown")
    no_command(f"x{one}", "shown")
    if "\n" in one or shown(one) != one:
        raise Broken("shown is no line, or not the same when it is shown again", text)
    for syntax in ("text", "json", "markup"):
        written = json.dumps(text, ensure_ascii=False) if syntax == "json" else text
        left = plain(written, syntax)  # type: ignore[arg-type]
        clean(left, f"plain {syntax}")
        no_command(left, f"plain {syntax}")
        if plain(left, syntax) != left:  # type: ignore[arg-type]
            raise Broken(f"plain {syntax} is not the same a second time", text)
        if syntax == "json" and not _SURROGATE.search(text) and json.loads(left) != text:
            raise Broken("plain JSON says something else", text)
    if case.get("name"):
        _written(folder, case["name"], encoded(text))
    return ("text",)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _written(folder: Path, name: str, data: bytes) -> None:
    place = folder / "written"
    place.mkdir(exist_ok=True)
    target = os.path.join(os.fsencode(place), encoded(name.replace("/", "_").replace("\0", "_"))[:200])
    try:
        writing.write(os.fsdecode(target), data)
    except InputError as problem:
        said(problem, "writing")
    else:
        with open(target, "rb") as file:
            if file.read() != data:
                raise Broken("a file that is not as it was written")
        os.unlink(target)
    if left := os.listdir(place):
        raise Broken("a file that nobody asked for", str(left))


def texts() -> Iterable[Case]:
    """Texts of runs, and what attackers write."""
    parts = [*vocabulary.HOSTILE, *(text for case in cases.runs()[::20] for text in case.values())]
    return [{"text": text, "name": f"n{number}"} for number, text in enumerate(parts)]


# The command


def commanding(case: Case, folder: Path) -> Iterable[str]:
    """The command with its options: an exit code of the documented ones, and clean words on both streams."""
    words = case.get("words", "").split("\x1f") if case.get("words") else []
    if not _harmless(words):
        return ("left out",)
    stdin = b""
    for part, name in (
        *FILES.items(),
        ("facts", "facts.json"),
        ("toml", "fp8check.toml"),
        ("baseline", "baseline.json"),
    ):
        path = folder / name
        if part in case:
            path.write_bytes(encoded(case[part]))
            stdin = stdin or encoded(case[part])
        else:
            path.unlink(missing_ok=True)
    before = os.getcwd()
    os.chdir(folder)
    try:
        code, out, err = run_command(words, stdin)
    finally:
        os.chdir(before)
    if code == 4:
        raise Broken(f"exit code 4: {place_in(err)}", err[-1500:])
    exit_code(code)
    # A patch of a file with such line breaks has them, or it could not be applied.
    shown = out.replace("\r\n", "\n") if "--diff" in words else out
    clean(shown, "standard output", painted="--color" in case.get("words", ""))
    clean(err, "standard error")
    no_command(err, "standard error")
    if code == 2 and not err.strip():
        raise Broken("exit code 2 without a word")
    return (f"exit:{code}",)


_RUNS = ("probe", "serve", "env", "run", "node", "lsp")
_NEVER = ("--python", "--probe", "--server", "--write-baseline", "--out", "--import-check", "--plugin")


def _harmless(words: Sequence[str]) -> bool:
    """Whether these start nothing by design, look at no machine, and write no file; `--` hides nothing of it."""
    own = words[: words.index("--")] if "--" in words else words  # what stands behind it is a command's
    return (
        not any(word in _RUNS or word.startswith(_NEVER) for word in words)
        and not any("=" in word and word.startswith(NAMES) for word in words)
        and not any(word.startswith("--format=") and "=" in word[9:] for word in words)
        and ("--no-environment" in own or "--facts" in own or own[:1] in (["worth"], ["rule"], ["rules"], ["matrix"]))
        # What stands behind --hook is a file, whatever it looks like.
        and not ("fix" in words and "--diff" not in (words[: words.index("--hook")] if "--hook" in words else words))
    )


def run_command(words: Sequence[str], stdin: bytes) -> tuple[int, str, str]:
    """The command in this process: exit code, standard output and standard error."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    given = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    before = sys.stdin
    sys.stdin = given
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = command_line.main(list(words))
    finally:
        sys.stdin = before
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8", "surrogatepass"))  # type: ignore[attr-defined]
    return code, texts[0], texts[1]


def commands() -> Iterable[Case]:
    """Runs with the words of a command."""
    files = ["train.yaml", "accel.yaml"]
    lines: list[list[str]] = [
        [*files, "--no-environment"],
        [*files, "--facts", "facts.json"],
        [*files, "--facts", "facts.json", "--format", "json", "--require-evidence"],
        [*files, "--no-environment", "--format", "html", "--fail-on", "never"],
        [*files, "--no-environment", "--color", "always", "-v"],
        [*files, "--facts", "facts.json", "--baseline", "baseline.json", "--format", "sarif", "--format", "text"],
        ["--no-environment", "--config", "fp8check.toml"],
        ["--hook", *files, "--no-environment"],
        ["-", "accel.yaml", "--no-environment", "--format", "github"],
        [*files, "--no-environment", "--launch", "accelerate launch --config_file accel.yaml train.py train.yaml"],
        [*files, "--no-environment", "--trainer", "trl", "--select", "FP1,FP2", "--ignore", "FP101"],
        [*files, "--facts", "facts.json", "--require", "speedup>=1.1", "--require", "fp8_layers==all"],
        [*files, "--no-environment", "--require=memory<=70", "--require", "recipe==HYBRID", "--format", "junit"],
        ["explain", "train.yaml:2", "accel.yaml", "--no-environment"],
        ["outcome", *files, "--facts", "facts.json", "--format", "json"],
        ["outcome", *files, "--no-environment", "--color", "always"],
        ["fix", *files, "--diff", "--no-environment", "--unsafe"],
        ["fix", "-", "--diff", "--no-environment"],
        ["upgrade", *files, "--facts", "facts.json", "--to", "accelerate==1.9.0 transformers==4.57.1"],
        ["upgrade", *files, "--no-environment", "--to", "accelerate==1.99,torchao==0.9", "--format", "json"],
        ["worth", "config.json", "--gpu", "H100", "--tokens", "512,2048"],
        ["worth", "Qwen/Qwen2.5-7B", "--backend", "AO", "--compile", "--format", "json", "--scope", "model"],
        ["rule", "FP101"],
        ["rule", "nothing", "--format", "json"],
        ["rules"],
        ["matrix", "accelerate==1.11.0"],
        ["--version"],
        ["fix", "--help"],
    ]
    every = list(cases.runs())
    model = json.dumps({"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 2, "num_attention_heads": 32})
    return [
        {"model": model, **every[(number * 7) % len(every)], "words": "\x1f".join(lines[number % len(lines)])}
        for number in range(len(lines) * 40)
    ]


def launch_lines() -> list[Case]:
    """Runs, and the commands of the table of launch lines."""
    table = (TESTS / "settings" / "launch_commands.txt").read_text().splitlines()
    return [*cases.runs(), *({"launch": line} for line in table if line and line[0] not in " #")]


RUN = {
    "training": "yaml",
    "accelerate": "yaml",
    "deepspeed": "json",
    "model": "json",
    "script": "python",
    "facts": "json",
    "variables": "lines",
    "launch": "launch",
    "trainer": vocabulary.TRAINER_NAMES,
    "seen": "json",
    "formats": FORMAT_PAIRS,
    "look": ("", "", "color", "quiet", "verbose", "color verbose", "color links 40", "verbose 60", "links 80", "120"),
    "follow": ("", "yes"),
    "select": ("", "", "FP1", "FP2,FP3", "FP9", "FP101", "nothing"),
    "require": (
        *("", "", "starts==true", "speedup>=1.1 memory<=70", "fp8_layers>=some recipe!=tensorwise backend==TE"),
        *(
            " ".join(f"{name}{sign}{(*one.words, 1)[0]}" for name, one in NAMES_REQUIRED.items())
            for sign in ("==", "!=")
        ),
    ),
}


def _only(*names: str, **more: str | Sequence[str]) -> Mapping[str, str | Sequence[str]]:
    return {**{name: RUN[name] for name in (*names, "formats", "look")}, **more}


TARGETS: tuple[Target, ...] = (
    Target(
        "yaml",
        {"yaml": "yaml", "loader": ("", "pyyaml", "pyyaml", "omegaconf")},
        reading,
        _one("yaml", ("training", "accelerate")),
        0.6,
    ),
    Target("json", {"json": "json"}, reading_json, _one("json", ("deepspeed", "model", "facts", "seen")), 0.4),
    Target(
        "scripts",
        _only("script", "launch", "accelerate"),
        scripts,
        lambda: [one for one in cases.runs() if "script" in one],
        1.5,
    ),
    Target("check", RUN, checking, share=2.5),
    Target(
        "fix",
        {**_only("training", "accelerate", "deepspeed", "facts", "launch", "trainer"), "unsafe": ("", "yes")},
        fixing,
        share=1.5,
    ),
    Target(
        "plan",
        {
            **_only("training", "accelerate", "deepspeed", "facts", "launch", "trainer", "script", "variables"),
            "goal": ("", "", "bf16"),
        },
        planning,
        share=2.0,
    ),
    Target("suppressions", _only("training", "accelerate", baseline="json"), suppressing, baselines, 1.5),
    Target("facts", _only("facts"), knowing, share=1.4),
    Target(
        "shell", {"shell": "shell", "hook": ("", "yes"), **_only("script", "variables")}, shell_scripts, started, 1.9
    ),
    Target(
        "changes", {**_only("script", "launch"), "shell": "shell", "goal": ("", "bf16")}, changing, changed_ones, 1.9
    ),
    Target("launch", _only("launch", "variables", "trainer"), launching, launch_lines, 1.9),
    Target("text", {"text": "pieces", "name": "pieces"}, leaving, texts, 0.5, writes=True),
    Target("config", _only(toml="toml", shared=("", "yes")), configuring, configurations),
    Target("stored", _only(report="json"), stored, stored_reports, 1.2),
    Target(
        "nodes", {"node": "json", "other": "json", "merged": "json", "name": "pieces"}, nodes_telling, told_nodes, 1.2
    ),
    Target("command", {**RUN, "words": "words", "toml": "toml", "baseline": "json"}, commanding, commands, 1.8),
)
