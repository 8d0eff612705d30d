"""Trains a few layers on a CPU, the way that its first word says; each loss is a line of standard output."""

import contextlib
import gc
import os
import signal
import sys
import threading
import time
import weakref

import torch

HOW = sys.argv[1] if len(sys.argv) > 1 else ""
STEPS = 12
INSPECTED = {
    "1_gradient_underflows%": 5.0,
    "2_gradient_underflows%": torch.tensor(40.0),
    "1_gradient_fp8_delayed_scaling_underflows%": 90.0,
    "1_gradient_overflows%": 0.25,
    "1_activation_underflows%": 70.0,
}
SHOW_REMAINS = ("plain", "in-backward", "inspected")
RANK = int(os.environ.get("RANK", "0"))


def build():
    """The layers."""
    torch.manual_seed(0)
    width = 1 if HOW == "empty-shard" else 32
    return torch.nn.Sequential(torch.nn.Embedding(64, 32), torch.nn.Linear(32, width), torch.nn.Linear(width, 64))


def train(model, step_with, zero, around):
    """Twelve steps."""
    with around:
        for step in range(STEPS):
            happen(step)
            ids = torch.randint(0, 64, (2, 16))
            loss = torch.nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten())
            loss.backward()
            step_with()
            zero()
            print(f"{step} {loss.item()!r}\n", end="", flush=True)  # in one piece: ranks share the output


def happen(step):
    """What goes wrong in that step."""
    if HOW == "crash-first":
        raise RuntimeError("nothing was trained")
    if HOW == "killed-in-3" and step == 3 and RANK == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if HOW == "exit-in-3" and step == 3:
        sys.exit(7)
    if HOW == "inspected":  # as Transformer Engine's LogFp8TensorStats does, behind each step
        from nvdlfw_inspect import api, logging

        if step == 1:
            api.initialize(log_dir="logs")
        if step:
            for name, value in INSPECTED.items():
                logging.MetricLogger.log_scalar(name, value, step)
    if HOW == "hung-in-3" and step == 3 and RANK == 1:
        time.sleep(600)
    if HOW == "hooks-cleared" and step == 0:
        from torch.optim import optimizer

        optimizer._global_optimizer_pre_hooks.clear()
        optimizer._global_optimizer_post_hooks.clear()


class Counts(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts operators, as tools that count their cost do."""

    number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """One more."""
        Counts.number += 1
        return func(*args, **(kwargs or {}))


class Replaced(contextlib.AbstractContextManager):
    """Says of weights that they are on the meta device, as those are whose values are elsewhere."""

    def __init__(self, model):
        for one in model.parameters():
            one.__class__ = type("Elsewhere", (torch.nn.Parameter,), {"is_meta": True})

    def __exit__(self, *_):
        return None


def in_backward(model):
    """An optimizer for each parameter, which steps as soon as there is a gradient."""
    held = {one: torch.optim.AdamW([one], lr=1e-3) for one in model.parameters()}

    def hook(parameter):
        held[parameter].step()
        held[parameter].zero_grad()

    for one in model.parameters():
        one.register_post_accumulate_grad_hook(hook)


def by_hand(model):
    """A step that is none of torch's optimizers."""

    def step():
        with torch.no_grad():
            for one in model.parameters():
                one.sub_(0.01 * one.grad)

    return step


def main():
    """Train that way."""
    model = build()
    if HOW == "fork":
        import multiprocessing

        child = multiprocessing.get_context("fork").Process(target=ordinary, args=(model,))
        child.start()
        child.join()
        sys.exit(child.exitcode)
    ordinary(model)
    if HOW in SHOW_REMAINS:
        seen = weakref.ref(model)
        del model
        print(*remains(seen), sep="\n")


def remains(model):
    """All that whoever watched this process could have left in it, with the model that the program has let go."""
    from torch.autograd import profiler
    from torch.optim import optimizer

    gc.collect()
    names = sorted(set(os.environ) - {"FP8CHECK_WATCH", "PYTHONPATH"})  # which lead to the watcher
    functions = [torch.autograd.backward, torch.Tensor.backward, torch.nn.Module.__call__, torch.optim.AdamW.step]
    functions += [profiler._prepare_profiler, profiler._enable_profiler, profiler._disable_profiler]
    yield "functions", [(one.__module__, one.__qualname__, hasattr(one, "__wrapped__")) for one in functions]
    yield "hooks", len(optimizer._global_optimizer_pre_hooks), len(optimizer._global_optimizer_post_hooks)
    yield "model", model()
    yield "profiler", profiler._is_profiler_enabled, torch._C._autograd._profiler_enabled()
    yield "modes", torch.is_grad_enabled(), torch._C._len_torch_dispatch_stack()
    yield "collector", gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), gc.callbacks
    yield "threads", sorted(one.name for one in threading.enumerate())
    yield "files", len(os.listdir("/proc/self/fd"))
    yield "signals", [signal.getsignal(one) for one in sorted(signal.valid_signals())]
    yield "imports", [type(one).__name__ for one in sys.meta_path], len(sys.path_hooks)
    inspect = sys.modules.get("nvdlfw_inspect.logging")
    yield "loggers", [type(one).__name__ for one in (inspect.MetricLogger.enabled_loggers if inspect else [])]
    yield "traced", sys.gettrace(), sys.getprofile()
    yield "variables", names


def ordinary(model):  # noqa: PLR0912
    """Train in this process."""
    if HOW == "empty-shard":  # of a weight with one row, all ranks but the first have nothing
        from torch.distributed.fsdp import fully_shard

        torch.distributed.init_process_group("gloo")
        fully_shard(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0 if HOW == "rate-0" else 1e-3)
    step, zero, run, around = optimizer.step, optimizer.zero_grad, model, contextlib.nullcontext()
    if HOW == "no-optimizer-holds-one":
        optimizer.param_groups[0]["params"] = optimizer.param_groups[0]["params"][1:]
    if HOW == "compiled-optimizer":
        step = torch.compile(optimizer.step, backend="eager")
    if HOW == "compiled-model":
        run = torch.compile(model, backend="eager")
    if HOW == "in-backward":
        in_backward(model)
        step, zero = (lambda: None), (lambda: None)
    if HOW == "by-hand":
        step, zero = by_hand(model), model.zero_grad
    if HOW == "profiled":
        around = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
    if HOW == "counted":
        around = Counts()
    if HOW == "frozen-heap":
        gc.freeze()
    if HOW == "captured":
        torch.cuda.is_available = torch.cuda.is_initialized = torch.cuda.is_current_stream_capturing = lambda: True
    if HOW == "profiler-empty":
        torch.profiler.profile.events = lambda _: []
    if HOW == "profiler-fails":
        torch.profiler.profile.start = lambda _: 1 / 0
    if HOW == "loader":
        loader = torch.utils.data.DataLoader(torch.arange(8), num_workers=2, multiprocessing_context="spawn")
        assert len(list(loader)) == 8
    if HOW != "empty-shard" and (HOW == "distributed" or "WORLD_SIZE" in os.environ):
        torch.distributed.init_process_group("gloo")
        run = torch.nn.parallel.DistributedDataParallel(model)
    if HOW == "meta":
        around = Replaced(model)
    train(run, step, zero, around)
    if HOW == "profiled":
        print(sorted((one.key, one.count) for one in around.key_averages()))
    if HOW == "counted":
        print(Counts.number)
    if HOW.startswith("compiled"):
        from torch._dynamo.utils import counters

        print(sorted(counters["stats"].items()), sorted(counters["graph_break"].items()))
    if "WORLD_SIZE" in os.environ:
        # torch 2.13 without us, too: who frees the process group holds the GIL and waits for gloo's thread, which may
        # want the GIL for the last of its work. Here it has the time for that.
        time.sleep(1)
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
