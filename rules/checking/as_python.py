"""What Python makes of a configuration that stands where the script is looked for. Nothing of it is run."""

from __future__ import annotations

import ast
import builtins

from fp8check.rules.reading import Unreadable, files
from fp8check.rules.reading.limits import MAX_BYTES
from fp8check.rules.settings.values import Origin, Setting
from fp8check.rules.trainers.run import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.reading import Document


def refused(name: str, given: Sequence[Document], *, follow: bool) -> Refused | None:
    """The exception of `python NAME`; None where the file cannot be read, or Python may come to its end."""
    text = next((document.loaded().text for document in given if document.path == name), None)
    if text is None and follow:
        if not files.is_there(name):
            text_of_error = f"[Errno 2] No such file or directory: {name!r}"
            return Refused("FileNotFoundError", text_of_error, Setting(name, Origin(flag=name)))
        try:
            text = files.read(name, MAX_BYTES).decode()
        except (Unreadable, UnicodeDecodeError):
            return None
    if text is None:
        return None
    place = Setting(name, Origin(flag=name))
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return Refused(type(error).__name__, f"{error.msg} ({name}, line {error.lineno})", place)
    except (ValueError, RecursionError, MemoryError):
        return None
    # `key: value` is an annotation, which is evaluated: `true` and `model` are names that nobody gave a value.
    unknown = next((one for one in _names(tree) if not hasattr(builtins, one)), None)
    return None if unknown is None else Refused("NameError", f"name '{unknown}' is not defined", place)


def _names(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        for node in ast.walk(statement.annotation if isinstance(statement, ast.AnnAssign) else statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield node.id
