"""The server of one stack: an interpreter with the packages imported, forked for every program that a command starts.

    python -m tests.tools.conformance.commands.interpreter FOLDER

FOLDER gets `bin/` with the programs of the stack (client.py under their names) and `bin/socket`. Standard input says
which case comes: one line {"seen": FOLDER FOR OBSERVATIONS, "gpus": [...], "home": ...}; an empty line kills what is
left of a case.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TextIO

from tests.tools.conformance import machine
from tests.tools.conformance.commands import watching

CLIENT = Path(__file__).with_name("client.py")
# Programs by their console script in the packages' metadata; these are the ones that a wheel brings otherwise.
OTHERS = {"torchrun": "torch.distributed.run:main", "deepspeed": "deepspeed.launcher.runner:main"}
PYTHONS = ("python", "python3", "python3.11")
PRELOADED = (
    "accelerate.commands.accelerate_cli",
    "accelerate.commands.launch",
    "torch.distributed.run",
    "transformers.models.llama.modeling_llama",
    "transformers.trainer",
    "torchao.float8",
    "datasets",
    "datasets.packaged_modules",
    "peft",
    "trl",
    "trl.trainer.sft_trainer",
    "trl.trainer.dpo_trainer",
    "trl.trainer.grpo_trainer",
    "trl.trainer.reward_trainer",
    "deepspeed",
)


class Programs:
    """What stands in `bin/`: each program's name, and the function that its console script calls."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.functions = {one.name: one.value for one in entry_points(group="console_scripts")} | OTHERS
        if self.bin.exists():  # the server has written it
            return
        self.bin.mkdir(parents=True)
        self.interpreter = sys.executable
        text = f"#!{self.interpreter} -IS\n" + CLIENT.read_text(encoding="utf-8")
        for name in (*PYTHONS, *self.functions):
            path = self.bin / name
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)

    def run(self, name: str, arguments: list[str]) -> None:
        """Run one as its own process would; it ends by SystemExit, another exception, or by coming to its end."""
        if name in PYTHONS:
            _python(arguments)
            return
        module, _, function = self.functions[name].partition(":")
        sys.argv = [str(self.bin / name), *arguments]
        sys.path[0] = str(self.bin)
        sys.exit(getattr(import_module(module), function)())


def _python(arguments: list[str]) -> None:
    while arguments and arguments[0].startswith("-") and arguments[0] not in ("-m", "-c", "-"):
        arguments = arguments[2 if arguments[0] in ("-W", "-X") else 1 :]
    first, *rest = arguments
    if first == "-m":
        sys.argv = rest
        sys.path[0] = os.getcwd()
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path[0] = ""
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what python -c does
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(first))
        runpy.run_path(first, run_name="__main__")


def preload() -> None:
    """Import what the programs would import, so that one costs a fork and not seconds."""
    for name in PRELOADED:
        try:
            import_module(name)
        except Exception as error:  # noqa: BLE001 - what cannot be imported fails again where a case needs it
            print(f"not preloaded: {name}: {error}", file=sys.stderr)


class Server:
    """Forks for each request of a client, and tells it the process and then its status."""

    def __init__(self, folder: Path, answers: TextIO) -> None:
        self.programs = Programs(folder)
        self._answers = answers
        path = self.programs.bin / "socket"
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(64)
        self.case: dict[str, Any] = {}
        self.clients: dict[int, socket.socket] = {}

    def ready(self) -> None:
        """Say so to who waits."""
        self._answers.write("ready\n")
        self._answers.flush()

    def serve(self) -> None:
        """Until standard input ends."""
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready, _, _ = select.select([0, wake, self.socket], [], [])
            if wake in ready:
                os.read(wake, 4096)
                self._reap()
            if self.socket in ready:
                self._accept(wake, woken)
            if 0 in ready:
                line = _line()
                if line is None:
                    break
                self._kill()
                self.case = json.loads(line) if line.strip() else {}
                (self.programs.bin / "case.json").write_text(line, encoding="utf-8")
                self.ready()
        self._kill()

    def _accept(self, wake: int, woken: int) -> None:
        client, _ = self.socket.accept()
        header, files, _, _ = socket.recv_fds(client, 8, 3)
        data = b""
        while len(data) < int.from_bytes(header, "little"):
            data += client.recv(65536)
        process = os.fork()
        if process == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (wake, woken):
                os.close(one)
            self.socket.close()
            client.close()
            for other in self.clients.values():
                other.close()
            _child(self.programs, self.case, json.loads(data), files)
        for one in files:
            os.close(one)
        self.clients[process] = client
        client.sendall(f"{process}\n".encode())

    def _reap(self) -> None:
        while self.clients:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            client = self.clients.pop(process, None)
            if client is not None:
                with contextlib.suppress(OSError):
                    client.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
                client.close()

    def _kill(self) -> None:
        for process in list(self.clients):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _line() -> str | None:
    data = b""
    while not data.endswith(b"\n"):
        more = os.read(0, 1)
        if not more:
            return None
        data += more
    return data.decode()


def _child(programs: Programs, case: dict[str, Any], request: dict[str, Any], files: list[int]) -> None:
    """The forked process: it becomes the program, and ends with its status."""
    for number, one in enumerate(files):
        os.dup2(one, number)
        os.close(one)
    os.environ.clear()
    for name, value in request["variables"].items():
        os.environ[name] = value
    os.chdir(request["folder"])
    become(programs, case, request["program"], request["arguments"])


def become(programs: Programs, case: dict[str, Any], program: str, arguments: list[str]) -> None:
    """Run a program in this process as its own, watched, on the machine of the case; the process ends with it."""
    sys.executable = str(programs.bin / "python")
    os.environ.update(machine.variables(case["gpus"][0]))
    machine.pretend(case["gpus"])
    watch = watching.Process(case["seen"], [program, *arguments])
    status = 0
    error: BaseException | None = None
    try:
        programs.run(program, arguments)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        error = ended if status else None
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException as raised:  # noqa: BLE001 - as the interpreter does at its end
        traceback.print_exc()
        status, error = 1, raised
    with contextlib.suppress(Exception):
        watch.ended(error)
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main() -> None:
    """Serve the stack that PYTHONPATH is."""
    folder = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # packages print while they are imported
    machine.quiet()
    if "CONFORMANCE_FACTORY" in os.environ:
        from tests.tools.conformance import factory

        factory.without_audio()
    preload()
    for name in os.environ.get("CONFORMANCE_PRELOAD", "").split():
        try:
            import_module(name)
        except Exception as error:  # noqa: BLE001 - see preload
            print(f"not preloaded: {name}: {error}", file=sys.stderr)
    server = Server(folder, answers)
    server.ready()
    server.serve()


if __name__ == "__main__":
    main()
