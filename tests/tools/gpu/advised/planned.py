"""Makes the finals: each start as its plan leaves it, and what is predicted of it before it runs.

    python -m tests.tools.gpu.advised.planned FINALS.json

The plan is made and its changes are written by the command itself (`fp8check fix --goal fp8 --plan N`). What `init` writes
has the places filled that it leaves to its user: data, steps, learning rate.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.tools.gpu.advised.starts import AS_WRITTEN, HOME, INITS, STARTS, facts
from tests.tools.gpu.llamas import config_of

MODELS = ("7B3", "7B4", "8B2", "1B8", "3B8")
FP8CHECK = [str(Path(sys.executable).with_name("fp8check"))]
# What is the user's in a file that init writes.
FILLED: dict[str, list[tuple[str, str]]] = {
    "llamafactory": [
        ("dataset: identity", f"dataset: random\ndataset_dir: {HOME}/data/lf"),
        ("template: default", "template: alpaca"),
        ("num_train_epochs: 1.0", "max_steps: 8"),
        ("lr_scheduler_type: cosine\nwarmup_ratio: 0.1", "lr_scheduler_type: constant"),
        ("save_steps: 500", "save_strategy: 'no'\nreport_to: none"),
    ],
    "trl": [
        ("dataset_name: trl-lib/Capybara", f"dataset_name: {HOME}/data/trl"),
        (
            "num_train_epochs: 1.0",
            "max_steps: 8\nlr_scheduler_type: constant\nlogging_steps: 1\nsave_strategy: 'no'\nreport_to: none",
        ),
    ],
    "axolotl": [
        ("path: tatsu-lab/alpaca", f"path: {HOME}/data/lf/random.json\n    ds_type: json"),
        (
            "num_epochs: 1",
            "num_epochs: 1\nmax_steps: 8\nlogging_steps: 1\nsave_strategy: 'no'\nval_set_size: 0\nattn_implementation: sdpa",
        ),
        ("lr_scheduler: cosine", 'lr_scheduler: constant\nspecial_tokens:\n  pad_token: "<pad>"'),
    ],
    "transformers": [
        ('load_dataset("tatsu-lab/alpaca", split="train")', f'load_dataset("{HOME}/data/trl", split="train")'),
        (
            "num_train_epochs=1,",
            'max_steps=8, lr_scheduler_type="constant", logging_steps=1, save_strategy="no", report_to="none",',
        ),
    ],
}
ALWAYS = [
    ("gradient_accumulation_steps: 8", "gradient_accumulation_steps: 1"),
    ("gradient_accumulation_steps=8", "gradient_accumulation_steps=1"),
    ("learning_rate: 1.0e-5", "learning_rate: 1.0e-3"),
    ("learning_rate: 1.0e-4", "learning_rate: 1.0e-3"),
    ("learning_rate=1.0e-5", "learning_rate=1.0e-3"),
    ("logging_steps: 10\n", "logging_steps: 1\n"),
]

Final = dict[str, Any]


def asked(folder: Path, *words: str) -> str:
    """What the command prints."""
    done = subprocess.run([*FP8CHECK, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{folder.name}: {shlex.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def files_of(folder: Path) -> dict[str, str]:
    """The run's files by name."""
    return {one.name: one.read_text(encoding="utf-8") for one in sorted(folder.iterdir()) if one.name != "facts.json"}


def predicted(folder: Path, command: str) -> Final:
    """What a check of the final says of it."""
    report = json.loads(asked(folder, "--facts", "facts.json", "--format", "json", "--", *shlex.split(command)))
    outcome = report["outcome"]
    names = (
        "starts",
        "error",
        "backend",
        "mixed_precision",
        "recipe",
        "fp8_layers",
        "layers",
        "distributed_type",
        "memory",
        "undecided",
    )
    speed = outcome["speedup"]
    return {
        **{name: outcome[name] for name in names},
        "speedup": speed and {name: speed[name] for name in ("predicted", "low", "high")},
        "findings": sorted({f"{one['rule']} {one['severity']}" for one in report["findings"]}),
    }


def fresh(name: str, trainer: str, gpus: int) -> Path:
    """An empty folder of that name with the facts of the machine."""
    folder = Path(HOME) / "planned" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "facts.json").write_text(facts(trainer, gpus), encoding="utf-8")
    return folder


def finals_of(start: Final) -> list[Final]:
    """The start by its first plan, and by its second where the first is slower than BF16."""
    found: list[Final] = []
    for number in (1, 2):
        name = start["name"] + ("" if number == 1 else "-2")
        folder = fresh(name, start["trainer"], start["gpus"])
        for file, text in start["files"].items():
            (folder / file).write_text(text, encoding="utf-8")
        how = ("--goal", "fp8", "--facts", "facts.json")
        command = shlex.split(start["command"])
        plans = json.loads(asked(folder, "plan", *how, "--format", "json", "--", *command))["plans"]
        if len(plans) < number:
            break
        plan = plans[number - 1]
        asked(folder, "fix", *how, "--plan", str(number), "--", *command)
        final = {
            "name": name,
            "trainer": start["trainer"],
            "gpus": start["gpus"],
            "was": {"command": start["command"], "files": start["files"]},
            "steps": [
                f"{one.get('file') or one['kind']}: {one['before']} -> {one['after']}"
                for one in plan["steps"]
                if "after" in one
            ],
            "command": plan["launch"],
            "files": files_of(folder),
            "predicted": predicted(folder, plan["launch"]),
        }
        found.append(final)
        speed = final["predicted"]["speedup"]
        if speed is None or speed["predicted"] >= 1:
            break
    return found


def as_written(start: Final) -> Final:
    """The run as it is."""
    folder = fresh(start["name"], start["trainer"], start["gpus"])
    for file, text in start["files"].items():
        (folder / file).write_text(text, encoding="utf-8")
    told = {name: start[name] for name in ("name", "trainer", "gpus", "command", "files")}
    return {**told, "was": None, "steps": [], "predicted": predicted(folder, start["command"])}


def final_of_init(name: str, trainer: str, gpus: int, options: tuple[str, ...]) -> Final:
    """What init writes, its user's places filled."""
    folder = fresh(name, trainer, gpus)
    words = (
        "init",
        "--trainer",
        trainer,
        "--model",
        f"{HOME}/models/7B3",
        "--out",
        "run",
        "--facts",
        "facts.json",
        *options,
    )
    asked(folder, *words)
    for file in (folder / "run").iterdir():
        text = file.read_text(encoding="utf-8")
        if file.stem == "train":
            for before, after in FILLED[trainer]:
                if text.count(before) != 1:
                    raise SystemExit(f"{name}: {before!r} is not there once")
                text = text.replace(before, after)
            for before, after in ALWAYS:
                text = text.replace(before, after)
        (folder / file.name).write_text(text, encoding="utf-8")
    shutil.rmtree(folder / "run")
    told = {
        "llamafactory": "accelerate launch --config_file accelerate.yaml -m llamafactory.launcher train.yaml",
        "trl": "trl sft --config train.yaml --accelerate_config accelerate.yaml",
        "axolotl": "axolotl train train.yaml -- --config_file accelerate.yaml",
        "transformers": "accelerate launch --config_file accelerate.yaml train.py",
    }[trainer]
    return {
        "name": name,
        "trainer": trainer,
        "gpus": gpus,
        "was": {"command": shlex.join(("fp8check", *words))},
        "steps": [],
        "command": told,
        "files": files_of(folder),
        "predicted": predicted(folder, told),
    }


def main() -> int:
    """Make them all."""
    for name in MODELS:
        folder = Path(HOME) / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config_of(name)), encoding="utf-8")
    finals = [final for start in STARTS for final in finals_of(start)]
    finals += [final_of_init(*one) for one in INITS] + [as_written(one) for one in AS_WRITTEN]
    Path(sys.argv[1]).write_text(json.dumps(finals, indent=1) + "\n", encoding="utf-8")
    for final in finals:
        seen = final["predicted"]
        memory = seen["memory"] or {}
        print(
            final["name"],
            seen["starts"],
            seen["backend"],
            seen["layers"] and (seen["layers"]["converted"], seen["layers"]["total"]),
            memory.get("fp8_gib"),
            memory.get("bf16_gib"),
            (seen["speedup"] or {}).get("predicted"),
            seen["findings"],
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
