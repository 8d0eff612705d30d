"""Whether a wheel holds exactly the modules and the data of the tree: `make wheel`.

python -m tests.tools.wheel WHEEL
"""

from __future__ import annotations

import sys
import zipfile

from tests.support.paths import ROOT

ROOMS = ("rules", "probe", "cli", "service")


def of_tree() -> set[str]:
    """Every file of the code folders, by its name in a wheel."""
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file())
    return {f"fp8check/{path.relative_to(ROOT).as_posix()}" for path in files if "__pycache__" not in path.parts}


def of_wheel(wheel: str) -> set[str]:
    """Every file of a wheel, but for what says which package it is."""
    with zipfile.ZipFile(wheel) as opened:
        return {name for name in opened.namelist() if ".dist-info/" not in name}


def main() -> int:
    """Print what is in one of them only; 1 where there is any."""
    (wheel,) = sys.argv[1:]
    tree, held = of_tree(), of_wheel(wheel)
    for name in sorted(tree ^ held):
        print(f"{'in the tree only' if name in tree else 'in the wheel only'}: {name}")
    print(f"{wheel}: {len(held)} files; the tree has {len(tree)}")
    return int(tree != held)


if __name__ == "__main__":
    sys.exit(main())
