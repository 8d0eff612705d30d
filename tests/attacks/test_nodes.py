"""HOST.json comes from other machines: whatever it has, reading ends, nothing else is written, and nothing is injected."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks.lines import attack
from tests.support.nodes import node, seen, write
from tests.tools.fuzz.invariants import clean, no_command, no_secret
from tests.tools.fuzz.vocabulary import SECRETS

if TYPE_CHECKING:
    from pathlib import Path

EVIL = (
    "\x1b[2J",
    "\u202e",
    "\r",
    "\n::stop-commands::x",
    "##[group]x",
    "##vso[task.x]y",
    f" {next(iter(SECRETS))} ",
    "<b>&",
)
COMMAND = os.environ.get("FP8CHECK_ATTACKED") or os.path.join(os.path.dirname(sys.executable), "fp8check")


def nodes(folder: Path, *words: str, memory: int | None = None) -> subprocess.CompletedProcess[str]:
    """`fp8check nodes` over a folder; with at most so many bytes of memory."""
    limit = None if memory is None else lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    return subprocess.run(
        [COMMAND, "nodes", str(folder), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=limit,
    )


NAMES = [
    "../evil",
    "/etc/evil",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "a\nb",
    "-rf",
    "a b",
    "a\0",
    "\u202ea",
    "a" * 300,
    "x;y",
    "é",
    None,
    7,
]


@attack("H1")
def test_a_host_is_no_path_and_no_option(tmp_path: Path) -> None:
    folder, out = write(tmp_path / "told", [node("good")]), tmp_path / "out"
    for place, name in enumerate(NAMES):
        (folder / f"bad{place:02}.json").write_text(json.dumps({**node("x"), "host": name}))
    done = nodes(folder, "--out", str(out))
    assert done.returncode == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "told"]
    lists = {path.name: path.read_text().splitlines() for path in out.iterdir() if path.suffix == ".txt"}
    assert lists["passing_nodes.txt"] == ["good"]
    assert lists["unknown_nodes.txt"] == [f"bad{place:02}" for place in range(len(NAMES))]


@attack("H1")
def test_merged_nodes_have_no_paths_either(tmp_path: Path) -> None:
    folder = write(tmp_path / "told", [node("good")])
    merged = json.loads(nodes(folder, "--format", "json").stdout)
    for place, name in enumerate(NAMES):
        evil = {**merged, "nodes": [{**merged["nodes"][0], "host": name}]}
        (folder / f"bad{place:02}.json").write_text(json.dumps(evil))
        (folder / f"worse{place:02}.json").write_text(json.dumps({**merged, "expected": [name]}))
    done = nodes(folder, "--out", str(tmp_path / "out"))
    assert done.returncode == 3
    assert len((tmp_path / "out" / "unknown_nodes.txt").read_text().splitlines()) == 2 * len(NAMES)


@attack("H2")
@pytest.mark.parametrize("format_", ["text", "json", "junit", "sarif"])
def test_nothing_is_injected(format_: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "told", [node(f"good{place}") for place in range(20)])
    for place, text in enumerate(EVIL):
        differs = {"driver": f"1{text}", "packages": {f"p{text}": f"2{text}"}, "variables": {f"V{text}": text}}
        evil = node(f"evil{place}", facts=differs, why=[text])
        evil["seen"] = [{**seen(0, device={"name": text}), "gpu": text, "why": [text]}]
        evil["report"] = {"verdict": "fail", "findings": [{"rule": text, "severity": "error", "message": text}]}
        write(folder, [evil])
        (folder / f"x{text.replace('/', '')}.json").write_text("{")
    done = nodes(folder, "--format", format_, "--color", "never")
    assert done.returncode == 1
    assert "evil0" in done.stdout
    for output in (done.stdout, done.stderr):
        clean(output, format_)
        no_command(output, format_)
        no_secret(output, format_)


@attack("H3")
@pytest.mark.parametrize(
    "content",
    [
        b"[" * 3_000_000,
        b'{"a":' * 1_000_000,
        b'{"schema": "fp8check/nodes/1", "nodes": ' + b"[" * 20_000_000,
        b" " * (40 << 20),
        b'{"schema": "fp8check/node/1", "host": "x", "x": "' + b"y" * (5 << 20) + b'"}',
        b"1" * 1_000_000,
        b'{"schema": "fp8check/nodes/1", "kinds": [], "absent": 1' + b"0" * 5_000 + b', "nodes": []}',
        b"\xff\xfe{}",
        b"",
        b"NaN",
    ],
    ids=range(10),
)
def test_size_and_depth_are_bounded(content: bytes, tmp_path: Path) -> None:
    folder = write(tmp_path / "told", [node("good")])
    (folder / "bad.json").write_bytes(content)
    done = nodes(folder, memory=1 << 30)
    assert (done.returncode, done.stderr) == (3, "")
    assert "bad.json cannot be read" in done.stdout
    assert len(done.stdout) < 1_000


@attack("H3")
def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    folder = write(tmp_path / "told", [node("good")])
    os.mkfifo(folder / "pipe.json")
    (folder / "folder.json").mkdir()
    (folder / "dangling.json").symlink_to("nowhere")
    (folder / "device.json").symlink_to("/dev/zero")
    done = nodes(folder)
    assert done.returncode == 3
    assert "1 passing, 0 failing, 4 unknown" in done.stdout


@attack("H3")
def test_thousands_of_values_stay_few(tmp_path: Path) -> None:
    many = {f"V{number}": "x" * 9_000 for number in range(300)}
    folder = write(tmp_path / "told", [node("a"), node("b"), node("evil", facts={"variables": many})])
    done = nodes(folder, memory=1 << 29)
    assert done.returncode == 1
    assert len(done.stdout) < 50_000


@attack("H4")
@pytest.mark.parametrize(
    "changed",
    [
        {"verdict": "passed"},
        {"verdict": None},
        {"facts": None},
        {"seen": {"gpu": 0}},
        {"seen": [3]},
        {"seen": [seen(0)] * 1_000},
        {"why": "no list"},
        {"report": {"verdict": "perhaps"}},
        {"report": [{}]},
        {"seen": [{**seen(0), "verdict": None}]},
    ],
)
def test_what_is_not_understood_is_no_pass(changed: dict[str, Any], tmp_path: Path) -> None:
    folder = write(tmp_path / "told", [node("good"), node("better")])
    (folder / "bad.json").write_text(json.dumps({**node("bad"), **changed}))
    done = nodes(folder, "--out", str(tmp_path / "out"))
    assert done.returncode == 3
    assert (tmp_path / "out" / "unknown_nodes.txt").read_text() == "bad\n"


def test_one_node_that_tells_a_thousand_subjects_is_no_thousand_reasons_of_each_other(tmp_path: Path) -> None:
    odd = {f"zz{number}": "1" * 150 for number in range(1000)}
    usual = [node(f"n{number}", seen=None) for number in range(300)]
    evil = node("evil", seen=None, facts={"packages": {**usual[0]["facts"]["packages"], **odd}})
    done = nodes(write(tmp_path / "told", [*usual, evil]), "--format", "json", memory=300 << 20)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"]) == (3, "undecided")
    assert len(done.stdout) < 2 << 20
    assert len(answer["standing"]["n7"]["why"]) == 11
    (rest,) = (why for why in answer["standing"]["n7"]["why"] if why.startswith("other subjects ("))
    assert rest.endswith("): not known; usual is what others tell")


def test_what_most_nodes_tell_is_named_before_what_one_alone_does(tmp_path: Path) -> None:
    odd = {f"aa{number}": "1" for number in range(100)}
    documents = [node(f"n{number}", seen=None) for number in range(5)]
    packages = documents[0]["facts"]["packages"]
    documents.append(node("evil", seen=None, facts={"packages": {**packages, **odd}}))
    documents.append(node("less", seen=None, facts={"driver": None}))
    done = nodes(write(tmp_path / "told", documents), "--format", "json")
    answer = json.loads(done.stdout)
    assert any(why.startswith("driver: not known; usual is ") for why in answer["standing"]["less"]["why"])
