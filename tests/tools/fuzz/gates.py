"""The targets of what people are stopped by: explain, the Markdown of a comment, the hook, and the job of CI with its comment."""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import TYPE_CHECKING
from unittest import mock

from fp8check.cli import commit, pull_requests
from fp8check.cli.comment import mark_of
from fp8check.rules.checking import trying
from fp8check.rules.checking.advising import advised
from fp8check.rules.checking.planning import plan_request
from fp8check.rules.checking.request import check_request
from fp8check.rules.checking.trying import Trials, sets
from fp8check.rules.input_error import InputError
from fp8check.rules.report import build, plan
from fp8check.rules.report.formats import Look, find
from fp8check.rules.report.line import concerns, explain_line, is_to_be_tried
from fp8check.rules.trainers.detect import read
from tests.tools.fuzz import cases, vocabulary
from tests.tools.fuzz.cases import FILES, Case, encoded
from tests.tools.fuzz.invariants import Broken, clean, exit_code, no_command, no_secret, place_in, report
from tests.tools.fuzz.targets import RUN, Target, configurations, request_of, run_command, said, sources_of, started

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from fp8check.rules.checking.request import Request
    from fp8check.rules.report.line import Tries

FEW_VALUES = 5  # of a line: an execution is to take a moment
LINES = tuple(str(number) for number in range(1, 25))
PLANS = 2


# explain


def explaining(case: Case, _folder: Path) -> Iterable[str]:
    """What becomes of a line: said in clean words, and never "nothing" where something tried has an effect."""
    labels: list[str] = []
    with mock.patch.object(trying, "MOST", FEW_VALUES):
        try:
            request = _with_shell(case)
            reports = advised(request, check_request(request)).reports
            trials = Trials(request)
            for at, examined in enumerate(reports[:2]):
                whole = build.full_report(examined)
                for document in examined.documents:
                    line = min(int(case.get("line") or 1), document.text.count("\n") + 1)
                    if not (concerns(whole, document, line) or sets(examined, document, line)):
                        continue
                    tries = trials.of(at, document, line) if is_to_be_tried(whole, document, line) else None
                    labels.append(_explained([*explain_line(whole, document, line, tries)], tries))
        except InputError as problem:
            return (said(problem, "explain"),)
    return labels or ("of no run",)


def _with_shell(case: Case) -> Request:
    request = request_of({name: text for name, text in case.items() if name != "shell"})
    if not case.get("shell"):
        return request
    (part,) = request.runs
    script = read("run.sh", encoded(case["shell"]))
    return request._replace(runs=(part._replace(documents=(script, *part.documents), launch=None),))


def _explained(said_: Sequence[str], tries: Tries | None) -> str:
    text = "\n".join(said_) + "\n"
    clean(text, "explain")
    no_command(text, "explain")
    no_secret(text, "explain")
    if any("\n" in line for line in said_):
        raise Broken("a line of explain that is two", text)
    nothing = any(line.startswith("  changes nothing here") for line in said_)
    if nothing and (tries is None or tries.changes or tries.why_not or not tries.effects):
        raise Broken("called without effect, and not all of it was tried", text)
    return "nothing" if nothing else "not known" if any("not known" in line for line in said_) else "told"


def explained_lines() -> Iterable[Case]:
    """Runs and shell scripts, with the number of a line."""
    every = [*cases.runs(), *({**one, "accelerate": "mixed_precision: fp8\n"} for one in started())]
    return [{**case, "line": LINES[number % len(LINES)]} for number, case in enumerate(every)]


# Markdown


def commenting(case: Case, _folder: Path) -> Iterable[str]:
    """The Markdown of some runs with their plans: it fits, and a site makes nothing of what files say."""
    try:
        request = request_of(case)
        found = advised(request, check_request(request))
    except InputError as problem:
        return (said(problem, "markdown"),)
    planned = plan_request(request, None, given=found.reports, states=6, plans=PLANS)
    reports = [build.full_report(one) for one in found.reports] * int(case.get("times") or 1)
    reports[:1] = [one._replace(plan=plan.plans_of(planned)) for one in reports[:1]]
    markdown = find("markdown")
    assert markdown is not None
    text = markdown.render(reports, sources_of(found.reports), Look(verbose=bool(case.get("look"))))
    report("markdown", text)
    no_secret(text, "markdown")
    told = "### " in text or text.startswith("#")
    if not told:
        raise Broken("Markdown without a heading", text[:200])
    return ("format:markdown", f"verdict:{found.reports[0].verdict}", f"behind:{bool(found.reports[0].later)}")


# The hook


class _Answers:
    """What git answers, from the words of a case."""

    def __init__(self, told: str) -> None:
        first, _, second = told.partition("\x1d")
        self._listed = self._names(first)
        self._changed = self._names(second)

    @staticmethod
    def _names(told: str) -> tuple[str, ...]:
        """Names as they come out of bytes: half of a surrogate pair is none that can be encoded."""
        return tuple(os.fsdecode(encoded(one)) for one in told.split("\x1f") if one)

    def asked(self, words: Sequence[str]) -> tuple[str, ...]:
        if "fatal" in self._listed[:1]:
            raise commit._Untold("fatal: \x1b[31mnot a repository\n::error::x")
        return self._listed if "ls-files" in words else self._changed


def hooking(case: Case, folder: Path) -> Iterable[str]:
    """The hook over a folder, whatever git says and whatever it is handed: silent where it passes, told where not."""
    names = {**FILES, "facts": "facts.json", "toml": "fp8check.toml", "shell": "run.sh", "below": "sub/fp8check.toml"}
    (folder / "sub").mkdir(exist_ok=True)
    for part, name in names.items():
        path = folder / name
        if case.get(part):
            path.write_bytes(encoded(case[part]))
        else:
            path.unlink(missing_ok=True)
    handed = [one for one in case.get("names", "").split("\x1f") if one and not one.startswith(_NEVER)]
    if case.get("there") != "no":  # as pre-commit hands them
        handed = [one for one in handed if "\0" not in one and os.path.lexists(os.path.join(folder, one))]
    words = ["--hook", *_OPTIONS[case.get("options") or ""]]
    words = ["fix", *words, "--diff", *handed] if case.get("fix") == "yes" else [*words, *handed]  # then all are files
    git = _Answers(case.get("git", ""))
    with (
        _inside(folder, {"PRE_COMMIT_FROM_REF": "", "PRE_COMMIT_TO_REF": ""}),
        mock.patch.object(commit, "_in_repository", return_value=bool(case.get("git"))),
        mock.patch.object(commit, "_asked", git.asked),
    ):
        code, out, err = run_command(words, b"")
    if code == 4:
        raise Broken(f"exit code 4: {place_in(err)}", err[-1500:])
    exit_code(code)
    shown = out.replace("\r\n", "\n") if "--diff" in words else out
    for text, where in ((shown, "standard output of the hook"), (err, "standard error of the hook")):
        clean(text, where)
        no_secret(text, where)
    no_command(err, "standard error of the hook")
    if code in (1, 2) and not (out.strip() or err.strip()):
        raise Broken(f"the hook stops a commit without a word: exit code {code}")
    return (f"exit:{code}",)


_NEVER = (
    "--python",
    "--probe",
    "--server",
    "--write-baseline",
    "--out",
    "--format",
    "--trust",
    "--plugin",
    "--no-",
    "-o",
)
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "": ("--no-environment",),
    "facts": ("--facts", "facts.json"),
    "github": ("--no-environment", "--format", "github"),
    "json": ("--no-environment", "--format", "json"),
    "strict": ("--no-environment", "--fail-on", "warning", "--require-evidence"),
    "plan": ("--no-environment", "--plan", "--format", "markdown"),
}


@contextlib.contextmanager
def _inside(folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        with mock.patch.dict(os.environ, variables):
            yield
    finally:
        os.chdir(before)


def hooks() -> Iterable[Case]:
    """Runs, with what git may say of them and what a hook may be handed."""
    handed = (
        "train.yaml\x1faccel.yaml",
        "accel.yaml",
        "run.sh",
        "facts.json",
        "ds.json",
        "--fail-on=never\x1ftrain.yaml",
    )
    tracked = "train.yaml\x1faccel.yaml\x1frun.sh\x1ftrain.py\x1fds.json\x1ffp8check.toml\x1fsub/fp8check.toml"
    said_of = (
        "",
        f"{tracked}\x1dM\x1ftrain.yaml",
        f"{tracked}\x1dD\x1fgone.yaml\x1fM\x1faccel.yaml",
        f"{tracked}\x1fa\x1b[2Jb.yaml\x1f../../etc/passwd\x1d\x1fA\x1f-",
        "fatal",
        f"{tracked}\x1dD\x1ftrain.yaml\x1fD\x1ffacts.json",
    )
    tomls = [one["toml"] for one in configurations() if "toml" in one]
    scripts = [one["shell"] for one in started()]
    found = []
    for number, case in enumerate(cases.runs()):
        made = {**case, "names": handed[number % len(handed)], "git": said_of[0 if number % 2 else number % 6]}
        if number % 3 == 0:
            made["toml"] = tomls[number % len(tomls)]
        if number % 4 == 0:
            made["shell"] = scripts[number % len(scripts)]
        if number % 11 == 0:
            made["below"] = tomls[(number // 11) % len(tomls)]
        found.append(made)
    return found


# The job of CI


class _Site:
    """A site that answers what a case says."""

    def __init__(self, told: str) -> None:
        try:
            answers = json.loads(told or "[]")
        except (ValueError, RecursionError):
            answers = []
        self._answers = answers if isinstance(answers, list) else [answers]
        self.asked: list[tuple[str, object]] = []

    def ask(self, method: str, _path: str, data: object = None) -> object:
        self.asked.append((method, data))
        if len(self.asked) > 300:
            raise Broken("a site that is asked without end")
        return self._answers[(len(self.asked) - 1) % len(self._answers)] if self._answers else []


_SITES = ("github", "gitlab")
_OUTPUT = re.compile(r"(verdict|errors|warnings|notes|undecided|sarif|upload|told)=[^\r\n]*")


def in_ci(case: Case, folder: Path) -> Iterable[str]:
    """The check of a job and its comment: outputs that no file can add to, a summary that is one, and one comment."""
    site = case.get("site") if case.get("site") in _SITES else "github"
    out = folder / "reports"
    for name in ("outputs", "summary.md"):
        (out / name).unlink(missing_ok=True)
    for part, name in (*FILES.items(), ("facts", "facts.json"), ("toml", "fp8check.toml"), ("event", "event.json")):
        path = folder / name
        if part in case:
            path.write_bytes(encoded(case[part]))
        else:
            path.unlink(missing_ok=True)
    files = [name for part, name in FILES.items() if part in case and part not in ("script", "model")]
    variables = {
        "FP8CHECK_CI_FILES": " ".join(files) if case.get("toml") is None else "",
        "FP8CHECK_CI_FACTS": "facts.json" if "facts" in case else "",
        "FP8CHECK_CI_REQUIRE": _environ(case.get("require", "")),
        "FP8CHECK_CI_FAIL_ON": case.get("fail on", ""),
        "FP8CHECK_CI_OPTIONS": "",
        "FP8CHECK_CI_TOKEN": "a-token",
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_API_URL": "https://localhost",
        "CI_API_V4_URL": "https://localhost",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_PROJECT_ID": "1",
    }
    with _inside(folder, variables):
        code, told, err = run_command(["ci", site, "--out", str(out)], b"")
        if code == 4:
            raise Broken(f"exit code 4: {place_in(err)}", err[-1500:])
        exit_code(code)
        answering = _Site(case.get("answers", ""))
        with mock.patch.object(pull_requests.Api, "ask", lambda _self, *words: answering.ask(*words)):
            after, said_, wrong = run_command(["comment", site, str(out), f"--name={case.get('job', '')}"], b"")
    report("github" if site == "github" and code != 2 else "text", told) if code != 2 else clean(told, "a refusal")
    for text in (err, said_, wrong):
        clean(text, "a stream of the job")
        no_secret(text, "a stream of the job")
    outputs = (out / "outputs").read_text(encoding="utf-8").splitlines()
    if any(_OUTPUT.fullmatch(line) is None for line in outputs) or len({*outputs}) != len(outputs):
        raise Broken("an output of the step that nobody named", str(outputs))
    if code != 0 and "told=true" not in outputs:
        raise Broken("a job that fails, and no comment says so", str(outputs))
    summary = (out / "summary.md").read_text(encoding="utf-8")
    report("markdown", summary)
    no_secret(summary, "the summary")
    _one_comment(after, answering, mark_of(case.get("job", "")), summary)
    return (f"exit:{code}", f"site:{site}", f"asked:{answering.asked[-1][0] if answering.asked else 'nothing'}")


def _one_comment(code: int, site: _Site, mark: str, summary: str) -> None:
    if code != 0:
        raise Broken(f"a comment that changes the exit code: {code}")
    written = [data for method, data in site.asked if method != "GET"]
    if len(written) > 1:
        raise Broken("more than one comment is written", str(len(written)))
    for data in written:
        body = data.get("body") if isinstance(data, dict) else None
        if not isinstance(body, str) or not body.startswith(f"{mark}\n") or summary.strip() not in body:
            raise Broken("a comment that is not the summary behind its mark", str(data)[:500])


def _environ(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def jobs() -> Iterable[Case]:
    """Runs, with what an event and a site may say."""
    pull = {"number": 3, "head": {"repo": {"full_name": "o/r"}}, "base": {"repo": {"full_name": "o/r"}}}
    fork = {**pull, "head": {"repo": {"full_name": "e/r", "fork": True}}}
    events = [json.dumps(one) for one in ({"pull_request": pull}, {"pull_request": fork}, {}, {"pull_request": 7})]
    mark = mark_of("")
    mine = {"id": 5, "body": f"{mark}\nold", "user": {"login": "github-actions[bot]"}, "author": {"id": 9}}
    other = {**mine, "id": 6, "user": {"login": "evil"}, "author": {"id": 8}}
    answers = [
        json.dumps(one) for one in ([{}, []], [{"id": 9}, [other, mine], {}], [{"login": "x"}, 7], [[], [other]])
    ]
    toml = '[[run]]\nfiles = ["train.yaml", "accel.yaml"]\n'
    return [
        {
            **case,
            "site": _SITES[number % 2],
            "event": events[number % 4],
            "answers": answers[number % 3],
            **({"toml": toml} if number % 5 == 0 else {}),
        }
        for number, case in enumerate(cases.runs())
    ]


_FILES = ("training", "accelerate", "deepspeed", "script", "facts")
_PARTS = {name: RUN[name] for name in (*_FILES, "launch", "trainer")}
TARGETS: tuple[Target, ...] = (
    Target("explain", {**_PARTS, "shell": "shell", "line": LINES}, explaining, explained_lines, 1.5),
    Target(
        "markdown",
        {**_PARTS, "variables": "lines", "look": ("", "verbose"), "times": ("", "2", "40")},
        commenting,
        share=1.5,
    ),
    Target(
        "hook",
        {
            **_PARTS,
            "shell": "shell",
            "toml": "toml",
            "below": "toml",
            "names": "words",
            "git": "words",
            "options": tuple(_OPTIONS),
            "fix": ("", "", "yes"),
            "there": ("", "", "", "no"),
        },
        hooking,
        hooks,
        1.5,
    ),
    Target(
        "ci",
        {
            **_PARTS,
            "toml": "toml",
            "event": "json",
            "answers": "json",
            "require": RUN["require"],
            "fail on": ("", "error", "warning", "never", "evil"),
            "site": _SITES,
            "job": ("", "fp8check", *vocabulary.HOSTILE[:20]),
        },
        in_ci,
        jobs,
        1.5,
        here=True,
    ),
)
