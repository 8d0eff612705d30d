"""docs/rules and docs/coverage.md, made from the rules, their case files and what fp8check prints of them.

python -m tests.tools.catalog.pages DOCS_FOLDER
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.advising import advised
from fp8check.rules.checking.examining import is_to_be_advised
from fp8check.rules.checking.request import Request, check_request
from fp8check.rules.engine.definition import Rule
from fp8check.rules.repair import fix_all
from tests.support import paths
from tests.support.cases import CASES
from tests.support.reports import text_of
from tests.support.runs import TODAY, assembled_of, examined, report_of
from tests.tools.journeys.catalog import request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fp8check.rules.reading import Document
    from fp8check.rules.suppression.examined import Examined

FAILURES = yaml.safe_load((paths.TESTS / "catalog" / "failures.yaml").read_text())
FILES = (("training", "train.yaml", "yaml"), ("accelerate", "accel.yaml", "yaml"), ("deepspeed", "ds.json", "json"))
FILES += (("script", "train.py", "python"),)
SECTION = re.compile(r"^(Why it hurts|Example|Write instead): ", re.MULTILINE)


def pages() -> dict[str, Callable[[], str]]:
    """What makes each generated page, by its path below docs/."""
    made = {f"rules/{one.id}.md": partial(page, one) for one in RULES}
    return {"rules/README.md": index, "coverage.md": coverage, **made}


def index() -> str:
    """The list of all rules."""
    lines = ["# Rules", "", "Made by `make docs`; what the numbers mean is in the first digit.", ""]
    lines += ["| rule | severity | finds | fix |", "|---|---|---|---|"]
    lines += [
        f"| [{one.id}]({one.id}.md) {one.name} | {one.severity} | {_cell(one.summary)} | {_fix_word(one)} |"
        for one in RULES
    ]
    return "\n".join(lines) + "\n"


def page(one: Rule) -> str:
    """The page of one rule."""
    case = CASES[one.id]
    bad, good = case["found"][0], case["not found"][0]
    parts = [f"# {one.id} {one.name}", "", f"**{one.severity}** · looks at {', '.join(one.needs)}", ""]
    parts += [*_text(one), "## Found", "", *_example(bad, one)]
    diff = _diff(bad, one)
    if diff is not None:
        parts += [f"`fp8check fix{'' if _is_safe(bad, one) else ' --unsafe'}` writes:", "", *_fenced("diff", diff)]
    parts += ["## Not found", "", *_example(good, one), *_undecided(one), "## Evidence", ""]
    parts += [f"- {_linked(line)}" for line in one.evidence]
    proves = _proved(one.id)
    if proves:
        parts += ["", f"Catches {', '.join(proves)} of [the catalog of failures](../coverage.md)."]
    parts += ["", "## Leave it out", "", *_fenced("yaml", f"# fp8check: ignore[{one.id}] the reason\n")]
    return "\n".join(parts).rstrip() + "\n"


def _text(one: Rule) -> Iterator[str]:
    """The rule's own text; its example is shown as files and output instead."""
    pieces = SECTION.split(inspect.cleandoc(one.check.__doc__ or ""))
    yield pieces[0].strip()
    yield ""
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if title != "Example":
            yield f"**{title}:** {' '.join(body.split())}"
            yield ""


def _example(case: Mapping[str, Any], one: Rule) -> Iterator[str]:
    for key, path, language in FILES:
        if key in case:
            yield from _fenced(language, str(case[key]), path)
    for path, text in case.get("named", {}).items():
        yield from _fenced("", text, path)
    yield f"{_machine(case)}:"
    yield ""
    yield from _fenced("", f"$ fp8check {_command(case)} --select {one.id}\n{text_of(_advised(case, one))}")


def _advised(case: Mapping[str, Any], one: Rule) -> Examined:
    """The report of a case with the helps that the command gives."""
    report = report_of(case, only=one.id)
    if not is_to_be_advised((report,)):
        return report
    with ExitStack() as stack:
        request = Request((request_of(case, stack),), (one,))
        found = advised(request, check_request(request)).reports[0].findings
    helps = {(finding.rule, finding.message): finding.help for finding in found}
    findings = [
        finding._replace(help=helps.get((finding.rule, finding.message), finding.help)) for finding in report.findings
    ]
    return report._replace(findings=tuple(findings))


def _command(case: Mapping[str, Any]) -> str:
    words = [path for key, path, _ in FILES if key in case and key != "script"]
    if "launch" in case:
        words.append(f'--launch "{case["launch"]}"')
    if "trainer" in case:
        words.append(f"--trainer {case['trainer']}")
    words += [f'--require "{one}"' for one in case.get("require", ())]
    return " ".join(words)


def _machine(case: Mapping[str, Any]) -> str:
    stack = case.get("stack", TODAY)
    if stack == "unknown":
        return "Where nothing is known of the machine"
    named = [f"{name} {version}" for name, version in stack.items() if name != "python"]
    named += [_gpus(case.get("gpu", "9.0"))]
    for key in ("cuda", "libraries", "transformer_engine", "duplicates"):
        facts = case.get(key)
        if isinstance(facts, dict) and facts:
            named.append(
                f"{key.replace('_', ' ')}: " + ", ".join(f"{name} {_fact(value)}" for name, value in facts.items())
            )
    variables = case.get("variables")
    shell = ", ".join(f"{k}={v}" for k, v in variables.items()) if isinstance(variables, dict) else ""
    return f"With {', '.join(named)}" + (f", and {shell} in the shell" if shell else "")


def _gpus(gpu: object) -> str:
    if isinstance(gpu, list):
        return " and ".join(_gpus(one) for one in gpu)
    if isinstance(gpu, dict):
        memory = gpu.get("memory_mib")
        size = f" with {memory:,} MiB" if memory else ""
        return (
            f"{gpu.get('name', _gpus(gpu['compute_capability']))}{' in MIG instances' if gpu.get('mig') else ''}{size}"
        )
    words = {"unknown": "an unknown GPU", "none": "no GPU"}
    return words.get(str(gpu), f"a GPU of compute capability {gpu}")


def _fact(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {part}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return " and ".join(str(one) for one in value)
    return "none" if value is None else str(value)


def _undecided(one: Rule) -> Iterator[str]:
    cases = CASES[one.id]["undecided"]
    yield "## Undecided"
    yield ""
    if isinstance(cases, str):
        yield f"{cases[0].upper()}{cases[1:]}."
    else:
        (first, *_) = report_of(cases[0], only=one.id).undecided
        yield f"Where {cases[0]['name']}: it needs {first.needs}. What tells it: {first.command}."
    yield ""


def _diff(case: Mapping[str, Any], one: Rule) -> str | None:
    """What `fp8check fix` does to the bad example; None where nothing can be fixed by a machine."""
    before = assembled_of(case).documents

    def examine(documents: Sequence[Document]) -> list[Examined]:
        return [examined(case, documents, only=one.id)]

    fixed = fix_all(before, examine, unsafe=True)
    if not fixed.applied:
        return None
    lines: list[str] = []
    for old, new in zip(before, fixed.documents, strict=True):
        lines += difflib.unified_diff(
            old.text.splitlines(keepends=True), new.text.splitlines(keepends=True), old.path, new.path, n=1
        )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _is_safe(case: Mapping[str, Any], one: Rule) -> bool:
    fixes = [found.fix for found in report_of(case, only=one.id).findings if found.rule == one.id]
    return any(fix is not None and fix.safe for fix in fixes)


def _fix_word(one: Rule) -> str:
    case = CASES[one.id]["found"][0]
    if _diff(case, one) is None:
        return ""
    return "safe" if _is_safe(case, one) else "unsafe"


def _fenced(language: str, body: str, title: str = "") -> Iterator[str]:
    if title:
        yield f"{title}:"
        yield ""
    yield f"```{language}"
    yield body.rstrip("\n")
    yield "```"
    yield ""


def _linked(line: str) -> str:
    return f"<{line}>" if line.startswith("https://") else line


def _cell(line: str) -> str:
    return line.replace("|", "\\|")


def _proved(rule: str) -> list[str]:
    return sorted({failure for case in CASES[rule]["found"] for failure in case.get("proves", ())})


def coverage() -> str:
    """Which entry of the catalog of failures is caught by what, with the case that proves it."""
    proofs: dict[str, list[tuple[str, str]]] = {}
    for rule, file in CASES.items():
        for case in file["found"]:
            for failure in case.get("proves", ()):
                proofs.setdefault(failure, []).append((rule, case["name"]))
    lines = ["# What is caught", ""]
    lines += ["Made by `make docs`: each entry of the catalog of failures, what it can be known from (C configuration,"]
    lines += ["V versions, G GPU and driver, M model, P only a real step), the rules that catch it, and the case that"]
    lines += ["proves it (`tests/catalog/cases/RULE.yaml`). What is not caught has its reason.", ""]
    lines += ["| failure | from | caught by | proved by |", "|---|---|---|---|"]
    for failure, entry in FAILURES.items():
        found = proofs.get(failure, [])
        rules = ", ".join(f"[{rule}](rules/{rule}.md)" for rule in dict.fromkeys(rule for rule, _ in found))
        names = "; ".join(f"{rule}: {_cell(name)}" for rule, name in found)
        lines.append(
            f"| {failure} | {', '.join(entry['marks'])} | {rules} | {names or _cell(entry.get('reason', ''))} |"
        )
    caught = sum(failure in proofs for failure in FAILURES)
    lines += ["", f"{caught} of {len(FAILURES)} are caught before the run."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write every page, and remove those of rules that are gone."""
    docs = Path(sys.argv[1])
    (docs / "rules").mkdir(exist_ok=True)
    made = pages()
    for path in (docs / "rules").glob("*.md"):
        if f"rules/{path.name}" not in made:
            path.unlink()
    for name, make in made.items():
        (docs / name).write_text(make())


if __name__ == "__main__":
    main()
