"""Writes docs/beyond-the-first-step.md from what was recorded: the GPUs' runs, and the CPU's where no GPU ran.

python -m tests.tools.conformance.beyond.page > docs/beyond-the-first-step.md
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tests.support.paths import ROOT
from tests.tools.conformance.beyond.cases import STRATEGIES
from tests.tools.conformance.beyond.said import INHERITED, of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GPU, CPU = ROOT / "docs/evidence/h200-beyond.jsonl", ROOT / "docs/evidence/beyond-cpu.jsonl"
TRAINERS = {
    "script": "own script",
    "trainer": "HF Trainer",
    "sft": "TRL SFT",
    "grpo": "TRL GRPO",
    "llamafactory": "LLaMA-Factory",
    "axolotl": "axolotl",
}
BACKENDS = {
    "TE": "Transformer Engine, delayed scaling",
    "torchao": "torchao, all-gather in BF16",
    "torchao gather": "torchao, `enable_fsdp_float8_all_gather` (Accelerate's default)",
    "BF16": "BF16, to compare with",
}
# The columns, and the questions of which the first that was asked decides.
COLUMNS = {
    "save": ("save", "export_adapters"),
    "resume": ("resume",),
    "FP8 to BF16": ("fp8_to_bf16",),
    "BF16 to FP8": ("bf16_to_fp8",),
    "evaluate": ("evaluate_ragged", "evaluate"),
    "generate": ("generate",),
    "rollout": ("rollout",),
    "best model": ("best",),
    "export": ("export", "merge"),
    "loads without": ("load_plain", "load_merged"),
}
PROGRAMS = ("llamafactory", "axolotl")
NOT_EXECUTED = "-"
NO_SUCH, NOTHING, AS_TRAINER = "n/a", "nothing saved", "as HF Trainer"
ERRORS = (
    ("Refusing to load pickled", "Transformer Engine refuses its own pickle; with its variable it loads (FP540)"),
    ("Size mismatch between saved", "CheckpointException: a layer that has not run has scales of another size (FP547)"),
    ("Missing key in checkpoint", "CheckpointException: the checkpoint has no `_extra_state`"),
    ("Missing key(s)", "keys `_extra_state` are missing; `load_state(folder, strict=False)` loads (FP542)"),
    ("Unexpected key(s)", "keys `_extra_state` are too many; `load_state(folder, strict=False)` loads"),
    ("FP8 execution requires", "ValueError: 8 does not divide the tokens (FP544, FP545)"),
    ("BytesIO", "AttributeError: Transformer Engine 1 puts file objects into the state dict (FP543)"),
    ("invalid python storage", "RuntimeError: torchao's weight has no storage to write; nor does it train (FP210)"),
    ("must be 2-D", "RuntimeError: the bare model of FSDP1 has flat weights; in BF16 as well"),
    ("pass a model and an optimizer", "ValueError: the Trainer prepares the model before it has an optimizer (FP506)"),
    ("save_only_model option", "not with sharded checkpoints, whatever the precision is"),
    ("DDP expects same model", "rank 0 has stopped at the save before"),
    ("valid checkpoint", "nothing was saved"),
    ("No such file", "nothing was saved"),
    ("Unrecognized model in", "with SHARDED_STATE_DICT nothing whole is saved at the end of the training"),
    ("tensor a (64) must", "RuntimeError: weights are in shards, and gathered with `zero3_init_flag: true` alone"),
    ("must match the size of tensor b (0)", "RuntimeError: TRL adds the bias of the head, which is empty (FP548)"),
    ("ds_status", "AttributeError: the same under ZeRO-3, where TRL asks the bias for its status (FP548)"),
    ("requires FSDP2", "ValidationError: axolotl takes it with FSDP2 alone (FP230)"),
    ("object has no attribute 'config'", "AttributeError: bf16, which the Trainer wants there, drops the recipe"),
)


def recorded() -> list[dict[str, Any]]:
    """The runs: answers of the GPUs, and the CPU's to what was not answered there; those without any answer are none."""
    runs: dict[str, dict[str, Any]] = {}
    for path in (GPU, CPU):
        for text in path.read_text(encoding="utf-8").splitlines():
            run = json.loads(text)
            if run["answers"]:
                answers = {name: {**answer, "on": run["on"]} for name, answer in run["answers"].items()}
                known = runs.setdefault(run["id"], {**run, "answers": {}})
                known["answers"] = {**answers, **known["answers"]}
    return [runs[name] for name in sorted(runs)]


def cell(run: dict[str, Any], column: str, notes: dict[str, str]) -> str:
    """What one run says in one column; a reason gets a mark that the notes explain."""
    answers = run["answers"]
    answer = next((answers[name] for name in COLUMNS[column] if name in answers), None)
    # A program trains, saves and exports in one go; where ranks wait for one that failed to save, nothing follows.
    ends = run["trainer"] in PROGRAMS or (run["trainer"] == "trainer" and column != "loads without")
    for first in ("prepare", "train", *(("save",) if ends else ())):
        if answer is None and not answers.get(first, {"ok": True})["ok"]:
            answer = answers[first]
    if answer is None:
        return _not_asked(run, column)
    text = _seen(run, column, answer) if answer["ok"] else f"no {_mark(answer, notes)}"
    return text if answer["on"].startswith("NVIDIA") else f"{text} (cpu)"


def _not_asked(run: dict[str, Any], column: str) -> str:
    """What stands for a question that was not asked of a run that trains."""
    if run["trainer"] == "script" and column == "best model":
        return NO_SUCH
    exported = next((run["answers"][name] for name in COLUMNS["export"] if name in run["answers"]), None)
    if column == "loads without" and exported is not None and not exported["ok"]:
        return NOTHING
    return NOT_EXECUTED if run["trainer"] in ("script", "trainer") else AS_TRAINER


def _mark(answer: dict[str, Any], notes: dict[str, str]) -> str:
    why = next((text for words, text in ERRORS if words in answer["message"]), None)
    if why is None:
        why = f"{answer['error']}: {answer['message'][:100].replace('|', ' ')}"
    return notes.setdefault(why, f"({len(notes) + 1})")


def _seen(run: dict[str, Any], column: str, answer: dict[str, Any]) -> str:
    ran = answer.get("evaluation", answer)
    if column in ("evaluate", "generate", "rollout") and "fp8" in ran:
        return "FP8" if ran["fp8"] else "BF16"
    if column == "resume" and run["backend"] == "TE" and run["strategy"] in ("single", "DDP"):
        began = answer.get("history_at_start", answer.get("history"))
        return "yes" if isinstance(began, float) and began else "yes, no scales"
    if column == "export" and answer.get("extra_state"):
        return f"yes, +{answer['extra_state']} keys"
    if column == "loads without" and answer.get("missing"):
        return "keys are missing"
    return "yes"


def table(backend: str, runs: Iterable[dict[str, Any]], notes: dict[str, str]) -> Iterator[str]:
    """The table of a backend: a row for each trainer and strategy that was executed; the others are told of below."""
    yield "| trainer | strategy | " + " | ".join(COLUMNS) + " |"
    yield "|" + " --- |" * (len(COLUMNS) + 2)
    mine = {(run["trainer"], run["strategy"]): run for run in runs if run["backend"] == backend and not run["variant"]}
    missing: dict[tuple[str, str], str] = {}
    for trainer, title in TRAINERS.items():
        for strategy in STRATEGIES:
            run = mine.get((trainer, strategy))
            if run is None:
                missing[trainer, strategy] = title
                continue
            yield f"| {title} | {strategy} | " + " | ".join(cell(run, column, notes) for column in COLUMNS) + " |"
    yield ""
    yield from _not_executed(backend, missing)


def _not_executed(backend: str, missing: dict[tuple[str, str], str]) -> Iterator[str]:
    """The runs without a row, each with what the source says of it."""
    if backend == "BF16":
        yield f"Not executed: {_names(missing)}. They are no FP8 runs; those above are what FP8 is held against."
        return
    by: dict[str, dict[tuple[str, str], str]] = {}
    for (trainer, strategy), title in missing.items():
        said = of(backend, trainer, strategy)
        by.setdefault("" if said is None else said.text, {})[trainer, strategy] = title
    yield "Not executed, and what the released source says of them:"
    yield ""
    for text, runs in by.items():
        yield f"- {_names(runs)}: {text or 'nothing is known'}"


def _names(runs: dict[tuple[str, str], str]) -> str:
    titles: dict[str, list[str]] = {}
    for (_, strategy), title in runs.items():
        titles.setdefault(title, []).append(strategy)
    return "; ".join(f"{title} {', '.join(names)}" for title, names in titles.items())


def variants(runs: Iterable[dict[str, Any]], notes: dict[str, str]) -> Iterator[str]:
    """The runs in which one thing is otherwise."""
    yield "| run | " + " | ".join(COLUMNS) + " |"
    yield "|" + " --- |" * (len(COLUMNS) + 1)
    for run in runs:
        if run["variant"]:
            yield f"| {run['id']} | " + " | ".join(cell(run, column, notes) for column in COLUMNS) + " |"


HEAD = """# Beyond the first step

What becomes of an FP8 run that trains: does its checkpoint come back, in which precision is it evaluated, can it
generate, and who can load what it leaves? `make beyond` asks released packages these questions on a CPU, with a stand-in
for Transformer Engine; the same programs ran on two H200s with the real one. This page is made of what they answered
([GPUs](evidence/h200-beyond.jsonl), [CPU](evidence/beyond-cpu.jsonl)). `(cpu)` was executed on the CPU, the rest on H200;
`n/a`: a script has no such thing; `nothing saved`: there was nothing to load. `as HF Trainer` was not asked of that
trainer, which has the HF Trainer's methods for it. axolotl's own FP8 is torchao's; with Transformer Engine the precision
is that of an Accelerate file.

| column | is asked |
| --- | --- |
| save | `save_state()`, or the Trainer's checkpoint, behind a training step; of adapters, `save_pretrained()` |
| resume | `load_state()` or `resume_from_checkpoint` in FP8; "no scales": the amax history starts anew (FP541) |
| FP8 to BF16, BF16 to FP8 | a checkpoint of one precision resumed in the other |
| evaluate | in which precision, also with a last batch of 3 rows of 7 tokens |
| generate, rollout | `generate()` of one row in evaluation mode; of 4 rows in training mode, as TRL generates |
| best model | `load_best_model_at_end`, evaluated after each step |
| export | `save_pretrained()` or `save_model()`; keys beyond those of the base model are `_extra_state` |
| loads without | `from_pretrained()` where neither Transformer Engine nor torchao can be imported |

What holds everywhere: weights are plain tensors in the type they had (DeepSpeed exports BF16), names are the base
model's, gradients are clipped as in BF16. A head that Transformer Engine untied is saved as a tensor of its own and stays
untied (FP403). torchao computes in FP8 in evaluation and generation as well; Transformer Engine does so in training mode
only, unless `use_autocast_during_eval` is on; under FSDP2 it computes in BF16 throughout (FP502). Under DDP and FSDP
`unwrap_model()` takes the FP8 autocast away with the wrapper: what is generated by the bare model in training mode is BF16
there, and FP8 on one GPU and under DeepSpeed. With adapters the bare model's autocast is passed by as well.

TRL's, LLaMA-Factory's and axolotl's trainers are HF Trainers, and save, load and evaluate by its methods ({inherited}):
"as HF Trainer" and "the HF Trainer's row" below mean that.
"""
MSAMP = """## MS-AMP

Not executed: no release of it is on the package index. Its source (github.com/Azure/MS-AMP, msamp/nn/linear.py and
state.py) says: weights become ScalingParameter, a type of its own around float16 and a scale, so that a pickled checkpoint
wants msamp to be read; the scales of inputs and gradients are attributes and no buffers, so that no state dict holds them.
"""


def document() -> str:
    """The whole page."""
    runs, notes = recorded(), {}
    lines = [HEAD.format(inherited=INHERITED)]
    for backend, title in BACKENDS.items():
        lines += [f"## {title}", "", *table(backend, runs, notes), ""]
    lines += ["## Where one thing is otherwise", "", *variants(runs, notes), "", "## Why not", ""]
    lines += [f"- {mark} {why}" for why, mark in notes.items()]
    lines += ["", MSAMP]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(document())
