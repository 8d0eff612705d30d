"""What a rule says to write, where the setting stands in a script or on the command line."""

from __future__ import annotations

import pytest

from fp8check.rules.engine.wording import as_written
from fp8check.rules.reading import Span
from fp8check.rules.settings.values import Origin, Setting

SCRIPT = Setting(True, Origin(span=Span("train.py", 3, 5, 3, 9)))
FLAG = Setting(True, Origin(flag="--bf16 true"))
FILE = Setting(True, Origin(span=Span("train.yaml", 3, 5, 3, 9)))

HELPS = {
    "write bf16: false": ("write bf16=False", "write --bf16 false in the command"),
    "write bf16: false in train.yaml": ("write bf16=False in train.py", "write --bf16 false in the command"),
    "write bf16: null, or delete it": (
        "write bf16=None, or delete it",
        "write --bf16 null in the command, or delete it",
    ),
    "write fp8: false and bf16: true for this machine": (
        "write fp8=False and bf16=True for this machine",
        "write --fp8 false and --bf16 true in the command for this machine",
    ),
    "write attn_implementation: flash_attention_2": (
        "write attn_implementation='flash_attention_2'",
        "write --attn_implementation flash_attention_2 in the command",
    ),
    "write gpu_ids: '0'": ("write gpu_ids='0'", "write --gpu_ids '0' in the command"),
    "write max_length: 2048": ("write max_length=2048", "write --max_length 2048 in the command"),
    "write num_processes: N, the number of GPUs": (
        "write num_processes=N, the number of GPUs",
        "write --num_processes N in the command, the number of GPUs",
    ),
    "drop it, or write backend: AO": (
        "drop it, or write backend='AO'",
        "drop it, or write --backend AO in the command",
    ),
    "write what is meant": ("write what is meant", "write what is meant"),
    "see: https://example.com": ("see: https://example.com", "see: https://example.com"),
}


@pytest.mark.parametrize(("text", "forms"), HELPS.items(), ids=HELPS)
def test_forms(text: str, forms: tuple[str, str]) -> None:
    name = text.partition(": ")[0].rpartition(" ")[2]
    flag = Setting(True, Origin(flag=f"--{name}=1"))
    assert (as_written(text, SCRIPT), as_written(text, flag)) == forms
    assert as_written(text, FILE) == text
    assert as_written(text, None) == text
    assert as_written(text, Setting(True, Origin(flag="key=value"))) == text


def test_another_flag_and_a_section_stay_as_they_are() -> None:
    assert as_written("write torch_compile: true", FLAG) == "write torch_compile: true"
    section = "write enable_fsdp_float8_all_gather: false under fp8_config"
    assert as_written(section, SCRIPT) == section
