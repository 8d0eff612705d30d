"""What is compared of a node: little enough that ten thousand of them fit, and all that the drift is told by."""

from __future__ import annotations

from collections import Counter

from fp8check.rules.facts.variables import OWN
from fp8check.rules.nodes.document import worst
from fp8check.rules.nodes.outliers import ERROR, LOSS, NEXT_LOSS
from fp8check.rules.nodes.texts import LONGEST_REASON, kept
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fp8check.rules.facts import Facts, Gpu
    from fp8check.rules.nodes.document import Data, Node
    from fp8check.rules.suppression.examined import Verdict

    # By subject; None: known to be absent. Sorted, and a tuple: nodes that are alike share one.
    Values = tuple[tuple[str, str | None], ...]

MOST_VALUES = 1_000
MOST_REASONS = 20


class GpuDigest(Record):
    """What a probe measured on one GPU.

    Attributes:
        gpu: as CUDA_VISIBLE_DEVICES has it.
        kind: its name: times of other ones are not compared with it.
        ms, bf16_ms: the time of a step in FP8, and in BF16.
        mhz: its clock in the midst of one.
        numbers: what has to be the same on all GPUs, but for the order of sums: the first loss, and the error of the
            output against FP32; None in the place of one that is no number.
    """

    gpu: str
    kind: str
    ms: float | None = None
    numbers: tuple[tuple[str, float | None], ...] = ()
    mhz: float | None = None
    bf16_ms: float | None = None


class Digest(Record):
    """What is compared of one node.

    Attributes:
        why: what speaks against it, in words.
        values: what has to be alike, by subject; a subject that is not there is not known.
    """

    host: str
    verdict: Verdict
    why: tuple[str, ...] = ()
    values: Values = ()
    gpus: tuple[GpuDigest, ...] = ()


def digest(node: Node) -> Digest:
    """What is compared of a node."""
    gpus = node.seen or ()
    verdict = worst([node.verdict, *_verdicts([*node.reports, *gpus])])
    reasons = dict.fromkeys((*node.why, *_errors(node.reports), *_of_gpus(gpus)))
    why = tuple(dict.fromkeys(kept(reason, LONGEST_REASON) for reason in list(reasons)[:MOST_REASONS]))
    values = dict(_values(node.facts))
    results = sorted({_result(gpu) for gpu in gpus})
    if results:
        values["FP8 result"] = kept(" / ".join(results))
    few = sorted(values.items())[:MOST_VALUES]
    return Digest(
        node.host,
        verdict,
        why,
        tuple(few),
        tuple(_gpu(place, one) for place, one in enumerate(gpus)),
    )


def _verdicts(parts: Iterable[Data]) -> Iterator[Verdict]:
    """What reports and GPUs say of themselves: a node is no better than they are."""
    said: Mapping[object, Verdict] = {"fail": "fail", "warn": "warn", "pass": "pass"}
    for part in parts:
        verdict = part.get("verdict")
        yield said.get(verdict, "undecided") if isinstance(verdict, str) else "undecided"


def _errors(reports: Iterable[Data]) -> Iterator[str]:
    for report in reports:
        findings = report.get("findings")
        for finding in findings if isinstance(findings, list) else ():
            if isinstance(finding, dict) and finding.get("severity") == "error":
                yield f"{_text(finding.get('rule'))} {_text(finding.get('message'))}"
        if report.get("verdict") == "undecided":
            yield "the check of the run is undecided there"


def _of_gpus(gpus: Iterable[Data]) -> Iterator[str]:
    for gpu in gpus:
        why = gpu.get("why")
        for text in why if isinstance(why, list) else ():
            yield f"GPU {_text(gpu.get('gpu'))}: {_text(text)}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else "?"


def _values(facts: Facts) -> Iterator[tuple[str, str | None]]:
    """What nodes are compared by, of their facts."""
    for name, text in (("python", facts.python), ("driver", facts.driver)):
        if text is not None:
            yield name, kept(text)
    for kind, versions in (("", facts.packages), ("CUDA of ", facts.cuda), ("", facts.libraries)):
        for name, version in (versions or {}).items():
            yield kept(f"{kind}{name}"), None if version is None else kept(version)
    engine = facts.transformer_engine or {}
    if "imports" in engine and engine["imports"] is not None:
        yield "Transformer Engine", "can be imported" if engine["imports"] else "cannot be imported"
    if facts.variables is not None:
        # Where it is known which are set, all others are known not to be: fleet.py fills these in.
        yield VARIABLES, "known"
        for name, value in facts.variables.items():
            if name not in OWN:
                yield kept(f"{VARIABLE}{name}"), kept(value)
    gpus = facts.visible_gpus() or facts.gpus
    if gpus is not None:
        names = Counter(f"{gpu.name}, {gpu.memory_mib or '?'} MiB" for gpu in gpus)
        yield "GPUs", kept(", ".join(f"{number} x {name}" for name, number in sorted(names.items())) or "none")
        cut = {gpu.mig for gpu in gpus}
        if None not in cut and cut:
            yield "MIG", "on" if cut == {True} else "off" if cut == {False} else "on some"
        clocks = sorted({_clocks(gpu) for gpu in gpus})
        if any(clocks):
            yield CLOCKS, kept(" / ".join(one or "not known" for one in clocks))


def _clocks(gpu: Gpu) -> str:
    """How fast a GPU may run."""
    parts = ((gpu.sm_mhz, "MHz"), (gpu.memory_mhz, "MHz of memory"), (gpu.power_w, "W"))
    return ", ".join(f"{value} {unit}" for value, unit in parts if value is not None)


# May differ: whether it makes a GPU slow, its speed says.
CLOCKS = "clocks"


VARIABLE = "variable "
VARIABLES = "variables"


def _result(gpu: Data) -> str:
    """What became of FP8 on a GPU, in one line: kinds of layers, backend, recipe; or how the probe ended."""
    seen = gpu.get("seen")
    if not isinstance(seen, dict):
        return "not probed"
    ended = seen.get("ended")
    if ended != "done":
        error = seen.get("error")
        kind = _text(error.get("type")) if isinstance(error, dict) else ""
        return kept(f"ended with {kind or _text(ended)}")
    layers, accelerator, recipe = (seen.get(name) for name in ("layers", "accelerator", "recipe"))
    parts = []
    if isinstance(layers, dict):
        counts = {name: layers.get(name) for name in ("te", "torchao", "msamp", "total")}
        whole = {name: number for name, number in counts.items() if isinstance(number, int)}
        converted = sum(number for name, number in whole.items() if name != "total")
        parts.append(f"{converted} of {whole.get('total', '?')} layers")
    if isinstance(accelerator, dict) and isinstance(accelerator.get("backend"), str):
        parts.append(_text(accelerator.get("backend")))
    if isinstance(recipe, dict):
        parts.append(", ".join(f"{name}={value}" for name, value in sorted(recipe.items())))
    parts += _scaled(seen)
    if seen.get("emulated") is True:
        parts.append("emulated")
    return kept("; ".join(parts) or "done")


def _scaled(seen: Data) -> list[str]:
    """What of the run was not built: times and results of other sizes are not compared."""
    built = seen.get("built")
    scaled = built.get("scaled") if isinstance(built, dict) else None
    return [_text(one) for one in scaled[:MOST_REASONS]] if isinstance(scaled, list) else []


def _gpu(place: int, gpu: Data) -> GpuDigest:
    seen = gpu.get("seen")
    name = gpu.get("gpu")
    label = kept(name, 60) if isinstance(name, str) else str(place)
    if not isinstance(seen, dict) or seen.get("ended") != "done":
        return GpuDigest(label, "?")
    device, time, bf16 = (seen.get(name) for name in ("device", "fp8_ms", "bf16_ms"))
    losses, numerics = seen.get("losses"), seen.get("numerics")
    name = _text(device.get("name")) if isinstance(device, dict) else "?"
    kind = kept(", ".join([name, *_scaled(seen)]))
    numbers: dict[str, float | None] = {}
    if isinstance(losses, list) and losses:
        numbers.update(zip((LOSS, NEXT_LOSS), map(_number, losses), strict=False))
    output = numerics.get("output") if isinstance(numerics, dict) else None
    if isinstance(output, dict):
        numbers[ERROR] = _number(output.get("fp8"))
    ms = _milliseconds(time)
    clocks = seen.get("clocks")
    mhz = _number(clocks.get("sm_mhz")) if isinstance(clocks, dict) else None
    return GpuDigest(
        label, kind, _above_zero(ms), tuple(numbers.items()), _above_zero(mhz), _above_zero(_milliseconds(bf16))
    )


def _milliseconds(time: object) -> float | None:
    return _number(time.get("ms")) if isinstance(time, dict) else None


def _above_zero(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e300:
        return None
    return float(value)
