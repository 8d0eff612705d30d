"""Texts that a stranger would write, and what must be true of the bytes that leave, whatever was written."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import strategies as st

_PIECES = (
    *("::", "::error ", "::stop-commands::", "##[group]", "##vso[task.complete]", "x", " ", "\t", "\n", "\r", "\r\n"),
    *(
        "\x1b[1m",
        "\x1b]0;x\x07",
        "\x9b31m",
        "\u3000",
        "\xa0",
        "\ufe0f",
        "#",
        ":",
        "\u202e",
        "\u2066",
        "\u200d",
        "\ufeff",
    ),
    *("\x85", "\u2028", "\U000e0041", "\ud800", "\udcff", "\x00", "\x7f", "<b>", "&", '"', "'", "%0A", "|", "`", "]]>"),
)
# Also what hypothesis leaves out of a text: half of a surrogate pair.
TEXTS = st.one_of(
    st.text(st.one_of(st.characters(), st.characters(categories=["Cs", "Cc", "Cf"])), max_size=12),
    st.lists(st.sampled_from(_PIECES), max_size=6).map("".join),
)
# What the system takes for the name of a file.
NAMES = TEXTS.map(lambda text: re.sub("[/\x00\ud800-\udc7f\udd00-\udfff]", "", text)[:40])


def is_seen(char: str) -> bool:
    """Whether a reader sees it: by Unicode's own categories, not by what rules/plain_text.py goes by."""
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and not re.match(
        "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]", char
    )


def commands_in(text: str) -> list[str]:
    """The lines in which a CI system would find a command: as the runner of GitHub reads them, and those of others."""
    lines = re.split("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]", text)
    return [line for line in lines if line.strip().startswith("::") or re.search(r"##\w*\[", line)]


def check_output(output: bytes, *, annotations: bool = False, ends: bool = False) -> None:
    """Raises AssertionError where something leaves that must not.

    Args:
        annotations: whether lines may be annotations of findings, for GitHub.
        ends: whether a line may end as in Windows: what shows the lines of a file for `patch` keeps their ends.
    """
    text = output.decode("utf-8")
    if ends:
        text = text.replace("\r\n", "\n")
    hidden = {char for char in text if not is_seen(char) and char not in "\n\t"}
    assert not hidden, f"{hidden} in {text!r}"
    steering = commands_in(text)
    if annotations:
        steering = [
            one
            for one in steering
            if not re.match(r"::(error|warning|notice) title=(FP\d+ [\w-]+|fp8check [\w ]+)[,:]", one)
        ]
    assert not steering, steering
