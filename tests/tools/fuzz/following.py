"""The target of scripts that are followed: what is known of one however it is started holds for each way to start it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.reading import Unreadable
from fp8check.rules.reading.source import load
from fp8check.rules.settings.script import Unevaluated
from fp8check.rules.settings.script_known import Start, known
from fp8check.rules.settings.script_syntax import parse
from tests.tools.fuzz import cases
from tests.tools.fuzz.cases import Case, encoded
from tests.tools.fuzz.invariants import Broken
from tests.tools.fuzz.targets import Target, said

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fp8check.rules.settings.script import ScriptSource

GPUS = ("", "8.0", "9.0", "9.0 9.0", "10.0 8.0")


def following(case: Case, _folder: Path) -> Iterable[str]:
    """A script that is followed, with nothing known of its start and with all: literals that are known do not change."""
    try:
        script = parse(load("train.py", encoded(case.get("script", ""))))
        module = parse(load("beside.py", encoded(case.get("module", ""))), module=True)
    except Unreadable as problem:
        return (said(problem, "a script"),)
    if script is None:
        return ("no Python",)
    modules = () if module is None else (module,)
    words = tuple(case.get("words", "").split("\x1f"))
    lines = [line.partition("=") for line in case.get("variables", "").split("\n")]
    variables = {name: value for name, equals, value in lines if equals}
    gpus = tuple(case.get("gpus", "").split())
    plain = known(script, modules, Start())
    started = known(script, modules, Start(words, variables, gpus, counted=True, launched=bool(gpus), dotenv={}))
    if "argv" not in script.text and "parse" not in script.text:
        _agree(plain, started)
    return ("refused by its parser" if started.refused else "followed", f"{len(started.calls)} calls"[:8])


def _agree(plain: ScriptSource, started: ScriptSource) -> None:
    """Hold what is known of a call without its start against what is known with it.

    Raises:
        Broken: a literal is another one.
    """
    there = {(one.span.start, one.name): one for one in started.calls}
    for call in plain.calls:
        other = there.get((call.span.start, call.name))
        for name, one in call.keywords.items() if other is not None else ():
            two = other.keywords.get(name) if other is not None else None
            is_open = two is None or one.is_later or two.is_later
            if is_open or isinstance(one.value, Unevaluated) or isinstance(two.value, Unevaluated):  # type: ignore[union-attr]
                continue
            if one.value != two.value:  # type: ignore[union-attr]
                raise Broken("a literal hangs on how the script is started", f"{call.name}({name}=)")


def followed() -> Iterable[Case]:
    """Scripts of the corpus, and some whose values come from their words, their variables and a module."""
    yield from ({"script": one["script"]} for one in cases.runs() if "script" in one)
    makes = "Accelerator(mixed_precision={}, kwargs_handlers=handlers)\n"
    head = "import argparse, os\nfrom accelerate import Accelerator\nfrom accelerate.utils import AORecipeKwargs\n"
    for number, value in enumerate(
        ("args.precision", "os.environ.get('P', 'fp8')", "'fp8' if args.fp8 else 'bf16'", "PRECISION", "pick(args)")
    ):
        script = (
            f"{head}from beside import PRECISION, pick\nparser = argparse.ArgumentParser()\n"
            "parser.add_argument('--precision', default='fp8', choices=['fp8', 'bf16'])\n"
            "parser.add_argument('--fp8', action='store_true')\nargs = parser.parse_args()\n"
            "handlers = [AORecipeKwargs()] if args.fp8 else []\n"
            f"for _ in range({number}):\n    os.environ['ACCELERATE_DYNAMO_BACKEND'] = 'no'\n{makes.format(value)}"
        )
        module = "PRECISION = 'fp8'\ndef pick(args):\n    return args.precision if args.fp8 else PRECISION\n"
        yield {"script": script, "module": module, "words": "--precision\x1fbf16", "variables": "P=bf16", "gpus": "9.0"}


TARGETS = (
    Target(
        "following",
        {"script": "python", "module": "python", "words": "words", "variables": "lines", "gpus": GPUS},
        following,
        followed,
        1.5,
    ),
)
