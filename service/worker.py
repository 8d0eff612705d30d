"""What runs in the process that child.py starts: tasks, and their events. There is no event loop here."""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fp8check.service.messages import Event, Ready, Task


def main() -> int:
    """Read tasks from standard input, and do them, until it is closed."""
    import threading

    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    # What a package prints must not get between the events.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(event: Event | Ready) -> None:
        with lock:
            channel.write(json.dumps(event) + "\n")
            channel.flush()

    from fp8check.service import tasks

    # As in the command: what a check makes stays until it ends, and looking for garbage meanwhile takes long.
    gc.disable()
    say({"event": "ready"})
    while True:
        task: Task = json.loads(lines.get())
        tasks.perform(task, say)
        del task  # what was sent does not stay until somebody sends the next
        gc.collect()
        gc.freeze()  # what is left, imports most of all, is not looked through after the next one


def _read(lines: queue.SimpleQueue[bytes]) -> None:
    """Hand on what comes. Standard input closes when the service ends, also by kill -9: then nobody waits any more."""
    begun = bytearray()  # not by way of sys.stdin: this thread would hold its lock when the interpreter ends
    while chunk := os.read(0, 1024 * 1024):
        first, *rest = chunk.split(b"\n")
        begun += first
        for one in rest:
            lines.put(bytes(begun))
            begun = bytearray(one)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
