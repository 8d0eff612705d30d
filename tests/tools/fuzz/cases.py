"""Cases: texts by name. The first ones come from the case files of the rules and from the examples."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from fp8check.rules import facts
from tests.support.cases import CASES
from tests.support.paths import EXAMPLE, ROOT
from tests.support.runs import PROBED, facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# Bytes that are no UTF-8 stand as surrogates, as os.fsdecode has them.
Case = dict[str, str]

FILES = {
    "training": "train.yaml",
    "accelerate": "accel.yaml",
    "deepspeed": "ds.json",
    "model": "config.json",
    "script": "train.py",
}


def encoded(text: str) -> bytes:
    """The bytes of a text of a case."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair
        return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    """Bytes as a text of a case."""
    return data.decode("utf-8", "surrogateescape")


@cache
def runs() -> tuple[Case, ...]:
    """Runs: those of the rules' case files, each once, and of the examples."""
    found = [*_examples()]
    for file in CASES.values():
        for kind in ("found", "not found", "undecided"):
            listed = file.get(kind)
            found += [_case(one) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    distinct = {json.dumps(case, sort_keys=True): case for case in found}
    return tuple(distinct.values())


def _examples() -> list[Case]:
    example = {
        "training": (EXAMPLE / "train.yaml").read_text(encoding="utf-8"),
        "accelerate": (EXAMPLE / "accelerate.yaml").read_text(encoding="utf-8"),
        "facts": (EXAMPLE / "facts.json").read_text(encoding="utf-8"),
    }
    other = ROOT / "examples" / "trainer-qwen2.5-7b"
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(other.glob("*.yaml"))}
    return [
        example,
        {"training": texts["train"], "accelerate": texts["accelerate"]},
        {"training": texts["train"], "accelerate": texts["accelerate-torchao"], "launch": "accelerate launch train.py"},
    ]


def _case(one: Mapping[str, object]) -> Case:
    case = {name: str(one[name]) for name in ("training", "accelerate", "deepspeed", "script") if name in one}
    case |= {name: str(one[name]) for name in ("launch", "trainer") if one.get(name) is not None}
    if isinstance(one.get("model"), dict):
        case["model"] = json.dumps(one["model"])
    known = facts_of(one)
    case["facts"] = facts.dump(known._replace(variables=None))
    case["variables"] = "\n".join(f"{name}={value}" for name, value in (known.variables or {}).items())
    seen = one.get("seen")
    if isinstance(seen, dict):
        base = PROBED[str(seen["like"])] if "like" in seen else {}
        case["seen"] = json.dumps({**base, **{name: value for name, value in seen.items() if name != "like"}})
    return {name: text for name, text in case.items() if text}
