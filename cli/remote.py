"""`fp8check --server URL FILE...`: a service checks the files; the report and the exit code are those of a local check.

What is sent: the files, those that they name on this machine (DeepSpeed, the model's config.json), and the facts, in
which credentials are masked. The token is read from the variable FP8CHECK_TOKEN, never from the command line.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from http import HTTPStatus
from http.client import HTTPException
from typing import NamedTuple
from urllib import error, request
from urllib.parse import urlsplit

from fp8check.cli.options import UsageError, names
from fp8check.cli.output import write_text
from fp8check.cli.requests import run_options, run_request
from fp8check.rules import facts as machine
from fp8check.rules import models
from fp8check.rules.checking.check import Request, runs_of
from fp8check.rules.checking.exit_codes import ExitCode, worst
from fp8check.rules.report.formats import find
from fp8check.rules.report.frames import visible
from fp8check.rules.report.seen import summary
from fp8check.rules.report.style import wants_color
from fp8check.rules.seen import from_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from email.message import Message
    from typing import Any

    from fp8check.cli.config import Config
    from fp8check.cli.requests import RunOptions
    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.report.formats import Format

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


def check_there(options: argparse.Namespace, config: Config, formats: Sequence[tuple[str, str | None]]) -> int:
    """Let the service check the runs, and print what it answers.

    Raises:
        UsageError, WrongFiles, Unreadable, BadFacts: the command line does not describe any run.
    """
    _refuse_what_stays_here(options, config)
    service = _Service(options.server, os.environ.get(TOKEN))
    bodies = [
        body
        for part in run_options(options, config)
        for body in _bodies(runs_of(Request((run_request(part),))), part, options, config)
    ]
    try:
        answers = [service.check(body, "json") for body in bodies]
        for name, target in formats:
            write_text(_rendered(name, target, service, bodies, [answer for answer, _ in answers]), target)
    except NotAnsweredError as problem:
        sys.stderr.write(f"fp8check: {problem}\n")
        return ExitCode.USAGE if problem.usage else ExitCode.INTERNAL_ERROR
    except OSError as problem:
        sys.stderr.write(f"fp8check: {problem}\n")
        return ExitCode.USAGE
    return worst([code for _, code in answers])


def _refuse_what_stays_here(options: argparse.Namespace, config: Config) -> None:
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


def _bodies(
    assembled: Sequence[Assembled], part: RunOptions, options: argparse.Namespace, config: Config
) -> list[dict[str, Any]]:
    """Requests: one for all runs, so that they are looked at together; one each where their models differ."""
    configs = {path for one in assembled if (path := _config_path(one)) is not None}
    groups = [assembled] if len(configs) <= 1 else [[one] for one in assembled]
    return [_body(group, part, options, config) for group in groups]


def _rendered(
    name: str, target: str | None, service: _Service, bodies: Sequence[dict[str, Any]], answers: Sequence[str]
) -> str:
    """The report in a format: text as the service prints it, the others from its JSON."""
    known = find(name)
    if known is None and not any(body["options"]["probe"] for body in bodies):
        painted = [{**body, "options": {**body["options"], **_color(body, target)}} for body in bodies]
        return "\n".join(service.check(body, "text")[0] for body in painted)
    sources = {file["name"]: file["text"] for body in bodies for file in body["files"]}
    reports = [report for answer in answers for report in _listed(answer)]
    if known is not None:
        return known.render(reports, sources)
    # A probe is not run again to have its report as text.
    lines = [
        f"probe of {visible(one['files'][0]['path'])}: {visible(summary(from_data(one['probe'])))}\n"
        for one in reports
        if one["probe"] is not None
    ]
    return _format("concise").render(reports, sources) + "".join(lines)


def _format(name: str) -> Format:
    found = find(name)
    if found is None:
        raise UsageError(f"no such format: {name}")
    return found


def _listed(answer: str) -> list[dict[str, Any]]:
    """The reports of an answer: one, or a list of several runs."""
    data = json.loads(answer)
    return data if isinstance(data, list) else [data]


def _color(body: Mapping[str, Any], target: str | None) -> dict[str, bool]:
    choice = "never" if target is not None and body["options"]["color"] == "auto" else body["options"]["color"]
    return {"color": wants_color(sys.stdout, choice)}


def _body(group: Sequence[Assembled], part: RunOptions, options: argparse.Namespace, config: Config) -> dict[str, Any]:
    """Some runs as the service takes them."""
    run = group[0].run
    documents = {document.path: document.text for one in group for document in one.documents}
    path = next(filter(None, map(_config_path, group)), None)
    if path is not None:
        with open(path, encoding="utf-8", errors="replace") as file:
            documents[path] = file.read(_LARGEST_CONFIG)
    chosen: dict[str, Any] = {
        "launch": part.launch,
        "trainer": part.trainer,
        "environment": False,
        "select": list(names(options.select) or names(config.select)),
        "ignore": [*names(options.ignore), *names(config.ignore)],
        "fail_on": options.fail_on or config.fail_on or "error",
        "require_evidence": options.require_evidence,
        "quiet": options.quiet,
        **({"verbose": True} if options.verbose else {}),  # an older service does not know it
        "color": options.color,
        "probe": options.probe is not None,
    }
    body: dict[str, Any] = {
        "files": [{"name": name, "text": text} for name, text in documents.items()],
        "options": chosen,
    }
    if run.facts.source != "nothing":
        body["facts"] = machine.dump(run.facts)
    elif run.facts.variables:
        chosen["variables"] = run.facts.variables
    return body


def _config_path(one: Assembled) -> str | None:
    """The model's config.json, where this machine has it."""
    training = one.run.training
    if training.model is None:
        return None
    base = os.path.dirname(training.path or "") or "."
    return models.config_file(training.model, base=base, environ=one.run.facts.variables or {})


class _Stay(request.HTTPRedirectHandler):
    """Follows no redirection: it would carry the token, and the files, to another place."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        """Refuse."""


class _Service:
    """The service at a URL."""

    def __init__(self, url: str, token: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"--server takes a URL such as https://fp8check.example.org, not {url!r}")
        if token is not None and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise UsageError(f"the token would travel unencrypted: use https for {parts.hostname}, or unset {TOKEN}")
        self._url = url.rstrip("/")
        self._token = token
        self._opener = request.build_opener(_Stay())

    def check(self, body: Mapping[str, Any], format_: str) -> tuple[str, int]:
        """The report of one run in a format, and the exit code.

        Raises:
            NotAnsweredError: the service refused, failed or was not reached.
        """
        options = {**body["options"], "color": body["options"]["color"] is True}
        content = json.dumps({**body, "options": options}).encode()
        # A probe: a key, so that a retry on the way starts no second one, and the report where it is there in time.
        more = {"Idempotency-Key": uuid.uuid4().hex, "Prefer": "wait=60"} if options["probe"] else {}
        answer = self._ask(f"/check?format={format_}", content, more)
        if answer.status == HTTPStatus.ACCEPTED:
            answer = self._ask(f"{self._wait(answer)}?format={format_}")
        return answer.text, int(answer.headers["FP8check-Exit-Code"])

    def _wait(self, accepted: _Answer) -> str:
        """Wait until a probe has ended; returns where its report is."""
        while True:
            job = json.loads(accepted.text)
            if job["state"] not in ("queued", "running"):
                break
            sys.stderr.write(f"fp8check: the probe is {job['state']} ...\n")
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
