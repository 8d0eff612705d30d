"""Watches the steps of a training from inside its process, and tells what it saw in a file that is written anew.

All of it hangs on two things that every program does: a backward pass, and an optimizer's step. A step of the training
ends where a backward pass follows an optimizer's step; before it there may be several of both.

| in step | done |
|---|---|
| 1 | the models are looked for; two numbers of each weight are taken before anything moves |
| 2 | behind the optimizer's step a profiler begins; it ends behind the next backward pass |
| 3 ... | losses and times |
| last | the numbers of the weights again: what has moved, and why not |

A step that a CUDA graph captures is not touched, nor one that the program profiles itself.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

import torch

from . import device, inspect_model, installed, kernels, products, told_gradients, training

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

PROFILED_AFTER = 2  # the optimizer's step behind which the profiler begins
BEAT_S = 0.5
SETTLED = 10  # steps after which the time of a step is that of the others
LONGEST = 8  # times as many steps as wanted, where the program's own profiler is in the way
COMPARED = 32  # weights that are looked at to learn whether anything is stepped
LINE = re.compile(rb"(USDT|STAGE|INFO|WARNING|ERROR):\s*\d{4}-\d\d-\d\d ")  # of Kineto, the profiler's library
MOST_PASSES = 1024  # of a trial without a step of an optimizer
LOOKED_AT = (2, 4, 8, 16, 32, 64, 128)  # backward passes without a step of an optimizer


class Watcher:
    """What one process sees. Everything begins anew with each look, and in a forked child."""

    def __init__(self, folder: str, settings: dict[str, Any]) -> None:
        self._folder = folder
        self._settings = settings
        self._beaten = float("-inf")
        self.profiling = False  # whether a profiler of ours begins or ends right now
        self._gradients = told_gradients.Listener()
        self.begin_anew()

    def begin_anew(self) -> None:
        """As if nothing had happened."""
        self.finished = False
        self._profiled = False  # and what that left in the process is still there
        self._look = 0
        self._step = 1  # that is going on
        self._passes = self._groups = self._groups_before = 0  # of this step; and of the last one
        self._stepping = False  # whether an optimizer's step has begun that has not ended
        self._closures = False  # whether passes are made within them
        self._theirs = False  # whether the program's own profiler is on
        self._begin_look()

    def _begin_look(self) -> None:
        self._gradients.leave()
        self._gradients = told_gradients.Listener()
        self._first, self._last = self._step, self._step + self._settings["steps"] - 1
        self._found: training.Found | None = None
        self._parameters: dict[str, Any] = {}
        self._before: dict[str, Any] | None = None
        self._compared: dict[str, Any] = {}
        self._after: dict[str, Any] | None = None
        self._stepped = training.Stepped()
        self._all_passes = self._all_groups = 0
        self._inside: bool | None = None  # whether optimizers step within the backward pass
        self._alone = False  # weights move, and no optimizer was seen to step
        self._profile: Any = None
        self._forward: Any = None
        self._losses: list[list[Any]] = []
        self._times: list[tuple[int, float]] = []
        self._disturbed: set[int] = set()
        self._told: dict[str, Any] = {}
        self._undecided: dict[str, None] = {}
        self._gave_way = self._theirs
        self._unread = False  # whether a loss could not be taken

    # What happens in the program.

    def backward_begins(self, tensors: Any) -> None:
        """A backward pass begins that is part of no other."""
        if self._captured():
            return
        self._beat()
        if self._stepping and not self._inside and _within_a_step():
            self._closures = True
        elif self._groups or self._alone:
            self._next_step()
        self._passes += 1
        self._all_passes += 1
        if self._settings["trial"]:
            self._is_tried()
        if self._waits():
            return
        self._note_loss(tensors)
        self._gradients.listen()
        if self._found is None:
            self._find()
        if self._profile is not None and self._forward is None:
            self._turn_profile()
        # Twice: walking through all modules takes milliseconds, which the time of a step would have.
        if self._step in (self._first + 1, self._last):
            self._read_layers()
        if self._inside or self._alone:
            self._between()
        elif not self._all_groups and self._all_passes in LOOKED_AT:
            self._look_for_movement()

    def _is_tried(self) -> None:
        """Raise where a trial may leave something behind, or would not come to an end."""
        on = sys.modules["fp8check_trial"].left_on() if self._all_passes == 1 else []
        if on:
            raise RuntimeError(f"{', '.join(on)}: what they save is not switched off")
        if self._passes > MOST_PASSES:
            raise RuntimeError(f"no optimizer's step in {MOST_PASSES} backward passes")

    def backward_ends(self, went: bool) -> None:
        """It has ended; `went` where it raised nothing."""
        if self._captured() or self._waits():
            return
        if self._found is not None and self._step <= self._last:
            self._say_of_others(self._found.awake())
        if self._profile is not None and self._forward is not None:
            self._end_profile(went)
        elif (self._inside or self._alone) and self._step - self._first >= PROFILED_AFTER - 1:
            self._begin_profile()

    def step_begins(self, optimizer: Any, inside: bool) -> None:
        """An optimizer's step begins, maybe within a backward pass."""
        if self._captured():
            return
        self._stepping = True
        if self._closures and self._groups:
            self._next_step()
        self._groups += 1
        self._all_groups += 1
        if self._alone:  # weights moved before: a compiled optimizer and an eager one
            self._alone = False
        if self._inside is None:
            self._inside = inside
        if self._groups == 1:
            self._times.append((self._step, time.perf_counter()))
        if self._waits():
            return
        if self._step <= self._last:
            self._stepped.note(optimizer)
        if self._groups == 1 and not self._inside:
            self._between()

    def step_ended(self, optimizer: Any) -> None:
        """It has ended: of all those in this step it may be the last."""
        del optimizer
        self._stepping = False
        if self._captured() or self._waits() or self._inside:
            return
        if self._groups == 1 and self._step - self._first >= PROFILED_AFTER - 1:
            self._begin_profile()
        is_last = self._groups == self._groups_before
        if is_last and self._step >= self._last and self._settings["every"] is None:
            self._finish(self._step)

    def program_ends(self) -> None:
        """The interpreter ends: what was not seen until now is not seen."""
        if self._waits() or self._captured() or not self._all_passes:
            return
        self._drop_profile()
        steps = self._step if self._groups or self._alone else self._step - 1
        if self._look and steps < self._last:  # the looks before it were whole, and of this one there is too little
            self.finished = True
            return
        if steps < self._last:
            wanted = self._last - self._first + 1
            self._undecided[f"the program ended when {steps - self._first + 1} of {wanted} steps had been seen"] = None
        self._finish(steps, early=True)

    def their_profiler_begins(self) -> None:
        """The program starts a profiler: ours makes room for it."""
        self._drop_profile()
        self._theirs = self._gave_way = True
        self._disturbed.add(self._step)

    def their_profiler_ends(self) -> None:
        """Its profiler has ended."""
        self._theirs = False

    def failed(self, error: Exception) -> None:
        """Something here went wrong: the program goes on without."""
        self.finished = True
        is_ours = self._profile is not None
        with contextlib.suppress(Exception):
            self._drop_profile()
            self._detach()
        # Whatever its stop() came to: an interpreter that ends while a profiler records may crash.
        if is_ours and torch._C._autograd._profiler_enabled():
            torch._C._autograd._disable_profiler()
        self._undecided[f"the watcher failed: {type(error).__name__}: {error}"[:300]] = None
        self._write(final=True)

    def let_go(self) -> None:
        """Hold nothing of the program's: its models and optimizers are to go when it lets them go."""
        self.finished = True
        self._begin_look()

    # How far it is.

    def _waits(self) -> bool:
        """Whether the next look has not begun."""
        return self._step < self._first

    def _next_step(self) -> None:
        self._groups_before, self._groups, self._passes = self._groups, 0, 0
        self._step += 1

    def _between(self) -> None:
        """No weight moves right now, and all of them are as they are between steps."""
        if self._blocked():
            self._disturbed.add(self._step)
            return
        if self._found is None:
            self._find()
        if self._before is None:
            self._take_before()
        elif self._step > self._last or (self._step == self._last and not self._settings["every"] and self._alone):
            self._finish(self._step - 1)

    def _blocked(self) -> bool:
        """Whether nothing may be computed now, for the program counts what is."""
        return self._theirs or torch._C._len_torch_dispatch_stack() > 0

    def _captured(self) -> bool:
        if not (torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()):
            return False
        self._undecided["steps are captured into a CUDA graph, whose replays nobody sees from Python"] = None
        return True

    def _beat(self) -> None:
        """Say that this process is alive."""
        now = time.monotonic()
        if not self._waits() and now - self._beaten >= BEAT_S:
            self._beaten = now
            path = os.path.join(self._folder, "beats", str(os.getpid()))
            with open(path, "w", encoding="ascii") as file:
                file.write(str(self._step))

    # What is looked at.

    def _find(self) -> None:
        self._found = training.find()
        self._parameters = self._found.parameters()
        self._disturbed.add(self._step)

    def _take_before(self) -> None:
        found = self._found
        if found is None:
            return
        if not found.roots:
            self._undecided["no module that trains is among what Python's garbage collector knows of"] = None
            return
        if self._stepped.with_gradient - {id(one) for one in found.parameters().values()}:
            found = self._found = training.find()  # the first backward pass was another's
        training.chosen(found, self._stepped.held)
        self._parameters = found.parameters()
        with _aside():
            self._before = training.marks(self._parameters)
        self._first_marked = self._step
        self._disturbed.add(self._step)
        self._told.update(self._state(found))
        self._write()

    def _state(self, found: training.Found) -> dict[str, Any]:
        modules = found.modules()
        kinds = {name: inspect_model.kind(module) for name, module in modules.items()}
        counts = {one: sum(kind == one for kind in kinds.values()) for one in ("te", "torchao", "msamp", "plain")}
        left = [name for name, kind in kinds.items() if kind == "plain"]
        layers = {**counts, "total": sum(counts.values()), "left": left[: inspect_model.LISTED]}
        accelerator = None if found.accelerator is None else inspect_model.accelerator(found.accelerator)
        return {"layers": layers, "accelerator": accelerator, "models": [type(one).__name__ for one in found.roots]}

    def _read_layers(self) -> None:
        """What the converted layers say of the forward pass that has just ended."""
        if self._found is None or self._step > self._last:
            return
        modules = self._found.modules()
        inside, outside, recipes = training.te_in_fp8(modules)
        torchao = {name: one for name, one in modules.items() if inspect_model.kind(one) == "torchao"}
        for one in torchao.values():
            recipe = inspect_model.torchao_recipe(one.config)
            if recipe not in recipes:
                recipes.append(recipe)
        if inside or outside or torchao:
            names = outside[: inspect_model.LISTED]
            self._told["autocast"] = {"layers_in_fp8": len(inside) + len(torchao), "layers_outside": names}
        if recipes:
            self._told["recipe"] = recipes[0]
        if len(recipes) > 1:
            self._told["recipes"] = recipes

    def _note_loss(self, tensors: Any) -> None:
        """What the backward pass begins with, where that is one number; it is read when the look ends."""
        every = [tensors] if isinstance(tensors, torch.Tensor) else list(tensors or ())
        if (
            self._step > self._last
            or len(every) != 1
            or not isinstance(every[0], torch.Tensor)
            or every[0].numel() != 1
        ):
            return
        while len(self._losses) <= self._step - self._first:
            self._losses.append([])
        if torch._C._len_torch_dispatch_stack():
            self._unread = True  # whatever is done with it would be counted
            return
        with _aside():
            loss = every[0].data
            if not self._theirs:
                # A program may write into it again, as a replayed graph does.
                loss = inspect_model.local(loss).clone()
            self._losses[self._step - self._first].append(loss)

    def _say_of_others(self, names: list[str]) -> None:
        for name in names:
            self._undecided[f"{name} has gradients as well, and was not looked at: it came later, or has turns"] = None

    def _look_for_movement(self) -> None:
        """Whether weights move though no optimizer was seen to step: a compiled one, or none of torch's."""
        if self._blocked() or self._found is None:
            return
        names = list(self._parameters)[:: max(1, len(self._parameters) // COMPARED)]
        with _aside():
            now = training.marks({name: self._parameters[name] for name in names})
        if not self._compared:
            self._compared = now
        elif now != self._compared:
            self._alone = True
            self._first, self._step = 1, 1
            self._last = self._settings["steps"]
            self._undecided["weights move, and no optimizer's step was seen: a compiled one, or none of torch's"] = None
            self._between()

    # The profiler.

    def _begin_profile(self) -> None:
        if self._profile is not None or "kernels" in self._told or self._blocked() or self._step > self._last:
            return
        if torch.autograd.profiler._is_profiler_enabled:
            return
        self._disturbed.update((self._step, self._step + 1))
        device.wait()
        self._profile = self._started()

    def _started(self) -> Any:
        self.profiling = self._profiled = True
        try:
            with _quiet():
                profile = kernels.profiler(shapes=True)
                profile.start()
            return profile
        finally:
            self.profiling = False

    def _stopped(self, profile: Any) -> Any:
        self.profiling = True
        try:
            with _quiet():
                profile.stop()
            return profile
        finally:
            self.profiling = False

    def _turn_profile(self) -> None:
        """The forward pass has ended."""
        device.wait()
        self._forward = self._stopped(self._profile)
        self._profile = self._started()

    def _end_profile(self, went: bool) -> None:
        device.wait()
        backward, self._profile = self._stopped(self._profile), None
        forward, self._forward = self._forward, None
        if not went:
            return
        with _quiet():
            self._told["kernels"] = {**kernels.told(forward, backward), **products.told(forward, backward)}
            self._told["tokens"] = products.tokens(forward)
        self._detach()
        self._told["profiled"] = self._step
        self._write()

    def _detach(self) -> None:
        """The profiler's library leaves as well; where the program has profiled, it was there before."""
        if not self._profiled or self._gave_way or self._blocked() or torch.autograd.profiler._is_profiler_enabled:
            return
        self._profiled = False
        self.profiling = True
        try:
            with _quiet(), _aside():
                kernels.let_go()
        finally:
            self.profiling = False

    def _drop_profile(self) -> None:
        profile, self._profile, self._forward = self._profile, None, None
        if profile is not None:
            self._stopped(profile)

    # The end of a look.

    def _finish(self, last: int, *, early: bool = False) -> None:
        """The look has ended, after step `last`."""
        if not early and self._is_postponed():
            self._last += 1
            return
        if not early:  # else the process ends
            self._drop_profile()
            self._detach()
        if self._before is not None and self._found is not None and last >= self._first_marked and not self._blocked():
            with _aside():
                after = training.marks(self._parameters)
            self._told["weights"] = training.told(self._found, self._parameters, self._before, after, self._stepped)
            self._say_of_others(training.others(self._found, self._parameters, self._stepped))
        if "kernels" not in self._told and self._gave_way:
            self._undecided["the program's own profiler was on, and there is one a process"] = None
        self._told["last"] = last
        recipe = self._told.get("recipe")
        self._told["told_gradients"] = self._gradients.told(None if recipe is None else recipe.get("class"))
        self._write(final=True)
        self._look += 1
        every = self._settings["every"]
        if early or every is None:
            self.finished = True
            return
        self._begin_look()
        self._first = max(self._step + 1, (last // every + 1) * every)
        self._last = self._first + self._settings["steps"] - 1

    def _is_postponed(self) -> bool:
        """Whether the program looks at itself right now: it may have done with that in some steps."""
        busy: bool = self._blocked() or torch.autograd.profiler._is_profiler_enabled
        return busy and self._last - self._first < LONGEST * self._settings["steps"]

    def _write(self, *, final: bool = False) -> None:
        """Tell all that is known until now, whole or not at all."""
        rank, world = _rank()
        last = self._told.get("last", self._step)
        told = {
            "pid": os.getpid(),
            "rank": rank,
            "world": world,
            "look": self._look,
            "final": final,
            "steps": [self._first, last],
            **self._told,
            "losses": [_added(passes) for passes in self._losses] if final and not self._unread else [],
            "ms": self._intervals(),
            "passes": max((len(passes) for passes in self._losses), default=0),
            "peak_gib": device.peak_gib() if torch.cuda.is_available() and torch.cuda.is_initialized() else None,
            "device": self._device(),
            "packages": installed.releases() if final else None,
            "undecided": list(self._undecided),
        }
        path = os.path.join(self._folder, "ranks", f"{rank}-{os.getpid()}-{self._look}.json")
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(told, file, default=str)
        os.replace(path + ".part", path)

    def _device(self) -> dict[str, Any]:
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            return device.of_this_process()
        return {"name": "CPU", "emulated": True}

    def _intervals(self) -> list[float]:
        """Milliseconds from one step's optimizer to the next one's, where nothing was done here between them.

        Where many steps are watched, the first of them do not count: kernels are compiled and tuned, memory is found.
        """
        settled = SETTLED if self._settings["steps"] >= 2 * SETTLED else 0
        times = [one for one in self._times if one[0] >= self._first + settled]
        pairs = itertools.pairwise(times)
        return [
            round((end - begin) * 1000, 3)
            for (before, begin), (after, end) in pairs
            if after == before + 1 and not {before, after} & self._disturbed
        ]


def _rank() -> tuple[int, int]:
    """The rank of this process and the number of ranks, by what is known here: nobody is asked."""
    group = torch.distributed
    if group.is_available() and group.is_initialized():
        return group.get_rank(), group.get_world_size()
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def _within_a_step() -> bool:
    """Whether an optimizer's step is below on the stack: one that has begun may have ended with an exception."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "wrapper" and frame.f_globals.get("__name__") == "torch.optim.optimizer":
            return True
        frame = frame.f_back
    return False


def _added(passes: list[Any]) -> float | None:
    """The loss of a step: what its backward passes began with, added up as their gradients are; None if not finite."""
    value = sum(float(one) for one in passes)
    return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124  NaN


@contextlib.contextmanager
def _aside() -> Iterator[None]:
    """Compute something of our own: no graph is recorded, and no mode of the program's sees it."""
    with torch.no_grad(), torch._C.DisableTorchFunction():
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the profiler says of itself: warnings, and the lines of its library on standard error."""
    with warnings.catch_warnings(), _without_lines():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _without_lines() -> Iterator[None]:
    """What comes on standard error meanwhile comes a moment later, without the library's lines."""
    if not hasattr(os, "memfd_create"):
        yield
        return
    kept, real = os.memfd_create("fp8check"), os.dup(2)
    try:
        os.dup2(kept, 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
        lines = os.pread(kept, os.fstat(kept).st_size, 0).splitlines(keepends=True)
        others = b"".join(line for line in lines if LINE.match(line) is None)
        if others:
            os.write(2, others)
    finally:
        os.close(real)
        os.close(kept)
