"""What the probe saw, for people."""

from __future__ import annotations

from fp8check.rules.evidence import bounds, gemms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.evidence import Evidence


def summary(evidence: Evidence) -> str:
    """One line: how it ended, and the figures that matter most."""
    if evidence.ended == "not run":
        return f"not run: {evidence.why}"
    words = [_where(evidence)]
    if evidence.ended != "done":
        words.append(evidence.why or evidence.ended)
    if evidence.layers is not None:
        words.append(f"{evidence.converted} of {evidence.layers['total']} Linear layers converted")
    words.extend(_gemms(evidence))
    if evidence.numerics is not None and evidence.numerics["output"].get("fp8") is not None and evidence.converted:
        words.append(f"output off by {evidence.numerics['output']['fp8']:.1%}")
    if evidence.speed_up is not None and evidence.converted:
        words.append(f"{evidence.speed_up:.2f}x of BF16")
    return " · ".join(words)


def _where(evidence: Evidence) -> str:
    if evidence.emulated:
        return "emulated on the CPU: proves conversion and numerics, not kernels or speed"
    return str((evidence.device or {}).get("name", "no GPU reached"))


def _gemms(evidence: Evidence) -> Iterator[str]:
    if evidence.emulated:
        return
    kinds = gemms(evidence)
    if kinds is None:
        yield "no GEMM kernel recorded"
        return
    running = [name for name, kind in kinds.items() if kind.fp8]
    yield f"{', '.join(running)} in FP8" if running else "no GEMM in FP8"


def page(evidence: Evidence) -> str:
    """Everything that was seen, one line a subject."""
    lines = [_row("probe", summary(evidence))]
    lines += [_row(title, words) for title, words in _rows(evidence) if words]
    return "\n".join(lines) + "\n"


def _row(title: str, words: str) -> str:
    return f"{title:<10} {words}"


def _rows(evidence: Evidence) -> Iterator[tuple[str, str]]:
    device = evidence.device or {}
    if "compute_capability" in device:
        yield (
            "gpu",
            f"{device['name']}, compute capability {device['compute_capability']}, {device['free_mib']} MiB free",
        )
    if evidence.packages:
        yield "packages", ", ".join(f"{name} {version}" for name, version in evidence.packages.items())
    if evidence.built is not None:
        built = evidence.built
        scaled = f"; scaled: {', '.join(built['scaled'])}" if built.get("scaled") else ""
        yield "built", f"{built['layers']} layers, {built['rows']} x {built['columns']} tokens{scaled}"
    yield from (("assumed", words) for words in evidence.assumed)
    yield from _state(evidence)
    kinds = gemms(evidence) if not evidence.emulated else None
    for name, kind in (kinds or {}).items():
        yield name, f"{kind.fp8} in FP8, {kind.other + kind.unknown} not: {', '.join(kind.names[:3])}"
    yield from _numbers(evidence)
    if evidence.error is not None:
        yield "error", f"{evidence.error['type']} in stage {evidence.error['stage']}: {evidence.error['message'][:300]}"
    if evidence.ragged is not None:
        error = evidence.ragged["error"]
        how = "goes through" if error is None else f"ends with {error['type']}: {error['message'][:120]}"
        yield "ragged", f"a batch of {evidence.ragged['rows']} x {evidence.ragged['columns']} tokens {how}"
    if evidence.left_out:
        yield "left out", f"{', '.join(evidence.left_out)}: the time did not suffice"
    if evidence.seconds is not None:
        yield "seconds", f"{evidence.seconds['imports']} to the end of the imports, {evidence.seconds['total']} in all"


def _state(evidence: Evidence) -> Iterator[tuple[str, str]]:
    if evidence.accelerator is not None:
        yield "accelerate", ", ".join(f"{name} {value}" for name, value in evidence.accelerator.items())
    if evidence.layers is not None:
        left = list(evidence.layers.get("left") or ())
        kinds = ", ".join(f"{kind} {evidence.layers.get(kind, 0)}" for kind in ("te", "torchao", "msamp", "plain"))
        yield "layers", kinds + (f"; left: {', '.join(left[:4])}" if left else "")
    if evidence.recipe is not None:
        yield "recipe", ", ".join(f"{name} {value}" for name, value in evidence.recipe.items())
    if evidence.moved is not None:
        moved, steps = evidence.moved, evidence.moved.get("steps")
        many = "step" if steps == 1 else "steps"
        yield "moved", f"{moved['moved']} of {moved['trainable']} trainable parameters, in {steps} {many}"


def _numbers(evidence: Evidence) -> Iterator[tuple[str, str]]:
    bound = bounds(evidence)
    if evidence.numerics is not None and bound is not None:
        output, gradients = evidence.numerics["output"], evidence.numerics["gradients"]
        seen = gradients.get("fp8") or {}
        off = f"off by {_percent(output.get('fp8'))} from FP32, bound {bound.output:.0%}"
        yield "output", f"{off}; BF16 {_percent(output.get('bf16'))}"
        middle = f"off by {_percent(seen.get('median'))} in the median, bound {bound.gradient:.0%}"
        yield "gradients", f"{middle}; the worst by {_percent(seen.get('worst'))}"
    if evidence.losses is not None:
        yield "losses", ", ".join("not finite" if loss is None else f"{loss:.3f}" for loss in evidence.losses)
    if evidence.emulated:
        return
    for title, times, memory in (
        ("bf16", evidence.bf16_ms, evidence.bf16_gib),
        ("fp8", evidence.fp8_ms, evidence.fp8_gib),
    ):
        if times is not None:
            peak = f", peak {memory:.2f} GiB" if memory is not None else ""
            yield title, f"{times['ms']:.2f} ms ({times['low']:.2f} to {times['high']:.2f}) forward and backward{peak}"


def _percent(error: object) -> str:
    return f"{error:.1%}" if isinstance(error, float) else "not a number"
