"""The probe of one run: its child's environment and limits, and what its answer amounts to."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from fp8check.probe import process
from fp8check.probe.spec import NotProbed, specify
from fp8check.rules.child import environment
from fp8check.rules.credentials import MASK
from fp8check.rules.facts.variables import masked
from fp8check.rules.outcome import predict
from fp8check.rules.record import Record
from fp8check.rules.seen.data import RaisedError, Seconds, Seen
from fp8check.rules.seen.loading import from_data
from fp8check.rules.settings.values import Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fp8check.probe.spec import Spec, Together
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.seen.data import End, ProbeStage
    from fp8check.rules.trainers.run import Run

_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "WANDB_MODE": "disabled",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}


class Consent(Record):
    """Whose word it is that a variable of a run comes into a process.

    Attributes:
        launch: whether the launch line is the user's own, or of a configuration that the user trusts.
        variables: those that the user gave by name.
    """

    launch: bool = False
    variables: frozenset[str] = frozenset()

    def covers(self, name: str, run: Run) -> bool:
        """Whether that variable of a run may come into a process, if it is one of environment.RUN.

        A shell script is a file that is checked: what it sets is its author's word, and not that of who checks it.
        """
        launch = run.launch
        return name in self.variables or (self.launch and launch.line is None and name in launch.variables)


NONE = Consent()
NAMED = 5  # variables in one sentence
TRUST = "for those of a configuration file: --trust-config; of a shell script: --set-variable"


def probe_run(
    run: Run,
    *,
    python: str | None = None,
    emulate: bool = False,
    consent: Consent = NONE,
    gpu: Mapping[str, str] | None = None,
    together: Together | None = None,
    tell: Callable[[ProbeStage], None] = lambda _stage: None,
) -> Seen:
    """Predict one run, and probe it on this machine: `probe` says what the arguments are."""
    return probe(
        run, predict(run), python=python, emulate=emulate, consent=consent, gpu=gpu, together=together, tell=tell
    )


def probe(
    run: Run,
    outcome: Outcome,
    *,
    python: str | None = None,
    emulate: bool = False,
    consent: Consent = NONE,
    limits: process.Limits | None = None,
    environ: Mapping[str, str] | None = None,
    gpu: Mapping[str, str] | None = None,
    together: Together | None = None,
    tell: Callable[[ProbeStage], None] = lambda _stage: None,
) -> Seen:
    """Probe one run on this machine; whatever happens, the answer is what was seen, and no exception.

    Args:
        run, outcome: what is asked for, and what was predicted of it.
        python: the interpreter that will train; None for this one.
        emulate: on the CPU, with torchao's emulated float8.
        consent: which variables of the run may come into the child: none that only a file or a request names.
        limits: when the child is killed; None for the usual ones.
        environ: the environment to take PATH and the like from; None for this process's.
        gpu: the variables by which the child sees one GPU, over all others; None for the first that it finds.
        together: others that probe beside it; a run of several processes exchanges with them what such a run does.
        tell: called with each stage as it begins.
    """
    shell = os.environ if environ is None else environ
    try:
        spec, assumed = specify(run, outcome, emulate=emulate)
        variables, told = variables_of_run(shell, run, outcome, consent)
    except NotProbed as reason:
        return Seen("not run", why=str(reason), emulated=emulate)
    except Undecided as reason:
        return Seen("not run", why=f"a value is not known: {reason.what}", emulated=emulate)
    limits = limits or _limits(spec)
    if together is not None and spec["distributed"] != "NO":
        spec["together"] = together
        limits = limits._replace(together=process.TOGETHER_S)
    given = {**child_environment(shell, variables, spec), **(gpu or {})}
    ended = process.run(python or sys.executable, spec, given, limits, tell)
    return seen_of(ended, emulated=emulate, assumed=(*assumed, *told), shell=shell)


def _limits(spec: Spec) -> process.Limits:
    usual = process.Limits()
    if spec["emulate"]:
        return process.Limits(usual.total + process.EMULATED_S, process.EMULATED_S)
    if spec["compile"]:
        return process.Limits(usual.total + process.COMPILED_S, usual.after_imports + process.COMPILED_S)
    return usual


def variables_of_run(
    shell: Mapping[str, str], run: Run, outcome: Outcome, consent: Consent
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables that the child gets of the run, and in words what of the run it has not.

    Those that the launcher sets are the model's own; the others are this shell's, or somebody else's word for it.

    Raises:
        NotProbed: one of them decides what the step would show, and nobody who may has said that it is to be set.
    """
    kept: dict[str, str] = {}
    left_out = {name for name in shell if name in ("LD_PRELOAD", "LD_AUDIT")}
    for name, setting in outcome.environment.items():
        value = None if setting.is_later else setting.value
        if not isinstance(value, str) or value == MASK:
            continue
        foreign = setting.origin.variable is not None and shell.get(name) != value
        if name not in environment.RUN:
            left_out.update([name] if foreign or name.startswith("ACCELERATE_") else [])
        elif foreign and not consent.covers(name, run):
            raise NotProbed(f"{name} is set by a file or a request, whose variables no process gets ({TRUST})")
        else:
            kept[name] = value
    if not left_out:
        return kept, ()
    names = sorted(left_out)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return kept, (f"without {', '.join(names[:NAMED])}{more}: variables that no other program gets",)


def child_environment(shell: Mapping[str, str], variables: Mapping[str, str], spec: Spec) -> dict[str, str]:
    """The child's environment: the allow-list of this shell's, then the run's own variables, and those of a process."""
    kept = {**environment.own(shell), **variables}
    if spec["emulate"]:
        for name in [name for name in kept if name.startswith(("ACCELERATE_USE_", "FSDP_"))]:
            del kept[name]
        if spec["backend"] == "TE":
            kept["ACCELERATE_FP8_BACKEND"] = "AO"
        kept["CUDA_VISIBLE_DEVICES"] = ""
    elif spec["distributed"] != "NO":
        kept.update(_one_process())
        if spec["distributed"] == "FSDP":
            kept["ACCELERATE_USE_FSDP"] = "true"
    return {**kept, **_OFFLINE}


def _one_process() -> dict[str, str]:
    """What torchrun sets for a process that is alone, with a port that was free just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}
    return {**one, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def seen_of(ended: process.Ended, *, emulated: bool, assumed: tuple[str, ...], shell: Mapping[str, str]) -> Seen:
    """What was seen, by what the child told and how it ended. Nothing that it did not tell is filled in."""
    stage = next(reversed(list(ended.stages)), None)
    frame: dict[str, object] = {
        "stage": stage,
        "emulated": emulated,
        "assumed": assumed,
        "seconds": Seconds(_rounded(ended.imported), _rounded(ended.seconds), ended.stages),
        "output": masked(ended.output, shell),
    }
    try:
        told = from_data({"ended": "done", **_parts(ended.events, shell)})
    except ValueError as wrong:
        return Seen("no answer", why=f"its answer cannot be read: {wrong}")._replace(**frame)
    end, why = _end(ended, told.error, "" if stage is None else f" in stage {stage}")
    return told._replace(ended=end, why=why, **frame)


def _parts(events: Iterable[Mapping[str, object]], shell: Mapping[str, str]) -> dict[str, object]:
    """The parts of what was seen, put together of what the child told of them."""
    parts: dict[str, object] = {}
    left_out: list[object] = []
    for event in events:
        saw, error = event.get("saw"), event.get("error")
        if isinstance(saw, dict):
            parts.update(saw)
        if isinstance(error, dict):
            parts["error"] = {name: masked(str(error.get(name, "")), shell) for name in RaisedError.fields}
        if "left_out" in event:
            left_out.append(event["left_out"])
    return {**parts, "left_out": left_out}


def _end(ended: process.Ended, error: RaisedError | None, where: str) -> tuple[End, str]:
    """How the probe ended, and why in one sentence."""
    if ended.how == "start":
        return "not run", ended.why
    if ended.how == "limit":
        return "hang", f"{ended.why}, and was killed{where}"
    if error is not None and error.type == "NoGpu":
        return "not run", f"{error.message}; fp8check --probe=emulate needs none"
    if error is not None:
        return "error", f"{error.type}{where}"
    if ended.how == "signal":
        return "killed", f"it was killed by {_signal(ended.code)}{where}"
    if ended.broken:
        return "no answer", f"its answer cannot be read{where}"
    if not any(event.get("done") is True for event in ended.events):
        return "no answer", f"it ended with exit code {ended.code} and without an answer{where}"
    return "done", ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
