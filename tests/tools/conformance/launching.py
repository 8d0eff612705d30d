"""Starts a case's program as its launcher would, inside a forked process that has everything imported.

The real `accelerate launch` code parses the arguments, reads the configuration and prepares the environment. Only
the last step differs: where it would start `python script.py`, or torch's elastic agent, the program runs in a fork
with exactly that environment.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.tools.conformance.cases import Case

Program = "Callable[[], None]"
FAILED = 1


class Child:
    """What stands for subprocess.Popen in the launcher: a fork that has the environment and runs the program."""

    def __init__(self, environment: Mapping[str, str], program: Callable[[], None]) -> None:
        # Popen refuses what is not a string, and that is one of the faults seen; os.fsencode is what it calls.
        encoded = {os.fsencode(key): os.fsencode(value) for key, value in environment.items()}
        self.returncode = 0
        self._process = fork(lambda: _with(encoded, program))

    def wait(self) -> int:
        """Wait for the end of the program."""
        self.returncode = joined(self._process)
        return self.returncode


def _with(environment: Mapping[bytes, bytes], program: Callable[[], None]) -> None:
    os.environ.clear()
    for key, value in environment.items():
        os.environb[key] = value
    program()


def fork(program: Callable[[], None]) -> int:
    """Run the program in a child process that ends with it; its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        return process
    status = FAILED
    try:
        program()
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def joined(process: int) -> int:
    """The exit status of a child, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def agent(processes: int, program: Callable[[], None]) -> None:
    """What stands for torch's elastic agent: the ranks of one machine with the variables that torchrun sets."""
    common = {
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "GROUP_RANK": "0",
        "GROUP_WORLD_SIZE": "1",
        "ROLE_NAME": "default",
        "TORCHELASTIC_RUN_ID": "none",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }
    ranks = []
    for rank in range(processes):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "ROLE_RANK": str(rank)}
        environment = {os.fsencode(k): os.fsencode(v) for k, v in {**os.environ, **common, **own}.items()}
        ranks.append(fork(lambda env=environment: _with(env, program)))  # type: ignore[misc]
    failed = [process for process in ranks if joined(process)]
    if failed:
        raise ChildProcessError(f"{len(failed)} of {processes} processes failed")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch_arguments(case: Case, config_file: str | None, script: list[str]) -> list[str]:
    """The command line behind `accelerate launch`."""
    config = ["--config_file", config_file] if config_file and case["launch"]["config_via"] == "flag" else []
    return [*config, *case["launch"]["args"], *script]


def start(case: Case, config_file: str | None, program: Callable[[], None]) -> None:
    """Start the program of a case; raises what the launcher raises, SystemExit where it refuses its arguments."""
    launcher, processes = case["launch"]["with"], case["launch"]["processes"]
    if launcher == "python":
        program()
    elif launcher == "torchrun":
        agent(processes, program)
    else:
        _accelerate_launch(launch_arguments(case, config_file, ["program.py"]), program)


def _accelerate_launch(arguments: list[str], program: Callable[[], None]) -> None:
    import subprocess
    from argparse import Namespace

    import torch.distributed.run as elastic
    from accelerate.commands import launch

    def popen(_command: Any, env: Mapping[str, str], **_others: Any) -> Child:
        return Child(env, program)

    def run(options: Namespace) -> None:
        agent(int(options.nproc_per_node), program)

    module: Any = launch
    real = Namespace(**{name: getattr(subprocess, name) for name in ("CalledProcessError", "PIPE")}, Popen=popen)
    module.subprocess = real
    torch_run: Any = elastic
    torch_run.run = run
    module.launch_command(module.launch_command_parser().parse_args(arguments))
