"""The one exception of this folder."""

from __future__ import annotations

from contextlib import contextmanager

from fp8check.rules.input_error import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Unwritable(InputError):
    """A file that cannot be written, or not without losing something; `str()` says which and why, for people."""

    def __init__(self, path: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{path}: {reason}")
        self.hint = hint


@contextmanager
def about(path: str) -> Iterator[None]:
    """Errors of the system, told of the file as it was named.

    Raises:
        Unwritable: the system refused something.
    """
    try:
        yield
    except OSError as problem:
        raise Unwritable(path, (problem.strerror or str(problem)).lower()) from problem
    except ValueError as problem:  # a NUL character, or one that the system's file names cannot have
        raise Unwritable(path, str(problem)) from problem
