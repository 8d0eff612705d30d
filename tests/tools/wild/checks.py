"""What fp8check says of every file of a checkout, of every pair, and as a hook."""

from __future__ import annotations

import contextlib
import gc
import os
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, NamedTuple

from fp8check.cli.main import main as command
from fp8check.rules.checking.api import check
from fp8check.rules.facts import Facts
from fp8check.rules.input_error import InputError
from tests.tools.corpus import FACTORY_NODE, NODE
from tests.tools.wild.checkouts import CHECKED, CONFIGURED, Documents, Pair, by_folders, by_keys, files, unique
from tests.tools.wild.launch_lines import documented

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# pre-commit hands a hook as many names as a command line takes; the rest goes to the next call.
_HOOK_FILES = 400
UNKNOWN = Facts()


class Said(NamedTuple):
    """One thing that fp8check says.

    Attributes:
        what: "file", "pair" or "hook".
        subject: the files, as paths from the root of the checkout.
        rule: of a finding; "refused" (no run is made of it), "crash", "printed" (a line of a hook) or "undecided".
        level: of a finding; else "".
    """

    repository: str
    what: str
    subject: str
    rule: str
    level: str
    line: int
    message: str


class Surveyed(NamedTuple):
    """One checkout: how much was looked at, and what was said."""

    repository: str
    files: int
    pairs: tuple[Pair, ...]
    said: tuple[Said, ...]


def survey(root: Path, *, scripts: bool = True) -> Surveyed:
    """Every file, every pair and the hook, over one checkout. The working directory is that of the checkout then.

    Args:
        scripts: whether Python files are looked at, each as the script of a run of its own.
    """
    home = os.getcwd()
    os.chdir(root)
    try:
        names = [name for name in files(root, CHECKED) if scripts or not name.endswith(".py")]
        pairs = pairs_of(root)
        said = [*_files(root.name, names), *_pairs(root.name, pairs), *_hook(root)]
    finally:
        os.chdir(home)
    return Surveyed(root.name, len(names), tuple(pairs), tuple(said))


def pairs_of(root: Path) -> list[Pair]:
    """The pairs of a checkout, the documented ones first."""
    documents = Documents(root)
    return unique([*documented(documents), *by_keys(documents), *by_folders(documents)])


def _files(repository: str, names: Sequence[str]) -> Iterator[Said]:
    for name in names:
        yield from _said(repository, "file", (name,), UNKNOWN)


def _pairs(repository: str, pairs: Sequence[Pair]) -> Iterator[Said]:
    for pair in pairs:
        for facts in (UNKNOWN, machine_of(pair)):
            yield from _said(repository, "pair", (pair.training, pair.other), facts, pair.launch)


def machine_of(pair: Pair) -> Facts:
    """A node of today on which the pair's trainer is installed."""
    return FACTORY_NODE if "llama" in (pair.launch or pair.training).lower() else NODE


def _said(
    repository: str, what: str, subject: tuple[str, ...], facts: Facts, launch: str | None = None
) -> Iterator[Said]:
    name = " + ".join(subject)
    try:
        checked = check(*subject, facts=facts, launch=launch)
    except InputError as error:
        yield Said(repository, what, name, "refused", "", 0, str(error).splitlines()[0])
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what this looks for
        yield Said(repository, what, name, "crash", "", 0, f"{type(error).__name__}: {error}")
        return
    for report in checked.reports:
        for finding in report.findings:
            line = finding.span.line if finding.span is not None else 0
            yield Said(repository, what, name, finding.rule, finding.severity, line, finding.message)
        for crash in report.crashes:
            yield Said(repository, what, name, "crash", "", 0, f"{crash.rule}: {crash.error}")


def _hook(root: Path) -> Iterator[Said]:
    """The hook as pre-commit calls it: what it prints of all files together, and its exit codes."""
    names = [*files(root, CONFIGURED)]
    for start in range(0, len(names), _HOOK_FILES):
        some = names[start : start + _HOOK_FILES]
        code, out, err = _run(["--hook", "--no-environment", "--no-config", *some])
        printed = [line for line in (out + err).splitlines() if not line.strip() or "fp8check" in line]
        for line in printed:
            yield Said(root.name, "hook", "", "printed", "", 0, line)
        if code:
            yield Said(root.name, "hook", "", f"exit {code}", "", 0, "")


def _run(words: Sequence[str]) -> tuple[int, str, str]:
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", errors="replace", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command([*words])
    gc.enable()  # the command ends its process, and does without
    out.seek(0)
    err.seek(0)
    return code, out.read(), err.read()
