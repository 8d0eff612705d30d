"""The job of CI, its comment, explain and the hook, of which strangers choose names and contents."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.attacks.lines import attack
from tests.attacks.test_output import KINDS, LINE, MORE, accelerate, commands, hidden, quoted
from tests.support.command import run
from tests.support.markdown import check_harmless
from tests.support.repository import RUN, Repository

EVIL = f"\x1b[2J\u202e##[group]x @all #1 <img src=x> ``` ${{{{ github.token }}}} $(touch pwned){LINE}"
NAMED = re.compile(r"(verdict|errors|warnings|notes|undecided|sarif|upload|told)=.*")


def job(folder: Path, site: str, **variables: str) -> tuple[str, str, list[str]]:
    """What a job prints, its summary, and the lines of its outputs."""
    done = run("ci", site, "--out", "made", cwd=folder, **variables)
    assert done.returncode in (0, 1, 2), done.stderr
    outputs = (folder / "made" / "outputs").read_text().splitlines()
    return done.stdout + done.stderr, (folder / "made" / "summary.md").read_text(), outputs


@attack("S1", "S4")
@pytest.mark.parametrize("site", ["github", "gitlab"])
@pytest.mark.parametrize("where", ["a value", "a key", "a broken file", "a name", "a run of the toml", "facts"])
def test_a_pull_request_steers_neither_log_nor_summary_nor_outputs(where: str, site: str, tmp_path: Path) -> None:
    texts = {"a value": accelerate(quoted(EVIL)), "a key": f"{accelerate('HYBRID')}  {quoted(EVIL)}: 1\n"}
    name = f"a{EVIL}.yaml".replace("/", "_") if where == "a name" else "accel.yaml"
    text = f"{quoted(EVIL)}: [" if where == "a broken file" else texts.get(where, accelerate("E4M4"))
    (tmp_path / name).write_text(text)
    named = quoted(EVIL) if where == "a run of the toml" else quoted(name)
    (tmp_path / "fp8check.toml").write_text(f"[[run]]\nfiles = [{named}]\n")
    (tmp_path / "facts.json").write_text(json.dumps({"schema": "fp8check/facts/1", "driver": EVIL, "gpus": EVIL}))
    given = {"FP8CHECK_CI_FACTS": "facts.json"} if where == "facts" else {}
    told, summary, outputs = job(tmp_path, site, **given)
    for one in (told, summary):
        assert hidden(one) == set()
    own = re.compile("::(error|notice) title=fp8check")  # of no finding: a refusal, and what to do
    assert [one for one in commands(told) if own.match(one) is None] == []
    check_harmless(summary)
    assert all(NAMED.fullmatch(one) for one in outputs)
    assert not list(tmp_path.rglob("pwned"))


@attack("S6")
@pytest.mark.parametrize("site", ["github", "gitlab"])
@pytest.mark.parametrize("kind", sorted(KINDS | MORE))
def test_a_credential_reaches_no_summary(kind: str, site: str, tmp_path: Path) -> None:
    """A comment is read by whoever sees the pull request: also where the check is refused."""
    secret = (KINDS | MORE)[kind]
    (tmp_path / "accel.yaml").write_text(accelerate(quoted(secret)) + f"  {quoted(secret)}: 1\n")
    gpus = [{"compute_capability": secret}]
    (tmp_path / "facts.json").write_text(json.dumps({"schema": "fp8check/facts/1", "gpus": gpus}))
    for facts in ("", "facts.json"):
        variables = {"FP8CHECK_CI_FILES": "accel.yaml", "FP8CHECK_CI_FACTS": facts}
        told, summary, outputs = job(tmp_path, site, **variables)
        made = [one.read_text() for one in (tmp_path / "made").iterdir()]
        for text in (told, summary, *outputs, *made):
            assert secret not in text
    assert "could not check" in summary


@attack("S2")
def test_explain_shows_scripts_and_commands_as_they_are_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text(f"{accelerate('HYBRID')}  x: [{quoted(EVIL)}, {quoted(KINDS['npm'])}]\n")
    (tmp_path / "train.py").write_text(
        f"from accelerate import Accelerator\nAccelerator(x={EVIL!r}, y={KINDS['npm']!r})\n"
    )
    flag = EVIL.replace("\n", " ").replace("'", "")
    (tmp_path / "run.sh").write_text(
        f"accelerate launch --config_file accel.yaml --x '{flag}' --hub_token={KINDS['npm']} train.py\n"
    )
    for place in ("accel.yaml:7", "train.py:2", "run.sh:1"):
        done = run("explain", place, "--no-environment", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        for text in (done.stdout, done.stderr):
            assert hidden(text) == set()
            assert commands(text) == []
            assert KINDS["npm"] not in text
    assert not list(tmp_path.rglob("pwned"))


@attack("A3", "S3")
@pytest.mark.parametrize("command", [(), ("fix",)], ids=["check", "fix"])
def test_no_name_and_no_content_of_a_commit_steers_the_hook(command: tuple[str, ...], tmp_path: Path) -> None:
    repository = Repository(tmp_path / "r")
    names = (f"a{EVIL}.yaml".replace("/", "_"), "--fail-on=never", "$(touch pwned).yaml", "-", f"d{LINE}/train.yaml")
    wrong = RUN["accel.yaml"].replace("HYBRID", "E4M4")
    repository.commit({**RUN, **dict.fromkeys(names, wrong), f"gone{EVIL}.yaml".replace("/", "_"): wrong})
    repository.write({**dict.fromkeys(names, f"{wrong}# {EVIL}\n"), f"gone{EVIL}.yaml".replace("/", "_"): None})
    repository.write({"fp8check.toml": f"[[run]]\nfiles = [{quoted(names[0])}, {quoted(EVIL)}]\n"})
    before = {
        path: path.read_bytes() for path in repository.folder.rglob("*") if path.is_file() and ".git" not in path.parts
    }
    diff = ("--diff",) if command else ()
    done = run(*command, "--hook", *diff, *names, cwd=repository.folder, GIT_CONFIG_GLOBAL=os.devnull)
    assert done.returncode in (1, 2), done.stderr
    for text in (done.stdout, done.stderr):
        assert hidden(text) == set()
        assert commands(text) == []
    after = {
        path: path.read_bytes() for path in repository.folder.rglob("*") if path.is_file() and ".git" not in path.parts
    }
    assert before == after


def test_no_comment_leaves_for_an_address_that_is_none(tmp_path: Path) -> None:
    run("ci", "gitlab", "--out", "made", cwd=tmp_path)
    variables = {"CI_MERGE_REQUEST_IID": "1", "CI_PROJECT_ID": "1", "FP8CHECK_CI_TOKEN": KINDS["npm"]}
    for address in ("http://evil.example/api", "file:///etc/passwd", f"ftp://x{LINE}", "", "//x", "https://"):
        done = run("comment", "gitlab", "made", cwd=tmp_path, CI_API_V4_URL=address, **variables)
        assert done.returncode == 0
        assert KINDS["npm"] not in done.stdout + done.stderr
        assert commands(done.stdout + done.stderr) == []
