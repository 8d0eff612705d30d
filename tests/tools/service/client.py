"""Load on one endpoint, from a process of its own: keep-alive connections that send prepared requests.

python -m tests.tools.service.client PORT --requests N [--connections C] [--rate R] [--vary training|both]

Prints one JSON object: requests a second, and latencies in milliseconds. With --rate, requests start at fixed times and
are timed from when they should have started, so that a stall is counted for all requests that it holds up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from tests.support.example import ACCELERATE, TRAINING


def request(number: int, vary: str | None, port: int) -> bytes:
    """One request; `vary`: which files differ from those of every other request."""
    training, accelerate = TRAINING, ACCELERATE
    if vary is not None:
        training = training.replace("saves/qwen2.5-7b-fp8", f"saves/run-{number}")
    if vary == "both":
        accelerate = accelerate.replace(
            "num_processes: 1", f"num_processes: {1 + number % 7}\nmain_process_port: {1024 + number}"
        )
    body = json.dumps({"training": training, "accelerate": accelerate}).encode()
    head = f"POST /check HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Load:
    """Requests over some connections."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.next = 0
        self.latencies: list[float] = []
        self.began = 0.0

    async def run(self) -> float:
        """Send all requests; returns the seconds that took."""
        self.began = time.perf_counter()
        await asyncio.gather(*(self.connection() for _ in range(self.options.connections)))
        return time.perf_counter() - self.began

    async def connection(self) -> None:
        """One connection, which takes the next request until there is none."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.options.port)
        while self.next < self.options.requests:
            number = self.next
            self.next += 1
            start = time.perf_counter()
            if self.options.rate:
                start = self.began + number / self.options.rate
                await asyncio.sleep(max(0.0, start - time.perf_counter()))
            writer.write(request(self.options.first + number, self.options.vary, self.options.port))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"refused: {head[:200]!r}")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            self.latencies.append(time.perf_counter() - start)
        writer.close()


def main() -> None:
    """Run the load and print what it came to."""
    made = argparse.ArgumentParser()
    made.add_argument("port", type=int)
    made.add_argument("--requests", type=int, required=True)
    made.add_argument("--connections", type=int, default=32)
    made.add_argument("--rate", type=float)
    made.add_argument("--vary", choices=("training", "both"))
    made.add_argument("--first", type=int, default=0)
    load = Load(made.parse_args())
    seconds = asyncio.run(load.run())
    ordered = sorted(load.latencies)
    at = {
        name: round(1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))], 2)
        for name, part in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    }
    print(json.dumps({"rps": round(len(ordered) / seconds), "requests": len(ordered), "ms": at}))


if __name__ == "__main__":
    main()
