"""What a script's command line takes: add_argument() of argparse, and the fields of dataclasses that a parser is given.

Nothing is executed. A default that is no literal is not known, and neither is an option that the script changes itself.
"""

from __future__ import annotations

import ast
from itertools import pairwise

from fp8check.rules.record import Record
from fp8check.rules.settings.launch import is_several
from fp8check.rules.settings.script_flags import Flags, Option
from fp8check.rules.settings.script_mains import Fire, Mains, Parameter, by_fire, find, is_switch, plain_kind
from fp8check.rules.settings.values import Later, Origin, Setting, SettingLater, is_filled_in, is_number, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from fp8check.rules.reading import Span
    from fp8check.rules.settings.script_flags import How, Takes
    from fp8check.rules.settings.script_names import Names

    _Located = ast.expr | ast.stmt | ast.keyword | ast.arg

# What makes values of a command line, by the last part of its name.
_PARSES = (
    *("parse_args", "parse_known_args", "parse_intermixed_args", "parse_args_into_dataclasses"),
    *("parse_args_and_config", "parse_yaml_file", "parse_json_file", "parse_dict", "cli"),
)
_ON_PARSERS = ("add_argument", "parse_args", "set_defaults", "print_help", "print_usage", "format_help")
_BESIDE = ("parse_known_args", "add_argument_group", "add_mutually_exclusive_group")
_YES_OR_NO = ("str2bool", "str_to_bool", "strtobool", "string_to_bool", "parse_bool", "to_bool", "boolean")
_YES = ("yes", "true", "t", "y", "1", "on")
_NO = ("no", "false", "f", "n", "0", "off")
_TOOLS = ("fire", "typer", "click", "tyro")
_BY_KIND: Mapping[str, Takes] = {"bool": "yes", "str": "text", "int": "int", "float": "float"}
_TYPES: Mapping[str, Takes] = {"str": "text", "int": "int", "float": "float", "bool": "bool"}


class Commands(Record):
    """The words of which one says what a script is to do: `train.py train --fp8`.

    Attributes:
        names: all of them.
        required: whether the script ends where none is given.
        known: whether the script ends at any other word in their place.
    """

    names: frozenset[str] = frozenset()
    required: bool = False
    known: bool = False


class CommandLine(Record):
    """What a script takes of its command line.

    Attributes:
        options: by the attribute that holds each; of one that is defined in several ways nothing is known.
        results: the variables that hold them.
        changed: options that the script sets itself, with the places; under "*", any.
        derived: the defaults that a class derived from a Trainer's arguments gives to fields, its own and others'.
        fire: what fire calls with it; None where fire does not read it, or that is not known.
        strict: whether any word that is none of the options ends the script.
        preset: what set_defaults() sets, of whatever a parser makes.
        fixed: the words that the parser is given in the place of the command line; None where it takes that.
        mapped: the mapping that the parser is given in the place of the command line; None likewise.
        commands: the words of which one comes first.
        ended: whether what is not given, or is none of its choices, ends the script.
        reads: how the tool that reads it takes a flag.
        from_files: whether a word with @ in front of it stands for the words in a file.
    """

    options: Mapping[str, Option] = {}
    results: frozenset[str] = frozenset()
    changed: Mapping[str, tuple[Span, ...]] = {}
    derived: Mapping[str, Setting] = {}
    fire: Fire | None = None
    strict: bool = False
    preset: Mapping[str, Setting] = {}
    fixed: tuple[str, ...] | None = None
    mapped: Mapping[str, object] | None = None
    commands: Commands = Commands()
    ended: bool = False
    reads: How = "loose"
    from_files: bool = False

    def values(self, words: Sequence[str] | None, variables: Mapping[str, str] | None = None) -> dict[str, Setting]:
        """What the options are with these words behind the script; None: nobody said how it is started.

        Then the defaults count, but for a switch that turns FP8 on: who asks about FP8 may well give it.

        Args:
            variables: those that the script finds, as far as they are known; None where they are not.
        """
        is_open = words is None and self.fixed is None
        words = self.fixed if self.fixed is not None else words or ()
        given = _given(Flags(self.options, self.reads), words) if self.fire is None else by_fire(words, self.fire)
        given |= self._by_place(words)[0]
        loose_words = any(word[:1] != "-" for word in words)
        values: dict[str, Setting] = {}
        for name, option in self.options.items():
            is_told = option.takes != "unknown" or loose_words
            if option.has_place and self.reads != "loose" and name not in given and is_told:
                why = f"{option.span.file}:{option.span.line} takes {name} of the command"
                values[name] = SettingLater(Later(name, why), Origin(span=option.span))
                continue
            default = option.default if not option.variable else _of_variable(option, option.variable, variables)
            if default is None:
                why = f"{option.span.file}:{option.span.line} sets {name} to {option.text or 'what the command says'}"
                default = SettingLater(Later(option.text or name, why), Origin(span=option.span))
            values[name] = given[name].over(default) if name in given else default
        handed_on = ("${@", "${*", "@") if self.from_files else ("${@", "${*")
        loose = next((word for word in words if word in ("$@", "$*") or word.startswith(handed_on)), "")
        if loose:
            why = f"{loose} of the command may set it"
            for name in values.keys() - given.keys():
                values[name] = SettingLater(Later(loose, why), values[name].origin)
        for name, option in self.options.items() if is_open else ():
            if option.takes == "on" and "fp8" in name.lower() and option.flags:
                flag = option.flags[0]
                values[name] = SettingLater(Later(flag, f"whether the command says {flag}"), values[name].origin)
        return values

    def _by_place(self, words: Sequence[str]) -> tuple[dict[str, Setting], set[str]]:
        """The options that words without a flag set, by their order, and the names of those that no word is left for.

        Nothing is known of any where a word may belong to a flag or not, and where one of them takes several.
        """
        places = [option for option in self.options.values() if option.has_place]
        if not places or self.reads == "loose" or any(option.takes == "unknown" for option in places):
            return {}, set()
        flags, loose = Flags(self.options, self.reads), []
        rest = iter(words)
        for word in rest:
            if word == "--" or is_several(word):
                return {}, set()
            if not word.startswith("-"):
                loose.append(word)
                continue
            option, negated = flags.meant(word.partition("=")[0])
            if (option is None and negated is None) or (option is not None and option.takes in ("unknown", "yes")):
                return {}, set()
            if option is not None and option.takes not in ("on", "off") and "=" not in word:
                next(rest, "")
        if len(loose) > len(places):
            return {}, set()
        placed = {
            option.name: _read(option, word, word)._replace(origin=Origin(flag=word))
            for option, word in zip(places, loose, strict=False)
        }
        return placed, {option.name for option in places[len(loose) :]}

    def refused(self, words: Sequence[str]) -> str:
        """The first word at which the script's parser ends it; "" where there is none, or that is not known."""
        if not self.strict or self.fixed is not None:
            return ""
        flags = Flags(self.options, self.reads)
        rest = iter(self._behind_command(words))
        for word in rest:
            if word == "--" and self.reads != "loose":
                return next(rest, "")
            if is_filled_in(word) or word in ("-h", "--help", "--"):
                return ""
            option, negated = flags.meant(word.partition("=")[0]) if word.startswith("-") else (None, None)
            if option is None:
                if negated is None:
                    return word
            elif option.takes == "unknown":
                return ""
            elif option.takes not in ("on", "off") and "=" not in word:
                next(rest, "")
        return ""

    def _at_command(self, words: Sequence[str]) -> int | None:
        """Where the word stands that names a command; None where there is none."""
        flags = Flags(self.options, self.reads)
        at = 0
        while at < len(words):
            word = words[at]
            if not word.startswith("-"):
                return at
            option = flags.meant(word.partition("=")[0])[0]
            at += 1 + (option is not None and option.takes not in ("on", "off") and "=" not in word)
        return None

    def _behind_command(self, words: Sequence[str]) -> Sequence[str]:
        at = self._at_command(words) if self.commands.names else None
        return words if at is None else [*words[:at], *words[at + 1 :]]

    def lacks(self, words: Sequence[str]) -> Setting | None:
        """What the parser misses among the words of the command, as argparse says it; None where it misses nothing."""
        if not self.ended or self.fixed is not None or any(is_filled_in(word) for word in words) or "-h" in words:
            return None
        if self.commands.names:
            at = self._at_command(words)
            if at is None:
                return Setting("a command is required", Origin()) if self.commands.required else None
            if words[at] not in self.commands.names and self.commands.known:
                return Setting(f"invalid choice: {words[at]!r}", Origin(flag=words[at]))
            return None  # of which command an option is, is not known
        given, left = _given(Flags(self.options, self.reads), words), self._by_place(words)[1]
        for name, option in self.options.items():
            if (option.required and name not in given) or name in left:
                said = f"the following arguments are required: {'/'.join(option.flags)}"
                return Setting(said, Origin(span=option.span))
        return None

    def ambiguous(self, words: Sequence[str]) -> Setting | None:
        """The first flag that is cut short so far that it may be several, with what argparse says; None: none is."""
        if not self.ended or self.fixed is not None or self.commands.names:
            return None
        flags = Flags(self.options, self.reads)
        for word in words[: words.index("--")] if "--" in words else words:
            several = () if is_filled_in(word) else flags.ambiguous(word.partition("=")[0])
            if several:
                return Setting(f"ambiguous option: {word} could match {', '.join(several)}", Origin(flag=word))
        return None

    def wrong_word(self, words: Sequence[str]) -> Setting | None:
        """The first flag with a text that is none of its choices, or no number, as argparse says it; None: none is."""
        holds = self.results or self.ended
        if self.fixed is not None or not holds or not any(one.choices or one.counts for one in self.options.values()):
            return None
        flags = Flags(self.options, self.reads)
        for word, following in pairwise((*words, "")):
            flag, equals, text = word.partition("=")
            option = flags.meant(flag)[0] if flag.startswith("-") else None
            text = text if equals else following
            if option is None or not text or text.startswith("-") or is_filled_in(text):
                continue
            if option.counts and not is_number(text, option.takes):
                said = f"argument {'/'.join(option.flags)}: invalid {option.takes} value: {text!r}"
                return Setting(said, Origin(flag=word if equals else f"{word} {text}"))
            if option.choices and text not in option.choices:
                given = ", ".join(map(repr, option.choices))
                said = f"argument {'/'.join(option.flags)}: invalid choice: {text!r} (choose from {given})"
                return Setting(said, Origin(flag=word if equals else f"{word} {text}"))
        return None


# Annotations of which HfArgumentParser and its kin make a number of a word, or refuse it.
_NUMBERS = ("int", "float", "Optional[int]", "Optional[float]", "int | None", "float | None")


NOTHING = CommandLine()


def _of_variable(option: Option, name: str, variables: Mapping[str, str] | None) -> Setting | None:
    """What an option is without a flag, where its default is a variable of the environment; None: not known.

    A variable that is not among these may be set all the same: facts keep few. The launcher may set Accelerate's.
    """
    if variables is None or name not in variables or name.startswith("ACCELERATE_"):
        return None
    return _read(option, f"{name}={variables[name]}", variables[name])


def _given(flags: Flags, words: Sequence[str]) -> dict[str, Setting]:
    """The options that are set by these words."""
    given: dict[str, Setting] = {}
    for at, word in enumerate(words):
        if not word.startswith("-"):
            continue
        flag, equals, text = word.partition("=")
        option, negated = flags.meant(flag)
        if negated is not None:
            given[negated.name] = Setting(False, Origin(flag=word))
        elif option is not None:
            following = words[at + 1] if at + 1 < len(words) and not words[at + 1].startswith("--") else None
            given[option.name] = _read(option, word, text if equals else following)
    return given


def _read(option: Option, word: str, text: str | None) -> Setting:
    """What a flag sets, with the word behind it."""
    takes = option.takes
    if takes in ("on", "off"):
        return Setting(takes == "on", Origin(flag=word))
    if text is None:
        return Setting(True, Origin(flag=word)) if takes == "yes" else _unknown(option, word)
    origin = Origin(flag=word if "=" in word else f"{word} {text}")
    if is_filled_in(text):
        return SettingLater(Later(text, f"{origin.describe()}: {text} is filled in later"), origin)
    if option.yes is not None:
        return Setting(text.lower() in option.yes, origin)
    if takes == "text":
        return Setting(text, origin)
    if takes == "bool":  # type=bool: every text but the empty one is true
        return Setting(bool(text), origin)
    if takes == "yes" and text.lower() in _YES + _NO:
        return Setting(text.lower() in _YES, origin)
    if takes == "int" and (number := whole_number(text)) is not None:
        return Setting(number, origin)
    if takes == "float":
        try:
            return Setting(float(text), origin)
        except ValueError:
            pass
    return _unknown(option, f"{word} {text}")


def _unknown(option: Option, written: str) -> Setting:
    why = f"what {option.span.file} makes of {written} is not known"
    return SettingLater(Later(written, why), Origin(flag=written))


class Reader:
    """Finds what a script's command line takes, among its nodes."""

    def __init__(
        self,
        names: Names,
        span: Callable[[_Located], Span],
        setting: Callable[[ast.expr, ast.keyword | None], Setting],
        derived: Collection[str],
    ) -> None:
        """`derived`: the classes that hold the arguments of a Trainer, by their last names."""
        self._names = names
        self._derived = derived
        self._span = span
        self._setting = setting
        self._options: dict[str, list[Option]] = {}
        self._defaults: dict[str, Setting] = {}
        self._results: set[str] = set()
        self._others: set[str] = set()
        self._changed: dict[str, list[Span]] = {}
        self._functions: dict[str, ast.FunctionDef] = {}
        self._parsed: list[ast.Call] = []
        self._fields: dict[str, Setting] = {}
        self._filled: frozenset[str] = frozenset()  # dataclasses that tyro fills
        self._nested: dict[str, list[str]] = {}  # dataclasses that are fields of these, with the fields' names
        self._dataclasses: set[str] = set()  # of the script, where tyro fills one
        self._configured = False
        self._is_open = False  # whether it has options whose flags are not known
        self._has_others = False  # whether they have fields of a base class or of more than one word

    def read(self, text: str, nodes: Sequence[ast.AST]) -> CommandLine:
        """What the script takes of its command line, and where it holds that."""
        mains = find(nodes, self._names) if any(name in text for name in _TOOLS) else Mains()
        self._functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
        self._filled, self._configured = mains.classes, mains.configured
        classes = [one for one in nodes if isinstance(one, ast.ClassDef)] if mains.classes else []
        self._dataclasses = {node.name for node in classes if _is_dataclass(node)}
        for filled in classes:
            if filled.name in mains.classes:
                for field in filled.body:
                    if isinstance(field, ast.AnnAssign) and isinstance(field.annotation, ast.Name):
                        self._nested.setdefault(field.annotation.id, []).append(ast.unparse(field.target))
        for one in mains.parameters:
            self._parameter(one)
        parsing = self._parsing_functions(nodes) if any(name in text for name in _PARSES) else set()
        unpacked: list[tuple[ast.expr, bool]] = []
        for node in nodes:
            if isinstance(node, ast.Call):
                self._call(node)
            elif isinstance(node, ast.ClassDef):
                self._class(node)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                parses = self._parses(node.value, parsing)
                unpacked.extend((target, parses) for target in targets)
            elif isinstance(node, ast.AugAssign):
                unpacked.append((node.target, False))
            elif isinstance(node, ast.arg):
                self._results.add(node.arg)
        for target, parses in unpacked:
            self._target(target, parses)
        return CommandLine(
            {name: self._one(name, options) for name, options in self._options.items()},
            frozenset(self._results - self._others),
            {name: tuple(spans) for name, spans in self._changed.items()},
            self._fields,
            mains.fire,
            self._is_strict(nodes, mains),
            self._defaults,
            self._fixed(),
            self._mapped(),
            self._commands(nodes, mains),
            bool(mains.tools - {"fire"}) or self._ends(nodes),
            self._how(nodes, mains),
            any(one.arg == "fromfile_prefix_chars" for call in self._parsers(nodes) for one in call.keywords),
        )

    def _how(self, nodes: Sequence[ast.AST], mains: Mains) -> How:
        """How the parser takes a flag."""
        parsers = self._parsers(nodes)
        if mains.tools or len(parsers) != 1 or len(self._parsed) != 1 or self._is_open:
            return "loose"
        if any(one.arg in ("parents", "prefix_chars", "fromfile_prefix_chars") for one in parsers[0].keywords):
            return "loose"
        if not self._is_plain(nodes, (*_ON_PARSERS, *_BESIDE)):
            return "loose"
        short = next((one.value for one in parsers[0].keywords if one.arg == "allow_abbrev"), None)
        return "whole" if isinstance(short, ast.Constant) and short.value is False else "argparse"

    def _ends(self, nodes: Sequence[ast.AST]) -> bool:
        """Whether one parser of argparse reads the command line, and nothing keeps it from ending the script."""
        parsers = self._parsers(nodes)
        plain = len(parsers) == 1 and len(self._parsed) == 1
        return plain and not any(one.arg in ("parents", "exit_on_error") for one in parsers[0].keywords)

    def _commands(self, nodes: Sequence[ast.AST], mains: Mains) -> Commands:
        """add_subparsers() and add_parser("train"), and the commands of a group of click or typer."""
        if mains.commands:
            return Commands(frozenset(mains.commands), required=True, known=True)
        calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        groups = [node for node in calls if isinstance(node.func, ast.Attribute) and node.func.attr == "add_subparsers"]
        added = [node for node in calls if isinstance(node.func, ast.Attribute) and node.func.attr == "add_parser"]
        names = [self._names.text(node.args[0]) if node.args else None for node in added]
        if len(groups) != 1 or not names:
            return Commands()
        required = next((one.value for one in groups[0].keywords if one.arg == "required"), None)
        is_required = isinstance(required, ast.Constant) and required.value is True
        plain = None not in names and not any(one.arg == "aliases" for node in added for one in node.keywords)
        return Commands(frozenset(name for name in names if name is not None), is_required, plain)

    def _fixed(self) -> tuple[str, ...] | None:
        """The words that the only call of a parser is given."""
        call = self._parsed[0] if len(self._parsed) == 1 else None
        given = None if call is None else next(iter(_given_to(call, "args")), None)
        if not isinstance(given, (ast.List, ast.Tuple)):
            return None
        words = [self._names.text(one) for one in given.elts]
        return None if None in words else tuple(str(word) for word in words)

    def _mapped(self) -> Mapping[str, object] | None:
        """The mapping that the only call of a parser is given."""
        call = self._parsed[0] if len(self._parsed) == 1 else None
        if call is None or not isinstance(call.func, ast.Attribute) or call.func.attr != "parse_dict":
            return None
        given = next(iter(_given_to(call, "args")), None)
        value = None if given is None else self._setting(given, None).value
        return value if isinstance(value, dict) else None

    def _is_strict(self, nodes: Sequence[ast.AST], mains: Mains) -> bool:
        """Whether all words that are no options end the script: one parser, all of whose options are known."""
        if mains.tools:
            flags = all(one.flags and (one.kind or one.tool != "tyro") for one in mains.parameters)
            closed = flags and not self._has_others and not self._configured
            return closed and len(mains.tools) == 1 and "fire" not in mains.tools and not self._parsers(nodes)
        parsers = self._parsers(nodes)
        open_by = ("parents", "fromfile_prefix_chars")
        if len(parsers) != 1 or len(self._parsed) != 1 or any(one.arg in open_by for one in parsers[0].keywords):
            return False
        parsed = self._parsed[0].func
        plain = isinstance(parsed, ast.Attribute) and parsed.attr == "parse_args" and self._is_plain(nodes, _ON_PARSERS)
        return plain and all(flag[:1] == "-" for one in self._options.values() for each in one for flag in each.flags)

    def _is_plain(self, nodes: Sequence[ast.AST], methods: Collection[str]) -> bool:
        """Whether the only parser has a name, and nothing is done with it but to call these methods."""
        parsed = self._parsed[0].func
        if not isinstance(parsed, ast.Attribute) or not isinstance(parsed.value, ast.Name):
            return False
        name = parsed.value.id
        known = {id(node.value) for node in nodes if isinstance(node, ast.Attribute) and node.attr in methods}
        used = [node for node in nodes if isinstance(node, ast.Name) and node.id == name]
        return all(id(node) in known for node in used if isinstance(node.ctx, ast.Load))

    def _parsers(self, nodes: Sequence[ast.AST]) -> list[ast.Call]:
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        return [node for node in calls if "ArgumentParser" in last_names(self._names, node.func)]

    def _one(self, name: str, options: Sequence[Option]) -> Option:
        first, *others = options
        if any(other.default != first.default or other.takes != first.takes for other in others):
            same = all(_value(other.default) == _value(first.default) for other in others)
            first = first._replace(default=first.default if same else None, takes="unknown", text="several values")
        if any(other.choices != first.choices for other in others):
            first = first._replace(choices=())
        if name in self._defaults:
            first = first._replace(default=self._defaults[name])
        return first._replace(default=None, text="what set_defaults() is given") if "**" in self._defaults else first

    def _parsing_functions(self, nodes: Sequence[ast.AST]) -> set[str]:
        """The functions of the script that return what a parser makes of the command line."""
        found: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(part, ast.Attribute) and part.attr in _PARSES
                for statement in node.body
                for part in _shallow(statement)
            ):
                found.add(node.name)
        return found

    def _parses(self, value: ast.expr, functions: set[str]) -> bool:
        """Whether a value is what a parser makes of the command line."""
        while isinstance(value, (ast.Subscript, ast.Await)):
            value = value.value
        if not isinstance(value, ast.Call):
            return False
        called = value.func
        last = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        if last in _PARSES or (isinstance(called, ast.Name) and last in functions):
            return True
        return last.endswith(("args", "arguments"))  # of a module beside the script: parse_args(), get_arguments()

    def _target(self, target: ast.expr, parses: bool) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for one in target.elts:
                self._target(one, parses)
        elif isinstance(target, ast.Starred):
            self._target(target.value, parses)
        elif isinstance(target, ast.Name):
            (self._results if parses else self._others).add(target.id)
        elif isinstance(target, ast.Attribute):
            self._changed.setdefault(target.attr, []).append(self._span(target))

    def _call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Name) and called.id == "setattr" and len(node.args) == 3:
            name = self._names.text(node.args[1])
            self._changed.setdefault("*" if name is None else name, []).append(self._span(node))
        if not isinstance(called, ast.Attribute):
            return
        if called.attr in _PARSES:
            self._parsed.append(node)
        if called.attr == "add_argument" and node.args:
            self._argument(node)
        elif called.attr in ("set_defaults", "set_defaults_with_config"):
            for keyword in node.keywords:
                self._defaults[keyword.arg or "**"] = self._setting(keyword.value, keyword)

    def _argument(self, node: ast.Call) -> None:
        flags = [text for text in map(self._names.text, node.args) if text is not None]
        self._is_open = self._is_open or len(flags) < len(node.args)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        dest = self._names.text(given["dest"]) if "dest" in given else None
        long = next((flag for flag in flags if flag.startswith("--")), flags[0] if flags else "")
        name = dest or long.lstrip("-").replace("-", "_")
        if not name:
            return
        action = self._names.text(given["action"]) if "action" in given else "store"
        yes: frozenset[str] | None = None
        takes: Takes = "unknown"
        if action in ("store_true", "store_false"):
            takes = "on" if action == "store_true" else "off"
        elif "action" in given and ast.unparse(given["action"]).endswith("BooleanOptionalAction"):
            takes = "on"
        elif action == "store" and "nargs" not in given:
            yes = self._yes(given.get("type"))
            takes = self._takes(given.get("type")) if yes is None else "bool"
        elif action == "store" and self._names.text(given["nargs"]) == "?" and "const" in given:
            const = given["const"]
            takes = "yes" if isinstance(const, ast.Constant) and const.value is True else "unknown"
        choices = self._choices(given["choices"]) if takes == "text" and "choices" in given else ()
        keyword = next((one for one in node.keywords if one.arg == "default"), None)
        default: Setting | None = Setting(
            takes == "off" if takes in ("on", "off") else None, Origin(span=self._span(node))
        )
        if keyword is not None:
            default = self._literal(keyword.value, keyword)
        variable = "" if keyword is None else self._variable(keyword.value)
        required = (
            "required" in given and isinstance(given["required"], ast.Constant) and given["required"].value is True
        )
        written = keyword.value if keyword is not None else None
        self._add(name, flags, default, takes, written, node, yes, choices)
        kept = self._options[name]
        required = required and flags[:1] != [] and flags[0][:1] == "-"
        kept[-1] = kept[-1]._replace(required=required, variable=variable, counts=takes in ("int", "float"))

    def _variable(self, value: ast.expr) -> str:
        """The variable that a default is: os.environ.get("PRECISION", "bf16"), os.getenv("PRECISION")."""
        if not isinstance(value, ast.Call) or not value.args:
            return ""
        reads = any(one in ("os.environ.get", "os.getenv") for one in self._names.dotted(value.func))
        return (self._names.text(value.args[0]) or "") if reads else ""

    def _choices(self, value: ast.expr) -> tuple[str, ...]:
        """The texts that an option takes; none where they are not written out."""
        texts = [self._names.text(one) for one in value.elts] if isinstance(value, (ast.List, ast.Tuple)) else []
        return tuple(text for text in texts if text is not None) if None not in texts else ()

    def _parameter(self, one: Parameter) -> None:
        """A parameter of a function that fire, typer, click or tyro fills."""
        takes: Takes = "fire" if one.tool == "fire" else "on" if one.switch else _BY_KIND.get(one.kind, "unknown")
        default = None if one.default is None else self._literal(one.default, None)
        self._add(one.name, one.flags, default, takes, one.default, one.node, choices=one.choices)
        kept = self._options[one.name]
        kept[-1] = kept[-1]._replace(variable=one.variable, counts=takes in ("int", "float"))

    def _yes(self, kind: ast.expr | None) -> frozenset[str] | None:
        """The words that a function takes for true: `lambda text: text.lower() in ("yes", "true")`, and no other."""
        body: ast.expr | None = kind.body if isinstance(kind, ast.Lambda) else None
        function = self._functions.get(kind.id) if isinstance(kind, ast.Name) else None
        if function is not None and len(function.body) == 1 and isinstance(function.body[0], ast.Return):
            body = function.body[0].value
        if not isinstance(body, ast.Compare) or len(body.ops) != 1 or not isinstance(body.ops[0], (ast.Eq, ast.In)):
            return None
        lowered, words = body.left, body.comparators[0]
        is_lowered = (
            isinstance(lowered, ast.Call) and isinstance(lowered.func, ast.Attribute) and lowered.func.attr == "lower"
        )
        parts = words.elts if isinstance(words, (ast.Tuple, ast.List, ast.Set)) else [words]
        texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        return frozenset(texts) if is_lowered and len(texts) == len(parts) else None

    def _takes(self, kind: ast.expr | None) -> Takes:
        if kind is None:
            return "text"
        name = ast.unparse(kind).rpartition(".")[2] if isinstance(kind, (ast.Name, ast.Attribute)) else ""
        return "yes" if name.lower() in _YES_OR_NO else _TYPES.get(name, "unknown")

    def _class(self, node: ast.ClassDef) -> None:
        """The fields of a dataclass, each of which HfArgumentParser and its kin make an option."""
        if not _is_dataclass(node):
            return
        derived = any(one in self._derived for base in node.bases for one in last_names(self._names, base))
        by_tyro = node.name in self._filled or node.name in self._nested
        self._has_others |= by_tyro and bool(node.bases)
        for statement in node.body:
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            name, value = statement.target.id, statement.value
            is_given = not isinstance(value, ast.Call)
            if isinstance(value, ast.Call) and (given := _given_default(value)) is not None:
                value, is_given = given, True
            choices = _literals(statement.annotation)
            kind = plain_kind(statement.annotation) if by_tyro else ast.unparse(statement.annotation)
            nested = node.name in self._filled and ast.unparse(statement.annotation) in self._dataclasses
            self._has_others |= by_tyro and not (kind or choices or nested)
            takes: Takes = "text" if choices else "unknown"
            for word, way in (("bool", "yes"), ("int", "int"), ("float", "float"), ("str", "text")):
                if word in kind and not choices:
                    takes = way  # type: ignore[assignment]
                    break
            if by_tyro and not self._configured and is_switch(statement.annotation, value):
                takes = "on"
            counts = ast.unparse(statement.annotation) in _NUMBERS
            default = None if value is None else self._literal(value, None)
            if derived and value is not None and is_given:
                self._fields[name] = self._setting(value, None) if default is None else default
            for prefix in ("", *(f"{one}." for one in self._nested.get(node.name, ()))):
                full = f"{prefix}{name}"
                self._add(full, (f"--{full}",), default, takes, value, statement, choices=choices)
                kept = self._options[full]
                kept[-1] = kept[-1]._replace(counts=counts)

    def _literal(self, value: ast.expr, keyword: ast.keyword | None) -> Setting | None:
        setting = self._setting(value, keyword)
        return setting if isinstance(setting.value, (str, int, float, bool, list, dict, type(None))) else None

    def _add(
        self,
        name: str,
        flags: Sequence[str],
        default: Setting | None,
        takes: Takes,
        written: ast.expr | None,
        node: ast.expr | ast.stmt | ast.arg,
        yes: frozenset[str] | None = None,
        choices: tuple[str, ...] = (),
    ) -> None:
        text = "" if written is None else ast.unparse(written)[:80]
        made = Option(name, tuple(flags), default, takes, text, self._span(node), yes, choices)
        self._options.setdefault(name, []).append(made)


def _given_default(call: ast.Call) -> ast.expr | None:
    """What `field(...)` gives where nobody says; None where it says nothing of that."""
    keywords = {one.arg: one.value for one in call.keywords}
    factory = keywords.get("default_factory")
    if isinstance(factory, ast.Lambda) and not factory.args.args:
        return factory.body
    if isinstance(factory, ast.Name) and factory.id in ("dict", "list"):
        empty = ast.Dict([], []) if factory.id == "dict" else ast.List([], ast.Load())
        return ast.copy_location(empty, factory)
    return keywords.get("default", factory)


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(one) for one in node.decorator_list)


def _literals(annotation: ast.expr) -> tuple[str, ...]:
    """The texts of Literal["te", "ao"]; none where it is anything else."""
    if not isinstance(annotation, ast.Subscript) or not ast.unparse(annotation.value).endswith("Literal"):
        return ()
    parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    texts = [one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return tuple(texts) if len(texts) == len(parts) else ()


def last_names(names: Names, expression: ast.expr) -> Iterator[str]:
    """The last parts of all that an expression may name."""
    return (dotted.rpartition(".")[2] for dotted in names.dotted(expression))


def _given_to(call: ast.Call, name: str) -> list[ast.expr]:
    return [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == name)]


def _value(setting: Setting | None) -> object:
    return None if setting is None else setting.value


def _shallow(statement: ast.stmt) -> Iterator[ast.AST]:
    """What stands in a statement, without the functions in it, which are looked at by themselves."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        yield node
        pending.extend(ast.iter_child_nodes(node))
