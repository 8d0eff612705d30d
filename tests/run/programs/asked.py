"""Trains what it asks for, two layers in FP8, and the word behind it says what is in the watcher's way meanwhile."""

import gc
import multiprocessing
import os
import shutil
import subprocess
import sys
import time

import torch
from torchao.float8 import Float8LinearConfig, convert_to_float8_training

HOW = sys.argv[1] if len(sys.argv) > 1 else ""
STEPS = 12
WATCH = os.environ.get("FP8CHECK_WATCH", "")


class Replaced(torch.optim.AdamW):
    """Its step is its own, without what torch does around one."""

    def step(self):
        """Descend."""
        with torch.no_grad():
            for group in self.param_groups:
                for one in group["params"]:
                    one.sub_(0.01 * one.grad)

    step.hooked = True  # which torch leaves alone


def build():
    """The layers, two of which are converted."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Embedding(64, 32), torch.nn.Linear(32, 32), torch.nn.Linear(32, 64))
    return convert_to_float8_training(model, config=Float8LinearConfig(emulate=True))


def loss_of(model):
    """That of a few random tokens."""
    ids = torch.randint(0, 64, (2, 16))
    return torch.nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten())


def by_gradients(model, loss):
    """The gradients without a backward pass that anybody could see."""
    every = [*model.parameters()]
    for one, gradient in zip(every, torch.autograd.grad(loss, every), strict=True):
        one.grad = gradient


def before_all():
    """What is in the way from the start."""
    profile = torch.profiler.profile
    if HOW == "profiler-records-nothing":
        profile.events = lambda _: []
    if HOW == "profiler-loses-the-backward-pass":
        events, calls = profile.events, []

        def first(self):
            calls.append(self)
            return events(self) if self is calls[0] else []

        profile.events = first
    if HOW == "profiler-does-not-start":
        profile.start = lambda _: 1 / 0
    if HOW == "profiler-does-not-stop":
        profile.stop = lambda _: 1 / 0
    if HOW == "graph":
        torch.cuda.is_initialized = torch.cuda.is_current_stream_capturing = lambda: True
    if HOW == "clock-stands-still":
        time.perf_counter = lambda: 1.0
    if HOW == "watch-is-removed":
        shutil.rmtree(WATCH)


def before_step(step, model):
    """What comes in the way in that step."""
    if HOW == "hooks-removed" and step == 1:
        from torch.optim import optimizer

        optimizer._global_optimizer_pre_hooks.clear()
        optimizer._global_optimizer_post_hooks.clear()
    if HOW == "backward-replaced" and step == 1:
        torch.autograd.backward = torch.autograd.backward.__wrapped__
    if HOW == "watch-is-removed-later" and step == 3:
        shutil.rmtree(WATCH)
    if HOW == "watch-is-full" and step == 3:
        shutil.rmtree(os.path.join(WATCH, "ranks"))
        with open(os.path.join(WATCH, "ranks"), "w") as file:
            file.write("no folder")
    if HOW == "meta" and step == 1:
        for one in model.parameters():
            one.__class__ = type("Elsewhere", (torch.nn.Parameter,), {"is_meta": True})


def train(model):
    """Twelve steps."""
    kind = Replaced if HOW == "step-replaced" else torch.optim.AdamW
    optimizer = kind(model.parameters(), lr=1e-3)
    step_with = torch.compile(optimizer.step, backend="eager") if HOW == "compiled-optimizer" else optimizer.step
    if HOW == "optimizer-of-its-own":
        step_with = lambda: [one.data.sub_(0.01 * one.grad) for one in model.parameters()]  # noqa: E731
    if HOW == "frozen-heap":
        gc.freeze()
    for step in range(STEPS):
        before_step(step, model)
        loss = loss_of(model)
        by_gradients(model, loss) if HOW == "no-backward-pass" else loss.backward()
        step_with()
        optimizer.zero_grad()
        print(f"{step} {loss.item()!r}\n", end="", flush=True)  # in one piece: ranks share the output


def main():
    """Train in this process, or in others."""
    before_all()
    if HOW == "rank-without-watcher":
        others = {name: value for name, value in os.environ.items() if name != "FP8CHECK_WATCH"}
        os.environ["WORLD_SIZE"] = "2"
        words = [sys.executable, "-W", "ignore", __file__]
        other = subprocess.Popen(words, env={**others, "RANK": "1"}, stdout=subprocess.DEVNULL)
        train(build())
        sys.exit(other.wait())
    if HOW == "profiled":
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
            train(build())
        return
    if HOW == "ranks-with-one-name":
        os.environ["RANK"], os.environ["WORLD_SIZE"] = "0", "2"
        both = [multiprocessing.get_context("fork").Process(target=lambda: train(build())) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        return
    train(build())


if __name__ == "__main__":
    main()
