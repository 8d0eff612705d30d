"""The exit codes, and what each of them means: for the command, the service's header and the documentation."""

from __future__ import annotations


class ExitCode:
    """What the command's exit code says. Four disjoint classes of answers, and usage."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    UNDECIDED = 3
    INTERNAL_ERROR = 4


# In words, and the one that says most first: of several runs the first that occurs is the command's.
MEANINGS = {
    ExitCode.INTERNAL_ERROR: "fp8check itself failed; nothing was decided",
    ExitCode.USAGE: "the command or a file cannot be understood",
    ExitCode.FINDINGS: "findings",
    ExitCode.UNDECIDED: "nothing found, but something is undecided, with `--require-evidence`",
    ExitCode.OK: "nothing at or above `--fail-on` (default `error`)",
}
# A check that could be made ends in one of these.
OF_CHECKS = tuple(code for code in MEANINGS if code != ExitCode.USAGE)


def worst(codes: list[int]) -> int:
    """The code that says most; OK where there is none."""
    return min(codes, key=list(MEANINGS).index, default=ExitCode.OK)
