"""From a request's body, JSON or multipart, to the check that it asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from fp8check.service.check_request import CheckRequest, File
from fp8check.service.forms import ENOUGH, MACHINE, NAMES, fault, options_of
from fp8check.service.models import MOST_FILES, CheckBody
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue
    from starlette.datastructures import FormData
    from starlette.types import Message, Receive, Scope

    from fp8check.service.options import Options

# What was sent stays in memory, where it is already: a file beside it may find the disk full.
MultiPartParser.spool_max_size = 1 << 62
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_LARGEST_MADE = 4 * 1024 * 1024  # of an object that becomes a text: indentation may make much of little
_NOTHING = "neither a training file, an Accelerate file, a script nor a launch command was sent: a run has one of them"


async def parsed(content_type: str, content: bytes, body_limit: int) -> CheckRequest:
    """The check that a body asks for.

    Raises:
        Problem: the body cannot be read, or does not fit.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return from_json(content)
    if kind in _FORMS:
        return await _from_form(Request(_scope(content_type), _receiving(content)), body_limit)
    raise Problem("media-type", f"the body is {kind[:80] or 'of no Content-Type'}; JSON or multipart/form-data is read")


async def _from_form(request: Request, body_limit: int) -> CheckRequest:
    try:
        async with request.form(max_files=MOST_FILES + len(NAMES) + 1, max_fields=64, max_part_size=body_limit) as form:
            return await from_form(form)
    except MultiPartException as error:
        raise Problem("malformed", error.message) from None


_MOST_TYPED = 256 * 1024


async def typed(content_type: str, content: bytes) -> dict[str, str]:
    """The texts that stood in a form which was refused, by field, to stand there again; files are not among them."""
    if len(content) > _MOST_TYPED:
        return {}
    try:
        async with Request(_scope(content_type), _receiving(content)).form(max_fields=64) as form:
            pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str) and value.strip()]
    except (MultiPartException, UnicodeDecodeError):
        return {}
    return dict(pairs)


def _scope(content_type: str) -> Scope:
    return {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode("latin-1", "replace"))]}


def _receiving(content: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    return receive


def from_json(content: bytes) -> CheckRequest:
    """The check that a JSON body asks for.

    Raises:
        Problem: it is not JSON, or does not fit.
    """
    try:
        body = CheckBody.model_validate_json(content)
    except ValidationError as error:
        raise _invalid(error) from None
    files = [
        File(NAMES[name], text)
        for name in ("training", "accelerate", "script")
        if (text := getattr(body, name)) is not None
    ]
    for name, value in (("deepspeed", body.deepspeed), ("model_config", body.model_config_)):
        if value is not None:
            files.append(File(NAMES[name], _text(value)))
    files.extend(File(file.name, file.text) for file in body.files)
    parts = (body.training, body.accelerate, body.script, body.options.launch or None)
    if not body.files and all(part is None for part in parts):
        raise Problem("no-run", _NOTHING)
    facts = None if body.facts is None else File("facts.json", _text(body.facts))
    return _check_request(files, facts, body.options)


async def from_form(form: FormData) -> CheckRequest:
    """The check that a form asks for, as `curl -F training=@cfg.yaml -F accelerate=@accel.yaml` sends it.

    Raises:
        Problem: a field is not known, or does not fit.
    """
    files: list[File] = []
    facts: File | None = None
    options: list[tuple[str, str]] = []
    machine: dict[str, list[str]] = {}
    enough = False
    for name, value in form.multi_items():
        if name in NAMES or name in ("files", "facts"):
            file = await _file(name, value)
            if name == "facts":
                facts = file or facts
            elif file is not None:
                files.append(file)
                enough = enough or name in ENOUGH
        elif not isinstance(value, str):
            raise fault(name, "this field takes no file")
        elif name in MACHINE:
            machine.setdefault(name, []).append(value.strip())
        else:
            options.append((name, value))
    try:
        chosen = options_of(options)
        if not enough and not chosen.launch:
            raise Problem("no-run", _NOTHING)
        return _check_request(files, _described(machine, facts), chosen)
    except ValidationError as error:
        raise _invalid(error) from None


def _described(machine: Mapping[str, list[str]], facts: File | None) -> File | None:
    """The facts: those that were sent, or what the words of a form come to; None where it has neither."""
    from fp8check.service.machine_words import Words, facts_of  # most requests have none

    words = Words(**{name: "\n".join(filter(None, values)) for name, values in machine.items()})
    if words.is_empty:
        return facts
    if facts is not None:
        raise fault("facts", "facts.json says which GPUs and releases there are: send it, or gpu and stack, not both")
    return facts_of(words)


async def _file(name: str, value: UploadFile | str) -> File | None:
    """A file of a form; None for a field that was left empty."""
    default = NAMES.get(name, "facts.json" if name == "facts" else "file.yaml")
    if isinstance(value, str):
        if name == "files":
            raise fault(name, "takes files: curl -F files=@cfg.yaml")
        # A browser sends each line break of what was typed as two characters, whatever it was (HTML's rule for forms).
        return File(default, value.replace("\r\n", "\n")) if value.strip() else None
    content = await value.read()
    if not content and not value.filename:
        return None
    shown = _shown(value.filename) or default
    if name == "script" and not shown.endswith(".py"):
        shown += ".py"
    return File(shown, content.decode("utf-8", "surrogateescape"))


def _shown(name: str | None) -> str:
    """The last part of a file's name, without what cannot be shown."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in last if char.isprintable())[:255]


def _check_request(files: list[File], facts: File | None, options: Options) -> CheckRequest:
    if len(files) > MOST_FILES + len(NAMES):
        raise Problem("no-run", f"more than {MOST_FILES} files were sent")
    return CheckRequest(_distinct(files), facts, options)


def _distinct(files: list[File]) -> tuple[File, ...]:
    """The files under names of their own: a report tells them apart by name."""
    taken: set[str] = set()
    result = []
    for file in files:
        name, number = file.name, 1
        while name in taken:
            number += 1
            name = f"{number}-{file.name}"
        taken.add(name)
        result.append(File(name, file.text))
    return tuple(result)


def _text(value: str | dict[str, JsonValue]) -> str:
    if isinstance(value, str):
        return value
    text = json.dumps(value, indent=2)
    if len(text) > _LARGEST_MADE:
        raise Problem("too-large", "an object of the body is too large, written as a file; send the file's text")
    return text


def _invalid(error: ValidationError) -> Problem:
    """The faults of a body, by field. What was sent is not repeated: it may be a secret."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    if any(fault["type"] == "json_invalid" for fault in faults):
        return Problem("malformed", f"the body is not JSON: {faults[0]['msg'].removeprefix('Invalid JSON: ')}")
    errors = [{"field": _pointer(fault["loc"]), "message": fault["msg"]} for fault in faults[:20]]
    return Problem("invalid", f"{errors[0]['field'] or 'the body'}: {errors[0]['message']}", errors=errors)


def _pointer(place: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part)[:80].replace("~", "~0").replace("/", "~1") for part in place)
