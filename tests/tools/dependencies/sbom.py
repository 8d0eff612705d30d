"""A CycloneDX SBOM of what the wheel brings, by cyclonedx-bom: of the command alone, and of the service.

    python -m tests.tools.dependencies.sbom dist/fp8check-0.1.0-py3-none-any.whl dist

The library validates what it writes against the schema; this looks that nothing is missing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from fp8check.rules.version import VERSION
from tests.support.paths import ROOT
from tests.tools.dependencies.environment import EXTRAS, OWN, installed, made, needed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.tools.dependencies.environment import Package

SPECIFICATION = "1.6"


def described(python: str) -> dict[str, Any]:
    """The SBOM of an environment, validated against the schema of CycloneDX."""
    words = [sys.executable, "-m", "cyclonedx_py", "environment", "--validate", "--output-reproducible"]
    words += ["--sv", SPECIFICATION, "--of", "JSON", "--pyproject", str(ROOT / "pyproject.toml"), python]
    said = subprocess.run(words, check=True, capture_output=True).stdout
    bom: dict[str, Any] = json.loads(said)
    # pyproject.toml leaves the version to rules/version.py: cyclonedx-bom reads it nowhere else.
    bom["metadata"]["component"].setdefault("version", VERSION)
    return bom


def lacking(bom: Mapping[str, Any], packages: Mapping[str, Package], names: Iterable[str]) -> list[str]:
    """What is not in the SBOM with its release and its address (purl), of what has to be."""
    there = {
        (canonicalize_name(one["name"]), one["version"])
        for one in bom["components"]
        if one["type"] == "library" and one.get("purl", "").startswith("pkg:pypi/")
    }
    return [name for name in names if (name, packages[name].version) not in there]


def main(words: list[str]) -> int:
    """Exit code 1 where a dependency is missing."""
    wheel, folder = Path(words[0]).resolve(), Path(words[1])
    wrong = 0
    for name, extras in EXTRAS.items():
        with tempfile.TemporaryDirectory(prefix="fp8check-sbom-") as place:
            python = made(wheel, extras, Path(place) / "env")
            packages = installed(python)
            bom = described(python)
        names = list(needed(packages, extras))
        if (subject := bom["metadata"]["component"])["name"] != OWN or subject["version"] != packages[OWN].version:
            raise LookupError(f"the SBOM is of {subject['name']} {subject['version']}")
        missing = lacking(bom, packages, names)
        wrong += len(missing)
        path = folder / f"{wheel.name.partition('-py3')[0]}-{name}.cdx.json"
        path.write_text(json.dumps(bom, indent=1) + "\n", encoding="utf-8")
        print(f"{path}: {len(bom['components'])} components, {len(names)} needed, {len(missing)} of them missing")
        print("".join(f"MISSING {one}\n" for one in missing), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
