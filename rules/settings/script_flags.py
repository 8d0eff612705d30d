"""Which option of a script a flag sets: whole, with hyphens, or cut short, as the tool that reads it takes it."""

from __future__ import annotations

from bisect import bisect_left

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal, TypeAlias

    from fp8check.rules.reading import Span
    from fp8check.rules.settings.values import Setting

    # How the word behind a flag is read: "on" and "off" take none; "yes" takes yes, no, true, false, or none.
    Takes = Literal["on", "off", "yes", "text", "int", "float", "bool", "unknown", "fire"]
    # "argparse" takes the beginning of a flag, "whole" does not (allow_abbrev=False); "loose": another tool, which may
    # take hyphens for underscores as well.
    How: TypeAlias = Literal["argparse", "whole", "loose"]


class Option(Record):
    """One thing that the command line may set.

    Attributes:
        name: the attribute that holds it.
        flags: as they are written: "--mixed_precision", "-m".
        default: what it is without a flag; None where it has to be given, or where the default is no literal.
        takes: how the word behind a flag is read.
        text: the default as it is written, where it is no literal.
        span: where it is defined.
        yes: the words, in lower case, that count as true, and no other does; None where it is not read like that.
        choices: the only texts that it takes; empty where it takes others.
        required: whether the parser ends the script where no flag sets it.
        variable: the environment variable that is its default; "" where none is.
        counts: whether the parser ends the script at a word that is no number.
    """

    name: str
    flags: tuple[str, ...]
    default: Setting | None
    takes: Takes
    text: str
    span: Span
    yes: frozenset[str] | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    variable: str = ""
    counts: bool = False

    @property
    def has_place(self) -> bool:
        """Whether a word without a flag sets it, by its place among such words."""
        return self.flags[:1] != () and self.flags[0][:1] != "-"


class Flags:
    """The flags of a parser."""

    __slots__ = ("_by_flag", "_how", "_ordered")

    def __init__(self, options: Mapping[str, Option], how: How) -> None:
        self._by_flag = {flag: option for option in options.values() for flag in option.flags}
        self._ordered = sorted(self._by_flag)
        self._how = how

    def meant(self, flag: str) -> tuple[Option | None, Option | None]:
        """The option that a flag sets, and else the one that it switches off."""
        option = self._by_flag.get(flag)
        if option is None and self._how == "loose":
            option = self._by_flag.get(f"--{flag[2:].replace('-', '_')}")
        negated = None
        if option is None and flag.startswith(("--no_", "--no-")):
            negated = self._by_flag.get(f"--{flag[5:]}") or self._by_flag.get(f"--{flag[5:].replace('-', '_')}")
        if option is None and negated is None and flag.startswith("--") and self._how != "whole":
            option = self._beginning(flag)
        return option, negated

    def _beginning(self, flag: str) -> Option | None:
        """The option of which a flag is the beginning; None where it is of several, or of none."""
        begun = self._begun(flag)
        near = [self._by_flag[one] for one in begun]
        several = len(begun) > 1 and (self._how == "argparse" or any(one is not near[0] for one in near))
        return near[0] if near and not several else None

    def _begun(self, flag: str) -> Sequence[str]:
        at = bisect_left(self._ordered, flag)
        return [one for one in self._ordered[at : at + _MOST] if one.startswith(flag)]

    def ambiguous(self, flag: str) -> Sequence[str]:
        """The flags of which argparse cannot tell which one is begun; none where it can.

        It counts two names of one option as two (executed with Python 3.10 to 3.13). --no-NAME, which an option may
        have beside it, is left alone.
        """
        is_cut = flag.startswith("--") and flag not in ("--", "--n", "--help") and not flag.startswith("--no")
        if self._how != "argparse" or not is_cut or flag in self._by_flag:
            return ()
        begun = [*self._begun(flag), *(["--help"] if "--help".startswith(flag) else [])]
        return begun if len(begun) > 1 else ()


_MOST = 4  # that are named
