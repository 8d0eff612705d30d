"""The tools that look at checkouts of public repositories; and, where FP8CHECK_WILD names a folder of them, these."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tools.wild.checkouts import Documents, Pair, checkouts
from tests.tools.wild.checks import pairs_of, survey
from tests.tools.wild.faults import FAULTS_OF_ANY, FAULTS_OF_FP8, seeded
from tests.tools.wild.launch_lines import documented, lines_of

TRAINING = "model_name_or_path: a/b\noutput_dir: out\nlearning_rate: 1.0e-5\nbf16: true\n"
ACCELERATE = "distributed_type: MULTI_GPU\nnum_processes: 8\nmixed_precision: bf16\n"
README = """\
# A project

Train with

```bash
accelerate launch --config_file configs/ddp.yaml \\
  train.py configs/run.yaml
pip install deepspeed
```

```python
torchrun = 1
```
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout of one run, which its page starts, and a script."""
    root = tmp_path / "owner+name"
    for path, text in {
        "configs/run.yaml": TRAINING,
        "configs/ddp.yaml": ACCELERATE,
        "README.md": README,
        "run.sh": "#!/bin/bash\n\nexport A=1\nFOO=1 torchrun --nproc_per_node 8 train.py --bf16 True | tee log\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_launch_lines_of_scripts_and_pages(root: Path) -> None:
    lines = [(line.path, line.line, line.launcher, line.state) for line in lines_of(root)]
    assert lines == [("README.md", 6, "accelerate", "run"), ("run.sh", 4, "torchrun", "run")]


@pytest.mark.parametrize(
    ("text", "launcher", "wrapper", "state"),
    [
        ("srun -l torchrun --nproc_per_node 8 train.py", "torchrun", "srun", "run"),
        ("uv run accelerate launch train.py", "accelerate", "uv", "run"),
        ("python -m torch.distributed.run train.py", "torchrun", "", "run"),
        ("python train.py --bf16 True --learning_rate 1e-5", "python", "", "run"),
        ("python plot.py", "python", "", "no training"),
        ("llamafactory-cli export a.yaml", "llamafactory-cli", "", "no training"),
        ("swift sft --model a", "swift", "", "other tool"),
        ("torchrun $ARGS", "torchrun", "", "undecided"),
        ("s1a --async torchrun train.py", "torchrun", "s1a", "undecided"),
    ],
)
def test_what_becomes_of_a_line(root: Path, text: str, launcher: str, wrapper: str, state: str) -> None:
    (root / "README.md").write_text(f"```bash\n{text}\n```\n")
    (root / "run.sh").unlink()
    (line,) = lines_of(root)
    assert (line.line, line.launcher, line.wrapper, line.state) == (2, launcher, wrapper, state)


def test_prompts_and_what_is_printed(root: Path) -> None:
    (root / "run.sh").unlink()
    (root / "README.md").write_text("```console\n(env) $ torchrun \\\n  train.py\ntorchrun: started\n```\n")
    assert [(line.line, line.words) for line in lines_of(root)] == [(2, ("torchrun", "train.py"))]


def test_a_pair_that_a_page_starts(root: Path) -> None:
    command = "accelerate launch --config_file configs/ddp.yaml train.py configs/run.yaml"
    pair = Pair("configs/run.yaml", "configs/ddp.yaml", "launch line", command)
    assert [*documented(Documents(root))] == [pair]
    assert pairs_of(root) == [pair]


def test_says_what_is_found_and_where(root: Path) -> None:
    (root / "configs/ddp.yaml").write_text(ACCELERATE + "mixed_precison: fp8\n")
    surveyed = survey(root)
    assert surveyed.files == 3
    found = {(one.what, one.subject, one.rule, one.level, one.line) for one in surveyed.said if one.level == "error"}
    assert ("file", "configs/ddp.yaml", "FP302", "error", 4) in found
    assert ("pair", "configs/run.yaml + configs/ddp.yaml", "FP302", "error", 4) in found
    assert "exit 1" in {one.rule for one in surveyed.said if one.what == "hook"}


def test_seeds_the_same_faults_each_time_and_finds_them(root: Path) -> None:
    every = [*seeded(root.parent, number=12)]
    assert [one.kind for one in every] == [one.kind for one in seeded(root.parent, number=12)]
    assert len(every) == 12
    assert [one for one in every if not one.found] == []


def test_a_fault_that_nobody_finds_is_missed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tools.wild.faults.FAULTS_OF_FP8", {})
    kinds = {"comment": lambda copy: copy.write("training", "# a comment", "true")}
    monkeypatch.setattr("tests.tools.wild.faults.FAULTS_OF_ANY", kinds)
    assert [one.found for one in seeded(root.parent, number=1)] == [False]


WILD = os.environ.get("FP8CHECK_WILD")


@pytest.mark.skipif(not WILD, reason="FP8CHECK_WILD names no folder of checkouts")
def test_real_checkouts() -> None:
    folder = Path(str(WILD))
    surveyed = [survey(root) for root in checkouts(folder)]
    assert [one for each in surveyed for one in each.said if one.rule == "crash"] == []
    every = [*seeded(folder)]
    assert len(every) == 200
    assert len({one.kind for one in every}) == len(FAULTS_OF_ANY) + len(FAULTS_OF_FP8)
    assert sum(one.found for one in every) >= 190
