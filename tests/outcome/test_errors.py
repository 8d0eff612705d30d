"""A predicted error, as reports and rules show it."""

from __future__ import annotations

import pytest

from fp8check.rules.releases.errors import PredictedError


@pytest.mark.parametrize(("message", "first"), [("two\nlines", "two"), ("one", "one"), ("", "")])
def test_the_first_line_of_an_error(message: str, first: str) -> None:
    assert PredictedError("fp16-and-bf16", "arguments", "ValueError", message).first_line == first
