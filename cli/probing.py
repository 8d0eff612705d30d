"""What --probe of the commands shares: one run after the other, or on all GPUs of a node at once."""

from __future__ import annotations

from fp8check.cli.options import UsageError
from fp8check.cli.progress import Progress
from fp8check.cli.requests import run_options
from fp8check.cli.trust import trusts
from fp8check.rules.record import Record
from fp8check.rules.seen.data import STAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.cli.config import Config
    from fp8check.cli.options import Options
    from fp8check.probe import Consent
    from fp8check.rules.checking.request import Probe
    from fp8check.rules.seen import Seen
    from fp8check.rules.seen.data import ProbeStage
    from fp8check.rules.trainers.run import Run


def prober(options: Options, config: Config) -> Probe:
    """Makes a real step of a run, as the options say, with the interpreter that trains.

    Raises:
        UsageError: the runs of the configuration have several interpreters.
    """
    from fp8check.probe import probe_run
    from fp8check.rules.seen import Seen

    how = _how(options, config)
    emulate = options.probe == "emulate"
    if how.why_not:
        return lambda _run: Seen("not run", why=how.why_not, emulated=emulate)
    progress = Progress(options, at_once=True)

    def tell(stage: ProbeStage) -> None:
        progress.tell(f"{STAGES[stage]} ...")

    def probe(run: Run) -> Seen:
        try:
            return probe_run(run, python=how.python, emulate=emulate, consent=how.consent, tell=tell)
        finally:
            progress.end()

    return probe


def prober_of_gpus(options: Options, config: Config) -> Callable[[Run], dict[str, Seen]]:
    """Makes a real step of a run on every GPU at once, as the options say; what was seen, by GPU.

    Raises:
        UsageError: the runs of the configuration have several interpreters.
    """
    from fp8check.probe.side_by_side import gpus_of, probe_each
    from fp8check.rules.seen import Seen

    how = _how(options, config)
    emulate = options.probe == "emulate"

    def probe(run: Run) -> dict[str, Seen]:
        gpus = gpus_of(run, emulate=emulate)
        if how.why_not:
            return dict.fromkeys(gpus, Seen("not run", why=how.why_not, emulated=emulate))
        return probe_each(run, gpus, python=how.python, emulate=emulate, consent=how.consent)

    return probe


class _How(Record):
    """How runs are probed.

    Attributes:
        python: the interpreter that trains; None for this one.
        consent: which variables of the run may come into the process.
        why_not: why they are not; "" where they are.
    """

    python: str | None
    consent: Consent
    why_not: str = ""


def _how(options: Options, config: Config) -> _How:
    from fp8check.probe import Consent

    runs = run_options(options, config)
    not_trusted = next((run.not_trusted for run in runs if run.not_trusted is not None), None)
    if not_trusted is not None:
        why = f"the interpreter that the configuration names ({not_trusted}) is not trusted: --python or --trust-config"
        return _How(None, Consent(), why)
    pythons = {run.python for run in runs}
    if len(pythons) > 1:
        raise UsageError("the runs have several interpreters: probe them one by one, with --python")
    is_own = bool(options.files) or options.launch is not None
    named = frozenset(pair.partition("=")[0] for pair in options.set_variable)
    return _How(pythons.pop(), Consent(is_own or trusts(options, config.path), named))
