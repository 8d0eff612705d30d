"""Literals of Python scripts: what is changed is changed, and every other character stays."""

from __future__ import annotations

import ast
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.edits.action import GONE
from fp8check.rules.edits.python_file import MOST_CHARACTERS, PythonFile
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.moves.sources import PythonSource, replaced
from fp8check.rules.reading import read_script
from fp8check.rules.reading.source import Source


def source_of(text: str) -> PythonSource:
    return PythonSource(read_script("train.py", text.encode()))


def name_of(source: PythonSource, entry: str) -> str:
    """The name of the entry that begins with these words."""
    start = source.document.text.index(entry)
    name = source.file.at(Source("train.py", source.document.text).span(start, start + len(entry)))
    assert name is not None
    return name


def edited(text: str, **values: object) -> str:
    """The script with these entries changed: an argument `bf16` is named by `bf16=`."""
    source = source_of(text)
    changes = {name_of(source, f"{name}="): value for name, value in values.items()}
    return source.written(changes, by_hand=False).text


def with_new(text: str, function: str, **values: object) -> str:
    """The script with more arguments of a call."""
    source = source_of(text)
    start = text.index(function)
    span = Source("train.py", text).span(start, start + len(function))
    names = {source.file.argument(span, name): value for name, value in values.items()}
    assert None not in names
    return source.written({str(name): value for name, value in names.items()}, by_hand=True).text


@pytest.mark.parametrize(
    ("before", "values", "after"),
    [
        ("f(bf16=True)\n", {"bf16": False}, "f(bf16=False)\n"),
        ("f(\n\tbf16=True ,  # fast\n)\n", {"bf16": False}, "f(\n\tbf16=False ,  # fast\n)\n"),
        ("f(bf16=(True), x=1)\n", {"bf16": None}, "f(bf16=(None), x=1)\n"),
        ("f(p='bf16', q=\"no\")\r\n", {"p": "fp8", "q": "fp8"}, "f(p='fp8', q=\"fp8\")\r\n"),
        ("f(p='''bf16''')\n", {"p": "fp8"}, "f(p='fp8')\n"),
        ("f(p=r'bf16')\n", {"p": "fp8"}, 'f(p="fp8")\n'),
        ("f(p='bf' 'x')\n", {"p": 'a"b\\n'}, "f(p='a\"b\\\\n')\n"),
        ("x = f(ü='ä', bf16=True)  # ü\n", {"bf16": 1.5}, "x = f(ü='ä', bf16=1.5)  # ü\n"),
        ("f(a=-1)\n", {"a": -2}, "f(a=-2)\n"),
        ("f(a=1, b=2, c=3)\n", {"b": GONE}, "f(a=1, c=3)\n"),
        ("f(a=1, b=2, c=3)\n", {"c": GONE}, "f(a=1, b=2)\n"),
        ("f(a=1, b=2, c=3,)\n", {"c": GONE}, "f(a=1, b=2,)\n"),
        ("f(a=1, b=2, c=3)\n", {"a": GONE}, "f(b=2, c=3)\n"),
        ("f(a=1)\n", {"a": GONE}, "f()\n"),
        ("f(a=1,)\n", {"a": GONE}, "f()\n"),
        ("f(\n    a=1,\n    b=2,  # two\n    c=3,\n)\n", {"b": GONE}, "f(\n    a=1,\n    c=3,\n)\n"),
        ("f(\n    a=1,\n    b=[\n        2,\n    ],\n    c=3\n)\n", {"b": GONE}, "f(\n    a=1,\n    c=3\n)\n"),
        ("f(\n    a=1,  # one\n    c=3  # three\n)\n", {"c": GONE}, "f(\n    a=1,  # one\n)\n"),
        ("f(\n    a=1,\n    b=2,\n    c=3,\n)\n", {"b": GONE, "a": GONE}, "f(\n    c=3,\n)\n"),
        ("f(1, (2), b=3)\n", {"b": GONE}, "f(1, (2))\n"),
        ("f(a=1, # one\n  b=2)\n", {"a": GONE}, "f( # one\n  b=2)\n"),
        ("f(a=1, b=2\n  )\n", {"b": GONE}, "f(a=1\n  )\n"),
    ],
)
def test_an_argument(before: str, values: dict[str, object], after: str) -> None:
    assert edited(before, **values) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f()\n", "f(bf16=False)\n"),
        ("f(a)\n", "f(a, bf16=False)\n"),
        ("f((a))\n", "f((a), bf16=False)\n"),
        ("f(a,)\n", "f(a, bf16=False,)\n"),
        ("f(\n    a=1,\n    b=2,  # two\n)\n", "f(\n    a=1,\n    b=2,  # two\n    bf16=False,\n)\n"),
        ("f(\r\n\ta=1\r\n)\r\n", "f(\r\n\ta=1,\r\n\tbf16=False,\r\n)\r\n"),
        ("f(\n    a=1)\n", "f(\n    a=1, bf16=False)\n"),
        ("g(f(1), x=2)\n", "g(f(1, bf16=False), x=2)\n"),
    ],
)
def test_a_new_argument(before: str, after: str) -> None:
    assert with_new(before, "f", bf16=False) == after


def test_several_new_arguments() -> None:
    assert with_new("f(a=1)\n", "f", b=2, c="x") == 'f(a=1, b=2, c="x")\n'
    assert with_new("f(\n  a=1,\n)\n", "f", b=2, c="x") == 'f(\n  a=1,\n  b=2,\n  c="x",\n)\n'


@pytest.mark.parametrize("text", ["f(*a)\n", "f(**a)\n", "f(x=1, **{'bf16': True})\n"])
def test_a_call_whose_arguments_are_spread_gets_none(text: str) -> None:
    with pytest.raises(Unfixable, match="spread"):
        with_new(text, "f", bf16=False)


def test_a_statement_and_an_entry_of_a_mapping() -> None:
    text = 'import os\nos.environ["A"] = "bf16"  # why\nd = {"bf16": True, "x": 1}\n'
    source = source_of(text)
    assert source.file.name(name_of(source, "os.environ")) == 'os.environ["A"]'
    gone = {name_of(source, "os.environ"): GONE, name_of(source, '"bf16": '): GONE}
    assert source.written(gone, by_hand=False).text == 'import os\nd = {"x": 1}\n'
    changed = {name_of(source, '"bf16"  #'): "fp8", name_of(source, '"bf16": '): False}
    assert source.written(changed, by_hand=False).text == text.replace('= "bf16"', '= "fp8"').replace("True", "False")
    shown = [(one.line, one.before, one.after) for one in source.changes(gone)]
    assert shown == [(2, 'os.environ["A"] = "bf16"', None), (3, '"bf16": True', None)]


@pytest.mark.parametrize(
    ("text", "entry", "why"),
    [
        ("if x:\n    a = 1\n", "a =", "only one of its block"),
        ("a = 1; b = 2\n", "a =", "shares its line"),
        ("f(1, 2)\n", "1, 2", "without a name"),
    ],
)
def test_what_cannot_go(text: str, entry: str, why: str) -> None:
    source = source_of(text)
    with pytest.raises(Unfixable, match=why):
        source.written({name_of(source, entry): GONE}, by_hand=False)


@pytest.mark.parametrize(
    ("before", "gone", "after"),
    [
        ("f(a=1, b=2, c=3)\n", "ab", "f(c=3)\n"),
        ("f(a=1, b=2, c=3)\n", "bc", "f(a=1)\n"),
        ("f(a=1, b=2, c=3)\n", "ac", "f(b=2)\n"),
        ("f(a=1, b=2, c=3,)\n", "ac", "f(b=2,)\n"),
        ("f(a=1, b=2, c=3)\n", "abc", "f()\n"),
        ("f(a=1, b=2, c=3,)\n", "abc", "f()\n"),
        ("f(0, a=1, b=2)\n", "ab", "f(0)\n"),
        ("f(a=1, b=2,  # why\n  c=3, d=4)\n", "bc", "f(a=1,   # why\n  d=4)\n"),
        ("f(a=1, b=2,  # why\n  c=3)\n", "bc", "f(a=1,   # why\n  )\n"),
        ("f(\n  a=1, b=2,\n  c=3,\n  d=4,\n)\n", "bcd", "f(\n  a=1, \n)\n"),
        ("f(\n  a=1,\n  b=2, c=3,\n)\n", "abc", "f(\n  \n)\n"),
        ("f({'a': 1, 'b': 2, 'c': 3})\n", "", "f({'a': 1, 'b': 2, 'c': 3})\n"),
    ],
)
def test_several_arguments_of_a_line_go_at_once(before: str, gone: str, after: str) -> None:
    assert edited(before, **dict.fromkeys(gone, GONE)) == after


@pytest.mark.parametrize(
    ("before", "gone", "after"),
    [
        ("f(a=1, b=2)\n", "b", "f(a=1, new=5)\n"),
        ("f(a=1, b=2,)\n", "b", "f(a=1, new=5,)\n"),
        ("f(a=1, b=2, c=3)\n", "bc", "f(a=1, new=5)\n"),
        ("f(a=1, b=2)\n", "a", "f(b=2, new=5)\n"),
        ("f(\n  a=1, b=2\n)\n", "b", "f(\n  a=1, new=5\n)\n"),
        ("f(\n  a=1,\n  b=2,\n)\n", "b", "f(\n  a=1,\n  new=5,\n)\n"),
    ],
)
def test_one_comes_where_another_goes(before: str, gone: str, after: str) -> None:
    source = source_of(before)
    changes: dict[str, object] = {name_of(source, f"{name}="): GONE for name in gone}
    span = Source("train.py", before).span(0, 1)
    changes[str(source.file.argument(span, "new"))] = 5
    assert source.written(changes, by_hand=True).text == after


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(["", "\n", "  # c\n"])), min_size=1, max_size=7), st.booleans()
)
def test_whatever_goes_the_rest_stays(entries: list[tuple[bool, str]], trailing: bool) -> None:
    """Names that go and stay, with line breaks and comments between them: what is left is what was left of the tree."""
    last = len(entries) - 1
    parts = [f"a{at}={at}{',' if at < last or trailing else ''}{end or ' '}" for at, (_, end) in enumerate(entries)]
    before = f"f({''.join(parts)})\n"
    gone = {f"a{at}": GONE for at, (goes, _) in enumerate(entries) if goes}
    after = edited(before, **gone) if gone else before
    kept = [keyword.arg for keyword in ast.parse(after).body[0].value.keywords]  # type: ignore[attr-defined]
    assert kept == [f"a{at}" for at, (goes, _) in enumerate(entries) if not goes]
    own = [at for at, (goes, end) in enumerate(entries) if "#" in end and not goes]
    assert after.count("#") >= len(own)


def test_edits_of_an_argument_and_of_what_is_in_it_overlap() -> None:
    with pytest.raises(Unfixable, match="overlap"):
        edited("f(a=[G(b=1)], c=2)\n", a=GONE, b=3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"x"])
def test_what_is_no_literal_is_not_written(value: object) -> None:
    with pytest.raises(Unfixable, match="cannot be written"):
        edited("f(a=1)\n", a=value)


def test_a_name_that_stands_for_a_literal() -> None:
    once = "BF16 = True\nf(bf16=BF16)\n"
    assert edited(once, bf16=False) == "BF16 = False\nf(bf16=BF16)\n"
    twice = "BF16 = True\nf(bf16=BF16, tf32=BF16)\n"
    source = source_of(twice)
    name = name_of(source, "bf16=")
    assert source.why_not(name, False) == "bf16 comes from BF16, which is used elsewhere, too"
    assert source.written({name: False}, by_hand=False).text == twice
    assert source.written({name: False}, by_hand=True).text == "BF16 = True\nf(bf16=False, tf32=BF16)\n"
    for bound in ("def g(BF16): pass\n", "import a as BF16\n", "def g():\n    global BF16\n"):
        source = source_of(f"{once}{bound}")
        assert source.why_not(name_of(source, "bf16="), False)


@pytest.mark.parametrize("value", ["g()", "not x", "f'{x}'", "x and True", "lambda: 1", "[x]", "[" + "1, " * 100 + "]"])
def test_what_is_computed_is_for_people(value: str) -> None:
    source = source_of(f"f(bf16={value})\n")
    name = name_of(source, "bf16=")
    assert source.why_not(name, False) == "bf16 is computed"
    assert [one.by_hand for one in source.changes({name: False})] == ["bf16 is computed"]
    assert source.written({name: False}, by_hand=False) is source.document
    assert source.written({name: False}, by_hand=True).text == "f(bf16=False)\n"


def test_what_only_makes_objects_may_go() -> None:
    source = source_of("f(a=[Recipe(b='x'), m.Other(1)], c=[make()], d=Recipe(x))\n")
    assert [bool(source.why_not(name_of(source, f"{one}="), GONE)) for one in "acd"] == [False, True, True]


def test_the_places_of_a_changed_script_are_found_in_the_first_one() -> None:
    source = source_of("f(a='bf16', b=True)\n")
    changes = {name_of(source, "a="): "a much longer text"}
    now = source.with_data(changes)
    for entry in ("f(", "a=", "b=", "True"):
        start = now.text.index(entry)
        span = Source("train.py", now.text).span(start, start + 1)
        assert source.document.text[source.base(changes, span).start :].startswith(entry)


@pytest.mark.parametrize("text", ["f(\n", "f(a=1\0)", "x" * (MOST_CHARACTERS + 1), "(" * 5000])
def test_what_is_no_python_is_left_alone(text: str) -> None:
    with pytest.raises(Unfixable):
        source_of(text)


def test_a_place_that_is_not_there_any_more() -> None:
    source = source_of("f(a=1)\n")
    with pytest.raises(Unfixable, match="not there any more"):
        source.with_data({"99-100 a": 1})
    assert source.file.argument(Source("train.py", "f(a=1)\n").span(2, 3), "b") is None
    assert source.file.at(Source("train.py", "f(a=1)\n").span(0, 1)) is None


def test_the_check_sees_what_else_would_change() -> None:
    source = source_of("f(a=1)\ng(b=2)\n")
    name = name_of(source, "a=")
    with pytest.raises(Unfixable, match="something else"):
        source.file.check({name: 2}, "f(a=2)\ng(b=3)\n")
    with pytest.raises(Unfixable, match="something else"):
        source.file.check({name: 2}, "f(a=2)\n")
    with pytest.raises(Unfixable, match="something else"):
        source.file.check({name: 1}, "f(a=True)\ng(b=2)\n")


def test_a_byte_order_mark_stays() -> None:
    source = PythonSource(read_script("train.py", b"\xef\xbb\xbff(a=1)\r\n"))
    made = source.written({name_of(source, "a="): 2}, by_hand=False)
    assert made.bom
    assert made.text == "f(a=2)\r\n"


LITERALS = st.sampled_from(
    [True, False, None, 0, -3, 1.5, "bf16", "it's", 'a "b"', "tab\t", "ü", [1, "x"], {"k": (1,)}]
)
SPACES = st.sampled_from(["", " ", "\n    ", "\n\t", " # note, with (commas)\n    "])
VALUES = st.sampled_from(["True", "'x'", '"y"', "(1)", "f(1, x=2)", "[1, 2]", "{'a': 1}", "x if y else z", "-1", "g()"])


@st.composite
def scripts(draw: st.DrawFn) -> str:
    """A script with calls in every layout that people have, and worse."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    lines = [draw(st.sampled_from(["# ü", "import os", "x = y = z = 1", 'os.environ["A"] = "b"', "if x: pass"]))]
    for number in range(draw(st.integers(1, 3))):
        parts = []
        for at in range(draw(st.integers(0, 5))):
            argument = f"a{at}={draw(VALUES)}"
            parts.append(f"{draw(SPACES)}{argument}{draw(st.sampled_from(['', ' ']))}")
        end = "," if parts and draw(st.booleans()) else ""
        lines.append(f"c{number} = Call{number}({','.join(parts)}{end}{draw(SPACES)})  # of {number}")
    return newline.join(one.replace("\n", newline) for one in lines) + draw(st.sampled_from(["", newline]))


@given(scripts(), st.data())
def test_whatever_is_edited_everything_else_stays(text: str, data: st.DataObject) -> None:
    source = source_of(text)
    calls = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Call)]
    table = Source("train.py", text)
    changes: dict[str, object] = {}
    for _ in range(data.draw(st.integers(1, 3))):
        call = data.draw(st.sampled_from(calls))
        start = table.offset_of(call.func.lineno, call.func.col_offset)
        end = table.offset_of(call.func.end_lineno or 0, call.func.end_col_offset or 0)
        name = source.file.argument(table.span(start, end), data.draw(st.sampled_from(["a0", "a1", "a2", "new"])))
        assert name is not None
        value = data.draw(st.one_of(LITERALS, st.just(GONE)))
        if not (value is GONE and source.file.is_new(name)):
            changes[name] = value
    try:
        edits = source.file.text_edits(changes)
        made = source.written(changes, by_hand=True)
    except Unfixable as reason:
        assert str(reason) != "the edit would change something else as well"  # noqa: PT017
        return
    assert made.text == replaced(text, edits)
    at = 0
    for before, after in pairwise([None, *edits, None]):
        stays = text[0 if before is None else before.end : len(text) if after is None else after.start]
        at = made.text.index(stays, at) + len(stays)
    again = PythonFile(made)
    assert again.text == made.text


def test_entries_have_names_and_what_is_called_with_them() -> None:
    source = source_of("a.Args(b=1)\nc = 2\n")
    assigned, argument = source.file.names
    assert (source.file.called(argument), source.file.called(assigned)) == ("Args", "")
    assert source_of("f(1)(b=1)\n").file.called(source_of("f(1)(b=1)\n").file.names[0]) == ""


def test_only_a_call_gets_more_and_keeps_one() -> None:
    source = source_of("d = {'a': 1}\nf(a=1)\n")
    entry = next(one for one in source.file.names if one.endswith("{ a"))
    with pytest.raises(Unfixable, match="only a call"):
        source.with_data({f"{entry}b": 1})
    argument = next(one for one in source.file.names if "-" in one)
    with pytest.raises(Unfixable, match="all of its arguments"):
        source.with_data({argument: GONE, f"{argument}b": 1})


def test_comments_between_an_argument_and_its_comma() -> None:
    assert edited("f(a=1 # one\n  , b=2)\n", b=GONE) == "f(a=1 # one\n  )\n"
    assert edited("f(a=1\n  )", a=GONE) == "f(\n  )"


def test_more_calls_than_anybody_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fp8check.rules.edits.python_file.MOST_GROUPS", 2)
    with pytest.raises(Unfixable, match="than anybody writes"):
        source_of("f()\nf()\nf()\n")
