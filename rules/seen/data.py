"""What one probe, or one watched run, saw. None in a field: nobody saw it, which is never the same as "all is well"."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    # How a probe may end: with all stages gone through; with an exception of the run; at a limit of time; by a signal;
    # by itself and without an answer; or it was not run at all.
    End = Literal["done", "error", "hang", "killed", "no answer", "not run"]
    # What a probe does, in this order; "start" is what comes before the first.
    ProbeStage = Literal[
        "start",
        "import",
        "load",
        "device",
        "accelerator",
        "build",
        "prepare",
        "compile",
        "step",
        "time",
        "numerics",
        "ragged",
        "bf16",
        "collective",
    ]
    Scalar = bool | int | float | str

# Only the first says that all stages were gone through.
ENDS: tuple[End, ...] = ("done", "error", "hang", "killed", "no answer", "not run")

# The stages and what each does, in words.
STAGES: Mapping[ProbeStage, str] = {
    "start": "starting the interpreter",
    "import": "importing torch and the backend",
    "load": "loading the libraries of the GPU",
    "device": "looking at the GPU",
    "accelerator": "building Accelerator",
    "build": "building the layers",
    "prepare": "converting them in prepare()",
    "compile": "compiling",
    "step": "FP8 steps",
    "time": "timing FP8",
    "numerics": "comparing with FP32",
    "ragged": "the ragged last batch",
    "bf16": "timing BF16",
    "collective": "exchanging FP8 tensors with the other GPUs",
}


_OUT_OF_MEMORY = ("out of memory", "OutOfMemory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")


class Part(Record):
    """A part of what was seen."""

    def as_data(self) -> dict[str, object]:
        """As JSON has it."""
        return {name: plain(value) for name, value in self.as_dict().items()}


class RaisedError(Part):
    """An exception of the run. Its text is cut, and credentials in it are masked."""

    stage: ProbeStage
    type: str
    message: str

    @property
    def first_line(self) -> str:
        """The first line of its text; "" where it has none."""
        return next(iter(self.message.splitlines()), "")

    @property
    def is_out_of_memory(self) -> bool:
        """Whether memory was wanting, of the GPU or of the host."""
        text = f"{self.type} {self.message}"
        return self.type == "MemoryError" or any(mark in text for mark in _OUT_OF_MEMORY)


class Device(Part):
    """The GPU as torch sees it.

    Attributes:
        name: of the GPU; "CPU" where float8 is emulated, and then there is nothing else.
        compute_capability: "9.0".
        multiprocessors: their number.
        memory_mib, free_mib: memory in MiB, and how much of it was free before the model was built.
        cuda: the CUDA release that torch was built for.
        cudnn: the loaded cuDNN, as it tells its version: 91900 is 9.19.0.
        emulated: True on the CPU; None on a GPU.
    """

    name: str
    compute_capability: str | None = None
    multiprocessors: int | None = None
    memory_mib: int | None = None
    free_mib: int | None = None
    cuda: str | None = None
    cudnn: int | None = None
    emulated: bool | None = None

    def as_data(self) -> dict[str, object]:
        """As JSON has it."""
        if self.emulated is not None:
            return {"name": self.name, "emulated": self.emulated}
        return {name: value for name, value in self.as_dict().items() if name != "emulated"}


class AcceleratorState(Part):
    """What the Accelerator says of itself, in its own words.

    Attributes:
        mixed_precision: "fp8", "bf16", "fp16" or "no".
        fp8_enabled: None where this release of accelerate does not say.
        backend: "TE", "AO", "MSAMP" or "NO"; None where this release of accelerate does not say.
        distributed_type: "NO", "MULTI_GPU", "FSDP" ...
    """

    mixed_precision: str | None = None
    fp8_enabled: bool | None = None
    backend: str | None = None
    distributed_type: str | None = None


class Built(Part):
    """What was built of the run's model, as much of it as fits.

    Attributes:
        layers: decoder layers.
        vocab: rows of embedding and head.
        rows, columns: sequences in a micro-batch, and tokens in each.
        scaled: what differs from the run, in words.
    """

    layers: int
    vocab: int
    rows: int
    columns: int
    scaled: tuple[str, ...] = ()


class Layers(Part):
    """The Linear layers after prepare(), by who computes them.

    Attributes:
        te, torchao, msamp: converted by this backend.
        plain: left as torch's.
        total: all of them.
        left: some names of the plain ones.
    """

    te: int
    torchao: int
    msamp: int
    plain: int
    total: int
    left: tuple[str, ...] = ()


class Trainable(Part):
    """What trains.

    Attributes:
        trainable: number of values.
        trainable_tensors: number of parameters.
        tied: whether head and embedding are one parameter; None where one of them is not there.
    """

    trainable: int
    trainable_tensors: int | None = None
    tied: bool | None = None


class Parameters(Part):
    """The parameters before and after prepare(), and some names of those whose values are other ones afterward."""

    before: Trainable
    after: Trainable
    changed: tuple[str, ...] = ()


class Optimizer(Part):
    """The number of trainable parameters that the optimizer does not hold, and some of their names."""

    missing: int
    names: tuple[str, ...] = ()


class Autocast(Part):
    """Whether FP8 autocast was on where the converted layers ran.

    Attributes:
        layers_in_fp8: converted layers that ran with it; None where the backend would not say.
        layers_outside: some names of those that ran without.
    """

    layers_in_fp8: int | None
    layers_outside: tuple[str, ...] = ()


class HeldRecipe(Part):
    """The recipe object that the backend held while the layers ran.

    Attributes:
        class_name: of the object, "DelayedScaling" or "Float8LinearConfig"; None where it was not told.
        settings: its values, under the names that the prediction has for them.
    """

    class_name: str | None
    settings: Mapping[str, Scalar]

    @property
    def named(self) -> dict[str, Scalar]:
        """The class and all settings, by name."""
        return {**({"class": self.class_name} if self.class_name is not None else {}), **self.settings}

    def as_data(self) -> dict[str, object]:
        """As JSON has it: all in one object."""
        return dict(self.named)


class Kernels(Part):
    """The names of the GPU kernels of one step, each with how often it ran.

    Attributes:
        forward, backward: of this pass.
        nodes: the GEMM kernels of each layer's node in autograd, in their order and joined by "|".
        products: by pass, the FP8 products by their shapes, "rows x summed x columns"; empty where nobody noted them.
    """

    forward: Mapping[str, int]
    backward: Mapping[str, int]
    nodes: Mapping[str, int]
    products: Mapping[str, Mapping[str, int]] = {}

    def as_data(self) -> dict[str, object]:
        """As JSON has it: products where somebody noted them."""
        return {name: value for name, value in self.as_dict().items() if value or name != "products"}


class Gradients(Part):
    """The gradients of the first step.

    Attributes:
        without: trainable parameters that got none; `names` has some of them.
        not_finite: some names of parameters whose gradient is NaN or infinite.
        zeros: the share of zeros in the gradients of the layers' matrices, 0 to 1; None where these have none.
    """

    without: int | None = None
    names: tuple[str, ...] = ()
    not_finite: tuple[str, ...] = ()
    zeros: float | None = None


class Moved(Part):
    """Whether the weights train.

    Attributes:
        trainable: parameters that trained before prepare().
        moved: those of them that had moved after so many `steps`.
        stayed: some names of the others.
        unclear: how many of the others may be stepped all the same, and `why` that cannot be seen.
    """

    trainable: int
    moved: int
    stayed: tuple[str, ...] = ()
    steps: int | None = None
    unclear: int = 0
    why: str = ""

    def as_data(self) -> dict[str, object]:
        """As JSON has it: what is unclear where something is."""
        every = {name: plain(value) for name, value in self.as_dict().items()}
        return {name: value for name, value in every.items() if value or name not in ("unclear", "why")}


class OutputErrors(Part):
    """Relative errors of the output against FP32, by the Frobenius norm; None where one is no number."""

    fp8: float | None = None
    bf16: float | None = None


class LayerErrors(Part):
    """Relative errors of the layers' gradients against FP32, by the Frobenius norm.

    Attributes:
        median, worst: None where none of them is a number.
        name: of the parameter with the worst.
        broken: some names of those whose error is no number.
        missing: how many have a gradient in FP32 only.
    """

    median: float | None = None
    worst: float | None = None
    name: str | None = None
    broken: tuple[str, ...] = ()
    missing: int | None = None


class GradientErrors(Part):
    """The errors of the gradients, of the step in FP8 and of the same step in BF16."""

    fp8: LayerErrors
    bf16: LayerErrors


class Numerics(Part):
    """The step against the same one in FP32, over so many `tokens`."""

    output: OutputErrors
    gradients: GradientErrors
    tokens: int | None = None


class Time(Part):
    """Milliseconds of one micro-step, forward and backward.

    Attributes:
        ms: the median of the `repeats`.
        low, high: the shortest and the longest.
    """

    ms: float
    low: float
    high: float
    repeats: int | None = None


class Ragged(Part):
    """A step with the last batch of an epoch.

    Attributes:
        rows, columns: its sequences, and tokens in each.
        error: what it ended with; None where it went through.
    """

    rows: int
    columns: int
    error: RaisedError | None = None


class Seconds(Part):
    """Seconds from the start of the process.

    Attributes:
        imports: to the end of the imports; None where they did not end.
        total: to its end.
        stages: to the begin of each stage.
    """

    imports: float | None
    total: float | None
    stages: Mapping[ProbeStage, float]

    def as_data(self) -> dict[str, object]:
        """As JSON has it: all in one object."""
        return {"imports": self.imports, "total": self.total, **dict(self.stages.items())}


class Told(Part):
    """A share of the elements of FP8 gradients, layer by layer.

    Attributes:
        layers: that it was told of.
        median, worst: of the layers, 0 to 1; `name` has the worst one.
    """

    layers: int
    median: float
    worst: float
    name: str


class ToldGradients(Part):
    """What Transformer Engine told of the gradients that it cast to FP8; None of what it was not asked for.

    Attributes:
        zeros: elements that became zeros and were none.
        saturated: elements that did not fit.
    """

    zeros: Told | None = None
    saturated: Told | None = None


class Watched(Part):
    """What only a watched run has.

    Attributes:
        ranks: processes that train; `told`: how many of them told what they saw.
        first, last: the steps that were watched.
        step_ms: the time of a step, from one optimizer's step to the next.
        tokens: of a step, over all ranks and padding included; None where nothing was looked up.
        undecided: what could not be seen, in words.
        gradients: what the program had Transformer Engine tell of them (nvdlfw-inspect).
    """

    ranks: int
    told: int
    first: int
    last: int
    step_ms: Time | None = None
    tokens: int | None = None
    undecided: tuple[str, ...] = ()
    gradients: ToldGradients | None = None

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens a second, over all ranks."""
        if self.tokens is None or self.step_ms is None:
            return None
        return self.tokens / self.step_ms.ms * 1000


class Clocks(Part):
    """The GPU while it worked, as its driver says; None: it did not.

    Attributes:
        sm_mhz, memory_mhz: the clocks that it had.
        power_w: the power that it took, in watts.
        celsius: its temperature.
        held_by: what kept it from a higher clock.
    """

    sm_mhz: int | None = None
    memory_mhz: int | None = None
    power_w: int | None = None
    celsius: int | None = None
    held_by: tuple[str, ...] | None = None

    def as_data(self) -> dict[str, object]:
        """As JSON has it."""
        return {**self.as_dict(), "held_by": None if self.held_by is None else list(self.held_by)}


class Collective(Part):
    """The exchange of FP8 tensors and their largest values with the other GPUs of the node.

    Attributes:
        ranks: the processes that were to take part, one a GPU.
        missing: the places in the list of GPUs of those that did not come to it.
        why: what went wrong; "" where all came as it was sent.
    """

    ranks: int
    missing: tuple[int, ...] = ()
    why: str = ""

    def as_data(self) -> dict[str, object]:
        """As JSON has it."""
        return {**self.as_dict(), "missing": list(self.missing)}


class Seen(Record):
    """What one probe, or one watched run, saw.

    Attributes:
        watched: what only a watched run has; None of a probe.
        ended: how it ended.
        stage: the last stage that began.
        why: one sentence about an end that is not "done".
        emulated: on the CPU with torchao's emulation: proves conversion and numerics, not kernels or speed.
        error: the exception that ended it.
        importing: the package whose import was going on when it ended.
        packages: releases by name, as the training interpreter imports them.
        libraries: cuDNN and cuBLAS libraries that were loaded, by path.
        losses: of the steps; None in the place of one that is not finite.
        fp8_ms, bf16_ms: the time of a micro-step.
        fp8_gib, bf16_gib: peak memory of it in GiB; None without a GPU.
        clocks: while FP8 was timed; None where they were not asked.
        collective: only of a probe beside others; None where there was none.
        left_out: stages for which the time did not suffice.
        assumed: what of the run was not known and what was taken instead, in words.
        output: the end of what the process printed, credentials masked.
    """

    ended: End
    stage: ProbeStage | None = None
    why: str = ""
    emulated: bool = False
    watched: Watched | None = None
    error: RaisedError | None = None
    importing: str | None = None
    device: Device | None = None
    packages: Mapping[str, str] | None = None
    libraries: tuple[str, ...] | None = None
    accelerator: AcceleratorState | None = None
    built: Built | None = None
    layers: Layers | None = None
    parameters: Parameters | None = None
    optimizer: Optimizer | None = None
    autocast: Autocast | None = None
    recipe: HeldRecipe | None = None
    kernels: Kernels | None = None
    gradients: Gradients | None = None
    moved: Moved | None = None
    losses: tuple[float | None, ...] | None = None
    numerics: Numerics | None = None
    fp8_ms: Time | None = None
    bf16_ms: Time | None = None
    fp8_gib: float | None = None
    bf16_gib: float | None = None
    ragged: Ragged | None = None
    clocks: Clocks | None = None
    collective: Collective | None = None
    left_out: tuple[ProbeStage, ...] = ()
    assumed: tuple[str, ...] = ()
    seconds: Seconds | None = None
    output: str = ""

    @property
    def converted(self) -> int | None:
        """Linear layers that a backend converted; None where nobody counted."""
        return None if self.layers is None else self.layers.te + self.layers.torchao + self.layers.msamp

    @property
    def speed_up(self) -> float | None:
        """Measured BF16 time over FP8 time; None where it was not measured on a GPU."""
        if self.emulated or self.fp8_ms is None or self.bf16_ms is None or not self.fp8_ms.ms:
            return None
        return self.bf16_ms.ms / self.fp8_ms.ms

    @property
    def speed_range(self) -> tuple[float, float] | None:
        """The lowest and highest ratio that the spread of both times allows."""
        if self.speed_up is None or self.fp8_ms is None or self.bf16_ms is None:
            return None
        return self.bf16_ms.low / self.fp8_ms.high, self.bf16_ms.high / self.fp8_ms.low

    def as_data(self) -> dict[str, object]:
        """For a report's `probe`: every field, and the ratios."""
        data = {name: plain(value) for name, value in self.as_dict().items()}
        data["speedup"] = None if self.speed_up is None else round(self.speed_up, 3)
        data["converted"] = self.converted
        if self.watched is None:
            del data["watched"]
        for name in ("clocks", "collective"):
            if data[name] is None:
                del data[name]
        return data


def plain(value: object) -> object:
    """A field's value as JSON has it."""
    if isinstance(value, Part):
        return value.as_data()
    return list(value) if isinstance(value, tuple) else value
