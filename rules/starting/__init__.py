"""The first files of a run: drafted for a trainer, judged as any run is, and only what would train in FP8 is written."""

from __future__ import annotations
