"""A run beside the same run in BF16: what is changed for that, whether it can be tried, what the two come to."""

from __future__ import annotations

import os
import shlex

from fp8check.rules.checking.modules import with_modules
from fp8check.rules.checking.planning import SECONDS, after, applied, plan_request
from fp8check.rules.checking.request import runs_of
from fp8check.rules.reading.source import Source
from fp8check.rules.record import Record
from fp8check.rules.settings.script_syntax import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.checking.request import Request
    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.checking.watching import Verdict
    from fp8check.rules.reading import Document
    from fp8check.rules.repair.render import Step
    from fp8check.rules.seen import Seen
    from fp8check.rules.seen.data import Time

# What a script imports to send something away, or to keep a record of it, and no variable or argument switches off.
TRACKERS = (
    *("mlflow", "tensorboard", "tensorboardX", "torch.utils.tensorboard", "comet_ml", "neptune", "clearml", "aim"),
    *("dvclive", "swanlab", "trackio"),
)
STORES = ("boto3", "s3fs", "gcsfs", "google.cloud", "azure.storage")
TRAINERS = ("lightning", "pytorch_lightning", "composer")  # these save and track in ways of their own
SENDING = (*TRACKERS, *STORES, *TRAINERS)
AS_ONE = 0.05  # relative: losses of a first step that are further apart are not of the same weights and rows


class Copy(Record):
    """The same run in BF16, as it is started in a copy of the folder.

    Attributes:
        words: of the command.
        files: the text of each file that is another one, by its path.
        variables: of the environment; None for one that is taken away.
        steps: what is changed.
        request, runs: the run as it is then.
    """

    words: tuple[str, ...]
    files: Mapping[str, str]
    variables: Mapping[str, str | None]
    steps: tuple[Step, ...]
    request: Request
    runs: tuple[Assembled, ...]


class CannotCompare(Exception):
    """Why a run is not tried beside its copy in BF16."""


def copy_of(request: Request | None, runs: Sequence[Assembled], words: Sequence[str]) -> Copy:
    """What the same run in BF16 would be.

    Raises:
        CannotCompare: it cannot be tried: it may leave something behind, or nobody knows what it would be in BF16.
    """
    if request is None or len(runs) != 1 or len(request.runs) != 1:
        raise CannotCompare(
            "it is not known which run the command starts" if not runs else "the command starts several runs"
        )
    _refuse(runs[0])
    planned = plan_request(request, "bf16", plans=1, spent=after(10 * SECONDS))
    if not planned.plans:
        raise CannotCompare(
            _by_itself(runs[0]) or f"no way to the same run in BF16 was found: {'; '.join(planned.why_not)}"
        )
    (found, *_) = planned.plans
    if not found.steps:
        raise CannotCompare("it asks for no FP8")
    for step in found.steps:
        if step.kind == "package":
            raise CannotCompare(f"in BF16 it needs {step.after}")
        if step.by_hand:
            raise CannotCompare(f"for BF16 {step.file}:{step.line} has to be changed by hand: {step.by_hand}")
    before = {document.path: document.text for document in planned.before}
    files = {document.path: document.text for document in found.documents if before.get(document.path) != document.text}
    launch = found.state.launch
    (part,) = request.runs
    changed = tuple(words) if launch is None or launch == part.launch else tuple(shlex.split(launch))
    then = request._replace(runs=(applied(part, found),))
    return Copy(changed, files, found.state.variables, found.steps, then, runs_of(then))


def _refuse(assembled: Assembled) -> None:
    """Raise where the run may leave something behind that cannot be switched off."""
    run = assembled.run
    launch = run.launch
    if launch.line is not None or any(document.kind == "shell" for document in assembled.documents):
        raise CannotCompare("a shell script does more than to start the run: name the command itself")
    if launch.unknown or not launch.tool:
        raise CannotCompare(f"it is not known what the command starts{launch.unknown and f': {launch.unknown}'}")
    around = launch.surroundings
    for who in (around.clears, around.hides, around.machine):
        if who:
            raise CannotCompare(f"{who} starts it where its checkpoints and trackers cannot be switched off")
    if around.folder:
        raise CannotCompare(f"it is started in {around.folder}: go there")
    for name in ("PYTHONPATH", "FP8CHECK_WATCH"):
        if name in launch.variables or name in around.unset:
            raise CannotCompare(f"the command sets {name}, and nothing would be switched off")
    if around.copies != 1:
        raise CannotCompare(f"{around.copies_by} starts it more than once")
    machines = launch.flag("num_machines") or launch.flag("nnodes") or 1
    if str(machines) not in ("1", "1:1"):
        raise CannotCompare("other machines take part, where nothing can be switched off")
    scripts = [document for document in assembled.documents if document.kind == "script"]
    if not scripts and not (run.starts_trainer and run.training.is_huggingface):
        raise CannotCompare(f"{launch.script or 'the program'} was not read: what it saves and sends is not known")
    _refuse_sending(scripts)


def _refuse_sending(scripts: Sequence[Document]) -> None:
    """Raise where one of these or a module beside it imports what sends something away, or that is not known."""
    for document in scripts:
        source = parse(Source(document.path, document.text))
        if source is None:
            raise CannotCompare(f"{document.path} cannot be read: what it saves and sends is not known")
        imported = with_modules(source)
        if imported.unread:
            raise CannotCompare(f"{imported.unread[0].path} cannot be read: what it saves and sends is not known")
        for each in (source, *imported.sources):
            for name in each.imports:
                sends = next((sender for sender in SENDING if f"{name}.".startswith(f"{sender}.")), None)
                if sends is not None:
                    raise CannotCompare(f"{each.path} imports {sends}, which cannot be switched off from outside")


def _by_itself(assembled: Assembled) -> str:
    """Where the program enters FP8 by itself, and what to do then; "" where it does not."""
    for own_fp8 in assembled.run.script.own:
        if own_fp8.sure:
            call = f"{own_fp8.span.file}:{own_fp8.span.line} calls {own_fp8.what}"
            todo = "give the script a switch for it, and run each of the two with `fp8check run --stop --evidence FILE`"
            return f"{call}, and no file, flag or variable turns that off: {todo}: times, memory and losses stand there"
    return ""


class Compared(Record):
    """Two runs, side by side.

    Attributes:
        first, second: what was seen in FP8 and in BF16.
        undecided: why something is not said of them.
    """

    first: Verdict
    second: Verdict
    steps: tuple[Step, ...]
    undecided: tuple[str, ...]

    @property
    def gaps(self) -> list[float]:
        """How much higher each loss is in FP8, relative; empty where the losses were not seen."""
        pairs = zip(self.first.seen.losses or (), self.second.seen.losses or (), strict=False)
        return [(one - two) / abs(two) for one, two in pairs if one is not None and two]

    def as_data(self) -> dict[str, object]:
        """The part of fp8check/seen/1."""
        fp8, bf16 = self.first.as_data(), self.second.as_data()
        gaps = self.gaps
        return {
            "precision": "bf16",
            "changed": [_step(step) for step in self.steps],
            "speedup": _ratio(_ms(self.second.seen), _ms(self.first.seen)),
            "memory": _ratio(self.first.seen.fp8_gib, self.second.seen.fp8_gib),
            "loss_gap": None if not gaps else {"mean": _mean(gaps), "last": round(gaps[-1], 6), "steps": len(gaps)},
            **{name: {"fp8": fp8[name], "bf16": bf16[name]} for name in ("ms", "tokens_per_s", "peak_gib", "loss")},
            "bf16": bf16,
            "undecided": list(self.undecided),
        }


def compared(first: Verdict, second: Verdict, steps: tuple[Step, ...]) -> Compared:
    """The two side by side, and what is not said of them."""
    undecided = []
    for name, verdict in (("FP8", first), ("BF16", second)):
        seen = verdict.seen
        if seen.watched is None:
            undecided.append(f"the run in {name} was not watched: {seen.why or 'nothing was seen'}")
        elif seen.watched.undecided:
            undecided += [f"in {name}: {one}" for one in seen.watched.undecided]
        if seen.watched is not None and _ms(seen) is None:
            undecided.append(f"the time of a step in {name}: no step passed without something being looked at")
        if seen.watched is not None and not seen.losses:
            undecided.append(f"the losses in {name}")
        if seen.watched is not None and seen.fp8_gib is None:
            undecided.append(f"the memory in {name}: no GPU was used")
    if first.agrees is False:
        undecided.append("what FP8 costs or brings: the first run is not what was asked for")
    if second.seen.watched is not None and (second.seen.converted or 0) > 0:
        undecided.append("the second run has layers in FP8 as well")
    times = [one.seen.watched.step_ms for one in (first, second) if one.seen.watched is not None]
    if len(times) == 2 and times[0] is not None and times[1] is not None and overlap(times[0], times[1]):
        undecided.append("which of the two is faster: the usual step of one takes as long as some steps of the other")
    if first.seen.emulated or second.seen.emulated:
        undecided.append("how fast it is on a GPU: this was a CPU, where FP8 is emulated")
    made = Compared(first, second, steps, ())
    if made.gaps and abs(made.gaps[0]) > AS_ONE:
        undecided.append("the loss gap: the two do not begin alike (a seed, or the order of the data)")
    return made._replace(undecided=tuple(dict.fromkeys(undecided)))


def _ms(seen: Seen) -> float | None:
    return None if seen.watched is None or seen.watched.step_ms is None else seen.watched.step_ms.ms


def overlap(one: Time, other: Time) -> bool:
    """Whether the median of one lies among the times of the other: steps that wait for the host vary more than that."""
    return one.low <= other.ms <= one.high or other.low <= one.ms <= other.high


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if not one or not other else round(one / other, 4)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 6)


def _step(step: Step) -> str:
    place = "" if step.file is None else f"{os.path.basename(step.file)}:{step.line or 1} "
    return f"{place}{step.before or ''} -> {step.after or 'gone'}".strip()
