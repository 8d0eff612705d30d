"""Releases of packages: the newest that were looked at, as far as the trainer takes them."""

from __future__ import annotations

from fp8check.rules.edits.action import Action
from fp8check.rules.moves import entries
from fp8check.rules.releases.stack import Stack
from fp8check.rules.releases.versions import NEWEST, at_least, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.moves.site import Site

_UPGRADED = ("accelerate", "transformers", "peft", "torchao", "transformer_engine", "trl", "axolotl", "llamafactory")
_BACKENDS = ("transformer_engine", "torchao")
LAST_WITH_FP8_MODULE = "2.8.0"  # transformer_engine.pytorch.fp8 is in 2.8.0 and is not in 2.9.0 (executed with both)


def upgrades(site: Site) -> Iterator[Action]:
    """A backend where there is none; and the packages in the newest releases that were looked at, all together."""
    packages = site.run.facts.packages
    if packages is None:
        assumed = {name: NEWEST[name] for name in site.stack.assumed if name in _UPGRADED and name in NEWEST}
        if assumed:
            yield Action(site.why, packages=assumed)
        return
    newest = {name: site.trainer.newest(site.stack, name) for name in _UPGRADED if name in packages}
    for name in _BACKENDS:
        release = newest.get(name)
        if release is not None and packages.get(name, "") is None:
            yield Action(site.why, packages={name: release})
    older = _older(packages, newest)
    if older:
        yield Action(site.why, packages=older)  # those that it does not need are taken back
    own = site.trainer.name
    if own is not None and own in older:  # what the newest release of the trainer takes beside it
        upgraded = Stack(site.run.facts._replace(packages={**packages, own: older[own]}))
        beside = {name: site.trainer.newest(upgraded, name) for name in newest}
        together = _older(packages, beside)
        if together != older:
            yield Action(site.why, packages=together)


def _older(packages: Mapping[str, str | None], newest: Mapping[str, str | None]) -> dict[str, str]:
    """The packages that are there in an older release, with the newest."""
    return {
        name: release
        for name, release in newest.items()
        if release is not None and (there := packages.get(name)) is not None and _is_older(there, release)
    }


def absent(site: Site) -> Iterator[Action]:
    """What every run needs, where it is known to be absent: in the newest releases that the trainer takes."""
    packages = site.run.facts.packages or {}
    needed = ("torch", "accelerate", *(("transformers",) if site.trainer.is_huggingface else ()))
    newest = {name: site.trainer.newest(site.stack, name) for name in needed if packages.get(name, "") is None}
    missing = {name: release for name, release in newest.items() if release is not None}
    if missing:
        yield Action(site.why, packages=missing)


def fitting_torchao(site: Site) -> Iterator[Action]:
    """The newest torchao that can be imported under the torch that is there."""
    newest = site.stack.newest("torchao")
    if newest is not None and site.stack.torchao_breaks():
        yield Action(site.why, packages={"torchao": newest})


def fitting_te(site: Site) -> Iterator[Action]:
    """The newest Transformer Engine with the modules that accelerate 1.11 and 1.12 look for; 2.9 moved them."""
    if site.stack.has("transformer_engine"):
        yield Action(site.why, packages={"transformer_engine": LAST_WITH_FP8_MODULE})


def deepspeed(site: Site) -> Iterator[Action]:
    """DeepSpeed, where it is asked for and is not there."""
    if site.stack.has("deepspeed") is False:
        yield Action(site.why, packages={"deepspeed": NEWEST["deepspeed"]})


# The newest of those that the documentation of transformers names first, on the day that this was written.
_REPORTERS = {"wandb": "0.31.0", "tensorboard": "2.21.0", "mlflow": "3.18.0", "swanlab": "0.10.3", "trackio": "0.43.0"}


def reporters(site: Site) -> Iterator[Action]:
    """The packages of those that a Trainer is to report to: that it reports was chosen, and stays so."""
    error = site.outcome.error
    if error is None:
        return
    names = [name for setting in error.because for name in _named(setting.value)]
    lacking = {name: _REPORTERS[name] for name in names if name in _REPORTERS and site.stack.has(name) is False}
    if lacking:
        yield Action(site.why, packages=lacking)
    else:
        yield from entries.refused_gone(site)


def _named(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _is_older(there: str, newest: str) -> bool:
    now, wanted = parsed(there), parsed(newest)
    return now is not None and wanted is not None and not at_least(now, *wanted)


def downgrades(site: Site) -> Iterator[Action]:
    """The newest releases that the trainer takes, of all packages that are newer than that."""
    newer: dict[str, str] = {}
    for name, there in (site.run.facts.packages or {}).items():
        now, limit = parsed(there), site.trainer.newest_taken(site.stack, name)
        if now is not None and limit is not None and now != limit and at_least(now, *limit):
            newer[name] = ".".join(map(str, limit))
    if newer:
        yield Action(site.why, packages=newer)
