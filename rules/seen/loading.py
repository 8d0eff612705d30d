"""What was seen, from the plain data of a report's `probe` or of the probe's process."""

from __future__ import annotations

from fp8check.rules.seen import data as types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeGuard, TypeVar

    T = TypeVar("T")
    Word = TypeVar("Word", bound=str)

_SHOWN = 60  # characters of a value, for a message


def from_data(data: Mapping[str, object]) -> types.Seen:
    """What was seen, from plain data. A key that is not known is not read; one that is not there was not seen.

    Raises:
        ValueError: a value is not what it has to be; the text names its place.
    """
    top = _Object(data, "")
    return types.Seen(
        ended=top.one_of("ended", types.ENDS),
        stage=top.stage_or_none("stage"),
        why=top.text_or_none("why") or "",
        emulated=top.switch_or_none("emulated") or False,
        watched=top.part("watched", _watched),
        error=top.part("error", _error),
        importing=top.text_or_none("importing"),
        device=top.part("device", _device),
        packages=top.part("packages", lambda part: {name: part.text(name) for name in part.names}),
        libraries=top.texts("libraries"),
        accelerator=top.part("accelerator", _accelerator),
        built=top.part("built", _built),
        layers=top.part("layers", _layers),
        parameters=top.part("parameters", _parameters),
        optimizer=top.part("optimizer", lambda part: types.Optimizer(part.count("missing"), part.some("names"))),
        autocast=top.part("autocast", _autocast),
        recipe=top.part("recipe", _recipe),
        kernels=top.part("kernels", _kernels),
        gradients=top.part("gradients", _gradients),
        moved=top.part("moved", _moved),
        losses=top.numbers("losses"),
        numerics=top.part("numerics", _numerics),
        fp8_ms=top.part("fp8_ms", _time),
        bf16_ms=top.part("bf16_ms", _time),
        fp8_gib=top.number_or_none("fp8_gib"),
        bf16_gib=top.number_or_none("bf16_gib"),
        ragged=top.part("ragged", _ragged),
        clocks=top.part("clocks", _clocks),
        collective=top.part("collective", _collective),
        left_out=top.stages("left_out"),
        assumed=top.some("assumed"),
        seconds=top.part("seconds", _seconds),
        output=top.text_or_none("output") or "",
    )


def _error(part: _Object) -> types.RaisedError:
    return types.RaisedError(part.one_of("stage", types.STAGES), part.text("type"), part.text("message"))


def _device(part: _Object) -> types.Device:
    return types.Device(
        name=part.text("name"),
        compute_capability=part.text_or_none("compute_capability"),
        multiprocessors=part.count_or_none("multiprocessors"),
        memory_mib=part.count_or_none("memory_mib"),
        free_mib=part.count_or_none("free_mib"),
        cuda=part.text_or_none("cuda"),
        cudnn=part.count_or_none("cudnn"),
        emulated=part.switch_or_none("emulated"),
    )


def _accelerator(part: _Object) -> types.AcceleratorState:
    return types.AcceleratorState(
        mixed_precision=part.text_or_none("mixed_precision"),
        fp8_enabled=part.switch_or_none("fp8_enabled"),
        backend=part.text_or_none("backend"),
        distributed_type=part.text_or_none("distributed_type"),
    )


def _built(part: _Object) -> types.Built:
    return types.Built(
        layers=part.count("layers"),
        vocab=part.count("vocab"),
        rows=part.count("rows"),
        columns=part.count("columns"),
        scaled=part.some("scaled"),
    )


def _layers(part: _Object) -> types.Layers:
    return types.Layers(
        te=part.count("te"),
        torchao=part.count("torchao"),
        msamp=part.count("msamp"),
        plain=part.count("plain"),
        total=part.count("total"),
        left=part.some("left"),
    )


def _parameters(part: _Object) -> types.Parameters:
    before, after = part.needed("before", _trainable), part.needed("after", _trainable)
    return types.Parameters(before, after, part.some("changed"))


def _trainable(part: _Object) -> types.Trainable:
    return types.Trainable(
        trainable=part.count("trainable"),
        trainable_tensors=part.count_or_none("trainable_tensors"),
        tied=part.switch_or_none("tied"),
    )


def _autocast(part: _Object) -> types.Autocast:
    return types.Autocast(part.count_or_none("layers_in_fp8"), part.some("layers_outside"))


def _recipe(part: _Object) -> types.HeldRecipe:
    settings = {name: part.scalar(name) for name in part.names if name != "class"}
    return types.HeldRecipe(part.text_or_none("class"), settings)


def _kernels(part: _Object) -> types.Kernels:
    return types.Kernels(
        forward=part.needed("forward", _counts),
        backward=part.needed("backward", _counts),
        nodes=part.needed("nodes", _counts),
        products=part.part("products", lambda passes: {name: passes.needed(name, _counts) for name in passes.names})
        or {},
    )


def _counts(part: _Object) -> dict[str, int]:
    return {name: part.count(name) for name in part.names}


def _gradients(part: _Object) -> types.Gradients:
    return types.Gradients(
        without=part.count_or_none("without"),
        names=part.some("names"),
        not_finite=part.some("not_finite"),
        zeros=part.number_or_none("zeros"),
    )


def _moved(part: _Object) -> types.Moved:
    return types.Moved(
        trainable=part.count("trainable"),
        moved=part.count("moved"),
        stayed=part.some("stayed"),
        steps=part.count_or_none("steps"),
        unclear=part.count_or_none("unclear") or 0,
        why=part.text_or_none("why") or "",
    )


def _numerics(part: _Object) -> types.Numerics:
    return types.Numerics(
        output=part.needed("output", _output_errors),
        gradients=part.needed("gradients", _gradient_errors),
        tokens=part.count_or_none("tokens"),
    )


def _output_errors(part: _Object) -> types.OutputErrors:
    return types.OutputErrors(fp8=part.number_or_none("fp8"), bf16=part.number_or_none("bf16"))


def _gradient_errors(part: _Object) -> types.GradientErrors:
    return types.GradientErrors(fp8=part.needed("fp8", _layer_errors), bf16=part.needed("bf16", _layer_errors))


def _layer_errors(part: _Object) -> types.LayerErrors:
    return types.LayerErrors(
        median=part.number_or_none("median"),
        worst=part.number_or_none("worst"),
        name=part.text_or_none("name"),
        broken=part.some("broken"),
        missing=part.count_or_none("missing"),
    )


def _time(part: _Object) -> types.Time:
    return types.Time(
        ms=part.above_zero("ms"),
        low=part.above_zero("low"),
        high=part.above_zero("high"),
        repeats=part.count_or_none("repeats"),
    )


def _watched(part: _Object) -> types.Watched:
    return types.Watched(
        ranks=part.count("ranks"),
        told=part.count("told"),
        first=part.count("first"),
        last=part.count("last"),
        step_ms=part.part("step_ms", _time),
        tokens=part.count_or_none("tokens"),
        undecided=part.some("undecided"),
        gradients=part.part(
            "gradients", lambda told: types.ToldGradients(told.part("zeros", _told), told.part("saturated", _told))
        ),
    )


def _told(part: _Object) -> types.Told:
    return types.Told(part.count("layers"), part.number("median"), part.number("worst"), part.text("name"))


def _ragged(part: _Object) -> types.Ragged:
    return types.Ragged(part.count("rows"), part.count("columns"), part.part("error", _error))


def _clocks(part: _Object) -> types.Clocks:
    return types.Clocks(
        sm_mhz=part.count_or_none("sm_mhz"),
        memory_mhz=part.count_or_none("memory_mhz"),
        power_w=part.count_or_none("power_w"),
        celsius=part.count_or_none("celsius"),
        held_by=part.texts("held_by"),
    )


def _collective(part: _Object) -> types.Collective:
    return types.Collective(part.count("ranks"), part.counts("missing"), part.text_or_none("why") or "")


def _seconds(part: _Object) -> types.Seconds:
    return types.Seconds(
        imports=part.number_or_none("imports"),
        total=part.number_or_none("total"),
        stages={stage: part.number(stage) for stage in types.STAGES if stage in part.names},
    )


class _Object:
    """An object of JSON, whose values are taken out by type; the first that does not fit is named with its place."""

    def __init__(self, data: Mapping[str, object], place: str) -> None:
        self._data = data
        self._place = place

    @property
    def names(self) -> tuple[str, ...]:
        """The keys."""
        return tuple(self._data)

    def part(self, name: str, read: Callable[[_Object], T]) -> T | None:
        """An object within, read by that function; None where it is not there."""
        return None if self._data.get(name) is None else self.needed(name, read)

    def needed(self, name: str, read: Callable[[_Object], T]) -> T:
        """An object within, that has to be there."""
        value = self._data.get(name)
        if not isinstance(value, dict):
            raise self._wrong("an object", name)
        return read(_Object(value, f"{self._place}/{name}"))

    def text(self, name: str) -> str:
        """A text."""
        value = self._data.get(name)
        if not isinstance(value, str):
            raise self._wrong("a text", name)
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text; None where it is not there."""
        return None if self._data.get(name) is None else self.text(name)

    def one_of(self, name: str, words: Iterable[Word]) -> Word:
        """One of these words."""
        value = self._data.get(name)
        found = next((word for word in words if word == value), None)
        if found is None:
            raise self._wrong(f"one of {', '.join(words)}", name)
        return found

    def stage_or_none(self, name: str) -> types.ProbeStage | None:
        """A stage; None where it is not there."""
        return None if self._data.get(name) is None else self.one_of(name, types.STAGES)

    def switch_or_none(self, name: str) -> bool | None:
        """True or false; None where it is not there."""
        value = self._data.get(name)
        if value is not None and not isinstance(value, bool):
            raise self._wrong("true or false", name)
        return value

    def count(self, name: str) -> int:
        """A whole number from 0."""
        value = self._data.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._wrong("a whole number from 0", name)
        return value

    def count_or_none(self, name: str) -> int | None:
        """A whole number from 0; None where it is not there."""
        return None if self._data.get(name) is None else self.count(name)

    def number(self, name: str) -> float:
        """A number that is finite."""
        value = self._data.get(name)
        if not _is_number(value):
            raise self._wrong("a number", name)
        return value

    def above_zero(self, name: str) -> float:
        """A number above 0: something is divided by it."""
        value = self.number(name)
        if value <= 0:
            raise self._wrong("a number above 0", name)
        return value

    def number_or_none(self, name: str) -> float | None:
        """A number that is finite; None where it is not there."""
        return None if self._data.get(name) is None else self.number(name)

    def numbers(self, name: str) -> tuple[float | None, ...] | None:
        """A list of numbers, with null in the place of one that is not finite; None where it is not there."""
        return self._each(name, _Object.number_or_none)

    def counts(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers from 0; none of them where it is not there."""
        return self._each(name, _Object.count) or ()

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of texts; None where it is not there."""
        return self._each(name, _Object.text)

    def some(self, name: str) -> tuple[str, ...]:
        """A list of texts; none of them where it is not there."""
        return self.texts(name) or ()

    def stages(self, name: str) -> tuple[types.ProbeStage, ...]:
        """A list of stages; none of them where it is not there."""
        return self._each(name, lambda items, place: items.one_of(place, types.STAGES)) or ()

    def _each(self, name: str, take: Callable[[_Object, str], T]) -> tuple[T, ...] | None:
        value = self._data.get(name)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            raise self._wrong("a list", name)
        items = _Object({str(place): item for place, item in enumerate(value)}, f"{self._place}/{name}")
        return tuple(take(items, place) for place in items.names)

    def scalar(self, name: str) -> types.Scalar:
        """A text, a number, true or false."""
        value = self._data.get(name)
        if not isinstance(value, (bool, int, float, str)):
            raise self._wrong("a text, a number, true or false", name)
        return value

    def _wrong(self, expected: str, name: str) -> ValueError:
        value = repr(self._data.get(name))
        shown = value if len(value) <= _SHOWN else value[: _SHOWN - 3] + "..."
        return ValueError(f"what was seen: {self._place}/{name} takes {expected}, not {shown}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
