"""What computes in what: the trainer's flags, the trainer's own FP8, and the precision of the Accelerate file."""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT, Action
from fp8check.rules.moves import launching
from fp8check.rules.moves.site import known_setting, without_words
from fp8check.rules.moves.strategies import new_file, new_files_in_bf16

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.edits.action import Assign
    from fp8check.rules.moves.site import Site

_FLAGS = ("bf16", "fp16")


def flags_off(site: Site) -> Iterator[Action]:
    """The trainer's own precision flags off: what Accelerate has from elsewhere then counts."""
    yield from _with_flags(site, {"bf16": False, "fp16": False})


def flags_bf16(site: Site) -> Iterator[Action]:
    """BF16 by the trainer's flag: what DeepSpeed and a run in BF16 need."""
    yield from _with_flags(site, {"bf16": True, "fp16": False})


def _with_flags(site: Site, wanted: dict[str, bool]) -> Iterator[Action]:
    """The flags as wanted."""
    effective = site.outcome.effective
    assigns: list[Assign] = []
    for name, setting in (
        ("bf16", known_setting(lambda: effective.bf16)),
        ("fp16", known_setting(lambda: effective.fp16)),
    ):
        if setting is not None and not setting.is_later and setting.value is not wanted[name]:
            assigns += site.in_training((name, wanted[name]))
    yield from site.switched(assigns)


def flag_named(site: Site) -> Iterator[Action]:
    """The trainer's flag for BF16 as the goal has it, where nobody says it: by it a file is known for what it is."""
    if "bf16" not in site.trainer.top:
        yield from site.act(site.in_training(("bf16", site.goal == "bf16")))


def flags_said(site: Site) -> Iterator[Action]:
    """Flags of which nobody knows yet what they are, in the words of a script: what the goal needs."""
    wanted = {"bf16": site.goal == "bf16", "fp16": False}
    unknown = [(name, one) for name in wanted if (one := site.trainer.top.get(name)) is not None and one.is_later]
    yield from site.act(*(site.write(setting, wanted[name]) for name, setting in unknown))


def trainer_fp8_off(site: Site) -> Iterator[Action]:
    """The trainer's own FP8 keys gone: FP8 then is Accelerate's. Or its options alone, and not what switches it on."""
    yield from site.act(site.without(*site.trainer.fp8_keys))
    if site.trainer.on("fp8"):
        if site.goal == "bf16":  # a file may be known by that key alone for what it is
            yield from site.act(site.in_training(("fp8", False)))
        yield from site.act(site.without(*(key for key in site.trainer.fp8_keys if key != "fp8")))


def trainer_fp8_on(site: Site) -> Iterator[Action]:
    """FP8 by the trainer's own key, where it has one."""
    if "fp8" not in site.trainer.fp8_keys:
        return
    yield from site.act(site.in_training(("fp8", True)))
    for chosen in (site.trainer.te_by, site.trainer.torchao_by):
        key, _, value = chosen.partition(": ")
        if key and site.trainer.top.value(key) != value:
            yield from site.act(site.in_training(("fp8", True), (key, value)))


def accelerate_fp8(site: Site) -> Iterator[Action]:
    """FP8 by the Accelerate file, with a backend; a new file where there is none."""
    config = site.run.accelerate
    if site.accelerate is None or config is None:
        yield from new_accelerate_file(site)
        return
    named = [(("fp8_config", "backend"), _backend(site))] if known_setting(lambda: config.backend) is None else []
    yield from site.act(site.in_accelerate((("mixed_precision",), "fp8"), *named))


def _backend(site: Site) -> str:
    """The backend to name where nobody names one: the one that is installed."""
    return "AO" if site.stack.has("transformer_engine") is False and site.stack.has("torchao") else "TE"


def new_accelerate_file(site: Site) -> Iterator[Action]:
    """The first Accelerate file, where there is none, and the command that reads it.

    The trainer's flags and own FP8 step aside.
    """
    named = None if site.run.accelerate is not None else launching.named(site, site.new_file)
    if named is None:
        return
    entry, command = named
    flags = without_words(site.in_training(*((name, False) for name in _FLAGS if site.trainer.on(name))))
    own = site.without(*site.trainer.fp8_keys)
    for backend in ("TE", "AO"):
        yield from site.act(new_file(site, backend), entry, flags, own, launch=command, backend=backend)


def new_sharded_file(site: Site) -> Iterator[Action]:
    """The first Accelerate file of a run in BF16 that is too large for each GPU: by FSDP2, or by ZeRO-2."""
    processes = site.processes or 1
    if site.goal != "bf16" or site.run.accelerate is not None or processes < 2:
        return
    named = launching.named(site, site.new_file)
    if named is None:
        return
    entry, command = named
    for assigns in new_files_in_bf16(site, processes):
        yield from site.act(assigns, entry, launch=command)


def accelerate_bf16(site: Site) -> Iterator[Action]:
    """BF16 by the Accelerate file, and what is for FP8 alone gone from it."""
    config = site.run.accelerate
    if config is None:
        return
    gone = [(("fp8_config",), ABSENT)] if "fp8_config" in config.top else []
    yield from site.act(site.in_accelerate((("mixed_precision",), "bf16"), *gone))


def everything_fp8(site: Site) -> Iterator[Action]:
    """FP8 by the Accelerate file and by nothing else, in one step: the trainer's flags and own FP8 step aside."""
    config = site.run.accelerate
    if site.goal != "fp8" or config is None:
        return
    for flags in ([*_with_flags(site, {"bf16": False, "fp16": False})] or [Action(site.why)])[:1]:
        for file in accelerate_fp8(site):
            yield from site.act(flags.assigns, site.without(*site.trainer.fp8_keys), file.assigns, launch=flags.launch)


def everything_bf16(site: Site) -> Iterator[Action]:
    """All that asks for FP8 gone, in one step; only where BF16 is the goal."""
    if site.goal != "bf16":
        return
    for flags in ([*_with_flags(site, {"bf16": True, "fp16": False})] or [Action(site.why)])[:1]:
        keys = dict.fromkeys((*site.trainer.fp8_keys, "fp8"))  # where a trainer has no such key, too
        if site.trainer.hands_on("mixed_precision"):
            keys["mixed_precision"] = None  # which TRL's command gives to accelerate launch
        rest = [assign for action in accelerate_bf16(site) for assign in action.assigns]
        yield from site.act(flags.assigns, site.without(*keys), rest, launch=flags.launch)
        if flags.assigns:  # where no flag can be set, the file's precision counts
            yield from site.act(site.without(*keys), rest)
        if site.trainer.on("fp8"):  # a file may be known by that key alone for what it is
            others = site.without(*(key for key in keys if key != "fp8"))
            yield from site.act(flags.assigns, site.in_training(("fp8", False)), others, rest, launch=flags.launch)
