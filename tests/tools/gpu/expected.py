"""What each recorded probe has to show: how it ends, which rules speak, which stay undecided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fp8check.rules.seen import from_data, gemms

if TYPE_CHECKING:
    from collections.abc import Mapping


class Expected(NamedTuple):
    """One case.

    Attributes:
        ended: how the probe ends.
        found: rules that have to speak; `silent`: rules that must not.
        undecided: rules that have to be undecided.
        says: words that some finding, or the reason why the rules are undecided, has to have.
        gemms: kinds of GEMM that have to run in FP8; None where it does not matter.
        may_pass: nothing is wrong with it.
    """

    ended: str
    found: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    undecided: frozenset[str] = frozenset()
    says: str = ""
    gemms: frozenset[str] | None = None
    may_pass: bool = False


ALL_THREE = frozenset(("fprop", "dgrad", "wgrad"))
NO_FAULT = frozenset(f"FP8{n:02d}" for n in range(1, 16) if n != 14)


def _f(*rules: str) -> frozenset[str]:
    return frozenset(rules)


EXPECTED: dict[str, Expected] = {
    "te": Expected("done", _f("FP816"), NO_FAULT, gemms=ALL_THREE, says="divisible by 8"),
    "te-e4m3": Expected("done", _f("FP817"), _f("FP806", "FP807", "FP813"), gemms=ALL_THREE, says="fp8_format: HYBRID"),
    "ao": Expected(
        "done", _f("FP811", "FP812", "FP814"), _f("FP806", "FP813"), gemms=ALL_THREE, says="all_gather: false"
    ),
    "ao-gather-off": Expected("done", _f("FP814"), NO_FAULT, gemms=ALL_THREE, says="torch_compile: true"),
    "ao-compiled": Expected("done", frozenset(), _f("FP801", "FP806", "FP811", "FP814"), may_pass=True),
    "te-bf16": Expected("done", frozenset(), _f("FP806", "FP813"), gemms=ALL_THREE),
    "no-backend-bf16": Expected("done", _f("FP806"), _f("FP813"), gemms=frozenset(), says="none of 15 Linear layers"),
    "ao-bf16": Expected("error", _f("FP805"), says="as predicted: AttributeError"),
    "te-512": Expected("done", _f("FP814"), _f("FP806", "FP813"), gemms=ALL_THREE, says="tokens in a micro-batch"),
    "te-reentrant": Expected("done", _f("FP807"), _f("FP806", "FP813"), says="dgrad and wgrad did not run in FP8"),
    "te-checkpointing": Expected("error", _f("FP805"), says="as predicted: CheckpointError"),
    "te-ddp": Expected("done", frozenset(), NO_FAULT, gemms=ALL_THREE),
    "te-fsdp1": Expected("error", _f("FP805"), says="as predicted: ValueError"),
    "te-fsdp2": Expected("done", _f("FP806"), _f("FP813"), gemms=frozenset(), says="FP8 autocast is never entered"),
    "ao-fsdp2": Expected("done", frozenset(), _f("FP806", "FP811", "FP813"), gemms=ALL_THREE),
    "ao-fsdp2-gather-off": Expected("done", frozenset(), _f("FP806", "FP813"), gemms=ALL_THREE),
    "ao-fsdp2-float32": Expected("done", frozenset(), _f("FP806", "FP813"), gemms=ALL_THREE),
    "te-lora16": Expected("done", _f("FP812"), _f("FP806", "FP813"), gemms=ALL_THREE, says="values trained before"),
    "ao-lora16": Expected("done", frozenset(), _f("FP806", "FP811", "FP812", "FP813")),
    "te-tied": Expected("done", _f("FP812"), _f("FP806", "FP813"), gemms=ALL_THREE, says="was tied"),
    "te-mxfp8": Expected("error", _f("FP805"), says="as predicted: ValueError"),
    "te-32b": Expected("done", frozenset(), NO_FAULT, gemms=ALL_THREE),
    "hang-in-step": Expected("hang", _f("FP801"), says="within 15 s after its imports"),
    "gpu-memory-lies": Expected("error", _f("FP803"), says="ran out of memory"),
    "autocast-off": Expected("done", _f("FP806"), gemms=frozenset(), says="FP8 autocast is never entered"),
    "lying-name": Expected("done", _f("FP815"), says="NVIDIA A100-SXM4-80GB"),
    "profiler-empty": Expected("done", undecided=_f("FP806", "FP807"), says="the profiler recorded none"),
    "nan-weights": Expected("done", _f("FP810"), undecided=_f("FP811"), says="NaN or infinite"),
    "segfault": Expected("killed", _f("FP802"), says="SIGSEGV"),
    "wrong-cudnn": Expected("error", _f("FP804"), says="cuDNN"),
    "missing-extension": Expected("error", _f("FP804"), says="torch library is missing"),
    "version-mismatch": Expected("error", _f("FP804"), says="parts of different releases"),
    "no-gpu": Expected("not run", undecided=_f("FP801", "FP806"), says="CUDA shows no GPU"),
}


def differences(name: str, said: Mapping[str, Any]) -> list[str]:
    """Where a record, as `fp8check probe --json` has it, is not what it has to be."""
    expected, wrong = EXPECTED[name], []
    seen = from_data(said["probe"])
    found = {one["rule"] for one in said["findings"]}
    undecided = {one["rule"] for one in said["undecided"]}
    words = " ".join(str(text) for one in (*said["findings"], *said["undecided"]) for text in one.values())
    if seen.ended != expected.ended:
        wrong.append(f"ended {seen.ended}: {seen.why}")
    if said["verdict"] == "pass" and not expected.may_pass:
        wrong.append("a pass")
    # A GPU that is slower may leave no time for BF16, and the probe says so.
    late = {one["rule"] for one in said["undecided"] if "the time did not suffice" in one["needs"]}
    wrong += [f"{rule} is silent" for rule in sorted(expected.found - found - late)]
    wrong += [f"{rule} speaks" for rule in sorted(expected.silent & found)]
    wrong += [f"{rule} is decided" for rule in sorted(expected.undecided - undecided)]
    if expected.says not in words:
        wrong.append(f"nothing says {expected.says!r}")
    kinds = gemms(seen) or {}
    running = frozenset(kind for kind, seen in kinds.items() if seen.fp8)
    if expected.gemms is not None and running != expected.gemms:
        wrong.append(f"in FP8 ran {sorted(running)}")
    return wrong
