"""Whether rules and outcome say the same of a run: what each finding claims, held against what is predicted.

python -m tests.tools.agreement                     all sources, with the number of cases of each
python -m tests.tools.agreement catalog golden      some of them

A rule declares what its findings say of the outcome (`@rule(..., claims=)`, CLAIMS of rules/engine/definition.py). Three
things are held against each other:

- A finding against the outcome: at least one of its rule's claims holds. A rule that says that the run ends, where the
  outcome starts, disagrees.
- The words of a finding against the outcome: an exception that its text names is the one that ends the run. What would
  come only after that is said behind LATER.
- The outcome against the findings: a run that ends has a finding that says so, with a place where the outcome has one; a
  run that was to be in FP8 and is not has an error; and a value of the recipe that was written and does not run has a
  finding.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.catalog import RULES
from fp8check.rules.checking import examining
from fp8check.rules.engine.requirements import LATER
from tests.support.cases import CASES
from tests.support.paths import SHARED
from tests.support.runs import report_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fp8check.rules.engine.definition import Claim
    from fp8check.rules.engine.running import Finding
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.reading import Span
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.suppression.examined import Examined

CLAIMED = {one.id: one.claims for one in RULES}
_EXCEPTION = re.compile(r"\b(?:[A-Z]\w*(?:Error|Exception)|SystemExit)\b")
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
# What differs all the same, by rule or, for an outcome without its finding, by error; with the reason.
LISTED = {
    "FP999": "it quotes the exception of a rule that crashed, which is none of the run",
}


class Disagreement(NamedTuple):
    """What a finding and the outcome say differently of one run; no rule where a finding is missing."""

    rule: str
    why: str


def disagreements(examined: Examined) -> Iterator[Disagreement]:
    """Where the findings of a run and its outcome contradict each other."""
    outcome = examined.outcome
    for one in examined.findings:
        if one.rule in LISTED or one.rule not in CLAIMED:
            continue
        wrong = [why for claim in CLAIMED[one.rule] if (why := _contradicts(claim, one, outcome))]
        if len(wrong) == len(CLAIMED[one.rule]):
            yield Disagreement(one.rule, "; ".join(wrong))
        yield from _words(one, outcome)
    if examined.earlier is not None and _answer(examined.earlier) != _answer(outcome):
        return  # what depends on a release that is not known is undecided
    yield from _untold(examined)


def _answer(outcome: Outcome) -> object:
    recipe = {name: setting.value for name, setting in (outcome.prepared.recipe or {}).items()}
    return outcome.error and outcome.error.code, outcome.fp8_layers, recipe


def _words(finding: Finding, outcome: Outcome) -> Iterator[Disagreement]:
    """Exceptions that a finding names and that do not end the run."""
    if not {"perhaps", "seen"}.isdisjoint(CLAIMED[finding.rule]):
        return
    for text in (finding.message, finding.label, *finding.notes):
        if text.startswith(LATER):
            if outcome.error is None:
                yield Disagreement(finding.rule, f"{text!r}, and nothing ends the run before")
            continue
        for name in _EXCEPTION.findall(text) if outcome.starts is not None else ():
            if outcome.error is None or outcome.error.type != name:
                ends = "nothing" if outcome.error is None else outcome.error.type
                yield Disagreement(finding.rule, f"it names {name}, the outcome {ends}")


def _untold(examined: Examined) -> Iterator[Disagreement]:
    """What the outcome says and no finding does."""
    outcome, requested = examined.outcome, examined.inputs.requested
    if outcome.error is not None:
        ending = [one for one in examined.findings if "ends" in CLAIMED.get(one.rule, ())]
        if not any(one.severity == "error" for one in ending):
            yield Disagreement("", f"ends with {outcome.error.code}, and no finding says that it ends")
        elif any(map(_span, outcome.error.because)) and not any(one.span for one in ending):
            yield Disagreement("", f"ends with {outcome.error.code}, and no finding says where")
    errors = [one for one in examined.findings if one.severity == "error"]
    if outcome.starts and requested.fp8 and outcome.trains_in_fp8 is False and not errors:
        yield Disagreement("", "FP8 is asked for, no layer runs in it, and no finding is an error")
    if outcome.starts and outcome.trains_in_fp8 and outcome.backend_name == "TE":
        yield from _unlike(examined)


def _unlike(examined: Examined) -> Iterator[Disagreement]:
    """Values of a recipe that were written, do not run, and have no finding."""
    recipe, requested = examined.outcome.prepared.recipe or {}, examined.inputs.requested
    for name, written in requested.recipe.items():
        real = recipe.get(name)
        if real is None or str(real.value).lower() == str(written.value).lower():
            continue
        if not any(one.span is None or _touch(written, one) for one in examined.findings):
            yield Disagreement("", f"{name} will be {real.value}, not {written.value}, and no finding says so")


def _touch(written: Setting, finding: Finding) -> bool:
    spans = [finding.span, *(getattr(getattr(one.place, "origin", None), "span", None) for one in finding.related)]
    own = _span(written)
    return own is not None and any(span is not None and (_within(own, span) or _within(span, own)) for span in spans)


def _span(setting: Setting) -> Span | None:
    return setting.origin.span


def _within(inner: Span, outer: Span) -> bool:
    return inner.file == outer.file and outer.start <= inner.start and inner.end <= outer.end


def _counting(outcome: Outcome) -> Iterator[tuple[str, Setting]]:
    """The values that count in the end: not what is merely handed on, and not what was overridden."""
    if outcome.accelerator_arguments is not None and outcome.accelerator_arguments.mixed_precision is not None:
        yield "the precision", outcome.accelerator_arguments.mixed_precision
    if outcome.accelerator is not None:
        yield "the precision", outcome.accelerator.mixed_precision
        yield "the backend", outcome.accelerator.backend
    for name, setting in (outcome.prepared.recipe or {}).items():
        yield f"the recipe's {name}", setting


def _from(finding: Finding, values: Iterable[tuple[str, Setting]]) -> str:
    """Which of these values comes from the variable that a finding names, or else from its place; "" with none."""
    names = _VARIABLE.findall(finding.message)
    for name, setting in values:
        origin = setting.origin
        if names and origin.variable in names:
            return name
        if not names and finding.span and origin.span and _within(origin.span, finding.span):
            return name
    return ""


def _ignored(finding: Finding, outcome: Outcome) -> str:
    name = _from(finding, _counting(outcome))
    return f"ignored; {name} comes from there" if name else ""


def _decides(finding: Finding, outcome: Outcome) -> str:
    held = (outcome.accelerator.recipe if outcome.accelerator is not None else None) or {}
    if outcome.error is not None or _from(finding, (*_counting(outcome), *held.items())):
        return ""
    return "decides; no value that counts comes from there"


def _contradicts(claim: Claim, finding: Finding, outcome: Outcome) -> str:
    """How what a finding claims contradicts the outcome; "" where it does not."""
    if claim == "ends" and outcome.starts is not False:
        return f"it ends; the outcome starts: {outcome.starts}"
    if claim == "FP8" and outcome.fp8_layers == "none" and outcome.error is None:
        return "FP8; no layer in FP8"
    if claim == "no FP8" and outcome.trains_in_fp8:
        return f"no FP8; {outcome.fp8_layers} of the layers in FP8"
    if claim == "lost" and outcome.mixed_precision is not None and outcome.mixed_precision.value == "fp8":
        return "it is lost; the precision is fp8"
    if claim == "frozen" and outcome.frozen is None:
        return "frozen; the outcome trains them"
    if claim == "ignored":
        return _ignored(finding, outcome)
    return _decides(finding, outcome) if claim == "decides" else ""


def catalog() -> Iterator[tuple[str, Examined]]:
    """Every case of every rule, with all rules over it."""
    for rule, file in CASES.items():
        for kind in ("found", "not found", "undecided"):
            if isinstance(file.get(kind), list):
                yield from ((f"{rule} {kind}: {case['name']}", report_of(case)) for case in file[kind])


def conformance() -> Iterator[tuple[str, Examined]]:
    """Every case that conformance executes."""
    from tests.tools.conformance.generate import everything

    yield from _executed(everything(1, 1500))


def observed() -> Iterator[tuple[str, Examined]]:
    """Executed cases that others collected; none where they are not there."""
    from tests.tools.conformance.cases import read

    path = SHARED / "observed" / "cases.jsonl"
    yield from _executed(read(path)) if path.exists() else ()


def _executed(cases: Iterable[dict[str, object]]) -> Iterator[tuple[str, Examined]]:
    from tests.tools.conformance.adapter import run_of_case

    for case in cases:
        yield str(case["id"]), examining.examine(run_of_case(case))  # type: ignore[arg-type]


def golden(every: int = 1) -> Iterator[tuple[str, Examined]]:
    """What the command looks at for the inputs of tests/golden, or for one of so many."""
    from tests.tools.golden import kept, say

    seen: list[Examined] = []
    examine = examining.examine

    def kept_back(*given: object, **named: object) -> Examined:
        seen.append(examine(*given, **named))  # type: ignore[arg-type]
        return seen[-1]

    inputs = kept()[::every]
    examining.examine = kept_back  # type: ignore[assignment]
    try:
        with tempfile.TemporaryDirectory() as folder:
            for one, _ in zip(inputs, say(inputs, Path(folder) / "run", added=()), strict=True):
                yield from ((str(one["id"]), examined) for examined in seen)
                seen.clear()
    finally:
        examining.examine = examine


SOURCES: dict[str, Callable[[], Iterator[tuple[str, Examined]]]] = {
    "catalog": catalog,
    "conformance": conformance,
    "observed": observed,
    "golden": golden,
}


class Compared(NamedTuple):
    """How many cases were compared, of these how many end, and who disagrees."""

    cases: int
    ends: int
    wrong: list[tuple[str, Disagreement]]


def compared(source: Iterable[tuple[str, Examined]]) -> Compared:
    """All cases of a source."""
    cases, ends, wrong = 0, 0, []
    for name, examined in source:
        cases += 1
        ends += examined.outcome.error is not None
        wrong += [(name, one) for one in disagreements(examined)]
    return Compared(cases, ends, wrong)


def main(words: Sequence[str]) -> int:
    """Print the counts, and who disagrees; 1 where somebody does."""
    failed = False
    for name in words or SOURCES:
        found = compared(SOURCES[name]())
        failed = failed or bool(found.wrong)
        print(f"{name}: {found.cases} cases, {found.ends} of them end, {len(found.wrong)} disagree")
        kinds = Counter(one for _, one in found.wrong)
        for one, number in sorted(kinds.items()):
            print(f"  {number:>5} {one.rule or 'no rule':<8} {one.why}   {next(a for a, b in found.wrong if b == one)}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
