"""What a plan may change, by subject: each move in a run that needs it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from fp8check.rules.edits.action import ABSENT
from fp8check.rules.edits.fix import Edit, Fix
from fp8check.rules.reading.overlay import Overlay, same
from fp8check.rules.repair.values import Places, assigned, data_of, edits_of
from fp8check.rules.trainers.detect import read
from tests.repair.test_plan import FACTORY, SINGLE, planned, request_of, steps
from tests.support.cases import CASES
from tests.support.runs import TODAY
from tests.tools.journeys import catalog
from tests.tools.journeys.journey import travel

HF = "output_dir: o\nbf16: false\n"
SHARDED = "distributed_type: FSDP\nnum_processes: 2\nmixed_precision: fp8\nfp8_config:\n  backend: AO\nfsdp_config:\n  fsdp_version: 2\n"
EIGHT = SINGLE.replace("'NO'", "MULTI_GPU\nnum_processes: 8")
FULL = "model_name_or_path: a/b\nfinetuning_type: full\n"


@pytest.mark.parametrize(
    ("training", "accelerate", "case", "expected"),
    [
        (
            HF,
            SHARDED + "  fsdp_cpu_ram_efficient_loading: true\n",
            {"gpus": 2},
            "fsdp_cpu_ram_efficient_loading: false",
        ),
        (HF, SHARDED.replace("AO", "TE") + "  fsdp_activation_checkpointing: true\n", {"gpus": 2}, ""),
        (HF, SINGLE.replace("mixed", "num_procceses: 2\nmixed"), {}, "num_procceses: 2 -> None"),
        (HF, EIGHT.replace("num_processes: 8\n", ""), {"gpus": 2}, ""),
        (HF, SINGLE, {"stack": {**TODAY, "torchao": "0.18.0", "torch": "2.8.0"}}, ""),
        (
            HF,
            SINGLE.replace("TE", "AO\n  enable_fsdp_float8_all_gather: false"),
            {"stack": {**TODAY, "torchao": "0.18.0", "torch": "2.8.0"}},
            "torchao==0.17.0",
        ),
        (
            HF,
            SINGLE.replace("'NO'", "DEEPSPEED").replace(
                "mixed", "num_processes: 1\ndeepspeed_config: {zero_stage: 2}\nmixed"
            ),
            {},
            "bf16: false -> bf16: true",
        ),
        ("output_dir: o\ngradient_checkpointing: true\n", SINGLE, {}, "gradient_checkpointing: false"),
        (FULL + "cutoff_len: 1001\npacking: true\nstage: pt\n", SINGLE, {"stack": FACTORY}, ""),
        (
            "model_name_or_path: a/b\nper_device_train_batch_size: 3\nmax_length: 1001\npacking: true\n",
            SINGLE,
            {"trainer": "trl"},
            "",
        ),
        (FULL + "fp8_backnd: te\nfp8: true\n", SINGLE, {"stack": FACTORY}, "fp8_backnd: te -> None"),
    ],
)
def test_a_move_answers(training: str, accelerate: str, case: dict[str, object], expected: str) -> None:
    found = planned(request_of({"train.yaml": training, "accel.yaml": accelerate}, **case), "fp8")  # type: ignore[arg-type]
    assert found.plans, found.why_not
    assert expected in "\n".join(steps(found))


def test_journeys_that_failed_take_one_round() -> None:
    """../shared/facts/journeys.md: what the help lines led in circles."""
    factory = "model_name_or_path: {}\nfinetuning_type: {}\nbf16: true\nfp8: true\nfp8_backend: {}\n"
    zero = "distributed_type: DEEPSPEED\nnum_processes: 8\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"
    starts: list[tuple[dict[str, str], dict[str, object]]] = [
        ({"train.yaml": factory.format("meta-llama/Llama-3.1-8B", "lora", "torchao")}, {"stack": FACTORY}),
        ({"train.yaml": factory.format("a/b", "full", "torchao"), "accel.yaml": EIGHT}, {"stack": FACTORY, "gpus": 8}),
        (
            {
                "train.yaml": factory.format("a/b", "full", "te"),
                "accel.yaml": f"{zero}deepspeed_config:\n  zero_stage: 3\n",
            },
            {"stack": {**FACTORY, "deepspeed": "0.19.8"}, "gpus": 8},
        ),
        (
            {"train.yaml": "model_name_or_path: a/b\ndataset_name: c/d\n", "accel.yaml": EIGHT},
            {"gpus": 8, "trainer": "trl"},
        ),
    ]
    for files, case in starts:
        found = planned(request_of(files, **case))  # type: ignore[arg-type]
        assert found.plans, (files, found.why_not)
        report = found.plans[0].reports[0]
        assert report.outcome.trains_in_fp8
        assert [one.rule for one in report.findings if one.severity == "error"] == []


def test_values_are_compared_as_loaders_do() -> None:
    nan = float("nan")
    assert same([1, {"a": nan}], [1, {"a": float("nan")}])
    assert not same(True, 1)
    assert not same([1], [1, 2])


def test_data_is_changed_without_its_text() -> None:
    document = read("a.yaml", b"a: 1\nb: {c: 2}\n")
    base = data_of(document)
    data = assigned(base, [(("b", "c"), [1, {"x": 2}]), (("n", "m"), 3), (("a",), ABSENT)])
    assert data == {"b": {"c": [1, {"x": 2}]}, "n": {"m": 3}}
    assert base == {"a": 1, "b": {"c": 2}}
    assert assigned(base, [(("z", "y"), ABSENT)]) == base
    assert assigned("no map", [(("a",), 1)]) == {"a": 1}
    assert assigned({1: 2}, [(("1",), 3)]) == {1: 3}
    again = assigned({"s": {"x": 1}}, [(("s", "y"), 2), (("s",), ABSENT), (("s", "z"), 3), (("s",), 4), (("t",), 5)])
    assert again == {"s": 4, "t": 5}
    assert base == data_of(document), "what was there stays as it was"
    overlay = Overlay(document, base)
    made = overlay.with_data(data)
    assert made.root is not None
    assert made.root.data() == data
    assert overlay.with_data(base) is document
    assert [one.action for one in edits_of(document, base, {"x": 1, "b": {"c": 2}})] == ["rename"]
    assert data_of(read("e.yaml", b"# nothing\n")) == {}
    assert [*edits_of(read("e.yaml", b"# nothing\n"), {}, {"a": 1})] == []


def test_a_fix_in_values() -> None:
    document = read("a.yaml", b"a: 1\nl: [1]\n")
    assert document.root is not None
    key = document.root.entries["a"].key_span
    places = Places([document])
    found = places.assigns(Fix((Edit("rename", key, key="b"),), safe=True))
    assert found is not None
    assert [(one.path, one.value) for one in found] == [(("a",), ABSENT), (("b",), 1)]
    assert places.assigns(Fix((Edit("cut", key, "comment"),), safe=True)) is None
    assert (
        places.assigns(Fix((Edit("replace", document.root.entries["l"].key_span, "map", value=1),), safe=True)) is None
    )


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("FP322", "TRL's zero1"),
        ("FP328", "nobody says how many"),
        ("FP301", "torchrun reads no Accelerate file"),
        ("FP318", None),
        ("FP406", None),
        ("FP407", None),
        ("FP408", None),
        ("FP414", None),
        ("FP417", None),
        ("FP501", None),
        ("FP608", None),
        ("FP703", None),
    ],
)
def test_cases_of_rules_have_an_end(rule: str, name: str | None) -> None:
    for case in CASES[rule]["found"]:
        if name in (None, case["name"]) and "seen" not in case:
            with ExitStack() as stack:
                assert travel(str(case["name"]), catalog.request_of(case, stack)).faults == ()
