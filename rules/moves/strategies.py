"""How the run is spread over GPUs, as the Accelerate file says it; and the first such file."""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT, Assign
from fp8check.rules.moves.site import known_number, known_setting
from fp8check.rules.outcome.prepare import loads_in_shards
from fp8check.rules.record import Record
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.versions import NEWEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.edits.action import Action
    from fp8check.rules.moves.site import Site
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.launch import Launch

# What cpu_ram_efficient_loading has to be for torchao, and may be for the other one.
_FSDP2: Mapping[str, object] = {
    "fsdp_version": 2,
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_reshard_after_forward": True,
    "fsdp_cpu_ram_efficient_loading": False,
    "fsdp_state_dict_type": "SHARDED_STATE_DICT",
}
_ZERO2: Mapping[str, object] = {
    "zero_stage": 2,
    "offload_optimizer_device": "none",
    "offload_param_device": "none",
    "gradient_accumulation_steps": "auto",
}
SECTIONS = ("fsdp_config", "deepspeed_config", "megatron_lm_config", "parallelism_config")


class Strategy(Record):
    """One way to spread a run.

    Attributes:
        kind: distributed_type.
        section: its settings in the Accelerate file, by the name of their section; "" where it has none.
        alone: whether it is for one process; the others are for several.
    """

    kind: str
    section: str = ""
    settings: Mapping[str, object] = {}
    alone: bool = False


STRATEGIES = (
    Strategy("NO", alone=True),
    Strategy("MULTI_GPU"),
    Strategy("FSDP", "fsdp_config", _FSDP2),
    Strategy("DEEPSPEED", "deepspeed_config", _ZERO2),
)

SHARDING = frozenset(strategy.kind for strategy in STRATEGIES if strategy.section)


# Whole weights can be saved: else a script's get_state_dict() raises ValueError. zero3_init_flag is for who loads a
# model in shards.
_ZERO3 = {**_ZERO2, "zero_stage": 3, "zero3_init_flag": False, "zero3_save_16bit_model": True}
ZERO3 = Strategy("DEEPSPEED", "deepspeed_config", _ZERO3)


def other_strategy(site: Site) -> Iterator[Action]:
    """Another way to spread the run over the same number of GPUs."""
    config, processes = site.run.accelerate, site.processes
    if processes == 1:  # the DeepSpeed that its training file names counts without an Accelerate file, and beside one
        yield from site.act(site.without(site.trainer.deepspeed_key))
    if config is None or site.accelerate is None or processes is None:
        return
    yield from _spread(site, config, processes, STRATEGIES)


def sharded_most(site: Site) -> Iterator[Action]:
    """Weights, gradients and optimizer over all GPUs by ZeRO-3, which takes least memory of each."""
    config, processes = site.run.accelerate, site.processes
    if config is None or processes is None or known_number(lambda: config.zero_stage) == 3:
        return
    yield from _spread(site, config, processes, (ZERO3,))


def _spread(site: Site, config: AccelerateConfig, processes: int, ways: tuple[Strategy, ...]) -> Iterator[Action]:
    for strategy in ways:
        if strategy.alone != (processes == 1) or (strategy is not ZERO3 and _is_there(site, strategy)):
            continue
        gone: list[tuple[tuple[str, ...], object]] = [
            ((name,), ABSENT) for name in SECTIONS if name in config.top and name != strategy.section
        ]
        own: list[tuple[tuple[str, ...], object]] = [(("distributed_type",), strategy.kind)]
        if strategy.section:
            gathers = {"zero3_init_flag": True} if strategy is ZERO3 and loads_in_shards(site.run) is not False else {}
            own.append(((strategy.section,), {**strategy.settings, **gathers, **_accumulation(site, strategy)}))
        trainer = site.trainer
        elsewhere = site.without(trainer.deepspeed_key, "fsdp", trainer.fsdp_key, "fsdp_version")
        for action in site.act(site.in_accelerate(*own, *gone), elsewhere):
            yield action._replace(packages=_lacking(site, strategy))


def _accumulation(site: Site, strategy: Strategy) -> dict[str, object]:
    """The steps in the place of "auto", of which only a Trainer makes a number: those of the script's Accelerator."""
    source = site.run.script.source
    maker = None if source is None else source.accelerator
    if strategy.kind != "DEEPSPEED" or site.trainer.is_huggingface or maker is None:
        return {}
    steps = maker.keywords.get("gradient_accumulation_steps")
    return {"gradient_accumulation_steps": steps.value if steps is not None and isinstance(steps.value, int) else 1}


def _lacking(site: Site, strategy: Strategy) -> dict[str, str]:
    """DeepSpeed in its newest release, where the run is to be spread by it and it is known to be absent."""
    absent = strategy.kind == "DEEPSPEED" and site.stack.has("deepspeed") is False
    return {"deepspeed": NEWEST["deepspeed"]} if absent else {}


def _is_there(site: Site, strategy: Strategy) -> bool:
    """Whether the run is spread that way already; FSDP counts in its second version only."""
    config = site.run.accelerate
    kind = known_setting(lambda: config.distributed_type if config is not None else None)
    if kind is None or kind.is_later or kind.value != strategy.kind:
        return False
    state = site.outcome.accelerator
    return strategy.kind != "FSDP" or state is None or state.is_fsdp2


def fsdp_in_file(site: Site) -> Iterator[Action]:
    """FSDP's checkpointing off, which ends what runs in Transformer Engine's layers."""
    config = site.run.accelerate
    written = known_setting(lambda: config.fsdp_checkpointing if config is not None else None)
    if written is not None and not written.is_later and written.value:
        yield from site.act(site.in_accelerate((("fsdp_config", "fsdp_activation_checkpointing"), False)))


def fsdp_said_twice(site: Site) -> Iterator[Action]:
    """FSDP in axolotl's own file as well, which it asks how to save the model; without a version it means the first."""
    state = site.outcome.accelerator
    if state is not None and site.training is not None:
        version = {"fsdp_version": 2} if state.is_fsdp2 else {}
        yield from site.act(site.in_training(("fsdp_config", {**version, "state_dict_type": "FULL_STATE_DICT"})))


def gathered(site: Site) -> Iterator[Action]:
    """ZeRO-3 with zero3_init_flag, by which Accelerate gathers a weight before it copies it."""
    config = site.run.accelerate
    if config is not None and "zero3_init_flag" in config.deepspeed:
        yield from site.act(site.in_accelerate((("deepspeed_config", "zero3_init_flag"), True)))


def refused_gone(site: Site) -> Iterator[Action]:
    """What FSDP refuses gone from fsdp_config, where it has a default."""
    config, error = site.run.accelerate, site.outcome.error
    if config is None or error is None:
        return
    refused = {setting.origin.span for setting in error.because if setting.origin.span is not None}
    names = [name for name, setting in config.fsdp.settings() if setting.origin.span in refused]
    yield from site.act(site.in_accelerate(*((("fsdp_config", name), ABSENT) for name in names)))


def values_auto(site: Site) -> Iterator[Action]:
    """Numbers of DeepSpeed's configuration left to the Trainer, which has its own for them."""
    error, config, file = site.outcome.error, site.run.accelerate, site.run.deepspeed
    differing = {setting.origin.span for setting in error.because} if error is not None else set()
    sections = [config.deepspeed] if config is not None else []
    sections += [file.top] if file is not None else []
    for section in sections:
        for _, setting in section.settings():
            if setting.origin.span is not None and setting.origin.span in differing:
                yield from site.act(site.write(setting, "auto"))


def section_gone(site: Site) -> Iterator[Action]:
    """What DeepSpeed's own file says gone from the Accelerate file, which may not say it as well."""
    from fp8check.rules.outcome.deepspeed_values import BESIDE_FILE  # few runs come here

    config = site.run.accelerate
    if config is None:
        return
    gone: list[tuple[tuple[str, ...], object]] = [
        (("deepspeed_config", name), ABSENT) for name in BESIDE_FILE if name in config.deepspeed
    ]
    precision: list[tuple[tuple[str, ...], object]] = (
        [(("mixed_precision",), ABSENT)] if config.mixed_precision is not None else []
    )
    yield from site.act(site.in_accelerate(*gone, *precision))


def by_layer(site: Site) -> Iterator[Action]:
    """FSDP that takes a decoder layer for one unit, whatever its size."""
    config = site.run.accelerate
    if config is not None and "fsdp_config" in config.top:
        wanted = ("fsdp_config", "fsdp_auto_wrap_policy"), "TRANSFORMER_BASED_WRAP"
        yield from site.act(site.in_accelerate(wanted, (("fsdp_config", "fsdp_min_num_params"), ABSENT)))


def loading_off(site: Site) -> Iterator[Action]:
    """FSDP's loading on one rank off, with which torchao's layers are empty on the others."""
    config = site.run.accelerate
    if config is not None and "fsdp_config" in config.top:
        yield from site.act(site.in_accelerate((("fsdp_config", "fsdp_cpu_ram_efficient_loading"), False)))


def new_file(site: Site, backend: str) -> Iterator[Assign]:
    """The entries of an Accelerate file that starts the run as it is started now, in FP8."""
    processes = site.processes or 1
    for key, value in entries(_as_now(site, processes), processes, backend, machines=site.machines).items():
        is_unread = key == "fp8_config" and not reads_gather(site.stack)
        yield Assign(site.new_file, (key,), {"backend": backend} if is_unread else value)


def kind_told(launch: Launch) -> str | None:
    """The kind of run that the launcher's own options ask for; None where they do not say."""
    names = (("use_deepspeed", "DEEPSPEED"), ("use_fsdp", "FSDP"), ("multi_gpu", "MULTI_GPU"))
    return next((kind for name, kind in names if launch.tool == "accelerate" and launch.flag(name) is True), None)


def _as_now(site: Site, processes: int) -> Strategy:
    """How the run is spread now, where its command says so; else as whoever says nothing has it."""
    if processes == 1:
        return STRATEGIES[0]
    shipped = site.run.shipped
    if shipped is not None and known_number(lambda: shipped.zero_stage) == ZERO3.settings["zero_stage"]:
        return ZERO3
    kind = kind_told(site.run.launch)
    if kind is None and shipped is not None:
        written = known_setting(lambda: shipped.distributed_type)
        kind = None if written is None else str(written.value)
    return next((one for one in STRATEGIES if one.kind == kind), STRATEGIES[1])


def new_files_in_bf16(site: Site, processes: int) -> Iterator[list[Assign]]:
    """The entries of an Accelerate file that shards a run in BF16, one way after the other; none for what is absent."""
    for strategy in STRATEGIES:
        if strategy.section and not _lacking(site, strategy):
            made = {**entries(strategy, processes, "", machines=site.machines), "mixed_precision": "bf16"}
            del made["fp8_config"]
            yield [Assign(site.new_file, (key,), value) for key, value in made.items()]


def reads_gather(stack: Stack) -> bool:
    """Whether the accelerate that is there reads whether torchao gathers weights in FP8; before, it is off."""
    return stack.does(Accelerate.TORCHAO_RECIPE_HAS_CONFIG)


def entries(
    strategy: Strategy, processes: int, backend: str, recipe: Mapping[str, object] = {}, machines: int = 1
) -> dict[str, object]:
    """The entries of a first Accelerate file, with torchao's all-gather off; `processes`: on all machines together."""
    gather = {"enable_fsdp_float8_all_gather": False} if backend == "AO" else {}
    made: dict[str, object] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": strategy.kind,
        "mixed_precision": "fp8",
        "fp8_config": {"backend": backend, **gather, **recipe},
        "num_machines": machines,
        "num_processes": processes,
    }
    return {**made, strategy.section: dict(strategy.settings)} if strategy.section else made
