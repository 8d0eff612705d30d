"""settings + facts + launch -> Outcome: what the real packages will do, each value with its trace."""

from __future__ import annotations

from fp8check.rules.outcome.predict import Outcome, predict
from fp8check.rules.outcome.run import Run, Script
from fp8check.rules.outcome.stop import Stop, Undecided

__all__ = ["Outcome", "Run", "Script", "Stop", "Undecided", "predict"]
