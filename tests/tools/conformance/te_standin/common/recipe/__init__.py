"""The recipe classes that Accelerate can reach, with the fields of the release.

They are pydantic dataclasses as in the published package, and that matters: arguments that a release does not
have are dropped without a word, and a failed assertion comes out as pydantic's ValidationError.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from pydantic.dataclasses import dataclass
from transformer_engine.record import recipes
from transformer_engine.release import RELEASE


class Format(Enum):
    """The number formats of a recipe: forward, and backward where it differs."""

    E4M3 = "E4M3"
    E5M2 = "E5M2"
    HYBRID = "HYBRID"


class _Override(NamedTuple):
    fprop: bool = False
    dgrad: bool = False
    wgrad: bool = False


class Recipe:
    """What all recipes have in common."""

    fp8_format: Format

    def __post_init__(self) -> None:
        assert self.fp8_format != Format.E5M2, "Pure E5M2 training is not supported."
        recipes.append(self)


@dataclass
class DelayedScaling(Recipe):
    """Scales from the history of the largest absolute values; of 2.2 and later."""

    margin: int = 0
    fp8_format: Format = Format.HYBRID
    amax_history_len: int = 1024
    amax_compute_algo: str = "max"
    reduce_amax: bool = True
    fp8_dpa: bool = False
    fp8_mha: bool = False


# The later definitions take the name over, so that pydantic's messages say it as the package's do.
if RELEASE < (2, 2):

    @dataclass
    class DelayedScaling(DelayedScaling):  # type: ignore[no-redef]
        """2.0 and 2.1: the interval is still a field, and does nothing."""

        interval: int = -1


if RELEASE < (2, 0):

    @dataclass
    class DelayedScaling(DelayedScaling):  # type: ignore[no-redef]
        """1.x: single GEMMs could be kept in high precision, but only the weight gradient."""

        override_linear_precision: _Override = _Override()

        def __post_init__(self) -> None:
            assert self.override_linear_precision in ((False, False, False), (False, False, True)), (
                "Only wgrad GEMM override is currently supported."
            )
            super().__post_init__()


if RELEASE >= (2, 0):

    @dataclass
    class MXFP8BlockScaling(Recipe):
        """Blocks of 32 values with a shared power-of-two scale; only for compute capability 10."""

        margin: int = 0
        fp8_format: Format = Format.E4M3
        fp8_dpa: bool = False
        fp8_mha: bool = False
