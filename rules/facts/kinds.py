"""Machines of one kind: the facts of several, less what tells one of them from another."""

from __future__ import annotations

from fp8check.rules.facts.variables import OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from fp8check.rules.facts.data import Facts


def kinds(every: Iterable[Facts]) -> list[Facts]:
    """The facts of each kind of machine once, in their order, with the names of the machines that have them."""
    found: list[tuple[Facts, Facts, list[str]]] = []
    for facts in every:
        alike, name = _of_its_kind(facts), facts.host or facts.path or "?"
        names = next((names for other, _, names in found if other == alike), None)
        if names is None:
            found.append((alike, facts, [name]))
        elif name not in names:
            names.append(name)
    return [first._replace(machines=tuple(names)) for _, first, names in found]


def _of_its_kind(facts: Facts) -> Facts:
    """What a check depends on: not which machine it is, when it was looked at, and how fast its GPUs may run."""
    variables = facts.variables
    if variables is not None:
        variables = {name: value for name, value in variables.items() if name not in OWN or name.endswith("_DEVICES")}
    gpus = facts.gpus
    if gpus is not None:
        gpus = [gpu._replace(sm_mhz=None, memory_mhz=None, power_w=None) for gpu in gpus]
    is_named = None if facts.host is None else "a host"  # its GPUs are counted then
    return facts._replace(host=is_named, collected=None, notes=(), variables=variables, gpus=gpus)
