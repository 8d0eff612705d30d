"""What --probe and `fp8check probe` share: one run after the other, with its stages told on a terminal."""

from __future__ import annotations

import sys

from fp8check.cli.streams import complain
from fp8check.rules.seen.data import STAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.cli.options import Options
    from fp8check.rules.checking.request import Probe
    from fp8check.rules.seen import Seen
    from fp8check.rules.seen.data import ProbeStage
    from fp8check.rules.trainers.run import Run


def prober(options: Options) -> Probe:
    """Makes a real step of a run, as the options say."""
    from fp8check.probe import probe_run

    def probe(run: Run) -> Seen:
        return probe_run(run, python=options.python, emulate=options.probe == "emulate", tell=_tell)

    return probe


def _tell(stage: ProbeStage) -> None:
    """One line on standard error, where a person may be watching; a report goes to standard output."""
    if sys.stderr.isatty():
        complain(f"fp8check: {STAGES[stage]} ...\n")
        sys.stderr.flush()
