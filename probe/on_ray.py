"""One task on each node of a Ray cluster that tells what the node has: no folder is shared.

The task takes all GPUs of its node where it makes a step on each of them, so that nothing else runs beside it.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, TypedDict

from fp8check.probe.here import node_here
from fp8check.probe.run import Consent
from fp8check.probe.side_by_side import gpus_of, probe_each
from fp8check.rules.checking.nodes import bytes_of
from fp8check.rules.input_error import InputError
from fp8check.rules.nodes.hosts import is_host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fp8check.probe.here import Asked
    from fp8check.rules.seen import Seen
    from fp8check.rules.trainers.run import Run


class RayNode(TypedDict):
    """What is read of a node, as Ray tells it."""

    Alive: bool
    NodeManagerHostname: str
    NodeID: str
    Resources: dict[str, float]


class NoRay(InputError):
    """There is no Ray here, or no cluster."""


def ask_all(asked: Asked, seconds: float, address: str = "auto") -> dict[str, bytes | str | None]:
    """What each node told: HOST.json; a text where it could not; None where it did not in that time.

    Raises:
        NoRay: there is none.
    """
    try:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as Only
    except ImportError:
        raise NoRay('Ray is not installed here: pip install "fp8check[ray]"') from None
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError) as problem:
        raise NoRay(f"no cluster of Ray can be reached: {problem}") from None
    try:
        task = ray.remote(_task)
        started = {}
        for name, node in _named(ray.nodes()).items():
            gpus = node["Resources"].get("GPU", 0) if asked.probe == "gpu" else 0
            only = Only(node["NodeID"], soft=False)
            where = task.options(num_cpus=0, num_gpus=gpus, scheduling_strategy=only, max_retries=0)
            started[name] = where.remote(name, asked)
        ready, late = ray.wait(list(started.values()), num_returns=len(started), timeout=seconds)
        for one in late:
            ray.cancel(one, force=True)
        return {name: _answer(ray.get, one) if one in ready else None for name, one in started.items()}
    finally:
        ray.shutdown()


def _named(nodes: Sequence[RayNode]) -> dict[str, RayNode]:
    """The nodes that live by their names; of several with one name each has a part of its number."""
    alive = [node for node in nodes if node["Alive"]]
    count = Counter(one["NodeManagerHostname"] for one in alive)
    found = {}
    for one in alive:
        host = one["NodeManagerHostname"]
        name = host if count[host] == 1 else f"{host}-{one['NodeID'][:12]}"
        found[name if is_host(name) else f"node-{one['NodeID'][:12]}"] = one
    return found


def _answer(get: Callable[[object], bytes], one: object) -> bytes | str:
    try:
        return get(one)
    except Exception as problem:  # noqa: BLE001  of a task all comes as some class of Ray's
        lines = str(problem).strip().splitlines()
        return f"its task failed: {type(problem).__name__}: {lines[-1] if lines else ''}"


def _task(name: str, asked: Asked) -> bytes:
    """What runs on a node."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        del os.environ["CUDA_VISIBLE_DEVICES"]  # Ray hides the GPUs from a task that takes none

    def probe(run: Run) -> Mapping[str, Seen]:
        emulate = asked.probe == "emulate"
        return probe_each(run, gpus_of(run, emulate=emulate), emulate=emulate, consent=Consent(launch=True))

    return bytes_of(node_here(name, asked, probe if asked.probe else None))
