"""docs/run.md: each line of what was tried on a CPU names a test that is there, with a case that it has."""

from __future__ import annotations

import re

from tests.run import test_small, test_stacks, test_unusual
from tests.support.paths import ROOT

CASES = {
    "test_what_was_seen_is_what_was_recorded": {name for _, names in test_stacks.CASES for name in names},
    "test_the_run_is_as_without_and_what_was_not_seen_is_undecided": set(test_small.UNDECIDED),
    "test_the_run_is_as_without_and_no_verdict_is_wrong": set(test_unusual.HOW),
    "test_where_nobody_lets_the_watcher_in_all_is_undecided": set(test_small.BLIND),
}


def test_what_was_tried_is_a_test() -> None:
    text = (ROOT / "docs" / "run.md").read_text()
    table = text.partition("## What was tried on a CPU")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    for what, says, test in rows:
        named = re.fullmatch(r"`(test_\w+)(?:\[([\w-]+)\])?`", test.rstrip("| ").strip())
        assert named is not None, test
        name, case = named.groups()
        assert any(callable(getattr(module, name, None)) for module in (test_small, test_stacks, test_unusual)), name
        assert case is None or case in CASES[name], test
        if name == "test_the_run_is_as_without_and_what_was_not_seen_is_undecided":
            assert ("undecided" in says) == bool(test_small.UNDECIDED[case]), what
            assert case not in test_small.CODES or f"exit code {test_small.CODES[case]}" in says, what
