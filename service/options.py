"""How files are checked: the one definition of each option.

JSON and forms are read by it (models.py, forms.py) and OpenAPI shows it: pydantic takes descriptions and limits out of
a field's metadata. A check request carries it, also into the process of its own that a large check has, which starts
without pydantic.

An option that is added here is used in checking.py, and sent by `fp8check --server` (cli/remote.py).
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Len

from fp8check.rules.engine.gate import LONGEST, MOST
from fp8check.rules.trainers.registry import NAMES

if TYPE_CHECKING:
    Trainer = str
else:  # a Literal of what the registry has: mypy wants to read its words here
    Trainer = Literal[NAMES]

RuleName = Annotated[str, Len(1, 64)]
Requirement = Annotated[str, Len(1, LONGEST)]
VariableName = Annotated[str, Len(1, 255)]

# What POST /check and POST /plan leave to the other, as a command does that refuses what it does not honor.
OF_PLAN = frozenset(("goal",))
OF_CHECK = frozenset(("probe", "plan", "fail_on", "require", "require_evidence", "quiet", "verbose"))


@dataclass(frozen=True)
class Options:
    """How the files are checked; the same as the options of the command."""

    # With its type: Python 3.10 evaluates no bare ClassVar.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    probe: bool = field(
        default=False, metadata={"description": "Run a real FP8 step here. The answer is 202 with the job's address."}
    )
    launch: str | None = field(
        default=None,
        metadata={
            "description": "How the run is started: accelerate, python, torchrun, or the whole command.",
            "max_length": 8192,
        },
    )
    trainer: Trainer | None = field(
        default=None,
        metadata={"description": "Who reads the training file; told by its content where it is not given."},
    )
    plan: bool = field(
        default=False,
        metadata={"description": "POST /check: look for what to do where a run fails; the report has it as `plan`."},
    )
    goal: Literal["fp8", "bf16"] | None = field(
        default=None,
        metadata={"description": "POST /plan: what the run is to be; what it asks for where this is not given."},
    )
    environment: bool = field(
        default=True, metadata={"description": "false: without facts, do not look at the service's own machine."}
    )
    variables: dict[VariableName, str] = field(
        default_factory=dict, metadata={"description": "Variables of the training shell.", "max_length": 256}
    )
    select: tuple[RuleName, ...] = field(
        default=(), metadata={"description": "Only these rules or groups.", "max_length": 256}
    )
    ignore: tuple[RuleName, ...] = field(
        default=(), metadata={"description": "Not these rules or groups.", "max_length": 256}
    )
    fail_on: Literal["error", "warning", "never"] = field(
        default="error", metadata={"description": "For FP8check-Exit-Code."}
    )
    require_evidence: bool = field(
        default=False, metadata={"description": "For FP8check-Exit-Code: 3 where something stays undecided."}
    )
    require: tuple[Requirement, ...] = field(
        default=(),
        metadata={
            "description": "What the outcome has to be, as speedup>=1.1: what is not, or not known to be, is an error.",
            "max_length": MOST,
        },
    )
    quiet: bool = field(default=False, metadata={"description": "Whether text/plain has the findings only."})
    verbose: bool = field(
        default=False, metadata={"description": "Whether text/plain names the rules that stay undecided."}
    )
    color: bool = field(default=False, metadata={"description": "Whether text/plain is painted for a terminal."})

    def given(self, names: frozenset[str]) -> str | None:
        """The first of these options that says something else than it does where it is not sent; None for none."""
        return next((one.name for one in fields(self) if one.name in names and not self._is_default(one)), None)

    def _is_default(self, one: Field[object]) -> bool:
        return bool(getattr(self, one.name) == one.default)
