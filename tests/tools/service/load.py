"""Many clients that always ask, each time with another body: how many checks a second, how soon, and what is refused.

python -m tests.tools.service.load [--clients 200] [--seconds 60] [--patient] [--large]

Two rounds: all clients, then half of them. A client sends its next request as soon as it has the answer to the last, also
to a 503; with --patient it waits as long as Retry-After says. Latencies are those of the answered. Exit code 1 where one
of the bounds is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.support.example import ACCELERATE, TRAINING
from tests.support.service import served

# The bounds: checks a second, and milliseconds, with all clients; the refused, with half of them; memory over a round.
LEAST_A_SECOND = 50
MOST_P99_MS = 1000
MOST_REFUSED_OF_HALF = 0.01
MOST_GROWTH = 1.10
_WARM_S = 20.0  # until the cache of answers is full: what grows then would grow for ever


class Figures(NamedTuple):
    """What a round came to.

    Attributes:
        answered: milliseconds until each answer, in ascending order.
        refused: how many honest 503s: application/problem+json with Retry-After.
        errors: everything else, by kind.
        resident: MiB of the service and its processes, at times of equal distance from start to end.
    """

    seconds: float
    answered: list[float]
    refused: int
    errors: Counter[str]
    resident: list[float]

    @property
    def a_second(self) -> float:
        """Checks that were answered in a second."""
        return len(self.answered) / self.seconds

    @property
    def refused_share(self) -> float:
        """How many of the requests were refused."""
        return self.refused / max(1, self.refused + len(self.answered))

    def at(self, share: float) -> float:
        """The milliseconds in which that share was answered."""
        return self.answered[min(len(self.answered) - 1, int(share * len(self.answered)))] if self.answered else 0.0

    @property
    def growth(self) -> float:
        """The memory at the end, as a multiple of what it was after a third of the round."""
        return self.resident[-1] / self.resident[len(self.resident) // 3]


class Bodies:
    """Requests of which no two are the same; `large`: with more text than is checked between other requests."""

    def __init__(self, port: int, *, large: bool, token: str = "") -> None:
        training = TRAINING.replace("saves/qwen2.5-7b-fp8", "saves/run-NUMBER")
        if large:
            training += "".join(
                f"# a comment of people who write more than they need, line {line}\n" for line in range(300)
            )
        body = json.dumps({"training": training, "accelerate": ACCELERATE})
        self._before, self._after = (part.encode() for part in body.split("NUMBER"))
        who = f"Authorization: Bearer {token}\r\n" if token else ""
        self._head = (
            f"POST /check HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{who}Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._next = time.time_ns() // 1_000_000 * 1000

    def next(self) -> bytes:
        """The next request."""
        self._next += 1
        number = b"%d" % self._next
        length = len(self._before) + len(number) + len(self._after)
        return b"%b%d\r\n\r\n%b%b%b" % (self._head, length, self._before, number, self._after)


class Client(asyncio.Protocol):
    """One connection that asks, and asks again. It costs little: it has the machine in common with the service.

    every: so many seconds lie between two requests, if the answer to the first is there by then.
    """

    def __init__(self, bodies: Bodies, figures: Figures, until: float, *, patient: bool, every: float = 0) -> None:
        self._bodies = bodies
        self._figures = figures
        self._until = until
        self._patient = patient
        self._every = every
        self._data = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._figures.errors[f"hung up: {type(exc).__name__}"] += 1
            self.done.set_result(None)

    def _ask(self) -> None:
        assert self._transport is not None
        self._sent = time.perf_counter()
        if self._sent >= self._until:
            self.done.set_result(None)
            self._transport.close()
        else:
            self._transport.write(self._bodies.next())

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        head = head.lower()
        length = int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._data = b""
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        took, status = time.perf_counter() - self._sent, head[9:12]
        after = head.partition(b"\r\nretry-after: ")[2].partition(b"\r\n")[0]
        if status == b"200":
            self._figures.answered.append(1000 * took)
        elif status == b"503" and b"application/problem+json" in head and after.isdigit() and int(after) > 0:
            self._figures.errors["(503)"] += 1
        else:
            self._figures.errors[f"{status.decode()}: {body[:80].decode()}"] += 1
        if status == b"503" and self._patient:
            asyncio.get_running_loop().call_later(int(after or b"1"), self._ask)
        elif took < self._every:
            asyncio.get_running_loop().call_later(self._every - took, self._ask)
        else:
            self._ask()


async def round_of(
    port: int,
    pid: int,
    clients: int,
    seconds: float,
    *,
    patient: bool = False,
    large: bool = False,
    token: str = "",
    every: float = 0,
) -> Figures:
    """Let so many clients ask for so long."""
    loop = asyncio.get_running_loop()
    figures = Figures(seconds, [], 0, Counter(), [])
    bodies = Bodies(port, large=large, token=token)
    until = time.perf_counter() + seconds
    protocols = []
    for _ in range(clients):
        made = await loop.create_connection(
            lambda: Client(bodies, figures, until, patient=patient, every=every), "127.0.0.1", port
        )
        protocols.append(made[1])
    while (left := until - time.perf_counter()) > 0:
        figures.resident.append(resident_mib(pid))
        await asyncio.sleep(min(left, seconds / 12))
    figures.resident.append(resident_mib(pid))
    await asyncio.wait_for(asyncio.gather(*(one.done for one in protocols)), 30)
    figures.answered.sort()
    return figures._replace(refused=figures.errors.pop("(503)", 0))


def resident_mib(pid: int) -> float:
    """Memory of a process and of those that it started."""
    pages = 0
    for one in [pid, *_children(pid)]:
        try:
            pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def missed(full: Figures, half: Figures) -> list[str]:
    """The bounds that are missed, in words."""
    faults = {
        f"fewer than {LEAST_A_SECOND} checks a second": full.a_second < LEAST_A_SECOND,
        f"p99 over {MOST_P99_MS} ms": max(full.at(0.99), half.at(0.99)) > MOST_P99_MS,
        "errors other than an honest 503": bool(full.errors or half.errors),
        f"more than {MOST_REFUSED_OF_HALF:.0%} refused at half of the load": half.refused_share > MOST_REFUSED_OF_HALF,
        f"memory grew by more than {MOST_GROWTH - 1:.0%}": max(full.growth, half.growth) > MOST_GROWTH,
    }
    return [words for words, so in faults.items() if so]


def row(clients: int, one: Figures) -> str:
    """A line of the table."""
    start, middle, end = one.resident[0], one.resident[len(one.resident) // 2], one.resident[-1]
    return (
        f"{clients:>7} {one.a_second:>9.0f} {one.refused_share:>7.2%} {one.at(0.5):>7.0f} {one.at(0.99):>7.0f} "
        f"{one.at(1):>7.0f}   {start:.0f} / {middle:.0f} / {end:.0f}   {dict(one.errors) or 'none'}"
    )


def main() -> int:
    """Run both rounds on a service of their own, and print the table."""
    made = argparse.ArgumentParser()
    made.add_argument("--clients", type=int, default=200)
    made.add_argument("--seconds", type=float, default=60)
    made.add_argument("--patient", action="store_true", help="clients wait as long as Retry-After says")
    made.add_argument("--large", action="store_true", help="bodies that go to a process of their own")
    options = made.parse_args()
    how = {"patient": options.patient, "large": options.large}
    print(f"cores {os.cpu_count()}; load of the machine before: {' '.join(f'{one:.1f}' for one in os.getloadavg())}")
    print("clients  checks/s  503        p50     p99     max   memory, MiB: start / middle / end   errors")
    found = []
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as service:
        where = (service.port, service.process.pid)
        asyncio.run(round_of(*where, options.clients, _WARM_S, **how))
        for clients in (options.clients, options.clients // 2):
            found.append(asyncio.run(round_of(*where, clients, options.seconds, **how)))
            print(row(clients, found[-1]), flush=True)
    faults = missed(*found)
    print("MISSED: " + "; ".join(faults) if faults else "all bounds met")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
