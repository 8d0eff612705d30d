"""The variables of a shell script at one point of it: what each holds, with where its text stands."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Part:
    """A text of a value.

    Attributes:
        start: the offset of its first character in the script; -1 where it stands nowhere.
        word: the offset of the word that it stands in.
        why: why nobody knows it yet, and `text` is only how it is written; "" where it is known.
    """

    __slots__ = ("start", "text", "why", "word")

    def __init__(self, text: str, start: int = -1, word: int = -1, why: str = "") -> None:
        self.text = text
        self.start = start
        self.word = word
        self.why = why


Value = tuple[Part, ...]


class Array:
    """The values of an array."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Value]) -> None:
        self.items = tuple(items)


class Held:
    """A variable.

    Attributes:
        value: None where it has none.
        exported: whether commands get it.
        unset: whether the script has taken it away.
    """

    __slots__ = ("exported", "unset", "value")

    def __init__(self, value: Value | Array | None, *, exported: bool, unset: bool = False) -> None:
        self.value = value
        self.exported = exported
        self.unset = unset


_MOST_HIDDEN = 1_000


class Scope:
    """The variables at one point of the script. What a block changed can be taken back, at the cost of the changes."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._log: list[tuple[str, Held | None]] = []

    def get(self, name: str) -> Value | Array | None:
        """The value; None where the script has not set it, or has unset it."""
        held = self._held.get(name)
        return None if held is None else held.value

    def held(self, name: str) -> Held | None:
        """The variable with all that is known of it; None where the script has nothing to do with it."""
        return self._held.get(name)

    def hide(self, why: str) -> None:
        """Go into a shell of its own, which has the variables that are exported: the others are not set there.

        Args:
            why: why they may be after all; "" where they are not.
        """
        if len(self._held) > _MOST_HIDDEN:
            return  # nobody writes so many, and each shell looks at them all
        for name, held in list(self._held.items()):
            if held.value is not None and not held.exported and " " not in name:
                if why:
                    self.spoil(name, why)
                else:
                    self._change(name, Held(None, exported=False, unset=True))

    def __contains__(self, name: str) -> bool:
        held = self._held.get(name)
        return held is not None and (held.value is not None or held.unset)

    def put(self, name: str, value: Value | Array) -> None:
        """Set a variable."""
        held = self._held.get(name)
        exported = (held is not None and held.exported) or (EXPORTING in self._held and self.exports_all)
        self._change(name, Held(value, exported=exported))

    def unset(self, name: str) -> None:
        """Take a variable away."""
        self._change(name, Held(None, exported=False, unset=True))

    def export(self, name: str, *, exported: bool = True) -> None:
        """Hand a variable to the commands, or no longer."""
        held = self._held.get(name) or Held(None, exported=False)
        self._change(name, Held(held.value, exported=exported, unset=held.unset))

    def exported(self) -> Iterator[tuple[str, Value | None]]:
        """The variables that commands get; None for one that was taken away."""
        for name, held in self._held.items():
            if " " in name:
                continue
            if held.unset:
                yield name, None
            elif held.exported and isinstance(held.value, tuple):
                yield name, held.value

    def _change(self, name: str, held: Held) -> None:
        self._log.append((name, self._held.get(name)))
        self._held[name] = held

    def mark(self) -> int:
        """A point to go back to."""
        return len(self._log)

    def roll_back(self, mark: int) -> dict[str, Held]:
        """Take back all changes since a mark; returns the variables that were changed, with what they were last."""
        changed: dict[str, Held] = {}
        while len(self._log) > mark:
            name, before = self._log.pop()
            changed.setdefault(name, self._held[name])
            if before is None:
                del self._held[name]
            else:
                self._held[name] = before
        return changed

    def restore(self, changed: Mapping[str, Held]) -> None:
        """Make these changes, which were taken back before."""
        for name, held in changed.items():
            self._change(name, held)

    def spoil(self, name: str, why: str) -> None:
        """Nobody knows any more what a variable holds."""
        self.put(name, later(f"${{{_WRITTEN.get(name, name)}}}", why))

    @property
    def exports_all(self) -> bool:
        """Whether commands get whatever is set: set -a."""
        value = self.get(EXPORTING)
        return isinstance(value, tuple) and text_of(value) == "yes"

    @property
    def arguments(self) -> Sequence[Value] | None:
        """Those of the function or script; None where they are those of the whole script, which nobody knows."""
        value = self.get(ARGUMENTS)
        if isinstance(value, Array) or value is None:
            return None if value is None else value.items
        return (later("${@}", why_of(value), many=True),)

    @property
    def folder(self) -> str | None:
        """Where the script has gone by `cd`, from where it started; None where that is not known."""
        value = self.get(FOLDER)
        return None if isinstance(value, Array) or why_of(value) else text_of(value)


# Among the variables, of which none has a space, so that a block that is left takes them back, too: the folder, that
# before it, and those that pushd keeps.
FOLDER, EARLIER, FOLDERS = "the folder", "the folder before", "the folders"
ARGUMENTS, EXPORTING = "the arguments", "whether all is exported"
_WRITTEN = {FOLDER: "PWD", EARLIER: "OLDPWD", FOLDERS: "DIRSTACK"}


class Many(Part):
    """A part that stands for any number of words, also between quotes: "$@"."""

    __slots__ = ()


class Here(Part):
    """The folder in which the script is started, or its own, as it is written from here: not all of its path."""

    __slots__ = ()


def later(text: str, why: str, *, many: bool = False) -> Value:
    """A value that is not known, as it is written."""
    return ((Many if many else Part)(text, why=why),)


def stretch(parts: Sequence[Part]) -> tuple[int, int] | None:
    """Where the text of these parts stands, if that is one stretch of one word."""
    before: Part | None = None
    for part in parts:
        if part.start < 0 or (before is not None and not _follows(part, before)):
            return None
        before = part
    return None if before is None else (parts[0].start, before.start + len(before.text))


def _follows(part: Part, before: Part) -> bool:
    return part.word == before.word and part.start >= before.start + len(before.text)


def text_of(value: Value | None) -> str:
    """The text of a value; what is not known as it is written."""
    return "".join(part.text for part in value or ())


def why_of(value: Value | None) -> str:
    """Why a value is not known; "" where it is."""
    return next((part.why for part in value or () if part.why), "")
