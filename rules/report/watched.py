"""The verdict on a watched run, for people: a few lines amid what the run prints itself."""

from __future__ import annotations

from fp8check.rules.plain_text import shown
from fp8check.rules.seen import gemms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.engine.running import Finding
    from fp8check.rules.seen import Seen

MOST = 6


def text(seen: Seen, words: str, differences: Sequence[Finding], undecided: Sequence[str]) -> str:
    """The verdict, what differs, what is undecided, and the figures."""
    lines = [f"fp8check: {shown(words)}{_where(seen)}"]
    for finding in differences:
        label = f" ({shown(finding.label)})" if finding.label else ""
        lines.append(f"  {finding.rule} {finding.severity}: {shown(finding.message)}{label}")
        lines.extend(f"    {shown(note)}" for note in finding.notes)
        if finding.help:
            lines.append(f"    help: {shown(finding.help)}")
    lines.extend(f"  {name:<9} {shown(value)}" for name, value in _rows(seen))
    lines.extend(f"  undecided: {shown(one)}" for one in undecided[:MOST])
    if len(undecided) > MOST:
        lines.append(f"  undecided: and {len(undecided) - MOST} more")
    return "\n".join(lines) + "\n"


def _where(seen: Seen) -> str:
    watched = seen.watched
    if watched is None:
        return ""
    ranks = "" if watched.ranks == 1 else f" of {watched.told} of {watched.ranks} ranks"
    return f": steps {watched.first} to {watched.last}{ranks}"


def _rows(seen: Seen) -> Iterator[tuple[str, str]]:
    if seen.layers is not None:
        ran = seen.autocast.layers_in_fp8 if seen.autocast is not None else None
        inside = "" if ran is None else f", {ran} ran in FP8"
        yield "layers", f"{seen.converted} of {seen.layers.total} Linear layers converted{inside}"
    if seen.recipe is not None:
        yield "recipe", ", ".join(f"{name} {value}" for name, value in seen.recipe.named.items())
    kinds = None if seen.emulated else gemms(seen)
    if kinds is not None:
        yield "products", ", ".join(f"{name} {kind.fp8} in FP8" for name, kind in kinds.items())
    told = None if seen.watched is None else seen.watched.gradients
    if told is not None:
        shares = [
            (one, word) for one, word in ((told.zeros, "zeros"), (told.saturated, "saturated")) if one is not None
        ]
        yield (
            "gradients",
            ", ".join(f"{one.median:.1%} {word} (worst {one.worst:.1%}, {one.name})" for one, word in shares),
        )
    if seen.moved is not None:
        yield "weights", f"{seen.moved.moved} of {seen.moved.trainable} move"
    if seen.losses:
        shown_losses = ["not finite" if loss is None else f"{loss:.4f}" for loss in (seen.losses[0], seen.losses[-1])]
        yield "loss", " to ".join(dict.fromkeys(shown_losses))
    watched = seen.watched
    if watched is not None and watched.step_ms is not None:
        rate = watched.tokens_per_s
        tokens = "" if rate is None else f", {rate:,.0f} tokens/s"
        peak = "" if seen.fp8_gib is None else f", peak {seen.fp8_gib:.2f} GiB"
        yield "step", f"{watched.step_ms.ms:.1f} ms{tokens}{peak}"
