"""A process that starts one program and ends with it, and with all that it started.

It is run by its path, alone (`python -I -S supervisor.py LINE TELL KEEP WORD...`), and imports nothing of fp8check.
LINE is a pipe whose other end the parent alone holds. It is closed when the parent ends, by whatever signal, or wants
no more: then everything is killed. How the program ended goes into the pipe TELL, as a word and a number: "exit 0",
"signal 9", "start 2" (errno).

On Linux it is the reaper of all that descends from it (PR_SET_CHILD_SUBREAPER), so that processes in sessions of their
own, as torchrun starts them, come back to it when their parent ends, and end here. It kills none but its own children,
whose numbers nobody else can have until it has waited for them.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_LINUX = sys.platform == "linux"
_STOPPED_BY = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_KILLING_S = 4.0  # who does not end by then sits in the driver


def main(line: int, tell: int, keep: list[int], command: list[str]) -> None:
    """Start the program, wait for its end or the parent's, and leave nothing of it behind."""
    for one in (line, tell):
        os.set_inheritable(one, False)  # the program must not hold them open
    bell, rung = os.pipe()
    os.set_blocking(rung, False)
    signal.set_wakeup_fd(rung, warn_on_full_buffer=False)
    for each in (signal.SIGCHLD, *_STOPPED_BY):
        signal.signal(each, lambda *_: None)  # it writes into the pipe, and that is all
    if _LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    folder = _empty_folder()
    child, error = _start(command, folder)
    _let_go(keep)
    if error:
        _tell(tell, f"start {error}")
    else:
        ended = _wait(child, line, bell)
        _kill_all(child)
        if ended is not None:
            _tell(tell, f"signal {-ended}" if ended < 0 else f"exit {ended}")
    _remove(folder)


def _start(command: list[str], folder: str) -> tuple[int, int]:
    """The program's process, and the error number where it could not be started."""
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            _become(command, folder, parent)
        except OSError as error:
            os.write(writing, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(writing)
    said = os.read(reading, 16)
    os.close(reading)
    return child, int(said or 0)


def _become(command: list[str], folder: str, parent: int) -> None:
    """Turn into the program."""
    os.setsid()
    if _LINUX:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # should the supervisor itself be killed
        if os.getppid() != parent:
            return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(folder)
    signal.set_wakeup_fd(-1)
    for each in (signal.SIGCHLD, *_STOPPED_BY, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(each, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606  the one place where a program is started


def _let_go(keep: list[int]) -> None:
    """The pipes are the program's alone: whoever reads them sees the end when it ends."""
    for each in keep:
        os.close(each)
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nothing, each)


def _wait(child: int, line: int, bell: int) -> int | None:
    """How the program ended; None where the parent, or a signal, wants an end first."""
    while True:
        ready, _, _ = select.select([line, bell], [], [])
        if bell in ready and any(number in _STOPPED_BY for number in os.read(bell, 64)):
            return None
        ended = _reap(child)
        if ended is not None:
            return ended
        if line in ready and not _read(line):
            return None


def _reap(child: int) -> int | None:
    """Wait for all that have ended; how the program did, where it is among them."""
    found = None
    while True:
        try:
            number, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if number == 0:
            return found
        if number == child:
            found = os.waitstatus_to_exitcode(status)


def _kill_all(child: int) -> None:
    """Kill what is left, and what comes back to us as its parents end, until there is nothing."""
    until = time.monotonic() + _KILLING_S
    while time.monotonic() < until:
        for number in _children(child):
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError:
                continue
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if ended == 0:
            time.sleep(0.005)
    if not _LINUX:
        _kill_group(child)


def _children(child: int) -> list[int]:
    """The processes whose parent this one is."""
    if not _LINUX:
        _kill_group(child)
        return []
    own = os.getpid()
    try:
        with open(f"/proc/self/task/{own}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return [number for number in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(number) == own]


def _parent(number: int) -> int:
    try:
        with open(f"/proc/{number}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _kill_group(child: int) -> None:
    """Elsewhere than on Linux nothing finds those that left the group."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _empty_folder() -> str:
    """A new folder for the program to stand in. Where none can be made, the root: nothing is imported from there."""
    base = os.environ.get("TMPDIR", "")
    for place in (base, "/tmp", "/var/tmp"):  # noqa: S108  a name that nobody can guess, and for this user alone
        folder = os.path.join(place, f"fp8check-{os.urandom(12).hex()}")
        try:
            if os.path.isabs(place):
                os.mkdir(folder, 0o700)
                return folder
        except OSError:
            continue
    return "/"


def _remove(folder: str) -> None:
    if folder == "/":
        return
    try:
        os.rmdir(folder)
    except OSError:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def _prctl(what: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(what, value, 0, 0, 0)


def _read(line: int) -> bytes:
    try:
        return os.read(line, 64)
    except OSError:
        return b""


def _tell(pipe: int, words: str) -> None:
    try:
        os.write(pipe, words.encode())
    except OSError:
        return  # the parent has gone


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [int(word) for word in sys.argv[3].split(",") if word], sys.argv[4:])
