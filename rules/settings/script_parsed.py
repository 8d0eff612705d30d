"""What the parser of a script takes: HfArgumentParser and TrlParser end the run at what none of their classes has."""

from __future__ import annotations

import ast
from functools import lru_cache

from fp8check.rules.record import Record
from fp8check.rules.settings.script import PARSERS, Parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.settings.script import ScriptSource

# Of TRL's classes; without them a Trainer, or what loads the data, ends the run.
_WITHOUT_DEFAULT = (("ModelConfig", "model_name_or_path"), ("ScriptArguments", "dataset_name"))
_FILES = (".yaml", ".yml", ".json")
# By which a script reads its command line or a file in its own way, beside the parser or before it.
_BY_ITSELF = (
    "argv",
    "safe_load",
    "OmegaConf",
    "parse_dict",
    "parse_known",
    "argparse",
    "args_filename",
    "json.load",
    "aliases",
)


def parsed(source: ScriptSource, words: Sequence[str], path: str | None) -> Parsed | None:
    """How a script's parser takes its words and its file; None where it has none, or not all of it is seen here.

    Args:
        words: what stands behind the script, with what its launcher adds.
        path: the file that it reads.
    """
    parser = next((name for name in reversed(PARSERS) if source.named(name)), None)
    if parser is None or not source.parsers:
        return None
    defined = _classes_of(source.text)
    if defined is None:
        return None
    own = dict(defined)
    packages = {name.rpartition(".")[2] for name in source.imports if name.startswith(("transformers.", "trl."))}
    classes: list[str] = []
    fields: set[str] = set()
    waiting = list(source.parsers)
    while waiting:
        name = waiting.pop()
        if name not in own:
            if name not in packages:
                return None
            classes.append(name)
            continue
        one = own.pop(name)
        fields.update(one.annotated)
        waiting.extend(base for base in one.bases if base not in ("object", "ABC", ""))
    strict = _is_strict(parser, source.text, path) and not (len(words) > 1 and _wants_one_word(source.text))
    given = words if _takes_all(_without_own_file(source.text, words)) or _misses_file(source.text, words) else ()
    asks = tuple(name for one, name in _WITHOUT_DEFAULT if one in classes and f".{name}" in source.text)
    return Parsed(parser, tuple(classes), frozenset(fields), strict, _word(given), _flags(given), asks)


class _Class(Record):
    """A class of the script itself, by what it annotates and the last names of its bases."""

    annotated: tuple[str, ...]
    bases: tuple[str, ...]


@lru_cache(maxsize=16)  # a plan tries hundreds of commands and files with one script
def _classes_of(text: str) -> Mapping[str, _Class] | None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return {
        node.name: _Class(tuple(_fields(node)), tuple(map(_last, node.bases)))
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


def _last(base: ast.expr) -> str:
    return base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""


def _fields(node: ast.ClassDef) -> list[str]:
    return [one.target.id for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]


def _is_strict(parser: str, text: str, path: str | None) -> bool:
    """Whether its parser reads the file, and passes over no key of it."""
    if path is None:
        return False
    if parser == "TrlParser":
        loose = "fail_with_unknown_args" in text or "return_remaining_strings" in text
        return "parse_args_and_config" in text and not loose
    by = "parse_json_file" if path.endswith(".json") else "parse_yaml_file"
    return f"{by}(" in text and "allow_extra_keys" not in text


def _takes_all(text: str) -> bool:
    """Whether its parser gets the whole command line, and passes over nothing of it."""
    asks = "parse_args_into_dataclasses" in text or "parse_args_and_config" in text
    return asks and "return_remaining_strings" not in text and not any(one in text for one in _BY_ITSELF)


# A script that reads a file where that is its only word, as the examples of transformers do, has no other use of it.
_ONLY_WORD = r"len\(sys\.argv\) *== *2\b|sys\.argv\[1\]"


def _without_own_file(text: str, words: Sequence[str]) -> str:
    """The text without what it does of a file that is its only word, where it gets others."""
    from re import sub

    return sub(_ONLY_WORD, "", text) if len(words) > 1 and _wants_one_word(text) else text


def _wants_one_word(text: str) -> bool:
    """Whether it reads a file where that is its only word."""
    from re import search

    return search(r"len\(sys\.argv\) *== *2\b", text) is not None


def _misses_file(text: str, words: Sequence[str]) -> bool:
    """Whether it reads a file that is its only word, and a launcher gives it another: that of deepspeed its rank."""
    told = bool(words) and words[0].startswith("--local_rank=")
    return told and "parse_args_into_dataclasses()" in text and _wants_one_word(text)


def _word(words: Sequence[str]) -> str:
    before = ""
    for word in words:
        is_value = before.startswith("-") and "=" not in before
        if word.endswith(_FILES) and not word.startswith("-") and not is_value:
            return word
        before = word
    return ""


def _flags(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    named = (word.partition("=")[0] for word in words if word.startswith("--") and len(word) > len("--"))
    return tuple((flag.removeprefix("--").replace("-", "_"), flag) for flag in named if flag.strip("-").isascii())
