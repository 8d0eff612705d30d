"""Runs commands of fp8check in folders, under an audit hook that was there before: `python -I audited.py < checkouts`.

Checkouts are JSON, one a line: [folder, [[words, names that may be written], ...]]. Printed is JSON, one a line, of each
event that a check of hostile files must not cause, and at the end how often each exit code came. Nothing of fp8check is
imported before the hook is set.
"""

import contextlib
import gc
import io
import json
import os
import re
import sys

STARTS = (
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
REACHES = ("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "webbrowser.")
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
           "os.chown", "os.utime", "os.setxattr", "os.removexattr", "shutil.", "tempfile.")  # fmt: skip
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
BESIDE = re.compile(r"\.fp8check-[0-9a-f]+-[0-9a-f]{12}\.tmp")  # a file that is being written


class Watch:
    """What is being run, and what was seen of it."""

    def __init__(self):
        self.folder = ""
        self.words = []
        self.named = frozenset()
        self.seen = []


WATCH = Watch()
ASKED = []
GIT = re.compile(r"/usr(/local)?/bin/git")
CODES = {}


def hook(event, arguments):
    if not WATCH.folder:
        return
    if event == "open":
        path, _mode, flags = arguments
        if isinstance(flags, int) and flags & WRITES and not isinstance(path, int) and not may_be_written(path):
            note(event, path)
    elif event in ("exec", "import", "ctypes.dlopen"):
        first = arguments[1] if event == "import" else getattr(arguments[0], "co_filename", arguments[0])
        if isinstance(first, str) and ("/" in first or event == "exec") and is_inside(first):
            note(event, first)
    elif event == "subprocess.Popen" and asks_git(arguments[1]):
        ASKED.append(arguments[1])
    elif event in STARTS or (event.startswith(REACHES) and event != "socket.gethostname"):
        note(event, arguments)
    elif event.startswith(CHANGES):
        for path in changed(event, arguments):
            if not may_be_written(path):
                note(event, path)


def asks_git(words):
    """Whether the hook asks git what a commit changes: the system's own, by full path, and without its extensions."""
    words = [os.fsdecode(word) for word in words]
    at = words.index("-C") if "-C" in words else 0
    if "--hook" not in WATCH.words or at == 0 or not GIT.fullmatch(words[at - 1]) or is_inside(words[at - 1]):
        return False
    return "core.fsmonitor=false" in words and (
        "ls-files" in words or {"diff", "--no-ext-diff", "--no-textconv"} <= {*words}
    )


def is_inside(path):
    return not path.startswith("<") and os.path.abspath(path).startswith(WATCH.folder)


def changed(event, arguments):
    """The names that an event changes, each in the folder in which it is meant."""
    of_two = event in ("os.rename", "os.link")
    folders = arguments[2:] if of_two else arguments[-1:] if event in ("os.remove", "os.mkdir", "os.rmdir") else [-1]
    for path, folder in zip(arguments[: 2 if of_two else 1], folders, strict=True):
        if isinstance(path, (str, bytes)):
            name = os.fsdecode(path)
            yield os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name) if folder >= 0 else name


def may_be_written(path):
    """Names that the command line has, what is being written beside them, and the null device."""
    path = os.fsdecode(path)
    if path == os.devnull or path.startswith("/proc/self/fd/"):
        return True
    path = os.path.relpath(path, WATCH.folder)
    folder, name = os.path.split(path)
    if path in WATCH.named:
        return True
    return folder in ("", *WATCH.named) and bool(WATCH.named) and (name == "." or BESIDE.fullmatch(name) is not None)


def note(event, what):
    WATCH.seen.append([WATCH.words, event, repr(what)[:300]])


sys.addaudithook(hook)


def content(folder):
    """Everything below a folder and beside it: links and what files hold."""
    found = {}
    for place in (folder, os.path.join(os.path.dirname(folder), "outside")):
        for base, folders, files in os.walk(place):
            for name in (*folders, *files):
                path = os.path.join(base, name)
                if os.path.islink(path):
                    found[path] = os.readlink(path)
                elif os.path.isfile(path):
                    with open(path, "rb") as file:
                        found[path] = file.read()
                else:
                    found[path] = None
    return found


def run(main, folder, words, named):
    """One command, in this process, with what it prints kept from the events."""
    WATCH.words, WATCH.named = words, frozenset(named)
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2)]
    try:
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            WATCH.folder = folder + os.sep
            code = main(words)
    finally:
        WATCH.folder = ""
        gc.enable()
    CODES[code] = CODES.get(code, 0) + 1
    if code == 4:
        streams[1].seek(0)
        note("crashed", streams[1].read()[-1500:])


def check(main, folder, commands):
    """All commands of a checkout, and what they left behind."""
    os.chdir(folder)
    before = content(folder)
    for words, named in commands:
        run(main, folder, words, named)
    after = content(folder)
    may = {os.path.join(folder, name) for _, named in commands for name in named}
    WATCH.words = ["all of its commands"]
    for path in (before.keys() | after.keys()) - may:
        if before.get(path, b"absent") != after.get(path, b"absent"):
            note("changed", path)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(folder + os.sep):
            note("imported", name)


def main():
    from fp8check.cli.main import main as command

    with open(os.devnull) as sys.stdin:
        for line in sys.__stdin__:
            folder, commands = json.loads(line)
            check(command, folder, commands)
            for one in WATCH.seen:
                sys.__stdout__.write(json.dumps([folder, *one]) + "\n")
            WATCH.seen.clear()
            gc.collect()
    sys.__stdout__.write(json.dumps(CODES) + "\n")


if __name__ == "__main__":
    main()
