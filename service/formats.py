"""Which format an answer has: by ?format=NAME, else by Accept (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.report.formats import FORMATS
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence


class Offer(NamedTuple):
    """A format that can be had, by its name and media type."""

    name: str
    media_type: str


# A check can be answered as the text that the command prints; once stored, it has the other formats.
STORED: tuple[Offer, ...] = tuple(Offer(one.name, one.media_type) for one in FORMATS)
CHECKED: tuple[Offer, ...] = (*STORED[:1], Offer("text", "text/plain"), *STORED[1:])


def choose(offers: Sequence[Offer], asked: str | None, accept: str | None) -> Offer:
    """The format to answer in.

    Args:
        asked: the parameter ?format=, which goes before.
        accept: the header Accept; None or empty: the first offer.

    Raises:
        Problem: there is no such format.
    """
    if asked is not None:
        found = next((offer for offer in offers if offer.name == asked), None)
        if found is None:
            raise _none(offers, f"there is no format of the name {asked[:40]!r}")
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
        raise _none(offers, "Accept names none of the formats that there are")
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


def _none(offers: Sequence[Offer], what: str) -> Problem:
    formats = [{"format": offer.name, "media_type": offer.media_type} for offer in offers]
    return Problem("no-such-format", what, formats=formats)
