"""The two numbers of the architecture: circles of files, and arrows the wrong way; both are 0.

python -m tests.tools.layers

The order is that of the contracts under [tool.importlinter] of pyproject.toml, which `lint-imports` holds; the graph is
grimp's. Imports for types alone count, and those inside functions. An arrow the wrong way leads to a folder above one's
own in that order, or to the `__init__` of a folder that one is in.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import grimp
from importlinter import api

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Arrow = tuple[str, str]  # importer, imported

PACKAGE = "fp8check"


def order(contracts: Iterable[Mapping[str, object]]) -> dict[str, tuple[str, int]]:
    """Each folder that a contract of layers names: the folder that holds it, and how far from the top it is."""
    places = {}
    for contract in contracts:
        if contract["type"] != "layers":
            continue
        (container,) = contract["containers"]  # type: ignore[misc]
        for height, layer in enumerate(contract["layers"]):  # type: ignore[arg-type]
            for name in layer.split(" | "):
                places[f"{container}.{name}"] = (container, height)
    return places


def goes_wrong(importer: str, imported: str, places: Mapping[str, tuple[str, int]]) -> bool:
    """Whether an import leads upward, between folders of one layer, or to a folder that the importer is in."""
    if importer.startswith(f"{imported}."):
        return True
    for ours in _folders(importer):
        for theirs in _folders(imported):
            if ours != theirs and ours in places and theirs in places:
                (one, height), (other, reached) = places[ours], places[theirs]
                if one == other and reached <= height:
                    return True
    return False


def _folders(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def circles(imports: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The modules that reach each other, largest first: strongly connected parts of more than one (Tarjan, 1972)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = lowest[module] = len(index)
        path.append(module)
        for imported in imports[module]:
            if imported not in index:
                visit(imported)
            if imported in path:
                lowest[module] = min(lowest[module], lowest[imported])
        if lowest[module] == index[module]:
            part = path[path.index(module) :]
            del path[-len(part) :]
            if len(part) > 1:
                found.append(sorted(part))

    for module in sorted(imports):
        if module not in index:
            visit(module)
    return sorted(found, key=len, reverse=True)


def lines(graph: grimp.ImportGraph, arrows: Iterable[Arrow]) -> Iterator[str]:
    """Each import of these, as file:line and its text."""
    for importer, imported in arrows:
        for detail in graph.get_import_details(importer=importer, imported=imported):
            yield f"  {_file(importer)}:{detail['line_number']}  {detail['line_contents']}"


def _file(module: str) -> str:
    path = ROOT.joinpath(*module.split(".")[1:])
    return str((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).relative_to(ROOT))


def main() -> int:
    """Print both numbers, and each import that they count; 1 where one of them is not 0, or nothing imports anything."""
    places = order(api.read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"])
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    imports = {module: sorted(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    arrows = [(importer, imported) for importer in sorted(imports) for imported in imports[importer]]
    wrong = [arrow for arrow in arrows if goes_wrong(*arrow, places)]
    round_ = circles(imports)
    print(f"{len(imports)} files, {len(arrows)} imports between them")
    print(f"circles of files: {len(round_)}")
    for circle in round_:
        print(f" {len(circle)} files:")
        print(*lines(graph, [arrow for arrow in arrows if {*arrow} <= {*circle}]), sep="\n")
    print(f"arrows the wrong way: {len(wrong)}")
    print(*lines(graph, wrong), sep="\n", end="\n" if wrong else "")
    return int(bool(round_ or wrong or not arrows))  # where nothing is installed, nothing was looked at


if __name__ == "__main__":
    sys.exit(main())
