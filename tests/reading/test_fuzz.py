"""Mutated files: whatever the bytes, reading returns a document or refuses; and it never reads what its loader reads
otherwise."""

from __future__ import annotations

import random
import re

import pytest
import yaml

from fp8check.rules.reading import Unreadable
from fp8check.rules.reading.source import UNPRINTABLE
from fp8check.rules.reading.syntax import is_disputed
from fp8check.rules.trainers.detect import read
from tests.reading.test_kinds import CORPUS, OTHER_KINDS, TRAINING
from tests.support.loaded import attempt, same

PIECES = [
    *":-?[]{},#&*!|>'\"%@` \n\r\t0~",
    ": ",
    "- ",
    "\n  ",
    " #",
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "|\n",
    "é",
    "\r\n",
    "---\n",
]
ROUNDS = 4000


def texts() -> list[str]:
    """Files to begin from: those of the tests, and those of the corpus where it is."""
    own = [text for _, text in TRAINING.values()] + [text for kind in OTHER_KINDS.values() for text in kind]
    own += [
        "a: &x {b: [1, 2]}\nb: *x\n<<: *x\n",
        "a: |\n  x\n\n  y\nb: >-\n  z\n",
        "a: \"x\\\n  y\\u00e9\"\nb: 'it''s'\n",
    ]
    return own + [path.read_text(encoding="utf-8") for path in sorted(CORPUS.rglob("*.y*ml"))[:40]]


def mutate(text: str, chance: random.Random) -> str:
    """A piece of the text with some of its characters inserted, removed and replaced."""
    begin = chance.randrange(max(1, len(text) - 150))
    text = text[text.find("\n", begin) + 1 :][:200]
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(text) + 1)
        cut = chance.choice([0, 0, 1, 3])
        text = text[:place] + chance.choice(["", *PIECES]) + text[place + cut :]
    return text


def test_mutated_yaml_reads_as_its_loader_reads_it() -> None:
    chance = random.Random(20)  # noqa: S311
    begin = texts()
    for _ in range(ROUNDS):
        text = mutate(chance.choice(begin), chance)
        loads, expected = attempt(lambda text=text: yaml.safe_load(text))  # type: ignore[misc]
        try:
            document = read("f.yaml", text.encode(), loader="pyyaml")
        except Unreadable:
            assert not loads or "&" in text, text  # an alias inside its own anchor is refused here only
        else:
            assert loads or any(problem.fatal for problem in document.problems), text
            assert not loads or same(document.root.data() if document.root else None, expected), text


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="libyaml is not here")
def test_libyaml_agrees_where_it_is_trusted() -> None:
    chance = random.Random(21)  # noqa: S311
    begin = texts()
    trusted = 0
    for _ in range(ROUNDS):
        text = mutate(chance.choice(begin), chance)
        if is_disputed(text) or re.search(UNPRINTABLE, text):
            continue
        trusted += 1
        fast, slow = events(text, yaml.CSafeLoader), events(text, yaml.SafeLoader)
        assert fast == slow, text
    assert trusted > ROUNDS // 2


def events(text: str, loader: type[yaml.SafeLoader | yaml.CSafeLoader]) -> list[tuple[object, ...]] | None:
    """What a parser makes of a text; None where it refuses it. Of values that are left out the place may differ."""
    try:
        found = list(yaml.parse(text, Loader=loader))
    except yaml.YAMLError:
        return None
    return [
        (
            type(event).__name__,
            getattr(event, "anchor", None),
            getattr(event, "tag", None),
            getattr(event, "value", None),
            getattr(event, "implicit", None) if isinstance(event, yaml.ScalarEvent) else None,
            event.end_mark.index if isinstance(event, yaml.ScalarEvent) and event.value and event.end_mark else None,
        )
        for event in found
    ]


@pytest.mark.parametrize("name", ["f.yaml", "f.json", "-"])
def test_mutated_bytes_do_no_more_than_refuse(name: str) -> None:
    chance = random.Random(name)  # noqa: S311
    begin = [text.encode() for text in texts()]
    read_well = 0
    for _ in range(ROUNDS // 2):
        data = bytearray(chance.choice(begin)[:300])
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(data) + 1)
            data[place : place + chance.choice([0, 1, 2])] = bytes([chance.randrange(256)])
        try:
            document = read(name, bytes(data))
        except Unreadable:
            continue
        read_well += 1
        assert document.root is None or list(document.root.walk())
    assert read_well > 0
