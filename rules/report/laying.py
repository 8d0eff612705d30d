"""The last step of a text for people: no credential, no line wider than the terminal, nothing that steers one."""

from __future__ import annotations

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import OWN, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.report.terminal import Style


def discreet(text: str, *, painted: bool) -> str:
    """The text without what has the shape of a credential: it may begin right behind what paints it, which is no part
    of a word."""
    if not painted:
        return masked_shapes(text)
    import re

    parts = re.split(f"({OWN})", text)
    parts[::2] = map(masked_shapes, parts[::2])
    return "".join(parts)


def laid_out(text: str, style: Style) -> str:
    """The text as it may be shown. What has been folded has no credential that its shape would tell: they go first."""
    text = discreet(text, painted=style.on or style.links)
    if style.width is not None:
        from fp8check.rules.report.folding import folded

        text = folded(text, style.width)
    return plain(text, "text", painted=style.on or style.links)
