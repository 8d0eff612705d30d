"""Names of nodes: they become names of files and lines of lists, so only what a host may be called is one."""

from __future__ import annotations

import re

from fp8check.rules.credentials import masked_shapes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 253  # a name in the DNS (RFC 1035, section 2.3.4)
# Letters, digits, hyphens and dots, as RFC 1123 has it; the underscore is in use. Never a path, nor an option.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,251}[A-Za-z0-9]|[A-Za-z0-9]")


def is_host(name: object) -> bool:
    """Whether this is what a host may be called."""
    if not isinstance(name, str) or len(name) > LONGEST or _NAME.fullmatch(name) is None:
        return False
    return masked_shapes(name) == name  # what looks like a credential is shown nowhere


def own_name(environ: Mapping[str, str]) -> str:
    """What this node is called: FP8CHECK_HOST, or as Slurm has it, whose containers may have a name of their own."""
    import socket

    return environ.get("FP8CHECK_HOST") or environ.get("SLURMD_NODENAME") or socket.gethostname()


def file_of(host: str) -> str:
    """The name of the file of that node."""
    return f"{host}.json"


def listed(text: str) -> tuple[frozenset[str], str | None]:
    """The hosts of a file for --hosts, one a line, and the first line that is none; # begins a comment.

    What follows a host, as `slots=8` in a host file of MPI, says nothing here.
    """
    hosts = set()
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        if not is_host(words[0]):
            return frozenset(), line
        hosts.add(words[0])
    return frozenset(hosts), None
