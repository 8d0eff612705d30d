"""A script as it is started: what of it is known once its command line, the variables and the GPUs are.

Where its text alone leaves something open, it is followed from its top (script_run.py).
"""

from __future__ import annotations

import ast
import warnings

from fp8check.rules.reading.source import Source
from fp8check.rules.record import Record
from fp8check.rules.settings.script import (
    ARGUMENTS,
    DECIDING,
    HANDLERS,
    MOST_SPREAD,
    OTHER_HANDLERS,
    PARSERS,
    PLUGIN_CLASSES,
    READERS,
    Call,
    Made,
    OwnFp8,
    ScriptSource,
    Unevaluated,
    is_perhaps,
    options_of,
)
from fp8check.rules.settings.script_values import FROM_LAUNCHER, PLAIN, UNKNOWN, IfUnset
from fp8check.rules.settings.values import Later, Origin, Setting, SettingIfUnset, SettingLater

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.settings.script_run import Followed, Seen

_OPTIONS = ("Float8LinearConfig", "from_recipe_name")
# Accelerate's own order, where it gets several (accelerator.py fp8_backend).
_FIRST = ("FP8RecipeKwargs", "AORecipeKwargs", "TERecipeKwargs", "MSAMPRecipeKwargs")
_DEEPEST = 8


class Start(Record):
    """How a script is started.

    Attributes:
        words: those behind it on the command line; None where they are not known.
        variables: those of the shell and the command; None where they are not known.
        gpus: the compute capabilities of the GPUs, in the order in which a process sees them; None: not known.
        counted: whether that is all of them.
        launched: whether Accelerate's launcher starts it.
        dotenv: what a file .env beside it says; None where it is not known.
        reads: whether files that it names may be looked into.
        packages: whether packages can be imported, by their names; one that is not there is not known.
    """

    words: tuple[str, ...] | None = None
    variables: Mapping[str, str] | None = None
    gpus: tuple[str, ...] | None = None
    counted: bool = False
    launched: bool = False
    dotenv: Mapping[str, str] | None = None
    reads: bool = False
    packages: Mapping[str, bool] = {}


_MOST_TOGETHER = 400_000  # characters of modules that are followed with a script: to parse them takes longest


class Together:
    """A script and the modules that it imports, as they are started: followed together once, where anybody asks."""

    def __init__(self, source: ScriptSource, modules: Sequence[ScriptSource], start: Start) -> None:
        self.source, self.modules, self.start = source, modules, start
        self._followed: tuple[Followed | None] | None = None

    @property
    def followed(self) -> Followed | None:
        """What came of it; None where they are too large, or take too many steps."""
        if self._followed is None:
            into = {one.path: one.text for one in self.modules}
            small = sum(map(len, into.values())) <= _MOST_TOGETHER
            self._followed = (_follow(self.source, self.modules, self.start, into) if small else None,)
        return self._followed[0]


def known(
    source: ScriptSource, modules: Sequence[ScriptSource], start: Start, together: Together | None = None
) -> ScriptSource:
    """The script as it is started like that.

    Args:
        together: the same three, where others ask for them as well.
    """
    plain = source.with_options(options_of([source, *modules], start.words, start.variables))
    line = source.command_line
    if line is not None and start.words is not None:
        word = line.refused(start.words)
        refused = line.ambiguous(start.words) or line.lacks(start.words) or line.wrong_word(start.words)
        refused = refused or (Setting(word, Origin(flag=word)) if word else None)
        plain = plain if refused is None else plain._replace(refused=refused)
    if not _is_open(plain):
        return plain
    followed = _follow(plain, modules, start)
    made = plain if followed is None else _Refining(plain, followed).source()
    if not modules or not _is_open(made):
        return made
    followed = (together or Together(plain, modules, start)).followed
    # A variable that a module sets has no place in the script.
    return made if followed is None or followed.environment else _Refining(plain, followed).source()


def through_module(together: Together) -> tuple[ScriptSource, ScriptSource] | None:
    """A script whose only Accelerator is made in a module beside it, and that module, as they are started like that.

    None where that is not sure: several may be made, or the script or a module sets variables.
    """
    source, modules = together.source, together.modules
    making = [one for one in modules if one.named("Accelerator")]
    if not making or source.named(*READERS) or any(one.named(*ARGUMENTS, *PARSERS) for one in modules):
        return None
    followed = together.followed
    if followed is None or followed.environment:
        return None
    met = [(one, followed.modules[one.path]) for one in making if one.path in followed.modules]
    made = [(one, each, seen) for one, each in met for seen in each.seen.values() if seen[0].made.name == "Accelerator"]
    if len(made) != 1 or len(made[0][2]) != 1 or not made[0][2][0].sure:
        return None
    module, its, (met_once,) = made[0]
    start_of_call = Source(module.path, module.text).offset_of(met_once.made.line, met_once.made.column)
    calls = tuple(one for one in module.calls if one.name != "Accelerator" or one.span.start == start_of_call)
    refined = _Refining(module._replace(calls=calls), its).source()
    call = refined.accelerator
    return None if call is None else (_Refining(source, followed).source(), refined)


def modules_known(together: Together) -> Sequence[ScriptSource]:
    """The modules beside a script as they are started like that, where their text alone leaves something open.

    That is what they give to the arguments of a Trainer, where the script makes none itself, and whether a word as
    "fp8" goes nowhere but to where it was followed.
    """
    modules = together.modules
    makes = not together.source.named(*ARGUMENTS)
    open_ = [
        one
        for one in modules
        if any(own.word for own in one.own) or (makes and any(map(_is_unevaluated, one.named(*ARGUMENTS))))
    ]
    followed = together.followed if open_ else None
    if followed is None:
        return modules
    found = {one.path: followed.modules[one.path] for one in open_ if one.path in followed.modules}
    return [_Refining(one, found[one.path]).as_module() if one.path in found else one for one in modules]


def _is_open(source: ScriptSource) -> bool:
    """Whether its text alone leaves something open that may be told by following it."""
    made = source.named(*READERS)
    if any(one.positional is None or one.perhaps or _is_unevaluated(one) for one in made):
        return True
    several = len(source.named("Accelerator")) > 1 and source.accelerator is None
    variables = any(one.name.startswith(DECIDING) for one in source.assigned) or "environ" in source.text
    variables = variables or "dotenv" in source.text
    loops = bool(source.named("from_pretrained") and source.named("Accelerator")) or "no_grad" in source.text
    return bool(loops or several or source.unsure or (made and variables) or any(not one.sure for one in source.own))


def _is_unevaluated(call: Call) -> bool:
    return any(isinstance(one.value, Unevaluated) for one in call.keywords.values())


def _follow(
    source: ScriptSource, modules: Sequence[ScriptSource], start: Start, into: Mapping[str, str] | None = None
) -> Followed | None:
    """What came of following the script, and `into` these modules."""
    from fp8check.rules.settings.script_following import Known
    from fp8check.rules.settings.script_run import follow

    def options(words: Sequence[str] | None) -> dict[str, object]:
        made = options_of([source, *modules], words, start.variables)
        return {name: UNKNOWN if one.is_later else one.value for name, one in made.items()}

    watched = {name: name for name in (*READERS, *HANDLERS, *OTHER_HANDLERS, *PLUGIN_CLASSES, *_OPTIONS)}
    about = Known(
        start.variables,
        start.gpus,
        start.words,
        options,
        launched=start.launched,
        counted=start.counted,
        dotenv=start.dotenv,
        reads=start.reads,
        packages=start.packages,
        path=source.path,
        modules=into,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the script: it was parsed before
        tree = ast.parse(source.text)
    return follow(tree, {**watched, **source.derived}, about, DECIDING)


class _Refining:
    """Puts what was learned into the script."""

    def __init__(self, source: ScriptSource, followed: Followed) -> None:
        self._source, self._followed = source, followed
        self._left = 5 * MOST_SPREAD
        text = Source(source.path, source.text)
        self._text = text
        self._seen = {text.offset_of(*place): seen for place, seen in followed.seen.items()}

    def as_module(self) -> ScriptSource:
        """What is learned of a module that does not make the Accelerator."""
        source = self._source
        own = tuple(one for one in source.own if not self._is_plain_word(one))
        return source._replace(calls=tuple(map(self._call, source.calls)), own=own)

    def source(self) -> ScriptSource:
        source = self._source
        calls = tuple(self._call(call) for call in source.calls if not self._is_dead(call))
        by_place = {call.span.start: call for call in calls}
        own = tuple(one for one in source.own if not self._in_dead(one.span.line) and not self._is_plain_word(one))
        made = source._replace(
            calls=calls,
            own=own,
            variables=self._variables(calls),
            evaluates=self._step(all(one.sure and one.training is False for one in self._followed.steps)),
            detached=self._step(all(one.sure and not one.grad for one in self._followed.steps)),
            unprepared=self._step(all(one.sure and not one.handed for one in self._followed.steps)),
        )
        maker = made.accelerator
        if maker is None:
            return made
        return self._with_handlers(made, maker, by_place)

    def _is_plain_word(self, one: OwnFp8) -> bool:
        """Whether it is a word that was followed to where it goes, and it goes nowhere else."""
        return one.word and not self._followed.told and one.span.line in self._followed.lines

    def _step(self, holds: bool) -> Setting | None:
        """The first backward pass, where something holds for all."""
        steps = self._followed.steps
        if not steps or not holds:
            return None
        line = steps[0].line
        start = self._text.start_of(line)
        indent = len(self._source.text[start:]) - len(self._source.text[start:].lstrip())
        end = self._text.start_of(line + 1)
        return Setting("backward", Origin(span=self._text.span(start + indent, max(start + indent, end - 1))))

    def _in_dead(self, line: int) -> bool:
        return any(first <= line <= last for first, last in self._followed.dead)

    def _is_dead(self, call: Call) -> bool:
        return call.span.start not in self._seen and self._in_dead(call.span.line)

    def _call(self, call: Call) -> Call:
        """The call with what it is really given, where it is given the same each time."""
        seen = self._seen.get(call.span.start)
        if seen is None:
            return call
        if call.perhaps and any(one.sure for one in seen):
            call = call._replace(perhaps=False)
        first = seen[0].made
        if any(one.made.keywords.keys() != first.keywords.keys() for one in seen[1:]) or not first.whole:
            return call
        self._left -= len(first.keywords)
        if self._left < 0:
            return call
        keywords = {name: self._keyword(call, name, seen) for name in first.keywords}
        written = {name: one for name, one in call.keywords.items() if name != "**" and not is_perhaps(one)}
        keywords = {**written, **keywords}
        positional = call.positional if call.positional is not None else tuple(map(str, first.positional))
        return call._replace(keywords=keywords, positional=positional)

    def _keyword(self, call: Call, name: str, seen: Sequence[Seen]) -> Setting:
        before = call.keywords.get(name)
        if before is not None and not isinstance(before.value, Unevaluated):
            return before
        values = [_plain(one.made.keywords[name]) for one in seen]
        if name == "mixed_precision" and all(one.made.keywords[name] is FROM_LAUNCHER for one in seen):
            values = [None]  # as if nothing was passed: Accelerator takes that variable then
        origin = Origin(span=call.span) if before is None or before.origin.span is None else before.origin
        if values[0] is UNKNOWN or any(value != values[0] for value in values[1:]):
            return Setting(Unevaluated(name), origin) if before is None or is_perhaps(before) else before
        return Setting(values[0], origin)

    def _with_handlers(self, source: ScriptSource, maker: Call, by_place: Mapping[int, Call]) -> ScriptSource:
        """The script with the handlers that its Accelerator gets, where these are known."""
        seen = self._seen.get(maker.span.start)
        if seen is None or len(seen) != 1:
            return source
        given = seen[0].made.keywords.get("kwargs_handlers")
        listed = [] if given is None else given
        if not isinstance(listed, (list, tuple)) or not all(isinstance(one, Made) for one in listed):
            return source
        recipes = [one for one in listed if isinstance(one, Made) and one.name in HANDLERS]
        recipes.sort(key=lambda one: _FIRST.index(one.name))
        calls = [self._handler(one, by_place) for one in recipes]
        names = [one.name for one in recipes]
        twice = next((call for call in calls if names.count(call.name) > 1), None)
        return source._replace(passed=calls[0] if calls else None, unsure="", twice=twice)

    def _handler(self, made: Made, by_place: Mapping[int, Call]) -> Call:
        start = self._text.offset_of(made.line, made.column)
        call = by_place.get(start)
        span = call.span if call is not None else self._text.span(start, start + len(made.name))
        keywords = {name: self._argument(name, value, span, call) for name, value in made.keywords.items()}
        positional = () if made.whole and not made.positional else None
        return Call(made.name, keywords, positional, span, ())

    def _argument(self, name: str, value: object, span: object, call: Call | None) -> Setting:
        before = call.keywords.get(name) if call is not None else None
        origin = before.origin if before is not None else Origin(span=span)  # type: ignore[arg-type]
        text = before.value if before is not None and isinstance(before.value, Unevaluated) else Unevaluated(name)
        plain = _options(value) if isinstance(value, Made) else _plain(value)
        return Setting(text if plain is UNKNOWN else plain, origin)

    def _variables(self, calls: Sequence[Call]) -> dict[str, Setting] | None:
        """The variables as the first call that reads them finds them."""
        readers = {call.span.start for call in calls if call.name in READERS}
        met = [(place, seen) for place, seen in self._seen.items() if place in readers]
        if not met or not met[0][1][0].sure:
            return None
        place, seen = met[0]
        written = seen[0].environment.written()
        if any(call.name in ARGUMENTS for call in calls if call.span.start == place):
            for name, (value, node) in self._followed.environment.items():
                if name not in written or written[name][0] is not value:
                    written[name] = (UNKNOWN, node)
        found: dict[str, Setting] = {}
        origins: dict[tuple[str, int], Origin] = {}
        for one in self._source.assigned:
            origins.setdefault((one.name, one.span.line), one.setting.origin)
        for name, (value, node) in written.items():
            line = getattr(node, "lineno", 1)
            start = self._text.offset_of(line, getattr(node, "col_offset", 0))
            span = self._text.span(start, self._text.offset_of(*_end(node, line)))
            origin = origins.get((name, line), Origin(span=span))
            if isinstance(value, IfUnset):
                found[name] = SettingIfUnset(value.text, origin)
            elif value is not UNKNOWN:
                found[name] = Setting(value, origin)
            elif name.startswith(DECIDING):
                why = f"{self._source.path}:{line} may set {name}"
                found[name] = SettingLater(Later(name, why), origin)
        return found


def _end(node: ast.AST, line: int) -> tuple[int, int]:
    return getattr(node, "end_lineno", None) or line, getattr(node, "end_col_offset", None) or 0


def _options(made: Made) -> object:
    """torchao's Float8LinearConfig as a mapping; UNKNOWN for what else is made."""
    if made.name == "from_recipe_name" and len(made.positional) == 1 and isinstance(made.positional[0], str):
        return {"recipe": made.positional[0]}
    if made.name != "Float8LinearConfig" or made.positional or not made.whole:
        return UNKNOWN
    return _plain(dict(made.keywords))


def _plain(value: object, depth: int = _DEEPEST) -> object:
    """A value as data, and what is made of a package's classes; UNKNOWN where a part of it is."""
    if depth == 0:
        return UNKNOWN
    if isinstance(value, (list, tuple)):
        parts = [_plain(one, depth - 1) for one in value]
        return UNKNOWN if any(part is UNKNOWN for part in parts) else parts
    if isinstance(value, dict):
        entries = {str(name): _plain(one, depth - 1) for name, one in value.items()}
        return UNKNOWN if any(one is UNKNOWN for one in entries.values()) else entries
    return value if isinstance(value, (*PLAIN, Made)) else UNKNOWN
