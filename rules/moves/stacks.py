"""Releases of packages: the newest that were looked at, as far as the trainer takes them."""

from __future__ import annotations

from fp8check.rules.edits.action import Action
from fp8check.rules.releases.versions import NEWEST, at_least, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

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
    older: dict[str, str] = {}
    for name in _UPGRADED:
        there, newest = packages.get(name), site.trainer.newest(site.stack, name)
        if newest is None or name not in packages:
            continue
        if there is None:
            if name in _BACKENDS:
                yield Action(site.why, packages={name: newest})
        elif _is_older(there, newest):
            older[name] = newest
    if older:
        yield Action(site.why, packages=older)  # those that it does not need are taken back


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
