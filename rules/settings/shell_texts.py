"""What a shell makes of texts: a part of one by a pattern, and the sum of numbers."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN = re.compile(r"\s*(?:(\d+)|\$?\{?([A-Za-z_][A-Za-z0-9_]*)\}?|([-+*/%()]))")


_GROUP = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(-?\d{1,4})\.\.(-?\d{1,4})")
_MOST_WORDS = 64  # of one word with braces


def is_braced(text: str) -> bool:
    """Whether a shell makes several words of a text: a{b,c}, {1..3}."""
    return any("," in group or _RANGE.fullmatch(group) is not None for group in _GROUP.findall(text))


def braces(text: str) -> list[str] | None:
    """The words that a shell makes of a text with braces; None where that is more than is looked at here."""
    words = [""]
    at = 0
    for found in _GROUP.finditer(text):
        numbers = _RANGE.fullmatch(found.group(1))
        if numbers is not None:
            first, last = int(numbers[1]), int(numbers[2])
            if abs(last - first) >= _MOST_WORDS or numbers[1].lstrip("-")[:1] == "0" != numbers[1]:
                return None
            step = 1 if last >= first else -1
            parts = [str(number) for number in range(first, last + step, step)]
        elif "," in found.group(1):
            parts = found.group(1).split(",")
        else:
            parts = [found.group()]
        if len(words) * len(parts) > _MOST_WORDS:
            return None
        before = text[at : found.start()]
        words = [f"{word}{before}{part}" for word in words for part in parts]
        at = found.end()
    words = [word + text[at:] for word in words]
    return None if any("{" in word and "}" in word and is_braced(word) for word in words) else words


def changed(text: str, operation: str) -> str | None:
    """`${NAME##*/}`, `${NAME%.*}`, `${NAME/a/b}`, `${NAME,,}`; None where patterns go further."""
    for sign, begins, widest in (("##", True, True), ("#", True, False), ("%%", False, True), ("%", False, False)):
        if operation.startswith(sign):
            return _cut(text, operation[len(sign) :], begins=begins, widest=widest)
    if operation in (",,", "^^"):
        return text.lower() if operation == ",," else text.upper()
    if operation.startswith("/"):
        everywhere = operation.startswith("//")
        pattern, _, by = operation[2 if everywhere else 1 :].partition("/")
        if not pattern or not _is_literal(pattern + by):
            return None
        return text.replace(pattern, by) if everywhere else text.replace(pattern, by, 1)
    return None


def _cut(text: str, pattern: str, *, begins: bool, widest: bool) -> str | None:
    """The text without what fits a pattern at one of its ends."""
    literal = pattern.removeprefix("*") if begins else pattern.removesuffix("*")
    if not _is_literal(literal):
        return None
    if literal == pattern:
        return text.removeprefix(literal) if begins else text.removesuffix(literal)
    if begins:
        at = text.rfind(literal) if widest else text.find(literal)
        return text if at < 0 else text[at + len(literal) :]
    at = text.find(literal) if widest else text.rfind(literal)
    return text if at < 0 else text[:at]


def _is_literal(text: str) -> bool:
    return not any(sign in text for sign in "*?[]$`\\\"'{}()")


def calculated(text: str, number: Callable[[str], str | None]) -> int | None:
    """A sum or product of whole numbers and variables; None where it is more than that."""
    tokens = _tokens(text.strip(), number)
    if not tokens:
        return None
    values: list[int] = []
    signs: list[str] = []
    for one in [*tokens, ")"]:
        if isinstance(one, int):
            values.append(one)
        elif one == "(":
            signs.append(one)
        else:
            while signs and _RANKS[signs[-1]] >= _RANKS[one] and signs[-1] != "(":
                if not _applied(signs.pop(), values):
                    return None
            if one != ")":
                signs.append(one)
            elif signs:
                signs.pop()
    return values[0] if len(values) == 1 and not signs else None


_RANKS = {"(": 0, ")": 0, "+": 1, "-": 1, "*": 2, "/": 2, "%": 2}
_LONGEST_SUM = 200


def _tokens(text: str, number: Callable[[str], str | None]) -> list[int | str] | None:
    """Numbers and signs in turn, as a sum has them; None where they are no sum."""
    tokens: list[int | str] = []
    at, ends = 0, True  # whether a number, or a bracket before one, has to come
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or len(text) > _LONGEST_SUM:
            return None
        digits, name, sign = found.groups()
        digits = digits or (number(name) if name else None)
        if (ends and sign not in (None, "(")) or (not ends and (sign is None or sign == "(")):
            return None
        if sign is None and not (digits and digits.isascii() and digits.isdigit()):
            return None
        tokens.append(sign or int(digits or 0))
        ends = sign is not None and sign != ")"
        at = found.end()
    return None if ends else tokens


def _applied(sign: str, values: list[int]) -> bool:
    """Replace the last two numbers by what a sign makes of them; False where it makes nothing."""
    right, left = values.pop(), values.pop()
    if sign in "/%" and right == 0:
        return False
    results = {
        "+": left + right,
        "-": left - right,
        "*": left * right,
        "/": left // (right or 1),
        "%": left % (right or 1),
    }
    values.append(results[sign])
    return True
