"""The SBOM of this environment: everything that fp8check needs is in it, and what is taken out is noticed."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("cyclonedx_py")

from tests.tools.dependencies.environment import Package, installed, needed
from tests.tools.dependencies.sbom import described, lacking

EXTRAS = ("service", "postgres")


@pytest.mark.slow  # make sbom asks the same of the wheel, in CI as well
def test_every_dependency_is_in_the_sbom() -> None:
    packages = installed(sys.executable)
    names = needed(packages, EXTRAS)
    assert {"pyyaml", "fastapi", "starlette", "pydantic-core", "psycopg-binary"} <= names.keys()
    bom = described(sys.executable)
    assert lacking(bom, packages, names) == []
    assert bom["metadata"]["component"]["name"] == "fp8check"
    less = {**bom, "components": [one for one in bom["components"] if one["name"].lower() != "pyyaml"]}
    assert lacking(less, packages, names) == ["pyyaml"]


def test_who_needs_what() -> None:
    packages = {
        "fp8check": Package("fp8check", "1", ("PyYAML>=6", "b[x]; extra == 'service'", "tomli; python_version < '3'")),
        "pyyaml": Package("PyYAML", "6", ()),
        "b": Package("b", "1", ("c; extra == 'x'", "d; extra == 'y'")),
        "c": Package("c", "2", ("b",)),
    }
    assert needed(packages, ()) == {"pyyaml": ("fp8check",)}
    assert needed(packages, ("service",)) == {"b": ("c", "fp8check"), "c": ("b",), "pyyaml": ("fp8check",)}
    with pytest.raises(LookupError, match="c is needed by b and is not installed"):
        needed({name: one for name, one in packages.items() if name != "c"}, ("service",))
