"""How far FP8 may be from FP32: a bound derived from the formats and from how many GEMMs a value goes through.

Rounding to m bits of mantissa is off by at most half a unit in the last place. For significands spread evenly over
their logarithm, as those of activations and weights nearly are, the relative error has the root mean square

    u(m) = 2^-m / sqrt(12) * sqrt(3 / (8 ln 2))

which is 2.7 % for E4M3, 5.3 % for E5M2 and 0.17 % for BF16. Errors of a GEMM's many products are independent, so that
its result is off by sqrt(u(a)^2 + u(b)^2) in the Frobenius norm, and n GEMMs one behind the other by sqrt(n) times
that. In a decoder layer a value goes through five (values and output of the attention; gate and up, which multiply;
down), the head is one more. Gradients go through all of them forward, and again backward with the gradients' format.

Two and a half times that is the bound: scales are shared by a whole tensor, and the smallest of its values lose more
than u. On an H200 two layers of a 7B shape were at 0.7 to 1.7 times (docs/evidence/h200-probe.jsonl).
"""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.releases.recipes import scaling_called

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.seen.data import Seen

MANTISSA = {"E2M1": 1, "E4M3": 3, "E5M2": 2, "BF16": 7}
LN_2 = 0.6931
IN_A_ROW = 5
SAFETY = 2.5


class Bounds(Record):
    """The largest relative error, by the Frobenius norm, that rounding explains.

    Attributes:
        output: of the output.
        gradient: of the layers' gradients, in the median.
        worst: of any layer's gradient: with more than that it tells no more than zeros would.
    """

    output: float
    gradient: float
    worst: float = 0.9


def rounding(form: str) -> float:
    """Root mean square of the relative rounding error of a format: "E4M3", "E5M2" or "BF16"."""
    return float(2.0 ** -MANTISSA[form] / 12**0.5 * (3 / (8 * LN_2)) ** 0.5)


def _formats(seen: Seen) -> tuple[str, str]:
    """The formats of weights and activations, and of gradients."""
    if seen.recipe is None:
        return "E4M3", "E5M2"
    scaling = scaling_called(seen.recipe.class_name)
    if scaling is not None and scaling.operands is not None:
        return scaling.operands, scaling.operands
    return "E4M3", "E4M3" if seen.recipe.settings.get("fp8_format") == "E4M3" else "E5M2"


def bounds(seen: Seen) -> Bounds | None:
    """The bounds for what was probed; None where its layers were not counted."""
    if seen.built is None or seen.numerics is None:
        return None
    number = IN_A_ROW * seen.built.layers + 1
    weights, gradients = (rounding(form) for form in _formats(seen))
    forward = number * 2 * weights**2
    backward = number * (weights**2 + gradients**2)
    # BF16's own error comes on top; where it is no number, the reference itself is broken and widens nothing.
    return Bounds(
        SAFETY * forward**0.5 + (seen.numerics.output.bf16 or 0.0),
        SAFETY * (forward + backward) ** 0.5 + (seen.numerics.gradients.bf16.median or 0.0),
    )
