"""New inputs from old ones: a change or some in the terms of what a text is (YAML lines, a JSON tree, words), or bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.tools.fuzz import vocabulary
from tests.tools.fuzz.cases import decoded, encoded

if TYPE_CHECKING:
    from random import Random

    from tests.tools.fuzz.cases import Case

LARGEST = 20_000  # characters of a text: what is larger is for tests of its own
JSON_FORMS: tuple[Mapping[str, Any], ...] = ({}, {"indent": 2}, {"indent": "\t"}, {"ensure_ascii": False})


class Mutator:
    """Makes new cases.

    Args:
        parts: what each text of a case is: a name of KINDS, or the words to choose from.
        pool: the cases to begin from; it may grow.
    """

    def __init__(self, chance: Random, parts: Mapping[str, str | Sequence[str]], pool: list[Case]) -> None:
        self._chance = chance
        self._parts = parts
        self._names = list(parts)
        self._pool = pool

    def make(self) -> Case:
        """A new case."""
        chance = self._chance
        # Half of them from those that were found last, which reached something new.
        recent = self._pool[-200:] if chance.random() < 0.5 else self._pool
        return self.changed(chance.choice(recent))

    def changed(self, case: Case) -> Case:
        """A case with some changes."""
        case = dict(case)
        for _ in range(_few(self._chance)):
            self._change(case)
        return case

    def _change(self, case: Case) -> None:
        chance, names = self._chance, [name for name in self._names if name in case]
        choice = chance.random()
        if not names or choice < 0.12:
            name = chance.choice(self._names)
            kind = self._parts[name]
            other = chance.choice(self._pool).get(name)
            if other is not None:
                case[name] = other
            elif not isinstance(kind, str):
                case[name] = chance.choice(kind)
            elif name in case:
                del case[name]
            else:
                case[name] = KINDS[kind]("", chance, "")[:LARGEST]
            return
        name = chance.choice(names)
        kind = self._parts[name]
        if not isinstance(kind, str):
            case[name] = chance.choice(kind)
            return
        other = chance.choice(self._pool).get(name, "")
        change = KINDS[kind] if choice < 0.88 else pieces if choice < 0.95 else binary
        case[name] = change(case[name], chance, other)[:LARGEST]


def _few(chance: Random) -> int:
    """One mostly, sometimes more."""
    number = 1
    while number < 12 and chance.random() < 0.45:
        number += 1
    return number


_LONG = (*vocabulary.HOSTILE, *vocabulary.SECRETS)


def pieces(text: str, chance: Random, _other: str) -> str:
    """Some characters inserted, removed, replaced."""
    place = chance.randrange(len(text) + 1)
    if chance.random() < 0.1:
        return text[:place] + chance.choice(_LONG) + text[place:]
    return text[:place] + chance.choice(vocabulary.PIECES) + text[place + chance.choice((0, 0, 1, 3)) :]


def binary(text: str, chance: Random, _other: str) -> str:
    """Some bytes replaced."""
    data = bytearray(encoded(text))
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data) + 1)
        data[place : place + chance.choice((0, 1, 2))] = bytes((chance.randrange(256),))
    return decoded(bytes(data))


def yaml(text: str, chance: Random, other: str) -> str:
    """A change of a YAML file by its lines."""
    if chance.random() < 0.05:
        return _breaks(text, chance)
    every = text.split("\n")
    at = chance.randrange(len(every))
    if chance.random() < 0.5:
        every[at] = _entry(every[at], chance)
    else:
        chance.choice(_MOVES)(every, at, chance, other)
    return "\n".join(every)


def _entry(line: str, chance: Random) -> str:
    """An entry with another value, key or type."""
    body = line.lstrip(" ")
    indent = line[: len(line) - len(body)]
    key, colon, value = body.partition(": ")
    choice = chance.randrange(10)
    if choice < 4:
        return f"{indent}{key if colon else body.rstrip(':')}: {chance.choice(vocabulary.yaml_values())}"
    if choice == 4:
        return f"{indent}{chance.choice(vocabulary.keys())}:{' ' if colon else ''}{value}"
    if choice == 5:
        return f"{indent}{misspelt(key, chance)}{colon}{value}"
    if choice == 6:
        return f"{line}  {_comment(chance)}"
    return indent + _typed(key, value if colon else "", chance)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]


def _twice(every: list[str], at: int, chance: Random, _other: str) -> None:
    every.insert(chance.randrange(len(every) + 1), every[at])


def _lost(every: list[str], at: int, _chance: Random, _other: str) -> None:
    del every[at]


def _swapped(every: list[str], at: int, chance: Random, _other: str) -> None:
    to = chance.randrange(len(every))
    every[at], every[to] = every[to], every[at]


def _values_swapped(every: list[str], at: int, chance: Random, _other: str) -> None:
    to = chance.randrange(len(every))
    key, _, value = every[at].partition(": ")
    left, there, right = every[to].partition(": ")
    if there:
        every[at], every[to] = f"{key}: {right}", f"{left}: {value}"


def _indented(every: list[str], at: int, chance: Random, _other: str) -> None:
    step = chance.choice(("  ", "    ", "\t", " "))
    end = at + chance.randint(1, 4)
    out = chance.random() < 0.4
    every[at:end] = [one.removeprefix(step) if out else step + one for one in every[at:end]]


def _one_more(every: list[str], at: int, chance: Random, _other: str) -> None:
    entry = f"{chance.choice(vocabulary.keys())}: {chance.choice(vocabulary.yaml_values())}"
    every.insert(at, _indent(every[at]) + entry)


def _commented(every: list[str], at: int, chance: Random, _other: str) -> None:
    every.insert(at, _indent(every[at]) + _comment(chance))


def _grafted(every: list[str], at: int, chance: Random, other: str) -> None:
    others = other.split("\n")
    begin = chance.randrange(len(others))
    every[at:at] = others[begin : begin + chance.randint(1, 6)]


def _structured(every: list[str], at: int, chance: Random, _other: str) -> None:
    pieces_ = ("<<: *a", "<<: {fp16: true}", "a: &a", "? a", "---", "...", "%YAML 1.1", "- x", "&a")
    every.insert(at, _indent(every[at]) + chance.choice(pieces_))


_MOVES: Sequence[Callable[[list[str], int, Random, str], None]] = (
    *(_twice, _lost, _swapped, _values_swapped, _indented, _one_more, _one_more, _commented, _grafted, _structured),
)


def _typed(key: str, value: str, chance: Random) -> str:
    value = value or "x"
    forms = (
        f"{key}: [{value}]",
        f"{key}: {{{value}: {value}}}",
        f"{key}: '{value}'",
        f'{key}: "{value}"',
        f"{key}: !!str {value}",
        f"{key}: !!int {value}",
        f"{key}: &a {value}",
        f"{key}: *a",
        f"{key}: |\n    {value}",
        f"{key}: >-\n    {value}",
        f"? {key}\n: {value}",
        f"'{key}': {value}",
        f"!!str {key}: {value}",
        f"{key}:\n  {key}: {value}",
        f"{key}:\n- {value}",
        f"{{{key}: {value}}}",
        f"[{key}]: {value}",
        f"{key} : {value} # {value}",
        f"{key}:",
        f"<<: {{{key}: {value}}}",
    )
    return chance.choice(forms)


def _comment(chance: Random) -> str:
    names = ", ".join(chance.choice(vocabulary.rules()) for _ in range(chance.randint(1, 3)))
    reason = chance.choice(
        ("known", "", f"until={chance.choice(vocabulary.DAYS)} later", chance.choice(vocabulary.HOSTILE))
    )
    word = chance.choice(("ignore", "ignore", "ignore", "ignore-file", "ignor", "", "ignore-file"))
    return chance.choice(
        (f"# fp8check: {word}[{names}] {reason}", f"# fp8check: {word} {names}", f"# {reason}", "#fp8check:")
    )


def _breaks(text: str, chance: Random) -> str:
    choice = chance.randrange(6)
    if choice == 0:
        return text.replace("\n", "\r\n")
    if choice == 1:
        return text.replace("\n", "\r")
    if choice == 2:
        return "\ufeff" + text
    if choice == 3:
        return text + "---\n" + text
    if choice == 4:
        return text.rstrip("\n")
    return text.replace("\n", chance.choice(("\x85", "\u2028", "\n\n", " \n", "\t\n")), 1)


def misspelt(word: str, chance: Random) -> str:
    """A word with a letter lost, doubled or swapped, or written otherwise."""
    place = chance.randrange(len(word)) if word else 0
    choice = chance.randrange(6)
    if choice == 0:
        return word[:place] + word[place + 1 :]
    if choice == 1:
        return word[: place + 1] + word[place:]
    if choice == 2:
        return word[:place] + word[place + 1 : place + 2] + word[place : place + 1] + word[place + 2 :]
    if choice == 3:
        return word.upper() if chance.random() < 0.5 else word.title()
    return word.replace("_", "-") if choice == 4 else word.replace("_", "", 1)


def json_(text: str, chance: Random, other: str) -> str:
    """A change of a JSON file by its tree."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return pieces(text, chance, other) if text else json.dumps(chance.choice(vocabulary.JSON_VALUES))
    places = list(_places(tree))
    if not places or chance.random() < 0.02:
        tree = chance.choice(vocabulary.JSON_VALUES)
    else:
        _change_tree(chance.choice(places), chance, other)
    if chance.random() < 0.02:
        for _ in range(chance.choice((5, 60, 200))):
            tree = [tree] if chance.random() < 0.5 else {"a": tree}
    try:
        made = json.dumps(tree, **chance.choice(JSON_FORMS))
    except RecursionError:
        return text
    if chance.random() < 0.05:  # what is said twice
        place = made.find(", ")
        made = made[: place + 2] + made[1:place] + made[place:] if place > 0 and made[0] == "{" else made
    return made


def _places(tree: object) -> Any:
    """The containers and their keys."""
    pending = [tree]
    while pending:
        one = pending.pop()
        for key, value in one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ():
            yield one, key
            pending.append(value)


def _change_tree(place: tuple[Any, Any], chance: Random, other: str) -> None:
    one, key = place
    choice = chance.randrange(10)
    if choice < 4:
        one[key] = chance.choice(vocabulary.JSON_VALUES)
    elif choice == 4:
        one[key] = chance.choice(({"a": one[key]}, [one[key]], str(one[key]), repr(one[key]), not one[key]))
    elif choice == 5:
        del one[key]
    elif choice == 6 and isinstance(one, dict):
        one[misspelt(str(key), chance)] = one.pop(key)
    elif choice == 7 and isinstance(one, dict):
        one[chance.choice(vocabulary.keys())] = chance.choice(vocabulary.JSON_VALUES)
    elif choice == 8 and isinstance(one, list):
        one.append(one[key])
    elif choice == 9 and other:
        try:
            donor = list(_places(json.loads(other)))
        except (ValueError, RecursionError):
            return
        if donor:
            there, name = chance.choice(donor)
            one[key] = there[name]
    else:
        one[key] = chance.choice(vocabulary.HOSTILE)


def python(text: str, chance: Random, other: str) -> str:
    """A change of a Python script by its lines and words."""
    every = text.split("\n")
    at = chance.randrange(len(every))
    choice = chance.randrange(10)
    if choice < 3:
        every.insert(at, chance.choice(("", "    ", "        ")) + chance.choice(vocabulary.SNIPPETS))
    elif choice < 7:
        chance.choice((_twice, _lost, _swapped, _indented, _grafted))(every, at, chance, other)
    elif choice == 7:
        every[at] = _word(every[at], chance)
    elif choice == 8:
        name, equals, value = every[at].partition("=")
        wrapped = chance.choice(_WRAPPED)
        every[at] = f"{name}={wrapped.format(value)}" if equals else wrapped.format(every[at])
    else:
        return pieces(text, chance, other)
    return "\n".join(every)


def shell(text: str, chance: Random, other: str) -> str:
    """A change of a shell script by its lines and words."""
    every = text.split("\n")
    at = chance.randrange(len(every))
    choice = chance.randrange(10)
    if choice < 4:
        every.insert(at, chance.choice(vocabulary.SHELL))
    elif choice < 6:
        chance.choice((_twice, _lost, _swapped, _grafted))(every, at, chance, other)
    elif choice < 9:
        every[at] = launch(every[at], chance, chance.choice(vocabulary.SHELL))
    else:
        return pieces(text, chance, other)
    return "\n".join(every)


_WRAPPED = ("({0})", "[{0}]", "f'{{{0}}}'", "{0} if x else {0}", "(yield {0})", "lambda: {0}", "{0}[0].x", "not {0}")
_TOKENS = (
    *("'fp8'", "'bf16'", "None", "True", "...", "1e999", "9" * 5000, "b'\\xff'", "'\\ud800'", "f'{x}'", "*", "**", "x", "(", ")"),
    *("[", "]", ":", "=", ",", ".", "lambda", "if", "await", "yield", "Accelerator", "prepare", "os.environ", "'::error::x'"),
    *("'\\x1b[31m'", "TERecipeKwargs(margin=-1)", "AORecipeKwargs(config=c)", "@", "->", ":=", "not", "in", "1_0", "0x_f", "é"),
)  # fmt: skip


def _word(line: str, chance: Random) -> str:
    words = line.split(" ")
    words[chance.randrange(len(words))] = chance.choice(_TOKENS)
    return " ".join(words)


def launch(text: str, chance: Random, other: str) -> str:
    """A change of a command line by its words."""
    words = text.split(" ") if text else []
    at = chance.randrange(len(words) + 1)
    choice = chance.randrange(8)
    if choice < 3 or not words:
        words.insert(at, chance.choice(vocabulary.words()))
    elif choice == 3:
        words[at - 1] = chance.choice(vocabulary.words())
    elif choice == 4:
        del words[at - 1]
    elif choice == 5:
        words.insert(at, words[at - 1])
    elif choice == 6 and other:
        others = other.split(" ")
        begin = chance.randrange(len(others))
        words[at:at] = others[begin : begin + 3]
    else:
        return pieces(text, chance, other)
    return " ".join(words)


def words(text: str, chance: Random, other: str) -> str:
    """A change of a command's words, which are parted by a character that none of them has."""
    return launch(text.translate(_PARTED), chance, other.translate(_PARTED)).translate(_SPACED)


_PARTED = {ord(" "): "\x1e", 0x1F: " "}
_SPACED = {ord(" "): "\x1f", 0x1E: " "}


def lines(text: str, chance: Random, other: str) -> str:
    """A change of NAME=VALUE lines, or of any others."""
    every = text.split("\n")
    at = chance.randrange(len(every))
    choice = chance.randrange(5)
    name = every[at].partition("=")[0]
    if choice == 0:
        every[at] = f"{name}={chance.choice(vocabulary.yaml_values())}"
    elif choice == 1:
        every.insert(at, f"{chance.choice(_NAMES)}={chance.choice(('0', '1', 'fp8', '', 'x y'))}")
    elif choice == 2:
        del every[at]
    elif choice == 3 and other:
        every[at:at] = other.split("\n")[:2]
    else:
        return pieces(text, chance, other)
    return "\n".join(every)


_NAMES = (
    *("ACCELERATE_MIXED_PRECISION", "ACCELERATE_FP8_BACKEND", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVTE_DEBUG"),
    *("FP8_FORMAT", "FP8_BACKEND", "LD_LIBRARY_PATH", "HF_HOME", "NVTE_FLASH_ATTN", "ACCELERATE_USE_FSDP", "WORLD_SIZE", ""),
    *("FSDP_VERSION", "FORCE_TORCHRUN", "USE_RAY", "TORCHDYNAMO_DISABLE", "XDG_CACHE_HOME", "HF_TOKEN", "A=B", "\x1b[31m"),
)  # fmt: skip


def toml(text: str, chance: Random, other: str) -> str:
    """A change of a TOML file by its lines."""
    every = text.split("\n")
    at = chance.randrange(len(every))
    key = every[at].partition("=")[0].strip()
    choice = chance.randrange(8)
    if choice < 3:
        every[at] = f"{key or 'select'} = {chance.choice(_TOML_VALUES)}"
    elif choice == 3:
        every.insert(at, chance.choice(_TOML_LINES))
    elif choice == 4:
        every.insert(chance.randrange(len(every) + 1), every[at])
    elif choice == 5:
        del every[at]
    elif choice == 6 and other:
        others = other.split("\n")
        begin = chance.randrange(len(others))
        every[at:at] = others[begin : begin + 4]
    else:
        return pieces(text, chance, other)
    return "\n".join(every)


_TOML_VALUES = (
    *("true", "1", "-1.5e3", "inf", "nan", '""', '"error"', "'never'", "2027-03-31", "07:32:00", "1979-05-27T00:32:00Z", "[]"),
    *("[1]", '["FP1"]', '["FP000"]', "{}", '{a = "b"}', '["x.yaml", "\\u202e"]', '"\\u001b[31m"', '"a\\n::error::b"', '"""\nx\n"""'),
    *('"train.yaml"', "[[1]]", "9" * 5000, "0x1F", '"/dev/zero"', '["*"]', '["["]', '["../*"]', '"2027-02-30"'),
)  # fmt: skip
_TOML_LINES = (
    *("[[run]]", "[[suppress]]", "[run]", "[suppress]", "[tool.fp8check]", "[[tool.fp8check.run]]", 'fail-on = "warning"'),
    *('select = ["FP1"]', 'ignore = ["FP402"]', 'plugins = ["acme"]', 'baseline = "b.json"', 'files = ["train.yaml"]'),
    *('launch = "accelerate launch train.py"', 'trainer = "trl"', 'facts = "f.json"', 'rules = ["FP402"]', 'reason = "x"'),
    *("until = 2027-03-31", 'python = "./evil"', '"fail-on" = "x"', "a.b.c = 1", "# comment", "fail_on = 1", '"" = 1'),
)  # fmt: skip

_HEADERS = (
    *("content-type: application/json", "content-type: multipart/form-data; boundary=x", "content-type: text/plain"),
    *("content-type: multipart/form-data", "content-type: application/json; charset=utf-16", "accept: text/html", "accept: *"),
    *("accept: application/sarif+json;q=0.2, text/*;q=x", "accept: nothing/here", "x-request-id: \x1b[31m", "prefer: wait=1"),
    *("host: evil.example", "origin: http://evil.example", "sec-fetch-site: cross-site", "authorization: Bearer x"),
    *("content-length: 5", "content-length: -1", "transfer-encoding: chunked", "idempotency-key: x", "cookie: a=b", "range: x"),
    *("x-forwarded-for: 1.2.3.4", "x-forwarded-host: evil", "forwarded: for=1.2.3.4", "if-none-match: *", "content-encoding: br"),
)  # fmt: skip
_PATHS = (
    *("format=json", "format=nothing", "format=", "limit=1", "limit=-1", "limit=9999999999999999999999", "verdict=fail"),
    *("before=x", "share=%00", "cursor=\u202e", "a=b&a=c", "/check", "/checks", "/jobs", "/rules", "/problems", "/static"),
    *("..", "%2e%2e%2f", "//", "\x00", "\u00e9", "FP101", "openapi.json", "?", "&", "=", "%", "#", ";", "x" * 3000),
)  # fmt: skip


def headers(text: str, chance: Random, other: str) -> str:
    """A change of the headers of a request."""
    every = text.split("\n") if text else []
    if chance.random() < 0.5 or not every:
        every.append(chance.choice(_HEADERS))
        return "\n".join(every)
    return pieces(text, chance, other)


def path(text: str, chance: Random, other: str) -> str:
    """A change of the target of a request."""
    if chance.random() < 0.6:
        return text + chance.choice(("", "?", "&", "/")) + chance.choice(_PATHS)
    return pieces(text, chance, other)


def body(text: str, chance: Random, other: str) -> str:
    """A change of a body, JSON or multipart."""
    if text.startswith("{"):
        return json_(text, chance, other)
    if chance.random() < 0.5:
        return yaml(text, chance, other)
    begin = text.find("; ")
    if begin < 0 or chance.random() < 0.3:
        return pieces(text, chance, other)
    return text[:begin] + chance.choice(_FIELDS) + text[text.find("\r\n", begin) :]


_FIELDS = tuple(
    f'; name="{name}"{more}'
    for name in (
        "training",
        "files",
        "facts",
        "launch",
        "variable",
        "select",
        "quiet",
        "nothing",
        "",
        "fail_on",
        "script",
    )
    for more in (
        "",
        '; filename="x.yaml"',
        '; filename=""',
        "; filename*=utf-8''%E2%80%AE.yaml",
        '; filename="../\x1b[31m"',
    )
)
KINDS: Mapping[str, Callable[[str, Random, str], str]] = {
    "yaml": yaml,
    "json": json_,
    "python": python,
    "shell": shell,
    "launch": launch,
    "words": words,
    "lines": lines,
    "toml": toml,
    "binary": binary,
    "pieces": pieces,
    "headers": headers,
    "path": path,
    "body": body,
}
