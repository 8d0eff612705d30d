"""Facts: three answers, and which GPUs a program would see."""

from __future__ import annotations

import pytest

from fp8check.rules.facts import UNKNOWN, Facts, Gpu

H200 = [Gpu(index, "NVIDIA H200", "9.0", 143771, mig=False) for index in range(4)]
MIXED = [Gpu(0, "NVIDIA A100", "8.0"), Gpu(1, "NVIDIA H100", "9.0")]


def test_unknown_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match="is UNKNOWN"):
        bool(UNKNOWN)


def test_a_package_is_found_absent_or_unknown() -> None:
    facts = Facts(packages={"torch": "2.8.0", "torchao": None})
    assert facts.package("torch") == "2.8.0"
    assert facts.package("torchao") is None
    assert facts.package("accelerate") is UNKNOWN
    assert Facts().package("torch") is UNKNOWN


@pytest.mark.parametrize(
    ("packages", "answer"),
    [
        (None, UNKNOWN),
        ({}, UNKNOWN),
        ({"torch": None}, UNKNOWN),
        ({"torch": None, "accelerate": None}, False),
        ({"torch": "2.8.0"}, True),
        ({"torch": None, "accelerate": "1.15.0"}, True),
    ],
)
def test_training_environment(packages: dict[str, str | None] | None, answer: object) -> None:
    assert Facts(packages=packages).is_training_environment is answer


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        (None, [0, 1, 2, 3]),
        ("", []),
        ("-1", []),
        ("2", [2]),
        ("3,1", [3, 1]),
        (" 0 , 2 ", [0, 2]),
        ("1,-1,2", [1]),
        ("0,9,1", [0]),
        ("NoDevFiles", []),
        ("GPU-0123", None),
        ("0,MIG-0123", None),
        ("1,1", None),
    ],
)
def test_visible_gpus_follow_cuda_visible_devices(asked: str | None, seen: list[int] | None) -> None:
    variables = {} if asked is None else {"CUDA_VISIBLE_DEVICES": asked}
    visible = Facts(gpus=H200, variables=variables).visible_gpus()
    assert (visible if visible is None else [gpu.index for gpu in visible]) == seen


def test_numbers_of_different_gpus_mean_something_only_in_bus_order() -> None:
    one = {"CUDA_VISIBLE_DEVICES": "0"}
    assert Facts(gpus=MIXED, variables=one).visible_gpus() is None
    assert Facts(gpus=MIXED, variables={**one, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}).visible_gpus() == MIXED[:1]
    assert Facts(gpus=MIXED, variables={}).visible_gpus() == MIXED


def test_visible_gpus_are_unknown_where_anything_is() -> None:
    assert Facts(gpus=H200).visible_gpus() is None
    assert Facts(variables={}).visible_gpus() is None


def test_what_a_real_import_came_to_joins_what_is_known_of_the_engine() -> None:
    facts = Facts(transformer_engine={"version": "2.11.0", "imports": None}).with_import_check(False, "no libcudnn")
    assert facts.transformer_engine == {"version": "2.11.0", "imports": False, "error": "no libcudnn"}
    assert Facts(python="3.11.7").with_import_check(True, None) == Facts(
        python="3.11.7", transformer_engine={"imports": True, "error": None}
    )


def test_facts_are_equal_wherever_they_come_from() -> None:
    assert Facts(python="3.11.7", source="file", path="a") == Facts(python="3.11.7", source="machine")
    assert Facts(python="3.11.7") != Facts(python="3.12.0")
    assert Facts() != "facts"
    assert hash(Facts(python="3.11.7", source="file")) == hash(Facts(python="3.11.7", packages={}))
    assert repr(Facts(python="3.11.7", source="file")) == "Facts(python='3.11.7', source='file')"
