"""What a runner of GitHub does with a composite action, and one of GitLab with a job: as much of it as ours use."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tests.support.paths import TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ROOT = TESTS.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
TEMPLATE = (ROOT / "templates" / "fp8check.yml").read_text()
TOKEN = "token-of-the-job"
# docs.github.com/actions/reference/workflows-and-actions/workflow-syntax, "shell": what `bash` stands for.
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")


class Ran(NamedTuple):
    """A job that ended.

    Attributes:
        code: that of the step that failed; 0.
        log: standard output and error of all steps.
        outputs: of the action.
        used: what other actions got, by their name.
        summary: of all steps.
    """

    code: int
    log: str
    outputs: dict[str, str]
    used: dict[str, dict[str, str]]
    summary: str

    def annotations(self, kind: str) -> list[str]:
        return [line for line in self.log.splitlines() if line.startswith(f"::{kind} ")]


class Job:
    """A job of GitHub in a folder; the step that installs is left out where `command` is the one that is installed."""

    def __init__(self, folder: Path, api: str, *, command: str | None, event: Mapping[str, object], name: str) -> None:
        self.folder = folder
        self.temp = folder.parent / "temp"
        self.temp.mkdir(exist_ok=True)
        self.command = command
        (self.temp / "event.json").write_text(json.dumps(event))
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
        self.variables = {
            **{key: value for key, value in os.environ.items() if key.startswith("PIP_")},
            **inherited,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_API_URL": api,
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(self.temp / "event.json"),
            "GITHUB_REPOSITORY": "octo/run",
            "RUNNER_TEMP": str(self.temp),
        }
        self.steps: dict[str, dict[str, str]] = {}
        self.used: dict[str, dict[str, str]] = {}
        self.summary = ""
        self.log = ""

    def run(self, token: str, **inputs: str) -> Ran:
        """The steps in their order, up to the one that fails."""
        given = {name: str(one.get("default", "")) for name, one in ACTION["inputs"].items()}
        unknown = inputs.keys() - given.keys()
        assert not unknown
        self.given = {**given, "token": token, **inputs}
        code = 0
        for number, step in enumerate(ACTION["runs"]["steps"]):
            if "if" in step and not self._holds(step["if"]):
                continue
            if "uses" in step:
                self.used[step["uses"].partition("@")[0]] = {
                    name: self._filled(value) for name, value in step["with"].items()
                }
                continue
            code = self._step(number, step)
            if code and not step.get("continue-on-error"):
                break
        outputs = {name: self._filled(one["value"]) for name, one in ACTION["outputs"].items()}
        return Ran(code, self.log, outputs, self.used, self.summary)

    def _step(self, number: int, step: Mapping[str, Any]) -> int:
        name = step.get("id", str(number))
        if name == "install" and self.command is not None:
            made = self.temp / f"fp8check.{len(self.log)}"
            made.mkdir(exist_ok=True)
            self.steps[name] = {"folder": str(made), "fp8check": self.command}
            return 0
        script, output, summary = (self.temp / f"{one}-{number}" for one in ("script.sh", "output", "summary"))
        script.write_text(step["run"])
        output.write_text("")
        summary.write_text("")
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "what is filled into a script is run"
        variables = {
            **self.variables,
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            **{key: self._filled(value) for key, value in step.get("env", {}).items()},
        }
        done = subprocess.run(
            [*BASH, str(script)],
            cwd=self.folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.log += done.stdout
        self.steps[name] = _outputs(output.read_text())
        self.summary += summary.read_text()
        return done.returncode

    def _filled(self, text: object) -> str:
        return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: self._value(found[1]), str(text))

    def _value(self, name: str) -> str:
        room, _, rest = name.partition(".")
        if room == "inputs":
            return self.given[rest]
        step, kind, output = rest.split(".")
        assert (room, kind) == ("steps", "outputs")
        return self.steps.get(step, {}).get(output, "")

    def _holds(self, condition: str) -> bool:
        parts = [part.split(" == ") for part in condition.split(" && ")]
        return all(self._value(left.strip()) == right.strip().strip("'") for left, right in parts)


def _outputs(text: str) -> dict[str, str]:
    """GITHUB_OUTPUT; a line that the runner would refuse is none."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        assert equals, f"the runner refuses {line!r}"
        assert re.fullmatch(r"[a-z0-9-]+", name)
        found[name] = value
    return found


def gitlab_job(command: str | None, **inputs: str) -> dict[str, Any]:
    """The job of the component, with these inputs filled in as text, as GitLab does it."""
    header, body = TEMPLATE.split("\n---\n")
    known = yaml.safe_load(header)["spec"]["inputs"]
    assert inputs.keys() <= known.keys()
    for name, one in known.items():
        value = inputs.get(name, one["default"])
        body = body.replace(f"$[[ inputs.{name} ]]", json.dumps(value) if isinstance(value, bool) else str(value))
    assert "$[[" not in body
    (job,) = yaml.safe_load(body).values()
    assert isinstance(job, dict)
    if command is not None:
        del job["script"][0]
        job["script"].insert(0, f'folder=$(mktemp -d); mkdir "$folder/bin"; ln -s {command} "$folder/bin/fp8check"')
    return job


def run_gitlab(job: Mapping[str, Any], folder: Path, api: str, token: str, **more: str) -> Ran:
    """The script of the job, in a shell as that of GitLab's runner."""
    variables = {
        **{key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ},
        **{key: value for key, value in os.environ.items() if key.startswith("PIP_")},
        **{key: str(value) for key, value in job["variables"].items()},
        "CI": "true",
        "CI_API_V4_URL": api,
        "CI_JOB_NAME": "fp8check",
        "CI_PROJECT_ID": "7",
        **({"FP8CHECK_CI_TOKEN": token} if token else {}),
        **more,
    }
    script = "set -eo pipefail\n" + "\n".join(job["script"])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, {}, {}, "")


class Site:
    """Comments of a request on loopback, as the API of GitHub or GitLab has them.

    Attributes:
        comments: by their id.
        asked: method and path of each request.
        refuses: what writing is answered with; None: it is done.
    """

    def __init__(self, *, kind: str, user: Mapping[str, object], app: bool = False) -> None:
        self.kind, self.user, self.app = kind, dict(user), app
        self.comments: dict[int, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.refuses: int | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, body: str, **author: object) -> int:
        number = len(self.comments) + 1
        self.comments[number] = {"id": number, "body": body, "user": author, "author": author}
        return number

    def writes(self) -> list[str]:
        return [method for method, _ in self.asked if method != "GET"]

    def bodies(self) -> list[str]:
        return [str(one["body"]) for one in self.comments.values()]

    def answer(self, method: str, path: str, data: Mapping[str, str], token: str) -> tuple[int, object]:
        self.asked.append((method, path))
        split = urlsplit(path)
        if token != TOKEN:
            return 401, {"message": "Bad credentials"}
        if split.path == "/user":
            return (403, {"message": "Resource not accessible by integration"}) if self.app else (200, self.user)
        if method != "GET" and self.refuses is not None:
            return self.refuses, {"message": "Resource not accessible by integration"}
        there, one = (
            ("/repos/octo/run/issues/5/comments", "/repos/octo/run/issues/comments/")
            if self.kind == "github"
            else ("/projects/7/merge_requests/5/notes", "/projects/7/merge_requests/5/notes/")
        )
        if split.path == there and method == "GET":
            query = parse_qs(split.query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            return 200, [*self.comments.values()][(page - 1) * size : page * size]
        if split.path == there and method == "POST":
            return 201, self.comments[self.add(data["body"], **self.user)]
        if split.path.startswith(one) and method == ("PATCH" if self.kind == "github" else "PUT"):
            self.comments[int(split.path[len(one) :])]["body"] = data["body"]
            return 200, {}
        return 404, {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                data = json.loads(self.rfile.read(length)) if length else {}
                token = self.headers.get("PRIVATE-TOKEN") or str(self.headers.get("Authorization", "")).removeprefix(
                    "Bearer "
                )
                status, answer = site.answer(self.command, self.path, data, token)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_PUT = _do  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        return Handler


def skip_without_an_index(done: Ran) -> None:
    """Skips the test where pip reaches no package index."""
    if "No matching distribution found" in done.log or "Could not find a version" in done.log:
        pytest.skip("pip reaches no package index")


def site(kind: str, **more: Any) -> Iterator[Site]:
    """A site that is there as long as a test."""
    user = {"login": "github-actions[bot]", "type": "Bot"} if kind == "github" else {"id": 99, "username": "bot"}
    made = Site(kind=kind, user=user, **more)
    try:
        yield made
    finally:
        made.close()
