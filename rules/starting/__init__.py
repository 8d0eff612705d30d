"""The first files of a run: drafted for a trainer and judged as any run is; only what would train in FP8 is given."""

from __future__ import annotations
