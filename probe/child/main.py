"""The probe from its first import to its last measurement."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from .channel import Channel


def main(descriptor: int) -> None:
    """Read the specification from standard input, run the probe, and tell what was seen on `descriptor`."""
    channel = Channel(descriptor)
    try:
        spec = json.loads(sys.stdin.read())
        channel.budget = spec["budget"]
        ended = probe(spec, channel)
        channel.done()
        if not ended:
            os._exit(0)  # a thread hangs in a collective, which nothing else ends
    except BaseException as error:  # noqa: BLE001  whatever ends the probe is its result; SystemExit too
        channel.failed(error)


def probe(spec: dict[str, Any], channel: Channel) -> bool:
    """All stages in order, and whether nothing of them is left. What one saw is told before the next one begins."""
    channel.enter("import")
    from .installed import import_all, load_kernels

    import_all(spec, channel)
    if not spec["emulate"]:
        channel.enter("load")
        load_kernels()
    from . import baseline, chain, device, numerics, ragged, step, timing

    channel.enter("device")
    device.note(spec, channel)
    prepared = chain.build_and_prepare(spec, channel)
    channel.enter("step")
    step.run(prepared, channel)
    # What follows is left out where the time would not suffice: then it was not seen, which is better than a hang.
    if channel.may_enter("time"):
        timing.measure(prepared, channel)
    if channel.may_enter("numerics"):
        numerics.compare(spec, prepared, channel)
    if channel.may_enter("ragged"):
        ragged.run(spec, prepared, channel)
    prepared.release()
    if channel.may_enter("bf16"):
        baseline.measure(spec, prepared.built, channel)
    together = spec["together"]
    if together is None:
        return True
    channel.enter("collective")  # it has a time of its own: the others wait for it
    from . import collective

    return collective.run(together, channel)
