"""How many faults in the rules the case files and the generated pages would notice: `make mutation-catalog`.

    python -m tests.tools.catalog.mutate [--every N] [--at-least SHARE] [FILE ...]

Each mutant of rules/catalog/*.py is run on the case files of the rules of its file; it is killed where a case is not
answered as it says, or where the rule's page would read differently. One that is left is run on the first case of
every other rule, of which tests/golden keeps what all rules say.
"""

from __future__ import annotations

import argparse
import sys
import time
import types
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from fp8check.rules import catalog
from fp8check.rules.catalog import registry
from tests.support import runs
from tests.support.cases import CASES
from tests.support.pins import help_of, said
from tests.support.reports import text_of
from tests.support.runs import examined
from tests.tools.catalog.mutants import Mutant, mutants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.suppression.examined import Examined

FOLDER = Path(catalog.__file__).parent
NO_RULES = {"__init__.py", "registry.py"}
SECONDS = 5  # a mutant that takes longer is killed


class Files:
    """The case files of some rules, with the answer that each case gives today."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], Any] = {}
        self._of_others: dict[tuple[str, str, str, int], Any] = {}

    def answers(self, rule: str) -> Iterator[tuple[tuple[str, str, int], dict[str, Any]]]:
        """The key and the case of every case of a rule."""
        for kind in ("found", "not found", "undecided"):
            cases = CASES[rule][kind]
            for number, case in enumerate(cases if isinstance(cases, list) else []):
                yield (rule, kind, number), case

    def of_others(self, rule: str) -> Iterator[tuple[tuple[str, str, int], dict[str, Any]]]:
        """The same of the first case of every other rule."""
        for other in CASES:
            if other != rule:
                yield (other, "found", 0), CASES[other]["found"][0]

    def expected_of_others(self, rule: str, key: tuple[str, str, int], case: dict[str, Any]) -> Any:
        """What the unchanged rule says of another rule's case."""
        whose = (rule, *key)
        if whose not in self._of_others:
            self._of_others[whose] = _said_by(rule, case)
        return self._of_others[whose]

    def expected(self, key: tuple[str, str, int], case: dict[str, Any]) -> Any:
        """What the unchanged rule answers: what the page shows of the examples, what the case pins of the others."""
        if key not in self._known:
            self._known[key] = seen(key, case)
        return self._known[key]


def seen(key: tuple[str, str, int], case: dict[str, Any]) -> Any:
    """As much of the answer as a test looks at."""
    rule, kind, number = key
    report = _examined(case, rule)
    found = [one for one in report.findings if one.rule == rule]
    if kind == "undecided":
        pinned = number == 0 or "needs" in case
        open_ = [(one.rule, one.needs if pinned else "", bool(one.command)) for one in report.undecided]
        return (open_, number == 0 and report.undecided and report.undecided[0].command, bool(report.crashes))
    if number == 0:  # an example of the page: all of its text, and its fix
        fixes = [(_fix(one.fix), help_of(one, report.documents)) for one in found]
        return (text_of(report), fixes, bool(report.crashes))  # no test lets a rule crash
    if kind == "not found":
        return [one.message for one in found] or [one.rule for one in (*report.undecided, *report.crashes)]
    return (bool(found), bool(report.crashes), said(case, found, report.documents) if found else None)


def _said_by(rule: str, case: dict[str, Any]) -> Any:
    """All that a rule says of a case."""
    report = _examined(case, rule)
    return (text_of(report), [(one.rule, one.needs) for one in report.undecided], bool(report.crashes))


def _fix(fix: Any) -> object:
    return None if fix is None else (fix.safe, [(one.action, one.key, repr(one.value)) for one in fix.edits])


_RUNS: dict[int, Any] = {}


def _examined(case: dict[str, Any], rule: str) -> Examined:
    """The report of a case; its run is put together once, since no mutant changes it."""
    known = _RUNS.get(id(case))
    if known is None:
        known = _RUNS[id(case)] = runs.assembled_of(case)
    return examined(case, known.documents, only=rule, assembled=known)


def survives(mutant: Mutant, path: Path, files: Files) -> bool:
    """Whether no test would notice the mutant."""
    module = types.ModuleType(f"fp8check.rules.catalog.{path.stem}")
    try:
        exec(compile(mutant.tree, str(path), "exec"), module.__dict__)  # noqa: S102  our own code, with one fault
    except Exception:  # noqa: BLE001  it does not even load: every test would notice
        return False
    changed = {
        function.rule.id: function.rule
        for function in vars(module).values()
        if hasattr(function, "rule") and function.rule.id in CASES and function.__module__ == module.__name__
    }
    if not changed:
        return _survives_as_helper(module, files)
    mine = [id_ for id_, one in changed.items() if one.check.__name__ == mutant.function] or list(changed)
    rules = tuple(changed.get(one.id, one) for one in registry.RULES)
    with _installed(rules):
        return _all_as_before(mine, files)


def _all_as_before(rules: Iterable[str], files: Files) -> bool:
    begin = time.monotonic()
    for rule in rules:
        for key, case in files.answers(rule):
            try:
                if seen(key, case) != files.expected(key, case) or time.monotonic() - begin > SECONDS:
                    return False
            except Exception:  # noqa: BLE001  a test would fail of it
                return False
    return all(
        _said_by(rule, case) == files.expected_of_others(rule, key, case)
        for rule in rules
        for key, case in files.of_others(rule)
    )


def _survives_as_helper(module: types.ModuleType, files: Files) -> bool:
    """The same for a module without rules: what it defines is put into the modules that took it from there."""
    name = module.__name__
    # The module itself is among them: a rule that imports it only when it runs takes it from there.
    users = [one for other, one in sys.modules.items() if other.startswith("fp8check.rules.")]
    taken = [
        (user, attribute, value)
        for user in users
        for attribute, value in vars(user).items()
        if getattr(value, "__module__", None) == name and attribute in vars(module)
    ]
    for user, attribute, _ in taken:
        setattr(user, attribute, vars(module)[attribute])
    try:
        using = {user.__name__ for user, _, _ in taken} | {one for one in _rule_modules() if _imports(one, name)}
        return _all_as_before([one.id for one in registry.RULES if one.check.__module__ in using], files)
    finally:
        for user, attribute, value in taken:
            setattr(user, attribute, value)


def _rule_modules() -> set[str]:
    return {one.check.__module__ for one in registry.RULES}


def _imports(module: str, name: str) -> bool:
    """Whether a module imports another, be it inside a function."""
    file = sys.modules[module].__file__
    return file is not None and f"from {name} import" in Path(file).read_text()


class _installed:  # noqa: N801  used like a function
    """These rules in the place of the registry's."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules

    def __enter__(self) -> None:
        runs.RULES = self.rules  # type: ignore[attr-defined]

    def __exit__(self, *_: object) -> None:
        runs.RULES = registry.RULES  # type: ignore[attr-defined]


def chosen(paths: Iterable[Path], every: int) -> Iterator[tuple[Path, Mutant]]:
    """Every mutant of these files, or one of so many: the same ones as long as the function that they are in does not
    change, so that a change elsewhere is not judged by another sample."""
    for path in paths:
        alike: Counter[str] = Counter()
        for mutant in mutants(path.read_text()):
            what = f"{path.name} {mutant.function} {mutant.what}"
            alike[what] += 1
            if crc32(f"{what} {alike[what]}".encode()) % every == 0:
                yield path, mutant


def main() -> int:
    """Print the survivors and the score; 1 where it is below what is asked."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("file", nargs="*", help="of rules/catalog: recipe.py")
    made.add_argument("--rule", metavar="ID", help="only the functions of this rule")
    made.add_argument("--every", type=int, default=1)
    made.add_argument("--at-least", type=float, default=0)
    options = made.parse_args()
    paths = [path for path in sorted(FOLDER.glob("*.py")) if path.name not in NO_RULES]
    wanted = {Path(name).name for name in options.file}
    if options.rule:
        (one,) = [one for one in registry.RULES if one.id == options.rule]
        wanted = {Path(one.check.__code__.co_filename).name}
    unknown = wanted - {path.name for path in paths}
    if unknown:
        made.error(f"no file of rules: {', '.join(sorted(unknown))}")
    paths = [path for path in paths if not wanted or path.name in wanted]
    files = Files()
    for rule in CASES:
        for key, case in files.answers(rule):
            files.expected(key, case)
    number = 0
    by_file: dict[str, list[int]] = {}
    for path, mutant in chosen(paths, options.every):
        if options.rule and mutant.function != one.check.__name__:
            continue
        number += 1
        count = by_file.setdefault(path.name, [0, 0])
        count[0] += 1
        if survives(mutant, path, files):
            count[1] += 1
            sys.stdout.write(f"survives: {path.name}:{mutant.line} {mutant.function}: {mutant.what}\n")
    for name, (all_, alive) in by_file.items():
        sys.stdout.write(f"{name:<20} {all_ - alive} of {all_} killed\n")
    alive = sum(alive for _, alive in by_file.values())
    score = (number - alive) / max(number, 1)
    sys.stdout.write(f"{number - alive} of {number} mutants killed: {score:.1%}\n")
    return int(score < options.at_least)


if __name__ == "__main__":
    sys.exit(main())
