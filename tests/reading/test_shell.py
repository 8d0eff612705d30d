"""Shell scripts: commands, words and blocks, each with its place."""

from __future__ import annotations

import pytest

from fp8check.rules.reading import Unreadable
from fp8check.rules.reading.limits import MAX_BYTES
from fp8check.rules.reading.read import read
from fp8check.rules.reading.shell import (
    MAX_NESTED,
    MAX_WORDS,
    Arithmetic,
    Branch,
    Command,
    Enter,
    Leave,
    ShellScript,
    Then,
)


def script(text: str, path: str = "run.sh") -> ShellScript:
    document = read(path, text.encode())
    assert isinstance(document, ShellScript)
    return document


def lines(text: str) -> list[list[str]]:
    """The commands, each with its assignments and words as they are written."""
    document = script(text)
    return [_parts(document, one) for one in document.items if isinstance(one, Command)]


def _parts(document: ShellScript, one: Command) -> list[str]:
    parts = [(part.start, part.end) for part in (*one.assignments, *one.words, *one.arrays)]
    return [document.text[start:end] for start, end in sorted(parts)]


def shape(text: str) -> str:
    """The items in a line: commands by their first word, blocks by their kinds."""
    document, said = script(text), []
    for one in document.items:
        if isinstance(one, Command):
            said.append(" ".join(_parts(document, one)) + (" |" if one.in_pipe else ""))
        elif isinstance(one, Enter):
            said.append(f"{one.kind}[{one.name}" if one.name else f"{one.kind}[")
        elif isinstance(one, Arithmetic):
            said.append(f"(({one.text}))")
        elif isinstance(one, Branch):
            said.append("/")
        elif isinstance(one, Then):
            continue
        else:
            said.append("]")
    return ", ".join(said).replace("[, ", "[").replace(", ]", "]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accelerate launch train.py", [["accelerate", "launch", "train.py"]]),
        ("a \\\n  --b 1 \\\r\n  --c", [["a", "--b", "1", "--c"]]),
        ("a; b & c", [["a"], ["b"], ["c"]]),
        ("a # b c\nd#e", [["a"], ["d#e"]]),
        ("A=1 B='x y' c \"d e\" f\\ g", [["A=1", "B='x y'", "c", '"d e"', "f\\ g"]]),
        (
            "a --x=$(date +%s '# (') --y `hostname` ${Z:-$(q)} $((1 + (2))) $1 $",
            [["a", "--x=$(date +%s '# (')", "--y", "`hostname`", "${Z:-$(q)}", "$((1 + (2)))", "$1", "$"]],
        ),
        ("a > log 2>&1 < in &>> more >| x", [["a"]]),
        ("a <<< word b", [["a", "b"]]),
        ("a <(b c) d > >(tee log)", [["a", "<(b c)", "d"]]),
        ("cat <<EOF > out\nif ' \"\n$(\nEOF\na", [["cat"], ["a"]]),
        ("cat <<-'END' <<B\n\tx\n\tEND\ny\nB\na", [["cat"], ["a"]]),
        ("cat <<EOF\nnever ended '", [["cat"]]),
        ("cat <<EOF\r\nx\r\nEOF\r\na\r\n", [["cat"], ["a"]]),
        ("X=(a 'b c' # d\n e) f", [["X=(a 'b c' # d\n e)", "f"]]),
        ("declare -a X=(1 2) Y=3", [["declare", "-a", "X=(1 2)", "Y=3"]]),
        ("X[0]=1 X+=2 X+=(3;4)", [["X[0]=1", "X+=2", "X+=(3;4)"]]),
        ("a $'x\\'\\n' $\"y z\"", [["a", "$'x\\'\\n'", '$"y z"']]),
        ("echo a=(b) c", [["echo", "a=", "c"]]),
        ("fi done } esac x", [["fi", "done", "}", "esac", "x"]]),
        ("", []),
        ("a b\\", [["a", "b\\"]]),
        ('a "${b:-it\'s}" "$(c "${d:-it\'s}" \'e)\')" f', [["a", '"${b:-it\'s}"', '"$(c "${d:-it\'s}" \'e)\')"', "f"]]),
        ("a $(b \\) c) d", [["a", "$(b \\) c)", "d"]]),
        ("# nothing", []),
        ('a ""', [["a", '""']]),
        ("a |\n b |& c", [["a"], ["b"], ["c"]]),
        ("case x\nfor x", []),
        ("'a'=b c", [["'a'=b", "c"]]),
        ("a <your model> --x=<PATH> < in <b", [["a", "<your model>", "--x=<PATH>"]]),
    ],
)
def test_commands(text: str, expected: list[list[str]]) -> None:
    assert lines(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("if a; then b; elif c; then d; else e; fi; f", "if[a, b, /, c, d, /, e], f"),
        ("while a; do b; done", "loop[a, b]"),
        ("until a\ndo\nb\ndone | c", "loop[a, b], c |"),
        ("for x in 1 2; do a; done", "loop[x, a]"),
        ("for x; do a; done", "loop[x, a]"),
        ("for x\ndo a\ndone", "loop[x, a]"),
        ("for ((i=0; i<2; i++)); do a; done", "loop[((i=0; i<2; i++)), a]"),
        ("select x in a b\ndo c; done", "loop[x, c]"),
        ("case $x in a | b) c ;; (d) e ;& *) f ;;& g) ;; esac; h", "case[/, c, /, e, /, f, /], h"),
        ("case x in\n# why\na) b\n;;\nesac", "case[/, b]"),
        ("case x in a) if b; then c;; d) e; esac; f", "case[/, if[b, c, d, e]], f"),
        ("f() { a; }; f", "function[f, group[a]], f"),
        ("f ( )\n{\na\n}\nb", "function[f, group[a]], b"),
        ("function f { a; }", "function[f, group[a]]"),
        ("function f() ( a ); b", "function[f, subshell[a]], b"),
        ("( a; (b) ); c", "subshell[a, subshell[b]], c"),
        ("a && b || c; d", "a, b, and[c], d"),
        ("[ -z x ] && a\nb", "[ -z x ], and[a], b"),
        ("[[ $a == (b|c) && $d < 3 ]] && e; f", "[[ $a == (b|c) && $d < 3 ]], and[e], f"),
        ("a ||\n b\nc", "a, and[b], c"),
        ("{ a; } && b; c", "group[a], and[b], c"),
        ("if a || b; then c; else d; fi", "if[a, and[b], c, /, d]"),
        ("if a || b\nthen c || d; fi; e", "if[a, and[b], c, and[d]], e"),
        ("((i++)); a", "((i++)), a"),
        ("! a | b", "a |, b |"),
        ("[[ a", "[[ a"),
        ("[[ a ", "[[ a"),
        ("if a; then b || else c; fi", "if[a, b, and[c]]"),
        ("else\na", "a"),
        (";; a ;& b", "a, b"),
        (") a", "a"),
        ("if a; then (b; fi; c", "if[a, subshell[b]], c"),
        ("case x in a) b || c;; esac", "case[/, b, and[c]]"),
    ],
)
def test_blocks(text: str, expected: str) -> None:
    assert shape(text) == expected


def test_each_block_knows_its_end() -> None:
    items = script("f() { if a; then b; fi; }; c").items
    for at, one in enumerate(items):
        if isinstance(one, Enter):
            end = items[one.leave]
            assert isinstance(end, Leave)
            assert (end.kind, end.enter) == (one.kind, at)


def test_a_word_has_its_place() -> None:
    document = script("#!/bin/bash\n  A=1 accelerate launch \\\n    --x 'y z'\n")
    (command,) = document.items
    assert isinstance(command, Command)
    spans = [document.source.span(word.start, word.end) for word in command.words]
    assert [str(span) for span in spans] == ["run.sh:2:7", "run.sh:2:18", "run.sh:3:5", "run.sh:3:9"]
    assert (spans[-1].end_line, spans[-1].end_column) == (3, 14)
    assert document.text[command.start : command.end].startswith("A=1 accelerate")
    assert document.text[command.start : command.end].endswith("'y z'")


def test_the_pieces_of_a_word() -> None:
    (command,) = script("a --x=\"$A b\\\"\\c\"'d'\\e${F:-g}`h`$((i))$(j)$'\\x\\n'\"'\"").items
    assert isinstance(command, Command)
    pieces = [(piece.kind, piece.text, piece.quoted) for piece in command.words[1].pieces]
    assert pieces == [
        ("text", "--x=", False),
        ("variable", "A", True),
        ("text", " b", True),
        ("text", '"', True),
        ("text", "\\c", True),
        ("text", "d", True),
        ("text", "e", True),
        ("variable", "F:-g", False),
        ("output", "h", False),
        ("number", "i", False),
        ("output", "j", False),
        ("text", "x\n", True),
        ("text", "'", True),
    ]
    assert command.words[0].literal == command.words[0].bare == "a"
    assert command.words[1].literal is command.words[1].bare is None


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("a\nb 'c", "2:3", "this quote is never closed"),
        ('a\nb "c', "2:3", "this quote is never closed"),
        ("a\nb $'c", "2:3", "this quote is never closed"),
        ("a\nb $(c # )", "2:4", "never closed by )"),
        ("a\nb $(c 'd)", "2:7", "this quote is never closed"),
        ("a\nb ${c", "2:4", "never closed by }"),
        ("a\nb `c", "2:3", "never closed by `"),
        ("a\nb " + "$(" * 200, "2:4", "never closed by )"),
        ("a\nX=(b", "2:3", "never closed by )"),
    ],
)
def test_what_is_never_closed_ends_the_script(text: str, place: str, why: str) -> None:
    document = script(text)
    assert str(document.stopped).startswith(f"run.sh:{place}: ")
    assert str(document.stopped).endswith(why)
    assert shape(text).startswith("a")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a\0", "control character U+0000"),
        ("(" + " (" * MAX_NESTED + "a", f"blocks nest deeper than {MAX_NESTED}"),
        ("a " * (2 * MAX_WORDS + 1), f"more than {MAX_WORDS:,} words"),
    ],
)
def test_unreadable(text: str, why: str) -> None:
    with pytest.raises(Unreadable) as raised:
        script(text)
    assert why in raised.value.message


def test_a_here_document_is_kept_with_its_command() -> None:
    text = "read X <<EOF; b <<-'E'\n$a\nEOF\n\tc\n\tE\nwhile d; do e; done <<F\ng\nF\n"
    document = script(text)
    commands = [one for one in document.items if isinstance(one, Command)]
    assert [one and (text[one.start : one.end], one.is_literal) for one in (each.heredoc for each in commands)] == [
        ("$a\n", False),
        ("\tc\n", True),
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"\xff\xfea\0", "encoding"), (b"\xff", "encoding"), (b"a\n" * MAX_BYTES, "large"), (b"\0", "encoding")],
)
def test_other_bytes(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as raised:
        read("run.sh", data)
    assert raised.value.reason == reason


def test_a_byte_order_mark_is_no_part_of_the_first_command() -> None:
    document = read("run.sh", b"\xef\xbb\xbfa b\r\n")
    assert isinstance(document, ShellScript)
    assert document.bom
    assert [document.text[word.start : word.end] for word in document.items[0].words] == ["a", "b"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a.sh", "x: 1", "shell"),
        ("a.sbatch", "", "shell"),
        ("a", "#!/bin/bash\nx", "shell"),
        ("a", "#!/usr/bin/env -S bash\nx", "shell"),
        ("a", "#! /usr/bin/env zsh\nx", "shell"),
        ("a", "#!/usr/bin/env python\nx: 1", "yaml"),
        ("a.sh", "#!/usr/bin/python\nx: 1", "yaml"),
        ("a", "#!\nx: 1", "yaml"),
        ("a.sh", "#!", "shell"),
        ("a.yaml", "x: 1", "yaml"),
    ],
)
def test_what_a_shell_script_is(path: str, text: str, expected: str) -> None:
    document = read(path, text.encode())
    assert document.format == expected
    assert (document.kind == "shell") is (expected == "shell")


def test_directives_stand_before_the_first_command() -> None:
    text = "#!/bin/sh\r\n#SBATCH --nodes=2\r\n # SBATCH no\n #SBATCH no\n#SBATCH -n 4 # why\nA=1\n#SBATCH --late\n"
    document = script(text)
    found = document.directives("#SBATCH")
    assert [words for words, _ in found] == [" --nodes=2", " -n 4 # why"]
    assert [document.source.place(at) for _, at in found] == [(2, 8), (5, 8)]
    assert script("#SBATCH -n 1").directives("#SBATCH") == [(" -n 1", 7)]
    assert len(document.comments) == 6
