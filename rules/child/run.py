"""Run a program to its end, with limits on its time and on what it prints."""

from __future__ import annotations

import contextlib
import os
import time

from fp8check.rules.child.supervised import NotStarted, Supervised
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from selectors import BaseSelector, SelectorKey
    from subprocess import Popen
    from typing import Literal

    from fp8check.rules.child.supervised import End

    # Called with what came; says why the program is to be ended, else nothing.
    Take = Callable[[bytes], str]

LONGEST_OUTPUT = 4 * 2**20  # bytes of standard output, and of standard error
_LAST_WORDS_S = 0.5
ENDING_S = 6.0  # more than the supervisor takes to kill (supervisor.py)
_AT_A_TIME = 2**16


class Ended(Record):
    """How a program ended, and what it printed.

    Attributes:
        how: by itself ("exit"), by a signal, ended here ("limit": `why` says at which), or "lost": nobody knows.
        code: exit code, or number of the signal.
        output, errors: what it printed, each up to LONGEST_OUTPUT bytes.
    """

    how: Literal["exit", "signal", "limit", "lost"]
    code: int
    output: bytes
    errors: bytes
    why: str = ""


def run(
    words: Sequence[str], *, limit_s: float, environ: Mapping[str, str] | None = None, longest: int = LONGEST_OUTPUT
) -> Ended:
    """Run a program that reads nothing, to its end or a limit.

    Args:
        words: the program and its arguments.
        limit_s: the seconds after which it is ended with all that it started.
        environ: its whole environment, where it is not that of `environment.own`.
        longest: how many bytes of each standard output and standard error it may print.

    Raises:
        NotStarted: it cannot be started.
    """
    until = time.monotonic() + limit_s
    output, errors = _Kept("standard output", longest), _Kept("standard error", longest)
    with Running(words, environ) as program:
        why = program.listen(
            {program.output: output.take, program.errors: errors.take},
            lambda: (until - time.monotonic(), f"gave no answer in {limit_s:g} s"),
        )
    how, code = program.ended()
    return Ended("limit" if why else how, 0 if why else code, bytes(output.data), bytes(errors.data), why)


class _Kept:
    """What comes through a pipe, up to a limit."""

    def __init__(self, name: str, longest: int) -> None:
        self.data = bytearray()
        self._name = name
        self._longest = longest

    def take(self, data: bytes) -> str:
        self.data += data[: self._longest - len(self.data) + 1]
        if len(self.data) <= self._longest:
            return ""
        del self.data[self._longest :]
        return f"printed more than {self._longest} bytes on {self._name}"


class _Handed:
    """What a program reads, and how much of it has been written into the pipe."""

    def __init__(self, pipe: int, data: bytes) -> None:
        self._pipe = pipe
        self._left = memoryview(data)

    def write(self) -> bool:
        """Write what fits; whether that was all, or nobody reads any more."""
        try:
            if self._left:
                self._left = self._left[os.write(self._pipe, self._left[:_AT_A_TIME]) :]
        except BrokenPipeError:
            return True  # it has ended already, or closed it; how, `ended` says
        return not self._left


class Running:
    """A program that runs; it has ended, with all that it started, when the `with` block is left in whatever way.

    Attributes:
        input, output, errors: the pipes to and from it; `errors` is -1 where it prints both through one pipe.
    """

    def __init__(
        self,
        words: Sequence[str],
        environ: Mapping[str, str] | None = None,
        *,
        keep: Sequence[int] = (),
        one_output: bool = False,
        reads: bool = False,
    ) -> None:
        """Start a program.

        Args:
            words: the program and its arguments.
            environ: its whole environment, where it is not that of `environment.own`.
            keep: descriptors that it is to have, beside standard input and output.
            one_output: whether standard error goes where standard output goes.
            reads: whether it reads standard input, which is `input`; else there is nothing to read.

        Raises:
            NotStarted: it cannot be started.
        """
        import subprocess  # costs 10 ms

        self._end: End | None = None
        self._supervised = Supervised(words, environ, keep)
        try:
            self._process: Popen[bytes] = subprocess.Popen(  # noqa: S603  the one place where a program is started
                self._supervised.command,
                stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if one_output else subprocess.PIPE,
                env=self._supervised.environ,
                pass_fds=self._supervised.keep,
                start_new_session=True,
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            self._supervised.close()
            raise NotStarted(_words(error)) from error
        finally:
            self._supervised.started()
        self.input, self.output, self.errors = (
            -1 if pipe is None else pipe.fileno()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr)
        )

    def __enter__(self) -> Running:
        """The program, which runs already."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End it, with all that it started."""
        import subprocess

        self._supervised.end()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._end is None:
            self._end = self._supervised.ended()
        self._supervised.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def listen(
        self, takers: Mapping[int, Take], time_left: Callable[[], tuple[float, str]], hand_over: bytes = b""
    ) -> str:
        """Hand on what it prints until it has ended; the reason where it is to be ended first.

        Args:
            takers: what takes the data of each pipe.
            time_left: how many seconds it still has, and what to say when there are none.
            hand_over: everything that it is to read.
        """
        import selectors

        with selectors.DefaultSelector() as selector:
            for descriptor, take in takers.items():
                os.set_blocking(descriptor, False)
                selector.register(descriptor, selectors.EVENT_READ, take)
            selector.register(self._supervised.line, selectors.EVENT_READ, self._has_ended)
            if self.input >= 0:
                os.set_blocking(self.input, False)
                selector.register(self.input, selectors.EVENT_WRITE, _Handed(self.input, hand_over).write)
            while selector.get_map():
                left, why = time_left()
                if left <= 0:
                    return why
                ready = selector.select(left if self._end is None else min(left, _LAST_WORDS_S))
                if not ready and self._end is not None:
                    return ""  # what could not be killed holds a pipe open
                for key, _ in ready:
                    why = self._serve(selector, key)
                    if why:
                        return why
        return ""

    def _serve(self, selector: BaseSelector, key: SelectorKey) -> str:
        """Read from one pipe, or write into it; the reason where the program is to be ended for it."""
        if key.fd in (self.input, self._supervised.line):
            is_done = key.data()
            if is_done and key.fd == self.input and self._process.stdin is not None:
                selector.unregister(key.fileobj)
                self._process.stdin.close()
            elif is_done:
                selector.unregister(key.fileobj)
            return ""
        data = os.read(key.fd, _AT_A_TIME)
        if data:
            return str(key.data(data))
        selector.unregister(key.fileobj)
        return ""

    def _has_ended(self) -> bool:
        self._end = self._supervised.ended()
        return True

    def ended(self) -> tuple[Literal["exit", "signal", "lost"], int]:
        """How it ended, with its exit code or signal; call it after the `with` block.

        Raises:
            NotStarted: the supervisor could not start it.
        """
        how, code = self._end or ("lost", 0)
        if how == "start":
            raise NotStarted(os.strerror(code))
        return how, code


def _words(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
