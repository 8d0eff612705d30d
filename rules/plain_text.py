r"""Text that is safe to show: the one place that decides which characters leave, and how the others are written.

Everything that is shown can hold what a stranger wrote: values, keys and names of files, launch lines, what packages
and services answer. Terminals obey escape sequences, readers are misled by characters that turn the direction of text
or take no room, and the logs of CI systems are commands where a line begins like one:

    ::stop-commands::x     GitHub, at the beginning of a line, after any white space
                           (actions/runner, src/Runner.Common/ActionCommand.cs, TryParseV2)
    ##[add-mask]x          GitHub, anywhere in a line (the same file, TryParse)
    ##vso[task.x]          Azure Pipelines, anywhere in a line
                           (microsoft/azure-pipelines-agent, src/Microsoft.VisualStudio.Services.Agent/Command.cs)
    ##teamcity[x]          TeamCity (jetbrains.com/help/teamcity/service-messages.html)

GitLab's sections and Jenkins' notes need a carriage return or an escape character, which never leave.

`shown` is for a value in a line; `plain` is the last step of every output, and holds whatever was forgotten before.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Syntax = Literal["text", "json", "markup"]

# Of what Python calls printable, what takes no room: a reader cannot see it, and some programs compare without it.
# (Unicode 15.1, DerivedCoreProperties.txt, Default_Ignorable_Code_Point, less what is not printable anyway.)
_UNSEEN = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xE0100, 0xE01EF),
)
_ASCII = bytes(range(128))
_KEPT = 5000  # characters of which it is kept how they are written: a text in Chinese has fewer
_WIDE_SPACE = "\N{IDEOGRAPHIC SPACE}"  # the space of Chinese and Japanese text: it is seen
_NAMED = {"\n": r"\n", "\r": r"\r"}
PAGES = "https://fp8check.readthedocs.io/rules/"  # where the page of a rule is, by its id
# What paints text for a terminal, and what makes a rule's id a link to its page (rules/report/terminal.py).
OWN = r"\x1b\[(?:0|2|1|32|1;31|1;33)m|\x1b\]8;;(?:https://fp8check\.readthedocs\.io/rules/[A-Z]{1,9}[0-9]{1,9})?\x1b\\"
_ESCAPE = "\x1b"
# Annotations, which are what the format `github` is made of.
_ANNOTATION = ("::error ", "::warning ", "::notice ")


def shown(text: str) -> str:
    r"""A text as it stands in a line: what is not seen is written out (\x1b, \u202e, \n), a tab is a space."""
    if text.isprintable() and "##" not in text and (text.isascii() or max(text) < "\u0100"):
        return text
    return _without_hashes(text.translate(_table("line")), r"#\#")


def passing(text: str) -> str:
    """A line that takes the place of the one before it, on a terminal; "" leaves none."""
    return f"\r{shown(text)}\x1b[K"


def plain(text: str, syntax: Syntax = "text", *, painted: bool = False, annotations: bool = False) -> str:
    r"""A whole output, of which no character steers a terminal, and no line a CI system.

    Args:
        syntax: how what may not leave is written: "json" in JSON, where nothing is lost but surrogates, which UTF-8 has
            not; "markup" in HTML and XML; "text" as `shown` does. Line breaks and tabs stay.
        painted: whether fp8check's own colors and links stay.
        annotations: whether lines stay that make an annotation of GitHub Actions.
    """
    if "##" not in text and "::" not in text and _only_lines(text):
        return text
    if painted:
        import re

        parts = re.split(f"({OWN})", text)
        parts[::2] = [part.translate(_table(syntax)) for part in parts[::2]]
        text = "".join(parts)
    else:
        text = _translated(text, _table(syntax))
    text = _without_hashes(text, {"text": r"#\#", "json": r"#\u0023", "markup": "#&#35;"}[syntax])
    return _without_commands(text, {"text": r"\::", "json": r"\u003a:", "markup": "&#58;:"}[syntax], annotations)


def _translated(text: str, table: _Table) -> str:
    """As str.translate, which takes ten times as long where nothing has to be written otherwise, as nearly always."""
    return text if all(table[ord(char)] == char for char in set(text)) else text.translate(table)


def _only_lines(text: str) -> bool:
    """Whether there is nothing but characters that are seen, line breaks and tabs."""
    if not text.replace("\n", "").replace("\t", "").isprintable():
        return False
    return text.isascii() or not any(map(_is_unseen, map(ord, set(_beyond_ascii(text)))))


def _beyond_ascii(text: str) -> str:
    """The characters that ASCII has not: few, as a rule, and a set of all characters takes ten times as long."""
    return text.encode("utf-8").translate(None, _ASCII).decode("utf-8")


def _is_unseen(code: int) -> bool:
    return code >= _UNSEEN[0][0] and any(first <= code <= last for first, last in _UNSEEN)


def _without_hashes(text: str, written: str) -> str:
    """No ##[command], ##vso[...] or ##teamcity[...], wherever they stand, and whatever colors are in them.

    Args:
        written: what stands for the two.
    """
    if "##" not in text and _ESCAPE not in text:
        return text
    import re

    return re.sub(rf"#((?:{OWN})*)#(?=(?:\w|{OWN})*\[)", lambda found: f"#{found[1]}{written[1:]}", text)


def _without_commands(text: str, written: str, annotations: bool) -> str:
    """No line that begins with ::, whatever colors are in it, but for annotations where these are meant."""
    if "::" not in text and _ESCAPE not in text:
        return text
    import re

    def kept_or_not(found: re.Match[str]) -> str:
        if annotations and text.startswith(_ANNOTATION, found.start()):
            return found.group()
        return f"{found[1]}{written[:-1]}{found[2]}:"

    return re.sub(rf"^((?:[^\S\n]|{OWN})*):((?:{OWN})*):", kept_or_not, text, flags=re.MULTILINE)


class _Table(dict[int, str]):
    """For str.translate: what is written for each character."""

    def __init__(self, syntax: str) -> None:
        super().__init__((code, chr(code)) for code in range(32, 127))
        self._json = syntax == "json"
        if syntax == "line":
            self[9] = " "
        else:
            self.update({9: "\t", 10: "\n"})

    def __missing__(self, code: int) -> str:
        written = self._written(code)
        if len(self) < _KEPT:
            self[code] = written
        return written

    def _written(self, code: int) -> str:
        char = chr(code)
        if (char.isprintable() and not _is_unseen(code)) or char == _WIDE_SPACE:
            return char
        return _in_json(code) if self._json else _NAMED.get(char) or _written(code)


def _written(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _in_json(code: int) -> str:
    if 0xD800 <= code < 0xE000:  # many parsers refuse half a pair
        return f"\\\\u{code:04x}"
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


_TABLES: dict[str, _Table] = {}


def _table(syntax: str) -> _Table:
    if syntax not in _TABLES:
        _TABLES[syntax] = _Table(syntax)
    return _TABLES[syntax]


def bytes_of(text: str) -> bytes:
    """A text as bytes, whatever it holds: a name of a file as the system has it, and other surrogates by themselves."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
