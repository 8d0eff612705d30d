"""`fp8check node --out DIR [FILE...]`: what one node of a cluster has, whether it can run this, and one step a GPU."""

from __future__ import annotations

import os

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.requests import request_of
from fp8check.cli.streams import complain, say
from fp8check.rules import facts as facts_
from fp8check.rules import writing
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.checking.nodes import SeveralRuns, bytes_of, node_of
from fp8check.rules.nodes.hosts import file_of, is_host, own_name
from fp8check.rules.plain_text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.cli.options import Options
    from fp8check.rules.nodes.document import Node

ABOUT = """\
What one node of a cluster has, and whether it can run this in FP8: its facts, the check of the run there, and with
--probe one FP8 step on each of its GPUs, side by side. All of it goes to HOST.json in the folder; `fp8check nodes`
merges those. Start it once per node: srun --ntasks-per-node=1 fp8check node --out DIR train.yaml accel.yaml --probe"""


def parser() -> Parser:
    """The options of the command."""
    parts = (groups.files, groups.run, groups.this_machine, groups.probe, groups.config)
    made = Parser("fp8check node", ABOUT, groups=parts)
    made.add_argument("--out", metavar="DIR", help="folder that all nodes write to")
    groups.server(made, "also report to this service; FP8CHECK_TOKEN holds its token")
    made.add_argument("--job", metavar="NAME", help="with --server: a name shared by all nodes of the job")
    made.add_argument("--host", metavar="NAME", help="name of this node (default: FP8CHECK_HOST, or its host name)")
    groups.evidence(made)
    return made


def node(argv: list[str]) -> int:
    """Write what this node tells of itself; the exit code says whether it can run this."""
    options = parser().parse_args(argv)
    if options.out is None and options.server is None:
        raise UsageError("node needs --out DIR, the folder that all nodes write to; or --server URL")
    if (options.server is None) != (options.job is None):
        raise UsageError("--server and --job go together: the service answers for all nodes of a job")
    service = None
    if options.server is not None:
        from fp8check.cli.remote import TOKEN, Service

        service = Service(options.server, os.environ.get(TOKEN))
    told = told_by(options)
    places = []
    if options.out is not None:
        os.makedirs(options.out, exist_ok=True)
        places.append(os.path.join(options.out, file_of(told.host)))
        writing.write(places[0], bytes_of(told))
    if service is not None:
        from fp8check.cli.remote import NotAnsweredError

        try:
            places.append(service.tell(options.job, bytes_of(told)))
        except NotAnsweredError as problem:
            complain(f"fp8check: {shown(str(problem))}\n")
            return ExitCode.USAGE if problem.usage else ExitCode.INTERNAL_ERROR
    lines = [f"{told.verdict}  {told.host}  {' '.join(places)}", *(f"  {one}" for one in reasons(told))]
    say("".join(f"{shown(line)}\n" for line in lines), fold=True)
    if told.verdict == "fail":
        return ExitCode.FINDINGS
    return ExitCode.UNDECIDED if told.verdict == "undecided" and options.require_evidence else ExitCode.OK


def told_by(options: Options) -> Node:
    """What this node tells of itself, as the options want it.

    Raises:
        InputError: they cannot be understood.
    """
    host = _host(options)
    config = load(options)
    request = request_of(options, config) if options.files or options.launch or config.runs else None
    if request is None and options.probe:
        raise UsageError("--probe makes a step of a run: name its files")
    facts = request.runs[0].facts if request is not None else facts_.collect_for_run(options.python)
    probe = None
    if options.probe:
        from fp8check.cli.probing import prober_of_gpus

        probe = prober_of_gpus(options, config)
    try:
        return node_of(host, facts_.stamped(facts)._replace(host=host), request, probe)
    except SeveralRuns:
        raise UsageError("a node is probed with one run: name its files alone") from None


def _host(options: Options) -> str:
    given = options.host or own_name(os.environ)
    if not is_host(given):
        raise UsageError(f"{given!r} is no name of a host: letters, digits, hyphens and dots; see --host")
    return str(given)


def reasons(told: Node) -> list[str]:
    """What speaks against this node, in a few lines."""
    from fp8check.rules.nodes.digest import digest

    return list(digest(told).why)
