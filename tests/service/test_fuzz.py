"""Any value under any key that the tools know: a report or a problem, never a crash, in every format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fp8check.rules.facts import Facts
from fp8check.rules.report.formats import FORMATS
from fp8check.rules.trainers import axolotl, detect, llamafactory, trl
from fp8check.rules.trainers.huggingface import ARGUMENTS
from fp8check.service import checking
from fp8check.service.bodies import from_json
from fp8check.service.check_request import CheckRequest, File, loads
from fp8check.service.options import Options
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
TRAINING = sorted(ARGUMENTS | llamafactory.KEYS | trl.KEYS | axolotl.KEYS)
ACCELERATE = sorted(
    detect.ACCELERATE | {"backend", "fp8_format", "amax_history_len", "fsdp_version", "use_autocast_during_eval"}
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.binary(max_size=8),
    st.text(max_size=12),
    st.sampled_from(
        [
            "fp8",
            "bf16",
            "TE",
            "AO",
            "MSAMP",
            "FSDP",
            "DEEPSPEED",
            "HYBRID",
            "E4M3",
            "auto",
            "no",
            "1",
            "-1",
            "1e5",
            "Qwen/Qwen2.5-7B",
            "paged_adamw_8bit",
            "lora",
            "sft",
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(ACCELERATE), inner, max_size=4)
    ),
    max_leaves=8,
)


def _file(names: list[str], always: Mapping[str, object]) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(st.sampled_from(names), VALUES, max_size=12).map(lambda one: {**always, **one})


def refused(ask: Callable[[], T], *statuses: int) -> T | None:
    """What is asked for; None where it is refused, with one of these statuses."""
    try:
        return ask()
    except Problem as problem:
        if problem.status not in statuses:
            raise
        return None


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    _file(TRAINING, {"output_dir": "o", "bf16": True}),
    _file(ACCELERATE, {"mixed_precision": "fp8", "distributed_type": "NO"}),
    st.sampled_from(["text", *(one.name for one in FORMATS)]),
    st.sampled_from(
        [None, "python train.py", "torchrun --nproc_per_node 8 train.py", "accelerate launch --use_fsdp x.py"]
    ),
)
def test_a_report_or_a_problem(
    training: dict[str, object], accelerate: dict[str, object], format_: str, launch: str | None
) -> None:
    files = tuple(
        File(name, yaml.safe_dump(content, allow_unicode=True))
        for name, content in (("train.yaml", training), ("accel.yaml", accelerate))
    )
    check_request = CheckRequest(files, options=Options(launch=launch))
    answer = refused(lambda: checking.answer(check_request, Facts, format_), 422)
    if answer is None:
        return
    assert answer.counts.crashes == 0, json.loads(answer.report)["internal_errors"]
    json.loads(answer.report)
    answer.body.decode("utf-8")


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(
                st.sampled_from(
                    [
                        "training",
                        "accelerate",
                        "files",
                        "name",
                        "text",
                        "facts",
                        "options",
                        "launch",
                        "variables",
                        "select",
                    ]
                ),
                inner,
                max_size=4,
            ),
        ),
    )
)
def test_any_json_is_a_request_or_a_problem(content: object) -> None:
    check_request = refused(lambda: from_json(json.dumps(content).encode()), 400, 422)
    if check_request is not None:
        assert loads(check_request.dumped()) == check_request


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_problem(content: bytes) -> None:
    refused(lambda: from_json(content), 400, 422)
    assert File("x", content.decode("utf-8", "surrogateescape")).content() == content
