"""The ready files of examples/cluster: what linters and schemas say, and what the scripts of Slurm do with an answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTER = ROOT / "examples" / "cluster"
SCRIPTS = sorted([*CLUSTER.glob("*.sh"), *CLUSTER.glob("*.sbatch")])
BIN = Path(sys.executable).parent


def script(folder: Path, name: str, text: str) -> Path:
    """A program for a test."""
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_scripts_are_linted() -> None:
    assert len(SCRIPTS) == 4
    done = subprocess.run([BIN / "shellcheck", *SCRIPTS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_kubernetes_files_have_their_schema() -> None:
    words = [BIN / "kubernetes-validate", "--strict", CLUSTER / "kubernetes.yaml"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def not_in(written: Any, known: Any, place: str = "") -> Iterator[str]:
    """The places of what was written that the model of the API does not know."""
    if isinstance(written, dict) and isinstance(known, dict):
        for name, value in written.items():
            yield from not_in(value, known.get(name), f"{place}/{name}")
    elif isinstance(written, list) and isinstance(known, list) and len(written) == len(known):
        for number, (value, other) in enumerate(zip(written, known, strict=True)):
            yield from not_in(value, other, f"{place}/{number}")
    elif written != known:
        yield place


def unknown_to_kubeflow(document: dict[str, Any]) -> list[str]:
    """What Kubeflow Trainer's own models of its API, which have those of Kubernetes in them, do not know of it."""
    from kubeflow_trainer_api import models

    kind: Any = getattr(models, f"TrainerV1alpha1{document['kind']}")
    return list(not_in(document, kind.from_dict(document).to_dict()))


def test_the_gate_of_a_train_job_is_what_kubeflow_takes() -> None:
    runtime, job = yaml.safe_load_all((CLUSTER / "trainjob.yaml").read_text())
    assert [unknown_to_kubeflow(one) for one in (runtime, job)] == [[], []]
    assert (job["spec"]["runtimeRef"]["kind"], job["spec"]["runtimeRef"]["name"]) == (
        runtime["kind"],
        runtime["metadata"]["name"],
    )
    pod = runtime["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    (gate,) = pod["initContainers"]
    assert gate["resources"]["limits"] == job["spec"]["trainer"]["resourcesPerNode"]["limits"]
    volumes = {one["name"] for one in pod["volumes"]}
    assert {one["name"] for part in (gate, *pod["containers"]) for one in part["volumeMounts"]} == volumes
    gate["commands"] = gate.pop("command")
    assert len(unknown_to_kubeflow(runtime)) == 1, "what the models do not know is seen"


def test_the_commands_of_the_files_are_commands() -> None:
    """Of each container that starts fp8check: its options are understood."""
    from fp8check.cli import node, nodes

    parsers = {"node": node.parser(), "nodes": nodes.parser()}
    found = []
    for name in ("kubernetes.yaml", "trainjob.yaml"):
        for line in (CLUSTER / name).read_text().splitlines():
            if "command: [fp8check" in line:
                _, command, *words = yaml.safe_load(line.strip())["command"]
                parsers[command].parse_args(words)
                found.append(command)
    assert found == ["node", "nodes", "node"]


def ran(
    folder: Path, name: str, answer: str, *, state: str = "IDLE", files: bool = True
) -> tuple[int, str, str, list[str]]:
    """Exit code and output of a script of Slurm, the words that fp8check got, and what was asked of scontrol."""
    fp8check = script(folder, "fp8check", f'echo "$@" > {folder}/words; {answer}')
    scontrol = script(
        folder,
        "scontrol",
        f'echo "$@" >> {folder}/asked; [[ $1 == --oneliner ]] && echo "NodeName=n1 State={state} X=1"',
    )
    run = folder / "run"
    if files:
        run.mkdir(exist_ok=True)
        for one in ("train.yaml", "accelerate.yaml"):
            (run / one).touch()
    environ = {
        "FP8CHECK": str(fp8check), "SCONTROL": str(scontrol), "FP8CHECK_RUN": str(run), "FP8CHECK_OUT": str(folder),
        "SLURMD_NODENAME": "n1", "FP8CHECK_SECONDS": "2",
    }  # fmt: skip
    done = subprocess.run([CLUSTER / name], env=environ, capture_output=True, text=True, check=False)
    asked = folder / "asked"
    drained = [one for one in asked.read_text().splitlines() if one.startswith("update")] if asked.exists() else []
    return done.returncode, done.stdout, (folder / "words").read_text(), drained


FAILS = "printf 'fail  n1  x.json\\n  FP601 it is not there\\n'; exit 1"


@pytest.mark.parametrize(
    ("answer", "code"),
    [(FAILS, 1), ("exit 0", 0), ("exit 2", 0), ("exit 3", 0), ("exit 4", 0), ("sleep 30", 0), ("kill -9 $$", 0)],
)
def test_the_prolog_drains_for_what_fails_only(answer: str, code: int, tmp_path: Path) -> None:
    found, said, words, _ = ran(tmp_path, "prolog.sh", answer)
    assert found == code
    assert said == (
        "print fp8check: this node cannot run FP8: fail  n1  x.json;   FP601 it is not there\n" if code else ""
    )
    assert "--probe" not in words


@pytest.mark.parametrize(
    ("answer", "drained"),
    [
        (FAILS, ["update nodename=n1 state=drain reason=fp8check: FP601 it is not there"]),
        ("exit 0", []),
        ("exit 3", []),
        ("exit 4", []),
    ],
)
def test_the_health_check_drains_for_what_fails_only(answer: str, drained: list[str], tmp_path: Path) -> None:
    code, _, _, asked = ran(tmp_path, "health_check.sh", answer)
    assert (code, asked) == (0, drained)


@pytest.mark.parametrize(
    ("state", "probes"),
    [
        ("IDLE", True),
        ("ALLOCATED", False),
        ("MIXED", False),
        ("IDLE+DRAIN", False),
        ("IDLE+PLANNED", False),
        ("", False),
    ],
)
def test_the_health_check_never_probes_beside_a_job(state: str, probes: bool, tmp_path: Path) -> None:
    _, _, words, _ = ran(tmp_path, "health_check.sh", "exit 0", state=state)
    assert ("--probe" in words) is probes
    assert "train.yaml" in words


def test_without_files_nothing_is_probed(tmp_path: Path) -> None:
    _, _, words, _ = ran(tmp_path, "health_check.sh", "exit 0", files=False)
    assert words.split() == ["node", "--out", str(tmp_path), "--host", "n1", "--no-config"]
    assert os.listdir(tmp_path).count("run") == 0
