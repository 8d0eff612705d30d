"""Reports of many runs in pieces: the same text as that of all of them together."""

from __future__ import annotations

import pytest

from fp8check.rules.checking.examining import examine
from fp8check.rules.report import build
from fp8check.rules.report.formats import FORMATS, PLAIN, Format, Look
from fp8check.rules.report.many import page_of
from tests.support.runs import assembled_of

ACCELERATE = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config: {backend: te, amax_history_length: 4}\n'
CASES = [
    {"training": "output_dir: out\nbf16: true\n", "accelerate": ACCELERATE},
    {"training": 'output_dir: "\\e[31m::error::x"\nbf16: true\n', "accelerate": ACCELERATE},
    {"training": "output_dir: out\n", "accelerate": 'distributed_type: "NO"\nmixed_precision: bf16\n'},
]


def rendered(format_: Format, numbers: list[int], look: Look = PLAIN) -> tuple[str, str]:
    """In pieces, and whole."""
    page = page_of(format_, look)
    reports, sources, pieces = [], {}, []
    for number in numbers:
        one = assembled_of(CASES[number])
        report = build.full_report(examine(one.run, one.documents))
        own = {document.path: document.text for document in one.documents}
        sources = own
        reports.append(report)
        pieces.append(page.add(report, own))
    return "".join([*pieces, page.end()]), format_.render(reports, sources, look)


@pytest.mark.parametrize("numbers", [[], [0], [0, 0], [1, 0, 2], [1, 1], [2], [2, 2], [0, 0, 0, 0]], ids=str)
# The last is one that nobody has cut into pieces yet.
@pytest.mark.parametrize("format_", [*FORMATS, FORMATS[1]._replace(name="new")], ids=lambda one: one.name)
def test_pieces_are_the_whole(format_: Format, numbers: list[int]) -> None:
    if format_.name in ("html", "text") and len({*numbers}) > 1:
        pytest.skip("these files have one name, and lines of a file are shown by its name")
    pieces, whole = rendered(format_, numbers)
    assert pieces == whole


@pytest.mark.parametrize(
    "look", [Look(color=True), Look(quiet=True), Look(verbose=True)], ids=["color", "quiet", "verbose"]
)
@pytest.mark.parametrize("name", ["text", "concise", "github"])
def test_pieces_look_as_the_whole_does(name: str, look: Look) -> None:
    (format_,) = (one for one in FORMATS if one.name == name)
    pieces, whole = rendered(format_, [0, 0, 1], look)
    assert pieces == whole
