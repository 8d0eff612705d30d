"""Answers that were given, for when the same is asked again; bounded by bytes, the least recently used go first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

    from fp8check.service.checking import Answer

_OVERHEAD = 1024  # of an entry: the objects around its bytes


class Entry(NamedTuple):
    """An answer, and the mark of what is stored of it."""

    answer: Answer
    digest: str


def entry_of(answer: Answer) -> Entry:
    """An answer, ready to be stored."""
    marked = b"%d %b%b" % (len(answer.check_request), answer.check_request, answer.report)
    return Entry(answer, hashlib.sha256(marked).hexdigest())


class AnswerCache:
    """Answers by everything that they depend on. Used by the event loop only, so it needs no lock."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()

    def get(self, key: Hashable) -> Entry | None:
        """The answer; None where it is not there."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: Hashable, entry: Entry) -> None:
        """Keep an answer, and let go of old ones until all fit."""
        size = _size(entry)
        if size > self._most or key in self._entries:
            return
        self._entries[key] = entry
        self._bytes += size
        while self._bytes > self._most:
            _, gone = self._entries.popitem(last=False)
            self._bytes -= _size(gone)


def _size(entry: Entry) -> int:
    """Bytes, about; the key is the request as it is stored, which is held once."""
    body = 0 if entry.answer.body is entry.answer.report else len(entry.answer.body)
    return len(entry.answer.report) + body + len(entry.answer.check_request) + _OVERHEAD
