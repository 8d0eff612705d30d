"""Families of requests that grow by one number: bodies, fields of a form, headers and addresses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.tools.families import ACCELERATE, FACTS, TRAINING, Case, Family, Request, words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

JSON = ("content-type", "application/json")
RUN = {"training": TRAINING, "accelerate": ACCELERATE}
BOUNDARY = "----fp8check"
INLINE = 16 * 1024  # _LARGEST_PARSED_INLINE of service/check_service.py


def asked(case: Case) -> Request | None:
    """The check of a case as a request; None where the service does not take what the command takes."""
    if case.request is not None:
        return case.request
    words_ = [*case.options]
    body: dict[str, object] = {"files": [_file(name, case.files[name]) for name in case.files_given]}
    options: dict[str, object] = {"environment": False}
    while words_:
        option = words_.pop(0)
        if option == "--launch":
            options["launch"] = words_.pop(0)
        elif option == "--facts":
            body["facts"] = case.files[words_.pop(0)].decode()
        elif option != "--no-environment":
            return None
    sent = {*case.files_given}
    body["files"] = [
        *[_file(name, case.files[name]) for name in case.files_given],
        *[
            _file(name, data)
            for name, data in case.files.items()
            if name not in sent and name.endswith((".py", ".json"))
        ],
    ]
    content = json.dumps({**body, "options": options})
    # A larger body is read in a process of its own, whose start is no growth: all sizes have it.
    return Request(f"{content:<{INLINE + 1}}".encode(), (JSON, ("accept", "text/html")))


def planned(request: Request) -> Request:
    """What to do about the same, as text."""
    return request._replace(headers=(JSON, ("accept", "text/plain")), target="/plan")


def _file(name: str, data: bytes) -> dict[str, str]:
    return {"name": name, "text": data.decode("utf-8", "surrogateescape")}


def _case(request: Request) -> Case:
    return Case({}, (), request=request)


def body(make: Callable[[int], Mapping[str, object]]) -> Callable[[int], Case]:
    """A body in JSON, with entries beside the two files."""
    return lambda n: _case(Request(json.dumps({**RUN, **make(n)}).encode()))


def option(make: Callable[[int], Mapping[str, object]]) -> Callable[[int], Case]:
    """Options of a body in JSON."""
    return body(lambda n: {"options": make(n)})


def raw(make: Callable[[int], str]) -> Callable[[int], Case]:
    """A body as it is."""
    return lambda n: _case(Request(make(n).encode()))


def form(
    make: Callable[[int], Sequence[str]], boundary: Callable[[int], str] = lambda _: BOUNDARY
) -> Callable[[int], Case]:
    """A form with the two files, and with parts beside them."""

    def made(n: int) -> Case:
        parts = [*(part(f'name="{name}"; filename="{name}.yaml"', text) for name, text in RUN.items()), *make(n)]
        mark = boundary(n)
        text = "".join(f"--{mark}\r\n{one}\r\n" for one in parts) + f"--{mark}--\r\n"
        kind = f"multipart/form-data; boundary={mark}"
        return _case(Request(text.encode(), (("content-type", kind),)))

    return made


def part(disposition: str, text: str, headers: str = "") -> str:
    """A part of a form."""
    return f"Content-Disposition: form-data; {disposition}\r\n{headers}\r\n{text}"


def headers(make: Callable[[int], Sequence[tuple[str, str]]]) -> Callable[[int], Case]:
    """Headers of a check."""
    return lambda n: _case(Request(json.dumps(RUN).encode(), (JSON, *make(n))))


def address(make: Callable[[int], str], method: str = "GET") -> Callable[[int], Case]:
    """An address."""
    return lambda n: _case(Request(b"", (("accept", "text/html"),), make(n), method))


REQUESTS = (
    Family("http: entries of a body", 5_000, body(lambda n: {f"k{number}": number for number in range(n)})),
    Family(
        "http: files",
        20,
        body(lambda n: {"files": [{"name": f"t{number}.yaml", "text": TRAINING} for number in range(n)]}),
    ),
    Family("http: files beyond the limit", 3_000, body(lambda n: {"files": n * [{"name": "t.yaml", "text": "a: 1"}]})),
    Family("http: a name of a file", 100_000, body(lambda n: {"files": [{"name": n * "a", "text": TRAINING}]})),
    Family("http: folders of a name", 50_000, body(lambda n: {"files": [{"name": n * "a/", "text": TRAINING}]})),
    Family("http: variables", 60, option(lambda n: {"variables": {f"NVTE_{number}": "1" for number in range(n)}})),
    Family(
        "http: variables beyond the limit",
        5_000,
        option(lambda n: {"variables": {f"V{number}": "1" for number in range(n)}}),
    ),
    Family("http: a value of a variable", 100_000, option(lambda n: {"variables": {"NVTE_DEBUG": n * "1"}})),
    Family("http: rules that are selected", 60, option(lambda n: {"select": [f"FP{number}" for number in range(n)]})),
    Family("http: rules beyond the limit", 10_000, option(lambda n: {"select": n * ["FP101"]})),
    Family("http: options that are not known", 5_000, option(lambda n: {f"o{number}": True for number in range(n)})),
    Family("http: a launch command", 2_000, option(lambda n: {"launch": "accelerate launch " + n * "-"})),
    Family("http: GPUs of facts that are a map", 500, body(lambda n: {"facts": {**FACTS, "gpus": n * FACTS["gpus"]}})),  # type: ignore[operator]
    Family("http: lists in lists", 5_000, raw(lambda n: n * "[" + n * "]")),
    Family("http: maps in maps", 5_000, raw(lambda n: n * '{"a":' + "1" + n * "}")),
    Family("http: lists that are not closed", 100_000, raw(lambda n: n * "[")),
    Family("http: a number", 50_000, raw(lambda n: n * "1")),
    Family("http: space", 200_000, raw(lambda n: n * " " + json.dumps(RUN))),
    Family("http: escapes", 20_000, raw(lambda n: '{"training": "' + n * "\\u0061" + '", "accelerate": ""}')),
    Family("http: fields of a form", 200, form(lambda n: [part(f'name="v{number}"', "1") for number in range(n)])),
    Family(
        "http: variables of a form",
        200,
        form(lambda n: [part('name="variable"', f"V{number}=1") for number in range(n)]),
    ),
    Family("http: rules of a form", 200, form(lambda n: n * [part('name="select"', "FP101")])),
    Family("http: rules in a field", 20_000, form(lambda n: [part('name="select"', words(n, "FP101", ","))])),
    Family(
        "http: empty files of a form",
        200,
        form(lambda n: [part(f'name="files"; filename="{number}.yaml"', "") for number in range(n)]),
    ),
    Family("http: headers of a part", 500, form(lambda n: [part('name="quiet"', "true", n * "X-A: b\r\n")])),
    Family("http: a header of a part", 50_000, form(lambda n: [part('name="quiet"', "true", f"X-A: {n * 'b'}\r\n")])),
    Family("http: a disposition", 50_000, form(lambda n: [part(f'name="quiet"; a="{n * "b"}"', "true")])),
    Family(
        "http: parameters of a disposition",
        5_000,
        form(lambda n: [part(f'name="quiet"; {words(n, "a{}=b", "; ")}', "true")]),
    ),
    Family(
        "http: backslashes of a name", 20_000, form(lambda n: [part(f'name="files"; filename="{n * chr(92)}"', "")])
    ),
    Family("http: a boundary", 1_000, form(lambda _: [], lambda n: n * "b")),
    Family("http: almost a boundary", 20_000, form(lambda n: [part('name="quiet"', n * f"\r\n--{BOUNDARY[:-1]}")])),
    Family("http: dashes", 200_000, form(lambda n: [part('name="quiet"', n * "-")])),
    Family("http: headers", 500, headers(lambda n: [(f"x-{number}", "1") for number in range(n)])),
    Family("http: a header", 20_000, headers(lambda n: [("x-a", n * "b")])),
    Family("http: accept", 2_000, headers(lambda n: [("accept", words(n, "a/b{};q=0.{}"))])),
    Family("http: parameters of accept", 5_000, headers(lambda n: [("accept", "text/html" + n * ";a=b")])),
    Family("http: cookies", 2_000, headers(lambda n: [("cookie", words(n, "c{}=1", "; "))])),
    Family("http: a token", 20_000, headers(lambda n: [("authorization", "Bearer " + n * "a")])),
    Family("http: prefer", 2_000, headers(lambda n: [("prefer", words(n, "wait={}"))])),
    Family("http: forwarded", 2_000, headers(lambda n: [("x-forwarded-for", words(n, "10.0.0.{}"))])),
    Family("http: fields of a query", 2_000, address(lambda n: "/checks?" + words(n, "a{}=1", "&"))),
    Family("http: a query", 20_000, address(lambda n: f"/checks?limit={n * '1'}")),
    Family("http: an address", 20_000, address(lambda n: f"/checks/{n * 'a'}")),
    Family("http: steps of an address", 10_000, address(lambda n: n * "/a")),
    Family("http: steps up", 10_000, address(lambda n: "/static" + n * "/..")),
    Family("http: percent signs", 10_000, address(lambda n: f"/rules/{n * '%41'}")),
)
