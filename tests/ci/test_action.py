"""The action, its steps run as the runner of GitHub runs them, with an API on loopback."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.ci.runner import TOKEN, Job, Ran, Site, site, skip_without_an_index
from tests.support.command import COMMAND
from tests.support.markdown import check_harmless
from tests.support.texts import commands_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RIGHT = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n  fp8_format: HYBRID\n'
WRONG = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: te\n'
WARNS = RIGHT + "  amax_history_length: 4\n"
TRAIN = "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: out\nper_device_train_batch_size: 4\n"
CLEAN = 'distributed_type: "NO"\nmixed_precision: bf16\n'
DECLARED = '[[run]]\nfiles = ["train.yaml", "accel.yaml"]\n'
OWN = {"repo": {"full_name": "octo/run"}}
FORK = {"repo": {"full_name": "stranger/run"}}
PULL = {"pull_request": {"number": 5, "head": OWN, "base": OWN}}
FROM_A_FORK = {"pull_request": {"number": 5, "head": FORK, "base": OWN}}
MARK = "<!-- fp8check: fp8check -->\n"


@pytest.fixture
def github() -> Iterator[Site]:
    yield from site("github", app=True)


@pytest.fixture
def job(tmp_path: Path, github: Site) -> Callable[..., Ran]:
    """Runs the action over files; a second call is another job."""
    folder = tmp_path / "repository"
    folder.mkdir()

    def run(
        there: dict[str, str],
        /,
        *,
        event: dict[str, object] = PULL,
        name: str = "pull_request",
        token: str = TOKEN,
        command: str | None = COMMAND,
        check: str = "fp8check",
        **inputs: str,
    ) -> Ran:
        for path, text in there.items():
            (folder / path).write_text(text)
        inputs = {key.replace("_", "-"): value for key, value in inputs.items()}
        return Job(folder, github.url, command=command, event=event, name=name).run(token, **{**inputs, "name": check})

    return run


def declared(accelerate: str, train: str = TRAIN, **more: str) -> dict[str, str]:
    return {"fp8check.toml": DECLARED, "train.yaml": train, "accel.yaml": accelerate, **more}


def test_an_error_fails_the_job_and_is_told_everywhere(job: Callable[..., Ran], github: Site) -> None:
    done = job(declared(WRONG))
    assert done.code == 1
    assert (done.outputs["verdict"], done.outputs["exit-code"]) == ("fail", "1")
    assert int(done.outputs["errors"]) == len(done.annotations("error")) > 0
    assert any("file=accel.yaml,line=4" in one for one in done.annotations("error"))
    assert done.annotations("notice")[0].startswith("::notice title=fp8check%3A what to do")
    assert done.summary.startswith("### fp8check: ")
    upload = done.used["github/codeql-action/upload-sarif"]
    assert upload == {"sarif_file": done.outputs["sarif"], "category": "fp8check"}
    assert github.bodies() == [MARK + done.summary]
    assert "what to do (fp8check fix --goal fp8)" in done.summary
    check_harmless(done.summary)


def test_the_second_time_the_comment_stays_and_then_changes(job: Callable[..., Ran], github: Site) -> None:
    job(declared(WRONG))
    assert github.writes() == ["POST"]
    again = job({})
    assert github.writes() == ["POST"]
    assert "the comment is as it was" in again.log
    other = job({"accel.yaml": WARNS})
    assert other.code == 0
    assert github.writes() == ["POST", "PATCH"]
    assert len(github.comments) == 1
    clean = job({"accel.yaml": CLEAN})
    assert clean.code == 0
    assert github.writes() == ["POST", "PATCH", "PATCH"]
    assert github.bodies()[0].startswith(f"{MARK}### fp8check: nothing found")


def test_a_clean_run_passes_without_a_comment(job: Callable[..., Ran], github: Site) -> None:
    done = job(declared(CLEAN))
    assert (done.code, done.outputs["errors"], done.outputs["warnings"]) == (0, "0", "0")
    assert done.annotations("error") == done.annotations("warning") == []
    assert github.comments == {}
    assert "nothing was found: no comment" in done.log
    assert done.summary.startswith("### fp8check: nothing found")
    assert done.used  # alerts of before are closed by an upload without them


def test_warnings_fail_where_they_are_to(job: Callable[..., Ran], github: Site) -> None:
    files = declared(WARNS)
    done = job(files)
    assert (done.code, done.outputs["verdict"]) == (0, "warn")
    assert int(done.outputs["warnings"]) > 0
    assert len(github.comments) == 1
    done = job(files, fail_on="warning")
    assert (done.code, done.outputs["exit-code"]) == (1, "1")
    assert job(declared(WRONG), fail_on="never").code == 0
    done = job(files, fail_on="sometimes")
    assert done.code == 2
    assert "::error title=fp8check could not check::fail-on is error, warning, never, not sometimes" in done.log


def test_what_is_undecided_is_no_pass(job: Callable[..., Ran], github: Site) -> None:
    done = job(declared(RIGHT))
    assert (done.code, done.outputs["verdict"]) == (0, "undecided")
    assert int(done.outputs["undecided"]) > 0
    assert github.comments == {}
    assert "not decided" in done.summary
    done = job(declared(RIGHT), options="--require-evidence")
    assert (done.code, done.outputs["exit-code"]) == (3, "3")
    assert len(github.comments) == 1


def test_requirements_files_and_facts(job: Callable[..., Ran]) -> None:
    facts = '{"schema": "fp8check/facts/1", "packages": {"accelerate": "1.15.0", "torch": "2.11.0"}}'
    done = job(
        declared(CLEAN, **{"facts.json": facts, "my accel.yaml": WRONG}),
        files="train.yaml\n'my accel.yaml'",
        facts="facts.json",
        require="backend==AO 'mixed_precision==fp8'",
    )
    assert done.code == 1
    assert "title=FP995 requirement-not-met" in done.log
    assert "file=my accel.yaml" in done.log


def test_the_runner_is_no_machine_that_trains_unless_that_is_said(job: Callable[..., Ran]) -> None:
    files = declared(RIGHT)
    elsewhere, here = job(files), job(files, environment="true")
    assert "environment variables" in elsewhere.summary
    assert "environment variables" not in here.summary
    assert int(here.outputs["undecided"]) < int(elsewhere.outputs["undecided"])
    facts = '{"schema": "fp8check/facts/1", "packages": {"accelerate": "1.15.0", "torch": "2.11.0"}}'
    toml = f'{DECLARED}facts = "facts.json"\n[[run]]\nfiles = ["train.yaml", "other.yaml"]\n'
    done = job({**files, "fp8check.toml": toml, "facts.json": facts, "other.yaml": RIGHT})
    assert done.outputs["verdict"] != "error", "facts of one run say nothing of another"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"facts": "nowhere.json"}, "nowhere.json"),
        ({"files": "nowhere.yaml"}, "nowhere.yaml"),
        ({"options": "--nonsense"}, "--nonsense"),
        ({"options": "--hook"}, "--hook is nothing for a job of CI"),
        ({"options": "--write-baseline x.json"}, "--write-baseline is nothing for a job of CI"),
        ({"options": "'"}, "no closing quotation in '"),
        ({"require": "x"}, "x"),
    ],
    ids=str,
)
def test_what_cannot_be_checked_is_no_pass(
    job: Callable[..., Ran], github: Site, inputs: dict[str, str], said: str
) -> None:
    done = job(declared(RIGHT), **inputs)
    assert (done.code, done.outputs["exit-code"], done.outputs["verdict"]) == (2, "2", "error")
    (error,) = done.annotations("error")
    assert error.startswith("::error title=fp8check could not check::")
    assert said in error
    assert done.summary.startswith("### fp8check could not check: nothing was decided\n")
    assert github.bodies() == [MARK + done.summary]
    assert done.used == {}
    check_harmless(done.summary)


FAILING = """\
#!{python}
import sys
from fp8check.cli.main import main
from fp8check.rules.{module} import {holder}
def fail(*_, **__):
    raise KeyError("::error::@all <b>")
{change}
sys.exit(main())
"""


def failing(tmp_path: Path, module: str, holder: str, change: str) -> str:
    """The command, with a fault in it."""
    path = tmp_path / "failing"
    path.write_text(FAILING.format(python=sys.executable, module=module, holder=holder, change=change))
    path.chmod(0o755)
    return str(path)


def test_a_rule_that_fails_is_no_pass(job: Callable[..., Ran], github: Site, tmp_path: Path) -> None:
    command = failing(tmp_path, "catalog", "find", 'vars(find("FP101"))["check"] = fail')
    done = job(declared(RIGHT, TRAIN + "bf16: true\n"), command=command)
    assert (done.code, done.outputs["verdict"]) == (4, "error")
    assert any("fp8check internal error" in one for one in done.annotations("error"))
    assert "**internal error** in `FP101`" in done.summary
    assert len(github.comments) == 1
    assert commands_in(done.log) == [one for one in done.log.splitlines() if one.startswith(("::error ", "::notice "))]


def test_a_crash_is_no_pass(job: Callable[..., Ran], github: Site, tmp_path: Path) -> None:
    command = failing(tmp_path, "checking", "request", "import fp8check.cli.check as check; check.check_request = fail")
    done = job(declared(RIGHT), command=command)
    assert (done.code, done.outputs["verdict"]) == (4, "error")
    assert "fp8check failed by itself (KeyError)" in done.summary
    assert "Please report it" in done.log
    assert github.bodies() == [MARK + done.summary]


def test_a_check_that_is_killed_is_no_pass(job: Callable[..., Ran], github: Site, tmp_path: Path) -> None:
    command = failing(
        tmp_path,
        "checking",
        "request",
        "import os, fp8check.cli.check as check; check.check_request = lambda *_: os.kill(os.getpid(), 9)",
    )
    done = job(declared(RIGHT), command=command)
    assert (done.code, done.outputs["exit-code"], done.outputs["verdict"]) == (137, "137", "")
    assert "fp8check did not come to its end" in github.bodies()[0]


def test_a_fork_writes_nothing_and_does_not_fail_for_it(job: Callable[..., Ran], github: Site) -> None:
    done = job(declared(WARNS), event=FROM_A_FORK)
    assert done.code == 0
    assert github.asked == []
    assert done.used == {}
    assert "no comment was written: the pull request comes from a fork, whose token may not" in done.log
    assert done.annotations("warning")
    unnamed = {"pull_request": {"number": 5, "head": {"repo": {"fork": True}}, "base": {}}}
    assert job({}, event=unnamed).code == 0
    assert github.asked == []
    gone = {"pull_request": {"number": 5, "head": {"repo": None}, "base": OWN}}
    assert job({}, event=gone).code == 0
    assert github.asked == []
    assert job({}, event=FROM_A_FORK, name="pull_request_target").used
    assert github.writes() == ["POST"]


def test_no_token_no_comment(job: Callable[..., Ran], github: Site) -> None:
    done = job(declared(WARNS), token="")
    assert done.code == 0
    assert github.asked == []
    assert "no comment was written: there is no token" in done.log


def test_a_push_has_no_comment(job: Callable[..., Ran], github: Site) -> None:
    done = job(declared(WRONG), event={"ref": "refs/heads/main"}, name="push")
    assert done.code == 1
    assert github.asked == []
    assert done.used
    assert "this is no pull request" in done.log


def test_what_is_switched_off_is_off(job: Callable[..., Ran], github: Site) -> None:
    done = job(declared(WRONG), sarif="false", comment="false")
    assert done.code == 1
    assert done.used == {}
    assert github.asked == []
    assert done.outputs["sarif"]


@pytest.mark.parametrize("status", [403, 404, 422, 500])
def test_a_comment_that_is_refused_changes_no_verdict(job: Callable[..., Ran], github: Site, status: int) -> None:
    github.refuses = status
    done = job(declared(WARNS))
    assert done.code == 0
    assert github.comments == {}
    warned = [one for one in done.annotations("warning") if "no comment was written" in one]
    if status in (403, 404):
        assert warned == []
        assert f"fp8check: no comment was written: the token may not (POST comments: HTTP {status})" in done.log
    else:
        assert warned == [
            f"::warning title=fp8check::no comment was written: the site refused (POST comments: HTTP {status})"
        ]


def test_a_wrong_token_changes_no_verdict(job: Callable[..., Ran], github: Site) -> None:
    done = job(declared(WARNS), token="another")
    assert done.code == 0
    assert github.writes() == []
    assert "no comment was written: the token may not" in done.log


def test_what_others_wrote_stays(job: Callable[..., Ran], github: Site) -> None:
    """Whatever mark it has: the token of a job may change the comments of everybody."""
    github.add(f"{MARK}mine", login="stranger", type="User")
    github.add(f"I quote:\n{MARK}", login="github-actions[bot]", type="Bot")
    for number in range(250):
        github.add(f"comment {number}", login="stranger", type="User")
    job(declared(WRONG))
    assert github.writes() == ["POST"]
    job({"accel.yaml": WARNS})
    assert github.writes() == ["POST", "PATCH"]
    assert len(github.comments) == 253
    assert github.comments[1]["body"] == f"{MARK}mine"
    assert github.comments[2]["body"] == f"I quote:\n{MARK}"
    assert [path for method, path in github.asked if method == "PATCH"] == ["/repos/octo/run/issues/comments/253"]


def test_a_personal_token_finds_its_own_comment(job: Callable[..., Ran], github: Site) -> None:
    github.app, github.user = False, {"login": "maintainer", "type": "User"}
    github.add(f"{MARK}of the bot", login="github-actions[bot]", type="Bot")
    job(declared(WRONG))
    job({"accel.yaml": WARNS})
    assert github.writes() == ["POST", "PATCH"]
    assert github.comments[1]["body"] == f"{MARK}of the bot"


def test_an_event_that_says_little_is_enough(job: Callable[..., Ran], github: Site) -> None:
    job(declared(WRONG), event={"pull_request": {"number": 5}})
    for one in github.comments.values():
        one["user"] = None
    job({"accel.yaml": WARNS}, event={"pull_request": {"number": 5}})
    assert github.writes() == ["POST", "PATCH"]


@pytest.mark.parametrize("event", [[], {"pull_request": []}, {"pull_request": {"number": "5"}}], ids=str)
def test_an_event_of_another_kind_has_no_comment(job: Callable[..., Ran], github: Site, event: object) -> None:
    assert job(declared(WARNS), event=event).code == 0
    assert github.asked == []


def test_two_checks_have_two_comments(job: Callable[..., Ran], github: Site) -> None:
    files = declared(WRONG)
    job(files)
    done = job(files, check="evaluation of 70B -->")
    assert done.used["github/codeql-action/upload-sarif"]["category"] == "evaluation of 70B -->"
    assert [body.partition("\n")[0] for body in github.bodies()] == [
        MARK.strip(),
        "<!-- fp8check: evaluation-of-70B -->",
    ]
    job(files, check="evaluation of 70B -->")
    assert len(github.comments) == 2


EVIL = "::error::x%0A::stop-commands::y @all #1 <img src=x> ](http://evil) `` ` ``` ${{ github.token }} $(touch pwned)"


def test_what_files_say_is_never_obeyed(job: Callable[..., Ran], github: Site, tmp_path: Path) -> None:
    accelerate = f'{WRONG}  "{EVIL}": "{EVIL}"\n  fp8_format: "{EVIL}"\n'
    path = "$(touch pwned) `touch pwned`; @all ::error::x.yaml"
    done = job(
        declared(accelerate, TRAIN + f'bf16: "{EVIL}"\n', **{path: accelerate}),
        files=f"train.yaml '{path}'",
        event={"pull_request": {"number": 5, "title": EVIL, "head": {**OWN, "ref": EVIL}, "base": OWN}},
    )
    assert done.code in (1, 2)
    again = job({}, options="--set-variable 'A=$(touch pwned)'", require="`touch`", config="; touch pwned")
    assert again.code == 2
    for ran in (done, again):
        steering = commands_in(ran.log)
        assert all(
            re.match(r"::(?:error|warning|notice) title=(?:FP\d+ [\w-]+|fp8check[\w %]+)[,:]", one) for one in steering
        )
        check_harmless(ran.summary)
    for body in github.bodies():
        check_harmless(body.removeprefix(MARK))
    assert [one.name for one in tmp_path.rglob("pwned")] == []


def test_more_findings_than_annotations(job: Callable[..., Ran], github: Site) -> None:
    keys = "".join(f"  amax_histry_len_{number}: 4\n" for number in range(30))
    done = job(declared(WRONG + keys))
    for kind in ("error", "warning", "notice"):
        assert len(done.annotations(kind)) <= 10
    assert "more without an annotation, for GitHub shows 10 of a kind" in done.log
    total = sum(int(done.outputs[name]) for name in ("errors", "warnings", "notes"))
    assert total > 30
    listed = re.findall(r"^- \*\*(?:error|warning|note)\*\*", done.summary, re.MULTILINE)
    assert len(listed) == total
    assert len(github.bodies()[0]) <= 65_536


def test_many_runs_have_one_sarif_run_and_a_comment_that_fits(job: Callable[..., Ran], github: Site) -> None:
    import json

    keys = "".join(f"  amax_histry_len_{number}: 4\n" for number in range(40))
    files = {f"a{number}.yaml": WRONG + f"  margin: {number}\n" + keys for number in range(60)}
    files["train.yaml"] = TRAIN
    files["fp8check.toml"] = "".join(f'[[run]]\nfiles = ["train.yaml", "{name}"]\n' for name in files if name[0] == "a")
    done = job(files)
    assert done.code == 1
    with open(done.outputs["sarif"], encoding="utf-8") as file:
        log = json.load(file)
    assert len(log["runs"]) == 1
    assert len(log["runs"][0]["invocations"]) == 60
    assert len(github.bodies()[0]) <= 65_536
    assert len(done.summary.encode()) <= 1024 * 1024
    assert "findings more in the log and in the reports: no more fit in here." in done.summary


@pytest.mark.slow
def test_the_step_that_installs_does_so(job: Callable[..., Ran], tmp_path: Path) -> None:
    """Nothing of the checkout is imported by it, whatever its files are called."""
    evil = f"open({str(tmp_path / 'pwned')!r}, 'w')\n"
    shadowed = {
        f"{name}.py": evil for name in ("venv", "pip", "json", "ensurepip", "sitecustomize", "yaml", "fp8check")
    }
    done = job(declared(WRONG, **shadowed), command=None)
    skip_without_an_index(done)
    assert done.code == 1, done.log
    assert done.outputs["verdict"] == "fail"
    assert not (tmp_path / "pwned").exists()
