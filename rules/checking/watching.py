"""What a watched run comes to: as requested, or what differs; by the rules that judge a probe's result."""

from __future__ import annotations

from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.record import Record
from fp8check.rules.seen import gemms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.engine.running import Finding
    from fp8check.rules.seen import Seen
    from fp8check.rules.suppression.examined import Examined

OF_WHAT_WAS_SEEN = "FP8"  # the rules that look at it
PREDICTION = "FP813"


class Verdict(Record):
    """The verdict on one look at a run.

    Attributes:
        agrees: whether the run is what was asked for; None where that is not decided.
        predicted: whether it is what was predicted; None likewise.
        differences: what differs.
        undecided: what could not be seen, or is not known, in words.
    """

    seen: Seen
    agrees: bool | None
    predicted: bool | None
    differences: tuple[Finding, ...]
    undecided: tuple[str, ...]

    @property
    def words(self) -> str:
        """In a few words."""
        if self.agrees is None:
            return "undecided" + (", and as predicted so far" if self.predicted else "")
        if self.agrees:
            return "as requested"
        return "not as requested" + (", but as predicted" if self.predicted else "")

    def as_data(self) -> dict[str, object]:
        """fp8check/seen/1."""
        return {
            "schema": "fp8check/seen/1",
            "source": "run",
            "verdict": self.words,
            "agrees": self.agrees,
            "predicted": self.predicted,
            **_of_the_steps(self.seen),
            **_of_the_layers(self.seen),
            "differences": [{"rule": finding.rule, "message": finding.message} for finding in self.differences],
            "undecided": list(self.undecided),
        }


def _of_the_steps(seen: Seen) -> dict[str, object]:
    watched = seen.watched
    time = None if watched is None else watched.step_ms
    rate = None if watched is None else watched.tokens_per_s
    return {
        "ranks": None if watched is None else watched.ranks,
        "steps": None if watched is None else [watched.first, watched.last],
        "loss": None if seen.losses is None else list(seen.losses),
        "ms": None if time is None else {"median": time.ms, "low": time.low, "high": time.high},
        "peak_gib": seen.fp8_gib,
        "tokens_per_s": None if rate is None else round(rate, 1),
        "accelerator": None if seen.accelerator is None else seen.accelerator.as_data(),
        "device": None if seen.device is None else seen.device.as_data(),
        "packages": None if seen.packages is None else dict(seen.packages),
    }


def _of_the_layers(seen: Seen) -> dict[str, object]:
    layers: dict[str, object] | None = None
    if seen.layers is not None:
        one = seen.layers
        layers = {"converted": seen.converted, "total": one.total, "left": list(one.left)}
        layers |= {"te": one.te, "torchao": one.torchao, "msamp": one.msamp}
    moved: dict[str, object] | None = None
    if seen.moved is not None:
        still, why = list(seen.moved.stayed), seen.moved.why
        moved = {"expected": seen.moved.trainable, "moved": seen.moved.moved, "still": still, "why": why}
    return {
        "layers": layers,
        "in_fp8": None if seen.autocast is None else seen.autocast.layers_in_fp8,
        "recipe": None if seen.recipe is None else seen.recipe.as_data(),
        "gemms": _gemms(seen),
        "fp8_gradients": None
        if seen.watched is None or seen.watched.gradients is None
        else seen.watched.gradients.as_data(),
        "moved": moved,
        "not_held": None if seen.optimizer is None else seen.optimizer.missing,
    }


def _gemms(seen: Seen) -> dict[str, object] | None:
    """FP8 products by what they are for; null of a kind that was not told apart."""
    kinds = None if seen.emulated else gemms(seen)
    if kinds is None:
        return None
    told: dict[str, object] = {
        name: None if not kind.fp8 and (kind.unknown or not kind.seen) else kind.fp8 for name, kind in kinds.items()
    }
    return {**told, "other": sum(kind.other for kind in kinds.values())}


def judged(reports: Sequence[Examined], seen: Seen) -> Verdict:
    """The verdict by the reports of the run, made with what was seen.

    Args:
        reports: of the runs that the command describes; there is one, or nobody knows which of them was watched.
    """
    if len(reports) != 1:
        why = "the command is no run that is known" if not reports else f"the command starts {len(reports)} runs"
        return Verdict(seen, None, None, (), (f"what was asked for: {why}", *_not_seen(seen)))
    report = reports[0]
    ours = [finding for finding in report.findings if finding.rule.startswith(OF_WHAT_WAS_SEEN)]
    differences = tuple(finding for finding in ours if finding.severity != "info")
    undecided = [*_not_seen(seen)]
    if seen.ended == "done":  # else every rule says that nothing was seen
        undecided += [rule.needs for rule in report.undecided if rule.rule.startswith(OF_WHAT_WAS_SEEN)]
    undecided += [f"{crash.rule} failed" for crash in report.crashes]
    requested = report.inputs.requested
    if requested.perhaps and not requested.anywhere:
        undecided.append(f"what was asked for: {requested.perhaps}")
    agrees = False if differences else None if undecided else True
    foreseen: bool | None = not any(finding.rule == PREDICTION for finding in differences)
    if report.outcome.undecided is not None or (foreseen and seen.ended != "done"):
        foreseen = None
    return Verdict(seen, agrees, foreseen, differences, tuple(dict.fromkeys(undecided)))


def _not_seen(seen: Seen) -> tuple[str, ...]:
    if seen.watched is not None:
        return seen.watched.undecided
    return (seen.why,) if seen.why else ()


def exit_code(verdicts: Sequence[Verdict], *, require_evidence: bool) -> int:
    """What `fp8check run` exits with, where the command did not end by itself with another code than 0."""
    if any(verdict.agrees is False for verdict in verdicts):
        return ExitCode.FINDINGS
    if require_evidence and (not verdicts or any(verdict.agrees is None for verdict in verdicts)):
        return ExitCode.UNDECIDED
    return ExitCode.OK
