"""`fp8check nodes DIR`: what all nodes of a cluster told, as one answer."""

from __future__ import annotations

import os
import time

from fp8check.cli import options as groups
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import formats_of, style_of, write_text
from fp8check.rules import writing
from fp8check.rules.checking.nodes import Folder, code_of, parse_report
from fp8check.rules.credentials import masked_shapes
from fp8check.rules.nodes.fleet import fleet
from fp8check.rules.nodes.hosts import file_of, listed
from fp8check.rules.nodes.merged import Merged
from fp8check.rules.plain_text import plain
from fp8check.rules.reading import Unreadable, files
from fp8check.rules.reading.limits import MAX_BYTES
from fp8check.rules.report.laying import laid_out
from fp8check.rules.report.nodes import as_json, as_text, lists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.cli.options import Options
    from fp8check.rules.nodes.fleet import Fleet
    from fp8check.rules.plain_text import Syntax

ABOUT = """\
Merges what `fp8check node` reported from all nodes of a cluster into one answer: which nodes can run this, where they
differ from most others, and which did not report (those never pass). DIR holds the HOST.json of each node, or what
`fp8check nodes --format json` wrote for some of them."""
FORMATS = ("text", "json", "junit", "sarif")
MERGED = "nodes.json"
SECONDS = 180
_EVERY_S = 0.5
_LARGEST_LIST = 64 << 20


def parser() -> Parser:
    """The options of the command."""
    made = Parser("fp8check nodes", ABOUT, groups=(groups.output_file, groups.color))
    made.add_argument(
        "words", metavar="DIR", nargs="*", help="folder that the nodes wrote to; with --ray, the files of the run"
    )
    made.add_argument(
        "--format",
        "--output-format",
        metavar="FORMAT[=FILE]",
        action="append",
        default=[],
        help=f"{', '.join(FORMATS)}; may be repeated",
    )
    made.add_argument("--expect", metavar="N", help="number of nodes that have to report")
    made.add_argument("--hosts", metavar="FILE", help="names of the nodes that have to report, one per line")
    made.add_argument(
        "--watch", metavar="SECONDS", help="wait this long for nodes that are still missing (--expect, --hosts)"
    )
    made.add_argument(
        "--out", metavar="DIR", help=f"write {MERGED}, and passing_nodes.txt, failing_nodes.txt, unknown_nodes.txt"
    )
    asking = made.add_argument_group("asking the nodes of Ray")
    asking.add_argument(
        "--ray", action="store_true", help="ask each node of this Ray cluster with a task; needs no folder"
    )
    asking.add_argument("--launch", metavar="COMMAND", help="how the run is started, as for fp8check")
    asking.add_argument("--trainer", metavar="NAME", help="which trainer reads the training file, as for fp8check")
    asking.add_argument(
        "--probe",
        choices=("gpu", "emulate"),
        metavar="WHERE",
        help="--probe also makes one step on every GPU of the nodes; --probe=emulate emulates it on their CPUs",
    )
    asking.add_argument("--seconds", metavar="N", help=f"how long to wait for all of them (default: {SECONDS})")
    return made


def nodes(argv: list[str]) -> int:
    """Merge what the nodes told, print it, and say with the exit code whether all of them may be used."""
    options = parser().parse_args(argv)
    formats = formats_of(options, FORMATS)
    expect = None if options.expect is None else _number(options.expect, "--expect", 1)
    hosts = frozenset() if options.hosts is None else _hosts(options.hosts)
    watch = 0 if options.watch is None else _number(options.watch, "--watch", 0)
    if watch and expect is None and not hosts:
        raise UsageError("--watch waits for nodes that are missing: --expect or --hosts says who that is")
    if options.ray:
        known = _of_ray(options)
        known.expect(expect, hosts)
        return answered(known, options, formats)
    for name in ("launch", "trainer", "probe", "seconds"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name} goes with --ray: the nodes of a folder have told already")
    if len(options.words) != 1:
        raise UsageError("nodes takes one folder, that all nodes wrote to")
    (folder,) = options.words
    if options.out is not None and os.path.realpath(options.out) == os.path.realpath(folder):
        raise UsageError("--out needs another folder than the one that the nodes write to")
    return answered(_told(folder, expect, hosts, watch), options, formats)


def _of_ray(options: Options) -> Merged:
    """What the nodes of a Ray cluster tell.

    Raises:
        InputError: there is none, or the files cannot be read.
    """
    from fp8check.probe.here import Asked
    from fp8check.probe.on_ray import ask_all

    seconds = SECONDS if options.seconds is None else _number(options.seconds, "--seconds", 1)
    read = tuple((path, files.read(path, MAX_BYTES)) for path in options.words)
    known = Merged()
    for name, one in ask_all(Asked(read, options.launch, options.trainer, options.probe), seconds).items():
        if one is None:
            known.expect(None, [name])
        elif isinstance(one, str):
            known.add_unread(file_of(name), one)
        else:
            known.merge(parse_report(one))
    return known


def answered(known: Merged, options: Options, formats: list[tuple[str, str | None]]) -> int:
    """Print the answer, write its lists, and return the exit code."""
    answer = fleet(known)
    if options.out is not None:
        os.makedirs(options.out, exist_ok=True)
        for name, text in {**lists(answer), MERGED: _safe(as_json(answer, known), "json")}.items():
            writing.write(os.path.join(options.out, name), text.encode())
    for name, target in formats:
        text, syntax = _rendered(name, answer, known, options, target)
        write_text(text, target, syntax)
    return code_of(answer)


def _rendered(name: str, answer: Fleet, known: Merged, options: Options, target: str | None) -> tuple[str, Syntax]:
    if name == "text":
        style = style_of(options, target)
        return laid_out(as_text(answer, style), style), "text"
    if name == "json":
        return _safe(as_json(answer, known), "json"), "json"
    from fp8check.rules.report.nodes_for_ci import as_junit, as_sarif

    if name == "junit":
        return _safe(as_junit(answer), "markup"), "markup"
    return _safe(as_sarif(answer, "." if options.ray else options.words[0]), "json"), "json"


def _safe(text: str, syntax: Syntax) -> str:
    return plain(masked_shapes(text), syntax)


def _told(path: str, expect: int | None, hosts: frozenset[str], watch: int) -> Merged:
    """What is there; where somebody is missing, what is there when all have come, or the time is up."""
    folder = Folder(path)
    until = time.monotonic() + watch
    while True:
        known = folder.merged()
        known.expect(expect, hosts)
        left = until - time.monotonic()
        if left <= 0 or not (known.absent or known.expected - set(known.nodes) or known.unread):
            return known
        time.sleep(min(_EVERY_S, left))


def _number(text: str, name: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not least <= number <= 10_000_000:
        raise UsageError(f"{name} takes a whole number from {least}, not {text!r}")
    return number


def _hosts(path: str) -> frozenset[str]:
    text = files.read(path, _LARGEST_LIST).decode("utf-8", "replace")
    found, wrong = listed(text)
    if wrong is not None:
        raise UsageError(f"{path}: {wrong[:60]!r} is no name of a host")
    if not found:
        raise Unreadable(path, "it names no host")
    return found
