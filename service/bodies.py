"""From a request's body, JSON or multipart, to the question it asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from starlette.datastructures import UploadFile

from fp8check.service.check_request import NAMES, CheckRequest, File
from fp8check.service.models import MOST_FILES, CheckBody, Options
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

# Fields of a form that are options, and those of them that may be repeated or hold several names.
_SWITCHES = ("probe", "environment", "require_evidence", "color", "quiet", "verbose")
# A DeepSpeed file, a model or a script alone make up no run.
_ENOUGH = ("training", "accelerate", "files")
_NOTHING = "neither a training file nor an Accelerate file was sent: a run has one of them, or both"
_LISTS = ("select", "ignore")


async def question_of(request: Request, body_limit: int) -> CheckRequest:
    """What the request asks.

    Raises:
        Problem: the body cannot be read, or does not fit.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return from_json(await request.body())
    if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        async with request.form(max_files=MOST_FILES + len(NAMES) + 1, max_fields=64, max_part_size=body_limit) as form:
            return await from_form(form)
    raise Problem("media-type", f"the body is {kind[:80] or 'of no Content-Type'}; JSON or multipart/form-data is read")


def from_json(body: bytes) -> CheckRequest:
    """The question in a JSON body.

    Raises:
        Problem: it is not JSON, or does not fit.
    """
    try:
        asked = CheckBody.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from None
    files = [
        File(NAMES[name], text)
        for name in ("training", "accelerate", "script")
        if (text := getattr(asked, name)) is not None
    ]
    for name, value in (("deepspeed", asked.deepspeed), ("model_config", asked.model_config_)):
        if value is not None:
            files.append(File(NAMES[name], _text(value)))
    files.extend(File(file.name, file.text) for file in asked.files)
    if asked.training is None and asked.accelerate is None and not asked.files:
        raise Problem("no-run", _NOTHING)
    facts = None if asked.facts is None else File("facts.json", _text(asked.facts))
    return _question(tuple(files), facts, asked.options)


async def from_form(form: FormData) -> CheckRequest:
    """The question in a form, as `curl -F training=@cfg.yaml -F accelerate=@accel.yaml` sends it.

    Raises:
        Problem: a field is not known, or does not fit.
    """
    files: list[File] = []
    facts: File | None = None
    options: dict[str, Any] = {}
    enough = False
    for name, value in form.multi_items():
        if name in NAMES or name in ("files", "facts"):
            file = await _file(name, value)
            if name == "facts":
                facts = file or facts
            elif file is not None:
                files.append(file)
                enough = enough or name in _ENOUGH
        elif isinstance(value, str):
            _option(options, name, value)
        else:
            raise _fault(name, "this field takes no file")
    if not enough:
        raise Problem("no-run", _NOTHING)
    try:
        return _question(tuple(files), facts, Options.model_validate(options))
    except ValidationError as error:
        raise _invalid(error) from None


async def _file(name: str, value: UploadFile | str) -> File | None:
    """A file of a form; None for a field that was left empty."""
    default = NAMES.get(name, "facts.json" if name == "facts" else "file.yaml")
    if isinstance(value, str):
        if name == "files":
            raise _fault(name, "takes files: curl -F files=@cfg.yaml")
        return File(default, value) if value.strip() else None
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


def _option(options: dict[str, Any], name: str, value: str) -> None:
    if name in _LISTS:
        options.setdefault(name, []).extend(part.strip() for part in value.split(",") if part.strip())
    elif name == "variable":
        key, equals, text = value.partition("=")
        if not equals or not key:
            raise _fault(name, "takes NAME=VALUE")
        options.setdefault("variables", {})[key] = text
    elif name in _SWITCHES:
        options[name] = {"on": True, "true": True, "1": True, "false": False, "0": False, "off": False}.get(
            value.lower(), value
        )
    elif value:
        options[name] = value


def _question(files: tuple[File, ...], facts: File | None, options: Options) -> CheckRequest:
    if len(files) > MOST_FILES + len(NAMES):
        raise Problem("no-run", f"more than {MOST_FILES} files were sent")
    return CheckRequest(
        files=_distinct(files),
        facts=facts,
        environment=options.environment,
        launch=options.launch,
        trainer=options.trainer,
        variables=tuple(options.variables.items()),
        select=tuple(name.upper() for name in options.select),
        ignore=tuple(name.upper() for name in options.ignore),
        fail_on=options.fail_on,
        require_evidence=options.require_evidence,
        color=options.color,
        quiet=options.quiet,
        verbose=options.verbose,
        probe=options.probe,
    )


def _distinct(files: tuple[File, ...]) -> tuple[File, ...]:
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


def _text(value: str | dict[str, Any]) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2)


def _fault(field: str, message: str) -> Problem:
    return Problem("invalid", f"{field[:80]}: {message}", errors=[{"field": f"/{field[:80]}", "message": message}])


def _invalid(error: ValidationError) -> Problem:
    """The faults of a body, by field. What was sent is not repeated: it may be a secret."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    if any(fault["type"] == "json_invalid" for fault in faults):
        return Problem("malformed", f"the body is not JSON: {faults[0]['msg'].removeprefix('Invalid JSON: ')}")
    errors = [{"field": _pointer(fault["loc"]), "message": fault["msg"]} for fault in faults[:20]]
    return Problem("invalid", f"{errors[0]['field'] or 'the body'}: {errors[0]['message']}", errors=errors)


def _pointer(place: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part)[:80].replace("~", "~0").replace("/", "~1") for part in place)
