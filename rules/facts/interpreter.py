"""What an interpreter says of itself: its version and where it imports from."""

from __future__ import annotations

import sys

from fp8check.rules.facts.errors import BadInterpreter
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Starting Python takes a fraction of a second; on a slow network disk it has been seen to take several.
TIME_LIMIT_S = 30.0

_MARK = "fp8check-interpreter:"

# Not with -I: what the user's own site-packages and PYTHONPATH bring counts. The empty entry is the working directory.
_QUESTION = f"""
import json, sys
print("\\n{_MARK}" + json.dumps({{"python": "%d.%d.%d" % sys.version_info[:3], "path": sys.path}}))
"""


class Interpreter(Record):
    """An interpreter's version and its sys.path."""

    python: str
    path: tuple[str, ...]


def this_one() -> Interpreter:
    """The interpreter that fp8check runs in."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Interpreter(version, tuple(folder for folder in sys.path if folder))


def ask(python: str, environ: Mapping[str, str] | None = None, timeout_s: float = TIME_LIMIT_S) -> Interpreter:
    """Start another interpreter once and ask it; none of its packages is imported.

    Raises:
        BadInterpreter: it is missing, fails, or gives no answer in time.
    """
    import subprocess  # costs 10 ms

    command = [python, "-c", _QUESTION]
    try:
        done = subprocess.run(  # noqa: S603  running the interpreter that the user names is the task
            command, capture_output=True, timeout=timeout_s, env=environ, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BadInterpreter(python, f"gave no answer in {timeout_s:g} s") from error
    except (OSError, ValueError) as error:
        raise BadInterpreter(python, f"cannot be started: {error}") from error
    if done.returncode != 0:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise BadInterpreter(python, f"ended with {done.returncode}: {last[:200]}")
    return _answer(python, done.stdout.decode("utf-8", "replace"))


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
