"""Who computes in FP8, Transformer Engine or torchao, and with which recipe."""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT, Action
from fp8check.rules.moves.site import known_setting
from fp8check.rules.moves.strategies import reads_gather
from fp8check.rules.releases.accelerate_keys import OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.moves.site import Site

GATHER = "enable_fsdp_float8_all_gather"
LOADING = "fsdp_cpu_ram_efficient_loading"
_OTHER_NAMES = {"fp8_format": "format"}


def other_backend(site: Site) -> Iterator[Action]:
    """The other backend, as it has to be written so that it trains; options of the one before it go."""
    config = site.run.accelerate
    if config is None:
        return
    written = known_setting(lambda: config.backend)
    now = str(written.value).upper() if written is not None and not written.is_later else site.outcome.backend_name
    sharded = site.outcome.distributed_type == "FSDP"
    for backend in ("TE", "AO"):
        if backend == now:
            continue
        others = [name for name in config.fp8 if name != "backend" and not _is_of(name, backend)]
        gone = [(("fp8_config", name), ABSENT) for name in others]
        own: list[tuple[tuple[str, ...], object]] = []
        if backend == "AO" and not sharded and reads_gather(site.stack):
            own.append((("fp8_config", GATHER), False))
        if backend == "AO" and sharded:
            own.append((("fsdp_config", LOADING), False))
        entries = site.in_accelerate((("fp8_config", "backend"), backend), *own, *gone)
        yield from site.act(entries, site.without("fp8_backend"), backend=backend)


def other_options_gone(site: Site) -> Iterator[Action]:
    """What is of another backend than the one that computes gone from both files."""
    config, backend = site.run.accelerate, site.outcome.backend_name
    if config is None or backend not in ("TE", "AO"):
        return
    others = [name for name in config.fp8 if name != "backend" and not _is_of(name, backend)]
    gone = [(("fp8_config", name), ABSENT) for name in others]
    yield from site.act(site.in_accelerate(*gone), site.without("fp8_backend"))


def _is_of(name: str, backend: str) -> bool:
    """Whether an option of fp8_config is that backend's, as far as that is known."""
    option = OPTIONS.get(_OTHER_NAMES.get(name, name))
    return option is not None and option.backend == backend


def told_backend(site: Site) -> Iterator[Action]:
    """The other backend by the variable that names one, where no Accelerate file is read."""
    named = site.outcome.environment.get(_VARIABLE)
    if site.run.accelerate is not None or named is None or named.origin.variable != _VARIABLE:
        return
    if _VARIABLE in site.run.launch.variables:
        return  # before the command: that is changed as a command
    for backend in ("TE", "AO"):
        if backend != str(named.value).upper():
            gather = {} if backend == "TE" else {_GATHERS: "false"}
            yield Action(site.why, variables={_VARIABLE: backend, **gather}, packages=site.lacking(backend))


_VARIABLE = "ACCELERATE_FP8_BACKEND"
_GATHERS = "ACCELERATE_FP8_ENABLE_FSDP_FLOAT8_ALL_GATHER"


def gather_off(site: Site) -> Iterator[Action]:
    """torchao's all-gather off, without which it trains outside of FSDP2."""
    config = site.run.accelerate
    if config is not None and site.outcome.backend_name == "AO":
        yield from site.act(site.in_accelerate((("fp8_config", GATHER), False)))
