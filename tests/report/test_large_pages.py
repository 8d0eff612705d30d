"""Pages of large files and of many findings: a browser gets what it can show, and the reader is told of the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fp8check.cli.main import main
from fp8check.rules.checking.examining import examine
from fp8check.rules.report import build, html
from fp8check.rules.report.formats import PLAIN, find
from tests.support.runs import assembled_of

if TYPE_CHECKING:
    from pathlib import Path

ACCELERATE = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n'


def page(training: str, accelerate: str = ACCELERATE) -> str:
    """The page of a run."""
    one = assembled_of({"training": training, "accelerate": accelerate})
    report = build.full_report(examine(one.run, one.documents))
    format_ = find("html")
    assert format_ is not None
    return format_.render([report], {document.path: document.text for document in one.documents}, PLAIN)


def shown(text: str, file: int = 0) -> list[int]:
    """The numbers of the lines of a file that a page has."""
    return [int(number) for number in re.findall(f'id="line-0-{file}-([0-9]+)"', text)]


def gaps(text: str) -> list[str]:
    """What a page says of lines that it leaves out."""
    return re.findall("<i>(lines? [^<]*) not shown</i>", text)


def test_a_file_is_shown_whole_up_to_a_size() -> None:
    text = page(1_990 * "\n" + "output_dir: out\nbf16: true\n")
    assert shown(text) == [*range(1, 1_993)]
    assert gaps(text) == []


@pytest.mark.parametrize(
    ("before", "after", "expected", "left_out"),
    [
        (3_000, 0, [*range(1, 21), *range(2_982, 3_003)], ["lines 21 to 2,981 are"]),
        (0, 3_000, [*range(1, 23)], ["lines 23 to 3,002 are"]),
        (100, 3_000, [*range(1, 21), *range(82, 123)], ["lines 21 to 81 are", "lines 123 to 3,102 are"]),
        (40, 3_000, [*range(1, 21), *range(22, 63)], ["line 21 is", "lines 63 to 3,042 are"]),
    ],
)
def test_of_a_longer_file_what_something_is_said_of(
    before: int, after: int, expected: list[int], left_out: list[str]
) -> None:
    blank, comments = before * "\n", after * "# more\n"
    text = page(f"output_dir: out\n{blank}bf16: true\n{comments}")
    assert shown(text)[: len(expected)] == expected
    assert gaps(text)[: len(left_out)] == left_out
    assert f'id="line-0-0-{before + 2}" value="{before + 2}" class="error"' in text


def test_thousands_of_findings_are_counted_and_the_first_shown() -> None:
    count = 3_000
    text = page("output_dir: out\n", ACCELERATE + "".join(f"  u{number}: 1\n" for number in range(count)))
    whole = int(re.findall("([0-9]+) warnings?", text)[0])
    assert whole >= count
    assert len(re.findall('class="note (?:error|warning|info)"', text)) <= html.MOST
    (said,) = re.findall('<p class="left-out">([^<]*)</p>', text)
    assert re.match(r"[0-9],[0-9]{3} findings and [0-9],[0-9]{3} settings more are not on this page; ", said)
    links = {*re.findall('href="#(finding-[0-9-]+)"', text)}
    assert links
    assert links <= {*re.findall('id="(finding-[0-9-]+)"', text)}


def test_a_page_of_a_real_run_leaves_nothing_out() -> None:
    assert "left-out" not in page("output_dir: out\nbf16: true\n")


def test_of_a_script_each_run_shows_its_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = 100
    command = "accelerate launch --mixed_precision fp8 train.py --bf16 True --output_dir out{}\n"
    (tmp_path / "train.py").write_text("from transformers import Trainer\n", "utf-8")
    (tmp_path / "short.sh").write_text("".join(map(command.format, range(60))), "utf-8")
    (tmp_path / "long.sh").write_text("".join(map(command.format, range(lines))), "utf-8")
    monkeypatch.chdir(tmp_path)
    main(["short.sh", "--no-environment", "--format=html"])
    text = capsys.readouterr().out
    assert shown(text) == [*range(1, 61)], "a short script is shown whole"
    main(["long.sh", "--no-environment", "--format=html"])
    text = capsys.readouterr().out
    for run in range(lines):
        numbers = [int(one) for one in re.findall(f'id="line-{run}-0-([0-9]+)"', text)]
        assert {*range(max(1, run - 19), min(lines, run + 21) + 1)} <= {*numbers}
        assert len(numbers) <= 62
