"""facts.json with any JSON in any place: refused with the place, or a report without a failed rule."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fp8check.rules import facts
from fp8check.rules.checking.request import Request, RunRequest, check_request
from fp8check.rules.trainers.detect import read
from tests.support.paths import EXAMPLE

if TYPE_CHECKING:
    from fp8check.rules.suppression.examined import Examined

TRAINING = "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: o\nbf16: false\n"
ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
FACTS = json.loads((EXAMPLE / "facts.json").read_text(encoding="utf-8"))

DOCUMENTS = (read("train.yaml", TRAINING.encode()), read("accel.yaml", ACCELERATE.encode()))


def checked(text: str) -> Examined | None:
    """The report of an FP8 run with these facts; None where they are refused."""
    try:
        known = facts.loads(text)
    except facts.BadFacts:
        return None
    (report,) = check_request(Request((RunRequest(DOCUMENTS, known),))).reports
    return report


VALUES = (None, True, 0, -1, 1.5, "", "words", "1.2.3", [], [1], ["a"], {}, {"a": 1}, {"a": None}, {"": ""}, [{}], [[]])
PLACES = (
    *(
        ("python",),
        ("packages",),
        ("packages", "torch"),
        ("packages", "accelerate"),
        ("packages", "transformer_engine"),
    ),
    *(("variables",), ("variables", "CUDA_VISIBLE_DEVICES"), ("gpus",), ("gpus", 0), ("gpus", 0, "index")),
    *(("gpus", 0, "name"), ("gpus", 0, "compute_capability"), ("gpus", 0, "memory_mib"), ("gpus", 0, "mig")),
    *(("driver",), ("cuda",), ("cuda", "torch"), ("cuda", "driver"), ("libraries",), ("libraries", "cudnn")),
    *(("libraries", "cudnn_on_path"), ("transformer_engine",), ("transformer_engine", "core"), ("duplicates",)),
    *(("transformer_engine", "imports"), ("duplicates", "torch"), ("notes",), ("schema",), ("unheard",)),
)


def with_value(place: tuple[str | int, ...], value: object) -> object:
    """The facts of the example with this value in that place."""
    content = json.loads(json.dumps({"duplicates": {}, "transformer_engine": {}, "libraries": {}, **FACTS}))
    within = content
    for step in place[:-1]:
        within = within[step]
    within[place[-1]] = value
    return content


@pytest.mark.parametrize("place", PLACES, ids=lambda place: "/".join(map(str, place)))
def test_any_json_in_any_place(place: tuple[str | int, ...]) -> None:
    for value in VALUES:
        report = checked(json.dumps(with_value(place, value)))
        assert report is None or report.crashes == (), (value, report.crashes)
