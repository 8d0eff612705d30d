"""What holds for every fix of every YAML file: the value is the intended one, and nothing else has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fp8check.rules.edits.fix import Edit, Fix, safe
from fp8check.rules.edits.text_edits import text_edits
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading import Unreadable
from fp8check.rules.repair import edited
from fp8check.rules.settings.edits import delete, insert, rename, replace
from fp8check.rules.settings.values import Origin, Section, Setting
from fp8check.rules.trainers.detect import read
from tests.support.loaded import merges_differently
from tests.support.yaml_texts import documents

if TYPE_CHECKING:
    from fp8check.rules.edits.text_edit import TextEdit
    from fp8check.rules.reading import Document, Node

FILTERED = [HealthCheck.filter_too_much]  # many places cannot be edited by themselves, and are refused
VALUES = st.one_of(
    st.booleans(),
    st.integers(-5, 99999),
    st.none(),
    st.sampled_from(
        ["TE", "no", "NO", "HYBRID", "1e-5", "0x10", "a: b", "a, b", "# c", "", " x", "{a}", "é", "'", '"']
    ),
    st.lists(st.booleans(), max_size=3),
)
KEYS = st.sampled_from(["amax_history_len", "no", "a b", "x:", "new", "1", "é"])


def setting(node: Node) -> Setting:
    return Setting(node.data(), Origin(span=node.span, key_span=node.key_span))


@st.composite
def edits(
    draw: st.DrawFn, actions: tuple[str, ...] = ("replace", "rename", "delete", "insert")
) -> tuple[Document, Edit]:
    text = draw(documents)
    loader = draw(st.sampled_from(["pyyaml", "pyyaml", "omegaconf"]))
    try:
        document = read("f.yaml", text.encode(), loader=loader)
    except Unreadable:
        assume(False)
    assume(document.root is not None)
    assert document.root is not None
    nodes = list(document.root.walk())
    maps = [node for node in nodes if node.kind == "map"]
    entries = [node for node in nodes if node.key_span is not None]
    action = draw(st.sampled_from(actions))
    if action == "insert":
        assume(maps)
        return document, insert(Section(draw(st.sampled_from(maps))), draw(KEYS), draw(VALUES))
    assume(entries)
    entry = setting(draw(st.sampled_from(entries)))
    if action == "replace":
        return document, replace(entry, draw(VALUES))
    return document, rename(entry, draw(KEYS)) if action == "rename" else delete(entry)


def apply(document: Document, edit: Edit) -> tuple[Document, TextEdit] | None:
    """The fixed document and the edit of its text; None where it is refused, with a reason."""
    try:
        (after,) = edited((document,), safe(edit))
    except Unfixable:
        return None
    (change,) = text_edits(safe(edit), (document,))
    return after, change


def meant(document: Document, edit: Edit) -> object:
    """What PyYAML loads, edited as plain data."""
    data = yaml.safe_load(document.text)
    assert document.root is not None
    node = next(one for one in document.root.walk() if edit.place == (one.span if edit.part == "map" else one.key_span))
    *path, last = [*way(document, node), ""] if edit.action == "insert" else way(document, node)
    inner = data
    for step in path:
        inner = inner[step]
    if edit.action == "insert":
        inner[edit.key] = edit.value
    elif edit.action == "replace":
        inner[last] = edit.value
    else:
        value = inner.pop(last)
        if edit.action == "rename":
            inner[edit.key] = value
    return data


def way(document: Document, node: Node) -> list[object]:
    """The keys and indices that lead to a node."""
    pending: list[tuple[Node, list[object]]] = [(document.root, [])] if document.root is not None else []
    while pending:
        one, path = pending.pop()
        if one is node:
            return path
        pending += [(child, [*path, child.key]) for child in (list(one.entries.values()) or one.items)]
    raise AssertionError("not in the document")


@given(edits())
@settings(max_examples=250, deadline=None, suppress_health_check=FILTERED)
def test_the_file_then_holds_what_was_meant(made: tuple[Document, Edit]) -> None:
    document, edit = made
    done = apply(document, edit)
    assume(done is not None and document.loader == "pyyaml" and not merges_differently(document.text))
    assert done is not None
    after, _ = done
    assert unordered(yaml.safe_load(after.text)) == unordered(meant(document, edit))


def unordered(data: object) -> object:
    """The data with the types of its keys and values, without the order of its maps."""
    if isinstance(data, dict):
        return {(type(key).__name__, str(key)): unordered(value) for key, value in data.items()}
    if isinstance(data, list):
        return [unordered(value) for value in data]
    return type(data).__name__, str(data)


def test_most_places_can_be_edited() -> None:
    """A fix that is always refused would pass all of the above."""
    text = "a: 1  # c\nb:\n  c: 'x'\n  d: [1, {e: 2}]\nf: &f {g: 1}\nh: *f\n"
    document = read("f.yaml", text.encode())
    assert document.root is not None
    entries = [node for node in document.root.walk() if node.key_span is not None]
    refused = [node.pointer for node in entries if apply(document, delete(setting(node))) is None]
    assert (len(entries), refused) == (8, ["/f", "/f/g"])


@given(edits())
@settings(max_examples=250, deadline=None, suppress_health_check=FILTERED)
def test_what_is_outside_the_edited_entry_keeps_its_bytes(made: tuple[Document, Edit]) -> None:
    """Also its comments: only those on the lines of a deleted entry go."""
    document, edit = made
    done = apply(document, edit)
    assume(done is not None)
    assert done is not None
    after, change = done
    assert after.text.startswith(document.text[: change.start])
    assert after.text.endswith(document.text[change.end :])
    assert document.root is not None
    touched = document.text[change.start : change.end]
    if edit.action in ("replace", "rename"):
        entry = next(one for one in document.root.walk() if one.key_span == edit.place)
        span = entry.span if edit.action == "replace" else edit.place
        assert span is not None
        assert entry.key_span is not None
        whole = document.text[entry.key_span.end : span.end]  # a block value goes with the colon before it
        is_block = edit.action == "replace" and len(whole.splitlines()) > 1 and touched == whole
        assert is_block or touched in (document.text[span.start : span.end], "")
        assert "\n" not in change.text or (is_block and isinstance(edit.value, (list, dict)))
    for node in document.root.walk():
        if node.key_span is None or node.alias is not None:
            continue
        inside = change.start <= node.key_span.start < change.end
        kept = document.text[node.key_span.start : node.key_span.end] in after.text
        assert kept or inside


@given(edits(("replace",)))
@settings(max_examples=120, deadline=None, suppress_health_check=FILTERED)
def test_a_second_run_changes_nothing(made: tuple[Document, Edit]) -> None:
    """The same edit on the fixed file is refused, or makes the same text again."""
    document, edit = made
    done = apply(document, edit)
    assume(done is not None)
    assert done is not None
    after, _ = done
    assert after.root is not None
    assert edit.place is not None
    start = edit.place.start
    node = next(one for one in after.root.walk() if one.key_span is not None and one.key_span.start == start)
    again = apply(after, replace(setting(node), edit.value))
    assert again is not None
    assert again[0].text == after.text


def test_a_fix_is_all_or_nothing() -> None:
    assert Fix((), safe=True) == safe()
