"""Facts in a file: `fp8check env --json > facts.json` on one machine, `--facts facts.json` on another."""

from __future__ import annotations

import json

from fp8check.rules.credentials import MASK, is_secret
from fp8check.rules.facts.data import Facts, Gpu
from fp8check.rules.facts.errors import BadFacts
from fp8check.rules.reading import Unreadable, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "fp8check/facts/1"

# More than any real facts.json by far; a hostile file must not fill the memory.
LARGEST_FILE = 4 * 1024 * 1024
_LONGEST_TEXT = 10_000
_WRITES_ONE = "this is no facts.json: `fp8check env --json > facts.json` on the GPU node writes one"
_LARGEST_NUMBER = 2**53
_LONGEST_MS = 10_000
_MOST_DIGITS = 3  # of a number in a compute capability

# Not what tells of a check, rather than of a machine.
_KEYS = tuple(name for name in Facts.fields if name not in ("source", "path", "machines", "unseen"))


def load(path: str) -> Facts:
    """Read saved facts.

    Raises:
        BadFacts: the file cannot be read, or is not a facts.json of this schema.
    """
    try:
        content = files.read(path, LARGEST_FILE)
    except Unreadable as error:
        more = ": this is not a facts.json" if error.reason == "large" else ""
        raise BadFacts(path, error.message + more) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFacts(path, f"not UTF-8 at byte {error.start}") from error
    return loads(text, path)


def loads(text: str, path: str = "facts.json") -> Facts:
    """Read saved facts from text; `path` is for the messages.

    Raises:
        BadFacts: it is not a facts.json of this schema.
    """
    return from_data(_Reader(path).parse(text), path)


def from_data(content: Mapping[str, object], path: str = "facts.json") -> Facts:
    """Saved facts from parsed JSON; `path` is for the messages.

    Raises:
        BadFacts: it is not that of a facts.json of this schema.
    """
    reader = _Reader(path)
    schema = content.get("schema")
    if schema != SCHEMA:
        hint = _WRITES_ONE if schema is None else ""
        raise BadFacts(path, f"the schema must be {SCHEMA!r}, not {_shown(schema)}", "/schema", hint=hint)
    notes = reader.texts(content.get("notes", []), "/notes")
    unread = sorted(set(content) - {*_KEYS, "schema"})
    notes += [f"{path}: the key {_shown(key)} is not known and was not read" for key in unread[:10]]
    return Facts(
        python=reader.text_or_none(content.get("python"), "/python"),
        packages=reader.versions(content.get("packages"), "/packages"),
        variables=reader.variables(content.get("variables")),
        gpus=reader.gpus(content.get("gpus")),
        driver=reader.text_or_none(content.get("driver"), "/driver"),
        cuda=reader.versions(content.get("cuda"), "/cuda"),
        libraries=reader.versions(content.get("libraries"), "/libraries"),
        transformer_engine=reader.engine(content.get("transformer_engine")),
        duplicates=reader.duplicates(content.get("duplicates")),
        launch_ms=reader.milliseconds(content.get("launch_ms"), "/launch_ms"),
        host=reader.text_or_none(content.get("host"), "/host"),
        collected=reader.day_or_none(content.get("collected"), "/collected"),
        notes=tuple(notes),
        source="file",
        path=path,
    )


def dump(facts: Facts) -> str:
    """The facts as JSON text, in an order that does not change; what is unknown is left out."""
    return json.dumps(as_data(facts), indent=2, ensure_ascii=False) + "\n"


def as_data(facts: Facts) -> dict[str, object]:
    """The facts as plain data, as facts.json has them."""
    content: dict[str, object] = {"schema": SCHEMA}
    for key in _KEYS:
        value = getattr(facts, key)
        if key == "gpus" and value is not None:
            content[key] = [{name: part for name, part in gpu.as_dict().items() if part is not None} for gpu in value]
        elif key == "notes":
            content.update({key: [*facts.notes]} if facts.notes else {})
        elif key == "variables" and value is not None:
            content[key] = {name: MASK if is_secret(name, value[name]) else value[name] for name in sorted(value)}
        elif isinstance(value, dict):
            content[key] = dict(sorted(value.items()))
        elif value is not None:
            content[key] = value
    return content


class _Reader:
    """Takes typed values out of parsed JSON, and names the place of the first that does not fit."""

    def __init__(self, path: str) -> None:
        self._path = path

    def _fail(self, expected: str, value: object, pointer: str) -> BadFacts:
        return BadFacts(self._path, f"expected {expected}, not {_shown(value)}", pointer)

    def parse(self, text: str) -> Mapping[str, object]:
        try:
            content = json.loads(text, object_pairs_hook=self._no_duplicates)
        except json.JSONDecodeError as error:
            message = f"not JSON: {error.msg}"
            raise BadFacts(self._path, message, line=error.lineno, column=error.colno, hint=_WRITES_ONE) from error
        except RecursionError as error:
            raise BadFacts(self._path, "nested too deeply") from error
        except BadFacts:
            raise
        except ValueError as error:  # a number with more digits than Python converts
            raise BadFacts(self._path, f"not readable: {error}") from error
        return self._mapping(content, "")

    def _no_duplicates(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        content = dict(pairs)
        if len(content) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadFacts(self._path, f"the key {_shown(twice)} occurs twice in one object")
        return content

    def _mapping(self, value: object, pointer: str) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self._fail("an object", value, pointer)
        return value

    def _list(self, value: object, pointer: str) -> list[object]:
        if not isinstance(value, list):
            raise self._fail("a list", value, pointer)
        return value

    def _text(self, value: object, pointer: str) -> str:
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise self._fail("a text", value, pointer)
        return value

    def text_or_none(self, value: object, pointer: str) -> str | None:
        return None if value is None else self._text(value, pointer)

    def day_or_none(self, value: object, pointer: str) -> str | None:
        if value is None:
            return None
        text = self._text(value, pointer)
        try:
            from datetime import date

            if len(text) == len("2026-01-31") and date.fromisoformat(text):
                return text
        except ValueError:
            pass
        raise self._fail("a day like 2026-01-31", value, pointer)

    def texts(self, value: object, pointer: str) -> list[str]:
        return [self._text(item, f"{pointer}/{index}") for index, item in enumerate(self._list(value, pointer))]

    def milliseconds(self, value: object, pointer: str) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _LONGEST_MS:
            raise self._fail(f"milliseconds, above 0 and up to {_LONGEST_MS:,}", value, pointer)
        return float(value)

    def _number(self, value: object, pointer: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_NUMBER:
            raise self._fail("a whole number from 0", value, pointer)
        return value

    def _number_or_none(self, value: object, pointer: str) -> int | None:
        return None if value is None else self._number(value, pointer)

    def _bool_or_none(self, value: object, pointer: str) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        raise self._fail("true, false or null", value, pointer)

    def versions(self, value: object, pointer: str) -> dict[str, str | None] | None:
        if value is None:
            return None
        items = self._mapping(value, pointer).items()
        return {name: self.text_or_none(version, _below(pointer, name)) for name, version in items}

    def variables(self, value: object) -> dict[str, str] | None:
        if value is None:
            return None
        items = self._mapping(value, "/variables").items()
        return {name: self._text(text, _below("/variables", name)) for name, text in items}

    def duplicates(self, value: object) -> dict[str, list[str]] | None:
        if value is None:
            return None
        items = self._mapping(value, "/duplicates").items()
        return {name: self.texts(found, _below("/duplicates", name)) for name, found in items}

    def gpus(self, value: object) -> list[Gpu] | None:
        if value is None:
            return None
        return [self._gpu(item, f"/gpus/{place}") for place, item in enumerate(self._list(value, "/gpus"))]

    def _gpu(self, value: object, pointer: str) -> Gpu:
        parts = self._mapping(value, pointer)
        capability = self._text(parts.get("compute_capability"), f"{pointer}/compute_capability")
        if [part.isdecimal() and len(part) <= _MOST_DIGITS for part in capability.split(".")] != [True, True]:
            raise self._fail('a compute capability like "9.0"', capability, f"{pointer}/compute_capability")
        return Gpu(
            index=self._number(parts.get("index"), f"{pointer}/index"),
            name=self._text(parts.get("name"), f"{pointer}/name"),
            compute_capability=capability,
            memory_mib=self._number_or_none(parts.get("memory_mib"), f"{pointer}/memory_mib"),
            mig=self._bool_or_none(parts.get("mig"), f"{pointer}/mig"),
            sm_mhz=self._number_or_none(parts.get("sm_mhz"), f"{pointer}/sm_mhz"),
            memory_mhz=self._number_or_none(parts.get("memory_mhz"), f"{pointer}/memory_mhz"),
            power_w=self._number_or_none(parts.get("power_w"), f"{pointer}/power_w"),
        )

    def engine(self, value: object) -> dict[str, object] | None:
        if value is None:
            return None
        place = "/transformer_engine"
        parts: dict[str, object] = {}
        for key, part in self._mapping(value, place).items():
            pointer = _below(place, key)
            if key == "imports":
                parts[key] = self._bool_or_none(part, pointer)
            elif key == "core":
                parts[key] = self.versions(part, pointer)
            else:
                parts[key] = self.text_or_none(part, pointer)
        return parts


def _below(pointer: str, name: str) -> str:
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"


def _shown(value: object) -> str:
    """The value for a message: short, whatever it is."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
