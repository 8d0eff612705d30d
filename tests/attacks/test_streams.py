"""Standard streams that are closed, full, of another encoding, or without a reader: the exit code is as ever."""

from __future__ import annotations

import json
import os
import subprocess
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from tests.attacks.lines import attack
from tests.support.command import COMMAND
from tests.support.paths import EXAMPLE

if TYPE_CHECKING:
    from pathlib import Path

ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
FOUND, WRONG = 1, 2
ALONE = ("--no-environment", "--no-config")
ASCII = {
    "PYTHONIOENCODING": {"PYTHONIOENCODING": "ascii"},
    "locale C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "locale POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def shell(script: str, *arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A line of shell in which "$@" is the command with its arguments."""
    return subprocess.run(
        ["bash", "-c", script, "bash", COMMAND, *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, **variables},
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.yaml").write_text(
        "output_dir: o\nmodel_name_or_path: a/b\nbf16: true # \N{SNOWMAN} \U0001f600\n"
    )
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    (tmp_path / "facts.json").write_text((EXAMPLE / "facts.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    return tmp_path


@attack("E8")
@pytest.mark.parametrize("way", ASCII)
@pytest.mark.parametrize("format_", ["text", "json", "sarif", "junit", "html", "github"])
def test_an_ascii_output_gets_escapes(folder: Path, way: str, format_: str) -> None:
    arguments = ("train.yaml", "accel.yaml", *ALONE, "--format", format_)
    done = shell('"$@"', *arguments, folder=folder, **ASCII[way])
    assert done.stderr == b""
    assert done.returncode == FOUND
    text = done.stdout.decode("ascii")
    assert "FP101" in text
    if format_ in ("json", "sarif"):
        json.loads(text)
        assert json.loads(text) == json.loads(shell('"$@"', *arguments, folder=folder, PYTHONUTF8="1").stdout)
    elif format_ == "junit":
        ET.fromstring(text)  # noqa: S314
    elif format_ == "html":
        assert "&#9731;" in text
    elif format_ == "text":
        assert r"\u2603" in text


@attack("E8")
@pytest.mark.parametrize("way", ASCII)
@pytest.mark.parametrize(
    "words",
    [
        ["outcome", "train.yaml", "accel.yaml", *ALONE],
        ["fix", "--diff", "train.yaml", "accel.yaml", "--unsafe", *ALONE],
    ],
    ids=lambda words: words[0],
)
def test_other_commands_too(folder: Path, way: str, words: list[str]) -> None:
    done = shell('"$@"', *words, folder=folder, **ASCII[way])
    assert done.returncode in (0, FOUND)
    assert b"internal error" not in done.stderr


@pytest.mark.parametrize(
    "encoding", ["latin-1", "cp1252", "utf-16", "utf-8:strict", "ascii:replace", "koi8-r", "utf-8-sig"]
)
@pytest.mark.parametrize("format_", ["text", "json"])
def test_any_encoding(folder: Path, encoding: str, format_: str) -> None:
    done = shell(
        '"$@"', "train.yaml", "accel.yaml", *ALONE, "--format", format_, folder=folder, PYTHONIOENCODING=encoding
    )
    assert (done.returncode, done.stderr) == (FOUND, b"")
    text = done.stdout.decode(encoding.partition(":")[0])
    if format_ == "json" and not encoding.startswith("utf-16"):
        json.loads(done.stdout.decode("utf-8-sig"))  # JSON is UTF-8, whatever the terminal has
    assert "FP101" in text


def test_a_fixed_file_is_utf_8_whatever_the_output_is(folder: Path) -> None:
    file = (folder / "train.yaml").read_bytes()
    done = shell(
        'cat train.yaml | "$@"', "fix", "-", "accel.yaml", "--unsafe", *ALONE, folder=folder, **ASCII["locale C"]
    )
    assert "\N{SNOWMAN} \U0001f600".encode() in done.stdout
    assert done.stdout == file.replace(b"bf16: true", b"bf16: false")


CLOSED = {
    "output": ('"$@" >&-', ("train.yaml", "accel.yaml", *ALONE), FOUND),
    "output, with nothing found": ('"$@" >&-', ("train.yaml", *ALONE), 0),
    "output, of json": ('"$@" >&-', ("train.yaml", "accel.yaml", *ALONE, "--format", "json"), FOUND),
    "output, of env": ('"$@" >&-', ("env",), 0),
    "output, of rules": ('"$@" >&-', ("rules",), 0),
    "input, which is read": ('"$@" <&-', ("-", "accel.yaml", *ALONE), WRONG),
    "error, of a missing file": ('"$@" 2>&-', ("missing.yaml", *ALONE), WRONG),
    "error, of an option": ('"$@" 2>&-', ("--nothing",), WRONG),
    "error and output": ('"$@" >&- 2>&-', ("missing.yaml", *ALONE), WRONG),
    "all": ('"$@" <&- >&- 2>&-', ("missing.yaml", *ALONE), WRONG),
}


@attack("E9")
@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_stream_changes_no_exit_code(folder: Path, name: str) -> None:
    script, arguments, code = CLOSED[name]
    done = shell(script, *arguments, folder=folder)
    assert done.returncode == code, done.stderr
    assert b"internal error" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("train.yaml", "accel.yaml", "--facts", "facts.json"), FOUND),
        (("train.yaml", *ALONE), 0),
        (("outcome", "train.yaml", "accel.yaml", *ALONE), 0),
        (("worth", "Qwen/Qwen2.5-7B"), 0),
        (("fix", "train.yaml", "accel.yaml", *ALONE), FOUND),
        (("fix", "--diff", "train.yaml", "accel.yaml", *ALONE), FOUND),
        (("--help",), 0),
        (("--version",), 0),
        (("rule", "FP101"), 0),
        (("rule", "nothing"), WRONG),
        (("config.json", *ALONE), WRONG),
        ((), WRONG),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else str(value),
)
def test_closed_streams_and_every_command(folder: Path, arguments: tuple[str, ...], code: int) -> None:
    # make smoke closes them one by one.
    done = shell('"$@" <&- >&- 2>&-', *arguments, folder=folder)
    assert done.returncode == code, done.stderr
    assert b"internal error" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_gets_the_number_of_a_closed_stream(folder: Path, closed: str) -> None:
    whole = shell('"$@"', "train.yaml", "accel.yaml", *ALONE, "--format", "json=whole.json", folder=folder)
    assert whole.returncode == FOUND
    # What is said on standard output and error must not be in the file.
    two = ("train.yaml", "accel.yaml", *ALONE, "--format", "json=report.json", "--format", "text")
    done = shell(f'"$@" {closed}', *two, folder=folder)
    assert done.returncode == FOUND, done.stderr
    assert (folder / "report.json").read_bytes() == (folder / "whole.json").read_bytes()
    baseline = shell(f'"$@" {closed}', "train.yaml", "accel.yaml", *ALONE, "--write-baseline", "b.json", folder=folder)
    assert baseline.returncode == 0, baseline.stderr
    assert json.loads((folder / "b.json").read_bytes())["findings"]


def test_a_full_error_stream_changes_no_exit_code(folder: Path) -> None:
    assert shell('"$@" 2>/dev/full', "missing.yaml", *ALONE, folder=folder).returncode == WRONG
    assert shell('"$@" 2>/dev/full', "--nothing", folder=folder).returncode == WRONG
    done = shell('"$@" 2>/dev/full', "fix", "--diff", "train.yaml", "accel.yaml", *ALONE, folder=folder)
    assert done.returncode == FOUND


@pytest.mark.parametrize(
    "arguments",
    [("train.yaml", "accel.yaml", *ALONE), ("--help",), ("rules",), ("--version",), ("fix", "--diff", "accel.yaml")],
)
def test_a_full_output_is_an_error_in_words(folder: Path, arguments: tuple[str, ...]) -> None:
    if arguments[0] == "fix":
        (folder / "accel.yaml").write_text("mixed_precision: FP8\nfp8_confg: {backend: TE}\n" * 1)
        arguments = (*arguments, "--unsafe", *ALONE)
    done = shell('"$@" >/dev/full', *arguments, folder=folder)
    if shell('"$@"', *arguments, folder=folder).stdout:
        assert done.returncode == WRONG, done.stderr
        assert done.stderr.endswith(b"fp8check: the output cannot be written: no space left on device\n")


def test_an_output_that_is_for_reading_only_is_an_error_in_words(folder: Path) -> None:
    done = shell('"$@" 1</dev/null', "train.yaml", "accel.yaml", *ALONE, folder=folder)
    assert done.returncode == WRONG
    assert done.stderr == b"fp8check: the output cannot be written: bad file descriptor\n"


@pytest.mark.parametrize("format_", ["text", "json", "html"])
def test_a_reader_that_has_gone_changes_no_exit_code(folder: Path, format_: str) -> None:
    script = '"$@" | true; exit "${PIPESTATUS[0]}"'
    for _ in range(3):
        done = shell(script, "train.yaml", "accel.yaml", *ALONE, "--format", format_, folder=folder)
        assert (done.returncode, done.stderr) == (FOUND, b"")


@pytest.mark.parametrize("script", ['"$@" 0>/dev/null', '"$@" < <(head -c 3000000 /dev/zero)'])
def test_an_input_that_cannot_be_read_is_told(folder: Path, script: str) -> None:
    done = shell(script, "-", "accel.yaml", *ALONE, folder=folder)
    assert done.returncode == WRONG
    assert done.stderr.startswith(b"fp8check: -: ")
    assert b"internal error" not in done.stderr
