"""The text that each edit leaves, style by style."""

from __future__ import annotations

import datetime

import pytest

from fp8check.rules.edits.fix import Edit, cut, safe
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading import Document
from fp8check.rules.repair import edited
from fp8check.rules.settings.edits import delete, insert, move, rename, replace
from fp8check.rules.settings.values import Origin, Section, Setting
from fp8check.rules.trainers.detect import read


def document(text: str, path: str = "f.yaml") -> Document:
    return read(path, text.encode())


def entry(document: Document, *path: str) -> Setting:
    section = Section(document.root)
    for name in path[:-1]:
        section = section.section(name)
    found = section.get(path[-1])
    assert found is not None
    return found


def after(document: Document, edit: Edit) -> str:
    (done,) = edited((document,), safe(edit))
    return done.text


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a: te  # c\n", "TE", "a: TE  # c\n"),
        ("a: 'te'\n", "TE", "a: 'TE'\n"),
        ('a: "te"\n', "TE", 'a: "TE"\n'),
        ("a: no\n", "no", 'a: "no"\n'),
        ("a: (false, false, false)\n", [False, False, False], "a: [false, false, false]\n"),
        ("a: te\n", "a\x01b", 'a: "a\\u0001b"\n'),
        ("a:\nb: 1\n", "TE", "a: TE\nb: 1\n"),
        ("a:  # c\n", 5, "a: 5  # c\n"),
        ("{a: te, b: 1}\n", "x, y", '{a: "x, y", b: 1}\n'),
        ("a: [1,\n  2]\n", 5, "a: 5\n"),
        ("a: x\r\nb: y\r\n", None, "a: null\r\nb: y\r\n"),
        ("a:\n- x,y\nb: 1\n", ["x", "y"], "a:\n- x\n- y\nb: 1\n"),
        ("a:\n  - x\n  - y  # c\nb: 1\n", ["x"], None),
        ("a:\r\n  -  x\r\n  -  y\r\nb: 1\r\n", ["y", "z: 1"], 'a:\r\n  -  y\r\n  -  "z: 1"\r\nb: 1\r\n'),
        ("a:\n- x\nb: 1\n", ".*x", "a: .*x\nb: 1\n"),
        ("a:\n- x\n- y", [], "a: []"),
        ("a:\n- x\n- y\n", [["x"]], "a: [[x]]\n"),
        ("a:\n- k: 1\n  l: 2\nb: 1\n", ["x"], "a:\n- x\nb: 1\n"),
        ("a:\n- &x y\nb: *x\n", ["x"], None),
        ("s:\n  a:\n  - x\n  b: 1\n", ["x", "y"], "s:\n  a:\n  - x\n  - y\n  b: 1\n"),
    ],
)
def test_replace(text: str, value: object, expected: str | None) -> None:
    one = document(text)
    edit = replace(entry(one, *(("s", "a") if text.startswith("s:") else ("a",))), value)
    if expected is None:  # a comment stands in it, or others use a part of it
        with pytest.raises(Unfixable, match=r"lines of its own|anchor"):
            after(one, edit)
    else:
        assert after(one, edit) == expected


def test_replace_in_json() -> None:
    one = document('{"a": "te",\n "b": 1}\n', "f.json")
    assert after(one, replace(entry(one, "a"), True)) == '{"a": true,\n "b": 1}\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:   1  # c\n", "n:   1  # c\n"),
        ("'a': 1\n", "'n': 1\n"),
        ('{"a":1}\n', '{"n":1}\n'),
        ("? a\n: 1\n", "? n\n: 1\n"),
    ],
)
def test_rename(text: str, expected: str) -> None:
    one = document(text)
    assert after(one, rename(entry(one, "a"), "n")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1  # gone with its line\n# stays\nb: 2\n", "# stays\nb: 2\n"),
        ("b: 2\na: 1", "b: 2"),
        ("b: 2\na:\n  x: 1\n\n  y: 2\nc: 3\n", "b: 2\nc: 3\n"),
        ("b: 2\na: |\n  x\n  y\nc: 3\n", "b: 2\nc: 3\n"),
        ("b: 2\na:\nc: 3\n", "b: 2\nc: 3\n"),
        (
            "b: 2\na:  # with it\n  # one\n  x: |\n    # text\n    y\n  # two\n  z: 1\nc: 3\n",
            "b: 2\n# one\n# two\nc: 3\n",
        ),
        ("b: 2\na:\n  # one\n  - 1", "b: 2\n# one\n"),
        ("b: 2\na: \n  # one\n  []\nc: 3\n", "b: 2\n# one\nc: 3\n"),
        ("{a: 1, b: 2}\n", "{b: 2}\n"),
        ("{b: 2, a: 1}\n", "{b: 2}\n"),
        ("{b: 2, a: 1, c: 3}\n", "{b: 2, c: 3}\n"),
        ("{a: 1}\n", "{}\n"),
        ('{\n  "b": 2,\n  "a": 1\n}\n', '{\n  "b": 2\n}\n'),
        ('{\n  "a": 1,\n  "b": 2\n}\n', '{\n  "b": 2\n}\n'),
    ],
)
def test_delete(text: str, expected: str) -> None:
    one = document(text)
    assert after(one, delete(entry(one, "a"))) == expected


def test_the_first_entry_of_a_list_item_leaves_its_dash() -> None:
    one = document("l:\n- a: 1\n  b: 2\n")
    assert one.root is not None
    node = one.get("l", 0)
    found = Section(node).get("a")
    assert found is not None
    assert after(one, delete(found)) == "l:\n- b: 2\n"


def test_the_only_entry_leaves_an_empty_map() -> None:
    one = document("fp8_config:\n  a: 1  # why\nb: 2\n")
    assert after(one, delete(entry(one, "fp8_config", "a"))) == "fp8_config: {}  # why\nb: 2\n"


def test_the_first_of_two_equal_keys() -> None:
    one = document("a: 1\nb: 2\na: 3\n")
    (problem,) = one.problems
    assert problem.related is not None
    assert after(one, delete(problem.related)) == "b: 2\na: 3\n"
    with pytest.raises(Unfixable, match="the key is here twice"):
        after(one, delete(entry(one, "a")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n", "a: 1\nn: true\n"),
        ("a: 1  # c", "a: 1  # c\nn: true"),
        ("a:\n  b: 1\n# end\n", "a:\n  b: 1\nn: true\n# end\n"),
        ("a: |\n  x\n", "a: |\n  x\nn: true\n"),
        ("a: 1\r\n", "a: 1\r\nn: true\r\n"),
        ("{a: 1}\n", "{a: 1, n: true}\n"),
        ("{a: 1,}\n", "{a: 1, n: true,}\n"),
        ("{}\n", '{"n": true}\n'),  # which is JSON
        ('{\n  "a": 1\n}\n', '{\n  "a": 1,\n  "n": true\n}\n'),
    ],
)
def test_insert(text: str, expected: str) -> None:
    one = document(text, "f.json" if '"' in text else "f.yaml")
    assert after(one, insert(Section(one.root), "n", True)) == expected


def test_insert_a_section_below_and_inside() -> None:
    one = document("m: fp8\nf:\n    a: 1\n")
    assert after(one, insert(Section(one.root), "g", {"x": "no", "y": [1]})) == (
        'm: fp8\nf:\n    a: 1\ng:\n  x: "no"\n  y: [1]\n'
    )
    assert after(one, insert(Section(one.root).section("f"), "b", 2)) == "m: fp8\nf:\n    a: 1\n    b: 2\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1  # mark\nb: 2\n", "a: 1\nb: 2\n"),
        ("  # mark\na: 1\nb: 2\n", "a: 1\nb: 2\n"),
        ("a: 1 # mark", "a: 1"),
        ("# mark\na: 1\n", "a: 1\n"),
        ("a: 1\n# mark\nb: 2\n", "a: 1\nb: 2\n"),
        ("a: 1\r\n# mark\r\nb: 2\r\n", "a: 1\r\nb: 2\r\n"),
        ("a: 1\n\n# mark", "a: 1\n\n"),
        ("a: 1\n  # mark\n", "a: 1\n"),
    ],
)
def test_cut_a_comment(text: str, expected: str) -> None:
    from fp8check.rules.reading.source import Source

    start = text.index("#")
    end = text.index("mark") + 4
    one = document(text)
    assert after(one, cut(Source("f.yaml", text).span(start, end))) == expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a:\n  b: 1\n  c: 2\n# end\n", {}, "a: {}\n# end\n"),
        ("a:\n  b: 1\n  c: 2\nd: 3\n", {"e": {"f": True}}, "a:\n  e:\n    f: true\nd: 3\n"),
        ("true:\n  b: 1", {"e": 1}, "true:\n  e: 1"),
        ("x:\n  a:\n    b: 1\n  c: 2\n", {"e": 1}, "x:\n  a:\n    e: 1\n  c: 2\n"),
    ],
)
def test_a_map_on_lines_of_its_own_is_replaced(text: str, value: object, expected: str) -> None:
    one = document(text)
    path = {"x": ("x", "a"), "t": ("True",)}.get(text[0], ("a",))
    assert after(one, replace(entry(one, *path), value)) == expected


@pytest.mark.parametrize("text", ["a:\n  b: 1 # why\n", "a:\n  # why\n  b: 1\n", "- a:\n    b: 1\n"])
def test_a_map_with_comments_or_behind_a_dash_is_left(text: str) -> None:
    one = document(text)
    place = one.root.entries["a"] if one.root is not None and one.root.kind == "map" else None
    if place is None:
        assert one.root is not None
        place = one.root.items[0].entries["a"]
    with pytest.raises(Unfixable, match="lines of its own"):
        after(one, replace(Setting(1, Origin(place.key_span)), {}))


def test_a_map_of_which_others_use_a_part_is_left() -> None:
    one = document("a:\n  b: &x 1\nc: *x\n")
    with pytest.raises(Unfixable, match="others use the anchor &x"):
        after(one, replace(entry(one, "a"), {}))


@pytest.mark.parametrize(
    ("text", "path", "edit", "reason"),
    [
        ("b: &b {a: 1}\nc: *b\n", ("b", "a"), "replace", "shared through the anchor &b"),
        ("b: &b {a: 1}\nc: *b\n", ("c", "a"), "replace", "shared through the anchor &b"),
        ("b: &b 1\na: *b\n", ("a",), "replace", "through an alias"),
        ("a: &x 1\nb: *x\n", ("a",), "replace", "an anchor or a tag"),
        ("a: &x 1\nb: *x\n", ("a",), "delete", "others use the anchor &x"),
        ("a: !!str 1\n", ("a",), "replace", "an anchor or a tag"),
        ("a: |\n  x\n", ("a",), "replace", "lines of its own"),
        ("a:\n  b: 1\n", ("a",), "replace", "lines of its own"),
        ("a: 1\nn: 2\n", ("a",), "rename", "n is there already"),
        ("a: 1\n", ("a",), "delete", "the only entry"),
        ("b:\n  # why\n  a: 1\n", ("b", "a"), "delete", "the only entry"),
        ("? a\n? b\n", ("a",), "replace", "the key has no colon"),
        ("{a, b: {c: 1}}\n", ("a",), "replace", "the key has no colon"),
        ("c: |+\n  x\n\na: 1\n\nb: 2\n", ("a",), "delete", "would change something else"),
    ],
)
def test_refused(text: str, path: tuple[str, ...], edit: str, reason: str) -> None:
    one = document(text)
    target = entry(one, *path)
    made = {"replace": replace(target, 5), "rename": rename(target, "n"), "delete": delete(target)}[edit]
    with pytest.raises(Unfixable, match=reason):
        after(one, made)


def test_a_setting_of_no_file_is_refused() -> None:
    with pytest.raises(Unfixable, match="no file"):
        edited((document("a: 1\n"),), safe(replace(Setting(1), 2)))


def test_insert_into_what_is_no_map_or_has_the_key_is_refused() -> None:
    one = document("a: 1\n")
    with pytest.raises(Unfixable, match="a is there already"):
        after(one, insert(Section(one.root), "a", 2))


def test_overlapping_edits_are_refused() -> None:
    one = document("a: 1\nb: 2\n")
    target = entry(one, "a")
    with pytest.raises(Unfixable, match="overlap"):
        edited((one,), safe(delete(target), replace(target, 2)))


def test_a_byte_order_mark_stays() -> None:
    one = read("f.yaml", b"\xef\xbb\xbfa: te\n")
    (done,) = edited((one,), safe(replace(entry(one, "a"), "TE")))
    assert (done.bom, done.text) == (True, "a: TE\n")


def item(document: Document, *path: str | int) -> Setting:
    node = document.get(*path)
    assert node is not None
    return Setting(node.data(), Origin(span=node.span, key_span=node.key_span))


def test_the_item_of_a_list() -> None:
    one = document("l: [1, 2]\nb:\n- te\n- ao\n")
    assert after(one, replace(item(one, "l", 1), 3)) == "l: [1, 3]\nb:\n- te\n- ao\n"
    assert after(one, replace(item(one, "b", 0), "TE")) == "l: [1, 2]\nb:\n- TE\n- ao\n"
    with pytest.raises(Unfixable, match="no entry of a map"):
        after(one, delete(item(one, "l", 1)))


def test_an_item_or_a_key_that_is_an_alias() -> None:
    one = document("x: &x 1\nl: [*x]\nk: &k a\nm:\n  z: 0\n  *k : 1\n")
    with pytest.raises(Unfixable, match="it is shared through the anchor &x"):
        after(one, replace(item(one, "l", 0), 3))
    with pytest.raises(Unfixable, match="from somewhere else through an alias"):
        after(one, replace(entry(one, "m", "a"), 3))


def test_a_section_inside_brackets() -> None:
    one = document("f: {a: 1}\n")
    made = after(one, insert(Section(one.root).section("f"), "g", {"x": "no", "y": []}))
    assert made == 'f: {a: 1, g: {x: "no", y: []}}\n'


def test_insert_needs_a_map() -> None:
    one = document("a: 1\nb: 2\n")
    with pytest.raises(Unfixable, match="no map to write it into"):
        after(one, Edit("insert", entry(one, "b").origin.span, "map", "n", 1))


def test_the_last_entry_behind_a_question_mark() -> None:
    one = document("b: 1\n? a\n: 2\n")
    with pytest.raises(Unfixable, match="shares its line"):
        after(one, delete(entry(one, "a")))


def test_a_file_of_comments_alone() -> None:
    from fp8check.rules.reading.source import Source

    text = "# mark\n"
    with pytest.raises(Unfixable, match="no single document"):
        after(document(text), cut(Source("f.yaml", text).span(0, 6)))


def test_what_no_loader_reads_back_is_not_written() -> None:
    one = document("a: 1\n")
    with pytest.raises(Unfixable, match="nan cannot be written"):
        after(one, replace(entry(one, "a"), float("nan")))


@pytest.mark.parametrize("value", [datetime.date(2026, 1, 2), b"\x00", {1, 2}])
@pytest.mark.parametrize("inner", [False, True])
def test_a_value_that_is_no_text_number_flag_or_null_is_not_written(value: object, inner: bool) -> None:
    one = document("a: 1\n")
    with pytest.raises(Unfixable, match="cannot be written"):
        after(one, insert(Section(one.root), "b", [value] if inner else value))


def test_what_would_change_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one = document("a: 1\n")
    monkeypatch.setattr("fp8check.rules.repair.apply.expected", lambda *_: {"a": "other"})
    with pytest.raises(Unfixable, match="would change something else"):
        after(one, replace(entry(one, "a"), 2))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x: 1  # why\ns:\n  a: 1\n", "s:\n  a: 1\n  y: 1  # why\n"),
        ("x: 'a # b'\ns:\n  a: 1\n", "s:\n  a: 1\n  y: 'a # b'\n"),
        ("# above\nx: a\r\ns:\r\n  a: 1  # own\r\n", "# above\ns:\r\n  a: 1  # own\r\n  y: a\r\n"),
        ("x:  # empty\ns:\n  a: 1\n", "s:\n  a: 1\n  y: null  # empty\n"),
        ("x: 1\ns: {a: 1}\n", "s: {a: 1, y: 1}\n"),
        ("{x: 1, s: {a: 1}}  # why\n", "{s: {a: 1, y: 1}}  # why\n"),
    ],
)
def test_a_move_takes_value_and_comment_along(text: str, expected: str) -> None:
    one = document(text)
    gone, new = move(entry(one, "x"), Section(one.root).section("s"), "y", entry(one, "x").value)
    (done,) = edited((one,), safe(gone, new))
    assert done.text.replace('"', "'") == expected


def test_a_comment_cannot_go_between_brackets() -> None:
    one = document("x: 1  # why\ns: {a: 1}\n")
    with pytest.raises(Unfixable, match="its comment cannot be moved between brackets"):
        edited((one,), safe(*move(entry(one, "x"), Section(one.root).section("s"), "y", 1)))


def test_a_move_into_another_file() -> None:
    one, other = document("x: 1  # why\nz: 1\n", "a.yaml"), document('{"s": 1}', "b.json")
    with pytest.raises(Unfixable, match="its comment cannot be moved"):
        edited((one, other), safe(*move(entry(one, "x"), Section(other.root), "x", 1)))
    other = document("s: 1\n", "b.yaml")
    done = edited((one, other), safe(*move(entry(one, "x"), Section(other.root), "x", 1)))
    assert [made.text for made in done] == ["z: 1\n", "s: 1\nx: 1  # why\n"]


def test_a_script_is_changed_by_its_author() -> None:
    from fp8check.rules.edits.text_edits import FileTree
    from fp8check.rules.reading import read_script

    with pytest.raises(Unfixable, match="by its author"):
        FileTree(read_script("train.py", b"bf16 = True\n"))
