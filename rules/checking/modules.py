"""The modules beside a script that it imports: they are read as well, for what they do is what the script does.

Modules of installed packages are passed over: which are installed is not known here, and they are not the user's own.
"""

from __future__ import annotations

import os

from fp8check.rules.reading import Document, Unreadable, files
from fp8check.rules.reading.kind import Kind
from fp8check.rules.reading.limits import MAX_BYTES
from fp8check.rules.record import Record
from fp8check.rules.trainers.registry import TRAINERS
from fp8check.rules.trainers.run import Unread
from fp8check.rules.trainers.script import OwnScript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.settings.script import Script, ScriptSource

_MOST = 100  # modules that are read of one script
# Packages that are looked into by name, wherever they lie: a checkout of one of them beside the script is no module of
# the user's own. A script is no package, whatever it is called.
_PACKAGES = frozenset(
    ["torch", "torchao", "transformer_engine", "accelerate", "deepspeed", "peft"]
    + [trainer.name for trainer in TRAINERS if trainer is not OwnScript]
)


class Imported(Record):
    """What a script does together with the modules beside it.

    Attributes:
        documents: the modules in which something was found.
        unread: modules that are there and cannot be read.
    """

    script: Script
    documents: tuple[Document, ...] = ()
    unread: tuple[Unread, ...] = ()


def with_modules(script: Script, source: ScriptSource) -> Imported:
    """The script with what the modules beside it do, also those that these import in turn."""
    folder = os.path.dirname(source.path)
    pending, met, count = [(source, folder)], {os.path.normpath(source.path)}, 0
    documents: list[Document] = []
    unread: list[Unread] = []
    while pending:
        importing, package = pending.pop()
        for path in _places(importing, folder, package):
            if path in met:
                continue
            met.add(path)
            module = _read(path)
            if isinstance(module, Unread):
                unread.append(module)
            elif module is not None:
                count += 1
                pending.append((module, os.path.dirname(path)))
                script, before = script.importing(module), script
                if script is not before:
                    documents.append(Document(path, module.text, "python", None, loader="python", kind=Kind("script")))
            if count > _MOST:
                why = f"the script imports more than {_MOST} modules beside it"
                unread.append(Unread("script", path, why, None, "a script that imports fewer modules of its own"))
                return Imported(script, tuple(documents), tuple(unread))
    return Imported(script, tuple(documents), tuple(unread))


def _places(source: ScriptSource, folder: str, package: str) -> Iterator[str]:
    """The files that its imports may mean: beside the script, and in the package that it stands in."""
    for dotted in source.imports:
        name = dotted.lstrip(".")
        level = len(dotted) - len(name)
        if level == 0 and name.partition(".")[0] in _PACKAGES:
            continue
        base = folder if level == 0 else os.path.join(package, *[os.pardir] * (level - 1))
        parts = [part for part in name.split(".") if part]
        for depth in range(len(parts), 0, -1):
            stem = os.path.normpath(os.path.join(base, *parts[:depth]))
            yield f"{stem}.py"
            yield os.path.join(stem, "__init__.py")


def _read(path: str) -> ScriptSource | Unread | None:
    """What is in a module; None where there is none of that name."""
    from fp8check.rules.reading.source import load
    from fp8check.rules.settings.script_syntax import parse

    command = f"fp8check where {path} can be read"
    try:
        source = parse(load(path, files.read(path, MAX_BYTES)))
    except Unreadable as error:
        return None if error.reason == "absent" else Unread("script", path, error.message, None, command)
    if source is None:
        return Unread("script", path, "it is no Python that can be parsed here", None, command)
    return source
