"""Trains a few layers on a CPU, in a way that its first word says and that most programs have not."""

import contextlib
import os
import subprocess
import sys
import time

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as entropy

HOW = sys.argv[1]
STEPS = 12


def net(before=32, after=32, seed=0):
    """Two layers."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(before, 32), torch.nn.ReLU(), torch.nn.Linear(32, after))


class Second(torch.nn.Sequential):
    """One that is known by its name."""


def adam(model, rate=1e-3):
    """Its optimizer."""
    return torch.optim.AdamW(model.parameters(), rate)


def loss_of(model):
    """That of a few random rows."""
    return model(torch.randn(4, 32)).pow(2).mean()


def say(step, *losses):
    """A line of it."""
    print(step, *(repr(one.item()) for one in losses), flush=True)


def plain():
    """As most."""
    model = net()
    optimizer = adam(model)
    for step in range(STEPS):
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        say(step, loss)


def in_turns():
    """Two models and two optimizers: the second one has a gradient and a step when the first has had its own."""
    second, first = Second(*net(8, 16)), net(16, 1, 1)
    of_second, of_first = adam(second), torch.optim.SGD(first.parameters(), 1e-2)
    for step in range(STEPS):
        noise, real = torch.randn(4, 8), torch.randn(4, 16)
        of_first.zero_grad()
        made = entropy(first(second(noise).detach()), torch.zeros(4, 1))
        loss = entropy(first(real), torch.ones(4, 1)) + made
        loss.backward()
        of_first.step()
        of_second.zero_grad()
        other = entropy(first(second(noise)), torch.ones(4, 1))
        other.backward()
        of_second.step()
        say(step, loss, other)


def two_models():
    """Two models, two backward passes, two steps."""
    models = [net(), net(seed=1)]
    optimizers = [adam(one) for one in models]
    for step in range(STEPS):
        losses = [loss_of(one) for one in models]
        for loss in losses:
            loss.backward()
        for one in optimizers:
            one.step()
            one.zero_grad()
        say(step, *losses)


def late_model():
    """From the fourth step on there is one more."""
    model, more = net(), None
    optimizer = adam(model)
    for step in range(STEPS):
        if step == 3:
            more = Second(*net(seed=2))
            optimizer.add_param_group({"params": more.parameters()})
        out = model(torch.randn(4, 32))
        loss = (out if more is None else more(out)).pow(2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        say(step, loss)


def late_optimizer():
    """It is made behind the first backward pass."""
    model, optimizer = net(), None
    for step in range(STEPS):
        loss = loss_of(model)
        loss.backward()
        optimizer = optimizer or adam(model)
        optimizer.step()
        optimizer.zero_grad()
        say(step, loss)


def another_first():
    """A backward pass through a model that does not train, before there is one that does."""
    other = Second(*net())
    other(torch.randn(4, 32, requires_grad=True)).sum().backward()
    other.zero_grad()
    plain()


def masters():
    """The optimizer holds copies of the weights in float32."""
    model = net().bfloat16()
    copies = [one.detach().float().clone() for one in model.parameters()]
    optimizer = torch.optim.AdamW(copies, 1e-2)
    for step in range(STEPS):
        loss = model(torch.randn(4, 32).bfloat16()).pow(2).mean()
        loss.backward()
        for copy, one in zip(copies, model.parameters(), strict=True):
            copy.grad, one.grad = one.grad.float(), None
        optimizer.step()
        with torch.no_grad():
            for copy, one in zip(copies, model.parameters(), strict=True):
                one.copy_(copy)
        say(step, loss)


def closure():
    """The backward passes are made within the optimizer's step."""
    model, rows = net(), torch.randn(4, 32)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=1)

    def again():
        optimizer.zero_grad()
        loss = model(rows).pow(2).mean()
        loss.backward()
        return loss

    for step in range(STEPS):
        say(step, optimizer.step(again))


def step_raises():
    """Two of the steps end with an exception."""
    model = net()
    optimizer = adam(model)
    for step in range(STEPS):
        loss = loss_of(model)
        loss.backward()
        with contextlib.suppress(ZeroDivisionError):
            optimizer.step((lambda: 1 / 0) if step in (0, 3) else None)
        optimizer.zero_grad()
        say(step, loss)


class Raises(torch.autograd.Function):
    """Its backward pass does, as one does that runs out of memory."""

    @staticmethod
    def forward(_, value):
        """Nothing."""
        return value

    @staticmethod
    def backward(_, _gradient):
        """Raise."""
        raise RuntimeError


def pass_raises():
    """The first backward pass ends with an exception, and one more in the third step."""
    model = net()
    optimizer = adam(model)
    for step in range(STEPS):
        rows = torch.randn(4, 32)
        if step in (0, 2):
            with contextlib.suppress(RuntimeError):
                Raises.apply(model(rows)).pow(2).mean().backward()
            optimizer.zero_grad()
        loss = model(rows).pow(2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        say(step, loss)


def partly_compiled():
    """One optimizer is compiled, the other is not."""
    first, second = net(), Second(*net(seed=1))
    of_first, of_second = adam(first), adam(second)
    step_second = torch.compile(of_second.step, backend="eager")
    for step in range(STEPS):
        loss, other = loss_of(first), loss_of(second)
        loss.backward()
        of_first.step()
        of_first.zero_grad()
        other.backward()
        step_second()
        of_second.zero_grad()
        say(step, loss, other)
    from torch._dynamo.utils import counters

    print(sorted(counters["stats"].items()), sorted(counters["graph_break"].items()))


def scheduler_only():
    """The learning rate is stepped, and no weight is."""
    model = net()
    optimizer = adam(model)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    for step in range(STEPS):
        loss = loss_of(model)
        loss.backward()
        scheduler.step()
        say(step, loss)


def leaves():
    """It ends without what Python does at an end."""
    plain()
    os._exit(0)


def launcher():
    """A Python program that starts the one that trains."""
    subprocess.run([sys.executable, "-W", "ignore", __file__, "plain"], check=True)


def ranks(rank=None):
    """A rank of two, with four backward passes a step, of which one is averaged."""
    if rank is not None:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1")
    torch.distributed.init_process_group("gloo")
    model = torch.nn.parallel.DistributedDataParallel(net())
    optimizer = adam(model)
    for step in range(STEPS):
        for part in range(4):
            with model.no_sync() if part < 3 else contextlib.nullcontext():
                loss = loss_of(model) / 4
                loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        print(f"{step} {loss.item()!r}\n", end="", flush=True)
    time.sleep(1)  # see small.py
    torch.distributed.destroy_process_group()


def spawned():
    """Two ranks by multiprocessing."""
    torch.multiprocessing.spawn(ranks, nprocs=2)


if __name__ == "__main__":
    globals()[HOW.replace("-", "_")]()
