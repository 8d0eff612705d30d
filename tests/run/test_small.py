"""`fp8check run` on small programs, for real: what it says of each fault, its exit code, and that the run is as without.

A few of them are the sample that runs with all tests; TEST_RUN=all (make run-test) runs the others, too.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.watching import FP8CHECK, PROGRAMS, shell, start, torch_python, watched

SMALL = str(PROGRAMS / "small.py")
STEPS = 12

# How it trains: what has to be undecided of it, in words; "" where all that a CPU can show was seen.
UNDECIDED = {
    "plain": "",
    "compiled-model": "",
    "in-backward": "",
    "loader": "",
    "fork": "",
    "compiled-optimizer": "no optimizer's step was seen",
    "by-hand": "no optimizer's step was seen",
    "hooks-cleared": "no optimizer's step was seen",
    "rate-0": "whether 5 weights move: learning rate 0",
    "profiled": "the program's own profiler was on",
    "counted": "the watched steps did not show whether the weights move",
    "frozen-heap": "no module that trains",
    "meta": "whether 1 weights move: none of them has values here",
    "captured": "no optimizer's step was seen",
    "profiler-fails": "the watcher failed: ZeroDivisionError",
    "exit-in-3": "the program ended when 3 of 8 steps had been seen",
    "killed-in-3": "did not come to the end of the look: the command was ended by signal 9",
    "crash-first": "no optimizer's step was seen in 1 processes that import torch; the command ended with exit code 1",
}
CODES = {"exit-in-3": 7, "killed-in-3": 137, "crash-first": 1}
SAMPLE = ("plain", "in-backward", "rate-0", "crash-first")
HOW = [
    pytest.param(
        how, marks=[] if how in SAMPLE or os.environ.get("TEST_RUN") == "all" else pytest.mark.skip("make run-test")
    )
    for how in UNDECIDED
]


@pytest.mark.parametrize("how", HOW)
def test_the_run_is_as_without_and_what_was_not_seen_is_undecided(how: str, tmp_path: Path) -> None:
    words = [torch_python(), "-W", "ignore", SMALL, how]
    without = start(words, tmp_path)
    ran = watched(words, tmp_path)
    assert ran.output == without.stdout, ran.errors
    code = CODES.get(how, 0)
    assert without.returncode in (code, -9)
    assert ran.code == code
    assert ran.seen["agrees"] is None, "a CPU shows no kernels, and nothing asks for FP8"
    assert UNDECIDED[how] in ran.undecided, ran.seen
    if not UNDECIDED[how]:
        losses = [float(line.split()[1]) for line in ran.output.splitlines()[:8]]
        assert ran.seen["loss"] == losses
        assert ran.seen["moved"] == {"expected": 5, "moved": 5, "still": [], "why": ""}
        assert ran.seen["layers"] == {"converted": 0, "total": 2, "left": ["1", "2"], "te": 0, "torchao": 0, "msamp": 0}
        assert ran.seen["steps"] == [1, 8]
        assert (ran.seen["ranks"], ran.seen["tokens_per_s"] is not None) == (1, True)


@pytest.mark.slow
def test_what_the_program_has_told_of_its_fp8_gradients_is_recorded(tmp_path: Path) -> None:
    has_it = [torch_python(), "-c", "import nvdlfw_inspect.api"]
    if subprocess.run(has_it, capture_output=True, check=False).returncode:
        pytest.skip("no nvdlfw-inspect beside torch: make probe-env")
    words = [torch_python(), "-W", "ignore", SMALL, "inspected"]
    without = start(words, tmp_path)
    logs = {path.name: path.read_bytes().count(b"value=") for path in (tmp_path / "logs").rglob("*statistics*.log")}
    shutil.rmtree(tmp_path / "logs")
    ran = watched(words, tmp_path)
    assert ran.output == without.stdout, ran.errors
    assert logs == {
        path.name: path.read_bytes().count(b"value=") for path in (tmp_path / "logs").rglob("*statistics*.log")
    }
    assert ran.seen["fp8_gradients"] == {
        "zeros": {"layers": 2, "median": 0.225, "worst": 0.4, "name": "2"},
        "saturated": {"layers": 1, "median": 0.0025, "worst": 0.0025, "name": "1"},
    }
    assert "gradients 22.5% zeros (worst 40.0%, 2), 0.2% saturated (worst 0.2%, 1)" in ran.errors


def test_a_weight_that_no_optimizer_holds_is_found(tmp_path: Path) -> None:
    ran = watched([torch_python(), SMALL, "no-optimizer-holds-one"], tmp_path)
    assert ran.code == 1
    assert ran.seen["verdict"].startswith("not as requested")
    assert set(ran.rules) == {"FP811", "FP812"}
    assert ran.seen["moved"]["still"] == ["0.weight"]


BLIND = {
    "isolated": (["-I"], {}),
    "without variables": (["-E"], {}),
    "autoload is off": ([], {"TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}),
}


@pytest.mark.parametrize("why", [pytest.param(why, marks=[pytest.mark.slow] * (why == "isolated")) for why in BLIND])
def test_where_nobody_lets_the_watcher_in_all_is_undecided(why: str, tmp_path: Path) -> None:
    flags, environ = BLIND[why]
    ran = watched([torch_python(), *flags, SMALL], tmp_path, environ=environ)
    assert len(ran.output.splitlines()) == STEPS
    assert ran.code == 0
    assert ran.seen["agrees"] is None
    assert "no process let the watcher in" in ran.undecided
    assert ran.errors.count("the command ended with exit code 0") == 1
    strict = watched([torch_python(), *flags, SMALL], tmp_path, "--require-evidence", environ=environ)
    assert strict.code == 3


@pytest.mark.parametrize("line", ["env -i {python} {small}", "PYTHONPATH=/nowhere {python} {small}"])
def test_scripts_that_take_the_way_in_away(line: str, tmp_path: Path) -> None:
    text = line.format(python=torch_python(), small=SMALL)
    ran = watched(["bash", "-c", text], tmp_path)
    assert len(ran.output.splitlines()) == STEPS
    assert "no process let the watcher in" in ran.undecided


def test_a_sitecustomize_of_the_users_own_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('mine')\n")
    ran = watched([torch_python(), SMALL], tmp_path, environ={"PYTHONPATH": str(tmp_path)})
    assert ran.output.splitlines()[0] == "mine"
    assert ran.seen["moved"]["moved"] == 5


def test_the_way_in_for_an_older_torch_runs_the_sitecustomize_that_it_hides(tmp_path: Path) -> None:
    from fp8check.probe.session import Session

    (tmp_path / "sitecustomize.py").write_text("print('mine')\n")
    session = Session(3, None, old_torch=True)
    try:
        done = start([torch_python(), SMALL], tmp_path, session.environ({"PYTHONPATH": str(tmp_path)}))
        assert done.stdout.splitlines()[0] == "mine"
        (told,) = session.told()
        assert told["final"] is True
        assert told["steps"] == [1, 3]
    finally:
        session.close()
    assert not os.path.exists(session.folder)


def test_two_ranks(tmp_path: Path) -> None:
    torchrun = [torch_python(), "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", SMALL]
    ran = watched([*torchrun, "distributed"], tmp_path)
    assert ran.code == 0, ran.errors
    assert (ran.seen["ranks"], ran.seen["steps"], ran.seen["moved"]["moved"]) == (2, [1, 8], 5)


@pytest.mark.slow
def test_ranks_without_a_row_of_some_weights(tmp_path: Path) -> None:
    """FSDP leaves ranks with an empty part of a small weight: it has not moved there, and moves all the same."""
    torchrun = [torch_python(), "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", SMALL]
    without = start([*torchrun, "empty-shard"], tmp_path)
    ran = watched([*torchrun, "empty-shard"], tmp_path)
    assert (ran.code, ran.seen["ranks"]) == (0, 2), ran.errors
    assert sorted(ran.output.splitlines()) == sorted(without.stdout.splitlines())
    assert ran.seen["moved"] == {"expected": 5, "moved": 5, "still": [], "why": ""}


def test_the_environment_that_trains_has_no_fp8check(tmp_path: Path) -> None:
    """It is that of all the tests here; nothing of ours is imported there but the lookers."""
    assert start([torch_python(), "-c", "import fp8check"], tmp_path).returncode == 1
    names = "print(*sorted(one for one in __import__('sys').modules if 'fp8check' in one))"
    program = tmp_path / "names.py"
    program.write_text(Path(SMALL).read_text() + names + "\n")
    ran = watched([torch_python(), str(program)], tmp_path)
    (*_, last) = ran.output.splitlines()
    assert {one.partition(".")[0] for one in last.split()} == {"fp8check_probe", "fp8check_watch"}
    assert ran.seen["moved"]["moved"] == 5


def test_a_rank_that_is_killed(tmp_path: Path) -> None:
    torchrun = [torch_python(), "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", SMALL]
    ran = watched([*torchrun, "killed-in-3"], tmp_path)
    assert ran.code == 1
    assert ran.seen["agrees"] is None
    assert "did not come to the end of the look" in ran.undecided


@pytest.mark.slow
def test_a_rank_that_hangs_and_all_that_was_started_is_ended(tmp_path: Path) -> None:
    torchrun = [torch_python(), "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", SMALL]
    began = time.monotonic()
    ran = watched([*torchrun, "hung-in-3"], tmp_path, "--stop", "--patience", "8")
    assert time.monotonic() - began < 90
    assert ran.code == 0
    assert ran.seen["agrees"] is None
    assert "did not come to the end of the look: no sign of the run for 8 s" in ran.undecided
    assert _running(SMALL) == []


def _running(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if text in words and "hung-in-3" in words:
            found.append(path.parent.name)
    return found


@pytest.mark.slow
def test_stop_ends_the_run_once_the_verdict_is_there(tmp_path: Path) -> None:
    program = tmp_path / "endless.py"
    program.write_text(
        Path(SMALL)
        .read_text()
        .replace("STEPS = 12", "STEPS = 10**9")
        .replace("print(step", "time.sleep(0.05), print(step")
    )
    ran = watched([torch_python(), str(program)], tmp_path, "--stop")
    assert ran.code == 0
    assert ran.seen["steps"] == [1, 8]
    assert ran.errors.splitlines()[-1] == "fp8check: the run was ended here (--stop): undecided"
    aborted = watched([torch_python(), str(program), "no-optimizer-holds-one"], tmp_path, "--abort")
    assert aborted.code == 1
    assert aborted.errors.splitlines()[-1].startswith("fp8check: the run was ended here (--abort): not as requested")


@pytest.mark.slow
def test_the_first_of_many_steps_are_not_timed(tmp_path: Path) -> None:
    program = tmp_path / "slow_at_first.py"
    text = Path(SMALL).read_text().replace("STEPS = 12", "STEPS = 24")
    slow = text.replace("            step_with()", "            time.sleep(0.3 * (step < 9)); step_with()")
    assert slow != text
    program.write_text(slow)
    assert watched([torch_python(), str(program)], tmp_path, "--steps", "22").seen["ms"]["high"] < 300
    ran = watched([torch_python(), str(program)], tmp_path)
    assert ran.seen["ms"]["median"] > 300, "of a few steps all count"


def test_it_looks_again(tmp_path: Path) -> None:
    ran = watched([torch_python(), SMALL], tmp_path, "--steps", "3", "--every", "4")
    assert ran.seen["steps"] == [1, 3]
    assert [one["steps"] for one in ran.seen["later"]] == [[5, 7], [9, 11]]


def test_a_run_that_ends_within_a_later_look_is_judged_by_those_before(tmp_path: Path) -> None:
    ran = watched([torch_python(), SMALL], tmp_path, "--steps", "3", "--every", "11")
    assert (ran.seen["steps"], ran.seen.get("later")) == ([1, 3], None)
    assert "the run ended within a later look, from step 11 on: nothing is said of that one" in ran.errors


def test_signals_are_handed_on(tmp_path: Path) -> None:
    program = tmp_path / "waits.py"
    program.write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('usr1', flush=True))\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(0.05)\n"
    )
    mine = [*FP8CHECK, "run", "--force", "--no-config", "--", torch_python(), str(program)]
    with subprocess.Popen(
        mine, cwd=tmp_path, env=shell(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == "usr1\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 9


TERMINAL = """
import os, pty, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b""
for wanted, answer in ((b"front True", b"hello\\n"), (b"read hello", b"\\x03"), (b"interrupted", b"")):
    while wanted not in said:
        said += os.read(terminal, 4096)
    os.write(terminal, answer)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
AT_A_TERMINAL = """
import os, sys, time
try:
    print("front", os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp(), flush=True)
    print("read", input(), flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(3)
"""


def test_the_terminal_is_the_commands(tmp_path: Path) -> None:
    mine = [*FP8CHECK, "run", "--force", "--no-config", "--", sys.executable, "-c", AT_A_TERMINAL]
    done = start([sys.executable, "-c", TERMINAL, *mine], tmp_path, limit_s=60)
    assert done.stdout == "3\n", done.stderr


def test_errors_of_the_check_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text("mixed_precision: fp8\nfp8_config: {backend: te}\n")
    (tmp_path / "train.py").write_text("from accelerate import Accelerator\nopen('was_here', 'w')\nAccelerator()\n")
    words = ["accelerate", "launch", "--config_file", "accel.yaml", "train.py"]
    done = start([*FP8CHECK, "run", "--no-config", "--", *words], tmp_path)
    assert done.returncode == 1
    assert "not started; --force starts it all the same" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "was_here").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run"], "run needs the command that it starts"),
        (["run", "--steps", "2", "--", "true"], "--steps takes a number of at least 3"),
        (["run", "--every", "7", "--", "true"], "at least 8, as many as each look takes (--steps), not 7"),
        (["run", "--evidence", "nowhere/seen.json", "--", "true"], "there is no folder nowhere"),
        (["run", "--evidence", ".", "--", "true"], "--evidence .: is a directory"),
        (["run", "--no-config", "--", "/nowhere/program"], "no such file or directory"),
    ],
)
def test_usage(words: list[str], says: str, tmp_path: Path) -> None:
    done = start([*FP8CHECK, *words], tmp_path)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_command_without_torch(tmp_path: Path) -> None:
    ran = watched(["sh", "-c", "echo said; exit 5"], tmp_path)
    assert (ran.code, ran.output) == (5, "said\n")
    assert "no process let the watcher in" in ran.undecided
