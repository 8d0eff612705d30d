"""Evidence: everything that one probe saw, as plain data."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# How a probe may end. Only the first says that all stages were gone through.
ENDS = ("done", "error", "hang", "killed", "no answer", "not run")


class Seen(Record):
    """What one probe saw. None in a field: nobody saw it, which is never the same as "all is well".

    Attributes:
        ended: "done"; "error" (an exception of the run), "hang" (a limit was reached), "killed" (by a signal),
            "no answer" (it ended by itself and said nothing), "not run".
        stage: the last stage that began: import, load, device, accelerator, build, prepare, compile, step, time,
            numerics, ragged, bf16.
        why: one sentence about an end that is not "done".
        emulated: on the CPU with torchao's emulation: proves conversion and numerics, not kernels or speed.
        error: the exception: `stage`, `type`, `message`.
        importing: the package whose import was going on when it ended.
        device: `name`, `compute_capability`, `multiprocessors`, `memory_mib`, `free_mib`, `cuda`, `cudnn`.
        packages: releases by name, as the training interpreter imports them.
        libraries: cuDNN and cuBLAS libraries that were loaded, by path.
        accelerator: `mixed_precision`, `fp8_enabled`, `backend`, `distributed_type`.
        built: `layers`, `vocab`, `rows`, `columns`, and `scaled`: what differs from the run, in words.
        layers: Linear layers by kind (`te`, `torchao`, `msamp`, `plain`), `total`, and some names that are `left`.
        parameters: `before` and `after` prepare(): number of `trainable` values, and whether the head is `tied`;
            `changed`: some names of those whose values are other ones afterward.
        optimizer: `missing`: trainable parameters that it does not hold, with some `names`.
        autocast: `layers_in_fp8`: converted layers that ran with FP8 on; None where the backend would not say.
        recipe: the recipe object as the backend held it, in the names of the prediction.
        kernels: names and counts: `forward`, `backward`, and `nodes`, the GEMMs of each layer's backward.
        gradients: `without` (number of trainable parameters), `not_finite` (names), `zeros` (share, first step).
        moved: of the parameters that trained before prepare(), `trainable`, those that `moved` within so many `steps`,
            and some names that `stayed`.
        losses: of the steps; None in the place of one that is not finite.
        numerics: relative errors against FP32: `output` and `gradients`, each for `fp8` and `bf16`.
        fp8_ms, bf16_ms: forward and backward of one micro-batch: `ms` (median), `low`, `high`.
        fp8_gib, bf16_gib: peak memory in GiB.
        ragged: the last batch: `rows`, `columns`, `error`.
        left_out: stages for which the time did not suffice.
        assumed: what of the run was not known and what was taken instead, in words.
        seconds: from the start of the process: to the end of the `imports`, in `total`, to the begin of each stage.
        output: the end of what the process printed, credentials masked.
    """

    ended: str
    stage: str | None = None
    why: str = ""
    emulated: bool = False
    error: Mapping[str, Any] | None = None
    importing: str | None = None
    device: Mapping[str, Any] | None = None
    packages: Mapping[str, str] | None = None
    libraries: list[str] | None = None
    accelerator: Mapping[str, Any] | None = None
    built: Mapping[str, Any] | None = None
    layers: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None
    optimizer: Mapping[str, Any] | None = None
    autocast: Mapping[str, Any] | None = None
    recipe: Mapping[str, Any] | None = None
    kernels: Mapping[str, Mapping[str, int]] | None = None
    gradients: Mapping[str, Any] | None = None
    moved: Mapping[str, Any] | None = None
    losses: list[float | None] | None = None
    numerics: Mapping[str, Any] | None = None
    fp8_ms: Mapping[str, float] | None = None
    bf16_ms: Mapping[str, float] | None = None
    fp8_gib: float | None = None
    bf16_gib: float | None = None
    ragged: Mapping[str, Any] | None = None
    left_out: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    seconds: Mapping[str, float] | None = None
    output: str = ""

    __hash__ = None  # type: ignore[assignment]  # its parts are mappings

    @property
    def converted(self) -> int | None:
        """Linear layers that a backend converted; None where nobody counted."""
        if self.layers is None:
            return None
        return sum(int(self.layers.get(kind, 0)) for kind in ("te", "torchao", "msamp"))

    @property
    def speed_up(self) -> float | None:
        """Measured BF16 time over FP8 time; None where it was not measured on a GPU."""
        if self.emulated or not self.fp8_ms or not self.bf16_ms or not self.fp8_ms.get("ms"):
            return None
        return self.bf16_ms["ms"] / self.fp8_ms["ms"]

    @property
    def speed_range(self) -> tuple[float, float] | None:
        """The lowest and highest ratio that the spread of both times allows."""
        if self.speed_up is None or self.fp8_ms is None or self.bf16_ms is None:
            return None
        return self.bf16_ms["low"] / self.fp8_ms["high"], self.bf16_ms["high"] / self.fp8_ms["low"]

    def as_data(self) -> dict[str, object]:
        """For a report's `probe`: every field, and the ratios."""
        data: dict[str, object] = self.as_dict()
        data["assumed"], data["left_out"] = list(self.assumed), list(self.left_out)
        data["speedup"] = None if self.speed_up is None else round(self.speed_up, 3)
        data["converted"] = self.converted
        return data


def from_data(data: Mapping[str, Any]) -> Seen:
    """Evidence from plain data; a key that it does not have is left out.

    Raises:
        ValueError: it does not say how it ended.
    """
    if data.get("ended") not in ENDS:
        raise ValueError(f"evidence ends in one of {', '.join(ENDS)}, not {data.get('ended')!r}")
    known = {name: value for name, value in data.items() if name in Seen.fields}
    for name in ("assumed", "left_out"):
        known[name] = tuple(known.get(name) or ())
    return Seen(**known)
