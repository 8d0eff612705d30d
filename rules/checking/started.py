"""What the launch command says of the machine that the run gets, and whether it is known what it starts."""

from __future__ import annotations

from fp8check.rules.settings.launch import HERE, is_several
from fp8check.rules.settings.values import FILLED_IN
from fp8check.rules.trainers.run import Unread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.facts import Facts
    from fp8check.rules.settings.launch import Launch

# What would tell what a launch is.
_SAID = "the launch command as it is run, or accelerate, torchrun or python and what they start"
_ANOTHER = "fp8check --facts with the facts.json that `fp8check env --json` prints there"


def unknown_launch(launch: Launch) -> Unread | None:
    """What is lacking where it is not known what the command starts; None where it is."""
    if not launch.unknown:
        return None
    return Unread("launch", "the launch command", launch.unknown, None, _SAID)


def unknown_arguments(launch: Launch) -> Iterator[Unread]:
    """Arguments of the program that may be several words, or none: any setting of the training may be among them.

    And what the launcher itself changes of the training: deepspeed --autotuning starts it many times, each with a file
    of other stages, buffers and micro-batches than the one that is named.
    """
    if launch.tool == "deepspeed" and "autotuning" in launch.flags:
        why = "deepspeed --autotuning starts many runs, each with a DeepSpeed file of its own"
        yield Unread("deepspeed", "the launch command", why, None, "fp8check on the file that it finds", decides=True)
    before = ""
    for word in launch.arguments:
        if is_several(word) and not before.startswith("--"):
            reason = "" if launch.line is None else launch.line.why(word)
            why = f"what {word} stands for is not known{reason}: any flag of the training may be in it"
            yield Unread("training", "the launch command", why, None, FILLED_IN, decides=True)
        before = word


def facts_of_launch(launch: Launch, facts: Facts) -> Facts:
    """The facts as they are for the command: its variables are set, and what its wrappers hide is not known.

    Facts that were loaded from a file are those of the machine that trains, whatever stands around the command there:
    that is what the file was saved for. What was found here holds for what is started here.
    """
    around = launch.surroundings
    if around != HERE:
        facts = _without_variables(launch, facts)
        if facts.source == "machine":
            facts = _elsewhere(launch, facts)
    return facts.with_variables(launch.variables) if launch.variables else facts


def _without_variables(launch: Launch, facts: Facts) -> Facts:
    around, variables = launch.surroundings, facts.variables
    if around.clears:
        variables = {}
    if variables and around.unset:
        variables = {name: value for name, value in variables.items() if name not in around.unset}
    if around.hides and facts.source == "machine":
        return facts._replace(variables=None, unseen=around.hides)
    return facts._replace(variables=variables)


def _elsewhere(launch: Launch, facts: Facts) -> Facts:
    around = launch.surroundings
    if around.environment:
        note = f"{around.environment} has packages of its own, which nobody looked at here: {_ANOTHER}"
        facts = facts.without_environment(note)._replace(python=None)
    inside = "SLURM_JOB_ID" in (facts.variables or {})  # of an allocation, whose node this is
    if around.machine and not inside:
        note = f"{around.machine} starts it on another machine: {_ANOTHER}"
        facts = facts._replace(gpus=None, driver=None, notes=(*facts.notes, note))
    if around.gpus:
        note = f"{around.gpus} may see no GPU"
        facts = facts._replace(gpus=None, notes=(*facts.notes, note))
    return facts
