"""One short real FP8 step in a process of its own, and what was seen in it.

Nothing here imports torch: that happens in the child process only (child/), with the training environment's
interpreter.
"""

from __future__ import annotations

from fp8check.probe.run import Consent, probe, probe_run
from fp8check.probe.spec import NotProbed, specify

__all__ = ["Consent", "NotProbed", "probe", "probe_run", "specify"]
