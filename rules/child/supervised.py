"""A program under a supervisor, for whoever starts it: with subprocess (run.py), or with asyncio (service/child.py)."""

from __future__ import annotations

import os

from fp8check.rules.child.environment import find, own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    How = Literal["exit", "signal", "start", "lost"]
    End = tuple[How, int]

_SUPERVISOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "supervisor.py")
LOWEST = 3  # descriptor that is none of standard input and output
_ENDS: dict[str, How] = {"exit": "exit", "signal": "signal", "start": "start"}


class NotStarted(Exception):
    """A program cannot be started; the text says why."""


class Supervised:
    """A program that ends when this object is closed, and when this process ends.

    Start `command` with the arguments `named`, call `started`, and `close` when nothing more is wanted of it: then the
    program and all that it started are killed, and the supervisor ends.

    Attributes:
        command: the words to start: an interpreter with the supervisor, and the program behind it.
        environ: the whole environment.
        keep: descriptors that the program gets, and the supervisor's own; pass them on.
        line: a pipe from the supervisor. It is ready to be read when the program has ended.
    """

    def __init__(
        self, words: Sequence[str], environ: Mapping[str, str] | None = None, keep: Sequence[int] = ()
    ) -> None:
        """Prepare a program.

        Args:
            words: the program and its arguments. A program without a folder is looked for on PATH; a relative one is
                seen from here, though it will run elsewhere.
            environ: its whole environment, where it is not that of `environment.own`.
            keep: descriptors that it is to have, beside standard input and output.

        Raises:
            NotStarted: there is no such program, or this system cannot do it.
        """
        import sys

        self.environ = own(os.environ) if environ is None else dict(environ)
        program = _program(words[0], self.environ)
        if os.name != "posix" or not sys.executable:
            raise NotStarted("other programs are started on Linux and macOS only")
        if any("\0" in word for word in words):
            raise NotStarted("embedded null byte")
        (theirs, self._hold), (self.line, tell) = _pipe(), _pipe()
        self._theirs = (theirs, tell)
        os.set_blocking(self.line, False)
        self.keep = (*self._theirs, *keep)
        kept = ",".join(str(one) for one in keep)
        first = [sys.executable, "-I", "-S", _SUPERVISOR, str(theirs), str(tell), kept]
        self.command = [*first, program, *words[1:]]

    def started(self) -> None:
        """The supervisor runs, or could not be started: its ends of the pipes are its alone."""
        for one in self._theirs:
            os.close(one)

    def end(self) -> None:
        """Want no more: whatever still runs is killed. Then wait for the supervisor, and `close`."""
        if self._hold >= 0:
            os.close(self._hold)
            self._hold = -1

    def close(self) -> None:
        """Let go of both pipes, which kills whatever still runs."""
        self.end()
        if self.line >= 0:
            os.close(self.line)
            self.line = -1

    def ended(self) -> End | None:
        """How the program ended, with its exit code, signal or errno, as soon as that is known.

        None before. "lost": nobody will know, for the supervisor was killed, or was told to end the program.
        """
        try:
            said = os.read(self.line, 64).decode()
        except BlockingIOError:
            return None
        except OSError:
            said = ""
        word, _, number = said.partition(" ")
        how = _ENDS.get(word, "lost")
        return how, int(number or 0)


def _pipe() -> tuple[int, int]:
    """A pipe of which no end is standard input or output, also where those are closed."""
    import fcntl

    ends = os.pipe()
    if min(ends) >= LOWEST:
        return ends
    above = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, LOWEST) for one in ends]
    for one in ends:
        os.close(one)
    return above[0], above[1]


def _program(name: str, environ: Mapping[str, str]) -> str:
    """The file of a program; links are kept, for a virtual environment is found by them.

    Raises:
        NotStarted: it is not on PATH.
    """
    if os.path.dirname(name):
        return os.path.abspath(name)
    found = find(name, environ.get("PATH", os.defpath))
    if found is None or not name:
        raise NotStarted("No such file or directory")
    return found
