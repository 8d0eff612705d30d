"""The part of a page that shows the nodes of a cluster: the answer, why some do not pass, the drift, a grid of them."""

from __future__ import annotations

from html import escape

from fp8check.rules.nodes.document import WORST
from fp8check.rules.plain_text import shown
from fp8check.rules.report.nodes import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.nodes.fleet import Fleet, Standing

_MOST_TILES = 5_000
_FOLDED = 24  # so many that pass are folded: they are looked for by name, the others by eye
_MOST_ROWS = 200
_NAMED = 20  # nodes of a row


def body(answer: Fleet) -> str:
    """The part, as HTML."""
    return "\n".join([*_head(answer), *_reasons(answer), *_drift(answer), *_grid(answer)]) + "\n"


def _head(answer: Fleet) -> Iterator[str]:
    yield f'<p class="verdict {answer.verdict}"><span class="badge">{answer.verdict}</span> {counted(answer)}</p>'


def _grid(answer: Fleet) -> Iterator[str]:
    """A tile a node, those that do not pass first. The verdict is written out: color alone tells not everybody."""
    nodes = sorted(answer.nodes, key=lambda one: (WORST.index(one.verdict), one.host))
    passing = [standing for standing in nodes if standing.verdict == "pass"]
    is_folded = len(passing) > _FOLDED
    yield '<h2 id="nodes">Nodes</h2>'
    yield from _tiles(nodes[: len(nodes) - len(passing)] if is_folded else nodes)
    if is_folded:
        yield f"<details><summary>{len(passing):,} pass</summary>"
        yield from _tiles(passing)
        yield "</details>"


def _tiles(nodes: Sequence[Standing]) -> Iterator[str]:
    if nodes:
        yield '<ul class="fleet" aria-labelledby="nodes">'
        for standing in nodes[:_MOST_TILES]:
            badge = f'<span class="badge">{standing.verdict}</span>'
            yield f'<li class="{standing.verdict}">{_text(standing.host)} {badge}</li>'
        yield "</ul>"
        yield from _left_out(len(nodes) - _MOST_TILES, "nodes")


def _reasons(answer: Fleet) -> Iterator[str]:
    reasons = answer.reasons
    if reasons:
        rows = [(verdict, _text(why), _names(hosts)) for verdict, why, hosts in reasons[:_MOST_ROWS]]
        yield from _table("Why", ("verdict", "what speaks against them", "nodes"), rows)
        yield from _left_out(len(reasons) - _MOST_ROWS, "reasons")


def _drift(answer: Fleet) -> Iterator[str]:
    rows = []
    for drift in answer.drift:
        usual = "none" if drift.usual is None else f"{_text(drift.usual)} ({drift.count:,})"
        rows += [(drift.weight, f"{_text(drift.subject)}; usual: {usual}", f"{_text(each.value)}: {_names(each.hosts)}")
                 for each in drift.others]  # fmt: skip
    if rows:
        yield from _table("Where they differ", ("severity", "subject", "others"), rows[:_MOST_ROWS])
        yield from _left_out(len(rows) - _MOST_ROWS, "values")


_CLASSES = {"error": "fail", "warning": "warn"}


def _table(title: str, heads: Sequence[str], rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """A table whose first column is a verdict or a severity; its cells are escaped already."""
    yield f'<h2>{title}</h2>\n<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield f'<table class="chain">\n<thead><tr>{columns}</tr></thead>\n<tbody>'
    for first, second, third in rows:
        badge = f'<td class="{_CLASSES.get(first, first)}"><span class="badge">{first}</span></td>'
        yield f'<tr>{badge}<th scope="row">{second}</th><td>{third}</td></tr>'
    yield "</tbody>\n</table>\n</div>"


def _left_out(count: int, what: str) -> Iterator[str]:
    if count > 0:
        yield f"<p>And {count:,} more {what}: as JSON, all of them.</p>"


def _names(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - _NAMED:,} more" if len(hosts) > _NAMED else ""
    return f"{_text(', '.join(hosts[:_NAMED]))}{more}"


def _text(text: str) -> str:
    return escape(shown(text))
