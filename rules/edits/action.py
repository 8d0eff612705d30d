"""One thing that may be done about a run, in terms of values: of its files, its command, its variables, its packages.

A Fix says which entries of a text change; an Action what the values are then. The search for a plan (rules/repair/)
tries actions on values, and makes edits of them only once a plan is found.
"""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final


class Absent:
    """The type of ABSENT: no such entry."""

    __slots__ = ()


class Gone:
    """The type of GONE: what goes from a script, of which a state holds nothing but the changes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "GONE"


ABSENT: Final = Absent()
GONE: Final = Gone()


class Assign(Record):
    """One entry of one file as it is to be.

    Attributes:
        file: its path.
        path: the keys that lead to it from the top; sections that are not there are made. Of a script or a shell script
            the one name of what is changed (rules/edits/python_file.py, rules/settings/shell_edits.py).
        value: as plain data; ABSENT where the entry is to go. Of a script GONE, and ABSENT where it stays as it is.
    """

    file: str
    path: tuple[str, ...]
    value: object


class Action(Record):
    """Values that are changed together.

    Attributes:
        why: the rule, the predicted error or the part of the goal that asks for it; a rule leaves it to its finding.
        launch: the whole command, where it is to be another one.
        variables: environment variables by name; None where one is to be unset.
        packages: releases to be installed, by normalized name.
        without: flags that go out of the command, as they stand there.
        starts: the whole command that starts the shell script of the run's command, where it is to be another one.
    """

    why: str = ""
    assigns: tuple[Assign, ...] = ()
    launch: str | None = None
    variables: Mapping[str, str | None] = {}
    packages: Mapping[str, str] = {}
    without: tuple[str, ...] = ()
    starts: str | None = None

    @property
    def command(self) -> str | None:
        """The command that is given then: that of the run, or of the shell script in which that stands."""
        return self.launch if self.starts is None else self.starts
