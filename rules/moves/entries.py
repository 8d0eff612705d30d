"""Entries that end the run by themselves: what is refused goes, what has to be said is said."""

from __future__ import annotations

import re

from fp8check.rules.edits.action import ABSENT, Action, Assign
from fp8check.rules.moves import launching
from fp8check.rules.moves.site import known_setting
from fp8check.rules.outcome.processes import off_gpus
from fp8check.rules.releases.accelerate_keys import WIZARD_KEYS
from fp8check.rules.settings.values import number_meant
from fp8check.rules.trainers.huggingface import OFF_GPUS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from fp8check.rules.moves.site import Site
    from fp8check.rules.reading import Span
    from fp8check.rules.settings.values import Section, Setting


# Trainers that pad by what their keywords are given, and do otherwise without.
_PADDING = ("Trainer", "Seq2SeqTrainer")


def renamed(site: Site) -> Iterator[Action]:
    """Keywords that a trainer's class has no more, by the names that they have now: what was chosen with them stays."""
    from fp8check.rules.releases.training_arguments import MEANT  # as below

    changes = [
        [*(site.write(setting, ABSENT) or site.without(name)), *site.in_training((MEANT[name], setting.value))]
        for name, setting in _meant(site)
    ]
    yield from site.act(*changes)


def _meant(site: Site) -> list[tuple[str, Setting]]:
    """The keywords that end the run as their class has them no more, and that have another name now, by their names."""
    from fp8check.rules.releases.training_arguments import MEANT  # few runs have such a keyword

    error = site.outcome.error
    places = {setting.origin.span for setting in error.because} if error is not None else set()
    top = site.trainer.top
    return [
        (name, setting)
        for name, setting in top.settings(MEANT)
        if setting.origin.span is not None and setting.origin.span in places and MEANT[name] not in top
    ] + [
        (name, setting)
        for call in site.run.script.arguments
        for name, setting in call.keywords.items()
        if setting.origin.span in places and name in MEANT and MEANT[name] not in call.keywords
    ]


def targets_by_end(site: Site) -> Iterator[Action]:
    """Which layers get adapters, by names at the end of whole names; all layers, where none has such a name."""
    from fp8check.rules.trainers.adapters import misses  # few runs end so

    error, model = site.outcome.error, site.run.model
    written = None if error is None else site.trainer.get(error.flag)
    value = None if written is None else written.value
    text = value[0] if isinstance(value, list) and len(value) == 1 else value
    names = [name for name in re.split(r"[,\s]+", text) if name] if isinstance(text, str) else []
    if written is None or not names or (model is not None and misses(model, names)):
        yield from site.act(site.in_training(site.trainer.all_linears))
    else:
        yield from site.act(_named(site, written, names))


def head_left_out(site: Site) -> Iterator[Action]:
    """Adapters on what was named but the head; on all layers, where that was all."""
    error = site.outcome.error
    for setting in error.because if error is not None else ():
        left = [name for name in setting.value if name != "lm_head"] if isinstance(setting.value, list) else []
        yield from site.act(_named(site, setting, left) if left else site.in_training(site.trainer.all_linears))


def _named(site: Site, written: Setting, names: list[str]) -> list[Assign]:
    """Adapters on these layers. Of one name ModelConfig makes a text, which is a pattern for whole names."""
    pattern = f".*{names[0]}" if len(names) == 1 else f".*({'|'.join(names)})"
    if written.origin.flag is not None:
        return site.write(written, pattern)
    value = names if len(names) > 1 else pattern
    return site.write(written, value) or site.in_training((site.trainer.targets_key, value))


def rank_told(site: Site) -> Iterator[Action]:
    """A rank that layers in FP8 take: a multiple of 16."""
    yield from site.act(site.in_training((site.trainer.rank_key, 16)))


def alpha_told(site: Site) -> Iterator[Action]:
    """Twice the rank, as LLaMA-Factory has it where nobody says."""
    yield from site.act(site.in_training(("lora_alpha", 2 * (site.trainer.lora_rank or 16))))


def local_machine(site: Site) -> Iterator[Action]:
    """The machine that the command is given on, as the questionnaire of Accelerate calls it."""
    if site.accelerate is not None:
        yield from site.act([Assign(site.accelerate, ("compute_environment",), "LOCAL_MACHINE")])


def columns_kept(site: Site) -> Iterator[Action]:
    """A Trainer that leaves the columns of a batch as they are."""
    yield from site.act(site.in_training(("remove_unused_columns", False)))


def share_held_out(site: Site) -> Iterator[Action]:
    """A tenth of the data to evaluate on, where LLaMA-Factory asks for something to evaluate."""
    error = site.outcome.error
    if error is not None and "val_size >" in error.message:
        yield from site.act(site.in_training(("val_size", 0.1)))


def rewarding(site: Site) -> Iterator[Action]:
    """Adapters for the task of a reward model."""
    yield from site.act(site.in_training(("lora_task_type", "SEQ_CLS")))


def lowest_rate(site: Site) -> Iterator[Action]:
    """The rate that a scheduler wants to be told, as a tenth of the highest."""
    yield from site.act(site.in_training(("lr_scheduler_kwargs", {"min_lr_rate": 0.1})))


def value_meant(site: Site) -> Iterator[Action]:
    """The choice that was evidently meant, in the place of one that an argument does not have; `no` without quotes."""
    from fp8check.rules.releases.argument_values import CHOICES  # few runs have such a value
    from fp8check.rules.releases.similar import nearest

    error = site.outcome.error
    if error is None or error.flag not in CHOICES:
        return
    for setting in error.because:
        choices = CHOICES[error.flag].values
        word = str(setting.origin.flag).split()[-1].rpartition("=")[2] if setting.origin.flag else str(setting.value)
        meant = "no" if setting.value is False and "no" in choices else nearest(word.lower(), choices)
        if meant is not None:
            written = site.write(setting, meant)
            yield from site.act(written or site.in_training((error.flag, meant)))


# What goes with an argument that is refused without it, in the place of the one that cannot be.
_GOES_WITH: Mapping[str, tuple[str, object]] = {
    **dict.fromkeys(
        ("dataloader_prefetch_factor", "dataloader_persistent_workers", "dataloader_multiprocessing_context"),
        ("dataloader_num_workers", 1),
    ),
    "logging_steps": ("logging_strategy", "no"),
    "lr_scheduler_kwargs": ("lr_scheduler_type", "cosine_with_min_lr"),
}


def value_taken(site: Site) -> Iterator[Action]:
    """The value that was evidently meant, in a form that is taken; or what has to be said beside it."""
    error = site.outcome.error
    if error is None or not error.flag:
        return
    for setting in error.because:
        meant = _as_taken(setting.value)
        if meant is not None:
            written = site.write(setting, meant)
            yield from site.act(written or site.in_training((error.flag, meant)))
    evaluates = known_setting(lambda: site.trainer.get("eval_strategy"))
    if error.flag == "load_best_model_at_end" and evaluates is not None and evaluates.value in ("steps", "epoch"):
        yield from site.act(site.in_training(("save_strategy", evaluates.value)))
    if error.flag in _GOES_WITH:
        yield from site.act(site.in_training(_GOES_WITH[error.flag]))


def _as_taken(value: object) -> object:
    """A number that was written as a text, a whole one with a dot, a word in capitals, words of a list; None: none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return None
    number = number_meant(value)
    if number is not None:
        return number
    words = [word for word in re.split(r"[,\s]+", value) if word]
    if len(words) > 1:
        return words
    return value.lower() if value != value.lower() else None


def refused_gone(site: Site) -> Iterator[Action]:
    """Keys that a loader does not know, all of them gone; what has another name now is renamed."""
    if _meant(site):
        return
    error = site.outcome.error
    because, flag = (error.because, error.flag) if error is not None else ((), "")
    refused = {setting.origin.span for setting in because if setting.origin.span is not None}
    elsewhere = [
        setting
        for setting in because
        if (setting.origin.span is None or setting.origin.span.file not in _paths(site))
        and setting.origin.code not in _PADDING
    ]
    yield from site.act(*(site.write(setting, ABSENT) for setting in elsewhere))
    config = site.run.accelerate
    files = ((site.training, site.trainer.top), (site.accelerate, config.top if config is not None else None))
    for file, top in files:
        if file is None or top is None:
            continue
        names = [name for name, setting in top.settings() if setting.origin.span in refused or name == flag]
        paths: list[tuple[str, ...]] = [(name,) for name in names]
        paths = paths or [path for name in top for path in _within(top, name, refused)]
        yield from site.act(Assign(file, path, ABSENT) for path in paths)


def _within(top: Section, name: str, refused: Collection[Span]) -> list[tuple[str, ...]]:
    """What of a section of a file is refused: all of it, where nothing else would be left."""
    section = top.section(name)
    inner = [key for key, setting in section.settings() if setting.origin.span in refused]
    return [(name,)] if inner and len(inner) == len([*section]) else [(name, key) for key in inner]


def _paths(site: Site) -> tuple[str | None, str | None]:
    return site.training, site.accelerate


def processes(site: Site) -> Iterator[Action]:
    """How many processes there are, where nobody says it, or the command said otherwise: else one a GPU."""
    number = site.wanted or len(site.run.visible_gpus() or ())
    config = site.run.accelerate
    if not number:
        return
    command = launching.with_processes(site, number)
    if command is not None:
        yield Action(site.why, launch=command)
    if config is None:
        return
    kind = known_setting(lambda: config.distributed_type)
    alone = kind is None or kind.is_later or kind.value in ("NO", False)
    spread: list[tuple[tuple[str, ...], object]] = (
        [(("distributed_type",), "MULTI_GPU")] if alone and number > 1 else []
    )
    machines = [] if "num_machines" in config.top else [(("num_machines",), 1)]
    yield from site.act(site.in_accelerate((("num_processes",), number), *machines, *spread))


def unread_gone(site: Site) -> Iterator[Action]:
    """Options of FP8 that nobody reads gone from the Accelerate file: what runs then is what it says."""
    config = site.run.accelerate
    names = [name for name in config.fp8 if name in WIZARD_KEYS] if config is not None else []
    yield from site.act(site.in_accelerate(*((("fp8_config", name), ABSENT) for name in names)))


def on_gpu(site: Site) -> Iterator[Action]:
    """The GPU, where the file or the command says that the CPU trains."""
    config = site.run.accelerate
    command = launching.without_flag(site.command, "--cpu")
    entries: list[tuple[tuple[str, ...], object]] = []
    if config is not None and config.top.value("use_cpu"):
        entries.append((("use_cpu",), False))
    kind = known_setting(lambda: config.distributed_type if config is not None else None)
    if kind is not None and kind.value == "MULTI_CPU":
        entries.append((("distributed_type",), "NO" if site.processes == 1 else "MULTI_GPU"))
    if entries or command is not None:
        yield from site.act(site.in_accelerate(*entries), launch=command)
        return
    kept = known_setting(lambda: off_gpus(site.run))
    named = [(name, False) for name in sorted(OFF_GPUS) if name in site.trainer.top]
    yield from site.switched(site.write(kept, False) or site.in_training(*named))
