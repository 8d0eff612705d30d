"""The component, its script run as a runner of GitLab runs it, with an API on loopback."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.ci.runner import ROOT, TOKEN, Ran, Site, gitlab_job, run_gitlab, site, skip_without_an_index
from tests.ci.test_action import CLEAN, EVIL, MARK, RIGHT, TRAIN, WARNS, WRONG, declared
from tests.support.command import COMMAND
from tests.support.markdown import check_harmless
from tests.support.texts import commands_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MERGE = {"CI_MERGE_REQUEST_IID": "5", "CI_MERGE_REQUEST_PROJECT_ID": "7"}


@pytest.fixture
def gitlab() -> Iterator[Site]:
    yield from site("gitlab")


@pytest.fixture
def job(tmp_path: Path, gitlab: Site) -> Callable[..., Ran]:
    """Runs the component over files; a second call is another job."""
    folder = tmp_path / "project"
    folder.mkdir()

    def run(
        there: dict[str, str],
        /,
        *,
        token: str = TOKEN,
        variables: dict[str, str] = MERGE,
        command: str | None = COMMAND,
        **inputs: object,
    ) -> Ran:
        for path, text in there.items():
            (folder / path).write_text(text)
        made = gitlab_job(command, **{key.replace("_", "-"): value for key, value in inputs.items()})
        return run_gitlab(made, folder, gitlab.url, token, **variables)

    return run


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "project" / "fp8check-reports"


def test_an_error_fails_the_job_and_is_told_everywhere(job: Callable[..., Ran], gitlab: Site, reports: Path) -> None:
    done = job(declared(WRONG))
    assert done.code == 1
    assert "FP201 error" in done.log
    issues = json.loads((reports / "gl-code-quality-report.json").read_text())
    assert {"accel.yaml"} <= {one["location"]["path"] for one in issues}
    suites = ET.parse(reports / "junit.xml").getroot()  # noqa: S314  our own
    assert int(suites[0].get("failures", "0")) > 0
    artifacts = gitlab_job(COMMAND)["artifacts"]
    assert {(reports.parent / path).name for path in artifacts["reports"].values()} == {
        "gl-code-quality-report.json",
        "junit.xml",
    }
    assert gitlab.bodies() == [MARK + (reports / "summary.md").read_text()]
    check_harmless(gitlab.bodies()[0].removeprefix(MARK))


def test_the_note_is_one(job: Callable[..., Ran], gitlab: Site) -> None:
    gitlab.add(f"{MARK}mine", id=3)
    for number in range(120):
        gitlab.add(f"note {number}", id=3)
    job(declared(WRONG))
    job({})
    assert gitlab.writes() == ["POST"]
    job({"accel.yaml": WARNS})
    assert gitlab.writes() == ["POST", "PUT"]
    assert job({"accel.yaml": CLEAN}).code == 0
    assert gitlab.writes() == ["POST", "PUT", "PUT"]
    assert len(gitlab.comments) == 122
    assert gitlab.comments[1]["body"] == f"{MARK}mine"
    assert gitlab.bodies()[-1].startswith(f"{MARK}### fp8check: nothing found")


def test_a_clean_run_has_no_note(job: Callable[..., Ran], gitlab: Site, reports: Path) -> None:
    assert job(declared(CLEAN)).code == 0
    assert gitlab.comments == {}
    issues = json.loads((reports / "gl-code-quality-report.json").read_text())
    assert {one["severity"] for one in issues} <= {"info"}
    assert job(declared(RIGHT), options="--require-evidence").code == 3
    assert len(gitlab.comments) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"token": ""}, "there is no token"),
        ({"token": "another"}, "the token may not"),
        ({"variables": {}}, "this is no pipeline of a merge request"),
        ({"variables": {"CI_MERGE_REQUEST_IID": "5", "CI_PROJECT_ID": ""}}, "CI_PROJECT_ID names no project"),
        ({"variables": {"CI_MERGE_REQUEST_IID": "5", "CI_PROJECT_ID": "no/such"}}, "the token may not (GET"),
        ({"variables": {**MERGE, "CI_API_V4_URL": "http://gitlab.example/api/v4"}}, "no https"),
        ({"variables": {**MERGE, "CI_API_V4_URL": "http://127.0.0.1:9/api/v4"}}, "the site did not answer"),
    ],
    ids=str,
)
def test_a_note_that_cannot_be_written_changes_no_verdict(
    job: Callable[..., Ran], gitlab: Site, more: dict[str, object], said: str
) -> None:
    done = job(declared(WARNS), **more)
    assert done.code == 0
    assert re.search(f"^fp8check: no comment was written: .*{re.escape(said)}", done.log, re.MULTILINE)
    assert gitlab.writes() == []
    assert job(declared(WRONG), **more).code == 1


def test_what_is_switched_off_is_off(job: Callable[..., Ran], gitlab: Site) -> None:
    assert job(declared(WRONG), comment=False).code == 1
    assert gitlab.asked == []


def test_what_cannot_be_checked_is_no_pass(job: Callable[..., Ran], gitlab: Site, reports: Path) -> None:
    done = job(declared(RIGHT), facts="nowhere.json")
    assert done.code == 2
    assert gitlab.bodies() == [MARK + (reports / "summary.md").read_text()]
    assert "nowhere.json" in gitlab.bodies()[0]
    assert job(declared(RIGHT), files="train.yaml accel.yaml", fail_on="warning", require="starts==false").code == 1


def test_what_files_say_is_never_obeyed(job: Callable[..., Ran], gitlab: Site, tmp_path: Path) -> None:
    """Quick actions, mentions, sections of the log."""
    evil = f"{EVIL}/close section_start:0:x"
    accelerate = f'{WRONG}  "{evil}": "{evil}\\n/close\\n\\e[0Ksection_start"\n  fp8_format: "\\n/merge"\n'
    done = job(declared(accelerate, TRAIN + 'bf16: "\\n/close"\n'))
    assert done.code in (1, 2)
    assert commands_in(done.log) == []
    assert "\x1b" not in done.log
    (body,) = gitlab.bodies()
    check_harmless(body.removeprefix(MARK))
    assert [one.name for one in tmp_path.rglob("pwned")] == []


def test_a_token_that_does_not_tell_whose_it_is_finds_its_note(job: Callable[..., Ran], gitlab: Site) -> None:
    gitlab.app, gitlab.user = True, {"id": 99, "username": "project_7_bot_0f3a"}
    gitlab.add(f"{MARK}mine", id=3, username="stranger")
    job(declared(WRONG))
    job({"accel.yaml": WARNS})
    assert gitlab.writes() == ["POST", "PUT"]
    assert gitlab.comments[1]["body"] == f"{MARK}mine"


@pytest.mark.slow
def test_the_script_installs_what_it_names(job: Callable[..., Ran], tmp_path: Path) -> None:
    evil = f"open({str(tmp_path / 'pwned')!r}, 'w')\n"
    shadowed = {f"{name}.py": evil for name in ("venv", "pip", "json", "sitecustomize", "yaml", "fp8check")}
    done = job(declared(WRONG, **shadowed), command=None, package=str(ROOT))
    skip_without_an_index(done)
    assert done.code == 1, done.log
    assert not (tmp_path / "pwned").exists()
