"""Which format an answer has: by ?format=NAME, else by Accept (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.report.formats import FORMATS, Format
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a check can be had as, the usual one first: JSON, for programs.
OFFERS: tuple[Format, ...] = tuple(sorted(FORMATS, key=lambda one: one.name != "json"))
_REPORT = {"$ref": "#/components/schemas/Report"}
# As OpenAPI describes them, by media type.
CONTENT: dict[str, object] = {format_.media_type: {"schema": {"type": format_.holds}} for format_ in OFFERS} | {
    "application/json": {"schema": {"anyOf": [_REPORT, {"type": "array", "items": _REPORT}]}}
}


# What a plan can be had as.
PLANS: tuple[Format, ...] = tuple(format_ for format_ in OFFERS if format_.name in ("json", "text"))
PLAN_CONTENT: dict[str, object] = {
    "application/json": {"schema": {"$ref": "#/components/schemas/Plans"}},
    "text/plain": {"schema": {"type": "string"}},
}


def choose(wanted: str | None, accept: str | None, offers: Sequence[Format] = OFFERS) -> Format:
    """The format to answer in.

    Args:
        wanted: the parameter ?format=, which goes before.
        accept: the header Accept; None or empty: the first offer.
        offers: the formats that there are, the usual one first.

    Raises:
        Problem: there is no such format.
    """
    if wanted is not None:
        found = next((format_ for format_ in offers if format_.name == wanted), None)
        if found is None:
            raise _none(f"there is no format of the name {wanted[:40]!r}", offers)
        return found
    if not accept or accept == "*/*" or accept.startswith("application/json"):
        return offers[0]
    ranges = _ranges(accept)
    best, quality = None, 0.0
    for offer in offers:
        value = _quality(ranges, offer.media_type)
        if value > quality:
            best, quality = offer, value
    if best is None:
        raise _none("Accept names none of the formats that there are", offers)
    return best


def wants_page(accept: str | None) -> bool:
    """Whether a browser asks: text/html is named, and preferred to JSON."""
    if not accept or "text/html" not in accept:
        return False
    ranges = _ranges(accept)
    return _quality(ranges, "text/html") > _quality(ranges, "application/json")


def _ranges(accept: str) -> list[tuple[str, float]]:
    ranges = []
    for part in accept[:2000].split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        ranges.append((name, _weight(parameters)))
    return ranges


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0


def _quality(ranges: list[tuple[str, float]], media_type: str) -> float:
    """The weight of a media type: that of the most specific range that names it."""
    group = media_type.partition("/")[0] + "/*"
    for name in (media_type, group, "*/*"):
        weights = [weight for range_, weight in ranges if range_ == name]
        if weights:
            return max(weights)
    return 0.0


def _none(what: str, offers: Sequence[Format]) -> Problem:
    formats = [{"format": offer.name, "media_type": offer.media_type} for offer in offers]
    return Problem("no-such-format", what, formats=formats)
