"""Which moves may answer what: a rule's finding, a predicted error, or a part of the goal that is not reached.

What is listed is tried in that order, and judged like everything else: a move that does not help costs time and nothing
more. What a rule's own fix does comes before these.
"""

from __future__ import annotations

from fp8check.rules.moves import accelerators, backends, entries, launching, precision, stacks, steps, strategies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.moves.site import Move

    Moves = tuple[Move, ...]

_PRECISION: Moves = (
    precision.flags_off,
    launching.own_words_off,
    launching.words_for_script_off,
    precision.trainer_fp8_off,
    precision.accelerate_fp8,
    precision.flags_bf16,
    precision.trainer_fp8_on,
    accelerators.precision,
)
_LAUNCH: Moves = (
    launching.with_the_file,
    launching.flags_off,
    launching.flags_right,
    launching.words_for_script_off,
    launching.variables_unset,
)
_BACKEND: Moves = (
    backends.other_backend,
    backends.gather_off,
    backends.told_backend,
    accelerators.backend,
    accelerators.refused_gone,
    precision.new_accelerate_file,
)
_STEP: Moves = (steps.checkpointing_off, strategies.fsdp_in_file)
_STACK: Moves = (stacks.upgrades, stacks.downgrades)
_SHARDED: Moves = (strategies.loading_off, strategies.other_strategy)
# A file that the command passes by may be the one that shards the run.
_SMALLER: Moves = (steps.fewer_tokens, launching.with_the_file, strategies.other_strategy, strategies.sharded_most)

# By the subject of a rule, its first digit, where nothing says more.
_BY_SUBJECT: Mapping[str, Moves] = {
    "FP1": (*_PRECISION, *_LAUNCH, *_STACK, strategies.other_strategy),
    "FP2": (*_BACKEND, *_PRECISION, *_LAUNCH, *_STACK),
    "FP3": (*_LAUNCH, launching.spreading_off, *_PRECISION, strategies.other_strategy, *_STACK),
    "FP4": (*_BACKEND, steps.tokens, *_SMALLER, *_STEP),
    "FP5": (*_STEP, *_BACKEND, *_SHARDED, precision.flags_bf16, *_LAUNCH, *_STACK),
    "FP6": (*_STACK, *_BACKEND, launching.variables_unset),
    "FP7": (*_BACKEND, *_LAUNCH, *_STACK),
    "FP8": (),
    "FP9": (),
}
_LEFT: Moves = (
    precision.everything_bf16,
    *_LAUNCH,
    launching.precision_told,
    accelerators.precision,
    accelerators.recipe_off,
)
_GPUS: Moves = (entries.processes, launching.spreading_off, *_LAUNCH, precision.accelerate_fp8)
# By a predicted error, a part of the goal (rules/repair/goal.py), or a rule of which more is known than its subject.
_BY_CODE: Mapping[str, Moves] = {
    "undecided": (
        *(launching.usual, precision.flags_said, accelerators.precision, stacks.absent, launching.with_the_file),
        launching.words_not_known_off,
        launching.module_off,
    ),
    "no FP8": (*_PRECISION, precision.everything_fp8, *_LAUNCH, *_BACKEND, *_STACK, launching.precision_told),
    "data-parallel": _GPUS,
    "replicas-refused": _GPUS,
    "FP343": _GPUS,
    "duplicate-gpu": _GPUS,
    "FP309": _GPUS,
    "FP310": (entries.on_gpu,),
    "frozen": (backends.gather_off, *_BACKEND, strategies.other_strategy),
    "backward": (*_STEP, *_BACKEND),
    "processes": (entries.processes, *_LAUNCH, strategies.other_strategy),
    "no BF16": _LEFT,
    "left": _LEFT,
    "checkpointing-not-reentrant": (*_STEP, *_BACKEND),
    "checkpointing-plain-function": (*_STEP, *_STACK),
    "fsdp-checkpointing": _STEP,
    "fsdp2-thaws-base": (backends.gather_off, strategies.other_strategy, *_BACKEND),
    "bias-of-head": (steps.head_called, *_BACKEND, *_STACK),
    "unknown-config-key": (entries.refused_gone, *_STACK),
    "unknown-training-key": (entries.renamed, entries.refused_gone, launching.words_gone, *_STACK),
    "value-not-taken": (entries.value_meant, entries.refused_gone),
    "value-refused": (entries.value_taken, entries.refused_gone, launching.flags_off),
    "settings-not-together": (entries.share_held_out, entries.refused_gone),
    **dict.fromkeys(("module-without-python", "script-is-no-program"), (launching.flags_off,)),
    "wrong-keyword": (entries.refused_gone,),
    "reporter-missing": (stacks.reporters, launching.flags_off),
    **dict.fromkeys(
        ("package-missing", "unknown-attention", "dynamo-twice"), (entries.refused_gone, launching.flags_off)
    ),
    **dict.fromkeys(("unknown-dynamo-backend", "dynamo-backend-not-text"), (entries.refused_gone, launching.flags_off)),
    "accumulation-twice": (entries.refused_gone,),
    "unknown-compute-environment": (entries.local_machine,),
    **dict.fromkeys(
        ("override-too-short", "override-not-subscriptable", "override-not-strippable"), (entries.refused_gone,)
    ),
    "FP338": (launching.words_gone, launching.flags_off),
    "processes-not-given": (entries.processes, strategies.other_strategy),
    "te-without-fp8-module": (*_STACK, stacks.fitting_te, *_BACKEND),
    "torchao-breaks": (stacks.fitting_torchao, *_BACKEND),
    "FP608": (stacks.fitting_torchao, *_BACKEND),
    "deepspeed-without-launcher": (strategies.other_strategy, *_LAUNCH),
    "launcher-without-deepspeed": (stacks.deepspeed, strategies.other_strategy),
    "trainer-without-deepspeed": (stacks.deepspeed, strategies.other_strategy),
    "unknown-launcher-flag": (entries.renamed, entries.refused_gone, launching.flags_off),
    "command-refuses-flag": (entries.refused_gone, launching.flags_off),
    "accelerate-config-twice": (entries.refused_gone, launching.with_the_file),
    "accelerate-config-by-equals": (launching.with_a_blank, launching.with_the_file),
    "accelerate-config-null": (entries.refused_gone, launching.with_the_file),
    "command-is-no-script": (launching.file_told, *_LAUNCH),
    "ambiguous-flag": (launching.flag_whole, launching.words_gone),
    "script-refuses-words": (launching.words_gone, launching.flags_off),
    "FP318": (entries.refused_gone, launching.flags_off),
    **dict.fromkeys(
        ("fsdp-setting-refused", "fsdp-class-not-found"),
        (strategies.refused_gone, launching.flags_off, strategies.other_strategy),
    ),
    "fsdp-loads-unsynced": (strategies.loading_off,),
    "deepspeed-values-differ": (strategies.values_auto, strategies.other_strategy),
    "settings-beside-deepspeed-file": (strategies.section_gone, strategies.other_strategy),
    "axolotl-fsdp-without-config": (entries.refused_gone, strategies.other_strategy),
    "adapters-not-causal": (entries.rewarding,),
    "scheduler-without-rate": (entries.lowest_rate, entries.refused_gone),
    "script-without-deepspeed": (stacks.deepspeed, *_LAUNCH),
    "te-around-compiled": _BACKEND,
    "optimizer-without-state": (entries.refused_gone, *_BACKEND),
    "te-traced": (steps.compiled, *_BACKEND),
    "nothing-to-evaluate": (entries.refused_gone, launching.flags_off),
    "rewards-checkpointed-under-ddp": (*_STEP, strategies.other_strategy),
    "machines-without-first": (),
    "adapters-find-nothing": (entries.targets_by_end,),
    "adapters-on-head": (entries.head_left_out,),
    "adapters-without-alpha": (entries.alpha_told,),
    "rank-not-positive": (entries.rank_told,),
    "accumulates-nothing": (entries.refused_gone,),
    "batch-size-not-positive": (entries.value_taken, entries.refused_gone),
    "batch-without-columns": (entries.columns_kept,),
    "backend-without-group": (entries.refused_gone, launching.flags_off, strategies.other_strategy),
    "fsdp2-shards-a-list": (strategies.by_layer, strategies.other_strategy),
    "fsdp-not-distributed": (entries.refused_gone, strategies.other_strategy),
    "FP302": (entries.refused_gone, *_STACK),
    "FP214": (entries.refused_gone, *_STACK),
    "FP328": (entries.processes,),
    "deepspeed-bf16-mismatch": (precision.flags_bf16, strategies.other_strategy),
    "torchao-ram-efficient-loading": (*_SHARDED, *_BACKEND),
    "msamp-not-found": _BACKEND,
    "msamp-with-fsdp": (*_BACKEND, strategies.other_strategy),
    "torchao-handler-dropped": (*_PRECISION, *_BACKEND, strategies.other_strategy),
    "torchao-without-fsdp": (*_BACKEND, *_SHARDED),
    "fsdp1-swapped-weights": (strategies.other_strategy, *_BACKEND),
    "fsdp2-empties-optimizer": (*_BACKEND, strategies.other_strategy, *_STACK),
    "zero3-gathers-nothing": (strategies.gathered, *_BACKEND, strategies.other_strategy),
    "fsdp2-loads-te-state": (*_BACKEND, strategies.other_strategy),
    "fsdp2-model-alone": (*_STACK, strategies.other_strategy),
    "te-model-alone": (*_BACKEND, strategies.other_strategy, *_STACK),
    "deepspeed-swapped-weights": (*_BACKEND, strategies.other_strategy),
    "tokens-not-by-8": (steps.tokens, *_BACKEND),
    "tokens-not-by-16": (steps.tokens, *_BACKEND),
    "memory": (*_SMALLER, *_BACKEND, steps.checkpointing_on, precision.new_sharded_file),
    "out-of-memory": (*_SMALLER, *_STEP),
    "FP414": (*_SMALLER, *_BACKEND, steps.checkpointing_on),
    **dict.fromkeys(
        ("axolotl-zero3-without-its-file", "axolotl-wraps-two-dtypes", "llamafactory-deepspeed-alone"),
        (strategies.other_strategy, *_LAUNCH),
    ),
    "axolotl-refuses-gpu": (precision.trainer_fp8_off, precision.everything_fp8),
    "FP712": (precision.trainer_fp8_off, precision.everything_fp8),
    "FP403": _BACKEND,
    "FP205": (*_PRECISION, *_LAUNCH, *_BACKEND, strategies.other_strategy),
    "FP501": (*_STEP, *_BACKEND),
    "FP518": (backends.gather_off, *_BACKEND, *_SHARDED),
    "FP551": (strategies.fsdp_said_twice, strategies.other_strategy),
    "FP520": (steps.compiled, *_BACKEND, strategies.other_strategy),
}
# What nothing in this folder answers: the machine or the model would have to be another one.
FORBIDDING = frozenset(("FP408", "FP411", "FP412", "FP504", "FP620", "FP701", "FP704", "FP706"))
# Warnings that a good run has not: the recipe that was asked for is not the one that runs. Their own fix comes first.
NOT_AS_ASKED: Mapping[str, Moves] = {"FP202": (entries.unread_gone,), "FP203": (), "FP211": ()}
# Warnings that a plan takes along, where it changes something anyway.
TAKEN_ALONG: Mapping[str, Moves] = {
    "FP406": (steps.tokens,),
    "FP416": (steps.tokens,),
    "FP518": (steps.compiled,),
    "FP550": (backends.gather_off,),
}
# What answers whatever is wrong with earlier releases alone, where nobody said which are there.
RELEASED_SINCE: Moves = (stacks.upgrades,)
# Moves whose entries are one change, of which none is taken back alone: a name goes, another comes.
RENAMING: Moves = (entries.renamed,)
# What answers whatever is wrong on the way to BF16: what is of FP8 is in the way there.
AT_ONCE: Moves = (launching.default_overruled, precision.everything_bf16)
# What may pay more in a run that is good already.
CHOICES: Moves = (backends.other_backend, steps.compiled, strategies.other_strategy)


# What may be done with a good run whose files cannot be written as they would be: none is known by what is left of it.
KNOWN_BY: Moves = (precision.flag_named,)


# All that may be done where answering one problem after the other leads nowhere.
EVERY: Moves = (
    precision.everything_bf16,
    precision.everything_fp8,
    *_PRECISION,
    *_LAUNCH,
    *_BACKEND,
    *_STEP,
    *_STACK,
    launching.precision_told,
    strategies.other_strategy,
)


def moves_for(code: str) -> Moves:
    """The moves that may answer a rule (by its id), a predicted error (by its code) or a part of the goal."""
    known = _BY_CODE.get(code)
    return known if known is not None else _BY_SUBJECT.get(code[:3], ())
