"""What is known of the run that starts a script which is followed, and what who follows it offers (script_run.py)."""

from __future__ import annotations

import os

from fp8check.rules.settings.script_values import UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from fp8check.rules.settings.script_values import Environment, Function, Model, Output, Scope

    class Follower(Protocol):
        """Who follows the script: script_run.Follower."""

        known: Known
        environment: Environment
        without_grad: int
        top: Scope

        def call(self, called: object, positional: list[object], keywords: dict[str, object]) -> object: ...
        def run(self, function: Function, positional: Sequence[object], keywords: Mapping[str, object]) -> object: ...
        def attribute(self, owner: object, name: str) -> object: ...
        def held(self, value: object) -> object: ...
        def items(self, value: object) -> Sequence[object] | None: ...
        def change(self, owner: object, change: Callable[[], object]) -> None: ...
        def spoil(self, owner: object) -> None: ...
        def set_variable(self, name: object, value: object, node: ast.AST) -> None: ...
        def set_attribute(self, owner: object, name: str, value: object) -> None: ...
        def set_mode(self, model: Model, training: object) -> None: ...
        def went_back(self, output: Output, line: int) -> None: ...
        def update_environment(self, added: object, node: ast.AST) -> None: ...


class Known:
    """What is known of the run that starts a script.

    Attributes:
        variables: those of the shell and the command; None where they are not known.
        launched: whether Accelerate's launcher starts it, and sets variables of its own.
        gpus: the compute capabilities of the GPUs, in the order in which a process sees them; None: not known.
        counted: whether that is all of them.
        words: those behind the script on the command line; None where they are not known.
        options: what the command line sets, by the attribute that holds each.
        options_of: the same of other words.
        dotenv: what a file .env beside the script says; None where it is not known.
        reads: whether files may be looked into.
        packages: whether packages can be imported, by their names; one that is not there is not known.
        path: the script's own.
        written: files that the script writes.
        modules: those beside the script, by their paths; none where they are not followed.
        defaults: what options are where the command does not set them, of those whose default is no literal.
        commands: the functions that are commands of an object, with their names, by where that is made.
    """

    def __init__(
        self,
        variables: Mapping[str, str] | None,
        gpus: Sequence[str] | None,
        words: Sequence[str] | None,
        options_of: Callable[[Sequence[str] | None], Mapping[str, object]],
        *,
        launched: bool = False,
        counted: bool = True,
        dotenv: Mapping[str, str] | None = None,
        reads: bool = False,
        packages: Mapping[str, bool] | None = None,
        path: str = "train.py",
        modules: Mapping[str, str] | None = None,
    ) -> None:
        self.modules = modules or {}
        self._of_names: dict[tuple[str, str], str | None] = {}
        self._by_stem: dict[str, list[str]] = {}
        for module in self.modules:
            stem = module.removesuffix("/__init__.py").removesuffix(".py").rpartition("/")[2]
            self._by_stem.setdefault(stem, []).append(module)
        self.reads, self.packages, self.path = reads, packages or {}, path
        self.written: set[str] = set()
        self._parsed = 0
        self.variables, self.gpus, self.words, self.launched = variables, gpus, words, launched
        self.counted, self.dotenv = counted, dotenv
        self.options_of = options_of
        self.options = options_of(words)
        self.commands: dict[tuple[int, int], list[tuple[str, Function]]] = {}
        self.arguments: object = UNKNOWN if words is None else [path, *words]

    def parses(self, characters: int) -> int:
        """So many characters of YAML, JSON and TOML are parsed for it as well; how many that makes together."""
        self._parsed += characters
        return self._parsed

    def module(self, dotted: str, importer: str) -> str | None:
        """The path of a module beside the script, as another imports it; None where it is none, or several are."""
        folder = os.path.dirname(importer)
        if (dotted, folder) not in self._of_names:
            self._of_names[dotted, folder] = self._find_module(dotted, folder)
        return self._of_names[dotted, folder]

    def _find_module(self, dotted: str, folder: str) -> str | None:
        name = dotted.lstrip(".")
        level = len(dotted) - len(name)
        stem = name.replace(".", "/")
        for _ in range(level - 1):
            folder = os.path.dirname(folder)
        near = self._by_stem.get(os.path.basename(stem or os.path.normpath(folder)), [])
        if not near:
            return None
        ends = (f"{stem}.py", f"{stem}/__init__.py")
        if level:
            wanted = {os.path.normpath(os.path.join(folder, one.lstrip("/"))) for one in ends}
            return next((path for path in near if os.path.normpath(path) in wanted), None)
        beside = {os.path.normpath(os.path.join(os.path.dirname(self.path), one)) for one in ends}
        found = [path for path in near if os.path.normpath(path) in beside]
        inner = tuple(f"/{one}" for one in ends)
        found = found or [path for path in near if path in ends or path.endswith(inner)]
        return found[0] if len(found) == 1 else None

    def of_command_line(self, names: Sequence[str]) -> dict[str, object]:
        """The options of these names."""
        return {name: self.options[name] for name in names if name in self.options}
