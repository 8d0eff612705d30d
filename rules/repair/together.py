"""Which fixes can be made together: those that touch each other have to wait for the next round."""

from __future__ import annotations

from bisect import bisect_left, insort

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.edits.text_edit import TextEdit
    from fp8check.rules.edits.text_edits import Editor
    from fp8check.rules.engine.running import Finding


class Planned(Record):
    """A fix that is to be made, with its edits of text."""

    finding: Finding
    fix: Fix
    text_edits: tuple[TextEdit, ...]


def apart(planned: Sequence[Planned], editor: Editor) -> list[Planned]:
    """As many of these fixes as leave each other alone; the first of two that do not.

    Two do not where their text overlaps, where both bring the same key into a map, and where all entries of a map would
    go: what is written for an empty map depends on what was there.
    """
    taken = _Taken(editor)
    return [one for one in planned if taken.takes(one)]


class _Taken:
    """What the fixes touch that were chosen so far."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._stretches: dict[str, list[tuple[int, int]]] = {}  # of text, by file, in order
        self._keys: set[tuple[int, str]] = set()  # new keys, by the identity of their map
        self._gone: dict[int, int] = {}  # entries that go, by the identity of their map

    def takes(self, planned: Planned) -> bool:
        """Whether it fits to those before it; it is one of them then."""
        if any(self._overlaps(edit) for edit in planned.text_edits):
            return False
        keys: set[tuple[int, str]] = set()
        gone: dict[int, int] = {}
        for edit in planned.fix.edits:
            if self._editor.is_in_script(edit):
                continue
            if edit.action in ("rename", "insert"):
                keys.add((id(self._editor.map_of(edit)), edit.key))
            elif edit.action == "delete":
                around = self._editor.map_of(edit)
                before = self._gone.get(id(around), 0)
                gone[id(around)] = gone.get(id(around), before) + 1
                if before and gone[id(around)] == len(around.items) // 2:
                    return False
        if keys & self._keys:
            return False
        self._keys |= keys
        self._gone.update(gone)
        for text_edit in planned.text_edits:
            insort(self._stretches.setdefault(text_edit.file, []), (text_edit.start, text_edit.end))
        return True

    def _overlaps(self, edit: TextEdit) -> bool:
        there = self._stretches.get(edit.file, [])
        at = bisect_left(there, (edit.start, edit.end))
        return (at > 0 and there[at - 1][1] > edit.start) or (at < len(there) and edit.end > there[at][0])
