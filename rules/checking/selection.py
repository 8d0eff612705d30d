"""Which rules look at a run: all of them, those that are selected, and those of plug-ins."""

from __future__ import annotations

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.examining import REQUIREMENTS
from fp8check.rules.input_error import InputError
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.engine.running import Crash

# Said whatever was chosen: what is required of the outcome, and that a rule failed.
ALWAYS = (*REQUIREMENTS, "FP999")


class UnknownRule(InputError):
    """A rule, a group or a plug-in is named that does not exist."""


class Selection(Record):
    """The rules to run, and what went wrong when plug-ins were loaded."""

    rules: Sequence[Rule] = RULES
    crashes: tuple[Crash, ...] = ()


def select(
    wanted: Sequence[str] = (), unwanted: Sequence[str] = (), *, plugins: Sequence[str] = (), only: str = ""
) -> Selection:
    """The rules with one of the wanted beginnings of an id, and none of the unwanted: "FP1", "FP203".

    Args:
        wanted: all where it is empty.
        plugins: names of entry points of the group fp8check.rules.
        only: a beginning of ids outside of which nothing is looked at.

    Raises:
        UnknownRule: a rule, a group or a plug-in is named that does not exist.
    """
    known = with_plugins(plugins)
    for name in (*wanted, *unwanted):
        if not any(rule.id.startswith(name) for rule in known.rules) and not known.crashes:
            raise UnknownRule(f"no rule or group is called {name[:64]}; fp8check rules lists them")
    if not (wanted or unwanted or only):
        return known
    keep, drop = tuple(wanted), tuple(unwanted)
    rules = tuple(
        rule
        for rule in known.rules
        if rule.id.startswith(only)
        and (rule.id in ALWAYS or ((not keep or rule.id.startswith(keep)) and not rule.id.startswith(drop or "-")))
    )
    return Selection(rules, known.crashes)


def with_plugins(plugins: Sequence[str]) -> Selection:
    """All rules with those of these plug-ins.

    Raises:
        UnknownRule: no installed package has a plug-in of that name.
    """
    if not plugins:
        return Selection()
    from fp8check.rules.engine import plugins as installed

    rules: tuple[Rule, ...] = RULES
    crashes: tuple[Crash, ...] = ()
    known = installed.installed()
    for name in dict.fromkeys(plugins):
        if name not in known:
            raise UnknownRule(f"no installed package has the plug-in {name}; there are: {', '.join(known) or 'none'}")
        plugin = installed.load(name, rules)
        rules = (*rules, *plugin.rules)
        crashes = (*crashes, plugin.crash) if plugin.crash is not None else crashes
    return Selection(rules, crashes)
