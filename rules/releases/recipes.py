"""The recipe classes of Transformer Engine that scale by blocks, which Accelerate takes instead of delayed scaling."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.releases.behaviors import Accelerate, Behavior, TransformerEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.values import Section, Setting

DELAYED_SCALING = "DelayedScaling"


class BlockScaling(Record):
    """A recipe class that scales by blocks, and keeps no amax history.

    Attributes:
        name: of the class in transformer_engine/common/recipe/__init__.py.
        called: as people call it.
        switch: what asks for it, a key of fp8_config and an argument of TERecipeKwargs.
        read: the releases of Accelerate that read the switch.
        block: what has to divide the sizes of a GEMM.
        fp8_format: the format where none is written.
        excludes: options with which Accelerate raises ValueError, and the value of each that it does not hand on.
        operands: the format of what a GEMM multiplies, where it is not fp8_format.
        since: the first compute capability that has it.
        until: the first newer one that has it no more.
        ends: the releases of Transformer Engine in which `until` holds; None where it holds in none.
    """

    name: str
    called: str
    switch: str
    read: Behavior
    block: int
    fp8_format: str
    excludes: tuple[tuple[str, str], ...]
    since: tuple[int, int]
    until: tuple[int, int] = (99, 0)
    ends: Behavior | None = None
    operands: str | None = None

    def refusal(self, compute_capability: str, stack: Stack) -> str:
        """Transformer Engine's words where it does not run on such a GPU; "" where it does."""
        capability = tuple(int(part) for part in compute_capability.split("."))
        if capability < self.since:
            first = ".".join(str(part) for part in self.since)
            return f"Device compute capability {first} or higher required for {self.called} execution."
        if capability >= self.until and self.ends is not None and stack.does(self.ends):
            first = ".".join(str(part) for part in self.until)
            return f"{self.called} (for all gemm layouts) is not supported on {first}+ architectures yet."
        return ""


BLOCK_SCALINGS = (
    BlockScaling(
        name="MXFP8BlockScaling",
        called="MXFP8",
        switch="use_mxfp8_block_scaling",
        read=Accelerate.RECIPE_READS_MXFP8,
        block=32,
        fp8_format="E4M3",
        excludes=(("amax_history_len", "1024"), ("amax_compute_algo", "most_recent")),
        since=(10, 0),
        until=(12, 0),
        ends=TransformerEngine.MXFP8_BELOW_SM120_ONLY,
    ),
)


def requested_scalings(
    settings: Section | Mapping[str, Setting], stack: Stack
) -> Iterator[tuple[BlockScaling, Setting]]:
    """The block scaling that fp8_config or a recipe handler asks for, with the switch that does."""
    for scaling in BLOCK_SCALINGS:
        setting = settings.get(scaling.switch)
        if setting is not None and setting.value and stack.does(scaling.read):
            yield scaling, setting


def scaling_of(recipe: Mapping[str, Setting] | None) -> BlockScaling | None:
    """The block scaling that a recipe of Transformer Engine has; None for delayed scaling, and where there is none."""
    made = (recipe or {}).get("class")
    return None if made is None else scaling_called(made.value)


def scaling_called(name: object) -> BlockScaling | None:
    """The block scaling of a class of that name; None where the class is another."""
    return next((scaling for scaling in BLOCK_SCALINGS if scaling.name == name), None)
