"""`fp8check ci github|gitlab`: the check of a CI job, as action.yml and templates/fp8check.yml start it.

It is `fp8check` with the reports that the site takes. What the author of the job wrote comes in variables; words are
quoted as for a shell, and no shell sees them:

    FP8CHECK_CI_FILES         the files; without, the runs of fp8check.toml
    FP8CHECK_CI_FACTS         as --facts; so FP8CHECK_CI_CONFIG and FP8CHECK_CI_FAIL_ON
    FP8CHECK_CI_REQUIRE       as --require, each a word
    FP8CHECK_CI_OPTIONS       further options
    FP8CHECK_CI_ENVIRONMENT   true: this machine is the one that trains; else nothing is looked at here

In the folder of --out stand then the reports; summary.md, which is the summary of the step and the comment; and
outputs, a NAME=VALUE a line: verdict (error where no check could be made), the numbers of findings, the SARIF file,
upload (whether the token of the job may upload it), and told (whether a comment is due).
"""

from __future__ import annotations

import json
import os

from fp8check.cli import pull_requests
from fp8check.cli.check import check_options
from fp8check.cli.check import parser as check_parser
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.streams import say_exactly
from fp8check.rules import writing
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.checking.verdict import FAIL_ON
from fp8check.rules.credentials import masked
from fp8check.rules.input_error import InputError
from fp8check.rules.plain_text import plain
from fp8check.rules.reading import files
from fp8check.rules.report.github import alert
from fp8check.rules.report.markdown import fenced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.cli.options import Options

SARIF = "fp8check.sarif"
SUMMARY = "summary.md"
OUTPUTS = "outputs"
# What each site takes: standard output, and files.
FORMATS = {
    "github": ("github", f"sarif={SARIF}", f"markdown={SUMMARY}"),
    "gitlab": (
        "text",
        "gitlab=gl-code-quality-report.json",
        "junit=junit.xml",
        f"sarif={SARIF}",
        f"markdown={SUMMARY}",
    ),
}
_LARGEST_SARIF = 1 << 30  # of our own, with 25,000 results at most
_LEVELS = {"error": "errors", "warning": "warnings", "note": "notes"}


def parser() -> Parser:
    """The options of the command."""
    made = Parser("fp8check ci", "The check of a CI job: action.yml and templates/fp8check.yml start it.")
    made.add_argument("site", choices=tuple(FORMATS), help="the site that runs the job")
    made.add_argument("--out", metavar="FOLDER", required=True, help="folder for its reports")
    return made


def ci(argv: list[str]) -> int:
    """Check what the variables of the job name, and write the reports that its site takes."""
    asked = parser().parse_args(argv)
    os.makedirs(asked.out, exist_ok=True)
    upload = asked.site != "github" or not pull_requests.is_from_a_fork(os.environ)
    try:
        code = check_options(_options(os.environ, FORMATS[asked.site], asked.out))
        outputs = list(_outputs(asked.out, code, upload=upload))
    except Exception as problem:
        _tell(problem, asked.site, asked.out)
        raise
    _write(asked.out, OUTPUTS, "".join(f"{name}={value}\n" for name, value in outputs))
    return code


def _options(variables: Mapping[str, str], formats: tuple[str, ...], out: str) -> Options:
    """What `fp8check` would be called with.

    Raises:
        UsageError: it cannot be understood.
    """
    given = {name: variables.get(f"FP8CHECK_CI_{name}", "").strip() for name in _VARIABLES}
    options = check_parser().parse_args(_words(given["OPTIONS"]))
    for name in ("hook", "write_baseline", "server"):
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} is nothing for a job of CI")
    if given["FAIL_ON"] and given["FAIL_ON"] not in FAIL_ON:
        raise UsageError(f"fail-on is {', '.join(FAIL_ON)}, not {given['FAIL_ON']}")
    there = [one.replace("=", f"={os.path.join(out, '')}", 1) for one in formats]
    here = given["ENVIRONMENT"] == "true"
    return options.replaced(
        files=[*options.files, *_words(given["FILES"])],
        format=[*there, *options.format],
        require=[*options.require, *_words(given["REQUIRE"])],
        facts=[given["FACTS"]] if given["FACTS"] else options.facts,
        config=given["CONFIG"] or options.config,
        fail_on=given["FAIL_ON"] or options.fail_on,
        plan=options.plan or "few",
        elsewhere=not here,
    )


_VARIABLES = ("FILES", "FACTS", "CONFIG", "FAIL_ON", "REQUIRE", "OPTIONS", "ENVIRONMENT")


def _words(text: str) -> list[str]:
    import shlex

    try:
        return shlex.split(text)
    except ValueError as problem:
        raise UsageError(f"{str(problem).lower()} in {text}") from None


def _outputs(out: str, code: int, *, upload: bool) -> Iterator[tuple[str, object]]:
    """What the other steps of the job may ask for; the numbers are those of the SARIF log, each finding once."""
    (run,) = json.loads(files.read(os.path.join(out, SARIF), _LARGEST_SARIF))["runs"]
    verdict = run["properties"]["verdict"]
    found = [
        one["level"] for one in run["results"] if "suppressions" not in one and one.get("baselineState") != "unchanged"
    ]
    undecided = {
        rule
        for one in run["invocations"]
        for note in one["toolExecutionNotifications"]
        for rule in note.get("properties", {}).get("rules", ())
    }
    yield "verdict", "error" if code == ExitCode.INTERNAL_ERROR else verdict
    for level, name in _LEVELS.items():
        yield name, found.count(level)
    yield "undecided", len(undecided)
    yield "sarif", os.path.abspath(os.path.join(out, SARIF))
    yield "upload", str(upload).lower()
    yield "told", str(code != ExitCode.OK or verdict in {"fail", "warn"}).lower()


def _tell(problem: Exception, site: str, out: str) -> None:
    """That no check could be made, wherever its result would stand."""
    lines = [f"fp8check failed by itself ({type(problem).__name__}). The log has the lines to report."]
    if isinstance(problem, InputError):
        lines = [str(problem), *([problem.hint] if problem.hint else ())]
    elif isinstance(problem, OSError):
        lines = [f"{problem.filename}: {(problem.strerror or '').lower()}"]
    if site == "github":
        say_alert("fp8check could not check", "\n".join(lines))
    _write(out, SUMMARY, plain(masked(could_not(lines))))  # a comment is read by more people than a log
    _write(out, OUTPUTS, "verdict=error\ntold=true\n")


def say_alert(title: str, text: str, kind: str = "error") -> None:
    """An annotation that is no finding."""
    say_exactly(plain(masked(alert(title, text, kind)), annotations=True))


def could_not(lines: list[str]) -> str:
    """The summary of a check that could not be made."""
    return f"### fp8check could not check: nothing was decided\n\n{fenced(lines)}"


def _write(out: str, name: str, text: str) -> None:
    writing.write(os.path.join(out, name), text.encode())
