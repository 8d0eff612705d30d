"""What parsers of dataclasses in scripts end at: keys and words that none of their classes has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.runs import assemble
from fp8check.rules.outcome import predict
from fp8check.rules.trainers.commands import parse
from tests.trainers.test_written import FACTS, run

if TYPE_CHECKING:
    from pathlib import Path

TRL = "from trl import SFTConfig, TrlParser\np = TrlParser((SFTConfig,))\n"
HF = "import sys\nfrom transformers import HfArgumentParser, TrainingArguments\np = HfArgumentParser((TrainingArguments,))\n"
STRICT = f"{TRL}p.parse_args_and_config()\n"
YAML = f"{HF}p.parse_yaml_file(sys.argv[1])\n"


@pytest.mark.parametrize(
    ("script", "words", "key", "ends"),
    [
        (STRICT, "--config cfg.yaml", "fp8: true", "['--fp8']"),
        (STRICT, "--config cfg.yaml", "per_device_batch_size: 4", "['--per_device_batch_size']"),
        (STRICT, "--config cfg.yaml", "seed: 1", ""),
        (STRICT, "--config cfg.yaml", "env: {A: b}", ""),
        (STRICT, "cfg.yaml", "seed: 1", "['cfg.yaml']"),
        (f"{TRL}p.parse_args_and_config(fail_with_unknown_args=False)\n", "--config cfg.yaml", "fp8: true", ""),
        (f"{TRL}p.parse_args_and_config(return_remaining_strings=True)\n", "cfg.yaml", "fp8: true", ""),
        (YAML, "cfg.yaml", "mixed_precision: fp8", "['mixed_precision']"),
        (YAML, "cfg.yaml", "packing: true", "['packing']"),
        (YAML, "cfg.yaml", "seed: 1", ""),
        (f"{HF}p.parse_yaml_file(sys.argv[1], allow_extra_keys=True)\n", "cfg.yaml", "fp8: true", ""),
        (f"{HF}p.parse_args_into_dataclasses()\n".replace("import sys\n", ""), "cfg.yaml", "seed: 1", "['cfg.yaml']"),
        (STRICT, "--config cfg.yaml --use_flash_attn True", "seed: 1", "['--use_flash_attn']"),
        (STRICT, "--config cfg.yaml --learning_ra 1e-5 --no-remove-unused-columns", "seed: 1", ""),
        # a class that is not seen here may have the key
        (YAML.replace("from transformers import", "from own import Args\nfrom transformers import").replace(
            "TrainingArguments,))", "TrainingArguments, Args))"), "cfg.yaml", "lr: 1", ""),
        # and so may one of the script's own
        (YAML.replace("p = HfArgumentParser((TrainingArguments,))",
                      "class Own:\n    lr: float = 1.0\np = HfArgumentParser((Own, TrainingArguments))"),
         "cfg.yaml", "lr: 1", ""),
    ],
)  # fmt: skip
def test_what_no_class_has_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str, key: str, ends: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "accel.yaml").write_text("distributed_type: 'NO'\nmixed_precision: fp8\nnum_processes: 1\n")
    (tmp_path / "cfg.yaml").write_text(f"output_dir: out\nbf16: true\n{key}\n")
    error = predict(run(script, words, "cfg.yaml").run).error_of("unknown-training-key")
    assert (error is not None) == bool(ends)
    assert error is None or ends in error.message


@pytest.mark.parametrize(
    ("command", "key", "ends"),
    [
        ("trl sft --config cfg.yaml", "max_seq_length: 32", "--max_seq_length"),
        ("trl sft --config cfg.yaml", "max_length: 32", ""),
        ("trl sft --config cfg.yaml", "num_processes: 1", ""),
        ("trl sft --config cfg.yaml --per_device_train_batch 2", "seed: 1", ""),  # the beginning of a flag is enough
        ("trl sft --config cfg.yaml --no-remove-unused-columns", "seed: 1", ""),
        ("trl dpo --config cfg.yaml", "packing: true", "--packing"),
        ("trl grpo --config cfg.yaml", "reward_funcs: [x]", ""),
        ("python -m trl.scripts.sft --config cfg.yaml", "max_seq_length: 32", ""),
        ("python -m trl.scripts.sft --config cfg.yaml --max_seq_length 32", "seed: 1", "'--max_seq_length', '32'"),
    ],
)
def test_what_neither_trl_nor_the_launcher_knows_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, key: str, ends: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cfg.yaml").write_text(f"model_name_or_path: m\noutput_dir: out\n{key}\n")
    (made,) = assemble((), FACTS, launch=parse(command))
    error = predict(made.run).error_of("unknown-training-key", "unknown-launcher-flag")
    assert (error is not None) == bool(ends)
    assert error is None or ends in error.message


def test_a_length_that_is_not_read_is_no_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cfg.yaml").write_text(
        "model_name_or_path: m\noutput_dir: out\npacking: true\npacking_strategy: wrapped\nmax_seq_length: 32\n"
    )
    sizes = {}
    for release in ("0.19.1", "0.24.0"):
        facts = FACTS._replace(packages={**(FACTS.packages or {}), "trl": release})
        (made,) = assemble((), facts, launch=parse("python -m trl.scripts.sft --config cfg.yaml"))
        sizes[release] = made.run.training.size("sequence")
    assert [setting and setting.value for setting in sizes.values()] == [32, 1024]
