"""fp8check for Python: what the command and the service do, for a notebook or a tool of your own."""

from __future__ import annotations

from fp8check.rules import facts as facts_
from fp8check.rules.checking.advising import advised
from fp8check.rules.checking.request import Checked, Request, RunRequest, check_request, runs_of
from fp8check.rules.checking.runs import WrongFiles
from fp8check.rules.checking.selection import select as selected
from fp8check.rules.outcome import predict as predict_run
from fp8check.rules.trainers.detect import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from fp8check.rules.checking.request import Probe
    from fp8check.rules.engine.gate import Requirement
    from fp8check.rules.facts import Facts
    from fp8check.rules.moves.site import Goal
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.repair.plan import Planned


def check(
    *files: str | os.PathLike[str],
    facts: Facts | str | os.PathLike[str] | None = None,
    launch: str | None = None,
    trainer: str | None = None,
    variables: Mapping[str, str] | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    plugins: Sequence[str] = (),
    baseline: str | None = None,
    probe: Probe | None = None,
    require: Sequence[str] = (),
) -> Checked:
    """Check the run, or the runs, that these files make up: the same reports as `fp8check FILE...` gives.

    Args:
        files: paths of training, Accelerate and DeepSpeed files and of the model's config.json, in any order; none
            where the launch command says all.
        facts: the machine that will train: a facts.json (`fp8check env --json`), or Facts; None: nothing is known.
        launch: the launch command: "accelerate launch --config_file accel.yaml train.py", or a tool's bare name.
        trainer: who reads the training file ("llamafactory", "trl", ...); None: told by its content.
        variables: environment variables of the training shell, over those of the facts.
        select, ignore: rules or groups: "FP203", "FP1".
        plugins: names of rule plug-ins that installed packages bring.
        baseline: a file that --write-baseline wrote: what it has is not new.
        probe: makes a real step of each run: `fp8check.probe.probe_run`, on the GPU node.
        require: what the outcome has to be: "speedup>=1.1", "fp8_layers==all"; what is not, or not known to be, is an
            error.

    Returns:
        The reports, one a run, with `exit_code()`.

    Raises:
        InputError: the files make up no run, one of them cannot be read, or a rule or plug-in is named that does not
            exist; its classes say which.
    """
    selection = selected(select, ignore, plugins=plugins)
    run = _run_request(files, facts, launch, trainer, variables)
    known = _baseline(baseline)
    request = Request(
        (run,), selection.rules, selection.crashes, baseline=known, probe=probe, requirements=_required(require)
    )
    return advised(request, check_request(request))


def predict(
    *files: str | os.PathLike[str],
    facts: Facts | str | os.PathLike[str] | None = None,
    launch: str | None = None,
    trainer: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> tuple[Outcome, ...]:
    """What will really happen to each run that these files make up: `fp8check outcome FILE...`.

    Args, Raises: as `check`.
    """
    run = _run_request(files, facts, launch, trainer, variables)
    return tuple(predict_run(assembled.run) for assembled in runs_of(Request((run,))))


def plan(
    *files: str | os.PathLike[str],
    goal: Goal | None = None,
    facts: Facts | str | os.PathLike[str] | None = None,
    launch: str | None = None,
    trainer: str | None = None,
    variables: Mapping[str, str] | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    plugins: Sequence[str] = (),
) -> Planned:
    """What to do, as a whole, so that these runs start and train as the goal says: `fp8check plan FILE...`.

    Nothing is changed. Each plan was done to a copy, read again and judged as any file is; the first changes least.

    Args:
        goal: "fp8" or "bf16"; None for what the runs ask for.
        files, facts, launch, trainer, variables, select, ignore, plugins: as `check`.

    Returns:
        The plans, each with its steps, the files as they are then and their reports; or why there is none.
        `fp8check.rules.report.plan.as_json` and `as_text` print them as the command does.

    Raises:
        InputError: as `check`.
    """
    from fp8check.rules.checking.planning import SECONDS, after, plan_request

    selection = selected(select, ignore, plugins=plugins)
    run = _run_request(files, facts, launch, trainer, variables)
    return plan_request(Request((run,), selection.rules, selection.crashes), goal, spent=after(SECONDS))


def _run_request(
    files: Sequence[str | os.PathLike[str]],
    facts: Facts | str | os.PathLike[str] | None,
    launch: str | None,
    trainer: str | None,
    variables: Mapping[str, str] | None,
) -> RunRequest:
    documents = tuple(read(str(file), trainer=trainer) for file in dict.fromkeys(files))
    if not files and not launch:
        raise WrongFiles("name a training file, an Accelerate file or both, or the whole launch command")
    known = _facts(facts)
    return RunRequest(documents, known.with_variables(variables) if variables else known, launch, trainer)


def _facts(facts: Facts | str | os.PathLike[str] | None) -> Facts:
    if facts is None:
        return facts_.Facts()
    return facts if isinstance(facts, facts_.Facts) else facts_.load(str(facts))


def _required(texts: Sequence[str]) -> tuple[Requirement, ...]:
    if not texts:
        return ()
    from fp8check.rules.engine.gate import parsed

    return parsed(texts)


def _baseline(path: str | None) -> Sequence[Mapping[str, str]] | None:
    if path is None:
        return None
    from fp8check.rules.suppression.baseline import load_baseline

    return load_baseline(path)
