"""`python -m fp8check.probe.rank` under torchrun: four processes over two nodes that are none, and every fault of a rank."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fp8check.rules
from tests.support.probing import AO_OFF, SMALL, TRAINING, torch_python

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL = os.environ.get("TEST_RUN") == "all"  # make run-test
RANK = Path(__file__).parents[1] / "support" / "faulty_rank.py"
PACKAGE = str(Path(fp8check.rules.__file__).parents[2])


def launched(
    folder: Path, words: Sequence[str], *, faults: str = "", nodes: int = 2, a_node: int = 2
) -> tuple[str, list[int]]:
    """What the first node's ranks print, and the exit codes of the launchers, one a node."""
    python = torch_python()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    for number in range(nodes):
        environ = {**os.environ, "FAULTS": faults, "FP8CHECK_HOST": f"node{number}", "OMP_NUM_THREADS": "1"}
        environ["PYTHONPATH"] = PACKAGE
        command = [python, "-m", "torch.distributed.run", "--nnodes", str(nodes), "--node-rank", str(number)]
        command += ["--nproc-per-node", str(a_node), "--master-addr", "127.0.0.1", "--master-port", port]
        with (folder / f"node{number}.err").open("w") as error:
            one = subprocess.Popen(
                [*command, str(RANK), *words], stdout=subprocess.PIPE, stderr=error, text=True, env=environ, cwd=folder
            )
        started.append(one)
    printed = [one.communicate(timeout=300)[0] for one in started]
    return printed[0], [one.returncode for one in started]


def lists(folder: Path) -> dict[str, list[str]]:
    """The nodes by where they stand."""
    return {path.stem: path.read_text().split() for path in folder.glob("*_nodes.txt")}


def test_a_rank_with_another_torch_and_one_with_another_variable_are_named(tmp_path: Path) -> None:
    said, codes = launched(tmp_path, ["--out", "out"], faults="torch:1,variable:3")
    assert "\n  2.5.1: rank1.node0\n" in said
    assert "variable NVTE_FP8_DPA_BWD: not set on 3\n  0: rank3.node1\n" in said
    assert codes == [1, 1]
    assert lists(tmp_path / "out") == {"failing_nodes": ["node0", "node1"], "passing_nodes": [], "unknown_nodes": []}
    assert json.loads((tmp_path / "out" / "nodes.json").read_text())["verdict"] == "fail"


FAULTS = [("hangs:2", "rank2.node1"), ("killed:1", "rank1.node0"), ("killed:3", "rank3.node1")]


@pytest.mark.parametrize(("fault", "missing"), FAULTS if ALL else FAULTS[:1])
def test_a_rank_that_is_killed_or_hangs_is_named_in_time(fault: str, missing: str, tmp_path: Path) -> None:
    began = time.monotonic()
    said, codes = launched(tmp_path, ["--out", "out", "--seconds", "15"], faults=fault)
    assert time.monotonic() - began < 90
    told = said.partition("it did not report\n")[2].partition("\n")[0].replace(",", "").split()
    assert missing in told
    assert all(codes)
    host = missing.partition(".")[2]
    assert host not in lists(tmp_path / "out")["passing_nodes"]


@pytest.mark.skipif(not ALL, reason="make run-test")
def test_with_a_probe_the_ranks_meet_in_a_collective(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text(f"model_name_or_path: .\noutput_dir: o\n{TRAINING}")
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    (tmp_path / "accel.yaml").write_text(AO_OFF)
    words = ["train.yaml", "accel.yaml", "--probe=emulate", "--out", "out", "--launch", "accelerate launch train.py"]
    said, codes = launched(tmp_path, words, nodes=1)
    told = json.loads((tmp_path / "out" / "nodes.json").read_text())
    assert [one["host"] for one in told["nodes"]] == ["rank0.node0", "rank1.node0"]
    assert "emulated" in str(told["kinds"])
    assert "the collective" not in said
    assert codes != [2]
