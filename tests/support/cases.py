"""The case files of the rules, read once: tests/catalog/test_cases.py says what the keys mean."""

from __future__ import annotations

from typing import Any

import yaml

from tests.support.paths import CASES as FOLDER

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same values, in a tenth of the time
CASES: dict[str, Any] = {path.stem: yaml.load(path.read_text(), LOADER) for path in sorted(FOLDER.glob("*.yaml"))}  # noqa: S506
