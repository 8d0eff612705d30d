"""settings + facts + launch -> Outcome: what the real packages will do, each value with its trace."""

from __future__ import annotations

from fp8check.rules.outcome.predict import Outcome, as_known, predict, predict_plain

__all__ = ["Outcome", "as_known", "predict", "predict_plain"]
