"""The use case: request -> runs -> judged -> report -> verdict -> exit code.

`check`, `plan` and `predict` are the Python API.
"""

from __future__ import annotations

from fp8check.rules.input_error import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.checking.api import check, plan, predict
    from fp8check.rules.checking.request import Checked

__all__ = ["Checked", "InputError", "check", "plan", "predict"]


def __getattr__(name: str) -> object:
    """The API, loaded when somebody asks for it: the command does without it, and its start-up time counts."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fp8check.rules.checking import api

    return getattr(api, name)
