"""The bytes of every command and format, over texts that a stranger would write, wherever one can."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import tempfile
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fp8check.cli.main import main
from fp8check.cli.projects import inside
from fp8check.rules import plain_text
from fp8check.rules.report.formats import FORMATS
from tests.support.texts import NAMES, TEXTS, check_output

if TYPE_CHECKING:
    pass


class Written(NamedTuple):
    """What a stranger wrote, by where it stands."""

    value: str
    key: str
    comment: str
    name: str
    launch: str
    variable: str
    package: str
    gpu: str
    model: str


EVIL = "\x1b[31m\u202e##[group]x\n::stop-commands::\r\ud800\U000e0041::"
WORST = Written(
    EVIL, EVIL, EVIL.replace("\ud800", ""), "n\x1b\u202e\n::error::\r##[x]\udcff", EVIL, EVIL, EVIL, EVIL, EVIL
)
WRITTEN = st.builds(Written, TEXTS, TEXTS, TEXTS, NAMES, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)

# Each way to have something printed, with {} for the files; what is not a format of a report has the name of a command.
WAYS = {
    **{one.name: ("{}", "--format", one.name, "--facts", "facts.json", "--launch", "{launch}") for one in FORMATS},
    "verbose": ("{}", "-v", "--no-environment", "--set-variable", "{pair}"),
    "outcome": ("outcome", "{}", "--facts", "facts.json", "--launch", "{launch}"),
    "outcome json": ("outcome", "{}", "--facts", "facts.json", "--format", "json"),
    "explain": ("explain", "{explained}", "{}", "--facts", "facts.json"),
    "fix": ("fix", "{}", "--unsafe", "--diff", "--no-environment"),
    "hook": ("--hook", "{}"),
    "painted": ("{}", "--color", "always", "--no-environment"),
    "this machine": ("env",),
    "this machine as JSON": ("env", "--json"),
    "a missing file": ("{name}.missing",),
    "an option": ("--{value}", "{}"),
    "a format": ("{}", "--format", "{value}"),
    "a rule": ("rule", "{value}"),
    "a selection": ("{}", "--select", "{value}"),
    "a model": ("worth", "{model}"),
    "a stack": ("matrix", "accelerate=={value}"),
    "another stack": ("upgrade", "{}", "--facts", "facts.json", "--to", "accelerate==1.9.0", "--launch", "{launch}"),
    "another stack as JSON": ("upgrade", "{}", "--facts", "facts.json", "--to", "accelerate", "--format", "json"),
    "what is no stack": ("upgrade", "{}", "--no-environment", "--to", "{value}"),
    "a requirement": ("{}", "--no-environment", "--require", "{value}"),
    "a requirement that is not met": ("{}", "--facts", "facts.json", "--require", "starts==false"),
    "a configuration": ("--config", "{name}.toml"),
    "a plug-in": ("{}", "--plugin", "{value}"),
    "facts of another kind": ("{}", "--facts", "{name}.json"),
    "a baseline": ("{}", "--no-environment", "--baseline", "{name}.json"),
    "an interpreter": ("{}", "--python", "{name}"),
    "a trainer": ("{}", "--trainer", "{value}"),
}


def quoted(text: str) -> str:
    """In double quotes, as YAML and JSON have them."""
    return json.dumps(text)


def prepared(written: Written, folder: Path) -> list[str]:
    """The files of a run that hold what was written; their names."""
    value, key, model = quoted(written.value), quoted(f"x{written.key}"), quoted(written.model)
    comment = written.comment.encode("utf-8", "ignore").decode()
    comment = "".join(char if char.isprintable() or char in "\u202e\u2066\u200d" else " " for char in comment)
    train = f"# {comment}\nmodel_name_or_path: {model}\nstage: sft\nbf16: true\noutput_dir: {value}\n{key}: {value}\n"
    accelerate = (
        f"# {comment}\ndistributed_type: 'NO'\nnum_processes: 1\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"
        f"  fp8_format: {value}\n  {key}: {value}\n"
    )
    facts = {
        "schema": "fp8check/facts/1",
        "packages": {"accelerate": "1.15.0", f"p{written.package}": "1", "transformers": written.package},
        "variables": {f"NVTE_{written.variable}": written.variable},
        "gpus": [{"index": 0, "name": written.gpu, "compute_capability": "9.0", "memory_mib": 81_000}],
    }
    names = [f"t{written.name}.yaml", f"a{written.name}.yaml"]
    for name, text in zip(names, (train, accelerate), strict=True):
        (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    (folder / "facts.json").write_text(json.dumps(facts))
    (folder / f"{written.name}.json").write_text(json.dumps({written.key: written.value}))
    (folder / f"{written.name}.toml").write_text(f"{quoted(written.key.encode('utf-8', 'ignore').decode())} = 1\n")
    return names


def run(way: str, written: Written) -> tuple[bytes, bytes]:
    """What leaves by standard output and standard error."""
    with (
        tempfile.TemporaryDirectory() as folder,
        inside(folder),
    ):
        files = prepared(written, Path(folder))
        words: list[str] = []
        for word in WAYS[way]:
            if word == "{}":
                words += files
                continue
            filled = word
            value, launch = shlex.quote(written.variable), shlex.quote(written.launch)
            places = {
                "explained": f"{files[1]}:8",
                "launch": f"NVTE_X={value} accelerate launch --config_file {shlex.quote(files[1])} --main_process_ip {launch} y.py",
                "pair": f"NVTE_X{written.variable.replace('=', '')}={written.variable}",
            }
            for name, text in (written._asdict() | places).items():
                filled = filled.replace(f"{{{name}}}", text)
            words.append(filled)
        out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        shell = {"NVTE_X": written.variable.encode("utf-8", "ignore").decode().replace("\0", "")}
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch.dict(os.environ, shell):
            code = main(words)
        assert code != 4, err.buffer.getvalue()  # type: ignore[attr-defined]
        return out.buffer.getvalue(), err.buffer.getvalue()  # type: ignore[attr-defined]


def check(way: str, written: Written) -> None:
    """Run it, and look at every byte."""
    out, err = run(way, written)
    if way == "painted":  # our own colors, and no others
        out = re.sub(rb"\x1b\[(?:0|1|2|32|1;31|1;33)m", b"", out)
    check_output(out, annotations=way == "github", ends=way == "fix")
    check_output(err)


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[pytest.mark.slow] * way.startswith("another")) for way in WAYS]
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(WORST)
@given(WRITTEN)
def test_no_byte_leaves_that_steers_anything(way: str, written: Written) -> None:
    check(way, written)


def test_the_worst_gets_as_far_as_reports() -> None:
    for one in FORMATS:
        assert b"FP203" in run(one.name, WORST)[0], one.name
    for way in ("verbose", "outcome", "outcome json", "explain", "fix", "hook", "a stack"):
        assert len(run(way, WORST)[0]) > 200, way


class _Same(dict[int, str]):
    """A table that writes every character as it is."""

    def __missing__(self, code: int) -> str:
        return chr(code) if not 0xD800 <= code < 0xE000 else "?"


@pytest.fixture
def _nothing_is_made_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_text, "_table", lambda _syntax: _Same())
    monkeypatch.setattr(plain_text, "_without_hashes", lambda text, _written: text)
    monkeypatch.setattr(plain_text, "_without_commands", lambda text, _written, _annotations: text)


@pytest.mark.usefixtures("_nothing_is_made_safe")
@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("hook", "a baseline")])
def test_it_would_be_seen(way: str) -> None:
    """Without rules/plain_text.py each of these lets something out, and the test above sees it."""
    with pytest.raises(AssertionError):
        check(way, WORST)
