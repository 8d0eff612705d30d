"""What parsers of dataclasses in scripts end at: keys and words that none of their classes has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.outcome import predict
from tests.trainers.test_written import run

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
