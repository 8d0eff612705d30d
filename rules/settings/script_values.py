"""What stands for the values of a script that is followed by script_run.py; plain values stand for themselves."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.script import Made

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Mapping, Sequence

LONGEST = 10_000  # characters of a text, and entries of a list, that are followed
_LARGEST = 2**63


class Unknown:
    """A value that is not known. There is one of them."""

    __slots__ = ()


UNKNOWN = Unknown()


class IfUnset(Record):
    """What a variable is set to where there is none, which is not known here."""

    text: str


class Named(Record):
    """Something of a package, by its name: "accelerate.Accelerator"; of Python itself: "len"."""

    dotted: str

    @property
    def last(self) -> str:
        """The last part of its name."""
        return self.dotted.rpartition(".")[2]


class Scope:
    """The names of a module, a function or a class that is followed.

    Attributes:
        path: the module's; "" in the script itself.
    """

    __slots__ = ("names", "outer", "path", "shared")

    def __init__(self, outer: Scope | None = None, path: str = "") -> None:
        self.names: dict[str, object] = {}
        self.outer = outer
        self.path: str = path if outer is None else outer.path
        self.shared: dict[str, Scope] = {}  # names that `global` and `nonlocal` put elsewhere

    def leave(self, names: dict[str, object]) -> None:
        """Go on with these names."""
        self.names = names


class Function(Record):
    """A function of the script, or a lambda.

    Attributes:
        bound: the object that it is taken of; None where there is none.
        opaque: whether a decorator that is not known may change what it does.
        command: whether a decorator hands it the options of the command line.
        without_grad: whether a decorator keeps no gradients in it.
        group: whether a word of the command line names the command that is called behind it.
    """

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    defaults: Mapping[str, object] = {}
    bound: object = None
    opaque: bool = False
    command: bool = False
    without_grad: bool = False
    group: bool = False


class Class(Record):
    """A class of the script.

    Attributes:
        names: what it has, as the script leaves it.
        known: whether all its bases are classes of the script, or object.
        members: the fields of a dataclass, in order; None where it is none.
    """

    name: str
    names: dict[str, object]
    bases: Sequence[Class]
    known: bool
    members: Sequence[str] | None = None

    def find(self, name: str) -> object:
        """What the class or a base of it has under that name; UNKNOWN where there is none."""
        if name in self.names:
            return self.names[name]
        found = (base.find(name) for base in self.bases)
        return next((one for one in found if one is not UNKNOWN), UNKNOWN)


class Object:
    """An object of a class of the script, or one with known attributes (the options of a command line)."""

    __slots__ = ("attributes", "of")

    def __init__(self, of: Class | None, attributes: dict[str, object]) -> None:
        self.of, self.attributes = of, attributes


class Attributes(dict[object, object]):
    """A mapping whose keys are attributes, as OmegaConf makes it."""

    __slots__ = ()


class Model:
    """A model; whether it is in training mode, or UNKNOWN.

    Attributes:
        handed: whether anything but itself was given it, as prepare(), which may make another of it.
    """

    __slots__ = ("handed", "training")

    def __init__(self, training: object) -> None:
        self.training = training
        self.handed = False

    def put(self, training: object) -> None:
        """Put it into a mode."""
        self.training = training

    def hand_over(self) -> None:
        """Give it to something that may make another of it."""
        self.handed = True


class Output(Record):
    """What a forward pass of a model returns, and what is computed of it.

    Attributes:
        training: whether the model was in training mode, or UNKNOWN.
        grad: whether gradients were kept.
        handed: whether the model was handed to anything before, as to prepare().
    """

    training: object
    grad: bool
    handed: bool = True


class FromLauncher:
    """What Accelerate's launcher sets; there is one of them: the precision."""

    __slots__ = ()


FROM_LAUNCHER = FromLauncher()


class Method(Record):
    """A method of a plain value: handlers.append."""

    owner: object
    name: str


class Moment(Record):
    """What a script had set at some call: the first of all that it sets. Copies would grow with the square.

    Attributes:
        every: all that it sets, in order, with the place that does it; more are added later.
        count: how many of them it had set.
    """

    every: Sequence[tuple[str, tuple[object, ast.AST]]]
    count: int

    def written(self) -> dict[str, tuple[object, ast.AST]]:
        """The variables by name, as they were."""
        return dict(self.every[: self.count])


class Environment:
    """os.environ as the script leaves it.

    Attributes:
        written: what the script sets, or may set (UNKNOWN), each with the place that does it.
    """

    __slots__ = ("_before", "_every", "_mixed", "_prefixes", "written")

    def __init__(self, before: Mapping[str, str] | None, prefixes: tuple[str, ...], *, launched: bool) -> None:
        """`before`: the variables of the shell; None where they are not known. Those with these prefixes are all."""
        self._before = before
        self._prefixes = () if launched or before is None else prefixes
        self._mixed = launched
        self.written: dict[str, tuple[object, ast.AST]] = {}
        self._every: list[tuple[str, tuple[object, ast.AST]]] = []

    def write(self, name: str, value: object, node: ast.AST) -> None:
        """The script sets a variable, or may set it (UNKNOWN)."""
        self.written[name] = (value, node)
        self._every.append((name, self.written[name]))

    def now(self) -> Moment:
        """What it has set so far."""
        return Moment(self._every, len(self._every))

    def get(self, name: str) -> object:
        """The text of a variable, None where there is none, and UNKNOWN."""
        if name in self.written:
            value = self.written[name][0]
            return UNKNOWN if isinstance(value, IfUnset) else value
        if self._before is not None and name in self._before and not (self._mixed and name.startswith("ACCELERATE_")):
            return self._before[name]
        if self._mixed and name == "ACCELERATE_MIXED_PRECISION":
            return FROM_LAUNCHER
        return None if name.startswith(self._prefixes) else UNKNOWN

    def has(self, name: str) -> bool | None:
        """Whether there is one; None where that is not known. The launcher always sets the precision."""
        if self._mixed and name == "ACCELERATE_MIXED_PRECISION" and name not in self.written:
            return True
        value = self.get(name)
        return None if value is UNKNOWN else value is not None


PLAIN = (str, int, float, bool, type(None))


def bounded(value: object) -> object:
    """A value that is small enough to be kept; UNKNOWN for any other."""
    if isinstance(value, (str, list, tuple, dict)) and len(value) > LONGEST:
        return UNKNOWN
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return UNKNOWN
    return value


def truth(value: object) -> bool | None:
    """Whether a value counts as true; None where that is not known."""
    if isinstance(value, (*PLAIN, list, tuple, dict)):
        return bool(value)
    if isinstance(value, Object):
        return True if value.of is None else None
    return True if isinstance(value, (Function, Class, Made, Model, FromLauncher)) else None


def same(one: object, other: object) -> bool:
    """Whether two values are surely the same: the same object, or equal plain values."""
    if one is other:
        return True
    return isinstance(one, PLAIN) and type(one) is type(other) and one == other
