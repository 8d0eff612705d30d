"""Start the user's own command as a shell would: its output, its terminal and its signals are its own.

It gets a process group of its own, and the terminal where this process has it: Ctrl-C and Ctrl-Z reach it as they would
without us. Signals that are sent to this process are handed on to it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

from fp8check.rules.child.supervised import NotStarted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType

# To the group, as a terminal or a batch system sends them; and to the process alone, which may have a handler.
TO_ALL = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
TO_IT = ("SIGUSR1", "SIGUSR2", "SIGWINCH")
GRACE_S = 20.0  # launchers end their workers first, and some of these save what they have
_EVERY_S = 0.2
_TERMINAL = 0


class Foreground:
    """A command that runs in the place of this one.

    Attributes:
        status: its exit code, 128 + n after signal n; None while it runs.
    """

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], mark: str, folder: str | None = None) -> None:
        """Start it.

        Args:
            words: the command and its arguments.
            environ: its whole environment.
            mark: "NAME=value", a variable of this environment by which all that the command started is known.
            folder: where it is started; None for here.

        Raises:
            NotStarted: it cannot be started.
        """
        self.status: int | None = None
        self._mark = mark.encode()
        self._terminal = _has_terminal()
        self._handlers: dict[int, object] = {}
        telling, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(telling)
            self._become(words, environ, told, folder)
        os.close(told)
        with contextlib.suppress(OSError):
            os.setpgid(self.pid, self.pid)
        self._hand_on()
        failed = os.read(telling, 16)
        os.close(telling)
        if failed:
            os.waitpid(self.pid, 0)
            self.close()
            raise NotStarted(f"{words[0]}: {os.strerror(int(failed)).lower()}")

    def _become(self, words: Sequence[str], environ: Mapping[str, str], told: int, folder: str | None) -> None:
        """The new process: it becomes the command, or ends with 127."""
        try:
            if folder is not None:
                os.chdir(folder)
            os.setpgid(0, 0)
            if self._terminal:
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
                os.tcsetpgrp(_TERMINAL, os.getpgrp())
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTTOU])
            for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and what it starts would, too
                signal.signal(getattr(signal, name), signal.SIG_DFL)
            os.execvpe(words[0], list(words), dict(environ))  # noqa: S606  no shell: as it is written
        except OSError as error:
            os.write(told, str(error.errno or 0).encode())
        finally:
            os._exit(127)

    def _hand_on(self) -> None:
        for name in (*TO_ALL, *TO_IT):
            number = getattr(signal, name, None)
            # Who starts us with a signal ignored (nohup) wants the command to ignore it, which it does by itself.
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.send(number)

    def send(self, number: int) -> None:
        """Send it a signal."""
        if self.status is not None:
            return
        with contextlib.suppress(OSError):
            if signal.Signals(number).name in TO_ALL:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def wait(self, meanwhile: Callable[[], bool]) -> int:
        """Wait for its end; `meanwhile` is called again and again, and says whether to go on. What it exits with."""
        while self._poll() is None:
            if not meanwhile():
                self.end()
                break
            time.sleep(_EVERY_S)
        return self.status if self.status is not None else 128 + signal.SIGKILL

    def _poll(self) -> int | None:
        if self.status is not None:
            return self.status
        pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
        if pid and os.WIFSTOPPED(status):
            self._stop_too()
        elif pid:
            self.status = _exit_code(status)
        return self.status

    def _stop_too(self) -> None:
        """It was stopped at the terminal: the shell is to see it, and `fg` goes on with both."""
        if self._terminal:
            self._take_terminal(os.getpgrp())
        os.kill(os.getpid(), signal.SIGSTOP)
        if self._terminal:
            self._take_terminal(self.pid)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGCONT)

    def _take_terminal(self, group: int) -> None:
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            os.tcsetpgrp(_TERMINAL, group)
        signal.signal(signal.SIGTTOU, before)

    def end(self) -> None:
        """End it with all that it started, whatever sessions those have: they are asked first."""
        self.send(signal.SIGTERM)
        until = time.monotonic() + GRACE_S
        while time.monotonic() < until and (self._poll() is None or self._started()):
            time.sleep(_EVERY_S)
        for one in {*self._started(), *([self.pid] if self._poll() is None else [])}:
            with contextlib.suppress(OSError):
                os.kill(one, signal.SIGKILL)
        if self.status is None:
            _, status = os.waitpid(self.pid, 0)
            self.status = _exit_code(status)

    def _started(self) -> list[int]:
        """All that the command started and that still runs, by the variable that it inherited; Linux alone tells."""
        try:
            running = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
        except OSError:
            return []
        return [one for one in running if one not in (os.getpid(), self.pid) and self._is_ours(one)]

    def _is_ours(self, pid: int) -> bool:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return self._mark in file.read().split(b"\0")
        except OSError:
            return False

    def close(self) -> None:
        """Take the terminal and the signals back."""
        if self._terminal:
            self._take_terminal(os.getpgrp())
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._handlers.clear()


def _exit_code(status: int) -> int:
    """As a shell says it: 128 + n after signal n."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _has_terminal() -> bool:
    try:
        return os.isatty(_TERMINAL) and os.tcgetpgrp(_TERMINAL) == os.getpgrp()
    except OSError:
        return False
