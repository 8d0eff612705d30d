"""Launch lines of shell scripts: their words and variables change, and every other character stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.checking.shell import Given, programs_of
from fp8check.rules.edits.action import GONE
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.facts import Facts
from fp8check.rules.moves.sources import ShellSource
from fp8check.rules.reading.shell import ShellScript
from fp8check.rules.settings.shell_edits import MOST_LINES, MOST_WORDS, hunks, with_hunks
from fp8check.rules.trainers.detect import read


def source_of(text: str) -> ShellSource:
    script = read("job.sh", text.encode())
    assert isinstance(script, ShellScript)
    return ShellSource(script, lambda one: programs_of(one, Given(Facts(), follow=False)))


def launched(text: str, before: str, after: str, number: int = 0) -> str:
    """The script where these words of a line are other ones."""
    source = source_of(text)
    words = source.file.words({}, number)
    old = before.split()
    at = next(at for at in range(len(words) + 1) if words[at : at + len(old)] == old)
    made = hunks(words, [*words[:at], *after.split(), *words[at + len(old) :]])
    return source.written(source.file.with_words({}, number, made), by_hand=False).text


def exported(text: str, name: str, value: object, number: int = 0) -> str:
    """The script where a variable of a line is another one."""
    source = source_of(text)
    return source.written(source.file.with_variable(number, name, value), by_hand=False).text


LINE = "accelerate launch --mixed_precision bf16 --cpu train.py --lr 1\n"
LONG = "#!/bin/bash\r\naccelerate launch \\\r\n\t--mixed_precision 'bf16' \\\r\n\t--cpu \\\r\n\ttrain.py \"a b\" > log 2>&1 &\r\n"


@pytest.mark.parametrize(
    ("text", "before", "after", "wanted"),
    [
        (LINE, "bf16", "fp8", LINE.replace("bf16", "fp8")),
        (LINE, "--mixed_precision bf16", "", LINE.replace("--mixed_precision bf16 ", "")),
        (LINE, "--lr 1", "", LINE.replace(" --lr 1", "")),
        (LINE, "launch", "launch --config_file a.yaml", LINE.replace("launch", "launch --config_file a.yaml")),
        (LINE, "--lr 1", "--lr 1 --bf16 False", LINE.replace("--lr 1", "--lr 1 --bf16 False")),
        (LINE, "accelerate", "env A=1 accelerate", f"env A=1 {LINE}"),
        (LONG, "bf16", "fp8", LONG.replace("bf16", "fp8")),
        (LONG, "--mixed_precision bf16", "", LONG.replace("--mixed_precision 'bf16' \\\r\n\t", "")),
        (LONG, "--cpu", "", LONG.replace("--cpu \\\r\n\t", "")),
        (LONG, "train.py", "train.py x;y", LONG.replace("train.py", "train.py 'x;y'")),
        ('P="bf16"\naccelerate launch --mixed_precision $P t.py\n', "bf16", "fp8", 'P="fp8"\naccelerate launch --mixed_precision $P t.py\n'),
        ("A='--cpu --x 1'\naccelerate launch $A t.py\n", "--cpu", "", "A='--x 1'\naccelerate launch $A t.py\n"),
        ("A=(--cpu --x 1)\naccelerate launch \"${A[@]}\" t.py\n", "--cpu", "", "A=(--x 1)\naccelerate launch \"${A[@]}\" t.py\n"),
        ("llamafactory-cli train a.yaml\n", "llamafactory-cli train", "accelerate launch -m x", "accelerate launch -m x a.yaml\n"),
        ("f() {\n  accelerate launch --cpu $1\n}\nf a.py\nf b.py\n", "--cpu", "", "f() {\n  accelerate launch $1\n}\nf a.py\nf b.py\n"),
        ("nohup accelerate launch --cpu t.py &> x &\n", "--cpu", "", "nohup accelerate launch t.py &> x &\n"),
        ("accelerate launch t.py > log --cpu\n", "--cpu", "", "accelerate launch t.py > log \n"),
    ],
)  # fmt: skip
def test_words(text: str, before: str, after: str, wanted: str) -> None:
    assert launched(text, before, after) == wanted


@pytest.mark.parametrize(
    ("text", "before", "after", "why"),
    [
        ("accelerate launch --mixed_precision=$P t.py\n", "--mixed_precision=${P}", "--x", "filled in later"),
        ("P=bf16\naccelerate launch --mixed_precision=$P t.py\n", "--mixed_precision=bf16", "--mixed_precision=fp8", "does not stand there as one word"),
        ("bash -c 'accelerate launch --cpu t.py'\n", "--cpu", "", "does not stand there as one word"),
        ("cat <<EOF | bash\naccelerate launch --cpu t.py\nEOF\n", "--cpu", "", "does not stand there as one word"),
        ("accelerate launch --mixed_precision bf\"16\" t.py\n", "bf16", "fp8", "does not stand there as one word"),
        ("A='--cpu'\naccelerate launch $A t.py\n", "--cpu", "--x;y", "within another word"),
        ("A='--cpu'\naccelerate launch $A t.py\n", "--cpu", "--cpu a;b", "within another word"),
        ("accelerate launch --x a > log --cpu t.py\n", "a --cpu", "", "do not stand together"),
        ("accelerate launch --cpu t.py\n", "--cpu", "a\x01b", "cannot be written"),
    ],
)  # fmt: skip
def test_words_that_are_left_alone(text: str, before: str, after: str, why: str) -> None:
    with pytest.raises(Unfixable, match=why):
        launched(text, before, after)


def test_lines_that_share_a_word_change_together() -> None:
    text = "P=bf16\naccelerate launch --mixed_precision $P a.py\naccelerate launch --mixed_precision $P --cpu b.py\n"
    assert launched(text, "bf16", "fp8") == text.replace("bf16", "fp8")
    source = source_of(text)
    with pytest.raises(Unfixable, match="another line has a part"):
        source.file.with_words({}, 1, hunks(source.file.words({}, 1), ["accelerate", "launch", "b.py"]))
    one_alone = [*source.file.words({}, 0)]
    one_alone[3] = "fp8"
    with pytest.raises(Unfixable, match="something else"):
        source.written({"0": one_alone}, by_hand=False)


def test_lines_that_share_a_part_are_left_alone() -> None:
    text = "A='--mixed_precision bf16'\naccelerate launch $A a.py\nP=$A\naccelerate launch ${A##* } b.py\naccelerate launch $A --cpu c.py\n"
    source = source_of(text)
    made = hunks(source.file.words({}, 0), ["accelerate", "launch", "a.py"])
    changed = source.file.with_words({}, 0, made)
    assert sorted(changed) == ["0", "2"]
    with pytest.raises(Unfixable, match="share a word"):
        source.file.with_words({"2": ["accelerate", "launch", "c.py"]}, 0, made)


@pytest.mark.parametrize(
    ("text", "value", "wanted"),
    [
        ("export A=bf16\n", "fp8", "export A=fp8\n"),
        ('export A="bf16"  # why\n', "fp8", 'export A="fp8"  # why\n'),
        ("export A=bf16\n", GONE, ""),
        ("  export A=bf16  # why\r\n", GONE, ""),
        ("export B=1 A=bf16 C=2\n", GONE, "export B=1 C=2\n"),
        ("export A=bf16 B=1\n", GONE, "export B=1\n"),
        ("A=bf16\nexport A\n", "fp8", "A=fp8\nexport A\n"),
    ],
)
def test_a_variable_that_is_exported(text: str, value: object, wanted: str) -> None:
    name = "ACCELERATE_MIXED_PRECISION"
    text, wanted = (one.replace("A", name) + LINE for one in (text, wanted))
    assert exported(text, name, value) == wanted


@pytest.mark.parametrize(
    ("front", "value", "wanted"),
    [
        ("A=bf16 ", "fp8", "A=fp8 "),
        ("A='bf16' ", "a b", "A='a b' "),
        ("A=bf16 ", "a b", "A='a b' "),
        ("A=bf16 ", GONE, ""),
        ("B=1 A=bf16 \\\n  ", GONE, "B=1 "),
    ],
)
def test_a_variable_in_front(front: str, value: object, wanted: str) -> None:
    name = "ACCELERATE_MIXED_PRECISION"
    assert exported(f"{front}{LINE}".replace("A=", f"{name}="), name, value) == f"{wanted}{LINE}".replace(
        "A=", f"{name}="
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("export A=$1\n", "fp8"),
        ("A=bf16\nexport A\n", GONE),
        ("export A=bf16; echo\n", GONE),
        ("export A=bf16\n", "a b"),
        ("export A=\n", "fp8"),
        ('export A=b"f"16\n', "fp8"),
        ("if x; then export A=bf16; fi\n", "fp8"),
    ],
)
def test_a_variable_that_is_left_alone(text: str, value: object) -> None:
    name = "ACCELERATE_MIXED_PRECISION"
    text = f"#!/bin/bash\n{text}{LINE}".replace("A=", f"{name}=").replace("export A\n", f"export {name}\n")
    with pytest.raises(Unfixable):
        exported(text, name, value)


def test_lines_that_share_a_variable_change_together() -> None:
    name = "ACCELERATE_MIXED_PRECISION"
    text = f"export {name}=bf16\n{LINE}unset {name}\n{LINE}export {name}=no\n{LINE}{LINE}"
    assert exported(text, name, "fp8") == text.replace("=bf16", "=fp8")
    assert exported(text, name, "fp8", 2) == text.replace("=no", "=fp8")
    assert exported(text, name, GONE) == text.replace(f"export {name}=bf16\n", "")


def test_what_is_changed_is_told() -> None:
    text = f"export ACCELERATE_MIXED_PRECISION=bf16\n{LONG.replace(chr(13), '')}"
    source = source_of(text)
    words = source.file.words({}, 0)
    changes = source.file.with_words({}, 0, hunks(words, [*words[:2], "--x", *words[5:], "--y"]))
    changes |= source.file.with_variable(0, "ACCELERATE_MIXED_PRECISION", GONE)
    told = [(one.line, one.before, one.after) for one in source.changes(changes)]
    assert told == [
        (4, "--mixed_precision bf16 --cpu", "--x"),
        (6, None, "--y"),
        (1, "ACCELERATE_MIXED_PRECISION=bf16", None),
    ]
    assert {source.why_not(name, value) for name, value in changes.items()} == {""}


def test_a_value_is_told_with_its_flag() -> None:
    source = source_of(LINE)
    words = source.file.words({}, 0)
    changes = source.file.with_words({}, 0, hunks(words, [*words[:3], "fp8", *words[4:]]))
    told = [(one.before, one.after) for one in source.changes(changes)]
    assert told == [("--mixed_precision bf16", "--mixed_precision fp8")]


def test_the_line_is_found_again() -> None:
    text = "accelerate launch --cpu a.py\naccelerate launch --cpu b.py\n"
    source = source_of(text)
    changes = source.file.with_words({}, 0, hunks(source.file.words({}, 0), ["accelerate", "launch", "a.py"]))
    now = source.with_data(changes)
    assert isinstance(now, ShellScript)
    lines = programs_of(now, Given(Facts(), follow=False))
    assert [source.file.number_of(now, one) for one in lines] == [0, 1]
    assert source.file.number_of(now, source.file.lines[0]) is None


def test_bounds() -> None:
    with pytest.raises(Unfixable, match=f"{MOST_WORDS} words"):
        hunks(["a"] * (MOST_WORDS + 1), [])
    with pytest.raises(Unfixable, match=f"{MOST_LINES} lines"):
        source_of(LINE * (MOST_LINES + 1))


def test_a_script_that_would_be_none() -> None:
    source = source_of(LINE)
    with pytest.raises(Unfixable):
        source.file.check({}, source_of("accelerate launch 'a\n").document)
    with pytest.raises(Unfixable, match="something else"):
        source.file.check({"0": ["accelerate", "launch", "x.py"]}, source.document)


WORDS = st.sampled_from(["--cpu", "--x", "bf16", "1", "a.yaml", "x y", "it's", "a$b", "ü", "--k=v", "a;b", "*"])
FORMS = st.sampled_from(["--cpu", "bf16", "'b f'", '"q"', "$V", "${W}", "a\\ b", '"$V"', "b'f'", "$(date)", "--k=$V"])
GAPS = st.sampled_from([" ", "  ", " \\\n    ", "\t", " \\\r\n\t"])


@given(st.lists(st.tuples(FORMS, GAPS), min_size=1, max_size=6), st.lists(WORDS, max_size=3), st.data())
def test_whatever_is_edited_everything_else_stays(
    forms: list[tuple[str, str]], new: list[str], data: st.DataObject
) -> None:
    line = "accelerate launch " + "".join(f"{form}{gap}" for form, gap in forms) + "t.py > log 2>&1 # end\n"
    text = f"V='one two'\nexport FSDP_VERSION=2\n{line}echo $V\npython train.py $V\n"
    source = source_of(text)
    words = source.file.words({}, 0)
    first = data.draw(st.integers(2, len(words)))
    last = data.draw(st.integers(first, len(words)))
    made = hunks(words, [*words[:first], *new, *words[last:]])
    try:
        changes = source.file.with_words({}, 0, made)
        now = source.written(changes, by_hand=False)
    except Unfixable as reason:
        assert not str(reason).endswith("as well") or "$" in line  # noqa: PT017
        return
    again = source_of(now.text)
    assert [one.text for one in again.file.lines[0].words] == with_hunks(words, made)
    assert now.text.endswith("# end\necho $V\npython train.py $V\n") or now.text == text
