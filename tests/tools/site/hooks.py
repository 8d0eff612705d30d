"""What mkdocs asks while it builds the site (hooks of mkdocs.yml): nothing of docs/ has to be written for it.

Pages link to files of the repository as GitHub has them (../examples/ci/github.yml): on the site these lead to GitHub,
and one that is not there is a warning, which ends the build. The changelog stands at the top of the repository. A page
that has no place in nav stands under "More". llms.txt lists the pages, each of which can be had as Markdown.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page

LOG = logging.getLogger("mkdocs.hooks.fp8check")
ROOT = Path(__file__).parents[3]
OUTSIDE = "https://github.com/fp8check/fp8check/blob/main/"
# Files of the repository that are pages of the site.
ALSO = {"CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"(?<!!)(\[[^\]]*\]\()((?:\.\./)+[^)\s#]+)(#[^)\s]*)?\)")
# What a fence says behind its language is for the tests that execute it (tests/test_commands.py).
_FENCE = re.compile(r"^( *`{3,}\w+) [\w ]+$", re.MULTILINE)
_NAMED: list[tuple[str, str]] = []


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give every page a place."""
    placed = {*_pages(config.nav)}
    more = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in placed]
    if more:
        config.nav = [*(config.nav or []), {"More": more}]
    return config


def _pages(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    inner = nav.values() if isinstance(nav, dict) else nav
    return [page for one in inner or () for page in _pages(one)]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand elsewhere."""
    for name, page in ALSO.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that lead out of docs/, as the site has them."""
    del config, files
    source = page.file.src_uri
    markdown = _FENCE.sub(r"\1", markdown)
    if source in ALSO.values():  # it links as seen from the top
        return re.sub(r"\]\(docs/", "](", markdown)

    def led(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(source), target))
        if path.startswith("docs/"):
            return found[0]
        if path in ALSO:
            up = "../" * source.count("/")
            return f"{words}{up}{ALSO[path]}{anchor})"
        if not (ROOT / path).exists():
            LOG.warning("%s links to %s, which is not there", source, path)
        return f"{words}{OUTSIDE}{path}{anchor})"

    return _LINK.sub(led, markdown)


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Remember the pages for llms.txt, in their order."""
    del config, files
    _NAMED[:] = [(page.title or page.file.src_uri, page.file.src_uri) for page in nav.pages]
    return nav


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The titles of pages that nav gives none are known from here on."""
    del config, files
    source = page.file.src_uri
    _NAMED[:] = [(str(page.title) if uri == source else title, uri) for title, uri in _NAMED]
    return html


def on_post_build(config: MkDocsConfig) -> None:
    """llms.txt (https://llmstxt.org), and every page as the Markdown that it was made of."""
    site = Path(config.site_dir)
    docs = Path(config.docs_dir)
    for page in docs.rglob("*.md"):
        target = site / page.relative_to(docs)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(page.read_bytes())
    for name, page_name in ALSO.items():
        (site / page_name).write_bytes((ROOT / name).read_bytes())
    lines = [f"- [{title}]({config.site_url}{uri})" for title, uri in _NAMED]
    text = f"# {config.site_name}\n\n> {config.site_description}\n\n## Pages\n\n" + "\n".join(lines) + "\n"
    (site / "llms.txt").write_text(text, encoding="utf-8")
