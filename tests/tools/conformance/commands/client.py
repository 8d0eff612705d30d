"""Stands for `python`, `accelerate`, `torchrun`, ... on the PATH of a case: asks the server for a fork that runs it.

Run with -I -S, so that it starts in milliseconds; it hands over its arguments, variables, folder and open files, waits
for the end, and ends in the same way. Signals that a wrapper sends (timeout, a launcher that stops its workers) go on.
"""

import array
import json
import os
import signal
import socket
import sys


def main() -> int:
    """The exit status of the program."""
    here = os.path.dirname(os.path.abspath(sys.argv[0]))
    if os.path.exists(os.path.join(here, "fresh")):  # fresh.py: an interpreter of its own, which imports anew
        words = [sys.executable, "-m", "tests.tools.conformance.commands.fresh", here, os.path.basename(sys.argv[0])]
        os.execv(sys.executable, words + sys.argv[1:])  # noqa: S606 - it becomes the interpreter
    request = {
        "program": os.path.basename(sys.argv[0]),
        "arguments": sys.argv[1:],
        "variables": {os.fsdecode(name): os.fsdecode(value) for name, value in os.environb.items()},
        "folder": os.getcwd(),
    }
    server = socket.socket(socket.AF_UNIX)
    server.connect(os.path.join(here, "socket"))
    files = array.array("i", [0, 1, 2])
    data = json.dumps(request).encode()
    server.sendmsg([len(data).to_bytes(8, "little")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files.tobytes())])
    server.sendall(data)
    lines = server.makefile("r")
    process = int(lines.readline())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda received, _frame: os.kill(process, received))
    status = int(lines.readline() or "1")
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


sys.exit(main())
