"""Releases of two packages that cannot be used together, and how the run ends: each was imported, or read, as said.

Executed with torch 2.13.0 on a CPU: torchao 0.6.1 to 0.18.0 imported, each alone; PEFT 0.15.2, 0.17.1, 0.18.1, 0.19.0,
0.19.1, 0.20.0 and 0.21.2 wrapping a Linear layer beside torchao 0.13.0 to 0.18.0 (docs/evidence/executed.jsonl
torchao-imports, peft-beside-torchao). transformers is no partner of such a pair: 4.52.4, 4.57.1, 5.6.0 and 5.23.0 make
a model and import Trainer beside torchao 0.12.0 and 0.18.0, whether or not that can be imported.
"""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.releases.versions import between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from fp8check.rules.releases.versions import Version

    # Where the two meet: torchao is imported, or PEFT wraps its first layer.
    Meeting = Literal["torchao", "adapters"]

_ALWAYS: tuple[int, ...] = (0,)
_STILL: tuple[int, ...] = (9999,)


class Pair(Record):
    """Releases since <= package < until that fail beside releases other_since <= other < other_until.

    Attributes:
        message: the text of the exception; {version} is that of the package that is refused.
        cure: which releases go together.
        evidence: how it is known.
    """

    meeting: Meeting
    package: str
    since: tuple[int, ...]
    until: tuple[int, ...]
    other: str
    other_since: tuple[int, ...]
    other_until: tuple[int, ...]
    type: str
    message: str
    cure: str
    evidence: str


PAIRS = (
    Pair(
        "torchao",
        "torchao",
        (0, 18),
        _STILL,
        "torch",
        _ALWAYS,
        (2, 10),
        "ImportError",
        "cannot import name 'ScalingType' from 'torch.nn.functional'",
        "torchao 0.18 runs with torch 2.10 and newer, torchao 0.17 with older ones",
        "torchao 0.18.0 executed on torch 2.8; the name is absent from the wheel of torch 2.9.1, and in that of 2.10.0",
    ),
    Pair(
        "torchao",
        "torchao",
        (0, 12),
        (0, 13),
        "torch",
        (2, 9),
        _STILL,
        "ModuleNotFoundError",
        "No module named 'torch._inductor.kernel.flex_attention'",
        "torchao 0.17 and newer run with this torch",
        "torchao 0.12.0 executed on torch 2.13.0; the wheel of torch 2.9.1 has the module elsewhere, too",
    ),
    Pair(
        "adapters",
        "peft",
        _ALWAYS,
        (0, 19),
        "torchao",
        (0, 18),
        _STILL,
        "ImportError",
        "cannot import name 'LinearActivationQuantizedTensor' from 'torchao.quantization'",
        "peft 0.19 and newer go with torchao 0.18, and older ones with torchao 0.17",
        "peft 0.15.2 and 0.18.1 executed beside torchao 0.17.0 and 0.18.0",
    ),
    Pair(
        "adapters",
        "peft",
        (0, 19),
        _STILL,
        "torchao",
        _ALWAYS,
        (0, 16),
        "ImportError",
        "Found an incompatible version of torchao. Found version {version}, "
        "but only versions above 0.16.0 are supported",
        "peft 0.19 goes with torchao 0.16 and newer, and where torchao is not installed",
        "peft 0.19.0, 0.19.1, 0.20.0 and 0.21.2 executed beside torchao 0.13.0 to 0.16.0",
    ),
)


def of_torchao(torchao: Version, torch: Version) -> Pair | None:
    """How importing torchao fails under that torch; None where it does not."""
    return _first("torchao", torchao, torch)


def of_adapters(peft: Version, torchao: Version) -> Pair | None:
    """How PEFT fails to wrap a layer beside that torchao; None where it does not."""
    return _first("adapters", peft, torchao)


def _first(meeting: Meeting, version: Version, other: Version) -> Pair | None:
    return next(
        (
            one
            for one in PAIRS
            if one.meeting == meeting
            and between(version, one.since, one.until)
            and between(other, one.other_since, one.other_until)
        ),
        None,
    )
