"""`fp8check comment github|gitlab FOLDER`: what `fp8check ci` found, as the one comment on the pull or merge request.

The token is read from the variable FP8CHECK_CI_TOKEN, and what else is asked for from those that the site sets. The
exit code says nothing about the run: a comment that cannot be written is told, and changes no verdict.
"""

from __future__ import annotations

import os
import re

from fp8check.cli.ci import OUTPUTS, SUMMARY, could_not, say_alert
from fp8check.cli.options import Parser
from fp8check.cli.pull_requests import SITES, NoComment, put
from fp8check.cli.streams import say
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.plain_text import shown
from fp8check.rules.reading import Unreadable, files

_LARGEST = 1 << 20


def parser() -> Parser:
    """The options of the command."""
    made = Parser("fp8check comment", "The one comment of fp8check on the pull or merge request of a CI job.")
    made.add_argument("site", choices=tuple(SITES), help="the site that the request is on")
    made.add_argument("folder", metavar="FOLDER", help="where `fp8check ci --out` wrote")
    made.add_argument(
        "--name",
        metavar="NAME",
        default="",
        help="distinguishes it from the comments of other jobs on the same request",
    )
    return made


def comment(argv: list[str]) -> int:
    """Write the comment, change it, or leave it."""
    asked = parser().parse_args(argv)
    text = _read(asked.folder, SUMMARY) or could_not(["fp8check did not come to its end."])
    due = "told=false" not in _read(asked.folder, OUTPUTS).splitlines()
    try:
        done = put(SITES[asked.site](os.environ), mark_of(asked.name), text, due=due)
    except NoComment as problem:
        _say_why(problem, asked.site)
    else:
        say(f"fp8check: {done}\n")
    return ExitCode.OK


def mark_of(name: str) -> str:
    """What the comment is found by; nothing in it ends the HTML comment that it is."""
    return f"<!-- fp8check: {re.sub('[^A-Za-z0-9_.]+', '-', name)[:100].strip('-') or 'fp8check'} -->"


def _say_why(problem: NoComment, site: str) -> None:
    text = f"no comment was written: {problem}"
    if problem.expected or site != "github":
        say(f"fp8check: {shown(text)}\n")
    else:
        say_alert("fp8check", text, "warning")


def _read(folder: str, name: str) -> str:
    try:
        return files.read(os.path.join(folder, name), _LARGEST).decode("utf-8", "replace")
    except Unreadable:
        return ""
