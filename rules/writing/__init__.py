"""The one way to write a file: whole or not at all, with all that the old one had, or refused.

The new content is written beside the file, into one without a name where the file system can do that (O_TMPFILE), and
put in its place at one stroke. A full disk, a signal or a crash leaves the old file as it was.

`replace_all` is for files that were read before: all of them change or none, and what somebody else wrote meanwhile is
never lost. `Output` is for files that are made: a report, a baseline.
"""

from __future__ import annotations

from fp8check.rules.writing.output import Output, write
from fp8check.rules.writing.replacing import Change, replace_all, tidy
from fp8check.rules.writing.unwritable import Unwritable

__all__ = ["Change", "Output", "Unwritable", "replace_all", "tidy", "write"]
