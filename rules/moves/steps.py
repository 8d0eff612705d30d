"""What a training step does beside its layers: checkpointing, compiling, and how many tokens it has."""

from __future__ import annotations

from fp8check.rules.moves.site import known_number, known_setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.edits.action import Action
    from fp8check.rules.moves.site import Site

# Tokens of a batch that Transformer Engine's GEMMs divide by on every GPU.
_TOKENS = 16
_SUMMED = "gradient_accumulation_steps"


def checkpointing_off(site: Site) -> Iterator[Action]:
    """Gradient checkpointing off, in the words of the trainer."""
    setting = known_setting(lambda: site.outcome.effective.checkpointing)
    if setting is None or setting.is_later:
        return
    key, _ = off = site.trainer.checkpointing_off
    by_trainer = "gradient_checkpointing"
    also = site.without(by_trainer) if key != by_trainer and site.trainer.on(by_trainer) else []
    yield from site.switched([*site.in_training(off), *also])


def head_called(site: Site) -> Iterator[Action]:
    """A loss that calls the head as any other layer, instead of taking its weight."""
    if site.trainer.calling_head is not None:
        yield from site.act(site.in_training(site.trainer.calling_head))


def checkpointing_on(site: Site) -> Iterator[Action]:
    """Gradient checkpointing on, which takes less memory, in the words of the trainer."""
    if known_setting(lambda: site.outcome.effective.checkpointing) is not None:
        return
    key, off = site.trainer.checkpointing_off
    yield from site.act(site.in_training((key, not off)))


def compiled(site: Site) -> Iterator[Action]:
    """torch.compile on where it is off, and off where it is on."""
    setting = known_setting(lambda: site.outcome.effective.compiled)
    yield from site.act(site.in_training(("torch_compile", setting is None)))


def tokens(site: Site) -> Iterator[Action]:
    """A number of tokens in a batch that FP8 kernels take: padding, whole batches only, or another micro-batch."""
    trainer = site.trainer
    padding = trainer.padding_key(site.stack, site.run.launch, site.run.script)
    if padding is not None:
        yield from site.act(site.in_training((padding, _TOKENS)))
    if trainer.is_huggingface:
        yield from site.act(site.in_training(("dataloader_drop_last", True)))
    batch = known_number(lambda: trainer.size("micro_batch"))
    if trainer.micro_batch_key is not None and batch is not None and 0 < batch < _TOKENS:
        larger = next(number for number in (2, 4, 8, _TOKENS) if number > batch)
        summed = trainer.top.value(_SUMMED)
        times, rest = divmod(larger, batch)
        # A batch stays what it is, where the steps that are added up can be fewer.
        fewer = not rest and isinstance(summed, int) and summed > 1 and summed % times == 0
        less = [(_SUMMED, summed // times)] if fewer and isinstance(summed, int) else []
        yield from site.act(site.in_training((trainer.micro_batch_key, larger), *less))


def fewer_tokens(site: Site) -> Iterator[Action]:
    """Half of the micro-batch, with twice the steps that are added up: a batch stays what it is."""
    trainer = site.trainer
    batch = known_number(lambda: trainer.size("micro_batch"))
    if trainer.micro_batch_key is None or batch is None or batch < 2 or batch % 2:
        return
    summed = trainer.top.value(_SUMMED, 1)
    twice = [(_SUMMED, 2 * summed)] if isinstance(summed, int) else []
    yield from site.act(site.in_training((trainer.micro_batch_key, batch // 2), *twice))
