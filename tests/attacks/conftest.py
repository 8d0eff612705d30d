"""Each report carries the lines that its test tries: `make attacks` prints them."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("attack"):
            item.user_properties.extend(("attack", one) for one in mark.args)
