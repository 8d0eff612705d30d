"""What launching costs on this host, measured in a process of its own: for facts.json (child/launching.py)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fp8check.rules.child import environment
from fp8check.rules.child import python as child
from fp8check.rules.child.run import run
from fp8check.rules.child.supervised import NotStarted
from fp8check.rules.facts.errors import BadInterpreter

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT_S = 90.0  # nearly all of it imports of torch on a slow disk
CODE = """
import runpy, sys
import torch
if not torch.cuda.is_available():
    sys.exit("torch sees no GPU")
torch.zeros(1, device="cuda")
print(repr(runpy.run_path(sys.argv[1])["launch_ms"](torch)))
"""


def launch_cost(python: str, environ: Mapping[str, str] | None = None) -> tuple[float | None, str]:
    """Milliseconds of a decoder layer, or None and why there are none.

    Args:
        python: the interpreter that trains.
        environ: the variables of which it gets those that another program may have; this process's where it is None.

    Raises:
        BadInterpreter: the interpreter cannot be started.
    """
    words = child.training(python, CODE, str(Path(__file__).parent / "child" / "launching.py"))
    try:
        ended = run(words, limit_s=LIMIT_S, environ=environment.own(os.environ if environ is None else environ))
    except NotStarted as error:
        raise BadInterpreter(python, f"cannot be started: {error}") from error
    said = ended.output.decode("utf-8", "replace").strip().rpartition("\n")[2]
    try:
        measured = float(said) if (ended.how, ended.code) == ("exit", 0) else 0.0
    except ValueError:
        measured = 0.0
    if measured > 0:
        return round(measured, 3), ""
    told = ended.errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return None, ended.why or told[:300] or "it ended without an answer"
