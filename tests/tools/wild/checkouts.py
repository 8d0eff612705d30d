"""The checkouts, their files, and which of them make up a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.reading import Document, Unreadable
from fp8check.rules.trainers.detect import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Of these, one file is a run to check, or a part of one.
CHECKED = (".yaml", ".yml", ".json", ".py", ".sh")
CONFIGURED = (".yaml", ".yml", ".json")
SCRIPTS = (".sh", ".bash", ".sbatch", ".slurm", ".job", ".pbs")
PAGES = (".md", ".mdx", ".rst")
_PASSED_OVER = frozenset([".git", "node_modules", "__pycache__"])
# Natural pairs of one training file: a repository with 20 Accelerate files and 80 training files says nothing new in
# its thousandth pair.
_NATURAL = 6


class Pair(NamedTuple):
    """A training file and a file for Accelerate or DeepSpeed that belongs to it, by paths in the checkout.

    Attributes:
        by: "launch line", "key" (the training file names it) or "folder" (the nearest ones of the repository).
        launch: the command that names both; None where none does.
    """

    training: str
    other: str
    by: str
    launch: str | None = None


def checkouts(folder: Path) -> list[Path]:
    """The checkouts in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.is_dir())


def files(root: Path, suffixes: tuple[str, ...]) -> Iterator[str]:
    """The files of a checkout that end so, as paths from its root, in order."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER)
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.lower().endswith(suffixes) and os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, root)


class Documents:
    """The configuration files of a checkout, each read once; those that cannot be read are None."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[str, Document | None] = {}

    def get(self, path: str) -> Document | None:
        """The file, by its path from the root; None where it cannot be read."""
        if path not in self._read:
            try:
                self._read[path] = read(str(self.root / path))
            except Unreadable:
                self._read[path] = None
        return self._read[path]

    def of_kind(self, kind: str) -> list[str]:
        """The paths of all files of one kind."""
        documents = ((path, self.get(path)) for path in files(self.root, CONFIGURED))
        return [path for path, one in documents if one is not None and one.kind == kind]


def by_keys(documents: Documents) -> Iterator[Pair]:
    """Training files with the DeepSpeed file that they name, where it is part of the checkout."""
    for path in documents.of_kind("training"):
        document = documents.get(path)
        root = document.root if document is not None else None
        node = root.entries.get("deepspeed") if root is not None else None
        if node is not None and isinstance(node.value, str):
            named = found(documents.root, node.value, os.path.dirname(path))
            if named is not None:
                yield Pair(path, named, "key")


def by_folders(documents: Documents) -> Iterator[Pair]:
    """Training files with the Accelerate files that stand nearest to them."""
    accelerate = documents.of_kind("accelerate")
    for path in documents.of_kind("training"):
        near = sorted(accelerate, key=lambda other: (-_shared(path, other), other))
        for other in near[:_NATURAL]:
            yield Pair(path, other, "folder")


def _shared(one: str, other: str) -> int:
    """How many folders two files have in common, from the root on."""
    pairs = zip(Path(one).parent.parts, Path(other).parent.parts, strict=False)
    return next((number for number, (a, b) in enumerate(pairs) if a != b), min(one.count("/"), other.count("/")))


def found(root: Path, name: str, folder: str) -> str | None:
    """A named file as a path from the root: as seen from the root, from the file's folder, or from those above it."""
    if not name or name.startswith(("/", "~")) or "\0" in name:
        return None
    places = ["", folder, *(str(one) for one in Path(folder).parents)]
    for place in dict.fromkeys(places):
        path = os.path.normpath(os.path.join(place, name))
        if not path.startswith("..") and (root / path).is_file():
            return path
    return None


def unique(pairs: Iterable[Pair]) -> list[Pair]:
    """Each pair once, with the strongest reason why it is one; natural pairs only where a file has no other."""
    kept: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        kept.setdefault((pair.training, pair.other), pair)
    documented = {pair.training for pair in kept.values() if pair.by != "folder"}
    return [pair for pair in kept.values() if pair.by != "folder" or pair.training not in documented]
