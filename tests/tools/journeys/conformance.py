"""Starts from the conformance cases: each is a run that the real packages were given, with the machine that it had.

Two forms: cases that name a file's content, a launch and a script by their parts (tests/tools/conformance/cases.py),
and commands with files (tests/tools/conformance/commands/). What was observed is left aside: it is the run that counts.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fp8check.cli.projects import inside
from fp8check.rules.checking.request import RunRequest
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.reading.kind import Kind
from fp8check.rules.trainers.detect import read
from tests.support.paths import TESTS
from tests.support.runs import KNOWN
from tests.tools.conformance import cases, files, generate
from tests.tools.conformance.commands import compare, given, recorded
from tests.tools.conformance.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from fp8check.rules.reading import Document
    from tests.tools.conformance.cases import Case

COMMANDS = ("commands.jsonl", "advised.jsonl")
BY_SEED = 1500  # as many as `make conformance` executes


def opened(form: str, seed: int) -> Iterator[tuple[str, Callable[[], AbstractContextManager[RunRequest]]]]:
    """The cases of a form, "parts" or "commands", each with how it is opened."""
    for case in of_parts(seed, BY_SEED) if form == "parts" else of_commands():
        yield case["id"], partial(request_of, case)


def of_parts(seed: int, count: int) -> Iterator[Case]:
    """The hand-written cases, so many by seed, and those that were recorded on the newest releases."""
    seen = set()
    for case in (*generate.everything(seed, count), *cases.read(TESTS / "conformance" / "newest.jsonl")):
        if case["id"] not in seen:
            seen.add(case["id"])
            yield case


def of_commands() -> Iterator[Case]:
    """The recorded commands."""
    for name in COMMANDS:
        yield from recorded.read(TESTS / "conformance" / name)


@contextlib.contextmanager
def request_of(case: Case) -> Iterator[RunRequest]:
    """The request of a case of either form, while there is a folder that has its files."""
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name) / "case", Path(name) / "home"
        if "command" in case:
            given.lay_out(case, folder, None)
            given.default_file(case, home)
            with inside(folder):
                yield _of_command(case, str(home))
        else:
            folder.mkdir()
            config = files.lay_out(case, folder, home)
            with inside(folder):
                yield _of_parts(case, str(home), config is not None)


def _of_command(case: Case, home: str) -> RunRequest:
    facts = compare.facts_of(case, home)
    if any(one in case["command"] for one in compare.SHELL):
        return RunRequest((read("run.sh", f"#!/bin/bash\n{case['command']}\n".encode()),), facts)
    kinds = (".yaml", ".yml", ".json")
    named = [one for one in case["files"] if one.endswith(kinds) and one in case["command"]]
    return RunRequest(tuple(read(one) for one in named), facts, case["command"])


def _of_parts(case: Case, home: str, named: bool) -> RunRequest:
    documents: list[Document] = []
    trainer = None if case["trainer"] == "script" else case["trainer"]
    if trainer is not None:
        training = {**(case["training"] or {}), "output_dir": "out"}
        dialect = "omegaconf" if trainer == "llamafactory" else "pyyaml"
        text = f"# How it is trained.\n{yaml.safe_dump(training, sort_keys=False)}# The end.\n"
        documents.append(_written("train.yaml", text).as_kind(Kind("training", trainer, dialect)))
    if named:
        documents.append(read("accelerate.yaml"))
    documents.append(_written("config.json", _model(case["model"] or {})).as_kind(Kind("model")))
    launch = case["launch"]
    words = ["accelerate", "launch"] if launch["with"] == "accelerate" else [launch["with"]]
    words += ["--config_file", "accelerate.yaml"] if launch["with"] == "accelerate" and named else []
    words += launch["args"]
    words += ["train.py", *(["train.yaml"] if trainer is not None else [])]
    script = _script(case["script"] or {}) if trainer is None else ""
    Path("train.py").write_text(script, encoding="utf-8")
    return RunRequest(
        tuple(documents), _facts(case, home), " ".join(words), trainer, script=("train.py", script.encode())
    )


def _written(name: str, text: str) -> Document:
    Path(name).write_text(text, encoding="utf-8")
    return read(name)


def _facts(case: Case, home: str) -> Facts:
    capability = case["gpu"]["compute_capability"]
    gpus = [Gpu(at, f"GPU of capability {capability}", capability, None, None) for at in range(files.gpus(case))]
    variables = {**case["variables"], "HF_HOME": home}
    return Facts(packages={**dict.fromkeys(KNOWN), **case["stack"]}, variables=variables, gpus=gpus)


def _script(said: Case) -> str:
    """A script that says to Accelerator what the case's did."""
    arguments = [f"{name}={value!r}" for name, value in (said.get("accelerator_kwargs") or {}).items()]
    handler = said.get("recipe_handler")
    if handler is not None:
        own = ", ".join(f"{name}={value!r}" for name, value in (handler.get("kwargs") or {}).items())
        arguments.append(f"kwargs_handlers=[{handler['cls']}({own})]")
    names = ["Accelerator", *([handler["cls"]] if handler is not None else [])]
    prepared = "model = accelerator.prepare(model)" if said.get("prepare") == "model_only" else _BOTH
    return (
        f"from accelerate import {', '.join(names)}\n\naccelerator = Accelerator({', '.join(arguments)})\n{prepared}\n"
    )


_BOTH = "model, optimizer = accelerator.prepare(model, optimizer)"


def _model(changes: dict[str, Any]) -> str:
    """The config.json of the toy model with the case's widths."""
    shape = Shape.of(changes)
    heads = max(1, shape.hidden // 4)
    return json.dumps(
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": shape.hidden,
            "intermediate_size": shape.inter,
            "vocab_size": shape.vocab,
            "num_hidden_layers": 2,
            "num_attention_heads": heads,
            "num_key_value_heads": max(1, shape.kv // 4),
            "head_dim": 4,
            "tie_word_embeddings": shape.tied,
        }
    )
