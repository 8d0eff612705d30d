"""The schema of a report, fp8check/report/1, as types: every format is made of these, JSON as they stand here.

A field is a key of the JSON, in this order (a trailing underscore is not part of the key). One with a default, which is
None or (), is left out where it has it. Only additions are made, and what is added has a default.

Lines and columns count from 1, columns in characters; the end is exclusive. Null is not known, or that there is none,
where the field says so.
"""

from __future__ import annotations

from fp8check.rules.plain_text import PAGES
from fp8check.rules.record import Record
from fp8check.rules.settings.values import outside_of_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    from fp8check.rules.engine.running import UndecidedRule
    from fp8check.rules.seen import Seen

SCHEMA: Literal["fp8check/report/1"] = "fp8check/report/1"
PLAN: Literal["fp8check/plan/1"] = "fp8check/plan/1"
DOCS = PAGES


class File(Record):
    """A file of the run, and what it is.

    Attributes:
        path: as it was named.
        dialect: whose training file it is; null for the other kinds.
    """

    path: str
    kind: Literal["training", "accelerate", "deepspeed", "model", "script", "shell", "other"]
    dialect: str | None


class Requested(Record):
    """What the files and the command ask for.

    Attributes:
        fp8: whether anything asks for FP8, of Accelerate or by other means.
        backend: as it is written; null where nobody names one.
        recipe: what somebody wrote of the recipe, by its name there.
        perhaps: where it is not known whether FP8 is asked for: what is not known.
    """

    fp8: bool
    backend: object
    recipe: Mapping[str, object]
    perhaps: str | None = None


# memory_lacks has none: of a check it says nothing of what happens.
_TITLES = {
    "requested": "requested",
    "actual": "actual",
    "assumed": "",
    "or_": "or",
    "assumed_or": "",
    "extrapolated": "",
    "launch": "launch",
    "speed": "speed",
    "memory": "memory",
    "probe": "probe",
    "required": "required",
}


class Summary(Record):
    """The report in a few lines, for people.

    Attributes:
        requested: what is asked for, and where.
        actual: what will really happen.
        assumed: the releases that this holds for, where they had to be assumed.
        or_: what will happen with earlier releases, where that is something else.
        assumed_or: the releases that this holds for.
        extrapolated: what is predicted of releases that are newer than those that were executed.
        launch: the command that was assumed, where a script was given without one.
        speed: whether FP8 pays.
        memory: what a step takes of a GPU, and what is there.
        probe: what a probe saw.
        required: what is required of the outcome, and what it is.
        memory_lacks: what would have to be known for the memory; null where that is said.
    """

    requested: str
    actual: str
    assumed: str | None = None
    or_: str | None = None
    assumed_or: str | None = None
    extrapolated: str | None = None
    launch: str | None = None
    speed: str | None = None
    memory: str | None = None
    probe: str | None = None
    required: str | None = None
    memory_lacks: str | None = None

    @property
    def lines(self) -> Iterator[tuple[str, str]]:
        """Its lines for people, each with its title; "" for one that says what the line above holds for."""
        for name, title in _TITLES.items():
            words = getattr(self, name)
            if words is not None:
                yield title, words


class Origin(Record):
    """Where a value was set: in a file, by a variable or a flag, by a package's default or its code; empty: by nobody.

    Attributes:
        key_line: the line of its key, where that is another one.
        variable: the environment variable of the shell.
        flag: the flag of the command line, as it was written.
        default: the package whose default it is, with its release.
        code: the piece of a package or script that set it, or that moved it there from the other place.
    """

    file: str | None = None
    line: int | None = None
    column: int | None = None
    key_line: int | None = None
    variable: str | None = None
    flag: str | None = None
    default: str | None = None
    code: str | None = None

    def describe(self) -> str:
        """The place in one short phrase, for people."""
        if self.file is not None:
            return f"{self.file}:{self.line}"
        return outside_of_files(self.flag, self.variable, self.code, self.default)


class Overridden(Record):
    """A value that lost.

    Attributes:
        overrode: what it had won over itself, the latest first.
    """

    value: object
    origin: Origin
    overrode: tuple[Overridden, ...] = ()


class TraceEntry(Record):
    """One decided value of the run: who set it, and whom that overrode, the latest first."""

    setting: str
    value: object
    origin: Origin
    overrode: tuple[Overridden, ...]


class PredictedError(Record):
    """The exception of the real stack that ends the run.

    Attributes:
        stage: where: in the launcher, TrainingArguments, the trainer, Accelerator(), prepare(), or the first step.
        type: the exception's class name.
        message: its text, as the package writes it.
        code: which error it is: the same when a package rewords its text.
        because: where the settings stand that lead to it.
    """

    stage: Literal["launch", "arguments", "trainer", "accelerator", "prepare", "step"]
    type: str
    message: str
    code: str
    because: tuple[Origin, ...]

    @property
    def first_line(self) -> str:
        """As much of the message as a report has room for."""
        return next(iter(self.message.splitlines()), "")


class Coverage(Record):
    """Which of the model's Linear layers the backend converts.

    Attributes:
        converted: how many.
        total: how many there are.
        left: names of some that stay as they are, once per decoder layer.
    """

    converted: int | None
    total: int | None
    left: tuple[str, ...]


class Speedup(Record):
    """The predicted time of a step in BF16 over that in FP8: above 1, FP8 is faster.

    Attributes:
        low, high: on a host that launches slowly, and on one that launches fast.
        why: what it is predicted for: shape, tokens in a micro-batch, GPU.
    """

    predicted: float
    low: float
    high: float
    why: str


class Memory(Record):
    """Peak memory of one GPU in GiB, as torch.cuda.max_memory_allocated counts it.

    Attributes:
        bf16_gib: of this run in BF16.
        fp8_gib: of the run as it is; null where it does not train in FP8.
        limit_gib: what the smallest GPU has for it, less the CUDA context and what the allocator holds back; null where
            the GPU is not known.
    """

    bf16_gib: float
    fp8_gib: float | None
    limit_gib: float | None


class Extrapolated(Record):
    """A package that is newer than what was executed, and what is predicted of it all the same.

    Attributes:
        release: the one that is installed.
        executed: the newest that was executed.
        predictions: what of the outcome rests on it, for people.
    """

    package: str
    release: str
    executed: str
    predictions: str


class Outcome(Record):
    """What will really happen, in the real stack's own names and values.

    Where releases had to be assumed, what depends on them is null.

    Attributes:
        starts: whether the first step is reached and done.
        error: null where none is predicted.
        mixed_precision: accelerator.mixed_precision.
        fp8_enabled: accelerator.fp8_enabled, in releases that have it; null where the script turns FP8 on itself, or
            may.
        backend: accelerator.fp8_backend.
        recipe: the recipe that the backend ends with; null where there is none.
        fp8_layers: how many Linear layers run in FP8.
        distributed_type: accelerator.distributed_type.
        trains_converted_weights: whether the optimizer moves the weights of converted layers.
        speedup: null where it is not predicted.
        memory: null where it is not predicted.
        memory_lacks: what would have to be known for it; null where it is predicted, or the run does not start.
        undecided: why the prediction ends early; null where it is whole.
        assumed: the releases that were assumed, by package.
        trace: every decided value, in the order of the chain.
        extrapolated: the packages that are newer than what was executed.
    """

    starts: bool | None
    error: PredictedError | None
    mixed_precision: object
    fp8_enabled: bool | None
    backend: object
    recipe: Mapping[str, object] | None
    fp8_layers: Literal["all", "some", "none"] | None
    layers: Coverage | None
    distributed_type: str | None
    trains_converted_weights: bool | None
    speedup: Speedup | None
    memory: Memory | None
    undecided: str | None
    assumed: Mapping[str, str]
    trace: tuple[TraceEntry, ...]
    extrapolated: tuple[Extrapolated, ...] = ()
    memory_lacks: str | None = None

    @property
    def trains_in_fp8(self) -> bool | None:
        """Whether the run starts and at least some layers run in FP8; None where it is not known."""
        if self.starts is False:
            return False
        return None if self.fp8_layers is None else self.fp8_layers != "none"


class Related(Record):
    """A second place that a finding speaks of; null where it stands in no file."""

    file: str | None
    line: int | None
    column: int | None
    end_line: int | None
    end_column: int | None
    message: str


class Edit(Record):
    """A stretch of a file, and the text that takes its place."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str


class Fix(Record):
    """Edits that belong together: all of them or none.

    Attributes:
        safe: whether they leave what the run does as it is evidently meant.
    """

    safe: bool
    edits: tuple[Edit, ...]


class Finding(Record):
    """What a rule found.

    Attributes:
        file: null, as its lines and columns, where no file holds it.
        pointer: the JSON pointer of the entry; null where it is none.
        label: what really happens at that place.
        notes: further facts.
        help: what to do, done to a copy first; or what is true of it, where nothing that was done was better.
        fix: null where no machine can do it.
        url: the page of the rule.
        fingerprint: the same as long as it is the same finding, whatever lines move.
        state: against the baseline; null where there is none.
        after: the rules whose errors have to be fixed before it comes up, as its message says; absent where none have.
    """

    rule: str
    name: str
    severity: Literal["error", "warning", "info"]
    message: str
    file: str | None
    line: int | None
    column: int | None
    end_line: int | None
    end_column: int | None
    pointer: str | None
    label: str
    related: tuple[Related, ...]
    notes: tuple[str, ...]
    help: str
    fix: Fix | None
    url: str
    fingerprint: str
    state: Literal["new", "unchanged"] | None
    after: tuple[str, ...] = ()


class Suppressed(Record):
    """A finding that a comment or the configuration takes away.

    Attributes:
        reason: why, in the words of whoever wrote it; empty where none is given.
        until: the last day on which that holds, YYYY-MM-DD; null where it has no end.
        by: where it is written.
    """

    rule: str
    message: str
    file: str | None
    line: int | None
    column: int | None
    end_line: int | None
    end_column: int | None
    reason: str
    until: str | None
    by: str


class Resolved(Record):
    """A finding of the baseline that is gone."""

    fingerprint: str
    rule: str
    file: str
    message: str


class Baseline(Record):
    """The findings against the baseline: how many are new, how many it has, and which of its findings are gone."""

    new: int
    unchanged: int
    resolved: tuple[Resolved, ...]


class Requirement(Record):
    """What is required of the outcome, and what became of it.

    Attributes:
        requirement: as it was asked for.
        met: null where it is not known: then it fails as well.
        value: of the outcome; null where there is none, where it is not known, and where it depends on releases.
        why: what the value holds for; why there is none, or why it is not known.
        command: what would tell it; absent where it is known.
    """

    requirement: str
    met: bool | None
    value: object
    why: str
    command: str | None = None


class InternalError(Record):
    """A rule that failed: it said nothing, which is no pass."""

    rule: str
    error: str


class LaunchLine(Record):
    """A line of a shell script that starts a run.

    Attributes:
        command: its words, with what the script sets filled in.
        launcher: "accelerate", "torchrun", "deepspeed" or "python", or the trainer whose command it is; null where that
            is not known.
        undecided: why it is not known what it starts; null where it is.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    command: str
    launcher: str | None = None
    undecided: str | None = None


class Step(Record):
    """One step of a plan.

    Attributes:
        kind: an edit of an entry, a new file, the command, a variable, or a package.
        before: the entry as it is, the command as it was given; null where there is none.
        after: the entry as it is to be (null where it goes), the text of a new file, the whole command, "NAME=value" or
            "NAME" to unset it, "name==version".
        why: the rule, the predicted error or the part of the goal that asks for it.
        by_hand: of an edit that people have to make themselves, why: "bf16 is computed"; absent of all others.
    """

    kind: Literal["edit", "file", "launch", "variable", "package"]
    file: str | None
    line: int | None
    before: str | None
    after: str | None
    why: str
    by_hand: str | None = None


class Plan(Record):
    """One way to the goal.

    Attributes:
        steps: in the order in which they are to be made; empty where the run is good as it is.
        launch: the whole command that starts the run then; null where nobody said how it is started.
        outcome: as in the report, what happens then; of several runs that of the first.
        remaining: the findings that are left, of all runs.
        evidence: what the prediction rests on.
        summary: what happens then, in a few lines, as in the report.
        fix: the steps of kind edit as text, in whole lines, all files together; null where there is none, or where a
            line has a credential or stands in a file that may not be quoted.
    """

    steps: tuple[Step, ...]
    launch: str | None
    outcome: Outcome
    speedup: Speedup | None
    memory: Memory | None
    remaining: tuple[Finding, ...]
    evidence: str
    summary: Summary
    fix: Fix | None = None


class Plans(Record):
    """What to do, as a whole: schema fp8check/plan/1.

    Attributes:
        why_not: what stands against the goal; empty where it is reached.
        plans: the first changes least.
        in_bf16: what a run in BF16 would take, where there is no way to FP8 and a plan was asked for.
        cut: whether less was tried than `fp8check plan` tries, which may find a better way; absent elsewhere.
        neither: that no way to BF16 was found either: all was tried, or not; absent where nobody looked.
    """

    schema: Literal["fp8check/plan/1"]
    goal: Literal["fp8", "bf16"]
    reached: bool
    why_not: tuple[str, ...]
    plans: tuple[Plan, ...]
    in_bf16: Plan | None = None
    neither: Literal["whole", "cut"] | None = None
    cut: bool | None = None


class Report(Record):
    """What is said of one run.

    Attributes:
        verdict: fail (an error was found), warn, pass, or undecided (nothing was found, and something is not known).
        baseline: null where there is none.
        internal_errors: rules that failed.
        probe: what a probe saw; null where there was none.
        facts: the machine, as facts.json has it (schema fp8check/facts/1).
        versions: the release of fp8check.
        launch: the line of a shell script that starts the run; absent where no script does.
        plan: what to do, as a whole; null where nobody asked for it.
        requirements: what is required of the outcome; absent where nothing is.
        hiding: rules whose errors may hide others, which could not be looked at; absent where there are none.
        run: which run the files are to a hook, which found them by what changed: the [[run]] that names them, or the
            file that stands nearest; absent elsewhere.
        machines: the names of those that the facts are of, where those of several were given; absent elsewhere.
    """

    kept = ("plan",)

    schema: Literal["fp8check/report/1"]
    verdict: Literal["fail", "warn", "pass", "undecided"]
    files: tuple[File, ...]
    requested: Requested
    summary: Summary
    outcome: Outcome
    findings: tuple[Finding, ...]
    undecided: tuple[UndecidedRule, ...]
    suppressed: tuple[Suppressed, ...]
    baseline: Baseline | None
    internal_errors: tuple[InternalError, ...]
    probe: Seen | None
    facts: Mapping[str, object]
    versions: Mapping[str, str]
    launch: LaunchLine | None = None
    plan: Plans | None = None
    requirements: tuple[Requirement, ...] = ()
    hiding: tuple[str, ...] = ()
    run: str | None = None
    machines: tuple[str, ...] = ()

    @property
    def new_findings(self) -> tuple[Finding, ...]:
        """The findings; with a baseline, those that it does not have."""
        if self.baseline is None:
            return self.findings
        return tuple(finding for finding in self.findings if finding.state != "unchanged")


class Place(Record):
    """A stretch of a file."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __init__(self, file: str, line: int, column: int, end_line: int, end_column: int) -> None:
        own = self.__dict__  # by hand, as Setting: each format asks for each place again
        own["file"], own["line"], own["column"] = file, line, column
        own["end_line"], own["end_column"] = end_line, end_column


def sentences(finding: Finding) -> list[str]:
    """All that is said of a finding, for formats that have one text for it."""
    parts = [finding.message, finding.label, *finding.notes]
    if finding.help:
        parts.append(f"Help: {finding.help}")
    return [part for part in parts if part]


def place_of(one: Finding | Related | Suppressed | Edit) -> Place | None:
    """Where it stands; None where no file holds it."""
    file, line, column, end_line, end_column = one.file, one.line, one.column, one.end_line, one.end_column
    if file is None or line is None or column is None or end_line is None or end_column is None:
        return None
    return Place(file, line, column, end_line, end_column)


def as_data(record: Record) -> dict[str, object]:
    """A report, or a part of one, as plain data, ready for json.dumps."""
    fields = record.__dict__
    if record.least == record.size:  # most of them: nothing is left out
        return {name: value if type(value) in _LEAVES else _plain(value) for name, value in fields.items()}
    needed = (*record.needed, *record.kept)
    return {
        name.rstrip("_"): value if type(value) in _LEAVES else _plain(value)
        for name, value in fields.items()
        if (value is not None and value != ()) or name in needed
    }


_LEAVES = frozenset((str, int, float, bool, dict, type(None)))


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [one if type(one) in _LEAVES else _plain(one) for one in value]
    if not isinstance(value, Record):
        return value
    return value.as_data() if hasattr(value, "as_data") else as_data(value)  # what a probe saw tells its own
