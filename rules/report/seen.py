"""What the probe saw, for people."""

from __future__ import annotations

from fp8check.rules.plain_text import shown
from fp8check.rules.seen import bounds, gemms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.seen import Seen
    from fp8check.rules.seen.data import Clocks


def summary(seen: Seen) -> str:
    """One line: how it ended, and the figures that matter most."""
    if seen.ended == "not run":
        return f"not run: {seen.why}"
    words = [_where(seen)]
    if seen.ended != "done":
        words.append(seen.why or seen.ended)
    if seen.layers is not None:
        words.append(f"{seen.converted} of {seen.layers.total} Linear layers converted")
    words.extend(_gemms(seen))
    if seen.numerics is not None and seen.numerics.output.fp8 is not None and seen.converted:
        words.append(f"output off by {seen.numerics.output.fp8:.1%}")
    if seen.speed_up is not None and seen.converted:
        words.append(f"{seen.speed_up:.2f}x of BF16")
    return " · ".join(words)


def _where(seen: Seen) -> str:
    if seen.emulated:
        return "emulated on the CPU: proves conversion and numerics, not kernels or speed"
    return seen.device.name if seen.device is not None else "no GPU reached"


def _gemms(seen: Seen) -> Iterator[str]:
    if seen.emulated:
        return
    kinds = gemms(seen)
    if kinds is None:
        yield "no GEMM kernel recorded"
        return
    running = [name for name, kind in kinds.items() if kind.fp8]
    yield f"{', '.join(running)} in FP8" if running else "no GEMM in FP8"


def page(seen: Seen) -> str:
    """Everything that was seen, one line a subject."""
    lines = [_row("probe", summary(seen))]
    lines += [_row(title, words) for title, words in _rows(seen) if words]
    return "\n".join(lines) + "\n"


def _row(title: str, words: str) -> str:
    return f"{shown(title):<10} {shown(words)}"


def _rows(seen: Seen) -> Iterator[tuple[str, str]]:
    gpu = seen.device
    if gpu is not None and gpu.compute_capability is not None:
        yield "gpu", f"{gpu.name}, compute capability {gpu.compute_capability}, {gpu.free_mib} MiB free"
    if seen.packages:
        yield "packages", ", ".join(f"{name} {version}" for name, version in seen.packages.items())
    if seen.built is not None:
        built = seen.built
        scaled = f"; scaled: {', '.join(built.scaled)}" if built.scaled else ""
        yield "built", f"{built.layers} layers, {built.rows} x {built.columns} tokens{scaled}"
    yield from (("assumed", words) for words in seen.assumed)
    yield from _state(seen)
    kinds = gemms(seen) if not seen.emulated else None
    for name, kind in (kinds or {}).items():
        yield name, f"{kind.fp8} in FP8, {kind.other + kind.unknown} not: {', '.join(kind.names[:3])}"
    yield from _numbers(seen)
    if seen.error is not None:
        yield "error", f"{seen.error.type} in stage {seen.error.stage}: {seen.error.message[:300]}"
    if seen.ragged is not None:
        error = seen.ragged.error
        how = "goes through" if error is None else f"ends with {error.type}: {error.message[:120]}"
        yield "ragged", f"a batch of {seen.ragged.rows} x {seen.ragged.columns} tokens {how}"
    if seen.clocks is not None:
        yield "clocks", clocks_in_words(seen.clocks)
    if seen.collective is not None:
        met = seen.collective
        said = met.why or (f"{len(met.missing)} did not come" if met.missing else "all came as it was sent")
        yield "collective", f"FP8 tensors and their largest values over {met.ranks} GPUs: {said}"
    if seen.left_out:
        yield "left out", f"{', '.join(seen.left_out)}: the time did not suffice"
    if seen.seconds is not None:
        yield "seconds", f"{seen.seconds.imports} to the end of the imports, {seen.seconds.total} in all"


def clocks_in_words(clocks: Clocks) -> str:
    """How fast a GPU ran while it worked."""
    parts = ((clocks.sm_mhz, "MHz"), (clocks.memory_mhz, "MHz of memory"), (clocks.power_w, "W"), (clocks.celsius, "C"))
    known = [f"{value} {unit}" for value, unit in parts if value is not None]
    if clocks.held_by:
        known.append(f"held by {' and '.join(clocks.held_by)}")
    return ", ".join(known) or "not known"


def _state(seen: Seen) -> Iterator[tuple[str, str]]:
    if seen.accelerator is not None:
        yield "accelerate", ", ".join(f"{name} {value}" for name, value in seen.accelerator.as_data().items())
    if seen.layers is not None:
        layers = seen.layers
        kinds = f"te {layers.te}, torchao {layers.torchao}, msamp {layers.msamp}, plain {layers.plain}"
        yield "layers", kinds + (f"; left: {', '.join(layers.left[:4])}" if layers.left else "")
    if seen.recipe is not None:
        yield "recipe", ", ".join(f"{name} {value}" for name, value in seen.recipe.named.items())
    if seen.moved is not None:
        moved = seen.moved
        many = "step" if moved.steps == 1 else "steps"
        yield "moved", f"{moved.moved} of {moved.trainable} trainable parameters, in {moved.steps} {many}"


def _numbers(seen: Seen) -> Iterator[tuple[str, str]]:
    bound = bounds(seen)
    if seen.numerics is not None and bound is not None:
        output, gradients = seen.numerics.output, seen.numerics.gradients.fp8
        off = f"off by {_percent(output.fp8)} from FP32, bound {bound.output:.0%}"
        yield "output", f"{off}; BF16 {_percent(output.bf16)}"
        middle = f"off by {_percent(gradients.median)} in the median, bound {bound.gradient:.0%}"
        yield "gradients", f"{middle}; the worst by {_percent(gradients.worst)}"
    if seen.losses is not None:
        yield "losses", ", ".join("not finite" if loss is None else f"{loss:.3f}" for loss in seen.losses)
    if seen.emulated:
        return
    for title, times, memory in (
        ("bf16", seen.bf16_ms, seen.bf16_gib),
        ("fp8", seen.fp8_ms, seen.fp8_gib),
    ):
        if times is not None:
            peak = f", peak {memory:.2f} GiB" if memory is not None else ""
            yield title, f"{times.ms:.2f} ms ({times.low:.2f} to {times.high:.2f}) forward and backward{peak}"


def _percent(error: float | None) -> str:
    return "not a number" if error is None else f"{error:.1%}"
