"""How the watcher gets into a program, and out of it again: nothing of the program's own is changed.

- torch.autograd.backward is wrapped: every backward pass of a program goes through it.
- Every optimizer calls the hooks that torch keeps for all of them, before and after its step.
- The functions that start a profiler are wrapped: there is one profiler a process, and the program's comes first.

No module gets a hook. What is done here is not traced by torch.compile, and an exception of it goes nowhere.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import torch

from . import watcher

if TYPE_CHECKING:
    from collections.abc import Callable

PROFILERS = ("_prepare_profiler", "_enable_profiler")
_eval_frame: Any = torch._C._dynamo.eval_frame


class Watching:
    """The watcher of this process, and what leads to it.

    Attributes:
        depth: backward passes that are going on: a checkpoint makes one within another.
        aside: whether the watcher has stepped aside: from then on nothing is done, and the next backward pass finds
            torch as it was.
    """

    def __init__(self, folder: str, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.settings = settings
        self.depth = 0
        self.aside = False
        self._busy = self._ends = False
        self._undo: list[Callable[[], None]] = []
        self._hooks: list[Any] = []
        self.watcher = watcher.Watcher(folder, settings)

    def quietly(self, do: Callable[..., Any], *given: Any) -> None:
        """Do it; torch.compile does not look at it, and the program does not learn what goes wrong in it."""
        if self.aside or self._busy:
            return
        self._busy = True
        callback = _eval_frame.set_eval_frame(None)
        try:
            do(*given)
            if self.watcher.finished:
                self.step_aside()
        except Exception as error:  # noqa: BLE001  see enter() of fp8check_watch
            self._fail(error)
        finally:
            _eval_frame.set_eval_frame(callback)
            self._busy = False
        if self.aside and self.settings["trial"] and not self._ends:
            _wait_for_the_end()

    def _fail(self, error: Exception) -> None:
        with contextlib.suppress(Exception):  # the folder of the run may be gone, or full
            self.watcher.failed(error)
        self.step_aside()

    def install(self) -> None:
        """Wrap, and hook."""
        for function in (Watching.quietly, Watching._before, Watching._after):
            _skip(function)
        self._wrap_backward()
        from torch.optim import optimizer

        self._hooks = [
            optimizer.register_optimizer_step_pre_hook(self._before),
            optimizer.register_optimizer_step_post_hook(self._after),
        ]
        for name in PROFILERS:
            self._wrap_profiler(name, self.watcher.their_profiler_begins)
        self._wrap_profiler("_disable_profiler", self.watcher.their_profiler_ends)
        atexit.register(self._end)
        os.register_at_fork(after_in_child=self._forked)

    def _wrap_backward(self) -> None:
        original: Any = torch.autograd.backward

        @functools.wraps(original)
        def backward(*given: Any, **named: Any) -> Any:
            if self.aside:
                self._leave()
                return original(*given, **named)
            self.depth += 1
            went = False
            if self.depth == 1:
                self.quietly(self.watcher.backward_begins, given[0] if given else named.get("tensors"))
            try:
                result = original(*given, **named)
                went = True
                return result
            finally:
                self.depth -= 1
                if self.depth == 0:
                    self.quietly(self.watcher.backward_ends, went)

        self._put(torch.autograd, "backward", original, backward)

    def _wrap_profiler(self, name: str, tell: Callable[[], None]) -> None:
        from torch.autograd import profiler

        original = getattr(profiler, name, None)
        if original is None:
            return

        @functools.wraps(original)
        def wrapped(*given: Any, **named: Any) -> Any:
            if not self.watcher.profiling:
                self.quietly(tell)
            return original(*given, **named)

        self._put(profiler, name, original, wrapped)

    def _put(self, module: Any, name: str, original: Any, wrapped: Any) -> None:
        _skip(wrapped)
        setattr(module, name, wrapped)

        def undo() -> None:
            if getattr(module, name) is wrapped:  # whoever wrapped it after us keeps what it has, which does nothing
                setattr(module, name, original)

        self._undo.append(undo)

    def _before(self, optimizer: Any, given: Any, named: Any) -> None:
        del given, named
        if torch.compiler.is_compiling():  # before all else: no break in its graph, and no guard on what is ours
            return
        self.quietly(self.watcher.step_begins, optimizer, self.depth > 0)

    def _after(self, optimizer: Any, given: Any, named: Any) -> None:
        del given, named
        if torch.compiler.is_compiling():
            return
        self.quietly(self.watcher.step_ended, optimizer)

    def step_aside(self) -> None:
        """Do nothing more, and hold nothing of the program's."""
        self.aside = True
        atexit.unregister(self._end)
        self.watcher.let_go()

    def _leave(self) -> None:
        """Leave everything as it was: between two steps, for torch may walk through its hooks during one.

        Where the program compiles, its steps may be among that, and would be compiled anew without the hooks: there
        these two stay, and do nothing.
        """
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        if not _compiles():
            for hook in self._hooks:
                hook.remove()
        self._hooks.clear()

    def _end(self) -> None:
        self._ends = True
        self.quietly(self.watcher.program_ends)

    def _forked(self) -> None:
        """A child by fork is a process of its own: a rank, a loader of data, or neither."""
        if not self.aside:
            self.depth, self._busy = 0, False
            self.watcher.begin_anew()


def _wait_for_the_end() -> None:
    """A trial has shown what it had to: it is ended from outside, and goes no step further."""
    while True:
        time.sleep(0.2)


def _compiles() -> bool:
    """Whether torch.compile has compiled anything in this process."""
    counters = getattr(sys.modules.get("torch._dynamo.utils"), "counters", {})
    return bool(counters.get("frames"))


def _skip(function: Any) -> None:
    """Keep torch.compile from tracing a wrapper that is called between two graphs; what it calls is as it was."""
    try:
        if hasattr(_eval_frame, "skip_code"):
            _eval_frame.skip_code(function.__code__)
            return
        skip = _eval_frame._FrameAction.SKIP
        strategy = _eval_frame._FrameExecStrategy(skip, _eval_frame._FrameAction.DEFAULT)
        _eval_frame.set_code_exec_strategy(function.__code__, strategy)
    except Exception:  # noqa: BLE001  then one more frame is looked at, where a backward pass is called by compiled code
        return


def install(folder: str, settings: dict[str, Any]) -> None:
    """Watch this process."""
    Watching(folder, settings).install()
