"""Files that cannot be read: each is refused at its place, with a way out, and without harm."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.reading import Unreadable, files, limits
from fp8check.rules.reading.source import UNPRINTABLE
from fp8check.rules.trainers.detect import read

if TYPE_CHECKING:
    from pathlib import Path


def refusal(text: str | bytes, path: str = "f.yaml") -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(path, text if isinstance(text, bytes) else text.encode())
    return caught.value


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: b: c\n", (1, 5), "mapping values are not allowed"),
        ("a: 1\n\tb: 2\n", (2, 1), "that cannot start any token"),
        ("a: 'x\n", (2, 1), "unexpected end of stream"),
        ("a: [1\nb: 2\n", (2, 2), "expected ',' or ']'"),
        ("a: @x\n", (1, 4), "cannot start any token"),
        ("a: *b\n", (1, 4), "no anchor of that name"),
        ("a: &x 1\nb: &x 2\n", (2, 7), "anchor &x is given a second time; the first is in line 1"),
        ("- &x {a: 1}\n- &x [1]\n", (2, 6), "anchor &x is given a second time; the first is in line 1"),
        ("&x a: 1\n&x b: 2\n", (2, 4), "anchor &x is given a second time; the first is in line 1"),
        ("a: &x [*x]\n", (1, 8), "inside the value that it repeats"),
        ("a: 2001-13-45\n", (1, 4), "'2001-13-45' is no valid timestamp"),
        ("a: !!int x\n", (1, 4), "'x' is no valid int"),
        (
            "a: &y !!python/object/apply:os.system [echo]\n",
            (1, 7),
            "the tag !!python/object/apply:os.system is refused",
        ),
        ("a: !Ref x\n", (1, 4), "the tag !Ref is refused"),
        ("a: =\n", (1, 4), "alone is no value"),
        ("? [a]\n: b\n", (1, 3), "a list cannot be a key"),
        ("a: {<<: 5}\n", (1, 9), "takes a map or a list of maps"),
        ("a: !!omap [x]\n", (1, 12), "!!omap takes maps of one entry"),
        ('a: "\\U00110000"\n', (1, 7), "the loader stops here"),
        ("a: x\x07\n", (1, 5), "control character U+0007"),
        ("\x00\x01\x02", (1, 1), "control character U+0000"),
        ("a: x\x85\nb: \x1b[0m\n", (2, 4), "control character U+001B"),
        (b"a: 1\nb: caf\xe9\n", (2, 7), "byte 0xe9 is not UTF-8"),
        (b"\xef\xbb\xbf\xef\xbb\xbfa: 1", (1, 1), "two byte-order marks"),
        (b"\xff\xfea\x00:\x00", (1, 1), "UTF-16"),
        (b"\xfe\xff\x00a\x00:", (1, 1), "UTF-16"),
        (b"a: \xed\xa0\x80\n", (1, 4), "is not UTF-8"),
    ],
)
def test_the_place_and_the_message(text: str | bytes, place: tuple[int, int], message: str) -> None:
    error = refusal(text)
    assert (error.line, error.column) == place
    assert message in error.message
    assert str(error) == f"f.yaml:{place[0]}:{place[1]}: {error.message}"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("fp8:\ttrue\n", "YAML is indented with spaces; replace the tab"),
        ("a: [${x}]\n", "a bracket is not closed, or a value with brackets in it, such as ${name}, is not in quotes"),
        ("a: 2001-13-45\n", "write it in quotes"),
        ("a: !Ref x\n", "remove the tag"),
        (b"\xff\xfe", "save the file as UTF-8"),
    ],
)
def test_hints(text: str | bytes, hint: str) -> None:
    assert refusal(text).hint == hint


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("output_dir: x\nbf16: true\ntf32:\ttrue\n", "training"),
        ("compute_environment: LOCAL_MACHINE\nmixed_precision: fp8\n fp8_config:\n", "accelerate"),
        ("plugins: [x]\nslug: !!python/name:foo.bar\n", "other"),
        ("{{- if .Values.x }}\nkind: Pod\n", None),
        ("bf16: true\noutput_dir: 2001-13-45\n", "training"),
        ("<<: &x {bf16: true, tf32: true}\na: *y\n", "training"),
    ],
)
def test_the_kind_of_what_cannot_be_read(text: str, kind: str | None) -> None:
    assert refusal(text).kind == kind


def test_the_kind_of_json_that_cannot_be_read() -> None:
    assert refusal('{"zero_optimization": {"stage": 3}, // offload\n', "f.json").kind == "deepspeed"
    assert refusal('{"a": 1, // b\n', "f.json").kind is None


DEEP = limits.MAX_DEPTH
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = "m0: &m0 {x: 1, y: 2}\n" + "".join(
    f"m{step}: &m{step} {{<<: [*m{step - 1}, *m{step - 1}, *m{step - 1}], k{step}: 1}}\n" for step in range(1, 30)
)
LADDER = "a0: &a0 [x]\n" + "".join(f"a{step}: &a{step} [*a{step - 1}]\n" for step in range(1, 2000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[" * 500_000, "levels deep", id="flow lists"),
        pytest.param("{a: " * 100_000, "levels deep", id="flow maps"),
        pytest.param("- " * 300_000, "levels deep", id="block lists"),
        pytest.param("? " * 300_000, "levels deep", id="complex keys"),
        pytest.param("".join(f"{' ' * step}a:\n" for step in range(1000)), "levels deep", id="block maps"),
        pytest.param("[\t" + "[" * 50_000, "cannot start any token", id="the slow parser"),
        pytest.param("a: ! " + "[" * 50_000, "levels deep", id="depth in the slow parser"),
        pytest.param(LADDER, "levels deep", id="aliases of aliases"),
        pytest.param("[" + "a," * 500_000, "keys and values", id="a long list"),
        pytest.param(BOMB, "aliases make more than", id="alias bomb"),
        pytest.param(MERGE_BOMB, "aliases make more than", id="merge bomb"),
        pytest.param("a: " + "1" * 900_000, "a number of 900,000 characters; 1,000 are read", id="a long number"),
        pytest.param("a: 1" + ":1" * 400_000 + ".5", "a number of 800,003 characters", id="a long time"),
        pytest.param("a: !" + "x" * 900_000 + " b", "is refused", id="a long tag"),
        pytest.param("x" * limits.MAX_BYTES + ":", "larger than 1,048,576 bytes", id="a large file"),
        pytest.param("%YAML 1." + "9" * 5000 + "\n--- a\n", "the loader stops here", id="a long version"),
    ],
)
def test_hostile_yaml(text: str, message: str) -> None:
    begin = time.process_time()
    error = refusal(text)
    assert message in error.message
    assert len(str(error)) < 200
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: " + "x" * 1_000_000, id="a long line"),
        pytest.param("".join(f"k{index}: {index}\n" for index in range(5_900)), id="many keys"),
        pytest.param(
            "# tab\t\n" + "".join(f"k{index}: {index}\n" for index in range(5_900)), id="many keys, slow parser"
        ),
        pytest.param("a: 1\n" * 5_900, id="many duplicates"),
        pytest.param("\r" * 1_000_000, id="many lines"),
        pytest.param("# ?\n" * 250_000, id="many comments"),
        pytest.param("- " * (DEEP - 1) + "a", id="deep enough"),
        pytest.param(
            "a: '" + "${" * 400_000 + "'\nfinetuning_type: x\nstage: sft\nmodel_name_or_path: y", id="references"
        ),
    ],
)
def test_large_but_legal(text: str) -> None:
    begin = time.process_time()
    document = read("f.yaml", text.encode())
    assert document.root is None or document.root.data() is not None
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 500_000, "levels deep"),
        ('{"a":' * 200_000, "levels deep"),
        ("[" + "1," * 500_000, "keys and values"),
    ],
)
def test_hostile_json(text: str, message: str) -> None:
    assert message in refusal(text, "f.json").message


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no such file") as caught:
        read(str(tmp_path / "none.yaml"))
    assert (caught.value.line, caught.value.column, caught.value.offset) == (None, None, 0)


@pytest.mark.parametrize(
    "name", ["a b.yaml", "ünïcode-名.yaml", "new\nline.yaml", "-", "percent%20.yaml", "'quote\".yaml"]
)
def test_paths_with_odd_characters(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("bf16: true\n", encoding="utf-8")
    assert read(name).kind == "training"


@pytest.mark.parametrize("path", ["a\0b.yaml", "\ud800.yaml", "x" * 5000, "", "f.yaml/g.yaml"])
def test_paths_that_cannot_be(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.yaml").touch()
    with pytest.raises(Unreadable):
        read(path)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", tmp_path, "/dev/zero", "/dev/null"):
        with pytest.raises(Unreadable, match="not a regular file"):
            read(str(path))


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_permission_denied(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.touch(mode=0)
    with pytest.raises(Unreadable, match="permission denied"):
        read(str(path))


def test_what_neither_parser_of_omegaconf_takes() -> None:
    with pytest.raises(Unreadable):
        read("f.yaml", b"a: [1\n", loader="omegaconf")


def test_permission_denied_to_anyone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").touch()

    def refuses(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuses)
    with pytest.raises(Unreadable, match="permission denied") as caught:
        read(str(tmp_path / "f.yaml"))
    assert caught.value.reason == "denied"


def test_other_faults_of_the_system_are_told_in_its_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    path = tmp_path / "f.yaml"
    path.touch()
    monkeypatch.setattr(os, "read", fails)
    with pytest.raises(Unreadable, match="input/output error"):
        read(str(path))


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(Unreadable, match="larger than"):
        read(str(path))


def test_no_file_leaks(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"a: \xff")
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    for target in (str(path), str(tmp_path)):
        with pytest.raises(Unreadable):
            read(target)
    after = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    assert after == before


def test_what_python_can_print_yaml_allows() -> None:
    """So a text that can be printed need not be searched."""
    assert [code for code in range(0x10000) if chr(code).isprintable() and re.match(UNPRINTABLE, chr(code))] == []


def test_what_the_system_does_not_tell_of_may_be_there(tmp_path: Path) -> None:
    assert files.is_there(str(tmp_path))
    assert not files.is_there(str(tmp_path / "none"))
    (tmp_path / "loop").symlink_to("loop")
    assert files.is_there(str(tmp_path / "loop" / "f.yaml"))
    assert not files.is_there("\ud800")


def test_the_start_of_a_large_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc" * (1 << 20))
    assert files.start(str(tmp_path / "f"), 4) == b"abca"
    with pytest.raises(Unreadable, match="larger than 4 bytes"):
        files.read(str(tmp_path / "f"), 4)


def test_a_file_that_need_not_exist(tmp_path: Path) -> None:
    assert files.read_if_there(str(tmp_path / "none"), 4) is None
    (tmp_path / "link").symlink_to("nothing")
    with pytest.raises(Unreadable, match="a link to a file that does not exist"):
        files.read_if_there(str(tmp_path / "link"), 4)


def test_a_file_that_is_gone_before_it_is_opened_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> int:
        raise FileNotFoundError(2, "No such file or directory")

    (tmp_path / "f").touch()
    monkeypatch.setattr(os, "open", gone)
    with pytest.raises(Unreadable, match="it is gone again"):
        files.read_if_there(str(tmp_path / "f"), 4)


def test_what_is_of_no_kind_that_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(files, "_KINDS", ())
    with pytest.raises(Unreadable, match="something else, not a regular file"):
        files.read(str(tmp_path), 4)


@pytest.mark.parametrize("name", ["f.yaml", "f.json"])
def test_keys_that_make_a_path_which_nobody_writes(name: str) -> None:
    """Each value carries its path: of deep maps with long keys it would grow with their square."""
    text = "x"
    for depth in range(12):
        text = f'{{"{depth}{100 * "k"}": {text if depth else 1}}}'
    with pytest.raises(Unreadable, match="more than 1,000 characters"):
        read(name, text.encode())
