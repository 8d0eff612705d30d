"""The last step of a text for people: no credential, no line wider than the terminal, nothing that steers one."""

from __future__ import annotations

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.report.terminal import Style


def laid_out(text: str, style: Style) -> str:
    """The text as it may be shown. What has been folded has no credential that its shape would tell: they go first."""
    text = masked_shapes(text)
    if style.width is not None:
        from fp8check.rules.report.folding import folded

        text = folded(text, style.width)
    return plain(text, "text", painted=style.on or style.links)
