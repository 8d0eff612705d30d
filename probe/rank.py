"""`python -m fp8check.probe.rank FILE...` under torchrun, accelerate launch or srun: all ranks of a job, one answer.

    torchrun --nnodes 2 --nproc-per-node 8 ... -m fp8check.probe.rank train.yaml accel.yaml --probe
    accelerate launch --config_file accel.yaml -m fp8check.probe.rank train.yaml accel.yaml --probe

Each rank looks at its own environment, and probes its own GPU; rank 0 merges what they tell and prints it. No folder is
shared: the ranks meet by the store of torch.distributed (meeting.py). A rank that is killed, or hangs, is named, and
the end comes in a bounded time. With --probe the bytes of FP8 tensors and their largest values go through a collective
once, as sharded training in FP8 has it, over NCCL where there are GPUs.

Exit codes are those of `fp8check nodes`, of every rank: 0, 1 where one fails, 3 where one is not known.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from fp8check.probe.here import Asked, node_here
from fp8check.probe.meeting import Meeting, Place
from fp8check.probe.run import Consent, probe_run
from fp8check.rules import writing
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.checking.nodes import bytes_of, code_of, parse_report
from fp8check.rules.input_error import InputError
from fp8check.rules.nodes.digest import digest
from fp8check.rules.nodes.document import worst
from fp8check.rules.nodes.fleet import Standing, fleet
from fp8check.rules.nodes.hosts import file_of, is_host, own_name
from fp8check.rules.nodes.merged import Merged
from fp8check.rules.report.laying import laid_out
from fp8check.rules.report.nodes import as_json, as_text, lists
from fp8check.rules.report.terminal import Style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from fp8check.rules.nodes.fleet import Fleet
    from fp8check.rules.seen import Seen
    from fp8check.rules.trainers.run import Run

SECONDS = 180
_COLLECTIVE_S = 60.0
_GRACE_S = 10.0  # that the others wait for rank 0 longer than it waits for them


class Terminated(BaseException):
    """SIGTERM: torchrun ends all ranks of a node when one of them has died."""


def main(argv: Sequence[str] | None = None) -> int:
    """Tell what this rank has; rank 0 says what all of them come to."""
    options = _parser().parse_args(argv)
    began = time.monotonic()
    place = Place(os.environ)
    host = own_name(os.environ)
    if not is_host(host):
        return _refuse(f"{host!r} is no name of a host: FP8CHECK_HOST says another")
    ending = _Ending()
    if place.rank == 0:
        signal.signal(signal.SIGTERM, ending.take)
    try:
        meeting = Meeting(place, options.seconds)
    except (OSError, RuntimeError, ValueError) as problem:
        return _refuse(f"the other ranks cannot be reached: {problem}")
    meeting.tell("here", host)
    until = began + options.seconds
    try:
        ending.may_come()
        try:
            meeting.tell("told", _told(options, place, host))
        except InputError as problem:
            meeting.tell("told", {"refused": str(problem)})
        return _lead(meeting, options, until) if place.rank == 0 else _follow(meeting, until)
    except Terminated:
        return _answer(meeting, options, {})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m fp8check.probe.rank", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="the files of the run, as fp8check takes them")
    parser.add_argument("--launch", metavar="COMMAND", help="how the run is started, as fp8check takes it")
    parser.add_argument("--trainer", metavar="NAME", help="who reads the training file, as fp8check takes it")
    parser.add_argument(
        "--probe", nargs="?", const="gpu", choices=("gpu", "emulate"), help="one FP8 step on the GPU of each rank"
    )
    parser.add_argument("--out", metavar="DIR", help="where rank 0 writes nodes.json and the lists of nodes")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, help=f"so long is waited for all ranks (default: {SECONDS})"
    )
    return parser


def _refuse(why: str) -> int:
    sys.stderr.write(f"fp8check: {why}\n")
    return ExitCode.USAGE


class _Ending:
    """When SIGTERM counts: not before the ranks have met, for there is nothing to say yet; torchrun waits 30 s."""

    def __init__(self) -> None:
        self._asked = self._may_come = False

    def take(self, _number: int, _frame: FrameType | None) -> None:
        """SIGTERM, which may come more than once."""
        if self._may_come and not self._asked:
            self._asked = True
            raise Terminated
        self._asked = True

    def may_come(self) -> None:
        """It counts from now on."""
        self._may_come = True
        if self._asked:
            raise Terminated


def _told(options: argparse.Namespace, place: Place, host: str) -> dict[str, object]:
    """What this rank tells: what is compared of it."""
    asked = Asked(tuple((path, None) for path in options.files), options.launch, options.trainer, options.probe)

    def probe(run: Run) -> Mapping[str, Seen]:
        emulate = options.probe == "emulate"
        gpu = "cpu" if emulate else _gpu(place, os.environ)
        variables = None if emulate else {"CUDA_VISIBLE_DEVICES": gpu}
        return {gpu: probe_run(run, emulate=emulate, consent=Consent(launch=True), gpu=variables)}

    node = node_here(place.name(host, place.rank), asked, probe if options.probe else None)
    if options.out is not None:
        os.makedirs(options.out, exist_ok=True)
        writing.write(os.path.join(options.out, file_of(node.host)), bytes_of(node))
    one = Merged()
    one.add(digest(node))
    return {"merged": as_json(fleet(one), one)}


def _gpu(place: Place, environ: Mapping[str, str]) -> str:
    """The GPU of this rank, as its training takes it: the one of its number among those that it sees."""
    named = [part.strip() for part in environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part.strip()]
    return named[place.local] if place.local < len(named) else str(place.local)


def _follow(meeting: Meeting, until: float) -> int:
    """What every rank but the first does: what it is told, until the end."""
    go = meeting.wait("go", 0, until + _GRACE_S)
    if go == "collective":
        until = time.monotonic() + _COLLECTIVE_S
        meeting.tell("collective", _within(_COLLECTIVE_S, meeting.place))
    code = None if go is None else meeting.wait("code", 0, until + _GRACE_S)
    if not isinstance(code, int):
        sys.stderr.write("fp8check: rank 0 said nothing in time: nothing was decided\n")
        return ExitCode.UNDECIDED
    return code


def _lead(meeting: Meeting, options: argparse.Namespace, until: float) -> int:
    """What the first rank does."""
    heard = meeting.gather("told", until)
    results: dict[int, str] = {}
    whole = len(heard) == meeting.place.world and all("merged" in (_texts(one) or ()) for one in heard.values())
    if whole and options.probe and meeting.place.world > 1:
        meeting.tell("go", "collective")
        meeting.tell("collective", _within(_COLLECTIVE_S, meeting.place))
        ended = meeting.gather("collective", time.monotonic() + _COLLECTIVE_S / 2)
        results = {rank: str(one) for rank, one in ended.items()}
        for rank in range(meeting.place.world):
            results.setdefault(rank, "it did not come to the end of a collective")
    else:
        meeting.tell("go", "answer")
    return _answer(meeting, options, results)


def _answer(meeting: Meeting, options: argparse.Namespace, results: Mapping[int, str]) -> int:
    """Merge what was told until now, print it, and tell the others the exit code."""
    known = Merged()
    for rank, name, one in _ranks(meeting):
        if one is None:
            known.expect(None, [name])
        elif "merged" in one:
            part = parse_report(one["merged"].encode())
            known.merge(part if not results.get(rank) else _with(part, results[rank]))
        else:
            known.add_unread(file_of(name), f"refused: {one.get('refused')}")
    answer = fleet(known)
    style = Style(on=False)
    sys.stdout.write(laid_out(as_text(answer, style), style))
    sys.stdout.flush()
    if options.out is not None:
        os.makedirs(options.out, exist_ok=True)
        for name, text in {**lists(_of_nodes(answer)), "nodes.json": as_json(answer, known)}.items():
            writing.write(os.path.join(options.out, name), text.encode())
    code = code_of(answer)
    meeting.tell("code", code)
    return code


def _ranks(meeting: Meeting) -> list[tuple[int, str, dict[str, str] | None]]:
    """Each rank with its name and what it told; None where it told nothing."""
    place = meeting.place
    hosts = {rank: meeting.heard("here", rank) for rank in range(place.world)}
    found = []
    for rank in hosts:
        # The launchers give the ranks of a node numbers in a row: of one that never came its neighbor tells the node.
        first = rank - rank % place.local_world
        beside = [hosts.get(other) for other in (rank, *range(first, first + place.local_world))]
        host = next((one for one in beside if isinstance(one, str) and is_host(one)), None)
        found.append(
            (rank, f"rank{rank}" if host is None else place.name(host, rank), _texts(meeting.heard("told", rank)))
        )
    return found


def _texts(told: object) -> dict[str, str] | None:
    """What a rank told; None where it told nothing."""
    return {str(name): str(text) for name, text in told.items()} if isinstance(told, dict) else None


def _of_nodes(answer: Fleet) -> Fleet:
    """The same with a node for its ranks: it is no better than the worst of them."""
    ranks: dict[str, list[Standing]] = {}
    for standing in answer.nodes:
        rank, _, host = standing.host.partition(".")
        is_rank = rank.startswith("rank") and rank[4:].isdecimal()
        ranks.setdefault(host or standing.host if is_rank else standing.host, []).append(standing)
    nodes = [
        Standing(host, worst([standing.verdict for standing in those]), ()) for host, those in sorted(ranks.items())
    ]
    return answer._replace(nodes=tuple(nodes))


def _with(part: Merged, why: str) -> Merged:
    """The same with one more thing that speaks against it."""
    made = Merged()
    for digests in part.nodes.values():
        for node in digests:
            made.add(node._replace(verdict="fail", why=(*node.why, f"the collective: {why}")))
    return made


def _within(seconds: float, place: Place) -> str:
    """What a collective of all ranks comes to, "" where all is well."""
    import torch
    import torch.distributed as dist

    from fp8check.probe.child import collective

    def work() -> str:
        on_gpu = torch.cuda.is_available()
        if on_gpu:
            torch.cuda.set_device(place.local)
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=timedelta(seconds=seconds))
        return collective.exchanged(place.rank, place.world)

    return collective.within(seconds, work)[0]


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread may hang in a collective, which nothing else ends
