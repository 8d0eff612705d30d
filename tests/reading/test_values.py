"""What a loader makes of a scalar: compared with the loaders themselves."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
import yaml

from fp8check.rules.reading import Document, Problem, Unreadable
from fp8check.rules.trainers.detect import read
from tests.support.loaded import attempt, merges_differently, same
from tests.support.yaml_texts import PLAIN

if TYPE_CHECKING:
    from pathlib import Path

SCALARS = [
    *PLAIN, "1_0.5", "._", ".5e3", ".5e+3", "1:30.5", "0b_", "0x_", "OFF", "y", "~", "", "-", "2001-13-45",
    "2001-01-01 10:00:00", "2001-01-01T10:00:00Z", "1e400", "12345678901234567890", "1.", "+1", "+.5", "1e", "0e0",
    "1e5_0", "1__0e3", "0_", "-0x1F", "+12e3", "190:20:30.15", "1_", "1_.5", "1_e3", "'5'", '"5"', "!!str 5",
    "!!float 5", "!!int '5'", "!!int x", "!!int ''", "!!bool maybe", "!!bool yes", "!!null x", "!!timestamp x",
    "!!binary aGk=", "!!binary é", "! 5", "! '5'", "!!set {x, y}", "!!omap [x: 1]", "!!omap [x]",
    "!!pairs [x: 1, x: 2]", "!!map {x: 1}", "!!seq [1]", "!!str [1]", "!!map [1]", "!!seq {a: 1}",
    "!!python/tuple [1]", "!x y", "=", "<<", "'='", "'<<'", "${b}", "'${'", "[${x}]", "${oc.env:HOME}", "&x 5",
    "&x !!str 5", "!!str &x 5", "|\n  x", ">-\n  x\n  y",
]  # fmt: skip

FILES = [
    "a: 1\na: 2\n", "1: a\n1: b\n", "1: a\n'1': b\n", "true: a\n1: b\n", "null: a\n", "1.5: a\n", "2001-01-01: a\n",
    "[1, 2]: a\n", "? {a: 1}\n: b\n", "!!binary aGk=: a\n", "b: &b {x: 1}\na:\n  <<: *b\n  x: 2\n",
    "b: &b {x: 1, y: 1}\nc: &c {x: 2, z: 2}\na:\n  <<: [*b, *c]\n  y: 3\n", "a: {<<: {x: 1}, <<: {x: 2}}\n",
    "a: {'<<': 1}\n", "a: &m {<<: {x: 1}}\nb: {<<: *m, y: 2}\nc: {<<: *m, <<: {y: 5}}\n", "a: {<<: 5}\n",
    "a: {<<: [5]}\n", "a: {&m <<: {x: 1}}\nb: {*m : {y: 1}}\n", "=: a\n", "&k a: 1\nb: *k\n*k : 2\n",
    "b: &b [1]\na: *b\n", "a: *b\n", "a:\tb\n", "a: [1,\t2]\n", "- 1\n- 2\n", "foo\n", "5\n", "", "# c\n", "---\n",
    "---\na: 1\n---\nb: 2\n", "a: 1\n...\n", "--- {a: 1}\n", "%YAML 1.1\n---\na: 1\n", "%YAML 2.0\n---\na: 1\n",
    "b: &b {x: 1}\nd:\n  &a <<: *b\n  y: *a\n", "a: 'x\n\n  y'\n", 'a: "\\ud800"\n', 'a: "\\U0001f600"\n', 'a: "\\U00110000"\n', "a: x\u2028b: 1\n",
    "a: \x85b: 1\n", "a: 'x\x85y'\n", "a: x\rb: 1\r", "a: |\r\n  x\r\n  y\r\n", "{a: 1, b}\n", "{a:1}\n",
    "{c:, e: 1}\n", "[a?b]\n", "a: |#x\n  y\n", "a: b: c\n", "a: [1\n", "a: 'x\n", "  a: 1\n b: 2\n",
    "a: &x\nb: *x\n", "? a\n? b\n", "a: @x\n", "a: `x`\n", "a: %x\n", "\ufeffa: 1\n",
]  # fmt: skip


def value(document: Document) -> object:
    return None if document.root is None else document.root.data()


@pytest.mark.parametrize("text", [*(f"a: {scalar}\n" for scalar in SCALARS), *FILES])
def test_pyyaml(text: str) -> None:
    loads, expected = attempt(lambda: yaml.safe_load(text))
    refused, got, problems = _read(text, "pyyaml")
    fatal = any(problem.fatal for problem in problems)
    assert loads == (not refused and not fatal)
    assert not loads or merges_differently(text) or same(got, expected)


@pytest.mark.parametrize("text", [*(f"a: {scalar}\n" for scalar in SCALARS), *FILES])
def test_omegaconf(text: str, tmp_path: Path) -> None:
    omegaconf = pytest.importorskip("omegaconf", minversion="2.4", reason="compared with OmegaConf 2.4")
    path = tmp_path / "f.yaml"
    path.write_bytes(text.encode())
    if text == "foo\n":
        pytest.skip("OmegaConf takes a lone string for a command-line setting")

    def load() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return omegaconf.OmegaConf.to_container(
                omegaconf.OmegaConf.merge(omegaconf.OmegaConf.load(path), omegaconf.OmegaConf.create({}))
            )

    try:
        loads, expected = True, load()
    except Exception:  # noqa: BLE001 - whatever it raises, it does not load the file
        loads, expected = False, None
    refused, got, problems = _read(text, "omegaconf")
    fatal = any(problem.fatal for problem in problems)
    if text in LIBYAML_ONLY:
        return
    assert loads == (not refused and not fatal)
    assert not loads or same(got if got is not None else {}, expected)


# Files that only one of the two parsers takes, and that OmegaConf reads one way before 2.4 and another since.
LIBYAML_ONLY = {"{c:, e: 1}\n", 'a: "\\ud800"\n', "%YAML 2.0\n---\na: 1\n"}


def _read(text: str, loader: str) -> tuple[bool, object, list[Problem]]:
    try:
        document = read("f.yaml", text.encode(), loader=loader)
    except Unreadable:
        return True, None, []
    return False, value(document), list(document.problems)
