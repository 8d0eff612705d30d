"""One step on every GPU of this node, side by side: each in a process of its own that sees this GPU alone."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fp8check.probe.run import NONE, probe_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.probe.run import Consent
    from fp8check.probe.spec import Together
    from fp8check.rules.seen import Seen
    from fp8check.rules.trainers.run import Run

CPU = "cpu"


def gpus_of(run: Run, *, emulate: bool = False) -> tuple[str, ...]:
    """The GPUs of this node that a run would see, as CUDA_VISIBLE_DEVICES names them.

    Where nobody knows of any, one is tried: that there is none, the probe says better.
    """
    if emulate:
        return (CPU,)
    facts = run.facts
    named = (facts.variables or {}).get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return tuple(dict.fromkeys(one for part in named.split(",") if (one := part.strip()))) or ("",)
    return tuple(str(gpu.index) for gpu in facts.gpus or ()) or ("0",)


def probe_each(
    run: Run,
    gpus: Sequence[str],
    *,
    python: str | None = None,
    emulate: bool = False,
    consent: Consent = NONE,
) -> dict[str, Seen]:
    """Probe a run on each of these GPUs at once; what was seen, by GPU. The arguments are those of probe/run.py."""

    with tempfile.TemporaryDirectory(prefix="fp8check-") as folder:
        store = os.path.join(folder, "store")

        def one(rank: int) -> Seen:
            together: Together | None = {"rank": rank, "world": len(gpus), "store": store} if len(gpus) > 1 else None
            variables = None if emulate else _seeing(gpus[rank], run)
            return probe_run(run, python=python, emulate=emulate, consent=consent, gpu=variables, together=together)

        with ThreadPoolExecutor(max_workers=max(len(gpus), 1)) as at_once:
            return dict(zip(gpus, at_once.map(one, range(len(gpus))), strict=True))


def _seeing(gpu: str, run: Run) -> Mapping[str, str]:
    if "CUDA_VISIBLE_DEVICES" in (run.facts.variables or {}):
        return {"CUDA_VISIBLE_DEVICES": gpu}
    # The number is the driver's, which counts by the bus; by default CUDA counts the fastest first.
    return {"CUDA_VISIBLE_DEVICES": gpu, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
