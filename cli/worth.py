"""`fp8check worth MODEL|FILE...`: step time in BF16 and FP8, by tokens in a micro-batch. Works without a GPU.

Of a model it is the decoder layers, or all of it; of the files of a run it is the whole step of its trainer.
"""

from __future__ import annotations

import os

from fp8check.cli import options as groups
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import write_text
from fp8check.rules import models, writing
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.outcome import gpus, speed
from fp8check.rules.plain_text import plain, shown
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.cli.options import Options
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome.speed import Point, Setup
    from fp8check.rules.plain_text import Syntax

TOKENS = "512,1024,2048,4096,8192,16384"
LARGEST = 2**24
_OF_RUNS = (".yaml", ".yml", ".json", ".toml", ".sh", ".py")


def worth(argv: list[str]) -> int:
    """Print the table, or write it as JSON or as a picture."""
    options = parser().parse_args(argv)
    if _is_run(options):
        from fp8check.cli.worth_run import of_run

        model, setup, own, words, peaks = of_run(options)
        sizes = sorted({*_tokens(options.tokens), *([own] if own else [])})
        told = Told(model, setup, words, own, peaks)
    else:
        if len(options.files) != 1:
            raise UsageError("name one model, or the files of a run")
        model, setup = _model(options.files[0]), _setup(options)
        sizes, told = _tokens(options.tokens), Told(model, setup)
    _write(options, told, [speed.predict_point(model, tokens, setup) for tokens in sizes])
    return ExitCode.OK


class Told(Record):
    """What the points are of.

    Attributes:
        words: what the run is; "" of a model alone.
        own: the tokens of the run's micro-batch, where they are known; `peaks` what it takes in GiB, in BF16 and FP8.
    """

    model: ModelShape
    setup: Setup
    words: str = ""
    own: int | None = None
    peaks: tuple[float, float] | None = None


def _is_run(options: Options) -> bool:
    """Whether files of a run are named, and not a model."""
    names = [os.path.basename(name) for name in options.files]
    return bool(options.launch) or any(name.endswith(_OF_RUNS) and name != "config.json" for name in names)


def parser() -> Parser:
    """The options of the command."""
    parts = (groups.files, groups.run, groups.machine)
    about = """\
Step time in BF16 and FP8, by tokens in a micro-batch: of a model (a name on the hub, a folder, a config.json), or of
the files of a run, with all that its trainer's step has."""
    parser = Parser("fp8check worth", about, groups=parts)
    names = ", ".join(gpu.name for gpu in gpus.gpus())
    parser.add_argument("--gpu", help=f"one of {names} (that of the run, or H200)")
    parser.add_argument("--backend", type=str.upper, choices=("TE", "AO"), default="TE")
    parser.add_argument("--tokens", default=TOKENS, metavar="N,N,...", help="tokens in a micro-batch")
    parser.add_argument("--scope", choices=("model", "layers"), default="layers", help="model: with head and optimizer")
    parser.add_argument("--compile", action="store_true", help="under torch.compile (backend AO)")
    parser.add_argument("--format", "--output-format", choices=("text", "json", "png", "svg"), default="text")
    parser.add_argument("-o", "--out", metavar="FILE", help="where to write; needed for pictures")
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
    name = options.gpu or speed.default_gpu().name
    gpu = gpus.find(name)
    if gpu is None:
        raise UsageError(f"no GPU is called {name}; there are {', '.join(datasheet.name for datasheet in gpus.gpus())}")
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


def _write(options: Options, told: Told, points: list[Point]) -> None:
    if options.format in ("png", "svg"):
        if options.out is None:
            raise UsageError(f"a picture needs --out FILE.{options.format}")
        _draw(options.out, options.format, told, points)
        return
    text = _json(told, points) if options.format == "json" else _text(told, points)
    syntax: Syntax = "json" if options.format == "json" else "text"
    write_text(plain(text, syntax), options.out, syntax)


def _json(told: Told, points: list[Point]) -> str:
    import json

    rows = []
    for point in points:
        bf16, fp8 = _gib(told, point) or (None, None)
        rows.append({**point.as_dict(), "bf16_gib": bf16, "fp8_gib": fp8})
    setup = told.setup
    data = {
        "schema": "fp8check/worth/1",
        "model": told.model.name,
        "gpu": {"name": setup.gpu.name, "measured": setup.gpu.measured, "source": setup.gpu.source},
        "backend": setup.backend,
        "compiled": setup.compiled,
        "scope": "step" if told.words else setup.scope,
        **({"own_tokens": told.own, "launch_ms": setup.host} if told.words else {}),
        "points": [
            {name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()}
            for row in rows
        ],
    }
    return json.dumps(data, indent=2) + "\n"


def _gib(told: Told, point: Point) -> tuple[float, float | None] | None:
    """Peak memory in BF16 and in FP8, where it is known; None for FP8 where the GPU has none."""
    if told.words:
        return told.peaks if point.tokens == told.own else None
    bf16, fp8 = speed.memory_of(told.model, point.tokens, told.setup)
    return bf16, None if point.fp8_ms is None else fp8


def _text(told: Told, points: list[Point]) -> str:
    setup = told.setup
    lines = [
        _title(told),
        f"{'tokens':>8} {'BF16 ms':>9} {'FP8 ms':>9} {'speed-up':>9}  {'range':<12} {'GiB BF16 -> FP8':<17} waits for",
    ]
    for point in points:
        bf16, fp8 = _gib(told, point) or (None, None)
        if point.fp8_ms is None or point.speedup is None:
            lines.append(
                f"{point.tokens:>8,} {point.bf16_ms:>9.1f} {'-':>9} {'-':>9}  {'no FP8':<12} {bf16 or 0.0:<17.1f}"
            )
            continue
        spread = f"{point.low:.2f} to {point.high:.2f}"
        memory = "" if bf16 is None or fp8 is None else f"{bf16:.1f} -> {fp8:.1f}"
        times = f"{point.tokens:>8,} {point.bf16_ms:>9.1f} {point.fp8_ms:>9.1f} {point.speedup:>8.2f}x"
        bar = "#" * round(min(point.speedup, 2.5) * 12)
        own = "  as it is" if point.tokens == told.own else ""
        lines.append(f"{times}  {spread:<12} {memory:<17} {point.bound:<7} {bar}{own}")
    lines.append(f"{'':>8} a bar of 12 is BF16's speed; {_error(told)}")
    if told.words and told.own is None:
        lines.append(f"{'':>8} how many tokens its micro-batch has is not known")
    if told.words and setup.host is None:
        lines.append(f"{'':>8} how fast the host launches is not known: fp8check env --launch-cost --json measures it")
    return "\n".join(lines) + "\n"


def _title(told: Told) -> str:
    setup = told.setup
    how = "measured and fitted" if setup.gpu.measured else "modeled from its datasheet, not measured"
    compiled = ", compiled" if setup.compiled else ", eager"
    what = "decoder layers, forward and backward" if setup.scope == "layers" else "whole model with head and optimizer"
    name = shown(told.model.name)
    return f"{name} on {setup.gpu.name} ({how}), {setup.backend}{compiled}; {told.words or what}"


def _error(told: Told) -> str:
    setup = told.setup
    if setup.gpu.fp8_tflops is None:
        return f"{setup.gpu.name} has no FP8"
    if setup.backend == "TE" and setup.gpu.measured and setup.scope == "layers":
        # tests/gpu/test_speed.py has these numbers, and what they are of.
        return (
            "error 5 % in the median of 196 measurements up to 16,384 tokens,\n"
            f"{'':>8} 13 % at most where it does not wait for launch, 67 % where it does; 99 % lie in the range"
        )
    return "the range is what the model states, not a measured error"


def _draw(path: str, kind: str, told: Told, points: list[Point]) -> None:
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
        raise UsageError(f"{told.setup.gpu.name} has no FP8: there is nothing to draw")
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    tokens = [point.tokens for point in known]
    axes.fill_between(tokens, [p.low or 0.0 for p in known], [p.high or 0.0 for p in known], alpha=0.2)
    axes.plot(tokens, [point.speedup or 0.0 for point in known], marker="o")
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(tokens, [f"{number:,}" for number in tokens])
    axes.set_xlabel("tokens in a micro-batch")
    axes.set_ylabel("speed of FP8, BF16 = 1")
    axes.set_title(_title(told), fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format=kind, dpi=144)
    pyplot.close(figure)
    writing.write(path, picture.getvalue())
