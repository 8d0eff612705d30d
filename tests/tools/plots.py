"""The plots of docs/worth.md, from docs/evidence:

    make plots

The same lines make the same files: no date is in them, and no name that changes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.hashsalt": "fp8check", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
from matplotlib import pyplot  # noqa: E402  what it draws with is chosen before

EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence"
IMAGES = EVIDENCE.parent / "images"
Point = dict[str, Any]
MARKS = {"1B": "v", "3B": "o", "7B": "s", "8B": "D", "14B": "^", "32B": "P"}
HOW = {("TE", False): "TE, eager", ("AO", False): "torchao, eager", ("AO", True): "torchao, compiled"}
COLORS = {("TE", False): "#0b6e4f", ("AO", False): "#b3261e", ("AO", True): "#1f5fbf"}
TRAINERS = {
    "trainer": "Trainer",
    "llamafactory": "LLaMA-Factory",
    "trl": "TRL",
    "axolotl": "axolotl",
    "own": "own loop",
}


def rows(name: str) -> list[Point]:
    """The lines of a file of evidence."""
    return [json.loads(line) for line in (EVIDENCE / name).read_text(encoding="utf-8").splitlines()]


def over_tokens(axes: Any, points: list[Point]) -> None:
    """Measured speed-up over tokens in a micro-batch, by shape."""
    for point in points:
        how = (point["backend"], point["compiled"])
        shape = point["model"].partition("B")[0] + "B"
        faint = 0.35 if point["lora"] else 0.9
        axes.scatter(point["tokens"], point["speedup"], marker=MARKS[shape], color=COLORS[how], alpha=faint, s=28)
    axes.set_xscale("log", base=2)
    ticks = sorted({point["tokens"] for point in points})
    axes.set_xticks(ticks, [f"{one:,}" for one in ticks])
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_xlabel("tokens in a micro-batch")
    axes.set_ylabel("BF16 time / FP8 time, whole step")
    colors = [axes.scatter([], [], color=COLORS[how], label=name) for how, name in HOW.items()]
    shapes = [axes.scatter([], [], color="gray", marker=mark, label=f"{name} shape") for name, mark in MARKS.items()]
    axes.legend(handles=[*colors, *shapes], fontsize=7, ncols=2, loc="upper left")
    axes.set_ylim(0, 2.0)


def eager_and_compiled(axes: Any, points: list[Point]) -> None:
    """Milliseconds of one training, by what it runs with: each where there is a compiled run of the same."""
    found = {point["name"]: point for point in points}
    names = [name for name in found if name.endswith("c-ao") and f"{name[:-4]}-te" in found]
    bars = (
        ("BF16, eager", "#999999", lambda name: found[f"{name}-te"]["ms"]["bf16"]),
        ("BF16, compiled", "#444444", lambda name: found[f"{name}c-ao"]["ms"]["bf16"]),
        ("TE, eager", COLORS["TE", False], lambda name: found[f"{name}-te"]["ms"]["fp8"]),
        ("torchao, compiled", COLORS["AO", True], lambda name: found[f"{name}c-ao"]["ms"]["fp8"]),
    )
    groups = [name[:-4] for name in names]
    for at, (label, color, milliseconds) in enumerate(bars):
        places = [place + 0.2 * at for place in range(len(groups))]
        axes.bar(places, [milliseconds(name) for name in groups], 0.2, label=label, color=color)
    labels = [f"{found[f'{name}-te']['model']}\n{found[f'{name}-te']['tokens']:,}" for name in groups]
    axes.set_xticks([place + 0.3 for place in range(len(groups))], labels, fontsize=7)
    axes.set_xlabel("layers of a shape, and tokens in a micro-batch")
    axes.set_ylabel("ms a step")
    axes.legend(fontsize=7)


def memory(axes: Any, points: list[Point]) -> None:
    """Peak in FP8 over the peak in BF16 of the same run, by trainer."""
    names = list(TRAINERS)
    for point in points:
        if None in point["peak_gib"].values():
            continue
        how = (point["backend"], point["compiled"])
        place = names.index(point["trainer"]) + {("TE", False): -0.2, ("AO", False): 0.0, ("AO", True): 0.2}[how]
        axes.scatter(
            place,
            point["peak_gib"]["fp8"] / point["peak_gib"]["bf16"],
            color=COLORS[how],
            marker="x" if point["lora"] else "o",
            s=24,
        )
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(names)), TRAINERS.values())
    axes.set_ylabel("peak in FP8 / peak in BF16")
    colors = [axes.scatter([], [], color=COLORS[how], label=name) for how, name in HOW.items()]
    kinds = [axes.scatter([], [], color="gray", marker="x", label="adapters")]
    axes.legend(handles=[*colors, *kinds], fontsize=7)


def convergence(axes: Any, losses: list[Point]) -> None:
    """Loss over steps, less that of BF16 with the same warm-up."""
    plain = {one["warm_up"]: one["loss"] for one in losses if one["kind"] == "bf16"}
    colors = {"delayed": "#b3261e", "current": "#0b6e4f", "torchao": "#1f5fbf"}
    for one in losses:
        if one["kind"] == "bf16" or "loss" not in one:
            continue
        apart = [mine - other for mine, other in zip(one["loss"], plain[one["warm_up"]], strict=True)]
        line = "-" if one["warm_up"] > 1 else "--"
        how = "with warm-up" if one["warm_up"] > 1 else "without warm-up"
        axes.plot(range(1, len(apart) + 1), apart, line, color=colors[one["kind"]], label=f"{one['kind']}, {how}")
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel("step")
    axes.set_ylabel("loss, less that of BF16")
    axes.legend(fontsize=7)


def main() -> int:
    """Draw all of them."""
    held = [one for one in rows("held-points.jsonl") if "H200" in one["gpu"]]
    points = [*rows("worth-points.jsonl"), *rows("series-points.jsonl"), *held]
    drawn = {
        "worth-over-tokens": (over_tokens, points, "Whole steps of trainers on H200s, each against BF16 of the same"),
        "worth-compiled": (eager_and_compiled, rows("series-points.jsonl"), "One training, four ways"),
        "worth-memory": (memory, points, "Memory: what FP8 takes of the peak in BF16"),
        "worth-convergence": (convergence, rows("converge.jsonl"), "Six layers of 2048/5632, from scratch"),
    }
    for name, (draw, data, title) in drawn.items():
        figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
        draw(axes, data)
        axes.set_title(title, fontsize=9)
        figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
