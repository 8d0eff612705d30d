"""The targets of the service: bodies by themselves, and requests to the whole application in this process."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from functools import cache
from typing import TYPE_CHECKING

from fp8check.rules.facts import Facts
from fp8check.rules.nodes.hosts import is_host
from fp8check.rules.report.formats import FORMATS
from fp8check.service import checking, fleets
from fp8check.service.application import create_app
from fp8check.service.bodies import from_json
from fp8check.service.check_request import loads
from fp8check.service.problems import Problem
from fp8check.service.settings import Settings
from tests.tools.fuzz import cases
from tests.tools.fuzz.cases import Case, encoded
from tests.tools.fuzz.invariants import Broken, clean, no_secret, page, report
from tests.tools.fuzz.targets import NAMES, Target, told_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from starlette.types import ASGIApp, Message

    from fp8check.service.check_request import CheckRequest

BOUNDARY = "----fp8check"
_PLANNING_S = 1.0
_REFUSALS = (400, 401, 403, 404, 405, 406, 408, 409, 411, 413, 415, 421, 422, 429, 431, 501, 503)


def bodies(case: Case, _folder: Path) -> Iterable[str]:
    """A JSON body: a check that is answered in a format, or a problem with a status of 4xx."""
    content = encoded(case.get("body", ""))
    name = case.get("format") or "json"
    try:
        request = from_json(content)
        if loads(request.dumped()) != request:
            raise Broken("a request that reads otherwise than it was dumped")
        answer = checking.answer(request, Facts, name)
    except Problem as problem:
        if problem.status not in _REFUSALS:
            raise Broken(f"status {problem.status}", str(problem)) from None
        return ("refused",)
    if answer.counts.crashes:
        raise Broken("a rule failed in the service", json.dumps(json.loads(answer.report))[:1500])
    text = answer.body.decode("utf-8")
    report(name, text, painted=request.options.color)
    report("json", answer.report.decode("utf-8"))
    if case.get("plan") == "yes":
        return (*_planned(request), f"verdict:{answer.counts.verdict}")
    return (f"format:{name}", f"verdict:{answer.counts.verdict}")


def telling(case: Case, _folder: Path) -> Iterable[str]:
    """Bodies of POST /nodes/{job}: refused, or stored and answered for; a node without a pass is no pass in the answer."""
    stored, labels = [], []
    for name in ("body", "other"):
        try:
            stored.append(fleets.told_by(encoded(case.get(name, ""))))
            labels.append("told")
        except Problem as problem:
            if problem.status not in _REFUSALS:
                raise Broken(f"status {problem.status}", str(problem)) from None
            labels.append("refused")
    for one in stored:
        if not is_host(one.host):
            raise Broken("a node that is called as no node is", one.host)
        no_secret(one.told, "what is stored of a node")
    if len({one.host for one in stored}) < len(stored):
        stored = stored[-1:]  # the last report of a node takes the place of the first
    if not stored:
        return labels
    formats = ("json", "text", None)
    for format_, name in zip(formats, ("nodes, JSON", "nodes, text", "nodes, page"), strict=True):
        answer = fleets.answered([one.told for one in stored], len(case.get("body", "")) % 4 or None, format_)
        text = answer.body.decode("utf-8")
        clean(text, name)
        no_secret(text, name)
        if format_ == "json":
            json.loads(text)
        if answer.verdict in ("pass", "warn") and any(one.verdict not in ("pass", "warn") for one in stored):
            raise Broken("a pass with a node that has none", answer.verdict)
    return [*labels, f"verdict:{answer.verdict}"]


def node_bodies() -> Iterable[Case]:
    """Reports of nodes that are alike, and of odd ones."""
    return [{"body": case["node"], "other": case["other"]} for case in told_nodes()]


def _planned(request: CheckRequest) -> Iterable[str]:
    """What POST /plan answers."""
    labels = []
    for name in ("json", "text"):
        found = checking.plan(request, Facts, name, _PLANNING_S)
        text = found.body.decode("utf-8")
        clean(text, f"a plan as {name}", painted=request.options.color and name == "text")
        no_secret(text, f"a plan as {name}")
        labels.append(f"plan:{found.reached}")
    return labels


def body_cases() -> Iterable[Case]:
    """Bodies made of the runs."""
    found = []
    for number, case in enumerate(cases.runs()):
        body: dict[str, object] = {
            name: case[part]
            for name, part in (("training", "training"), ("accelerate", "accelerate"), ("script", "script"))
            if part in case
        }
        for name, part in (("deepspeed", "deepspeed"), ("model_config", "model"), ("facts", "facts")):
            if part in case:
                body[name] = case[part] if number % 2 else _tree(case[part])
        if number % 5 == 0:
            body["files"] = [
                {"name": f"{name}.yaml", "text": body.pop(name)} for name in ("training", "accelerate") if name in body
            ]
        options: dict[str, object] = {name: case[name] for name in ("launch", "trainer") if name in case}
        if "variables" in case:
            options["variables"] = dict(line.partition("=")[::2] for line in case["variables"].splitlines())
        if number % 3 == 0:
            options |= {"select": ["FP1", "FP2"], "color": number % 2 == 0, "verbose": True, "require_evidence": True}
            options["require"] = ["speedup>=1.1", "fp8_layers==all", "backend!=AO"]
        asked = {"plan": "yes"} if number % 4 == 0 else {}  # chance alone asks for few, and a fault was found late
        found.append({"body": json.dumps({**body, "options": options}), **asked})
    return found


def _tree(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Answer:
    """What the application answered."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def send(self, message: Message) -> None:
        """As ASGI has it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
            }
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


class Running:
    """The application, started, with a loop of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.log = io.StringIO()
        before, sys.stderr = sys.stderr, self.log
        try:
            settings = Settings(  # type: ignore[call-arg]
                database=f"sqlite:///{folder}/fuzz.db",
                sqlite_synchronous="NORMAL",
                keep_checks=500,
                probe=False,
                own_environment=False,
                inline_limit=1 << 30,
                cache_bytes=0,
                log_level="error",
            )
            self.app: ASGIApp = create_app(settings)
        finally:
            sys.stderr = before
        self.loop = asyncio.new_event_loop()
        self._lifespan = self.app.router.lifespan_context(self.app)  # type: ignore[attr-defined]
        self.loop.run_until_complete(self._lifespan.__aenter__())

    def end(self) -> None:
        """Stop it, and its processes."""
        self.loop.run_until_complete(self._lifespan.__aexit__(None, None, None))

    def ask(self, method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
        """One request."""
        path, _, query = target.partition("?")
        answer = Answer()
        pieces: list[Message] = [
            {"type": "http.request", "body": body, "more_body": False},
            {"type": "http.disconnect"},
        ]

        async def receive() -> Message:
            return pieces.pop(0) if len(pieces) > 1 else pieces[0]

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("utf-8", "replace"),
            "query_string": query.encode("latin-1", "replace"),
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 4000),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }
        self.loop.run_until_complete(self.app(scope, receive, answer.send))
        return answer


@cache
def running_in(folder: Path) -> Running:
    return Running(folder)


def asking(case: Case, folder: Path) -> Iterable[str]:
    """A request: an answer below 500 (or an honest 503), a problem where it is one, clean headers, text and log."""
    running = running_in(folder)
    headers = [(b"host", b"localhost:8000")]
    for line in case.get("headers", "").splitlines():
        name, colon, value = line.partition(":")
        if colon and re.fullmatch(r"[!-~]+", name):
            headers.append((name.lower().encode("latin-1"), encoded(value.strip())))
    running.log.seek(0)
    running.log.truncate()
    answer = running.ask(
        case.get("method") or "POST", case.get("path") or "/check", headers, encoded(case.get("body", ""))
    )
    log = running.log.getvalue()
    clean(log, "the log")
    if answer.status not in (*range(200, 400), *_REFUSALS):
        raise Broken(f"status {answer.status}: {_crash(log)}", f"{answer.body[:300]!r} {log[-1500:]}")
    for name, value in answer.headers.items():
        clean(value, f"header {name}")
        if "\n" in value:
            raise Broken(f"a line break in header {name}", value)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if answer.status >= 400:
        _refused(answer, kind)
    elif kind.startswith(("text/", "application/")) and answer.body and "octet" not in kind:
        clean(answer.body.decode("utf-8"), kind, painted=kind == "text/plain")
        if kind == "text/html":
            page(answer.body.decode("utf-8"))
        verdict = answer.headers.get("fp8check-verdict")
        if verdict == "pass" and answer.headers.get("fp8check-exit-code") not in ("0", "3"):
            raise Broken("a pass with another exit code", str(answer.headers))
    return (f"status:{answer.status}", f"type:{kind}")


def _refused(answer: Answer, kind: str) -> None:
    """A refusal is a problem, or, for a browser, a page that says it."""
    clean(answer.body.decode("utf-8"), "a refusal")
    if kind == "text/html":
        page(answer.body.decode("utf-8"))
    elif answer.body and (kind != "application/problem+json" or json.loads(answer.body)["status"] != answer.status):
        raise Broken("a refusal that is no problem", f"{kind} {answer.body[:200]!r}")


def _crash(log: str) -> str:
    """Which error, and where, without numbers of lines."""
    try:
        last = json.loads(log.strip().splitlines()[-1])
        frames = [one for one in last.get("frames", ()) if "site-packages" not in one]
        return f"{last.get('error')} in {re.sub(':[0-9]+', '', frames[-1]) if frames else '?'}"
    except (ValueError, IndexError):
        return "no log"


def requests() -> Iterable[Case]:
    """Requests: checks as JSON and as forms, in every format, and the other routes."""
    found: list[Case] = []
    for number, case in enumerate(body_cases()):
        name = NAMES[number % len(NAMES)]
        if number % 3:
            found.append(
                {"path": f"/check?format={name}", "headers": "content-type: application/json", "body": case["body"]}
            )
        else:
            found.append(_form(cases.runs()[number], FORMATS[number % len(FORMATS)].media_type))
        if number % 6 == 0:
            found.append(
                {"path": "/plan?format=text", "headers": "content-type: application/json", "body": case["body"]}
            )
    others = (
        *(
            "/",
            "/checks",
            "/checks?limit=2",
            "/checks/x",
            "/checks/x?share=y",
            "/jobs",
            "/jobs/x",
            "/rules",
            "/rules/FP101",
        ),
        *("/healthz", "/readyz", "/metrics", "/openapi.json", "/environment", "/problems/invalid", "/static/page.css"),
    )
    found += [{"method": "GET", "path": path, "headers": "accept: text/html, */*;q=0.1"} for path in others]
    found += [{"method": "GET", "path": path} for path in others]
    for number, case in enumerate(node_bodies()):
        found.append(
            {"path": f"/nodes/j{number % 2}", "headers": "content-type: application/json", "body": case["body"]}
        )
    for path in ("/nodes/j0", "/nodes/j1?expect=3", "/nodes/j0?format=text", "/nodes/none"):
        found.append({"method": "GET", "path": path})
        found.append({"method": "GET", "path": path, "headers": "accept: text/html, */*;q=0.1"})
    return found


def _form(case: Case, accept: str) -> Case:
    parts = []
    for field, part in (
        ("training", "training"),
        ("accelerate", "accelerate"),
        ("script", "script"),
        ("facts", "facts"),
    ):
        if part in case:
            head = f'Content-Disposition: form-data; name="{field}"; filename="{field}.yaml"\r\n'
            parts.append(f"--{BOUNDARY}\r\n{head}\r\n{case[part]}\r\n")
    if "launch" in case:
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="launch"\r\n\r\n{case["launch"]}\r\n')
    headers = f"content-type: multipart/form-data; boundary={BOUNDARY}\naccept: {accept}"
    return {"path": "/check", "headers": headers, "body": f"{''.join(parts)}--{BOUNDARY}--\r\n"}


METHODS = ("POST", "POST", "POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post", "\u00e9")
TARGETS = (
    Target("node-bodies", {"body": "json", "other": "json"}, telling, node_bodies, 1.0),
    Target("bodies", {"body": "json", "format": NAMES, "plan": ("", "", "", "yes")}, bodies, body_cases, 1.5),
    Target(
        "requests", {"body": "body", "headers": "headers", "path": "path", "method": METHODS}, asking, requests, 2.0
    ),
)
