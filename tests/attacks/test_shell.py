"""What a shell script can have run, and what it can say: nothing of it is run, and what it sets gets into no process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.attacks.lines import attack
from tests.attacks.test_children import ACCELERATE, HOSTILE, TRAIN, _audited, environments, flat, site, spy
from tests.support.command import run

if TYPE_CHECKING:
    from pathlib import Path

EVIL = """#!/bin/bash
#SBATCH --export=ALL,LD_PRELOAD=/nowhere/evil.so
source ./evil.sh
. ./evil.sh
A=$(touch MARK; echo x) B=`touch MARK` C=$((x[$(touch MARK)]))
D=${A:-$(touch MARK)} E=${D@P} F=<(touch MARK)
touch MARK; ./evil.sh | tee > MARK &
bash <<EOT
touch MARK
EOT
eval "touch MARK; accelerate launch --config_file accel.yaml train.yaml"
bash -c 'touch MARK; accelerate launch --config_file accel.yaml $(touch MARK) train.yaml'
exec 3<>/dev/tcp/127.0.0.1/9
trap 'touch MARK' EXIT DEBUG
accelerate launch --config_file accel.yaml ../../../etc/passwd /dev/zero $A
LD_PRELOAD=/nowhere/evil.so python3 train.py --config /proc/self/environ "$(touch MARK)"
"""


def test_nothing_of_a_shell_script_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "run.sh").write_text(EVIL.replace("MARK", str(mark)))
    (folder / "evil.sh").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (folder / "evil.sh").chmod(0o755)
    (folder / "accel.yaml").write_text(ACCELERATE)
    (folder / "train.py").write_text(f"open({str(mark)!r}, 'w')\nfrom accelerate import Accelerator\nAccelerator()\n")
    commands = [
        ["run.sh", "--no-environment"],
        ["--hook", "run.sh"],
        ["outcome", "run.sh", "--no-environment"],
        ["explain", "run.sh:15", "--no-environment"],
        ["fix", "--diff", "--unsafe", "run.sh", "--no-environment"],
        ["--no-environment", "--", "bash", "-c", f"touch {mark}; accelerate launch train.py"],
    ]
    seen, codes = _audited(json.dumps([str(folder), [[words, []] for words in commands]]) + "\n", "/usr/bin")
    assert seen == []
    assert not mark.exists()
    assert sum(codes.values()) == len(commands)
    assert codes.get("4", 0) == 0


@attack("A1")
def test_what_a_shell_script_exports_reaches_no_probe(tmp_path: Path) -> None:
    tools, checkout = tmp_path / "tools", tmp_path / "checkout"
    tools.mkdir()
    checkout.mkdir()
    python, seen = spy(tools)
    (checkout / "accel.yaml").write_text(ACCELERATE)
    (checkout / "train.yaml").write_text(TRAIN)
    line = "accelerate launch --config_file accel.yaml train.py train.yaml\n"
    words = ("run.sh", "train.yaml", "--trainer", "transformers", "--probe", "--python", python, "--format", "json")
    for text in (f"export {flat(HOSTILE)}\n{line}", f"export NVTE_BACKWARD_OVERRIDE=high_precision\n{line}"):
        (checkout / "run.sh").write_text(text)
        done = run(*words, cwd=checkout, PYTHONPATH=site(tools) if "LD_PRELOAD" in text else str(tools / "site"))
        report = json.loads(done.stdout)
        assert report["probe"]["ended"] == "not run" or "no other program gets" in json.dumps(report["probe"])
        for environment in environments(seen):
            assert "evil" not in json.dumps(environment)
            assert "NVTE_BACKWARD_OVERRIDE" not in environment
    assert "of a shell script: --set-variable" in report["probe"]["why"]
    assert environments(seen)


def test_credentials_of_a_shell_script_are_masked(tmp_path: Path) -> None:
    secret = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"[:34]
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    (tmp_path / "train.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    (tmp_path / "run.sh").write_text(
        f"export HF_TOKEN={secret} WANDB_API_KEY=0123456789abcdef0123\nTOKEN=plainpassword1\n"
        "API_TOKEN='plainpassword2' A=b\n"
        "accelerate launch --config_file accel.yaml --mixed_precision bf16 train.py --hub_token $TOKEN --x $HF_TOKEN "
        "--wandb_api_key $WANDB_API_KEY\n"
    )
    for name in ("text", "json", "html", "sarif", "junit", "github", "gitlab", "concise"):
        done = run("run.sh", "--no-environment", "--format", name, cwd=tmp_path)
        for word in (secret, "0123456789abcdef0123", "plainpassword1", "plainpassword2"):
            assert word not in done.stdout + done.stderr, name
