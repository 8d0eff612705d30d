"""What an interpreter says of itself: its version and where it imports from."""

from __future__ import annotations

import os

from fp8check.rules.facts.data import Interpreter
from fp8check.rules.facts.errors import BadInterpreter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Starting Python takes a fraction of a second; on a slow network disk it has been seen to take several.
TIME_LIMIT_S = 30.0

_MARK = "fp8check-interpreter:"

_QUESTION = f"""
import json, sys
print("\\n{_MARK}" + json.dumps({{"python": "%d.%d.%d" % sys.version_info[:3], "path": sys.path}}))
"""


def ask(python: str, environ: Mapping[str, str] | None = None, timeout_s: float = TIME_LIMIT_S) -> Interpreter:
    """Start another interpreter once and ask it; none of its packages is imported.

    Args:
        python: its file; a name without a folder is looked for on PATH.
        environ: the variables of which it gets those that another program may have; this process's where it is None.
        timeout_s: the seconds after which it is ended.

    Raises:
        BadInterpreter: it is missing, fails, prints without an end, or gives no answer in time.
    """
    from fp8check.rules.child import environment
    from fp8check.rules.child import python as child
    from fp8check.rules.child.run import run
    from fp8check.rules.child.supervised import NotStarted

    allowed = environment.own(os.environ if environ is None else environ)
    try:
        ended = run(child.training(python, _QUESTION), limit_s=timeout_s, environ=allowed)
    except NotStarted as error:
        raise BadInterpreter(python, f"cannot be started: {error}") from error
    if ended.why:
        raise BadInterpreter(python, ended.why)
    if (ended.how, ended.code) != ("exit", 0):
        last = ended.errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        how = "was killed by signal" if ended.how == "signal" else "ended with"
        raise BadInterpreter(python, f"{how} {ended.code}: {last[:200]}")
    return _answer(python, ended.output.decode("utf-8", "replace"))


def _answer(python: str, output: str) -> Interpreter:
    """The marked line; what a sitecustomize prints around it does not matter."""
    line = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise BadInterpreter(python, "not a Python interpreter: it printed no answer")
    try:
        import json

        content = json.loads(line[len(_MARK) :])
        return Interpreter(str(content["python"]), tuple(str(folder) for folder in content["path"] if folder))
    except (ValueError, TypeError, KeyError) as error:
        raise BadInterpreter(python, "printed something else than was asked") from error
