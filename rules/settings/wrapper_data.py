"""What a wrapper is, what it was given, and what is left of a command once it is taken off."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.launch import HERE, Unclear

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fp8check.rules.settings.launch import Surroundings

    Effect = Callable[["Inside", "Given"], "Inside"]
    Options = tuple[tuple[str, str], ...]  # with their values


class Inside(Record):
    """What is left of a command once a wrapper is taken off.

    Attributes:
        words: what comes behind it.
        variables: those that are set for it.
        surroundings: what the wrappers changed.
    """

    words: tuple[str, ...]
    variables: Mapping[str, str] = {}
    surroundings: Surroundings = HERE

    def around(self, **changed: object) -> Inside:
        """The same command in other surroundings."""
        return self._replace(surroundings=self.surroundings._replace(**changed))


class ShellScript(Unclear):
    """A shell script that is started.

    Attributes:
        inside: its words are the script and its arguments.
    """

    def __init__(self, message: str, inside: Inside) -> None:
        super().__init__(message)
        self.inside = inside


class Given(Record):
    """What a wrapper was given: its options with their values ("" for a switch), and the words before the command."""

    name: str
    options: Options
    before: tuple[str, ...]

    def value(self, *names: str) -> str | None:
        """What the last option of these names says; None where none of them is given."""
        return next((value for name, value in reversed(self.options) if name in names), None)

    def has(self, *names: str) -> bool:
        """Whether one of these options is given."""
        return any(name in names for name, _ in self.options)


class Wrapper(Record):
    """How a wrapper's own words are told from those of the command.

    Attributes:
        values: options that take a value: the next word, or what stands behind "=".
        switches: options that take none, or one behind "=" only.
        pairs: options that take the next two words.
        before: how many words stand between the options and the command: an image, a time, a mask.
        effect: what it changes for the command.
        one_dash: whether options of more than one letter begin with one dash: -np 4.
        ends: options with which it starts nothing: --version.
        folders: options that change the working folder: what the command names is looked for there.
        mounts: options of a container that say which folder of the machine it has, and under which name.
        may_vary: whether options that are filled in later change nothing but the variables, and how many are started.
        extends: whether it takes options of plug-ins, as Slurm does of a site: one with "=" takes no other word.
    """

    values: frozenset[str]
    switches: frozenset[str]
    before: int = 0
    effect: Effect | None = None
    pairs: frozenset[str] = frozenset()
    one_dash: bool = False
    ends: frozenset[str] = frozenset(("-h", "--help", "--version"))
    folders: frozenset[str] = frozenset()
    extends: bool = False
    may_vary: bool = False
    mounts: frozenset[str] = frozenset()
