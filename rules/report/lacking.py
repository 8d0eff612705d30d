"""What is not decided, by what is missing: without facts that is half of all rules, and a few answers."""

from __future__ import annotations

from fp8check.rules.engine.definition import CALLED, KNOWLEDGE
from fp8check.rules.plain_text import shown
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fp8check.rules.engine.running import UndecidedRule

    Written = Callable[[str], str]

FACTS = (
    "run `fp8check env --json > facts.json` on the node that trains, in its environment, and give --facts facts.json"
)
SOME = 3  # rules that a line names where all of them would be too many
# What a rule lacks, for people, by its input; and the command that gets it, which several inputs may share.
_WANTS = {
    "packages": "the releases of the packages",
    "transformer_engine": "the parts of Transformer Engine",
    "gpus": "the GPUs",
    "variables": "the environment variables",
    "model": "the model's config.json",
    "seen": "a real step",
}
_HOW = {
    **dict.fromkeys((KNOWLEDGE["packages"], KNOWLEDGE["gpus"], KNOWLEDGE["variables"]), FACTS),
    KNOWLEDGE["model"]: "run fp8check where it is, in its folder or in the cache of the hub",
    KNOWLEDGE["seen"]: "run fp8check with --probe on the GPU node",
}
_BY_NAME = {CALLED.get(name, name): words for name, words in _WANTS.items()}
_IN_WORDS = frozenset(_HOW.values())  # of these, what is lacking is a thing, and not a sentence
_MOST = 3  # of what is lacking, in a line


def in_backticks(text: str) -> str:
    """A command in a text for people."""
    return f"`{shown(text)}`"


class Lacking(Record):
    """Rules that are not decided for want of the same.

    Attributes:
        command: what would decide most of them, as the report has it.
        needs: what they lack, as the report has it, each once.
        wants: the same for people, in a few words.
        how: what to do about it.
        rules: their ids.
    """

    command: str
    needs: tuple[str, ...]
    wants: str
    how: str
    rules: tuple[str, ...]

    @property
    def number(self) -> str:
        """How many rules, in words."""
        return f"{len(self.rules)} rule{'s' if len(self.rules) != 1 else ''}"

    def ids(self, most: int = SOME, written: Written = shown) -> str:
        """The ids of the rules, or the first of them.

        Args:
            written: how one is written so that it is safe to show; a plug-in and a stored report may have any.
        """
        named = ", ".join(map(written, self.rules[:most]))
        return f"{named}, ..." if len(self.rules) > most else named

    def sentence(
        self, ids: str, written: Callable[[str], str] = shown, code: Callable[[str], str] = in_backticks
    ) -> str:
        """What is not decided, why, and what to do about it.

        Args:
            ids: the ids of the rules, safe to show.
            written: how a text is written so that it is safe to show.
            code: the same, of a command.
        """
        if self.how not in _IN_WORDS:
            return f"{self.number} ({ids}): {written(self.wants)}. To decide it: {written(self.how)}"
        wants = f"want{'s' if len(self.rules) == 1 else ''} {written(self.wants)}"
        how = [code(part) if number % 2 else written(part) for number, part in enumerate(self.how.split("`"))]
        return f"{self.number} {wants} ({ids}): {''.join(how)}"


def lacking(undecided: Sequence[UndecidedRule]) -> tuple[Lacking, ...]:
    """Undecided rules by what would decide them, that for most of them first."""
    asked, found = _LAST[0]
    if asked != undecided:  # of many files nearly all lack the same
        found = _grouped(undecided)
        _LAST[0] = (undecided, found)
    return found


_LAST: list[tuple[Sequence[UndecidedRule], tuple[Lacking, ...]]] = [((), ())]


def _grouped(undecided: Sequence[UndecidedRule]) -> tuple[Lacking, ...]:
    groups: dict[str, list[UndecidedRule]] = {}
    for rule in undecided:
        groups.setdefault(_HOW.get(rule.command, rule.command), []).append(rule)
    found = [_group(how, group) for how, group in groups.items()]
    return tuple(sorted(found, key=lambda one: -len(one.rules)))


def _group(how: str, group: Sequence[UndecidedRule]) -> Lacking:
    commands = [undecided.command for undecided in group]
    needs = dict.fromkeys([undecided.needs for undecided in group])
    inputs = {name for need in needs for name in need.split(", ") if name in _BY_NAME}
    if "packages" in inputs:
        inputs.discard("transformer_engine")  # who has the one has the other
    wants = [words for name, words in _BY_NAME.items() if name in inputs]
    if "packages" not in inputs and "probe" not in inputs:  # they tell all the others, too
        own = [need for need in needs if need.partition(", ")[0] not in _BY_NAME]
        room = max(_MOST - len(wants), 1)
        wants += own[:room] if len(own) <= room else [*own[: room - 1], f"{len(own) - room + 1} more"]
    words = _and(wants) if how in _IN_WORDS else "; ".join(wants)
    return Lacking(
        max(commands, key=commands.count), (*needs,), words, how, tuple([undecided.rule for undecided in group])
    )


def _and(words: Sequence[str]) -> str:
    return " and ".join([part for part in (", ".join(words[:-1]), *words[-1:]) if part])
