"""A value, where it came from, and what it overrode: the unit that every trace is made of."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fp8check.rules.reading import Node, Span


# What Accelerate takes for true in a variable (utils/environment.py str_to_bool), in lower case.
TRUE_WORDS = ("y", "yes", "t", "true", "on", "1")


class Origin(Record):
    """Where a value was set.

    Exactly one of the fields is the place; `code` may stand beside it and names the piece of a package that moved
    the value there (for example "transformers 5.23.0 TrainingArguments").
    """

    span: Span | None = None  # a value in a file
    key_span: Span | None = None
    variable: str | None = None  # an environment variable of the shell
    flag: str | None = None  # a command-line flag, as it was written
    default: str | None = None  # a package's own default: "accelerate 1.15.0"
    code: str | None = None  # set by a package or a script in code: "llamafactory 0.9.5 fp8_utils"

    def __init__(
        self,
        span: Span | None = None,
        key_span: Span | None = None,
        variable: str | None = None,
        flag: str | None = None,
        default: str | None = None,
        code: str | None = None,
    ) -> None:
        # By hand, as a check makes hundreds of them; any other record takes Record's way.
        own = self.__dict__
        own["span"], own["key_span"], own["variable"] = span, key_span, variable
        own["flag"], own["default"], own["code"] = flag, default, code

    @property
    def is_users(self) -> bool:
        """Whether somebody wrote it: in a file, on the command line, in a variable."""
        return self.span is not None or self.flag is not None or self.variable is not None

    def describe(self) -> str:
        """The place in one short phrase, for people."""
        if self.span is not None:
            return f"{self.span.file}:{self.span.line}"
        return outside_of_files(self.flag, self.variable, self.code, self.default)


def outside_of_files(flag: str | None, variable: str | None, code: str | None, default: str | None) -> str:
    """The place of a setting that stands in no file, in one short phrase."""
    if flag is not None:
        return f"command line {flag}"
    if variable is not None:
        return f"variable {variable}"
    if code is not None:
        return code
    return f"default of {default}" if default else "not set"


_NOWHERE = Origin()


class Undecided(Exception):
    """What happens next depends on something that is not known.

    Attributes:
        what: the thing that is missing, for people.
        needs: the kind of facts that would decide it (packages, gpus, ...), or what would, in words.
    """

    def __init__(self, what: str, needs: str) -> None:
        super().__init__(what)
        self.what = what
        self.needs = needs


class Later(Record):
    """A value that is filled in later: `${BF16}`, a variable of a script.

    Attributes:
        text: as it is written.
        why: what is not known, for people.
        needs: what would decide it.
    """

    text: str
    why: str
    needs: str = "fp8check on the files and the command as they are when all values are filled in"


class Setting(Record):
    """A value with its origin and the settings that it overrode, the latest first."""

    value: object
    origin: Origin
    overrode: tuple[Setting, ...]

    def __init__(self, value: object, origin: Origin = _NOWHERE, overrode: tuple[Setting, ...] = ()) -> None:
        own = self.__dict__
        own["value"], own["origin"], own["overrode"] = value, origin, overrode

    @property
    def is_later(self) -> bool:
        """Whether its value is filled in later, and nobody knows it yet."""
        return False

    @property
    def shown(self) -> object:
        """The value for people: of one that is filled in later, its text."""
        return self.value

    def over(self, *others: Setting | None) -> Setting:
        """This setting, with those of `others` that exist recorded as overridden."""
        beaten = tuple([other for other in others if other is not None and other.origin != self.origin])
        return self._replace(overrode=self.overrode + beaten) if beaten else self


class SettingIfUnset(Setting):
    """A variable that a script sets where nothing has set it before: os.environ.setdefault()."""

    def __init__(self, value: object, origin: Origin = _NOWHERE, overrode: tuple[Setting, ...] = ()) -> None:
        super().__init__(value, origin, overrode)


class SettingLater(Setting):
    """A setting whose value is filled in later: whatever asks for the value is undecided."""

    later: Later
    origin: Origin
    overrode: tuple[Setting, ...]

    def __init__(self, later: Later, origin: Origin = _NOWHERE, overrode: tuple[Setting, ...] = ()) -> None:
        own = self.__dict__
        own["later"], own["origin"], own["overrode"] = later, origin, overrode

    @property  # type: ignore[misc]  # there is no value to keep
    def value(self) -> object:
        """What nobody knows yet.

        Raises:
            Undecided: always.
        """
        raise self.undecided

    @property
    def undecided(self) -> Undecided:
        """What whoever needs the value is told."""
        return Undecided(self.later.why, self.later.needs)

    @property
    def is_later(self) -> bool:
        """See Setting."""
        return True

    @property
    def shown(self) -> object:
        """See Setting."""
        return self.later.text


FILLED_IN = Later.needs


class Section:
    """A mapping of settings: a part of a configuration file, or plain data that was never in a file.

    Settings from elsewhere may lie over it: they win, and remember what they overrode. A section of it may stand in a
    file of its own (`sections`).
    """

    __slots__ = ("_data", "_made", "_node", "_over", "_sections")

    def __init__(
        self,
        node: Node | None = None,
        data: Mapping[str, object] | None = None,
        over: Mapping[str, Setting] | None = None,
        sections: Mapping[str, Section] | None = None,
    ) -> None:
        self._node = node if node is not None and node.kind == "map" else None
        self._data = data or {}
        self._over = over or {}
        # Rules ask for the same few names again and again; a section does not change.
        self._made: dict[str, Setting | None] = {}
        self._sections: dict[str, Section] = dict(sections) if sections else {}

    def __iter__(self) -> Iterator[str]:
        own = self._own()
        yield from own
        yield from (name for name in self._over if name not in own)

    def __contains__(self, name: str) -> bool:
        return name in self._over or name in self._own()

    def __bool__(self) -> bool:
        return bool(self._over or self._own())

    def _own(self) -> Mapping[str, object]:
        return self._node.children if self._node is not None else self._data

    @property
    def node(self) -> Node | None:
        """The mapping's node in its file, if it has one."""
        return self._node

    def settings(self, names: Iterable[str] | None = None) -> Iterator[tuple[str, Setting]]:
        """These names with their settings; every one, in the order of the file, where none are named."""
        for name in self if names is None else names:
            setting = self.get(name)
            if setting is not None:
                yield name, setting

    def get(self, name: str) -> Setting | None:
        """The setting of that name; None where the section does not have the key (a null is a Setting of None)."""
        try:
            return self._made[name]
        except KeyError:
            own, above = self._written(name), self._over.get(name)
            made = self._made[name] = own if above is None else above.over(own)
            return made

    def _written(self, name: str) -> Setting | None:
        if self._node is None:
            return Setting(self._data[name]) if name in self._data else None
        child = self._node.children.get(name)  # a map's: see __init__
        return None if child is None else _setting(child)

    def value(self, name: str, default: object = None) -> object:
        """The bare value of that name, or `default` where the key is absent."""
        setting = self.get(name)
        return default if setting is None else setting.value

    def section(self, name: str) -> Section:
        """The mapping of that name; empty where it is absent, null or no mapping.

        Raises:
            Undecided: it is filled in later as a whole.
        """
        if name not in self._sections:
            self._sections[name] = self._inner(name)
        return self._sections[name]

    def _inner(self, name: str) -> Section:
        above = self._over.get(name)
        if above is not None and not above.is_later and isinstance(above.value, dict):
            return Section(data=above.value)
        if self._node is not None:
            node = self._node.get(name)
            if node is not None and node.kind == "scalar":
                setting = self.get(name)
                if isinstance(setting, SettingLater):
                    raise setting.undecided
            return Section(node)
        inner = self._data.get(name)
        return Section(data=inner) if isinstance(inner, dict) else Section()


def _setting(node: Node) -> Setting:
    value, origin = node.data(), Origin(node.span, node.key_span)
    if type(value) is str and is_filled_in(value):
        return SettingLater(Later(value, f"{origin.describe()}: {node.key}: {value} is filled in later"), origin)
    return Setting(value, origin)


def taken(value: object, origin: Origin) -> Setting:
    """The setting of a value that stands in no file: a flag, a variable, an argument."""
    if type(value) is str and is_filled_in(value):
        return SettingLater(Later(value, f"{origin.describe()}: {value} is filled in later"), origin)
    return Setting(value, origin)


def whole_number(text: str) -> int | None:
    """The number of a text as Python's int() reads it, and argparse with it; None where it refuses.

    It takes spaces around, a sign, `1_0` and the digits of every script (Arabic, full width), and refuses `²`, `1.0`,
    an empty text and more than 4,300 digits.
    """
    try:
        return int(text)
    except ValueError:
        return None


def is_number(text: str, kind: str) -> bool:
    """Whether int() or float() takes a text, as argparse asks them.

    Args:
        kind: "int" or "float".
    """
    if kind == "int":
        return whole_number(text) is not None
    try:
        float(text)
    except ValueError:
        return False
    return True


def number_meant(value: object) -> float | int | None:
    """The number that a text evidently means, as 1e-5, which YAML reads as text; None where it means none."""
    if not isinstance(value, str):
        return None
    try:
        return int(value) if value.isdigit() else float(value)
    except ValueError:
        return None


def is_filled_in(text: str) -> bool:
    """Whether a text stands for a value that somebody fills in before the run, or while it starts.

    `${NAME}` and `$NAME` of shells, envsubst, OmegaConf and pyaml_env, `$(NAME)` of Kubernetes, `{{ name }}` and
    `{% %}` of Jinja and Helm, `%(name)s` of configparser, `%NAME%`, `@NAME@`, `<name>`, `{name}`, `__NAME__`, and
    OmegaConf's `???`. Nobody's loader knows all of them; whoever writes one has a step that does.
    """
    if not ("$" in text or "{" in text or "<" in text or "%" in text or "@" in text or "__" in text or "??" in text):
        return False  # nearly every value, in less time than a loop takes
    import re

    return re.search(_WITHIN, text) is not None or re.fullmatch(_WHOLE, text.strip()) is not None


_WITHIN = r"(?<!\\)\$(?:\{|\(|[A-Za-z_]\w*)|\{\{|\{%|#\{|<%|%\(\w+\)|%\{"
_WHOLE = r"<[^<>]+>|<<[^<>]+>>|%\w+%|@\w+@|@@\w+@@|\{[\w.:-]+(?: [\w.:-]+){0,8}\}|__\w+__|\?\?\?"
