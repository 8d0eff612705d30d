"""Files that were read get new content: all of them or none."""

from __future__ import annotations

from contextlib import ExitStack, suppress

from fp8check.rules.record import Record
from fp8check.rules.writing.attributes import keep_attributes
from fp8check.rules.writing.folder import Folder
from fp8check.rules.writing.kernel import exchange
from fp8check.rules.writing.new_file import NewFile
from fp8check.rules.writing.old_file import OldFile
from fp8check.rules.writing.place import place_of
from fp8check.rules.writing.undisturbed import undisturbed
from fp8check.rules.writing.unwritable import Unwritable, about

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.writing.kernel import Exchange
    from fp8check.rules.writing.place import Place


class Change(Record):
    """New content of a file.

    Attributes:
        path: the file, as it was named.
        before: what was read.
        after: what it will hold.
    """

    path: str
    before: bytes
    after: bytes


def replace_all(changes: Sequence[Change]) -> None:
    """Give each of these files its new content, or none of them.

    All new files are on the disk, and all old ones looked at, before the first is replaced. The old ones stay beside
    the new ones until the last is in its place, and go back if one cannot be put there, or if somebody wrote one of the
    old ones meanwhile. Only a power cut or SIGKILL in the microseconds between two files leaves one new and the next
    old, each of them whole.

    Raises:
        Unwritable: one cannot be written, would lose something, or has been changed since it was read.
    """
    with undisturbed(), ExitStack() as stack:
        replacements = _prepared(changes, stack)
        for replacement in replacements:
            replacement.check()
        put: list[_Replacement] = []
        try:
            for replacement in replacements:
                put.append(replacement)
                replacement.put()
            for replacement in replacements:
                replacement.check_untouched()
        except BaseException:
            _put_back(put)
            raise
        for replacement in replacements:
            replacement.finish()
        for replacement in replacements:
            replacement.sync()


def tidy(paths: Sequence[str]) -> None:
    """Remove what an earlier fix of these files was killed over: where nothing is to be changed, nothing else does."""
    for path in paths:
        with suppress(OSError, ValueError, Unwritable):
            folder = Folder(place_of(path).folder)
            try:
                with suppress(OSError):
                    folder.try_lock()
                folder.sweep()
            finally:
                folder.close()


def _put_back(replacements: Sequence[_Replacement]) -> None:
    """The old files again, in the other order.

    Raises:
        Unwritable: one cannot be put back; all others are.
    """
    lost = []
    for replacement in reversed(replacements):
        try:
            replacement.undo()
        except Unwritable as problem:
            lost.append(problem)
    if lost:
        raise lost[0]


def _prepared(changes: Sequence[Change], stack: ExitStack) -> list[_Replacement]:
    places = []
    for change in changes:
        with about(change.path):
            places.append(place_of(change.path))
    for index, place in enumerate(places):
        if place.path in [one.path for one in places[:index]]:
            raise Unwritable(place.named, "it is named twice, by two paths: nothing was written")
    folders = _locked(places, stack)
    swap = exchange()
    return [
        _Replacement(change, place, folders[place.folder], swap, stack)
        for change, place in zip(changes, places, strict=True)
    ]


def _locked(places: Sequence[Place], stack: ExitStack) -> dict[str, Folder]:
    """The folders of these files, in one order for every fp8check: none waits for another that waits for it."""
    folders: dict[str, Folder] = {}
    for place in places:
        if place.folder not in folders:
            with about(place.named):
                folders[place.folder] = Folder(place.folder)
            stack.callback(folders[place.folder].close)
    for folder in sorted({one.identity: one for one in folders.values()}.items()):
        folder[1].lock()
        with suppress(OSError):
            folder[1].sweep()
    return folders


class _Replacement:
    """One file, its new content, and how far it has come."""

    def __init__(self, change: Change, place: Place, folder: Folder, swap: Exchange | None, stack: ExitStack) -> None:
        self._change, self._place, self._folder, self._swap, self._stack = change, place, folder, swap, stack
        self._made: list[NewFile] = []
        self._replaced: NewFile | None = None  # the old content, beside the new, once that is in its place
        with about(place.named):
            self._old = OldFile(place, change.before)
            stack.callback(self._old.close)
            self._new = self._beside(change.after)

    def _beside(self, data: bytes) -> NewFile:
        """A file with this content and all else of the old one, on the disk."""
        made = NewFile(self._folder, 0o600)
        self._stack.callback(made.close)
        self._made.append(made)
        made.write(data)
        keep_attributes(self._place.named, self._old.descriptor, made.descriptor)
        made.sync()
        return made

    def check(self) -> None:
        """Whether the old file is what was read, and may be replaced."""
        with about(self._place.named):
            self._old.lease()
            self._old.check(self._folder.descriptor, self._place.name)

    def put(self) -> None:
        """The new file into its place, and the old one beside it."""
        name = self._place.name
        with about(self._place.named):
            self._new.appear()
            if self._swap is not None and self._swap(self._folder.descriptor, self._new.name, name):
                self._replaced = self._new
                return
            copy = self._beside(self._change.before)
            copy.appear()
            self._old.check(self._folder.descriptor, name)
            self._new.place_over(name)
            self._replaced = copy

    def check_untouched(self) -> None:
        """Whether nobody wrote the old file up to now, and nobody put another into its place before the new one."""
        swapped = self._replaced is self._new
        with about(self._place.named):
            self._old.check(self._folder.descriptor, self._new.name if swapped else None)

    def undo(self) -> None:
        """The old file into its place again."""
        if self._replaced is None:
            return
        kept = self._replaced.name
        try:
            self._replaced.place_over(self._place.name)
        except OSError as problem:
            self._replaced.name = ""  # it stays
            raise Unwritable(
                self._place.named,
                f"could not be put back ({problem.strerror}); what it held is in {self._folder.path}/{kept}",
            ) from problem

    def finish(self) -> None:
        """The old file away."""
        for one in self._made:
            one.remove()

    def sync(self) -> None:
        """Have the names on the disk."""
        self._folder.sync()
