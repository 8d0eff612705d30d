"""Reading one file: which format it has, whose loader reads it, and what that loader would say."""

from __future__ import annotations

from fp8check.rules.reading import source as sources
from fp8check.rules.reading.kind import OTHER, SHELLS, Kind, unidentified
from fp8check.rules.reading.nodes import Document, Problem, Unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading.kind import Identify
    from fp8check.rules.reading.source import Source
    from fp8check.rules.reading.syntax import SyntaxNode, SyntaxReader

LOADERS = frozenset({"pyyaml", "omegaconf", "json"})
# How the scripts of shells and of schedulers are called, and what their first line names.
SUFFIXES = (".sh", ".bash", ".sbatch", ".slurm", ".pbs", ".ksh", ".zsh")
_FIRST_LINES = (*SHELLS, "ash")


def read(
    path: str, data: bytes | None = None, *, loader: str | None = None, identify: Identify = unidentified
) -> Document:
    """Reads a YAML or JSON file or a shell script, or `data` in its place, into a Document.

    Args:
        loader: whose rules make the values: "pyyaml", "omegaconf" or "json"; without it, the loader of the tool that
            the file is for.
        identify: tells from the top-level keys what the file is (rules/trainers/detect.py).

    "-" is standard input where `data` is given, and a file of that name where it is not.

    Raises:
        Unreadable: and nothing else, whatever the file holds.
    """
    if loader is not None and loader not in LOADERS:
        raise ValueError(f"no such loader: {loader!r}")
    source = sources.load(path, data)
    if loader is None and (path.endswith(SUFFIXES) or source.text.startswith("#!")) and is_shell(path, source.text):
        from fp8check.rules.reading.shell_syntax import read as read_shell

        return read_shell(source)
    if loader == "json" or (loader is None and path.endswith(".json")):
        return _read_json(source, identify)
    if loader is None and source.text.lstrip()[:1] in {"{", "["}:
        try:
            return _read_json(source, identify)
        except Unreadable:
            pass  # a YAML flow collection begins the same way
    return _read_yaml(source, loader, identify)


def is_shell(path: str, text: str) -> bool:
    """Whether a file is a shell script, by its name or by the interpreter that its first line names."""
    if not text.startswith("#!"):
        return path.endswith(SUFFIXES)
    words = text[2:200].partition("\n")[0].split()
    programs = [word.rpartition("/")[2] for word in words[:3] if not word.startswith("-")]
    if not programs:
        return path.endswith(SUFFIXES)
    return programs[0] in _FIRST_LINES or (programs[0] == "env" and programs[-1] in _FIRST_LINES)


def read_script(path: str, data: bytes | None = None) -> Document:
    """A Python file as text, with no values: what it does is found out by who checks it.

    Raises:
        Unreadable: it is of no kind then, and a hook passes it over.
    """
    try:
        source = sources.load(path, data)
    except Unreadable as error:
        error.kind = OTHER.name
        raise
    return Document(path, source.text, "python", None, loader="python", bom=source.bom, kind=Kind("script"))


def _read_json(source: Source, identify: Identify) -> Document:
    from fp8check.rules.reading.jsontext import JsonReader

    if source.bom:
        hint = "save the file as UTF-8 without a byte-order mark"
        raise source.error(0, "the file begins with a byte-order mark, which JSON does not have", hint)
    reader = JsonReader(source)
    try:
        root = reader.read()
    except Unreadable as error:
        found = identify({name: node.kind for name, node in reader.top.items()})
        error.kind = OTHER.name if source.text.lstrip()[:1] == "[" else _known(found)  # a list is nothing of ours
        raise
    shape = {name: child.kind for name, child in root.entries.items()} if root.kind == "map" else None
    kind = OTHER if shape is None else identify(shape)
    return Document(source.path, source.text, "json", root, loader="json", problems=reader.problems, kind=kind)


def _read_yaml(source: Source, loader: str | None, identify: Identify) -> Document:
    from fp8check.rules.reading.building import Builder

    sources.check_printable(source)
    reader, problems = _parse(source, loader, identify)
    kind = identify_syntax(reader.root, identify)
    used = loader or kind.loader
    builder = Builder(source, used)
    try:
        root = builder.build(reader.root) if reader.root is not None else None
    except Unreadable as error:
        error.kind = kind.name
        raise
    problems += builder.problems + _file_problems(source, reader.second)
    if used == "omegaconf":
        from fp8check.rules.reading.omegaconf import refusals

        problems += refusals(root)
    problems.sort(key=lambda problem: problem.span.start)
    return Document(
        source.path,
        source.text,
        "yaml",
        root,
        loader=used,
        problems=problems,
        bom=source.bom,
        kind=kind,
        libyaml=reader.libyaml,
    )


def _parse(source: Source, loader: str | None, identify: Identify) -> tuple[SyntaxReader, list[Problem]]:
    """The parsed nodes as the file's tool parses it; Unreadable where that fails, with the kind of what came before."""
    from fp8check.rules.reading.syntax import SyntaxReader

    reader = SyntaxReader(source)
    try:
        reader.read()
    except Unreadable as error:
        found = identify_syntax(reader.root, identify)
        error.kind = _known(found)
        if (loader or found.loader) != "omegaconf" or error.line is None or error.column is None:
            raise
        return _second_opinion(source, error, loader, identify)
    return reader, []


def _second_opinion(
    source: Source, first: Unreadable, loader: str | None, identify: Identify
) -> tuple[SyntaxReader, list[Problem]]:
    """OmegaConf 2.4 parses with libyaml, older releases with PyYAML's own parser; libyaml takes some more files."""
    from fp8check.rules.reading.syntax import SyntaxReader

    reader = SyntaxReader(source, libyaml=True)
    try:
        reader.read()
    except Unreadable:
        raise first from None
    if (loader or identify_syntax(reader.root, identify).loader) != "omegaconf":
        raise first  # what stands behind says that it is no file of OmegaConf's
    message = f"OmegaConf before 2.4 stops here: {first.message}"
    span = source.span(first.offset, first.offset)
    return reader, [Problem("parsers-differ", message, span, detail=first.message, fatal=False)]


def _known(kind: Kind) -> str | None:
    """The kind of a part of a file: that it is nothing of ours cannot be said before its end."""
    return None if kind.name == OTHER.name else kind.name


def identify_syntax(root: SyntaxNode | None, identify: Identify) -> Kind:
    """The kind of a file from its parsed nodes: known before there are values, for it decides the loader."""
    return OTHER if root is None or root.kind != "map" else identify(_shape(root))


def _shape(parsed: SyntaxNode) -> dict[str, str]:
    merged: dict[str, str] = {}
    shape: dict[str, str] = {}
    for index, key in enumerate(parsed.items[::2]):
        # After a syntax error the last value may be missing.
        target = parsed.items[min(2 * index + 1, len(parsed.items) - 1)].written()
        if key.plain and key.text == "<<":
            for source in target.items if target.kind == "list" else [target]:
                merged.update(_shape(source.written()))
        else:
            shape[key.text] = target.kind
    return {**merged, **shape}


def _file_problems(source: Source, second: int | None) -> list[Problem]:
    problems = []
    if source.bom:
        problems.append(Problem("utf-8-bom", "the file begins with a byte-order mark", source.span(0, 0), fatal=False))
    if second is not None:
        message = "a second document begins here: every tool refuses a file with two"
        span = source.span(second, min(second + 3, len(source.text)))
        problems.append(Problem("multiple-documents", message, span, fatal=True))
    return problems
