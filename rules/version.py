"""The release of fp8check, and nothing else."""

from __future__ import annotations

VERSION = "0.1.0"
