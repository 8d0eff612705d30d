"""What is undecided, by what would decide it: without facts that is half of all rules, and three answers."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.engine.running import UndecidedRule


class Lacking(Record):
    """Rules that one command would decide.

    Attributes:
        needs: what they lack, each once.
    """

    command: str
    needs: tuple[str, ...]
    rules: tuple[str, ...]

    @property
    def number(self) -> str:
        """How many rules, in words."""
        return f"{len(self.rules)} rule{'s' if len(self.rules) != 1 else ''}"


def lacking(undecided: Sequence[UndecidedRule]) -> tuple[Lacking, ...]:
    """Undecided rules by the command that would decide them, that for most of them first."""
    groups: dict[str, list[UndecidedRule]] = {}
    for one in undecided:
        groups.setdefault(one.command, []).append(one)
    found = [
        Lacking(command, tuple(dict.fromkeys(one.needs for one in group)), tuple(one.rule for one in group))
        for command, group in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: -len(one.rules)))


def things(undecided: Sequence[UndecidedRule]) -> list[str]:
    """The inputs that rules lack, by name: "gpus", "packages"; what is said in a sentence is left out."""
    lists = (one.needs.split(", ") for one in undecided)
    return sorted({need for needs in lists if not any(" " in need for need in needs) for need in needs})
