"""Whether every link and every image of a built site leads to a file of it, and to a place that is there.

python -m tests.tools.site.links build/site
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The places of a page, and what it leads to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.leads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note its id, and where it leads."""
        for name, value in attrs:
            if name == "id" or (name == "name" and tag == "a"):
                self.places.add(value or "")
            elif name in ("href", "src") and value:
                self.leads.append(value)


def broken(site: Path, base: str) -> tuple[list[str], int]:
    """What leads nowhere, with the page that it stands on; and how many links there are. `base`: the site's address."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    wrong, number = [], 0
    for path, page in pages.items():
        for link in page.leads:
            number += 1
            inner = link.removeprefix(base) if link.startswith(base) else link
            parts = urlsplit(inner)
            if parts.scheme or parts.netloc:
                if parts.scheme == "https" or parts.scheme in ("mailto", "data"):
                    continue
                wrong.append(f"{path.relative_to(site)}: {link}")
                continue
            start = site if link.startswith(base) or inner.startswith("/") else path.parent
            target = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            place = unquote(parts.fragment)
            if not target.exists() or (place and target in pages and place not in {"", *pages[target].places}):
                wrong.append(f"{path.relative_to(site)}: {link}")
    return wrong, number


def main() -> int:
    """Print what leads nowhere; 1 where there is any, or where no link was found to look at."""
    site = Path(sys.argv[1]).resolve()
    wrong, number = broken(site, "https://fp8check.readthedocs.io/")
    print(*sorted(set(wrong)), sep="\n", end="\n" if wrong else "")
    print(f"{number} links, {len(wrong)} lead nowhere")
    return int(bool(wrong) or not number)


if __name__ == "__main__":
    sys.exit(main())
