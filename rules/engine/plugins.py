"""Rules from other packages: entry points of the group `fp8check.rules`, loaded only where they are asked for."""

from __future__ import annotations

import re

from fp8check.rules.engine.definition import SEVERITIES, Rule
from fp8check.rules.engine.running import Crash, crash, is_input
from fp8check.rules.installed import entry_points
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GROUP = "fp8check.rules"
ID = re.compile(r"[A-Z]{2,}\d{3,}")


class Plugin(Record):
    """The rules of one plug-in, or the reason why they could not be loaded."""

    rules: tuple[Rule, ...]
    crash: Crash | None = None


def load(name: str, taken: Iterable[Rule]) -> Plugin:
    """The rules of the plug-in of that name.

    A plug-in is a list of functions made by `rule`, or a module whose functions of that kind are its rules. Whatever
    goes wrong while it is loaded is a crash, which is reported and never a pass.
    """
    try:
        rules = tuple(_rules(_loaded(name)))
        for rule in rules:
            _check(rule, name, [*taken, *(other for other in rules if other is not rule)])
    except Exception as error:  # noqa: BLE001  a plug-in's fault is reported as such, and the other rules go on
        return Plugin((), crash(f"plug-in {name}", error))
    return Plugin(rules)


def installed() -> list[str]:
    """The names of all plug-ins that are installed."""
    return sorted({one.name for one in entry_points(GROUP)})


def _loaded(name: str) -> object:
    found = entry_points(GROUP, name)
    if not found:
        known = ", ".join(sorted(one.name for one in entry_points(GROUP))) or "none"
        raise LookupError(f"no installed package has the entry point {name} in the group {GROUP}; there are: {known}")
    return next(iter(found)).load()


def _rules(loaded: object) -> Sequence[Rule]:
    functions = loaded if isinstance(loaded, (list, tuple)) else list(vars(loaded).values())
    rules = [function.rule for function in functions if isinstance(getattr(function, "rule", None), Rule)]
    if not rules:
        raise TypeError("it has no function made by fp8check.rules.engine.definition")
    return rules


def _check(rule: Rule, name: str, others: Iterable[Rule]) -> None:
    if not ID.fullmatch(rule.id) or rule.id.startswith("FP"):
        raise ValueError(
            f"{rule.id!r} is no id for a plug-in's rule: capitals other than FP, then a number, as ACME101"
        )
    if rule.severity not in SEVERITIES:
        raise ValueError(f"{rule.id}: {rule.severity!r} is no severity; there are {', '.join(SEVERITIES)}")
    for needed in rule.needs:
        if not is_input(needed):
            raise TypeError(f"{rule.id}: no input of a rule is called {needed}")
    if any(other.id == rule.id or other.name == rule.name for other in others):
        raise ValueError(f"{rule.id} {rule.name} of the plug-in {name} is taken")
