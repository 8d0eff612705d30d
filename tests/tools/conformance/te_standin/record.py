"""What ran: read by the conformance runner after the training step."""

from __future__ import annotations

from typing import Any

recipes: list[Any] = []
"""Every recipe object that was built, in order."""

layers_run: set[int] = set()
"""Identities of the Linear layers that ran inside an enabled FP8 context."""

layers_high_precision: set[int] = set()
"""Identities of the Linear layers that ran outside one, for example when a checkpoint ran them again."""
