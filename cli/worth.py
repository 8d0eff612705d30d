"""`fp8check worth MODEL`: step time in BF16 and FP8, by tokens in a micro-batch. Works without a GPU."""

from __future__ import annotations

import os

from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import write_text
from fp8check.rules import models, writing
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.outcome import gpus, speed
from fp8check.rules.plain_text import plain, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.cli.options import Options
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome.speed import Point, Setup
    from fp8check.rules.plain_text import Syntax

TOKENS = "512,1024,2048,4096,8192,16384"
LARGEST = 2**24


def worth(argv: list[str]) -> int:
    """Print the table, or write it as JSON or as a picture."""
    options = parser().parse_args(argv)
    model, setup = _model(options.model), _setup(options)
    points = [speed.predict_point(model, tokens, setup) for tokens in _tokens(options.tokens)]
    _write(options, model, setup, points)
    return ExitCode.OK


def parser() -> Parser:
    """The options of the command."""
    parser = Parser("fp8check worth", "Step time in BF16 and FP8, by tokens in a micro-batch.")
    parser.add_argument("model", metavar="MODEL_OR_CONFIG_DIR", help="a name on the hub, a folder, or a config.json")
    parser.add_argument("--gpu", default="H200", help=f"one of {', '.join(gpu.name for gpu in gpus.gpus())}")
    parser.add_argument("--backend", type=str.upper, choices=("TE", "AO"), default="TE")
    parser.add_argument("--tokens", default=TOKENS, metavar="N,N,...", help="tokens in a micro-batch")
    parser.add_argument("--scope", choices=("model", "layers"), default="layers", help="model: with head and optimizer")
    parser.add_argument("--compile", action="store_true", help="under torch.compile (backend AO)")
    parser.add_argument("--format", "--output-format", choices=("text", "json", "png"), default="text")
    parser.add_argument("-o", "--out", metavar="FILE", help="where to write; needed for png")
    return parser


def _model(name: str) -> ModelShape:
    folder = os.path.dirname(name) or "." if os.path.basename(name) == "config.json" else name
    found = models.search(folder, base=".", environ=os.environ)
    model = found.shape
    if model is None:
        raise UsageError("; ".join(found.reasons) or f"{name}: not known")
    if model.experts or not model.block:
        raise UsageError(f"{name}: a mixture of experts, or without Linear layers: its speed is not modeled")
    return model


def _setup(options: Options) -> Setup:
    gpu = gpus.find(options.gpu)
    if gpu is None:
        raise UsageError(f"no GPU is called {options.gpu}; there are {', '.join(one.name for one in gpus.gpus())}")
    if options.compile and options.backend == "TE":
        raise UsageError("--compile is modeled for backend AO only: Transformer Engine's layers are not compiled")
    return speed.Setup(gpu, options.backend, options.compile, options.scope)


def _tokens(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UsageError(f"--tokens takes numbers with commas between them, not {text!r}") from None
    if not numbers or not all(0 < number <= LARGEST for number in numbers):
        raise UsageError(f"--tokens takes numbers from 1 to {LARGEST:,}")
    return numbers


def _write(options: Options, model: ModelShape, setup: Setup, points: list[Point]) -> None:
    if options.format == "png":
        if options.out is None:
            raise UsageError("a picture needs --out FILE.png")
        _draw(options.out, model, setup, points)
        return
    text = _json(model, setup, points) if options.format == "json" else _text(model, setup, points)
    syntax: Syntax = "json" if options.format == "json" else "text"
    write_text(plain(text, syntax), options.out, syntax)


def _json(model: ModelShape, setup: Setup, points: list[Point]) -> str:
    import json

    rows = []
    for point in points:
        bf16, fp8 = _gib(model, point, setup)
        rows.append({**point.as_dict(), "bf16_gib": bf16, "fp8_gib": fp8})
    data = {
        "schema": "fp8check/worth/1",
        "model": model.name,
        "gpu": {"name": setup.gpu.name, "measured": setup.gpu.measured, "source": setup.gpu.source},
        "backend": setup.backend,
        "compiled": setup.compiled,
        "scope": setup.scope,
        "points": [
            {name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()}
            for row in rows
        ],
    }
    return json.dumps(data, indent=2) + "\n"


def _gib(model: ModelShape, point: Point, setup: Setup) -> tuple[float, float | None]:
    """Peak memory in BF16 and in FP8; None where the GPU has no FP8."""
    bf16, fp8 = speed.memory_of(model, point.tokens, setup)
    return bf16, None if point.fp8_ms is None else fp8


def _text(model: ModelShape, setup: Setup, points: list[Point]) -> str:
    lines = [
        _title(model, setup),
        f"{'tokens':>8} {'BF16 ms':>9} {'FP8 ms':>9} {'speed-up':>9}  {'range':<12} {'GiB BF16 -> FP8':<17} waits for",
    ]
    for point in points:
        bf16, fp8 = _gib(model, point, setup)
        if point.fp8_ms is None or point.speedup is None:
            lines.append(f"{point.tokens:>8,} {point.bf16_ms:>9.1f} {'-':>9} {'-':>9}  {'no FP8':<12} {bf16:<17.1f}")
            continue
        spread = f"{point.low:.2f} to {point.high:.2f}"
        memory = f"{bf16:.1f} -> {fp8:.1f}"
        times = f"{point.tokens:>8,} {point.bf16_ms:>9.1f} {point.fp8_ms:>9.1f} {point.speedup:>8.2f}x"
        bar = "#" * round(min(point.speedup, 2.5) * 12)
        lines.append(f"{times}  {spread:<12} {memory:<17} {point.bound:<7} {bar}")
    lines.append(f"{'':>8} a bar of 12 is BF16's speed; {_error(setup)}")
    return "\n".join(lines) + "\n"


def _title(model: ModelShape, setup: Setup) -> str:
    how = "measured and fitted" if setup.gpu.measured else "modeled from its datasheet, not measured"
    compiled = ", compiled" if setup.compiled else ", eager"
    what = "decoder layers, forward and backward" if setup.scope == "layers" else "whole model with head and optimizer"
    return f"{shown(model.name)} on {setup.gpu.name} ({how}), {setup.backend}{compiled}; {what}"


def _error(setup: Setup) -> str:
    if setup.gpu.fp8_tflops is None:
        return f"{setup.gpu.name} has no FP8"
    if setup.backend == "TE" and setup.gpu.measured and setup.scope == "layers":
        # tests/gpu/test_speed.py has these numbers, and what they are of.
        return (
            "error 5 % in the median of 196 measurements up to 16,384 tokens,\n"
            f"{'':>8} 13 % at most where it does not wait for launch, 67 % where it does; 99 % lie in the range"
        )
    return "the range is what the model states, not a measured error"


def _draw(path: str, model: ModelShape, setup: Setup, points: list[Point]) -> None:
    """A picture of the speed-up over tokens, with its range.

    Raises:
        UsageError: matplotlib is not installed, or there is nothing to draw.
        Unwritable: the file cannot be written.
    """
    import io

    try:
        import matplotlib
    except ImportError:
        raise UsageError("a picture needs matplotlib: pip install matplotlib") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    known = [point for point in points if point.speedup is not None]
    if not known:
        raise UsageError(f"{setup.gpu.name} has no FP8: there is nothing to draw")
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    tokens = [point.tokens for point in known]
    axes.fill_between(tokens, [p.low or 0.0 for p in known], [p.high or 0.0 for p in known], alpha=0.2)
    axes.plot(tokens, [point.speedup or 0.0 for point in known], marker="o")
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(tokens, [f"{number:,}" for number in tokens])
    axes.set_xlabel("tokens in a micro-batch")
    axes.set_ylabel("speed of FP8, BF16 = 1")
    axes.set_title(_title(model, setup), fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=144)
    pyplot.close(figure)
    writing.write(path, picture.getvalue())
