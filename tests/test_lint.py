"""What ruff and mypy do not see: words that would be matched where a name can be checked."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.releases import accelerate_enums
from tests.tools.version_bounds import BEHAVIORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Lint = Callable[[ast.AST], Iterator[ast.AST]]

ROOT = Path(__file__).parent.parent
CODE = ("rules", "cli", "probe", "service")


def bare_behaviors(tree: ast.AST) -> Iterator[ast.AST]:
    """Calls of Stack.does with anything but a name of rules/releases/behaviors.py, or another object's attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "does":
            names = [ast.unparse(argument) for argument in node.args if isinstance(argument, ast.Attribute)]
            if (
                len(names) != 1
                or len(node.args) != 1
                or node.keywords
                or (names[0][0].isupper() and names[0] not in BEHAVIORS)
            ):
                yield node


def matched_messages(tree: ast.AST) -> Iterator[ast.AST]:
    """Uses of a message that are no showing: it stands in an f-string or in a finding, and nowhere else."""
    shown = {
        id(part)
        for node in ast.walk(tree)
        for part in (
            [node.value]
            if isinstance(node, ast.FormattedValue)
            else [*node.args, *(one.value for one in node.keywords)]
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Found", "Related")
            else []
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "message" and id(node) not in shown:
            yield node


def deleted_parameters(tree: ast.AST) -> Iterator[ast.AST]:
    """Parameters that are there only to be thrown away: `requires` of the decorator says what a rule depends on."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            names = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
            for node in ast.walk(function):
                if isinstance(node, ast.Delete) and names & {ast.unparse(target) for target in node.targets}:
                    yield node


ENUMERATED = ("backend_name", "distributed_type", "fp8_layers", "code", "verdict", "severity")


def unchecked_members(tree: ast.AST) -> Iterator[ast.AST]:
    """Enumerated values looked for in a list of bare strings, whose spelling mypy does not compare."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr in ENUMERATED:
            for operator, other in zip(node.ops, node.comparators, strict=True):
                if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(other, (ast.Tuple, ast.List, ast.Set)):
                    yield node


# Each with the folders that it looks at, and lines that it has to find.
LINTS: dict[str, tuple[Lint, tuple[str, ...], tuple[str, ...]]] = {
    "a behavior is a name of rules/releases/behaviors.py": (
        bare_behaviors,
        CODE,
        ('stack.does("accelerate", "fsdp2 exists")', 'stack.does("fsdp2 exists")', "stack.does(Accelerate.FSDP_2)"),
    ),
    "no rule compares or cuts a message: it has a code": (
        matched_messages,
        ("rules/catalog",),
        (
            'if error.message.startswith("Passing in "): pass',
            'if error is None or "together" not in error.message: pass',
            'name = error.message.rpartition("--")[2]',
            "text = error.message",
            're.search("--", outcome.error.message)',
            "Found(error.message[:20])",
        ),
    ),
    "a rule says with `requires` what it depends on and does not look at": (
        deleted_parameters,
        ("rules/catalog", "examples"),
        ("def check(outcome, packages):\n    del packages  # without them the release is not known",),
    ),
    "what mypy knows the names of is compared with ==, or with a constant that says so": (
        unchecked_members,
        CODE,
        ('if outcome.backend_name in ("TE", "TORCHAO"): pass', 'if outcome.distributed_type not in ("NO", None): pass'),
    ),
}


def _files(folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("name", LINTS)
def test_lint(name: str) -> None:
    find, folders, _ = LINTS[name]
    found = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for path in _files(folders)
        for node in find(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


def _literal(file: str, name: str) -> list[object]:
    """The words of a Literal, from the file that defines it: at run time it does not exist."""
    (value,) = [
        node.value
        for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]


def test_the_enumerations_are_whole() -> None:
    file = "rules/releases/accelerate_enums.py"
    assert list(accelerate_enums.BACKENDS) == _literal(file, "Backend")
    assert list(accelerate_enums.DISTRIBUTED_TYPES) == _literal(file, "DistributedType")


def test_every_error_code_is_raised() -> None:
    codes = _literal("rules/releases/errors.py", "ErrorCode")
    raised = {
        node.args[0].value
        for path in _files(("rules",))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "PredictedError"
        if isinstance(node.args[0], ast.Constant)
    }
    assert len(codes) == len(set(codes))
    assert set(codes) == raised


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, (_, _, lines) in LINTS.items() for line in lines])
def test_a_violation_is_found(name: str, line: str) -> None:
    assert list(LINTS[name][0](ast.parse(line)))
