"""There is no circle of files and no arrow the wrong way, and the tool that says so sees every kind of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grimp
import pytest

from tests.tools.layers import circles, goes_wrong, main, order

if TYPE_CHECKING:
    from pathlib import Path

PLACES = order([{"type": "layers", "containers": ["house"], "layers": ["roof", "left | right", "cellar"]}])
FILES = {
    "house/__init__.py": "",
    "house/roof/__init__.py": "",
    "house/roof/tiles.py": "from house.cellar.wine import GLASS\nfrom house.left import door\n",
    "house/left/__init__.py": "",
    "house/left/door.py": "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from house.left.key import Key\n",
    "house/left/key.py": "def turn():\n    from house.left import door\n",
    "house/cellar/__init__.py": "from house.cellar.wine import GLASS\n",
    "house/cellar/wine.py": "from house import cellar\nGLASS = 1\n",
}


@pytest.fixture
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    graph = grimp.build_graph("house", cache_dir=None)
    return {module: sorted(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def test_imports_for_types_and_inside_functions_make_circles(imports: dict[str, list[str]]) -> None:
    assert ["house.left.door", "house.left.key"] in circles(imports)


def test_a_folder_s_own_init_makes_a_circle(imports: dict[str, list[str]]) -> None:
    assert ["house.cellar", "house.cellar.wine"] in circles(imports)
    assert len(circles(imports)) == 2


@pytest.mark.parametrize(
    ("importer", "imported", "wrong"),
    [
        ("house.roof.tiles", "house.cellar.wine", False),
        ("house.cellar.wine", "house.roof.tiles", True),
        ("house.cellar", "house.left", True),
        ("house.left.door", "house.right.door", True),
        ("house.left.door", "house.left.key", False),
        ("house.left.door", "house.left", True),
        ("house", "house.roof", False),
    ],
)
def test_an_arrow_the_wrong_way(importer: str, imported: str, wrong: bool) -> None:
    assert goes_wrong(importer, imported, PLACES) is wrong


def test_the_house_has_neither(capsys: pytest.CaptureFixture[str]) -> None:
    code = main()
    printed = capsys.readouterr().out
    assert code == 0, printed
    assert "circles of files: 0" in printed
