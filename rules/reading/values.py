"""What a loader makes of one scalar: YAML 1.1 as PyYAML's SafeLoader has it, and as OmegaConf changes it."""

from __future__ import annotations

import re

from fp8check.rules.reading.limits import MAX_NUMBER
from fp8check.rules.reading.pyyaml import yaml
from fp8check.rules.reading.source import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading.syntax import SyntaxNode

TAG = "tag:yaml.org,2002:"
STR = TAG + "str"
BOOL = TAG + "bool"
INT = TAG + "int"
MERGE = TAG + "merge"
VALUE = TAG + "value"
NUMBERS = (INT, TAG + "float")
COLLECTIONS = {
    "map": (TAG + "map", {TAG + "map", TAG + "set"}),
    "list": (TAG + "seq", {TAG + "seq", TAG + "omap", TAG + "pairs"}),
}

# OmegaConf 2.0 to 2.4 read an exponent without a dot or a sign as a number (`1e-5` is a float there and a string in
# PyYAML), and no plain scalar as a date.
OMEGACONF_FLOAT = r"""(?x:
     [-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)
    |\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?
    |[-+]?[0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))"""


_BEGIN_NUMBERS = frozenset("+-.0123456789")
# What PyYAML's patterns take of the texts that begin with a letter: nearly every scalar is told without a pattern.
_WORDS = {
    **dict.fromkeys(("yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE"), BOOL),
    **dict.fromkeys(("on", "On", "ON", "off", "Off", "OFF"), BOOL),
    **dict.fromkeys(("null", "Null", "NULL"), TAG + "null"),
}


class RefusedError(Exception):
    """The loader refuses this scalar: what it says, and what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def resolve(parsed: SyntaxNode, loader: str) -> str:
    """The tag of a scalar in full: the written one, or the one that the loader finds from a plain scalar's text."""
    if parsed.tag is not None and parsed.tag != "!":
        return parsed.tag
    if not parsed.plain:
        return STR
    text = parsed.text
    if text[:1].isalpha():
        return _WORDS.get(text, STR)
    if _is_count(text):
        return INT
    candidates = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], ())
    for tag, pattern in candidates:
        if pattern.match(text) and not (loader == "omegaconf" and tag == TAG + "timestamp"):
            return str(tag)
    if loader == "omegaconf" and text[:1] in _BEGIN_NUMBERS and re.fullmatch(OMEGACONF_FLOAT, text):
        return TAG + "float"
    return STR


def _is_count(text: str) -> bool:
    """Whether a text is a number of decimal digits alone, as nearly every number is; a 0 before others means octal."""
    return text.isdecimal() and text.isascii() and (text[0] != "0" or text == "0")


def construct(tag: str, text: str) -> object:
    """The value that the loader makes of a scalar with this tag. Raises RefusedError where it makes none."""
    if tag == STR:
        return text
    if tag == INT and len(text) <= MAX_NUMBER and _is_count(text):
        return int(text)
    maker = yaml.SafeLoader.yaml_constructors.get(tag)
    if len(text) > MAX_NUMBER and tag in NUMBERS:
        raise RefusedError(f"a number of {len(text):,} characters; {MAX_NUMBER:,} are read", "write it in quotes")
    if maker is None or tag in {TAG + "map", TAG + "seq", TAG + "set", TAG + "omap", TAG + "pairs"}:
        raise RefusedError(*_no_constructor(tag, text))
    node = yaml.ScalarNode(tag, text)
    try:
        return maker(_CONSTRUCTOR, node)
    # The loader's own constructors raise these uncaught: ValueError for a date that does not exist, KeyError for
    # `!!bool maybe`, AttributeError for `!!timestamp x`, IndexError for `!!int ''`.
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, IndexError, OverflowError) as error:
        name = tag.removeprefix(TAG)
        raise RefusedError(
            f"{cut(repr(text))} is no valid {name}: the loader stops here", "write it in quotes"
        ) from error


_CONSTRUCTOR = yaml.constructor.SafeConstructor()


def _no_constructor(tag: str, text: str) -> tuple[str, str]:
    if tag in {MERGE, VALUE}:
        return f"{cut(repr(text))} alone is no value in YAML 1.1", "write it in quotes"
    return f"the tag {shown_tag(tag)} is refused by the loader", "remove the tag"


def shown_tag(tag: str) -> str:
    """A tag as people write it: `!!set` for "tag:yaml.org,2002:set"."""
    return cut(f"!!{tag.removeprefix(TAG)}" if tag.startswith(TAG) else tag)
