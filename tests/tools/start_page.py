"""docs/start.md, FP8 in five minutes for each trainer, made by `fp8check init` itself.

python -m tests.tools.start_page > docs/start.md
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path

from fp8check.cli.main import main as fp8check
from fp8check.cli.projects import inside

GPUS = [
    {"index": number, "name": "NVIDIA H200", "compute_capability": "9.0", "memory_mib": 143771, "mig": False}
    for number in range(2)
]
PACKAGES = {
    "torch": "2.13.0",
    "accelerate": "1.15.0",
    "transformers": "5.23.0",
    "peft": "0.21.0",
    "transformer_engine": "2.20.2",
    "transformer_engine_cu13": "2.20.2",
    "transformer_engine_torch": "2.20.2",
    "torchao": "0.18.0",
    "deepspeed": "0.19.8",
}
# The trainer's own release, and others of the packages that it wants.
OWN = {
    "llamafactory": {"llamafactory": "0.9.5", "transformers": "5.6.0", "accelerate": "1.11.0", "peft": "0.18.1"},
    "transformers": {},
    "trl": {"trl": "1.16.0"},
    "axolotl": {"axolotl": "0.19.0"},
    "script": {},
}
NAMES = {
    "llamafactory": "LLaMA-Factory",
    "transformers": "transformers' Trainer",
    "trl": "TRL",
    "axolotl": "axolotl",
    "script": "A training loop of your own",
}
HEAD = """\
# FP8 in five minutes

Made by `make docs` from what `fp8check init` wrote and said on a node with two H200. fp8check needs Python 3.10 and
PyYAML, no GPU and no torch; from a clone of its repository:

```sh network
pip install .
```

The facts are those of the machine and the environment that train: install it there as well, and take them with

```sh
fp8check env --json > facts.json
```

Everything else works on any machine with that file. After a change of the files, of the command or of the packages
(then with new facts), a check says whether it still is the run that was promised:

```sh
fp8check run/train.yaml run/accelerate.yaml --facts facts.json
```

`--from train.yaml` instead of `--trainer` and `--model` keeps a training file
that is there. `--processes`, `--strategy`, `--backend`, `--finetuning lora` and `--tokens` choose what is chosen here;
`--explain` tells what else was possible, and what was not, and why.
"""


def page() -> str:
    """The page."""
    return HEAD + "".join(_section(trainer) for trainer in NAMES)


def _section(trainer: str) -> str:
    words = ["init", "--trainer", trainer, "--model", "Qwen/Qwen2.5-7B", "--finetuning", "lora", "--out", "run"]
    words += ["--facts", "facts.json", "--explain"]
    packages = {**PACKAGES, **OWN[trainer]}
    facts = {"schema": "fp8check/facts/1", "packages": packages, "variables": {}, "gpus": GPUS}
    with tempfile.TemporaryDirectory() as folder, inside(Path(folder)):
        Path("facts.json").write_text(json.dumps(facts), "utf-8")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = fp8check(words)
        files = {name: Path("run", name).read_text("utf-8") for name in sorted(os.listdir("run"))} if code == 0 else {}
    if code != 0:
        raise SystemExit(f"{trainer}: {said.getvalue()}")
    parts = [f"\n## {NAMES[trainer]}\n", _code(f"$ fp8check {shlex.join(words)}\n{said.getvalue()}", "console")]
    parts += [
        f"run/{name}:\n\n{_code(text, 'python' if name.endswith('.py') else 'yaml')}" for name, text in files.items()
    ]
    return "\n".join(parts)


def _code(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(page())
