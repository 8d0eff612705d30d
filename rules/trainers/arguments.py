"""What stands behind the training file on the command line, and wins over it."""

from __future__ import annotations

from bisect import bisect_left

from fp8check.rules.settings.values import Origin, taken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from fp8check.rules.settings.values import Setting

# transformers hf_argparser.py string_to_bool; OmegaConf's are among them.
_FLAGS = {
    **dict.fromkeys(("yes", "true", "t", "y", "1"), True),
    **dict.fromkeys(("no", "false", "f", "n", "0"), False),
}
_NULLS = ("null", "none", "~")


def settings(
    pairs: Iterable[tuple[str, str, str]], known: frozenset[str], own: Collection[str] | None = None
) -> dict[str, Setting]:
    """The settings among (name, text, as it was written) whose names are known.

    Args:
        own: other names that the command line takes; None: no name may be cut short, as argparse allows.
    """
    found: dict[str, Setting] = {}
    ordered: list[str] = []
    for short, text, written in pairs:
        name = short
        if own is not None and short not in known and short not in own:
            ordered = ordered or sorted({*known, *own})
            at = bisect_left(ordered, short)
            begun = [one for one in ordered[at : at + 2] if one.startswith(short)]
            name = begun[0] if len(begun) == 1 else short
        if name in known:
            found[name] = taken(_value(name, text), Origin(flag=written))
    return found


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
