"""The newest release of each package that the records ran: EXECUTED of rules/releases/versions.py is written from it.

    python -m tests.tools.conformance.highest [--write]

On a CPU that is what the conformance records say of their stacks, but for packages that stand-ins take the place of;
of those a GPU's records decide. Prints what differs, and ends with 1 where anything does.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fp8check.rules.releases.versions import EXECUTED, NEWEST, parse
from tests.tools.conformance import stacks

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
ON_A_CPU = ("tests/conformance/commands.jsonl", "tests/conformance/newest.jsonl", "docs/evidence/conformance.jsonl")
ON_A_GPU = ("docs/evidence/h200-cases.jsonl", "docs/evidence/h100-trainers.jsonl", "docs/evidence/h100-peaks.jsonl")
VERSIONS = ROOT / "rules" / "releases" / "versions.py"
# In h100-trainers.jsonl the trainer stands by itself: "llamafactory 0.9.5".
_TRAINER = re.compile(r"(?P<package>[a-z]+) (?P<release>\d[\d.]*)$")


def _ran() -> Iterator[tuple[str, str]]:
    """Each package with each release that a record ran."""
    for file in (*ON_A_CPU, *ON_A_GPU):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            stack = record.get("stack") or record.get("versions") or {}
            for package, release in stack.items():
                if file in ON_A_GPU or package not in stacks.STAND_INS:
                    yield package, release.partition("+")[0]
            if trainer := _TRAINER.match(str(record.get("trainer"))):
                yield trainer["package"], trainer["release"]


def highest() -> dict[str, str]:
    """The newest release of each package of NEWEST that was run."""
    ran = list(_ran())
    return {name: max((release for package, release in ran if package == name), key=parse) for name in NEWEST}


def main(arguments: list[str] | None = None) -> int:
    """Compare, or write."""
    found = highest()
    differing = {name: release for name, release in found.items() if EXECUTED[name] != release}
    for name, release in differing.items():
        sys.stdout.write(f"{name}: EXECUTED says {EXECUTED[name]}, the records say {release}\n")
    if "--write" in (sys.argv[1:] if arguments is None else arguments):
        lines = "".join(f'    "{name}": "{release}",\n' for name, release in found.items())
        text = VERSIONS.read_text(encoding="utf-8")
        VERSIONS.write_text(re.sub(r"EXECUTED = \{\n[^}]*\}", f"EXECUTED = {{\n{lines}}}", text), encoding="utf-8")
        return 0
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
