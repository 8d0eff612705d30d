"""Writes docs/evidence/advised.md from docs/evidence/advised.jsonl.

python -m tests.tools.gpu.advised.page > docs/evidence/advised.md
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

EVIDENCE = Path(__file__).parents[4] / "docs" / "evidence"
HEAD = """# Advised runs, on GPUs

What `fp8check fix --goal fp8` left of runs with mistakes, what `fp8check init` wrote, and runs whose crash or memory was to
be seen: {count} runs, {gpus}. Each was started by the command that was advised, for eight steps of 2,048 or 4,096 tokens a
row; layers as wide as those of the models that they are named after, two to eight of them, random weights, random words.

`python -m tests.tools.gpu.advised.planned FINALS.json` makes and predicts them; `python -m
tests.tools.gpu.advised.run FINALS.json OUT.jsonl --overlay ...` runs them, as many at a time as fit. Predictions were
made before the runs, and committed before them but for round 5. [advised.jsonl](advised.jsonl) has files, steps, predictions and what was seen.

- *fprop, dgrad, wgrad*: products in FP8 in step 4. Under checkpointing dgrad has those that are computed again; what a
  compiler has fused away, or one side of a square product, is not told apart. *kernels*: FP8 GEMM kernels of the
  forward and of the backward pass by their names, with those that find the largest value.
- *moved*: trainable parameters that seven steps of the optimizer moved, of all. What did not move are norms in BF16,
  whose last bit is larger than a step, and frozen weights that a package made trainable.
- *peak*: torch.cuda.max_memory_allocated of the fullest GPU, and what had been predicted.

Round 1 showed three plans that ended in the first step: TRL's own loss with Transformer Engine (FP548), and adapters on a
base in BF16 under FSDP2 with torchao's all-gather (FP549). Both are predicted since, and planned around; the rows
`-again` and those of round 2 came after.

Round 4, `r4-`, was planned anew by a later planner, on four H200s (runs beside each other for 541 s and 185 s): 33 of 35
ended in time. `r4-axolotl-fsdp2` trained its eight steps and ended while axolotl saved the model: FSDP stood in the
Accelerate file alone (FP551). Of the two that are not here, one had trained and was stopped while it saved, the other
was stopped in its first step. Runs that changed two files and compiled took 60 to 150 s, others 28 to 65 s.

Round 5, `r5-`, was planned anew by the planner of that day, on one NVIDIA H100 80GB HBM3 (up to eleven beside each other,
for 245 s and 285 s): 14 of 16 ended in time, each trained in FP8 as predicted; two were still at it.

Round 6, `r6-`, was planned anew and predicted in a commit before it ran, for two H100s; two NVIDIA H200 came, twice (up to
eight beside each other, for 275 s, and for 350 s beside runs of one process that sees two GPUs): all 20 trained in FP8 as
predicted.

Of memory {memory} predictions were made before their runs, in six rounds; half were off by {median:.1%} at most. Off by
more than 20 % were `trl-lora-ddp-2` (24 % too low: torchao's casts were not counted, nor what checkpointing computes again
under a compiler), `lora-fsdp2-lf` (22 % too high), `held-lf-full-compiled` and `third-lf-lora-compiled` (39 % and 32 % too
high: a compiled loss beside checkpointed layers). Each was looked into and corrected after its round, so that what is
predicted for these rows today is no prediction. Round 4 has many of the same runs; what was held out of memory is in
[peaks-of-trainers.jsonl](peaks-of-trainers.jsonl).

| run | GPUs | changed | trained by | fprop | dgrad | wgrad | kernels | moved | loss | peak GiB | predicted |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def row(one: dict[str, Any]) -> str:
    """One run."""
    said = (one["predicted"]["memory"] or {}).get("fp8_gib")
    told = "not known" if said is None else f"{said:.2f}"
    how = f"{one['predicted']['backend']}, {one['predicted']['distributed_type']}"
    start = f"| `{one['id']}` | {one['gpus']} | {len(one['steps']) or '-'} | {one['trainer']}, {how} |"
    seen = one["seen"]
    if one["exit"] or seen is None:
        return f"{start} | | | | | | | {_plain(one['error'])} |\n"
    gemms, moved, kernels = seen["gemms"], seen["moved"], seen["kernels"]
    cells = [
        *(str(gemms[name]) for name in ("fprop", "dgrad", "wgrad")),
        f"{kernels['forward']} + {kernels['backward']}",
        f"{moved['moved']} of {moved['expected']}",
        f"{seen['loss'][0]:.2f} to {seen['loss'][-1]:.2f}",
        f"{max(one['peaks']) / 2**30:.2f}",
        told,
    ]
    return f"{start} {' | '.join(cells)} |\n"


def _plain(text: str) -> str:
    """The error without what the launcher puts before it, short."""
    return text.split("]: ", 1)[-1].replace("|", "/")[:90]


def text(runs: list[dict[str, Any]]) -> str:
    """The page."""
    gpus = ", ".join(sorted({one["seen"]["gpu"] for one in runs if one["seen"]}))
    off = [abs(said / real - 1) for said, real in map(_peaks, runs) if said is not None and real]
    head = HEAD.format(
        count=len(runs),
        gpus=f"one, two and four GPUs of the kind {gpus}",
        memory=len(off),
        median=statistics.median(off),
    )
    return head + "".join(map(row, runs))


def _peaks(one: dict[str, Any]) -> tuple[float | None, float]:
    """GiB that were predicted, and those of the fullest GPU."""
    said = (one["predicted"]["memory"] or {}).get("fp8_gib")
    return said, max(one["peaks"], default=0) / 2**30


def main() -> int:
    """Print it."""
    with (EVIDENCE / "advised.jsonl").open(encoding="utf-8") as lines:
        sys.stdout.write(text([json.loads(line) for line in lines]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
