"""What can be wrong with a source of facts that the user named."""

from __future__ import annotations

from fp8check.rules.input_error import InputError


class BadFacts(InputError):
    """A file that is not a facts.json.

    Attributes:
        path: the file, as it was named.
        message: what is wrong.
        pointer: JSON pointer to the value at fault, "" where it is the whole file.
        line: the line at fault, from 1, where it is known.
        column: the column at fault, from 1, where it is known.
        hint: what to do about it; "" where there is nothing to say.
    """

    def __init__(
        self,
        path: str,
        message: str,
        pointer: str = "",
        line: int | None = None,
        column: int | None = None,
        hint: str = "",
    ) -> None:
        place = f"{path}:{line}:{column}" if line is not None else path
        super().__init__(f"{place}: {pointer}: {message}" if pointer else f"{place}: {message}")
        self.hint = hint
        self.path = path
        self.message = message
        self.pointer = pointer
        self.line = line
        self.column = column


class BadInterpreter(BadFacts):
    """The Python that the user named is missing, or gives no answer; `path` is the interpreter."""
