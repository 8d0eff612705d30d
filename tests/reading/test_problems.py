"""Problems: what is wrong with a file that can be read all the same."""

from __future__ import annotations

import pytest
import yaml

from fp8check.rules.reading import Problem, Unreadable
from fp8check.rules.trainers.detect import read

FACTORY = "model_name_or_path: x\nfinetuning_type: full\n"


def problems(text: str, path: str = "f.yaml") -> tuple[Problem, ...]:
    return read(path, text.encode()).problems


def test_a_duplicate_key_shows_both_places() -> None:
    (problem,) = problems("bf16: true\nseed: 1\nbf16: false\n")
    assert (problem.code, problem.fatal) == ("duplicate-key", False)
    assert (problem.span.line, problem.related and problem.related.line) == (3, 1)
    assert read("f.yaml", b"bf16: true\nbf16: false\n").get("bf16").value is False  # type: ignore[union-attr]
    assert "'bf16'" in problem.message
    assert repr(problem).startswith("Problem(duplicate-key at f.yaml:3:1")


def test_omegaconf_refuses_a_duplicate_key() -> None:
    (problem,) = problems(FACTORY + "bf16: true\nbf16: false\n")
    assert (problem.code, problem.fatal) == ("duplicate-key", True)


def test_a_merged_key_may_be_written_again() -> None:
    assert problems("a: &a {x: 1}\nb: {<<: *a, x: 2}\n") == ()


def test_which_of_two_merged_maps_wins_depends_on_the_loader() -> None:
    text = "b: &b {lr: 1, same: 3}\nc: &c {lr: 2, same: 3}\na:\n  <<: [*b, *c]\n"
    (problem,) = problems(text)
    assert (problem.code, problem.fatal, problem.span.line) == ("merge-order", False, 4)
    assert "PyYAML 6.0.4 takes the last" in problem.message
    merged = yaml.safe_load(text)["a"]["lr"]
    assert merged == (2 if yaml.__version__ == "6.0.4" else 1), "what the message says of this release is wrong"
    assert read("f.yaml", text.encode()).get("a", "lr").value == 1  # type: ignore[union-attr]


def test_a_map_merged_twice_is_no_conflict() -> None:
    assert problems("b: &b {lr: 1, o: {x: 1}}\na: {<<: [*b, *b]}\n") == ()


@pytest.mark.parametrize(
    "text",
    [
        "<<: !r {}",
        "<<: !r {a: 1}\nb: 2",
        "<<: [!r {a: 1}, !!set {b: 2}]",
        "<<: !r [{a: {c: 1}}]",
        "<<: !!str {<<: !r {a: 1}}",
        "<<: &x !r {a: 1}\nb: *x",
        "a: &x !r {b: 1}\n<<: *x",
        "<<: [!r x]",
        "<<: !r x",
        "<<: !r [[{a: 1}]]",
    ],
)
def test_the_tag_of_what_is_merged_says_nothing(text: str) -> None:
    """A loader makes a value of the map with the merge key, and none of the maps that it brings."""
    try:
        expected = yaml.safe_load(text)
    except yaml.YAMLError:
        with pytest.raises(Unreadable):
            read("f.yaml", text.encode(), loader="pyyaml")
    else:
        root = read("f.yaml", text.encode(), loader="pyyaml").root
        assert root is not None
        assert root.data() == expected


def test_json_keys_are_checked_too() -> None:
    (problem,) = problems('{"zero_optimization": {"stage": 2, "stage": 3}}', "f.json")
    assert (problem.code, problem.fatal, problem.span.column) == ("duplicate-key", False, 36)


def test_a_second_document_stops_every_tool() -> None:
    document = read("f.yaml", b"bf16: true\nfp16: false\n---\nbf16: false\n")
    (problem,) = document.problems
    assert (problem.code, problem.fatal, problem.span.line, problem.span.end_column) == (
        "multiple-documents",
        True,
        3,
        4,
    )
    assert document.kind == "training"
    assert document.get("bf16").value is True  # type: ignore[union-attr]


def test_the_parsers_of_two_omegaconf_releases_differ() -> None:
    (problem,) = problems(FACTORY + "fp8:\ttrue\n")
    assert (problem.code, problem.fatal, str(problem.span)) == ("parsers-differ", False, "f.yaml:3:5")
    assert "before 2.4" in problem.message


def test_what_stands_behind_a_fault_decides_who_reads_the_file() -> None:
    with pytest.raises(Unreadable, match="cannot start any token"):
        problems("finetuning_type:\nrun_name:\t\nbase_model:")


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        ("run_name: ${x", "interpolation", 11),
        ("run_name: ${ }", "interpolation", 11),
        ("run_name: 'x \\\\${'", "interpolation", 11),
        ("null: 1", "key-type", 1),
        ("!!timestamp 2001-01-01: 1", "key-type", 13),
        ("since: !!timestamp 2001-01-01", "value-type", 20),
        ("x: !!set {a, b}", "value-type", 10),
        ("x: {1: a, '1': b}", "key-conflict", 5),
    ],
)
def test_what_omegaconf_refuses(line: str, code: str, column: int) -> None:
    (problem,) = problems(f"{FACTORY}{line}\n")
    assert (problem.code, problem.fatal, problem.span.line, problem.span.column) == (code, True, 3, column)


@pytest.mark.parametrize("line", ["a: ${b}", "a: ${oc.env:HOME}", "a: '\\${'", "a: '${${a}}'", "a: $", "a: 2001-01-01"])
def test_what_omegaconf_takes(line: str) -> None:
    assert problems(f"{FACTORY}{line}\n") == ()


def test_llamafactory_needs_a_map() -> None:
    (problem,) = read("f.yaml", b"- a\n", loader="omegaconf").problems
    assert (problem.code, problem.fatal) == ("no-map", True)
    assert read("f.yaml", b"", loader="omegaconf").problems == ()
    assert read("f.yaml", b"---\n", loader="omegaconf").problems == ()


def test_problems_come_in_the_order_of_the_file() -> None:
    found = problems(FACTORY + "a: ${\nb: 1\nb: 2\nc: ${\n---\n")
    assert [problem.span.line for problem in found] == [3, 5, 6, 7]
