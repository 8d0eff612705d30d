"""A git repository with runs in it, and what pre-commit hands a hook of it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent.parent
DECLARED = {one["id"]: one for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}

# A run that is right, on a node with one H200.
TRAIN = """\
model_name_or_path: Qwen/Qwen2.5-7B
stage: sft
do_train: true
finetuning_type: full
dataset: identity
template: qwen
cutoff_len: 4096
packing: true
output_dir: saves/x
per_device_train_batch_size: 1
learning_rate: 1.0e-5
num_train_epochs: 1.0
bf16: false
disable_gradient_checkpointing: true
"""
ACCELERATE = """\
compute_environment: LOCAL_MACHINE
distributed_type: "NO"
mixed_precision: fp8
fp8_config:
  backend: TE
  fp8_format: HYBRID
num_machines: 1
num_processes: 1
"""
FACTS = """\
{"schema": "fp8check/facts/1", "python": "3.11.7",
 "packages": {"torch": "2.8.0", "accelerate": "1.11.0", "transformers": "5.6.0", "llamafactory": "0.9.5",
  "peft": "0.18.1", "transformer_engine": "2.8.0", "transformer_engine_cu12": "2.8.0",
  "transformer_engine_torch": "2.8.0", "torchao": null, "msamp": null, "deepspeed": null, "trl": null,
  "axolotl": null},
 "variables": {}, "driver": "580.159.04", "cuda": {"torch": "12.8", "driver": "13.0"},
 "gpus": [{"index": 0, "name": "NVIDIA H200", "compute_capability": "9.0", "memory_mib": 143771, "mig": false}],
 "libraries": {"cudnn": "9.10.2"}}
"""
LAUNCH = "accelerate launch --config_file accel.yaml -m llamafactory.launcher train.yaml"
CONFIGURATION = f"""\
[[run]]
files = ["train.yaml", "accel.yaml"]
launch = "{LAUNCH}"
facts = "facts.json"
"""
RUN = {"train.yaml": TRAIN, "accel.yaml": ACCELERATE, "facts.json": FACTS, "fp8check.toml": CONFIGURATION}


class Repository:
    """A folder in which git works, without the configuration of whoever runs the tests.

    Attributes:
        environment: of git, and of programs that it starts.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **(environment or {}),
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str | bytes, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        """A command of git."""
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *who, *words], cwd=self.folder, env=self.environment, capture_output=True, check=check
        )

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write these files, and stage them; None takes one away."""
        for name, text in files.items():
            path = self.folder / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        self.git("add", "-A")

    def commit(self, files: Mapping[str, str | None]) -> None:
        """Commit these files as they are to be; no hook is asked."""
        self.write(files)
        self.git("commit", "-q", "--no-verify", "--allow-empty", "-m", "a change")

    def handed(self, hook: str = "fp8check") -> list[str]:
        """The names that pre-commit would hand a hook of this commit (pre_commit/git.py, commands/run.py)."""
        done = self.git("diff", "--staged", "--name-only", "--no-ext-diff", "-z", "--diff-filter=ACMRTUXB")
        names = map(os.fsdecode, done.stdout.split(b"\0")[:-1])
        files = re.compile(DECLARED[hook]["files"])
        paths = ((name, self.folder / name) for name in names)
        return [name for name, path in paths if files.search(name) and path.is_file() and not path.is_symlink()]
