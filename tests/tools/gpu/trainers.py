"""Peak GPU memory of real trainers: each case of trainer_cases.py in processes of its own, several at a time.

    python -m tests.tools.gpu.trainers OUT.jsonl --gib GUESSES.json [--only NAME ...] [--seconds N] [--gpus N]
        [--overlay NAME=FOLDER:FOLDER ...]

GUESSES.json says what each case will about take, so that those that run side by side fit into the GPUs. A peak is that
of one process and does not depend on what runs beside it. An overlay goes on PYTHONPATH: of a trainer, of runs with
DeepSpeed ("zero"), with FP8 ("fp8") or with Liger's kernels ("liger"), or of all. A line is written as soon as its case has ended.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.tools.gpu.llamas import config_of
from tests.tools.gpu.trainer_cases import CASES, HELD_OUT, OWN_LOOP, SECOND, Case

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent

# Of what a process takes beside its tensors, and of a case of which nothing is known; GiB.
CONTEXT, UNKNOWN = 2.5, 24.0
FIRST_PORT = 29600
PROGRAMS = {
    "trainer": str(HERE / "plain_trainer.py"),
    "llamafactory": "llamafactory.launcher",
    "trl": "trl.scripts.sft",
    "trl-0.24": "trl.scripts.sft",
    "axolotl": "axolotl.cli.train",
    "own": "train.py",
}


def make_model(name: str, folder: Path, device: str) -> None:
    """A checkpoint in BF16 with random weights, and a tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    written = config_of(name)
    config = AutoConfig.for_model(**written, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    torch.set_default_dtype(before)
    model.save_pretrained(folder)
    make_tokenizer(folder)


WORDS = [f"w{number}" for number in range(1000)]


def make_tokenizer(folder: Path) -> None:
    """One token a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<s>", "</s>", "<unk>"]
    names = {word: number for number, word in enumerate(special + WORDS)}
    words = Tokenizer(models.WordLevel(names, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)


def make_data(folder: Path) -> None:
    """Random words, for LLaMA-Factory and for TRL: enough for four steps of the longest rows on two GPUs."""
    pick = random.Random(0)  # noqa: S311  words, no secrets
    lines = [" ".join(pick.choices(WORDS, k=400)) for _ in range(600)]
    for name in ("lf", "trl"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = [{"instruction": line[:200], "input": "", "output": line} for line in lines]
    (folder / "lf" / "random.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "lf" / "dataset_info.json").write_text('{"random": {"file_name": "random.json"}}', encoding="utf-8")
    text = "".join(json.dumps({"text": line}) + "\n" for line in lines)
    (folder / "trl" / "train.jsonl").write_text(text, encoding="utf-8")


def training_files(one: Case, home: Path) -> dict[str, str]:
    """The training file, or the script whose loop is its own, with this machine's model and data."""
    training, model = dict(one["training"]), str(home / "models" / one["model"])
    if one["trainer"] == "own":
        return {"train.py": OWN_LOOP.format(model=model, batch=training["batch"], length=training["length"])}
    training["base_model" if one["trainer"] == "axolotl" else "model_name_or_path"] = model
    data = "lf" if one["trainer"] == "llamafactory" else "trl"
    for key in ("dataset_dir", "dataset_name"):
        if key in training:
            training[key] = str(home / "data" / data)
    if one["trainer"] == "axolotl":
        training["datasets"] = [{**training["datasets"][0], "path": str(home / "data" / "lf" / "random.json")}]
    return {"train.yaml": yaml.safe_dump(training)}


def start(one: Case, home: Path, gpus: list[int], port: int, overlays: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the run of a case on these GPUs."""
    folder = home / one["name"]
    folder.mkdir(parents=True)
    for name, text in training_files(one, home).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "accelerate.yaml").write_text(yaml.safe_dump(one["accelerate"]), encoding="utf-8")
    if one["deepspeed"] is not None:
        (folder / "ds.json").write_text(json.dumps(one["deepspeed"]), encoding="utf-8")
    words = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", "accelerate.yaml"]
    words += ["--main_process_port", str(port), str(HERE / "watched.py"), "seen.json", PROGRAMS[one["trainer"]]]
    words += ["--config"] * one["trainer"].startswith("trl") + ["train.yaml"] * (one["trainer"] != "own")
    zero = one["deepspeed"] is not None or one["accelerate"]["distributed_type"] == "DEEPSPEED"
    liger = any("liger" in key for key in one["training"])
    fp8 = "fp8_config" in one["accelerate"]
    names = [one["trainer"]] + ["zero"] * zero + ["fp8"] * fp8 + ["liger"] * liger + ["all"]
    path = [*(overlays.get(name, "") for name in names), os.environ.get("PYTHONPATH", "")]
    log = (folder / "log").open("wb")
    environment = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus)),
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "hf"),
        "DISABLE_VERSION_CHECK": "1",
        "OMP_NUM_THREADS": "4",
        "WANDB_DISABLED": "true",
        "AXOLOTL_DO_NOT_TRACK": "1",
        "TRITON_CACHE_DIR": str(folder / "triton"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
    }
    return subprocess.Popen(
        words, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )


def read(one: Case, home: Path, code: int | None) -> Case:
    """What was seen of a case; its end where it failed."""
    folder = home / one["name"]
    try:
        seen: Case = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
        others = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("seen.json.rank*"))]
        seen["peaks"] = [one["peak"] for one in (seen, *others)]
    except (OSError, ValueError):
        log = (folder / "log").read_bytes().decode(errors="replace")
        told = [line for line in log.splitlines() if "Error" in line]
        lines = [line for line in told if not any(word in line for word in ("CalledProcess", "ChildFailed"))]
        seen = {"error": (lines[-1] if lines else f"ended with {code}")[:400], "log": log[-1500:]}
    return {"case": one, "seen": seen}


def tiny(one: Case) -> Case:
    """The same on a CPU, small."""
    length = {
        key: 512 if one["trainer"] == "axolotl" else 64  # it drops rows that are longer
        for key in ("cutoff_len", "max_length", "max_seq_length", "sequence_len", "length")
        if key in one["training"]
    }
    accelerate = {**one["accelerate"], "use_cpu": True}
    if accelerate["distributed_type"] == "MULTI_GPU":
        accelerate["distributed_type"] = "MULTI_CPU"
    batch = {key: 1 for key in ("per_device_train_batch_size", "micro_batch_size", "batch") if key in one["training"]}
    cpu = {"bf16": False} if one["trainer"] == "axolotl" else {"use_cpu": True}
    training = {**one["training"], **length, **batch, **cpu}
    return {**one, "model": "0.001B2", "training": training, "accelerate": accelerate}


class Room:
    """GiB that are left of each GPU."""

    def __init__(self, gpus: int, size: float) -> None:
        self.left = [size] * gpus

    def take(self, one: Case, gib: float) -> list[int] | None:
        """The GPUs of a case, if there is room on them."""
        best = sorted(range(len(self.left)), key=lambda gpu: -self.left[gpu])[: one["gpus"]]
        if len(best) < one["gpus"] or any(self.left[gpu] < gib for gpu in best):
            return None
        self.give(best, -gib)
        return sorted(best)

    def give(self, gpus: list[int], gib: float) -> None:
        """That much more is there."""
        for gpu in gpus:
            self.left[gpu] += gib


def run(cases: list[Case], home: Path, given: argparse.Namespace, guesses: dict[str, float]) -> None:
    """All that there is time for, as many at a time as there is room for."""
    overlays = dict(one.split("=", 1) for one in given.overlay)
    with open(given.out, "a", encoding="utf-8") as out:

        def end(one: Case, code: int | None, wall: float) -> None:
            line = {**read(one, home, code), "wall": wall}
            print(json.dumps(line), file=out, flush=True)
            peak = line["seen"].get("peak", 0) / 2**30
            print(one["name"], f"{peak:.2f} GiB", wall, line["seen"].get("error", "")[:300], flush=True)

        side_by_side(
            cases,
            given,
            lambda one: guesses.get(one["name"], UNKNOWN),
            lambda one, gpus, port: start(one, home, gpus, port, overlays),
            end,
        )


Running = dict[str, tuple[Case, "subprocess.Popen[bytes]", list[int], float, float]]


def side_by_side(
    cases: list[Case],
    given: argparse.Namespace,
    gib_of: Callable[[Case], float],
    begin: Callable[[Case, list[int], int], subprocess.Popen[bytes]],
    end: Callable[[Case, int | None, float], None],
    may: Callable[[Case, Running], bool] = lambda _one, _running: True,
) -> None:
    """Run cases, as many at a time as there is room for, until the time is over; what is left then is ended and told.

    Args:
        given: gpus, size (GiB of each), jobs at a time, seconds for all, and limit: seconds for each.
        gib_of: what a case may take of each of its GPUs.
        begin: starts a case on these GPUs, with a port of its own.
        end: takes what came of a case, by its exit code, after so many seconds.
        may: whether a case may begin beside those that run.
    """
    room, waiting, running = Room(given.gpus, given.size), list(cases), {}
    ends, port = time.time() + given.seconds, FIRST_PORT
    while (waiting or running) and time.time() < ends:
        for one in list(waiting):
            gib = 1.15 * gib_of(one) + CONTEXT
            gpus = room.take(one, gib) if len(running) < given.jobs and may(one, running) else None
            if gpus is not None:
                waiting.remove(one)
                port += 7
                running[one["name"]] = (one, begin(one, gpus, port), gpus, gib, time.time())
        time.sleep(0.3)
        for name, (one, process, gpus, gib, began) in list(running.items()):
            if process.poll() is None and time.time() - began < given.limit:
                continue
            stop(process)
            del running[name]
            room.give(gpus, gib)
            end(one, process.poll(), round(time.time() - began, 1))
    for name, (_, process, *_) in running.items():
        print(name, "was still running", flush=True)
        stop(process)
    print("not started:", *(one["name"] for one in waiting), flush=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a run with all its processes."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> int:
    """Make models and data, and run the cases."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out")
    options.add_argument("--gib", default="")
    options.add_argument("--only", nargs="*", default=[])
    options.add_argument("--seconds", type=float, default=1e9)
    options.add_argument("--limit", type=float, default=150)
    options.add_argument("--gpus", type=int, default=2)
    options.add_argument("--jobs", type=int, default=10)
    options.add_argument("--size", type=float, default=76.0)
    options.add_argument("--home", default="/dev/shm/peaks")
    options.add_argument("--device", default="cuda")
    options.add_argument("--overlay", nargs="*", default=[])
    options.add_argument("--tiny", action="store_true", help="a tiny model on the CPU, to try the tools")
    given = options.parse_args()
    home = Path(given.home)
    cases = [one for one in CASES + HELD_OUT + SECOND if not given.only or one["name"] in given.only]
    cases.sort(key=lambda one: (not one["training"].get("torch_compile"), -one["gpus"]))  # the longest first
    if given.tiny:
        cases, given.device = [tiny(one) for one in cases], "cpu"
    began = time.time()
    make_data(home / "data")
    for name in sorted({one["model"] for one in cases}):
        if not (home / "models" / name).exists():
            make_model(name, home / "models" / name, given.device)
    print(f"models and data in {time.time() - began:.0f} s", flush=True)
    given.seconds -= time.time() - began
    guesses = json.loads(Path(given.gib).read_text()) if given.gib else {}
    run(cases, home, given, guesses)
    return 0


if __name__ == "__main__":
    sys.exit(main())
