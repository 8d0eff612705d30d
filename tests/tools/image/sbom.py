"""The CycloneDX SBOM of an image: Debian's packages, and those of its Python."""

from __future__ import annotations

import json
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "1.6"


def described(tree: Path, name: str, version: str) -> dict[str, Any]:
    """The SBOM of an image's tree, validated against the schema."""
    components = sorted([*_debian(tree), *_python(tree)], key=lambda one: str(one["purl"]))
    subject = {"type": "container", "name": name, "version": version, "bom-ref": name}
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": VERSION,
        "version": 1,
        "metadata": {"component": subject},
        "components": components,
        "dependencies": [{"ref": name, "dependsOn": [one["bom-ref"] for one in components]}],
    }
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom)):
        raise SystemExit(f"the SBOM does not follow its schema: {wrong}")
    return bom


def _debian(tree: Path) -> Iterator[dict[str, str]]:
    for paragraph in (tree / "var/lib/dpkg/status").read_text().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status") == "install ok installed":
            where = f"debian/{fields['Package']}@{quote(fields['Version'], safe='')}"
            yield _component(fields["Package"], fields["Version"], f"pkg:deb/{where}?arch={fields['Architecture']}")


def _python(tree: Path) -> Iterator[dict[str, str]]:
    for folder in (tree / "opt/fp8check/lib").glob("python3*/site-packages"):
        for one in distributions(path=[str(folder)]):
            name = one.metadata["Name"].lower().replace("_", "-")
            yield _component(name, one.version, f"pkg:pypi/{name}@{quote(one.version, safe='')}")


def _component(name: str, version: str, purl: str) -> dict[str, str]:
    return {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}
