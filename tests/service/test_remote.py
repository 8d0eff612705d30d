"""`fp8check --server`: the same as the local command."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.command import COMMAND
from tests.support.example import EXAMPLE
from tests.support.reports import without_plan
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = ["train.yaml", "accelerate.yaml", "--facts", "facts.json"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("remote")) as one:
        yield one


def run(*words: str, cwd: Path = EXAMPLE, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, cwd=cwd, env=environment, check=False)


@pytest.mark.parametrize(
    "words",
    [
        FILES,
        [*FILES, "-q", "--color", "always"],
        [*FILES, "--fail-on", "never", "--format", "json"],
        [*FILES, "--select", "FP2", "--format", "sarif"],
        [*FILES, "--require", "speedup>=1.1", "--require", "starts==true", "--format", "json"],
        [*FILES, "--format", "junit", "--launch", "python train.py"],
        ["train.yaml", "accelerate.yaml"],
        ["accelerate.yaml", "--no-environment", "--require-evidence", "--set-variable", "A=B", "--format", "json"],
    ],
    ids=" ".join,
)
def test_report_and_exit_code_are_those_of_the_local_command(service: Served, words: list[str]) -> None:
    here, there = run(*words), run(*words, "--server", service.url)
    assert there.stdout == without_plan(here.stdout)
    assert (there.returncode, there.stderr) == (here.returncode, here.stderr)


def test_what_the_files_name_here_is_sent(service: Served, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    config = '{"model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 1000}'
    (tmp_path / "model" / "config.json").write_text(config)
    (tmp_path / "ds.json").write_text('{"zero_optimization": {"stage": 2}}')
    (tmp_path / "train.yaml").write_text(
        "model_name_or_path: ./model\noutput_dir: o\ndeepspeed: ds.json\nbf16: false\n"
    )
    (tmp_path / "accel.yaml").write_text("distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n")
    words = ["train.yaml", "accel.yaml", "--facts", str(EXAMPLE / "facts.json")]
    here, there = run(*words, cwd=tmp_path), run(*words, "--server", service.url, cwd=tmp_path)
    assert there.stdout == without_plan(here.stdout)
    assert there.returncode == here.returncode


def test_what_is_wrong_is_said_and_has_the_same_exit_code(service: Served, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("bf16: [1")
    assert run("a.yaml", "--server", service.url, cwd=tmp_path).returncode == 2
    wrong = run(*FILES, "--server", "ftp://x")
    assert (wrong.returncode, "--server takes a URL" in wrong.stderr) == (2, True)
    gone = run(*FILES, "--server", "http://127.0.0.1:9")
    assert gone.returncode == 4
    assert "Nothing was decided" in gone.stderr
    sent = run(*FILES, "--server", "http://fp8check.example.org", FP8CHECK_TOKEN="fp8c_secret")
    assert (sent.returncode, "unencrypted" in sent.stderr, "fp8c_secret" in sent.stderr) == (2, True, False)


def test_a_probe_is_waited_for(service: Served) -> None:
    """The service of this machine, which has no GPU: the report says that nothing was tried."""
    done = run("train.yaml", "accelerate.yaml", "--probe", "--format", "json", "--server", service.url)
    assert json.loads(done.stdout)["probe"]["ended"] == "not run"
    text = run("train.yaml", "accelerate.yaml", "--probe", "--server", service.url)
    assert (text.returncode, text.stderr) == (done.returncode, "")
    assert text.stdout.startswith("FP606 ")
    assert "\nprobe     not run: " in text.stdout
    assert run("train.yaml", "--probe=emulate", "--server", service.url).returncode == 2


def test_what_stays_here_is_refused(service: Served) -> None:
    for words in (["--plugin", "acme"], ["--baseline", "x.json"], ["--write-baseline", "x.json"]):
        done = run(*FILES, *words, "--server", service.url)
        assert done.returncode == 2
        assert "--server does not go with" in done.stderr


@pytest.mark.parametrize("format_", ["text", "json", "sarif"])
def test_what_to_do_is_that_of_the_local_command(service: Served, format_: str) -> None:
    words = [*FILES, "--plan", "--format", format_]
    here, there = run(*words), run(*words, "--server", service.url)
    assert there.stdout == here.stdout
    assert "fp8check fix --goal fp8" in there.stdout or format_ == "json"
    assert (there.returncode, there.stderr) == (here.returncode, here.stderr)


def test_nodes_report_to_the_service(service: Served, tmp_path: Path) -> None:
    files = [str(EXAMPLE / name) for name in ("train.yaml", "accelerate.yaml")]
    for host in ("n1", "n2"):
        done = run("node", "--server", service.url, "--job", "run-7", "--host", host, *files, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.splitlines()[0] == f"fail  {host}  {service.url}nodes/run-7"
    assert [*tmp_path.iterdir()] == []
    both = run("node", "--server", service.url, "--job", "run-7", "--host", "n3", "--out", "told", *files, cwd=tmp_path)
    assert both.returncode == 1
    assert [path.name for path in (tmp_path / "told").iterdir()] == ["n3.json"]
    answer = service.get("/nodes/run-7?expect=4").json()
    assert [one["host"] for one in answer["nodes"]] == ["n1", "n2", "n3"]
    assert answer["counts"] == {"passing": 0, "failing": 3, "unknown": 0, "absent": 1}


def test_a_node_that_is_not_heard_does_not_pass(service: Served, tmp_path: Path) -> None:
    words = ["node", "--host", "n1", "--no-config"]
    refused = run(*words, "--server", service.url, "--job", "../x", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    nowhere = run(*words, "--server", "http://127.0.0.1:9", "--job", "x", cwd=tmp_path)
    assert (nowhere.returncode, nowhere.stdout) == (4, "")
    assert "did not answer" in nowhere.stderr
    assert run(*words, "--server", service.url, cwd=tmp_path).returncode == 2
