"""Folders that look like site-packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def install(site: Path, *distributions: str, importable: bool = True) -> None:
    """Put metadata like "torch-2.8.0" there, and a package of that name to import."""
    for distribution in distributions:
        name = distribution.partition("-")[0]
        metadata = site / f"{distribution}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Name: {name}\n", encoding="utf-8")
        if importable:
            (site / name).mkdir(exist_ok=True)


def write(path: Path, text: str = "") -> Path:
    """A file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def script(path: Path, text: str) -> str:
    """A shell script that can be run."""
    write(path, f"#!/bin/sh\n{text}\n").chmod(0o755)
    return str(path)
