"""Files that are read again when their run comes: of thousands, not all can be in memory at once."""

from __future__ import annotations

from fp8check.rules.input_error import InputError
from fp8check.rules.reading import Document
from fp8check.rules.suppression.examined import MARK
from fp8check.rules.trainers.detect import read


class Changed(InputError):
    """A file is another one than it was a moment ago; `str()` says which."""


class Later(Document):
    """A file that was read and is not kept: what it is, without what it says.

    It has no text and no root: whoever takes it for a document fails, and does not find it empty.
    """

    __slots__ = ("marked", "trainer")

    def __init__(self, document: Document, trainer: str | None) -> None:
        self.path = document.path
        self.kind = document.kind
        self.dialect = document.dialect
        self.marked = MARK in document.text
        self.trainer = trainer

    def loaded(self) -> Document:
        """The file, read again.

        Raises:
            Unreadable, Changed: it is not what it was.
        """
        document = read(self.path, trainer=self.trainer)
        if (document.kind, document.dialect) != (self.kind, self.dialect):
            raise Changed(f"{self.path}: it was changed while it was checked")
        return document


def is_marked(document: Document) -> bool:
    """Whether there may be suppressions in it."""
    return document.marked if isinstance(document, Later) else MARK in document.text
