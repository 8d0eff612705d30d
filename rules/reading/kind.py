"""What a file is: the answer of whoever knows the tools, in terms that reading understands."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    Name = Literal["training", "accelerate", "deepspeed", "model", "script", "shell", "other"]
    # What each top-level key holds: "map", "list" or "scalar".
    Shape = Mapping[str, str]
    Identify = Callable[[Shape], "Kind"]

# Files of keys and values that a run names itself, and that a cure or a plan may change.
CONFIGURATION = ("training", "accelerate", "deepspeed")
# The shells that a script is written for, or that a command is handed to.
SHELLS = ("sh", "bash", "dash", "ksh", "zsh")


class Kind(Record):
    """What a file is.

    Attributes:
        dialect: whose training file it is; of "other", the tool whose file it is, where that is told; else None.
        loader: whose rules make the values: "pyyaml" or "omegaconf"; JSON files have their own.
    """

    name: Name
    dialect: str | None = None
    loader: str = "pyyaml"


OTHER = Kind("other")


def unidentified(_shape: Shape) -> Kind:
    """What a file is to somebody who knows no tool."""
    return OTHER
