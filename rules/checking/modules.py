"""The modules beside a script that it imports: they are read as well, for what they do is what the script does.

Modules of installed packages are passed over: which are installed is not known here, and they are not the user's own.
"""

from __future__ import annotations

import os
from collections import deque

from fp8check.rules.reading import Document, Unreadable, files
from fp8check.rules.reading.kind import Kind
from fp8check.rules.reading.limits import MAX_BYTES
from fp8check.rules.record import Record
from fp8check.rules.settings.script import Script, options_of
from fp8check.rules.settings.script_known import Start, Together, known, modules_known, through_module
from fp8check.rules.trainers.deciding import TOOLS
from fp8check.rules.trainers.registry import TRAINERS
from fp8check.rules.trainers.run import Unread
from fp8check.rules.trainers.script import OwnScript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.settings.script import ScriptSource

_MOST = 100  # modules that are read of one script
_MOST_CHARACTERS = 2_000_000  # that these may have; gpt-neox has 800,000
_DEEPEST = 12  # parts of a module's name that are followed
# Packages that are looked into by name, wherever they lie: a checkout of one of them beside the script is no module of
# the user's own. A script is no package, whatever it is called.
_PACKAGES = frozenset(
    ["torch", "torchao", "transformer_engine", "accelerate", "deepspeed", "peft"]
    + [trainer.name for trainer in TRAINERS if trainer is not OwnScript]
)


_ALONE = Start()


class Imported(Record):
    """What a script does together with the modules beside it.

    Attributes:
        documents: the modules in which something was found.
        unread: modules that are there and cannot be read.
        sources: the modules that were read, the nearest first.
    """

    script: Script
    documents: tuple[Document, ...] = ()
    unread: tuple[Unread, ...] = ()
    sources: tuple[ScriptSource, ...] = ()


def with_modules(source: ScriptSource, start: Start = _ALONE, given: Mapping[str, str] = {}) -> Imported:
    """The script with what the modules beside it do, also those that these import in turn, started like that.

    Args:
        given: the texts of some of them by path, which go before the files.
    """
    sources, unread = _modules(source, given)
    options = options_of([source, *sources], start.words, start.variables)
    together = Together(source, sources, start)
    sources = [*modules_known(together)]
    script = Script.of(known(source, sources, start, together))
    through = through_module(together)
    if through is not None:
        script = Script.of(through[0]).through(through[1])
    documents: list[Document] = []
    for module in sources:
        made = through[1] if through is not None and through[1].path == module.path else module.with_options(options)
        script, before = script.importing(made, decided=through is not None), script
        if script is not before or made.calls:  # what is said of it is said at its lines
            documents.append(Document(module.path, module.text, "python", None, loader="python", kind=Kind("script")))
    return Imported(script, tuple(documents), tuple(unread), tuple(sources))


def _modules(source: ScriptSource, given: Mapping[str, str]) -> tuple[list[ScriptSource], list[Unread]]:
    """The modules that a script imports, the nearest first, and those that cannot be read."""
    folders = _Folders(source.path)
    pending, met = deque([(source, os.path.dirname(source.path))]), {os.path.normpath(source.path)}
    unread: list[Unread] = []
    sources: list[ScriptSource] = []
    stems: set[str] = set()
    characters = 0
    while pending:
        importing, package = pending.popleft()
        for path in _places(importing, folders, package, stems):
            if path in met:
                continue
            met.add(path)
            module = _read(path, given.get(path))
            if isinstance(module, Unread):
                unread.append(module)
            elif module is not None:
                sources.append(module)
                characters += len(module.text)
                pending.append((module, os.path.dirname(path)))
            if len(sources) > _MOST or characters > _MOST_CHARACTERS:
                most = f"{_MOST} modules" if len(sources) > _MOST else f"{_MOST_CHARACTERS:,} characters of modules"
                why = f"the script imports more than {most} beside it"
                unread.append(Unread("script", path, why, None, "a script that imports fewer modules of its own"))
                return sources, unread
    return sources, unread


class _Folders:
    """Where modules are looked for: beside the script, where its outermost package lies, here, and in `src` of here.

    The latter are what `pip install -e .` and PYTHONPATH=. make of a checkout; whatever lies beside the script goes
    before them, and before what is installed.
    """

    def __init__(self, script: str) -> None:
        self._beside = outermost = os.path.dirname(script)
        while files.is_there(os.path.join(outermost, "__init__.py")) and os.path.basename(outermost) not in ("", ".."):
            outermost = os.path.dirname(outermost)
        others = [outermost] if os.path.isabs(script) else [outermost, "", "src"]
        self._others = [one for one in dict.fromkeys(others) if one != self._beside]
        self._found: dict[str, str] = {}

    def of(self, package: str) -> str:
        """The folder in which that package or module lies; the script's own where it lies in none."""
        if package not in self._found:
            there = (one for one in self._others if package not in TOOLS and _holds(one, package))
            self._found[package] = self._beside if _holds(self._beside, package) else next(there, self._beside)
        return self._found[package]


def _holds(folder: str, package: str) -> bool:
    stem = os.path.join(folder, package)
    return files.is_there(f"{stem}.py") or files.is_there(stem)


def _places(source: ScriptSource, folders: _Folders, package: str, met: set[str]) -> Iterator[str]:
    """The files that its imports may mean, but for those that others meant before.

    Args:
        met: imports that were met, each with the folder from which it counts; these are added.
    """
    for dotted in source.imports:
        name = dotted.lstrip(".")
        level = len(dotted) - len(name)
        first = name.partition(".")[0]
        if level == 0 and first in _PACKAGES:
            continue
        base = folders.of(first) if level == 0 else os.path.join(package, *[os.pardir] * (level - 1))
        known = f"{base}/{name}"
        if known in met:
            continue
        met.add(known)
        parts = [part for part in name.split(".", _DEEPEST) if part][:_DEEPEST]
        for depth in range(len(parts), 0, -1):
            stem = os.path.normpath(os.path.join(base, *parts[:depth]))
            yield f"{stem}.py"
            yield os.path.join(stem, "__init__.py")


def _read(path: str, given: str | None) -> ScriptSource | Unread | None:
    """What is in a module, whose text may be given; None where there is none of that name."""
    from fp8check.rules.reading.source import load
    from fp8check.rules.settings.script_syntax import parse, why_unparsed

    command = f"fp8check where {path} can be read"
    try:
        text = load(path, files.read(path, MAX_BYTES) if given is None else given.encode())
    except Unreadable as error:
        return None if error.reason == "absent" else Unread("script", path, error.message, None, command)
    source = parse(text, module=True)
    return source if source is not None else Unread("script", path, why_unparsed(text, module=True), None, command)
