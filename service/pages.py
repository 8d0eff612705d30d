"""Pages: Jinja2 templates, escaped, with nothing inline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from fp8check.rules.plain_text import plain, shown
from fp8check.rules.version import VERSION

if TYPE_CHECKING:
    from starlette.requests import Request

STATIC = Path(__file__).parent / "static"


def report_parts(part: bytes) -> Markup:
    """The part of a page that shows reports; html.py escapes what it puts in."""
    return Markup(part.decode())  # noqa: S704


def _shown(value: object) -> object:
    """Every value that a template shows: texts can be of anybody; a Markup is our own."""
    return shown(value) if type(value) is str else value


def _kept(text: str) -> Markup:
    """The text of a field of a form, to be sent again as it is: a character that is not seen is a reference to it."""
    safe = "".join(char if char in "\n\t" or shown(char) == char else f"&#{ord(char)};" for char in str(escape(text)))
    return Markup(safe)  # noqa: S704


def _lines(text: str) -> Markup:
    """A text of several lines to be read: its line breaks stay."""
    return Markup("\n").join(shown(line) for line in text.split("\n"))


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_shown,
)
_TEMPLATES.globals.update(version=VERSION)
_TEMPLATES.filters["kept"] = _kept
_TEMPLATES.filters["lines"] = _lines


def page(request: Request, name: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page of the service."""
    root = request.scope.get("root_path", "")
    text = plain(_TEMPLATES.get_template(name).render(root=root, **values), "markup")
    return HTMLResponse(text.encode(), status, headers={"Vary": "Accept"})
