"""What a script of the user's own passes to its Accelerator: the precision, and the recipe of FP8."""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT
from fp8check.rules.settings.script import HANDLERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.edits.action import Action, Assign
    from fp8check.rules.moves.site import Site
    from fp8check.rules.settings.script import Call

_HANDED = "kwargs_handlers"


def precision(site: Site) -> Iterator[Action]:
    """The precision as the goal says it, where the script passes one, or where nobody says one."""
    for call in _accelerators(site):
        given = call.keywords.get("mixed_precision")
        if given is not None:
            yield from site.act(site.write(given, site.goal), _leftovers(site, call))
        if given is not None and site.run.accelerate is not None:
            yield from site.act(site.write(given, ABSENT), _leftovers(site, call))
        if given is None and site.scripts is not None:
            yield from site.act(site.scripts.hand(call, "mixed_precision", site.goal), _leftovers(site, call))


def recipe_off(site: Site) -> Iterator[Action]:
    """The handlers gone that the script passes: where these are for FP8 alone."""
    for call in _accelerators(site):
        yield from site.act(_without_handlers(site, call))


def backend(site: Site) -> Iterator[Action]:
    """The backend that the recipe of the script names: the other ones, in turn."""
    if site.scripts is None:
        return
    for handler in _handlers(site):
        named = handler.keywords.get("backend")
        now = None if named is None else str(named.value).upper()
        for one in ("TE", "AO") if handler.name == "FP8RecipeKwargs" else ():
            if one != now:
                yield from site.act(site.scripts.hand(handler, "backend", one), backend=one)


def refused_gone(site: Site) -> Iterator[Action]:
    """Arguments of a recipe that end the run, gone; each by itself."""
    for handler in _handlers(site):
        for name, setting in handler.keywords.items():
            if name != "backend":
                yield from site.act(site.write(setting, ABSENT))


def _accelerators(site: Site) -> Sequence[Call]:
    source = site.run.script.maker or site.run.script.source
    return () if source is None else source.named("Accelerator")[:1] if source.accelerator is not None else ()


def _handlers(site: Site) -> Sequence[Call]:
    source = site.run.script.maker or site.run.script.source
    return () if source is None else source.named(*HANDLERS)


def _leftovers(site: Site, call: Call) -> list[Assign]:
    """What only FP8 needs, gone where the goal is another."""
    return _without_handlers(site, call) if site.goal == "bf16" else []


def _without_handlers(site: Site, call: Call) -> list[Assign]:
    given = call.keywords.get(_HANDED)
    return [] if given is None else site.write(given, ABSENT)
