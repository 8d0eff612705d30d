"""The version of a release: rules/version.py says it, and texts that name a release name this one.

    python -m tests.tools.release.version                     says where a text names another one; 1 where any does
    python -m tests.tools.release.version --write 0.2.0       makes 0.2.0 the version, everywhere
    python -m tests.tools.release.version --release v0.2.0    whether this tag may be released; 1 where not
    python -m tests.tools.release.version --notes             what the changelog says of the version

It needs the standard library alone: a release is checked before anything is installed.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PLACE = Path("rules/version.py")
CHANGELOG = Path("CHANGELOG.md")
# What people copy: the action, the hook's rev, the component, the image.
TEXTS = ("README.md", "docs/*.md", "templates/*.yml", "examples/ci/*.yml", "deploy/**/*.yaml")
_RELEASE = re.compile(
    r"(?P<before>fp8check/fp8check@v|fp8check/fp8check/v|fp8check@v|\brev: v|/tags/v|\bnewTag: v|fp8check/fp8check:v)"
    r"(?P<version>\d+\.\d+\.\d+)"
)
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def version(root: Path = ROOT) -> str:
    """The version, without importing anything."""
    found = re.search(r'^VERSION = "([^"]+)"$', (root / PLACE).read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"{PLACE} says no VERSION")
    return found[1]


def texts(root: Path = ROOT) -> Iterator[Path]:
    """The texts that may name a release."""
    for pattern in TEXTS:
        yield from sorted(root.glob(pattern))


def others(root: Path = ROOT) -> list[str]:
    """Where a text names another release than this one, in words."""
    own = version(root)
    return [
        f"{path.relative_to(root)}: {found[0]}, and the version is {own}"
        for path in texts(root)
        for found in _RELEASE.finditer(path.read_text(encoding="utf-8"))
        if found["version"] != own
    ]


def named(root: Path = ROOT) -> int:
    """How often the texts name a release."""
    return sum(len(_RELEASE.findall(path.read_text(encoding="utf-8"))) for path in texts(root))


def write(new: str, root: Path = ROOT) -> None:
    """Make it the version, in its place and in all texts."""
    if not _VERSION.fullmatch(new):
        raise SystemExit(f"{new} is no version: X.Y.Z")
    place = root / PLACE
    place.write_text(place.read_text(encoding="utf-8").replace(f'"{version(root)}"', f'"{new}"'), encoding="utf-8")
    for path in texts(root):
        old = path.read_text(encoding="utf-8")
        if (changed := _RELEASE.sub(rf"\g<before>{new}", old)) != old:
            path.write_text(changed, encoding="utf-8")


def section(root: Path = ROOT) -> tuple[str, str]:
    """What stands behind the version in the changelog's heading, and its section."""
    text = (root / CHANGELOG).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(version(root))} \(([^)]*)\)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return (found[1], found[2].strip()) if found else ("", "")


def unreleasable(tag: str, root: Path = ROOT) -> list[str]:
    """Why a tag may not be released, in words."""
    day, notes = section(root)
    wrong = others(root)
    if tag != f"v{version(root)}":
        wrong.append(f"the tag is {tag}, and {PLACE} says {version(root)}")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        wrong.append(f"{CHANGELOG} has no heading '## {version(root)} (YYYY-MM-DD)'")
    if not notes:
        wrong.append(f"{CHANGELOG} says nothing of {version(root)}")
    return wrong


def main() -> int:
    """Print what is wrong; 1 where anything is."""
    made = argparse.ArgumentParser()
    made.add_argument("--write", metavar="VERSION")
    made.add_argument("--release", metavar="TAG")
    made.add_argument("--notes", action="store_true")
    options = made.parse_args()
    if options.notes:
        print(section()[1])
        return 0
    if options.write:
        write(options.write)
    wrong = unreleasable(options.release) if options.release else others()
    print("".join(f"{one}\n" for one in wrong) or f"fp8check {version()}: nothing is wrong\n", end="")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
