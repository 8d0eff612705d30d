"""The exit codes, and nothing else."""

from __future__ import annotations


class ExitCode:
    """What the command's exit code says. Four disjoint classes of answers, and usage."""

    OK = 0  # nothing at or above --fail-on
    FINDINGS = 1  # at least one finding at or above --fail-on
    USAGE = 2  # the command or a file cannot be understood
    UNDECIDED = 3  # nothing found, but not everything could be decided (with --require-evidence)
    INTERNAL_ERROR = 4  # fp8check itself failed; nothing was decided
