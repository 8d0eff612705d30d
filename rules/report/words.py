"""A run in a few lines: what was requested, what will actually happen, and whether it pays."""

from __future__ import annotations

from fp8check.rules.outcome.speed import in_words
from fp8check.rules.plain_text import shown
from fp8check.rules.report.schema import Summary
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.outcome.speed import Speed
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.suppression.examined import Examined


def summary(examined: Examined, speed: Speed | None) -> Summary:
    """The summary of a report; `speed` is what is predicted where the run trains in FP8."""
    outcome, earlier = examined.outcome, examined.earlier
    actual_words = actual(outcome)
    ending = sorted({finding.rule for finding in examined.findings if finding.may_end}) if outcome.error is None else []
    changed = earlier is not None and actual(earlier) != actual_words
    memory = _memory(outcome) if outcome.trains_in_fp8 and not ending else None
    return Summary(
        requested=requested(examined.inputs.requested),
        actual=f"may not run ({', '.join(ending)}); once that is fixed: {actual_words}" if ending else actual_words,
        assumed=f"with {_assumed(outcome)} assumed" if earlier is not None else None,
        or_=actual(earlier) if earlier is not None and changed else None,
        assumed_or=f"with {_assumed(earlier)}" if earlier is not None and changed else None,
        extrapolated=_extrapolated(outcome),
        launch=_launch(examined),
        speed=_speed(speed, examined) if speed is not None and not ending else None,
        memory=memory,
        probe=_probe(examined),
        required=_required(examined) if examined.required else None,
        memory_lacks=memory_lacks(outcome) if memory is None and outcome.trains_in_fp8 else None,
    )


def _required(examined: Examined) -> str:
    """What is required, and what it is."""
    said = {True: "", False: ", not met", None: ", undecided"}
    return shown(" · ".join(f"{one.requirement} ({one.said}{said[one.met]})" for one in examined.required))


def _launch(examined: Examined) -> str | None:
    """How a script that was given without a command is taken to be started."""
    launch = examined.inputs.run.launch
    if launch.given or launch.script is None or not any(document.kind == "script" for document in examined.documents):
        return None
    tool = "accelerate launch" if launch.tool == "accelerate" else launch.tool
    flags = f" --config_file {launch.config_file}" if launch.config_file is not None else ""
    words = " ".join((launch.script, *launch.arguments))
    return shown(f"assumed: {tool}{flags} {words} (--launch says otherwise)")


def requested(wanted: Requested) -> str:
    """What is asked for, and the place that asks first."""
    if wanted.perhaps and not wanted.fp8:
        return shown(f"not known: {wanted.perhaps}")
    words = ["fp8" if wanted.fp8 else "fp8 by the script itself" if wanted.by_script else "no FP8"]
    if wanted.backend is not None:
        words.append(str(wanted.backend.shown))
    recipe = _recipe(wanted.recipe)
    if recipe:
        words.append(recipe)
    where = wanted.anywhere[0].origin.describe() if wanted.anywhere else ""
    return shown(" · ".join(words) + (f"   {where}" if where else ""))


def actual(outcome: Outcome) -> str:
    """What will really happen, in one line."""
    return shown(_actual(outcome))


def _actual(outcome: Outcome) -> str:
    if outcome.undecided is not None:
        return f"not decided: {outcome.undecided.what}"
    if outcome.error is not None:
        error = outcome.error
        return f"does not start: {error.type} ({error.stage}): {error.first_line}"
    precision = outcome.mixed_precision.shown if outcome.mixed_precision is not None else "?"
    if precision == "no":
        precision = "no mixed precision"
    backend = outcome.backend_name
    if backend == "MSAMP":
        return f"{precision} with MS-AMP; whether its layers run in FP8 is not modeled"
    if outcome.trains_in_fp8 is not True:
        return f"{precision}, no layer in FP8"
    how = f"{precision} · {backend}" if precision == "fp8" else f"{precision}, with {backend} layers in FP8"
    words = f"{how} · {_recipe(outcome.prepared.recipe or {})} · {_layers(outcome)} Linear layers"
    if outcome.frozen is not None:
        words += " · the converted weights are never trained"
    if backend == "TE" and outcome.reentrant:
        words += " · backward not in FP8 (gradient checkpointing)"
    return words


def _layers(outcome: Outcome) -> str:
    coverage = outcome.prepared.coverage
    return f"{coverage.converted} of {coverage.total}" if coverage.converted is not None else str(outcome.fp8_layers)


def _recipe(recipe: Mapping[str, Setting]) -> str:
    forms = {"fp8_format": "{}", "recipe": "{}", "amax_history_len": "history {}", "amax_compute_algo": "{}"}
    return ", ".join(form.format(recipe[name].shown) for name, form in forms.items() if name in recipe)


def _assumed(outcome: Outcome) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {version}" for name, version in sorted(outcome.stack.assumed.items()))


def _extrapolated(outcome: Outcome) -> str | None:
    """What is predicted of releases that nobody ran for it, in one line of the whole report."""
    if not outcome.stack.is_beyond:
        return None
    from fp8check.rules.outcome.extrapolated import extrapolated, in_words  # few reports have any

    found = extrapolated(outcome)
    return shown(in_words(found)) if found else None


def _speed(speed: Speed, examined: Examined) -> str:
    comes_to = in_words(speed, measured=examined.inputs.seen is not None)
    later = f"; it pays from {speed.pays_from:,} tokens" if (speed.pays_from or 0) > speed.tokens else ""
    return shown(f"{speed.why}: {speed.predicted:.1f}x ({comes_to}){later}")


def _memory(outcome: Outcome) -> str | None:
    """What a full micro-batch takes of a GPU, and what it would take in BF16."""
    from fp8check.rules.outcome.memory import OF_H200, predict_memory  # only where the outcome is shown

    try:
        found = predict_memory(outcome.run, outcome)
    except Undecided:  # what it hangs on is filled in later
        return None
    if found is None or found.fp8_gib is None:
        return None
    there = "" if found.gpu_gib is None else f" of {found.gpu_gib:,.0f}"
    beyond = f"; an H200 has {OF_H200:.0f}" if found.gpu_gib is None and found.fp8_gib > OF_H200 else ""
    return f"at most {found.fp8_gib:,.0f}{there} GiB a GPU; {found.bf16_gib:,.0f} in BF16{beyond}"


def memory_lacks(outcome: Outcome) -> str | None:
    """What of a run that starts would have to be known for its memory."""
    from fp8check.rules.outcome.memory import what_memory_lacks  # as above

    lacks = what_memory_lacks(outcome.run, outcome)
    return None if lacks is None else shown(lacks)


def _probe(examined: Examined) -> str | None:
    if examined.inputs.seen is None:
        return None
    from fp8check.rules.report.seen import summary as seen  # most reports have none

    return shown(seen(examined.inputs.seen))
