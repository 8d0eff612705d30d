"""docs/measured.md: speed and memory of each trainer, backend and strategy, measured where there is a line of evidence.

python -m tests.tools.measured_page > docs/measured.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from fp8check.rules.outcome.matrix import EXECUTED, describe
from fp8check.rules.outcome.memory import predict_memory
from fp8check.rules.outcome.speed import speed_of
from tests.support.peaks import H200, outcome_of_case
from tests.tools.conformance.commands import strategies
from tests.tools.gpu.trainer_cases import ZERO2, case
from tests.tools.gpu.worth_cases import B16, COMPILED, F32, OFF, TRL

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence"
SOURCES = ("worth-points.jsonl", "series-points.jsonl", "held-points.jsonl")
COMMANDS = Path(__file__).parents[1] / "conformance" / "commands.jsonl"
TRAINERS = {
    "own": "A loop of one's own",
    "trainer": "The Hugging Face Trainer",
    "llamafactory": "LLaMA-Factory",
    "trl": "TRL (SFT)",
    "axolotl": "axolotl",
}
STRATEGIES = {
    "single": "single",
    "ddp": "DDP",
    "fsdp1": "FSDP1",
    "fsdp2": "FSDP2",
    "zero1": "ZeRO-1",
    "zero2": "ZeRO-2",
    "zero3": "ZeRO-3",
}
KINDS = {"TE": ("TE", False), "torchao": ("AO", False), "torchao, compiled": ("AO", True)}
MORE: dict[str, dict[str, Any]] = {
    "trainer": F32,
    "llamafactory": OFF,
    "trl": {**TRL, "dtype": "float32"},
    "axolotl": {},
}
# Executed and watched, not timed beside BF16 (h200-run.jsonl, advised.jsonl): by trainer, backend, compiled and strategy.
WATCHED = {
    ("llamafactory", "AO", True, "ddp"): "r6-lf-lora-zero2-2",
    ("llamafactory", "AO", True, "fsdp2"): "r4-lf-fsdp2-checkpointing",
    ("trl", "AO", True, "fsdp2"): "r4-trl-fsdp2",
    ("axolotl", "TE", False, "single"): "r4-init-axolotl",
    ("axolotl", "TE", False, "ddp"): "r4-init-axolotl-two",
    ("axolotl", "AO", False, "ddp"): "axolotl-ddp",
    ("axolotl", "AO", True, "ddp"): "r4-axolotl-ddp",
    ("own", "AO", False, "fsdp2"): "own-ao-fsdp2",
    ("own", "AO", True, "single"): "own-ao-compiled",
    ("own", "TE", False, "zero2"): "zero2-te",
    ("own", "TE", False, "zero3"): "zero3-te",
    ("own", "TE", False, "fsdp2"): "own-te-fsdp2",
}
# Executed on a CPU with the real packages, and a stand-in for Transformer Engine (tests/conformance): all of strategies.py
# but what is of the launcher's FSDP2, where the cell is of axolotl's own, and a run of advised.jsonl.
ON_CPU = {f"strategy-{name}" for name, _ in strategies.everything()} - {"strategy-axolotl-ao-fsdp2"}
ADVISED_ON_CPU = {("axolotl", "AO", True, "single"): "init-axolotl-single-AO-full-1.13-axolotl"}
HEAD = """\
# What FP8 is worth to each trainer

Generated from [docs/evidence](evidence/README.md) by `make docs`. Whole steps of real trainers, FP8 against BF16 of the
same run, `torch_compile` included; accelerate 1.15.0, transformers 5.17.0, Transformer Engine 2.20.2, torchao 0.17.0,
NVIDIA H200, two GPUs where a strategy has several. torchao has `enable_fsdp_float8_all_gather: false` but under FSDP2.

- **Bold**: executed. Speed-up of the step, peak in FP8 (in BF16) in GiB, and the line of evidence. Of several runs it is
  that with the most tokens in a micro-batch; but for those called `w-` models have two to 16 layers, so that memory is no
  7B's.
- executed: it ran in FP8 or ended as it says, but was not timed beside BF16. On a CPU: one step with the real packages of
  the newest release that runs there, a stand-in in the place of Transformer Engine; its line is in `advised.jsonl` or
  `commands.jsonl` of `tests/conformance`.
- predicted: four layers of a 7B shape at 8,192 tokens in a micro-batch; nobody ran it.

"""


def rows() -> Iterator[dict[str, Any]]:
    """All pairs that were measured on H200s."""
    for source in SOURCES:
        for line in (EVIDENCE / source).read_text(encoding="utf-8").splitlines():
            one = json.loads(line)
            if "H200" in one["gpu"]:
                yield one


def points() -> dict[tuple[str, str, bool, str], dict[str, Any]]:
    """The line of evidence of each cell."""
    found: dict[tuple[str, str, bool, str], dict[str, Any]] = {}
    for one in rows():
        strategy = next(key for key, name in STRATEGIES.items() if name == one["strategy"])
        key = (one["trainer"], one["backend"], one["compiled"], strategy)
        if not one["lora"] and (key not in found or one["tokens"] > found[key]["tokens"]):
            found[key] = one
    return found


def cell(key: tuple[str, str, bool, str], measured: dict[str, Any] | None) -> tuple[str, str]:
    """What stands in a cell, and how it is known: measured, executed or predicted."""
    if measured is not None:
        peak = measured["peak_gib"]
        gib = f", {peak['fp8']:.1f} ({peak['bf16']:.1f}) GiB" if None not in peak.values() else ""
        return f"**{measured['speedup']:.2f}x**{gib}, {measured['name']}", "measured"
    trainer, backend, compiled, strategy = key
    name = {"own": "script", "trainer": "transformers"}.get(trainer, trainer)
    kind = backend if backend == "TE" or strategy == "fsdp2" else "AO, gather off"
    layout = "ZeRO" if strategy.startswith("zero") else STRATEGIES[strategy]
    ran = WATCHED.get(key) or ("" if compiled else EXECUTED.get((name, kind, layout, "plain"), ""))
    on_cpu = _on_cpu(key)
    if trainer == "own":
        if not ran and on_cpu:
            return f"executed on a CPU: FP8, {on_cpu}", "executed"
        ended = {"own-te-fsdp2": "fp8, no FP8"}.get(ran, "FP8")
        return (
            (f"executed: {ended}, {ran}", "executed")
            if ran
            else ("predicted: FP8" * (not compiled) or "-", "predicted")
        )
    outcome = outcome_of_case(_case(trainer, backend, strategy, compiled=compiled), H200)
    words, trains = describe(outcome)
    if ran:
        return f"executed: {words}, {ran}", "executed"
    if on_cpu:
        return f"executed on a CPU: {words}, {on_cpu}", "executed"
    speed = speed_of(outcome)
    if not (trains or outcome.trains_in_fp8) or speed is None:
        return f"predicted: {words}", "predicted"
    memory = predict_memory(outcome.run, outcome)
    more = "" if memory is None or memory.fp8_gib is None else f", {memory.fp8_gib:.1f} ({memory.bf16_gib:.1f}) GiB"
    return f"predicted: {speed.low:.2f}x to {speed.high:.2f}x{more}", "predicted"


def _on_cpu(key: tuple[str, str, bool, str]) -> str:
    """The case that a CPU executed; "" where there is none."""
    trainer, backend, compiled, strategy = key
    short = {"llamafactory": "lf"}.get(trainer, trainer)
    name = f"strategy-{short}-{backend.lower()}{'-compiled' * compiled}-{strategy}"
    return name if name in ON_CPU else ADVISED_ON_CPU.get(key, "")


def _case(trainer: str, backend: str, strategy: str, *, compiled: bool) -> dict[str, Any]:
    given = dict(MORE[trainer])
    zero = strategy.startswith("zero")
    if trainer == "llamafactory" and zero:
        given["deepspeed"] = {**ZERO2, "zero_optimization": {**ZERO2["zero_optimization"], "stage": int(strategy[-1])}}
    if trainer == "trainer" and zero:
        given = dict(B16)
    if zero or trainer == "axolotl":
        given["bf16"] = True
    if trainer == "axolotl" and backend == "AO":
        given |= {"fp8": True, "fp8_enable_fsdp_float8_all_gather": strategy == "fsdp2"}
    given |= COMPILED if compiled else {}
    return case("cell", trainer, "7B4", "4x2048", strategy, backend.lower(), **given)


def table(trainer: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A row for each strategy."""
    measured = points()
    for strategy, title in STRATEGIES.items():
        keys = [(trainer, backend, compiled, strategy) for backend, compiled in KINDS.values()]
        yield title, [cell(key, measured.get(key)) for key in keys]


def by_tokens() -> list[str]:
    """What all pairs come to, by backend and tokens: speed-up and memory, lowest, median and highest."""
    lines = [
        "## All pairs",
        "",
        "Adapters have rows of their own. Some pairs of `series-points.jsonl` are disturbed; none is left out.",
        "",
        "| | tokens in a micro-batch | pairs | speed-up: lowest, median, highest | peak of BF16's: lowest, median, highest |",
        "|---|---|---|---|---|",
    ]
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for one in rows():
        kind = next(name for name, how in KINDS.items() if how == (one["backend"], one["compiled"]))
        found.setdefault((kind + ", adapters" * one["lora"], one["tokens"]), []).append(one)
    for (kind, tokens), pairs in sorted(found.items()):
        speed = sorted(one["speedup"] for one in pairs)
        peaks = [one["peak_gib"] for one in pairs if None not in one["peak_gib"].values()]
        memory = sorted(peak["fp8"] / peak["bf16"] for peak in peaks)
        words = [f"{each[0]:.2f}, {median(each):.2f}, {each[-1]:.2f}" if each else "-" for each in (speed, memory)]
        lines.append(f"| {kind} | {tokens:,} | {len(pairs)} | {words[0]} | {words[1]} |")
    return [*lines, ""]


def main() -> int:
    """Print the page."""
    sys.stdout.write(HEAD)
    known: dict[str, int] = {}
    body = []
    for trainer, title in TRAINERS.items():
        body += [f"## {title}", "", f"| strategy | {' | '.join(KINDS)} |", "|" + "---|" * (len(KINDS) + 1)]
        for strategy, found in table(trainer):
            body.append(f"| {strategy} | {' | '.join(text for text, _ in found)} |")
            for _, how in found:
                known[how] = known.get(how, 0) + 1
        body.append("")
    counted = f"{known['measured']} cells are measured, {known['executed']} executed, {known['predicted']} predicted."
    print("\n".join([counted, "", *by_tokens(), *body]).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
