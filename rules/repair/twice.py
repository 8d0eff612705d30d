"""Keys that stand twice in a file whose loader refuses that: the last one stays, which other loaders take."""

from __future__ import annotations

from fp8check.rules.edits.fix import Fix
from fp8check.rules.edits.text_edits import text_edits
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.record import Record
from fp8check.rules.repair.apply import edited
from fp8check.rules.settings.edits import delete

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading import Document, Problem


class Once(Record):
    """A file without the entries that stand there again below.

    Attributes:
        written: the file as it is then.
        gone: the line and the text of each entry that goes.
    """

    written: Document
    gone: tuple[tuple[int, str], ...]


def without_twice(document: Document) -> tuple[Document, Once] | None:
    """The file, taken as if each of its keys stood there once, and as it is written then.

    None where its loader refuses it for no such key, or it cannot be written.
    """
    twice = [problem for problem in document.problems if _is_twice(problem)]
    losers = [problem.related for problem in twice if problem.related is not None]
    if not losers:
        return None
    fix = Fix(tuple(delete(place) for place in losers), safe=False)
    try:
        (written,) = edited((document,), fix)
        texts = [document.text[edit.start : edit.end].strip() for edit in text_edits(fix, (document,))]
    except Unfixable:
        return None
    gone = tuple((place.line, text) for place, text in zip(losers, texts, strict=False))
    others = [problem for problem in document.problems if not _is_twice(problem)]
    return document.with_problems(others), Once(written, gone)


def _is_twice(problem: Problem) -> bool:
    """Whether it is a key that stands twice, which the file's loader refuses."""
    return problem.code == "duplicate-key" and problem.fatal
