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


def upgrades(site: Site) -> Iterator[Action]:
    """One package in its newest release that was looked at; a backend where there is none."""
    packages = site.run.facts.packages
    if packages is None:
        return
    older: dict[str, str] = {}
    for name in _UPGRADED:
        there, newest = packages.get(name), _newest(site, name)
        if newest is None or name not in packages:
            continue
        if there is None:
            if name in _BACKENDS:
                yield Action(site.why, packages={name: newest})
        elif _is_older(there, newest):
            older[name] = newest
            yield Action(site.why, packages={name: newest})
    if len(older) > 1:
        yield Action(site.why, packages=older)  # what it does not need is taken back


def _is_older(there: str, newest: str) -> bool:
    now, wanted = parsed(there), parsed(newest)
    return now is not None and wanted is not None and not at_least(now, *wanted)


def _newest(site: Site, name: str) -> str | None:
    """The newest release that the trainer takes; None where it says nothing of that package's newest one."""
    newest = NEWEST.get(name)
    limit = site.trainer.newest_taken(site.stack, name)
    if newest is None or limit is None:
        return newest
    version = parsed(newest)
    return newest if version is not None and at_least(limit, *version) else ".".join(map(str, limit))


def downgrades(site: Site) -> Iterator[Action]:
    """The newest release that the trainer takes, of a package that is newer than that."""
    packages = site.run.facts.packages or {}
    for name, there in packages.items():
        now, limit = parsed(there), site.trainer.newest_taken(site.stack, name)
        if now is not None and limit is not None and now != limit and at_least(now, *limit):
            yield Action(site.why, packages={name: ".".join(map(str, limit))})
