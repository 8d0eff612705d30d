"""What this machine tells as a node of a cluster where `fp8check node` is not what asks: of ranks, and of Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules import facts as facts_
from fp8check.rules.checking.nodes import SeveralRuns, node_of
from fp8check.rules.checking.request import Request, RunRequest
from fp8check.rules.input_error import InputError
from fp8check.rules.record import Record
from fp8check.rules.trainers.detect import read

if TYPE_CHECKING:
    from fp8check.rules.checking.nodes import ProbeGpus
    from fp8check.rules.nodes.document import Node


class Asked(Record):
    """The run that nodes are asked about.

    Attributes:
        files: their names, and what is in them; None where they are read here.
        launch, trainer: as fp8check takes them.
        probe: "gpu", "emulate", or None where no step is to be made.
    """

    files: tuple[tuple[str, bytes | None], ...] = ()
    launch: str | None = None
    trainer: str | None = None
    probe: str | None = None


def node_here(name: str, asked: Asked, probe: ProbeGpus | None) -> Node:
    """What this machine tells.

    Raises:
        InputError: the files make up no run, or more than one that is to be probed.
    """
    facts = facts_.stamped(facts_.collect_for_run())._replace(host=name)
    request = None
    if asked.files or asked.launch:
        documents = tuple(read(path, data, trainer=asked.trainer) for path, data in dict.fromkeys(asked.files))
        request = Request((RunRequest(documents, facts, asked.launch, asked.trainer),))
    elif probe is not None:
        raise InputError("--probe makes a step of a run: name its files")
    try:
        return node_of(name, facts, request, probe)
    except SeveralRuns:
        raise InputError("a node is probed with one run: name its files alone") from None
