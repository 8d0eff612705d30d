"""The docs site: what its build asks of a page, and that a link to nowhere is found."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.tools.site import hooks, links

if TYPE_CHECKING:
    from pathlib import Path

OUTSIDE = "https://github.com/fp8check/fp8check/blob/main/"


def shown(markdown: str, page: str = "gates.md") -> str:
    one: Any = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    nothing: Any = None
    return hooks.on_page_markdown(markdown, one, nothing, nothing)


@pytest.mark.parametrize(
    ("page", "written", "there"),
    [
        ("gates.md", "[one](../examples/ci/github.yml)", f"[one]({OUTSIDE}examples/ci/github.yml)"),
        ("evidence/README.md", "[one](../../Makefile)", f"[one]({OUTSIDE}Makefile)"),
        ("evidence/README.md", "[one](../run.md#signals)", "[one](../run.md#signals)"),
        ("rules/README.md", "[news](../../CHANGELOG.md)", "[news](../changelog.md)"),
        ("changelog.md", "[run](docs/run.md)", "[run](run.md)"),
        ("plan.md", "```sh gpu\nfp8check\n```", "```sh\nfp8check\n```"),
    ],
)
def test_a_link_leads_where_the_file_is(page: str, written: str, there: str) -> None:
    assert shown(written, page) == there


def test_a_file_that_is_not_there_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        shown("[one](../examples/ci/nowhere.yml)")
    assert "gates.md links to examples/ci/nowhere.yml, which is not there" in caplog.text


def test_a_page_without_a_place_stands_under_more() -> None:
    config: Any = SimpleNamespace(nav=[{"Home": "index.md"}, {"Use": [{"A plan": "plan.md"}, "check.md"]}])
    more = hooks.on_config(config).nav[-1]["More"]
    assert "run.md" in more
    assert not {"index.md", "plan.md", "check.md"} & {*more}


@pytest.mark.parametrize(
    ("link", "is_there"),
    [
        ("two/", True),
        ("two/#there", True),
        ("two/#nowhere", False),
        ("three/", False),
        ("#here", True),
        ("#there", False),
        ("https://site.example/two/", True),
        ("https://site.example/three/", False),
        ("https://elsewhere.example/", True),
        ("http://elsewhere.example/", False),
        ("picture.svg", False),
    ],
)
def test_a_link_to_nowhere_is_found(link: str, is_there: bool, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "index.html").write_text('<h1 id="there">Two</h1>')
    (tmp_path / "index.html").write_text(f'<h1 id="here">One</h1><a href="{link}">a link</a>')
    wrong, number = links.broken(tmp_path, "https://site.example/")
    assert number == 1
    assert wrong == ([] if is_there else [f"index.html: {link}"])
