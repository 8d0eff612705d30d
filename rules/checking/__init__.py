"""The use case: request -> runs -> judged -> report -> verdict -> exit code.

`check` and `predict` are the Python API.
"""

from __future__ import annotations

from fp8check.rules.checking.api import check, predict
from fp8check.rules.checking.request import Checked
from fp8check.rules.input_error import InputError

__all__ = ["Checked", "InputError", "check", "predict"]
