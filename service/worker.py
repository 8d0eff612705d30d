"""What runs in the process that child.py starts: one task, and its events. There is no event loop here."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fp8check.service.messages import Event, Task


def main() -> int:
    """Read a task from standard input, and do it."""
    import threading

    task: Task = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    # What a package prints must not get between the events.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(event: Event) -> None:
        with lock:
            channel.write(json.dumps(event) + "\n")
            channel.flush()

    from fp8check.service import tasks

    tasks.perform(task, say)
    return 0


def _die_with_parent() -> None:
    """Standard input closes when the service ends, also by kill -9: then nobody waits for a result any more."""
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
