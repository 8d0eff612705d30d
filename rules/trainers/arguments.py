"""What stands behind the training file on the command line, and wins over it."""

from __future__ import annotations

from fp8check.rules.settings.values import Origin, taken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fp8check.rules.settings.values import Setting

# transformers hf_argparser.py string_to_bool; OmegaConf's are among them.
_FLAGS = {
    **dict.fromkeys(("yes", "true", "t", "y", "1"), True),
    **dict.fromkeys(("no", "false", "f", "n", "0"), False),
}
_NULLS = ("null", "none", "~")


def settings(pairs: Iterable[tuple[str, str, str]], known: frozenset[str]) -> dict[str, Setting]:
    """The settings among (name, text, as it was written) whose names are known."""
    return {name: taken(_value(name, text), Origin(flag=written)) for name, text, written in pairs if name in known}


def assigned(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """`key=value`."""
    for word in words:
        name, equals, text = word.partition("=")
        if equals and not name.startswith("-"):
            yield name, text, word


def options(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """`--key value`, `--key=value`, and `--key` alone for a flag."""
    for at, word in enumerate(words):
        if not word.startswith("--"):
            continue
        name, equals, text = word[2:].partition("=")
        following = words[at + 1] if at + 1 < len(words) and not words[at + 1].startswith("--") else None
        if not equals:
            text = "true" if following is None else following
        yield name.replace("-", "_"), text, word if equals or following is None else f"{word} {following}"


def _value(name: str, text: str) -> object:
    """A flag, a number, null or text. A count may be 1 or 0, which are flags elsewhere."""
    lowered = text.lower()
    if lowered in _NULLS:
        return None
    if lowered in _FLAGS and not (text.isdigit() and not name.startswith(("bf16", "fp16", "fp8", "use_", "do_"))):
        return _FLAGS[lowered]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
