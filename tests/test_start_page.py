"""docs/start.md says what `fp8check init` writes today, and what it writes can be checked."""

from __future__ import annotations

from tests.support import paths
from tests.tools import start_page


def test_the_page_is_what_init_writes() -> None:
    assert (paths.DOCS / "start.md").read_text("utf-8") == start_page.page(), "make docs"
