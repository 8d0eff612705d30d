"""What --probe and `fp8check probe` share: one run after the other, with its stages told on a terminal."""

from __future__ import annotations

from fp8check.cli.options import UsageError
from fp8check.cli.progress import Progress
from fp8check.cli.requests import run_options
from fp8check.cli.trust import trusts
from fp8check.rules.seen.data import STAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.cli.config import Config
    from fp8check.cli.options import Options
    from fp8check.rules.checking.request import Probe
    from fp8check.rules.seen import Seen
    from fp8check.rules.seen.data import ProbeStage
    from fp8check.rules.trainers.run import Run


def prober(options: Options, config: Config) -> Probe:
    """Makes a real step of a run, as the options say, with the interpreter that trains.

    Raises:
        UsageError: the runs of the configuration have several interpreters.
    """
    from fp8check.probe import Consent, probe_run
    from fp8check.rules.seen import Seen

    runs = run_options(options, config)
    not_trusted = next((one.not_trusted for one in runs if one.not_trusted is not None), None)
    if not_trusted is not None:
        why = f"the interpreter that the configuration names ({not_trusted}) is not trusted: --python or --trust-config"
        return lambda _run: Seen("not run", why=why, emulated=options.probe == "emulate")
    pythons = {one.python for one in runs}
    if len(pythons) > 1:
        raise UsageError("the runs have several interpreters: probe them one by one, with --python")
    python = pythons.pop()
    is_own = bool(options.files) or options.launch is not None
    named = frozenset(pair.partition("=")[0] for pair in options.set_variable)
    consent = Consent(is_own or trusts(options, config.path), named)

    progress = Progress(options, at_once=True)

    def tell(stage: ProbeStage) -> None:
        progress.tell(f"{STAGES[stage]} ...")

    def probe(run: Run) -> Seen:
        try:
            return probe_run(run, python=python, emulate=options.probe == "emulate", consent=consent, tell=tell)
        finally:
            progress.end()

    return probe
