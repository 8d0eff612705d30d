"""Steps of real trainers, many in one process: imports are paid once, and a GPU trains one run at a time.

    python -m tests.tools.gpu.series run RAW.jsonl --gpus 4 [--seconds N] [--overlay NAME=FOLDER:FOLDER ...]
    python -m tests.tools.gpu.series pair RAW.jsonl > docs/evidence/series-points.jsonl

A worker takes groups of series_cases.py one after the other and runs each of their trainings as its trainer does: the
trainer's own program (runpy), with the variables that `accelerate launch` sets for the Accelerate file. As backward pass
END begins, the program is left by an exception and what it held is freed. What a step takes is the time from backward
pass SETTLED to there, divided by their number, with nothing that waits between them. From its second step on a run has
its GPUs for itself; other workers import and compile meanwhile. As it gets them, the host's launch cost is measured
(probe/child/launching.py), and with its own backend when the first of them ends.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import itertools
import json
import os
import runpy
import shutil
import signal
import statistics
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.tools.gpu import trainers
from tests.tools.gpu.series_cases import groups, kind
from tests.tools.gpu.turns import stop
from tests.tools.gpu.worth_points import point

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PROFILED, SETTLED, END = 4, 8, 16
LIMIT = 170.0  # seconds of one training
BESIDE = 2  # workers of a GPU
DRAIN = 0.3  # seconds in which a GPU ends what stopped workers had given it
LEFT = 0.1  # GiB that an earlier training may have left behind
UNKNOWN = 28.0  # GiB of a training whose peak is not predicted
PORT = 29900
Case = dict[str, Any]


class Ended(BaseException):
    """A training has made the steps that are timed."""


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Only one process at a time stops others or lets them go on: who has this is not stopped."""
    with (home / "stop.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def enlist(home: Path, tag: str, gpus: list[int]) -> None:
    """Tell others that this process uses these GPUs."""
    word = ",".join(map(str, gpus))
    (home / "workers" / f"{os.getpid()} {tag} {word}").touch()


def hold(home: Path, pid: int, by: int) -> None:
    """Stop a worker; it may have been stopped by another one already.

    It is waited for: one that waits for this very lock could be given it before it stops, and then nobody had it again.
    """
    with _alone(home), contextlib.suppress(ProcessLookupError, FileNotFoundError):
        (home / "held" / f"{pid}.{by}").touch()
        os.kill(pid, signal.SIGSTOP)
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZX":
            time.sleep(0.001)


def release(home: Path, by: int) -> None:
    """Let those go on that nobody else holds."""
    with _alone(home):
        for path in list((home / "held").glob(f"*.{by}")):
            path.unlink()
            pid = path.name.partition(".")[0]
            if not any((home / "held").glob(f"{pid}.*")):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGCONT)


class Gpus:
    """The GPUs of a run, which trains on them alone while it has them."""

    def __init__(self, home: Path, tag: str, gpus: list[int]) -> None:
        self.home, self.tag, self.gpus = home, tag, gpus
        self.paths = [home / f"gpu{gpu}.lock" for gpu in gpus]
        self.files: list[Any] = []

    def take(self) -> None:
        """Wait for them, in one order, so that nobody waits for another."""
        for path in self.paths:
            file = path.open("w")
            fcntl.flock(file, fcntl.LOCK_EX)
            self.files.append(file)

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Whoever else works on these GPUs stands still: loading a model and a first step would take from what is timed."""
        for path in (self.home / "workers").iterdir():
            pid, tag, gpus = path.name.split()
            if tag != self.tag and not set(map(int, gpus.split(","))).isdisjoint(self.gpus):
                hold(self.home, int(pid), os.getpid())
        time.sleep(DRAIN)
        try:
            yield
        finally:
            release(self.home, os.getpid())

    def give(self) -> None:
        """Let others have them."""
        while self.files:
            self.files.pop().close()
            time.sleep(0.02)


class Memory:
    """What trainings that run or wait have of the GPUs' memory; a file for each worker that has some."""

    def __init__(self, home: Path, size: float) -> None:
        self.home, self.size = home / "memory", size

    def take(self, tag: str, gpus: list[int], gib: float) -> None:
        """Wait until so much is free on all of them, and have it."""
        gib = min(gib, self.size)
        while True:
            with (self.home.parent / "memory.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                used: dict[int, float] = {}
                for path in self.home.iterdir():
                    for gpu, amount in json.loads(path.read_text()).items():
                        used[int(gpu)] = used.get(int(gpu), 0.0) + amount
                if all(used.get(gpu, 0.0) + gib <= self.size for gpu in gpus):
                    (self.home / tag).write_text(json.dumps(dict.fromkeys(gpus, gib)))
                    return
            time.sleep(0.1)

    def give(self, tag: str) -> None:
        """Let others have it."""
        with (self.home.parent / "memory.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (self.home / tag).unlink(missing_ok=True)


class Run:
    """What one training does, told from inside its backward passes."""

    def __init__(self, torch: Any, one: Case, turn: Path, gpus: Gpus, rank: int) -> None:
        self.torch, self.one, self.turn, self.gpus, self.rank = torch, one, turn, gpus, rank
        self.cuda = torch.cuda.is_available()
        self.times: list[float] = []
        self.losses: list[Any] = []
        self.kernels: dict[str, int] = {}
        self.host: dict[str, float] = {}
        self.profile: Any = None
        self.micro = int(one["training"].get("gradient_accumulation_steps", 1))
        self.end, self.settled = END, SETTLED
        if self.micro > 1:  # whole steps are timed
            self.settled = 2 * self.micro + 1
            self.end = self.settled + 4 * self.micro
        self.peak = 0
        self.silence = contextlib.ExitStack()
        self.retries = torch.cuda.memory_stats().get("num_alloc_retries", 0) if self.cuda else 0

    def begins(self, loss: Any) -> None:
        """A forward pass has ended."""
        step = len(self.times) + 1
        if step == 2:
            self._turn()
        if step == self.settled and self.rank == 0:
            self.silence.enter_context(self.gpus.quiet())
        if step in (self.settled, self.end):
            self._wait()
        self.times.append(time.perf_counter())
        self.losses.append(loss.detach())
        if step == self.end:
            self.silence.close()
            if self.cuda:
                self.peak = self.torch.cuda.max_memory_allocated()
                # An allocator that had to give memory back makes steps slow: others had the rest of the GPU's.
                self.retries = self.torch.cuda.memory_stats().get("num_alloc_retries", 0) - self.retries
            raise Ended
        if step == PROFILED:
            self._read("forward")
            self._profile()

    def ends(self) -> None:
        """A backward pass has ended."""
        if len(self.times) == PROFILED - 1:
            self._profile()
        elif len(self.times) == PROFILED:
            self._read("backward")

    def told(self) -> Case:
        """What was seen."""
        times = self.times[self.settled - 1 :]
        each = [1e3 * (b - a) for a, b in itertools.pairwise(times)]
        seen: Case = {
            "gpu": self.torch.cuda.get_device_name() if self.cuda else "none",
            "ms": round(1e3 * (times[-1] - times[0]) / len(each), 3),
            "median": round(statistics.median(each), 3),
            "peak_gib": round(self.peak / 2**30, 3),
            "kernels": self.kernels,
            "loss": [round(float(self.losses[at]), 4) for at in (0, -1)],
            "host": self.host,
            "each": [round(one, 2) for one in each],
            "retries": self.retries,
        }
        if self.micro > 1:
            seen["median"] = seen["ms"]  # micro-batches with an update and without are no sample of one thing
        return seen

    def measure(self, backend: str) -> None:
        """The host's launch cost as it is now."""
        from launching import launch_ms

        if self.cuda:  # of every rank: Transformer Engine's amax is reduced over all of them
            silence = self.gpus.quiet() if self.rank == 0 else contextlib.nullcontext()
            with contextlib.suppress(ImportError), silence:
                self.host[backend] = round(launch_ms(self.torch, backend), 4)

    def _turn(self) -> None:
        self._wait()
        go = self.turn / "go"
        (self.turn / f"ready{self.rank}").touch()
        if self.rank == 0:
            while len(list(self.turn.glob("ready*"))) < self.one["gpus"]:
                time.sleep(0.01)
            self.gpus.take()
            go.touch()
        while not go.exists():
            time.sleep(0.01)
        rng = self.torch.get_rng_state()
        self.measure("BF16")
        self.torch.set_rng_state(rng)

    def _wait(self) -> None:
        if self.cuda:
            self.torch.cuda.synchronize()

    def _profile(self) -> None:
        if self.cuda:
            self.profile = self.torch.profiler.profile(activities=[self.torch.profiler.ProfilerActivity.CUDA])
            self._wait()
            self.profile.start()

    def _read(self, phase: str) -> None:
        if self.profile is None:
            return
        from sitecustomize import KERNELS, PRODUCTS  # of tests/run/recorder

        self._wait()
        self.profile.stop()
        names = [event.name.lower() for event in self.profile.events()]
        fp8 = [name for name in names if any(mark in name for mark in KERNELS)]
        self.kernels[phase] = sum(any(mark in name.partition("<")[0] for mark in PRODUCTS) for name in fp8)
        self.profile = None


class Worker:
    """One process, or one rank of it: trainings one after the other."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.home = Path(given.home)
        self.gpus = [int(word) for word in given.on.split(",")]
        self.rank = int(os.environ.get("RANK", "0"))
        self.before = dict(os.environ)
        self.run: Run | None = None
        self.measured: set[str] = set()
        self.predicted: dict[str, Any] = {}
        for name in ("series-predicted.json", "held-predicted.json"):
            self.predicted |= json.loads((ROOT / "docs" / "evidence" / name).read_text(encoding="utf-8"))
        enlist(self.home, self.given.tag, self.gpus)
        import torch

        self.torch = torch
        self._wrap()

    def _wrap(self) -> None:
        backward = self.torch.Tensor.backward
        depth = [0]

        def recorded(tensor: Any, *given: Any, **named: Any) -> Any:
            run = self.run if depth[0] == 0 else None
            depth[0] += 1
            try:
                if run is not None:
                    run.begins(tensor)
                found = backward(tensor, *given, **named)
            finally:
                depth[0] -= 1
            if run is not None:
                run.ends()
            return found

        self.torch.Tensor.backward = recorded

    def work(self) -> int:
        """Take groups until none is left, or until no more may begin."""
        first = True
        again, _, place = self.given.again.partition(":")
        for name, cases in ordered():
            if kind(cases[0]) != self.given.kind or (self.given.only and name not in self.given.only):
                continue
            if time.time() > self.given.until:
                return 0
            if name != again if again else not self._mine(name):
                continue
            for at, one in enumerate(cases):
                if again and at < int(place):
                    continue
                if not self._train(small(one) if self.given.tiny else one):
                    if self.rank == 0 and not first:  # what others left behind may be why
                        (self.home / "again" / f"{name}:{at}").touch()
                    return 3
                first = False
                if "zero" in self.given.kind:  # what DeepSpeed keeps of a training stays: each has a process
                    if self.rank == 0 and at + 1 < len(cases):
                        (self.home / "again" / f"{name}:{at + 1}").touch()
                    return 0
        return 0

    def _mine(self, name: str) -> bool:
        """Whether this worker has the group: rank 0 takes it, the others follow."""
        folder = self.home / "claims"
        if self.rank == 0:
            try:
                (folder / name).touch(exist_ok=False)
            except FileExistsError:
                return self._tell(name, mine=False)
            return self._tell(name, mine=True)
        path = self.home / "said" / f"{self.given.tag}-{name}"
        while not path.exists() or not path.read_text():
            time.sleep(0.01)
        return path.read_text() == "yes"

    def _tell(self, name: str, *, mine: bool) -> bool:
        (self.home / "said" / f"{self.given.tag}-{name}").write_text("yes" if mine else "no")
        return mine

    def _train(self, one: Case) -> bool:
        """One training; False where this process is of no more use."""
        turn, gpus = self.home / "turns" / one["name"], Gpus(self.home, self.given.tag, self.gpus)
        memory = Memory(self.home, self.given.size)
        folder = self._begin(one, turn, memory)
        began = time.perf_counter()
        left = 0
        if self.torch.cuda.is_available():
            self.torch.cuda.reset_peak_memory_stats()
            left = self.torch.cuda.memory_allocated()
        run = self.run = Run(self.torch, one, turn, gpus, self.rank)
        with run.silence:
            error = self._as_it_ends(one, folder)
        self.run = None
        seen: Case = {"error": error} if error else run.told()
        ok = not error
        try:
            self._free(one, run, measure=ok)
        except Exception as raised:  # noqa: BLE001  a GPU that is of no more use
            seen.setdefault("error", f"afterwards {type(raised).__name__}: {raised}"[:300])
            ok = False
        (turn / f"over{self.rank}").touch()
        if self.rank == 0:
            self._until_all(turn, one["gpus"])
        gpus.give()
        if self.rank == 0:
            memory.give(self.given.tag)
        row = {"case": one, "seen": seen, "rank": self.rank, "wall": round(time.perf_counter() - began, 1)}
        row["left"] = round(left / 2**30, 3)  # GiB that an earlier training left behind
        with Path(self.given.raw).open("a", encoding="utf-8") as out:
            fcntl.flock(out, fcntl.LOCK_EX)
            print(json.dumps(row), file=out, flush=True)
        words = [seen.get(key) for key in ("ms", "median", "peak_gib", "kernels", "loss", "host", "error")]
        print(one["name"], self.rank, *words, row["wall"], flush=True)
        return ok

    def _begin(self, one: Case, turn: Path, memory: Memory) -> Path:
        """Its files, once there is memory for it."""
        folder, heart = self.home / "runs" / one["name"], self.home / "hearts" / self.given.tag
        written = folder / f"written{self.given.tag}"
        if self.rank == 0:
            gib = self.predicted.get(one["name"], {}).get("gib") or UNKNOWN
            heart.unlink(missing_ok=True)
            memory.take(self.given.tag, self.gpus, 1.1 * gib + 1.0)
            heart.write_text(one["name"])
            shutil.rmtree(turn, ignore_errors=True)
            turn.mkdir(parents=True)
            _write(one, folder, self.home)
            written.touch()
        while not written.exists():
            time.sleep(0.01)
        return folder

    def _as_it_ends(self, one: Case, folder: Path) -> str:
        """Run it; why it ended before its time, or nothing."""
        try:
            self._as_launched(one, folder)
        except Ended:
            return ""
        except BaseException as raised:  # noqa: BLE001  a program may leave by any of them
            told = traceback.format_exception(raised)
            (folder / f"log{self.rank}").write_text("".join(told), encoding="utf-8")
            traceback.clear_frames(raised.__traceback__)
            return f"{type(raised).__name__}: {raised}"[:600]
        return "the program ended before its last step"

    def _until_all(self, turn: Path, gpus: int) -> None:
        if gpus == 1:
            return
        until = time.time() + 8
        while len(list(turn.glob("over*"))) < gpus and time.time() < until:
            time.sleep(0.01)

    def _as_launched(self, one: Case, folder: Path) -> None:
        os.environ.clear()
        os.environ.update(self.before)
        os.environ.update(_launched(folder / "accelerate.yaml", one))
        os.chdir(folder)
        if "axolotl" in sys.modules:  # its modules keep one
            from accelerate.state import PartialState

            PartialState()
        program = trainers.PROGRAMS[one["trainer"]]
        sys.argv = [
            program,
            *(["--config"] * one["trainer"].startswith("trl")),
            *(["train.yaml"] * (one["trainer"] != "own")),
        ]
        if program.endswith(".py"):
            runpy.run_path(str(folder / program if one["trainer"] == "own" else program), run_name="__main__")
        else:
            runpy.run_module(program, run_name="__main__", alter_sys=True)

    def _free(self, one: Case, run: Run, *, measure: bool) -> None:
        """What a training leaves behind in a process is put away."""
        with contextlib.suppress(Exception):
            from transformers.integrations.deepspeed import unset_hf_deepspeed_config

            unset_hf_deepspeed_config()
        from accelerate.state import AcceleratorState, GradientState

        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
        self.torch._dynamo.reset()
        run.losses = []
        gc.collect()
        if self.torch.cuda.is_available():
            self.torch.cuda.synchronize()
            self.torch.cuda.empty_cache()
        backend = one["name"].rpartition("-")[2].upper()
        if measure and backend != "BF16" and backend not in self.measured:
            self.measured.add(backend)
            _forget_te()
            run.measure(backend)
        _forget_te()
        gc.collect()
        if self.torch.cuda.is_available():
            self.torch.cuda.empty_cache()


def _forget_te() -> None:
    if "transformer_engine.pytorch" not in sys.modules:
        return
    with contextlib.suppress(Exception):
        from transformer_engine.pytorch.quantization import FP8GlobalStateManager

        FP8GlobalStateManager.reset()


def _write(one: Case, folder: Path, home: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in trainers.training_files(one, home).items():
        longer = text.replace("(64, ", "(512, ").replace("step == 3:", "step == 200:")
        (folder / name).write_text(longer if name == "train.py" else text, encoding="utf-8")
    (folder / "accelerate.yaml").write_text(yaml.safe_dump(one["accelerate"]), encoding="utf-8")
    if one["deepspeed"] is not None:
        (folder / "ds.json").write_text(json.dumps(one["deepspeed"]), encoding="utf-8")


def _launched(file: Path, one: Case) -> dict[str, str]:
    """The variables that `accelerate launch` gives to the program of such a file, by its own code."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils import launch

    args = launch_command_parser().parse_args(["--config_file", str(file), "program.py"])
    args, defaults, from_file = _validate_launch_command(args)
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("MASTER_", "CUDA_VISIBLE"))}
    if args.use_deepspeed:
        fields = [*(defaults.deepspeed_config if defaults else ()), *(["mixed_precision"] * bool(from_file))]
        args.deepspeed_fields_from_accelerate_config = ",".join(fields)
        _, found = launch.prepare_deepspeed_cmd_env(args)
    elif one["gpus"] > 1:
        found = launch.prepare_multi_gpu_env(args)
    else:
        _, found = launch.prepare_simple_launcher_cmd_env(args)
    return {name: str(value) for name, value in found.items()} | kept


def ordered() -> list[tuple[str, list[Case]]]:
    """The groups, first those of which no evidence has a point."""
    paths = [ROOT / "docs" / "evidence" / f"{name}-points.jsonl" for name in ("series", "held")]
    lines = [line for path in paths if path.exists() for line in path.read_text(encoding="utf-8").splitlines()]
    known = {json.loads(line)["name"].rpartition("-")[0] for line in lines}
    return sorted(groups(), key=lambda group: group[0] in known)


def small(one: Case) -> Case:
    """The same on a CPU, small and eager."""
    found = trainers.tiny(one)
    return {
        **found,
        "training": {**found["training"], **({"torch_compile": False} if one["training"].get("torch_compile") else {})},
    }


class Driver:
    """Starts workers on GPUs, as many beside each other as there is room for, and ends what stands still."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.home = Path(given.home)
        self.raw = Path(given.raw).resolve()
        self.overlays = dict(one.split("=", 1) for one in given.overlay)
        self.until = time.time() + given.seconds
        self.count = 0
        self.running: list[tuple[subprocess.Popen[bytes], str, str, tuple[int, ...], int]] = []

    def run(self) -> None:
        """All, for as long as there is time."""
        for name in ("claims", "said", "turns", "hearts", "runs", "logs", "again", "memory", "workers", "held"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        library = self.home / "lib"
        library.mkdir(exist_ok=True)
        shutil.copy(ROOT / "probe" / "child" / "launching.py", library)
        trainers.make_data(self.home / "data")
        link = self.home / "made"
        if not link.exists():
            self._models()
            link.touch()
        slots: list[tuple[tuple[int, ...], int]] = [
            ((gpu,), place) for place in range(self.given.beside) for gpu in range(self.given.gpus)
        ]
        if self.given.gpus > 1:
            pairs = [(first, first + 1) for first in range(0, self.given.gpus - 1, 2)]
            slots = [(pair, place) for place in range(1) for pair in pairs] + slots
        while time.time() < self.until:
            for gpus, place in slots:
                if not any(one[3] == gpus and one[4] == place for one in self.running):
                    which = self._next(len(gpus))
                    if which is not None:
                        self._begin(which, gpus, place)
            time.sleep(0.5)
            self._look()
            if not self.running and self._next(1) is None and self._next(2) is None:
                break
        for process, *_ in self.running:
            stop(process)
        made = {path.name for path in (self.home / "claims").iterdir()}
        print("not started:", *(name for name, _ in groups() if name not in made), flush=True)

    def _models(self) -> None:
        names = sorted(
            {
                ("0.001B2" if self.given.tiny else one["model"])
                for name, cases in groups()
                if self._wanted(name)
                for one in cases
            }
        )
        began = time.time()
        whole = [name for name in names if int(name.rpartition("B")[2] or 0) > 16]
        started = []
        few = [name for name in names if name not in whole]
        for at in range(min(4, len(few))):
            environment = self._environment("trainer-1", (at % max(1, self.given.gpus),))
            words = [sys.executable, "-m", "tests.tools.gpu.series", "make", ",".join(few[at::4])]
            words += ["--home", str(self.home), *(["--tiny"] * self.given.tiny)]
            started.append(subprocess.Popen(words, cwd=ROOT, env=environment))
        for name in whole:  # only its configuration: weights are made where they are trained
            folder = self.home / "models" / name
            folder.mkdir(parents=True, exist_ok=True)
            from tests.tools.gpu.llamas import config_of

            (folder / "config.json").write_text(json.dumps(config_of(name)), encoding="utf-8")
        for process in started:
            process.wait()
        print(f"models after {time.time() - began:.0f} s", flush=True)

    def _next(self, gpus: int) -> str | None:
        """The kind of which most is left for each that works at it."""
        if time.time() > self.until - 25:
            return None
        named = {name: cases[0] for name, cases in groups()}
        for path in sorted((self.home / "again").iterdir()):
            one = named[path.name.partition(":")[0]]
            if one["gpus"] == gpus:
                return f"{kind(one)} {path.name}"
        left: dict[str, float] = {}
        for name, cases in groups():
            if self._wanted(name) and cases[0]["gpus"] == gpus and not (self.home / "claims" / name).exists():
                compiled = bool(cases[0]["training"].get("torch_compile"))
                key = kind(cases[0])
                left[key] = left.get(key, 0.0) + len(cases) * (4.0 if compiled else 1.0)
        busy = [one[1] for one in self.running]
        return max(left, key=lambda key: left[key] / (1 + busy.count(key)), default=None)

    def _wanted(self, name: str) -> bool:
        return not self.given.only or name in self.given.only

    def _begin(self, which: str, gpus: tuple[int, ...], place: int) -> None:
        self.count += 1
        tag = f"{self.count}"
        which, _, again = which.partition(" ")
        if again:
            (self.home / "again" / again).unlink()
        for rank in range(len(gpus)):
            environment = self._environment(which, gpus)
            if len(gpus) > 1:
                environment |= {
                    "RANK": str(rank),
                    "LOCAL_RANK": str(rank),
                    "WORLD_SIZE": str(len(gpus)),
                    "LOCAL_WORLD_SIZE": str(len(gpus)),
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(PORT + 3 * self.count),
                }
            words = [sys.executable, "-m", "tests.tools.gpu.series", "work", str(self.raw), "--home", str(self.home)]
            words += ["--kind", which, "--on", ",".join(map(str, gpus)), "--tag", tag, "--until", str(self.until - 20)]
            words += ["--size", str(self.given.size), *(["--again", again] if again else [])]
            words += [*(["--tiny"] * self.given.tiny), *(["--only", *self.given.only] if self.given.only else [])]
            with (self.home / "logs" / f"{tag}-{which}.{rank}").open("wb") as log:
                process = subprocess.Popen(
                    words, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            self.running.append((process, which, tag, gpus, place))

    def _environment(self, which: str, gpus: tuple[int, ...]) -> dict[str, str]:
        trainer = which.partition("-")[0]
        names = [trainer, *(["zero"] * ("zero" in which)), "all"]
        path = [str(ROOT / "tests" / "run" / "recorder"), *(self.overlays.get(name, "") for name in names)]
        path += [str(self.home / "lib"), str(ROOT), os.environ.get("PYTHONPATH", "")]
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE_", "FP8"))},
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus)),
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(self.home / "hf" / f"{which}{self.count}"),
            "OMP_NUM_THREADS": "3",
            "WANDB_DISABLED": "true",
            "AXOLOTL_DO_NOT_TRACK": "1",
            "DISABLE_VERSION_CHECK": "1",
            "TRITON_CACHE_DIR": str(self.home / "triton"),
            "TORCHINDUCTOR_CACHE_DIR": str(self.home / "inductor"),
        }

    def _look(self) -> None:
        """What has ended, and what has stood still for too long: with it go the other ranks."""
        lost = set()
        for process, _which, tag, *_ in self.running:
            heart = self.home / "hearts" / tag
            late = heart.exists() and time.time() - heart.stat().st_mtime > LIMIT
            if late:
                print("stood still:", tag, heart.read_text(), flush=True)
            if late or process.poll() not in (None, 0):
                lost.add(tag)
        for one in list(self.running):
            if one[2] in lost:
                if one[0].poll() is None:
                    time.sleep(1.5)  # it may be writing what it saw
                stop(one[0])
            if one[0].poll() is not None:
                self.running.remove(one)
                for path in (self.home / "workers").glob(f"{one[0].pid} *"):
                    path.unlink()
                release(self.home, one[0].pid)
                Memory(self.home, 0.0).give(one[2])


def pairs(raw: list[Case]) -> list[Case]:
    """Each FP8 run beside the BF16 run of the same."""
    found = {row["case"]["name"]: row for row in raw if row["rank"] == 0 and "error" not in row["seen"]}
    for row in found.values():
        if row["left"] > LEFT:  # its peak is not its own
            row["seen"]["peak_gib"] = None
    made = []
    for name, cases in groups():
        other = found.get(f"{name}-bf16")
        for one in cases[1:]:
            mine = found.get(one["name"])
            if mine is not None and other is not None:
                made.append(point(one, mine["seen"], other["seen"]))
    return made


def main() -> int:
    """Run, work, or pair."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("run", "make", "work", "pair"))
    options.add_argument("raw")
    options.add_argument("--seconds", type=float, default=1e9)
    options.add_argument("--gpus", type=int, default=4)
    options.add_argument("--size", type=float, default=68.0, help="GiB of a GPU that trainings may have")
    options.add_argument("--beside", type=int, default=BESIDE)
    options.add_argument("--home", default="/dev/shm/series")
    options.add_argument("--only", nargs="*", default=[], help="names of groups")
    options.add_argument("--overlay", nargs="*", default=[])
    options.add_argument("--tiny", action="store_true", help="tiny models on the CPU, to try the tool")
    options.add_argument("--kind", default="")
    options.add_argument("--on", default="0")
    options.add_argument("--tag", default="0")
    options.add_argument("--again", default="", help="GROUP:AT, the rest of a group in a process of its own")
    options.add_argument("--until", type=float, default=0.0)
    given = options.parse_args()
    if given.what == "pair":
        for made in pairs([json.loads(line) for line in Path(given.raw).read_text(encoding="utf-8").splitlines()]):
            print(json.dumps(made))
        return 0
    if given.what == "make":
        for name in given.raw.split(","):
            trainers.make_model(name, Path(given.home) / "models" / name, "cpu" if given.tiny else "cuda")
        return 0
    if given.what == "work":
        return Worker(given).work()
    Driver(given).run()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # nobody waits for process groups that were left behind
