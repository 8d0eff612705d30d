"""Misspelt names: what is evidently meant, what may be meant, and what is another name."""

from __future__ import annotations

import pytest

from fp8check.rules.releases.accelerate_keys import CLUSTER_KEYS, FP8_KEYS
from fp8check.rules.releases.similar import nearest, suggested

MISSPELT = {
    "fp8_confg": "fp8_config",
    "fp8_cofnig": "fp8_config",
    "fp8config": "fp8_config",
    "FP8-Config": "fp8_config",
    "pf8_config": "fp8_config",
    "fp8_conf": "fp8_config",
    "fsdp_confg": "fsdp_config",
    "fdsp_config": "fsdp_config",
    "num_procceses": "num_processes",
    "num_process": "num_processes",
    "gpu_id": "gpu_ids",
    "mixed_percision": "mixed_precision",
    "mixedprecision": "mixed_precision",
}
OTHERS = [
    *("comms_config", "dp_config", "ep_config", "fp_config", "fp16_config", "fsdp2_config", "te_config", "config"),
    *("compile_config", "use_gpu", "downcast_fp16", "megatron_config", "zzz", "", "_", "mixed_mixed_precision"),
]


@pytest.mark.parametrize(("name", "meant"), MISSPELT.items())
def test_a_mistake_or_two(name: str, meant: str) -> None:
    assert nearest(name, CLUSTER_KEYS) == meant
    assert suggested(name, CLUSTER_KEYS) == meant


@pytest.mark.parametrize("name", OTHERS)
def test_another_name(name: str) -> None:
    assert nearest(name, CLUSTER_KEYS) is None


def test_a_key_is_nearest_to_itself() -> None:
    assert [nearest(key, CLUSTER_KEYS) for key in sorted(CLUSTER_KEYS)] == sorted(CLUSTER_KEYS)
    assert [nearest(key, FP8_KEYS) for key in FP8_KEYS] == [*FP8_KEYS]


def test_of_two_that_are_equally_near_none_is_meant() -> None:
    assert nearest("margim", ["margin", "margit"]) is None
    assert nearest("margim", ["margit", "margin", "margim"]) == "margim"


def test_some_of_the_words() -> None:
    assert suggested("history_len", FP8_KEYS) == "amax_history_len"
    assert suggested("megatron_config", CLUSTER_KEYS) == "megatron_lm_config"
    assert suggested("main_process", CLUSTER_KEYS) is None  # its address, or its port
    assert suggested("len", FP8_KEYS) is None
    assert suggested("total_nonsense", FP8_KEYS) is None


def test_no_name_is_near_where_there_is_none() -> None:
    assert nearest("fp8_config", []) is None
    assert suggested("fp8_config", iter(())) is None
