"""The folder in which a command is started, and the files that it names, as they are found from here."""

from __future__ import annotations

import os

from fp8check.rules.reading import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FILES = (".yaml", ".yml", ".json", ".py")
_FOLDERS = ("./", "../")  # what is no name of a model at a hub


def moved(words: Sequence[str], folder: str) -> tuple[str, ...]:
    """The words of a command that is started in another folder, its files called as from here."""
    places = places_of(folder)
    return tuple(called_from_here(word, places) if names_a_place(word) else word for word in words)


def places_of(folder: str, own: str = "") -> list[str]:
    """Where the names of a command are looked for: from the folder that it has gone to.

    Where a script is started is not known: here, in its own folder, or in one between the two. What is gone to and not
    on this machine is another machine's, or a container's, unless it is called as this one: then it is a copy of that.

    Args:
        own: the folder of the script that has the command.
    """
    starts = list(dict.fromkeys(("", own, *_above(own))))
    if os.path.isabs(folder):
        if folder == os.getcwd():
            return starts
        return [folder] if os.path.isdir(folder) else _copies(folder, starts) or [folder]
    there = [path for start in starts if os.path.isdir(path := os.path.join(start, folder))]
    return (there or [folder]) if folder else starts


def _copies(folder: str, starts: list[str]) -> list[str]:
    """Where the files of another machine's folder are: of one that is called as this, or that has its place in one.

    Two names in a row are the same: that of a folder here, and one below it; or the one name of this folder.
    """
    names = folder.split("/")
    if names[-1] == os.path.basename(os.getcwd()):
        return starts
    for start in starts:
        name = os.path.basename(os.path.abspath(start))
        for at, one in enumerate(names[:-1]):
            path = os.path.join(start, *names[at + 1 :])
            if one == name and os.path.isdir(path):
                return [path]
    return []


def _above(folder: str) -> Iterator[str]:
    """The folders between that one and this one."""
    folder = os.path.normpath(folder)
    if os.path.isabs(folder):
        folder = os.path.relpath(folder) if folder.startswith(os.getcwd() + os.sep) else ""
    while os.path.dirname(folder) and not folder.startswith(os.pardir):
        folder = os.path.dirname(folder)
        yield folder


def names_a_place(word: str) -> bool:
    """Whether a word, or what stands behind `=` in it, names a file or folder from the working folder."""
    name = word.rpartition("=")[2]
    is_relative = not os.path.isabs(name) and not name.startswith(("~", "-"))
    return is_relative and (name.endswith(_FILES) or name.startswith(_FOLDERS))


def called_from_here(word: str, places: Sequence[str]) -> str:
    """A word that names a file or folder, as it is called from here: the first of the places that has one."""
    flag, equals, name = word.rpartition("=")
    paths = [os.path.join(place, name.removeprefix("./")) if place else name for place in places]
    is_file = name.endswith(_FILES)
    there = next((path for path in paths if (files.is_there(path) if is_file else os.path.isdir(path))), None)
    if there is None:
        there = paths[0] if is_file or "" not in places else name  # ./out, which the run makes
    return f"{flag}{equals}{_plain(there)}"


def _plain(path: str) -> str:
    """A name without the ways back in it, where that is the same file: for all that is said of it, and for git."""
    if os.pardir not in path:
        return path
    plain = os.path.normpath(path)
    return plain if os.path.realpath(plain) == os.path.realpath(path) else path
