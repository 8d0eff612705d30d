"""`fp8check --server URL FILE...`: a service checks the files; the report and the exit code are those of a local check.

What is sent: the files, those that they name on this machine (DeepSpeed, the model's config.json), and the facts, in
which credentials are masked. The token is read from the variable FP8CHECK_TOKEN, never from the command line.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from http import HTTPStatus
from http.client import HTTPException
from typing import NamedTuple
from urllib import error, request
from urllib.parse import quote, urlsplit

from fp8check.cli.options import UsageError, names
from fp8check.cli.output import discreet, quotable, rendered, write_text
from fp8check.cli.requests import required, run_options, run_request
from fp8check.cli.stay import Stay
from fp8check.cli.streams import complain
from fp8check.rules import facts as machine
from fp8check.rules import models
from fp8check.rules.checking.exit_codes import ExitCode, worst
from fp8check.rules.checking.request import Request, runs_of
from fp8check.rules.credentials import MASK, is_secret, masked
from fp8check.rules.plain_text import shown
from fp8check.rules.reading import Unreadable, files
from fp8check.rules.record import Record
from fp8check.rules.report.formats import find
from fp8check.rules.report.stored import BadReport, all_from_data
from fp8check.rules.trainers.detect import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from email.message import Message

    from fp8check.cli.config import Config
    from fp8check.cli.options import Options
    from fp8check.cli.requests import RunOptions
    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.report.schema import Report

TOKEN = "FP8CHECK_TOKEN"  # noqa: S105  the name of the variable
_TIMEOUT_S = 90
_POLL_S = 3
_LARGEST_CONFIG = 1024 * 1024  # as rules/models/find.py
_LARGEST_ANSWER = 64 * 1024 * 1024


class NotAnsweredError(Exception):
    """The service refused, failed or was not reached. `usage`: whether the caller can fix it."""

    def __init__(self, message: str, *, usage: bool) -> None:
        super().__init__(message)
        self.usage = usage


def check_there(options: Options, config: Config, formats: Sequence[tuple[str, str | None]]) -> int:
    """Let the service check the runs, and print what it answers.

    Raises:
        UsageError, WrongFiles, Unreadable, BadFacts: the command line does not describe any run.
    """
    _refuse_what_stays_here(options, config)
    service = Service(options.server, os.environ.get(TOKEN))
    bodies = [
        body
        for part in run_options(options, config)
        for body in _bodies(runs_of(Request((run_request(part),))), part, options, config)
    ]
    try:
        answers = [service.check(body) for body in bodies]
        reports = [report for answer in answers for report in answer.reports]
        may = quotable(options, config).may
        sources = {name: text for body in bodies for name, text in body.files.items() if may(name)}
        for name, target in formats:
            format_ = find(name)
            if format_ is not None:
                write_text(rendered(format_, target, reports, sources, options), target, format_.syntax)
    except NotAnsweredError as problem:
        complain(f"fp8check: {shown(str(problem))}\n")
        return ExitCode.USAGE if problem.usage else ExitCode.INTERNAL_ERROR
    except OSError as problem:
        complain(f"fp8check: {shown(str(problem))}\n")
        return ExitCode.USAGE
    return worst([answer.code for answer in answers])


def _refuse_what_stays_here(options: Options, config: Config) -> None:
    """Plug-ins, baselines and suppressions of a configuration are this machine's; the report would be another."""
    local = {
        "plug-ins": bool(config.plugins or options.plugin),
        "a baseline": bool(config.baseline or options.baseline or options.write_baseline),
        "[[suppress]] of a configuration": bool(config.suppressions),
        "--hook": options.hook,
        "--probe=emulate": options.probe == "emulate",
    }
    named = [name for name, there in local.items() if there]
    if named:
        raise UsageError(f"--server does not go with {', '.join(named)}: the service does not have them (--no-config)")


class _Body(Record):
    """What is sent: some runs as the service takes them.

    Attributes:
        files: the text of each by its name.
        facts: a facts.json; None where nothing is known of the machine.
    """

    files: Mapping[str, str]
    options: Mapping[str, object]
    facts: str | None

    @property
    def probes(self) -> bool:
        """Whether it asks for a probe."""
        return bool(self.options["probe"])

    def content(self) -> bytes:
        """The body as JSON."""
        files = [{"name": name, "text": text} for name, text in self.files.items()]
        facts = {} if self.facts is None else {"facts": self.facts}
        return json.dumps({"files": files, "options": self.options, **facts}).encode()


def _bodies(assembled: Sequence[Assembled], part: RunOptions, options: Options, config: Config) -> list[_Body]:
    """Requests: one for all runs, so that they are looked at together; one each where their models differ."""
    configs = {path for assembled_run in assembled if (path := _config_path(assembled_run)) is not None}
    groups = [assembled] if len(configs) <= 1 else [[assembled_run] for assembled_run in assembled]
    return [_body(group, part, options, config) for group in groups]


def _body(group: Sequence[Assembled], part: RunOptions, options: Options, config: Config) -> _Body:
    facts = group[0].run.facts
    may = quotable(options, config).may  # no server is sent what no report may quote
    documents = {
        document.path: discreet(document)
        for assembled in group
        for document in assembled.documents
        if may(document.path)
    }
    path = next(filter(None, map(_config_path, group)), None)
    if path is not None:
        content = files.read(path, _LARGEST_CONFIG)
        if _is_model(path, content):  # model_name_or_path can lead to a config.json of something else
            documents[path] = content.decode("utf-8", "replace")
    known = facts.source != "nothing"
    variables = {name: MASK if is_secret(name, value) else value for name, value in (facts.variables or {}).items()}
    chosen = {
        "launch": masked(part.launch) if part.launch else None,
        "trainer": part.trainer,
        "environment": False,
        "select": list(names(options.select) or names(config.select)),
        "ignore": [*names(options.ignore), *names(config.ignore)],
        "fail_on": options.fail_on or config.fail_on or "error",
        "require_evidence": options.require_evidence,
        "require": [requirement.text for requirement in required(options, config)],
        "probe": options.probe is not None,
        "plan": options.plan,
        **({"variables": variables} if variables and not known else {}),
    }
    return _Body(documents, chosen, machine.dump(facts) if known else None)


def _config_path(assembled: Assembled) -> str | None:
    """The model's config.json, where this machine has it."""
    training = assembled.run.training
    if training.model is None:
        return None
    base = os.path.dirname(training.path or "") or "."
    return models.config_file(training.model, base=base, environ=assembled.run.facts.variables or {})


def _is_model(path: str, content: bytes) -> bool:
    try:
        return read(path, content).kind == "model"
    except Unreadable:
        return False


class Service:
    """The service at a URL."""

    def __init__(self, url: str, token: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"--server takes a URL such as https://fp8check.example.org, not {url!r}")
        if token is not None and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise UsageError(f"the token would travel unencrypted: use https for {parts.hostname}, or unset {TOKEN}")
        self._url = url.rstrip("/")
        self._token = token
        self._opener = request.build_opener(Stay())

    def check(self, body: _Body) -> _Checked:
        """The reports of some runs, and the exit code.

        Raises:
            NotAnsweredError: the service refused, failed or was not reached.
        """
        # A probe: a key, so that a retry on the way starts no second one, and the report where it is there in time.
        more = {"Idempotency-Key": uuid.uuid4().hex, "Prefer": "wait=60"} if body.probes else {}
        answer = self._ask("/check?format=json", body.content(), more)
        if answer.status == HTTPStatus.ACCEPTED:
            answer = self._ask(f"{self._wait(answer)}?format=json")
        try:
            return _Checked(all_from_data(json.loads(answer.text)), int(answer.headers["FP8check-Exit-Code"]))
        except (BadReport, ValueError, TypeError) as problem:
            words = f"what {self._url} answered cannot be read: {problem}. Nothing was decided"
            raise NotAnsweredError(words, usage=False) from None

    def tell(self, job: str, content: bytes) -> str:
        """Report what a node tells; returns where all nodes of the job are.

        Raises:
            NotAnsweredError: the service refused, failed or was not reached.
        """
        path = f"/nodes/{quote(job, safe='')}"
        self._ask(path, content)
        return f"{self._url}{path}"

    def _wait(self, accepted: _Answer) -> str:
        """Wait until a probe has ended; returns where its report is."""
        while True:
            job = json.loads(accepted.text)
            if job["state"] not in ("queued", "running"):
                break
            complain(f"fp8check: the probe is {shown(str(job['state']))} ...\n")
            time.sleep(_POLL_S)
            accepted = self._ask(f"/jobs/{job['id']}")
        if job["report"] is None:
            raise NotAnsweredError(f"the probe is {job['state']}: {job['note']}", usage=False)
        return f"/checks/{job['report'].rpartition('/')[2]}"

    def _ask(self, path: str, content: bytes | None = None, more: Mapping[str, str] | None = None) -> _Answer:
        headers = {"Content-Type": "application/json", **(more or {})}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        asked = request.Request(self._url + path, content, headers)  # noqa: S310  http and https only, see above
        try:
            with self._opener.open(asked, timeout=_TIMEOUT_S) as answer:
                text = answer.read(_LARGEST_ANSWER).decode("utf-8", "replace")
                return _Answer(answer.status, text, answer.headers)
        except error.HTTPError as refused:
            with refused:
                raise NotAnsweredError(_said(refused), usage=refused.code < 500) from None
        except (OSError, HTTPException) as failed:
            reason = getattr(failed, "reason", failed)
            raise NotAnsweredError(f"{self._url} did not answer: {reason}. Nothing was decided", usage=False) from None


class _Checked(NamedTuple):
    """What a check came to."""

    reports: list[Report]
    code: int


class _Answer(NamedTuple):
    """What the service answered."""

    status: int
    text: str
    headers: Message


def _said(refused: error.HTTPError) -> str:
    """What a problem says."""
    try:
        problem = json.loads(refused.read(1_000_000))
        return f"{problem['detail']} ({problem['title']}; HTTP {refused.code})"
    except (ValueError, KeyError, TypeError):
        return f"the service answered HTTP {refused.code}, and no problem that can be read"
