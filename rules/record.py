"""Small immutable records.

typing.NamedTuple takes a third of a millisecond to make a class, and dataclasses longer still; thirty of them were a
sixth of the command's start-up time. A Record takes a twentieth of that, and mypy checks it like a dataclass.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's own, whose import takes two milliseconds

if TYPE_CHECKING:
    from typing import ClassVar

    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_: object) -> object:
        """At run time nothing is transformed."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Record:
    """A class whose annotated attributes are its fields, in order, with their defaults."""

    fields: ClassVar[tuple[str, ...]] = ()
    template: ClassVar[dict[str, object]] = {}  # every field in order, with its default
    needed: ClassVar[tuple[str, ...]] = ()  # the fields without one
    kept: ClassVar[tuple[str, ...]] = ()  # fields that data of a report has, whatever they are (rules/report/schema.py)
    size: ClassVar[int] = 0  # how many fields there are
    least: ClassVar[int] = 0  # how many are needed

    def __init_subclass__(cls) -> None:
        own = cls.__dict__
        names = cls.fields = tuple(own.get("__annotations__", ()))
        cls.template = {name: own.get(name) for name in names}
        needed = cls.needed = tuple([name for name in names if name not in own])
        cls.size, cls.least = len(names), len(needed)

    def __init__(self, *values: object, **named: object) -> None:
        # A check makes hundreds of records: no loop over the fields, and no template where none is needed.
        own = self.__dict__
        count = len(values)
        if not named:
            if count == self.size:
                own.update(zip(self.fields, values))  # noqa: B905  they are equally many
                return
            if self.least <= count < self.size:
                own.update(self.template)
                own.update(zip(self.fields, values))  # noqa: B905  the rest is in the template
                return
        own.update(self.template)
        own.update(zip(self.fields, values, strict=False))
        own.update(named)
        if count < self.least:
            given = {*self.fields[:count], *named}
            missing = [name for name in self.needed if name not in given]
            if missing:
                raise AttributeError(f"{type(self).__name__} needs {', '.join(missing)}")
        if len(own) != self.size or count > self.size:
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self.fields)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed: {name}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"

    def _replace(self, **changed: object) -> Self:
        """The same record with other values in some fields."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.__dict__.update(changed)
        if len(made.__dict__) != self.size:
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self.fields)}")
        return made

    def as_dict(self) -> dict[str, object]:
        """The fields and their values."""
        return dict(self.__dict__)
