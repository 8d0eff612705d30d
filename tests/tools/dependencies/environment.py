"""The wheel in a fresh environment, and what is installed there, as pip tells it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OWN = "fp8check"
# What people install: the command alone, and everything that runs beside it. What trains (the extra `probe`) is not
# ours to choose, `plot` and those of the tests are for developers.
EXTRAS: Mapping[str, tuple[str, ...]] = {"command": (), "service": ("service", "postgres", "gpu")}


class Package(NamedTuple):
    """One installed package."""

    name: str
    version: str
    requires: tuple[str, ...]


def made(wheel: Path, extras: tuple[str, ...], folder: Path) -> str:
    """The interpreter of a fresh environment with the wheel in it."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    chosen = f"[{','.join(extras)}]" if extras else ""
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{wheel}{chosen}"], check=True)
    subprocess.run([str(python), "-m", "pip", "uninstall", "-q", "-y", "setuptools"], check=True)
    return str(python)


def installed(python: str) -> dict[str, Package]:
    """What is installed in an environment, by normalized name."""
    inspect = [sys.executable, "-m", "pip", "--python", python, "inspect", "--disable-pip-version-check"]
    said = subprocess.run(inspect, check=True, capture_output=True).stdout
    found = [one["metadata"] for one in json.loads(said)["installed"]]
    return {
        canonicalize_name(one["name"]): Package(
            one["name"],
            one["version"],
            tuple(one.get("requires_dist", ())),
        )
        for one in found
    }


def needed(packages: Mapping[str, Package], extras: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """What fp8check needs with these extras, directly and through others, each with who needs it.

    Raises:
        LookupError: something is needed and is not installed.
    """
    by: dict[str, set[str]] = {}
    pending = [(OWN, frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while pending:
        name, wanted = pending.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        if name not in packages:
            raise LookupError(f"{name} is needed by {', '.join(sorted(by[name]))} and is not installed")
        for text in packages[name].requires:
            one = Requirement(text)
            if one.marker is not None and not any(one.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                continue
            inner = canonicalize_name(one.name)
            if inner != OWN:
                by.setdefault(inner, set()).add(packages[name].name)
            pending.append((inner, frozenset(one.extras)))
    return {name: tuple(sorted(who)) for name, who in sorted(by.items())}
