"""Two runs side by side, for people."""

from __future__ import annotations

from fp8check.rules.plain_text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.seen import Seen

MOST = 8


def text(fp8: Seen, bf16: Seen, gaps: Sequence[float], undecided: Sequence[str]) -> str:
    """The figures of both, what lies between them, and what is undecided.

    Args:
        gaps: how much higher each loss is in FP8, relative.
    """
    lines = ["fp8check: FP8 beside BF16"]
    lines += [f"  {name:<9} {value}" for name, value in _rows(fp8, bf16, gaps)]
    lines += [f"  undecided: {shown(one)}" for one in undecided[:MOST]]
    if len(undecided) > MOST:
        lines.append(f"  undecided: and {len(undecided) - MOST} more")
    return "\n".join(lines) + "\n"


def _rows(fp8: Seen, bf16: Seen, gaps: Sequence[float]) -> Iterator[tuple[str, str]]:
    ours, theirs = fp8.watched, bf16.watched
    if ours is not None and theirs is not None:
        times = (ours.step_ms, theirs.step_ms)
        if times[0] is not None and times[1] is not None:
            ratio = times[1].ms / times[0].ms
            told = f"{ratio:.2f} times as fast in FP8"
            fp8_ms, bf16_ms = (f"{one.ms:.1f} ms ({one.low:.1f} to {one.high:.1f})" for one in times if one is not None)
            yield "step", f"{fp8_ms} in FP8, {bf16_ms} in BF16: {told}"
        rates = (ours.tokens_per_s, theirs.tokens_per_s)
        if rates[0] is not None and rates[1] is not None:
            yield "tokens/s", f"{rates[0]:,.0f} in FP8, {rates[1]:,.0f} in BF16"
    if fp8.fp8_gib is not None and bf16.fp8_gib is not None:
        more = fp8.fp8_gib - bf16.fp8_gib
        less = f"{abs(more):.2f} GiB {'more' if more > 0 else 'less'} in FP8"
        yield "memory", f"{fp8.fp8_gib:.2f} GiB in FP8, {bf16.fp8_gib:.2f} GiB in BF16: {less}"
    if gaps:
        last = len(gaps) - 1
        one, other = (fp8.losses or ())[last], (bf16.losses or ())[last]
        whole = sum(gaps) / len(gaps)
        told = f"{gaps[-1]:+.2%}, {whole:+.2%} over {len(gaps)} steps"
        yield "loss", f"{one:.4f} in FP8, {other:.4f} in BF16 at the last step: {told}"
