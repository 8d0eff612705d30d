"""`fp8check run` on GPUs: each case unwatched twice and watched once, and what it says held against a recorder.

    python -m tests.tools.gpu.run_cases OUT.jsonl [--seconds N] [--only NAME ...] [--gpus N] [--jobs N]
        [--overlay NAME=FOLDER:FOLDER ...] [--tiny]

A line is written as soon as a case has ended: whether what was seen is what the recorder (tests/run/recorder) saw, the
losses of the three runs, the time of a step once the watcher had stepped aside, the verdict and what it had to be.
An overlay goes on PYTHONPATH: of a trainer ("llamafactory", "trl"), of runs with DeepSpeed ("zero"), or of all ("all").
--tiny is the same on a CPU, emulated, to try the tool.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.tools.gpu import worth_points
from tests.tools.gpu.turns import Job, Turns

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS, RECORDER = ROOT / "tests" / "run" / "programs", ROOT / "tests" / "run" / "recorder"
TAIL = 40  # steps at the end, over which a step is timed
GIB = 14.0  # what a run may take of a GPU, about
LOADING = ("llamafactory", "trl")  # what loads a model from a folder
KINDS = ("recorded", "plain", "watched")
Case = dict[str, Any]

TE = {"backend": "TE"}
TE_WRITTEN = {"backend": "TE", "fp8_format": "E4M3", "amax_history_len": 16, "amax_compute_algo": "max"}
AO = {"backend": "AO", "enable_fsdp_float8_all_gather": False}
FSDP2 = {
    "fsdp_version": 2,
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
    "fsdp_reshard_after_forward": True,
    "fsdp_state_dict_type": "SHARDED_STATE_DICT",
    "fsdp_cpu_ram_efficient_loading": False,
}
TRAINING = [
    *("--output_dir", "out", "--max_steps", "STEPS", "--per_device_train_batch_size", "ROWS", "--report_to", "none"),
    *("--save_strategy", "no", "--learning_rate", "1e-3", "--logging_steps", "1", "--dataloader_num_workers", "1"),
]


def case(
    name: str,
    program: str,
    fp8: dict[str, Any] | None = None,
    *,
    gpus: int = 1,
    right: bool = True,
    rule: str = "",
    precision: str = "fp8",
    spread: str = "",
    arguments: tuple[str, ...] = (),
    launcher: str = "accelerate",
    needs: tuple[str, ...] = (),
    **variables: str,
) -> Case:
    """One run.

    Args:
        program: of tests/run/programs; or a trainer's own.
        fp8: fp8_config of the Accelerate file.
        right: whether it is what it asks for; `rule` says that it is not.
        spread: "ddp", "fsdp2", "zero2", "zero3".
        needs: overlays without which it is not run.
    """
    file: dict[str, Any] = {"compute_environment": "LOCAL_MACHINE", "mixed_precision": precision, "num_processes": gpus}
    file["distributed_type"] = {"": "NO", "ddp": "MULTI_GPU", "fsdp2": "FSDP"}.get(spread, "DEEPSPEED")
    file |= {"fp8_config": fp8} if fp8 is not None else {}
    file |= {"fsdp_config": FSDP2} if spread == "fsdp2" else {}
    if spread.startswith("zero"):
        file["deepspeed_config"] = {"zero_stage": int(spread[-1]), "gradient_accumulation_steps": 1}
        needs = (*needs, "zero")
    slow = "compiled" in variables
    dynamo = {"dynamo_backend": "INDUCTOR", "dynamo_mode": "default", "dynamo_use_dynamic": False}
    if variables.pop("compiled", None):
        file["dynamo_config"] = {f"dynamo_{key.partition('_')[2]}": value for key, value in dynamo.items()}
    return {
        "name": name,
        "program": program,
        "accelerate": file if launcher == "accelerate" else None,
        "launcher": launcher,
        "arguments": list(arguments),
        "gpus": gpus,
        "right": right,
        "rule": rule,
        "needs": needs,
        "slow": slow or program in LOADING,
        "variables": variables,
    }


BF16 = (*TRAINING, "--bf16")
CASES = [
    case("own-te", "own.py", TE_WRITTEN),
    case("own-te-ddp", "own.py", TE_WRITTEN, spread="ddp", gpus=2),
    case("own-ao", "own.py", AO),
    case("own-ao-compiled", "own.py", AO, compiled="yes"),
    case("own-ao-frozen", "own.py", {"backend": "AO"}, right=False, rule="FP811"),
    case("own-ao-fsdp2", "own.py", AO, spread="fsdp2", gpus=2),
    case("own-te-fsdp2", "own.py", TE, spread="fsdp2", gpus=2, right=False, rule="FP806"),
    case("own-ao-checkpointed", "own.py", AO, CHECKPOINT="plain"),
    case("own-te-checkpointed", "own.py", TE, right=False, rule="FP807", CHECKPOINT="reentrant"),
    case("zero2-te", "own.py", TE, spread="zero2", gpus=2),
    case("zero3-te", "own.py", TE, spread="zero3", gpus=2),
    case("zero2-te-recipe", "own.py", TE_WRITTEN, spread="zero2", gpus=2, right=False, rule="FP818"),
    case("trainer-te", "trainer.py", TE_WRITTEN, arguments=tuple(TRAINING)),
    case("trainer-te-ddp", "trainer.py", TE_WRITTEN, arguments=tuple(TRAINING), spread="ddp", gpus=2),
    case("trainer-te-bf16", "trainer.py", TE_WRITTEN, arguments=BF16, right=False, rule="FP818"),
    case("trainer-none-bf16", "trainer.py", {}, arguments=BF16, right=False, rule="FP806"),
    case("leftover", "own.py", precision="bf16", right=False, rule="FP808", ACCELERATE_FP8_BACKEND="TE"),
    case("bf16", "own.py", precision="bf16"),
    case("te-autocast", "te_autocast.py", launcher="python"),
    case("torchao-alone", "torchao_alone.py", launcher="python"),
    case("te-autocast-torchrun", "te_autocast.py", launcher="torchrun"),
    case("lf-te-full", "llamafactory", TE_WRITTEN, needs=("llamafactory",)),
    case("lf-ao-full", "llamafactory", AO, needs=("llamafactory",)),
    case("lf-ao-lora", "llamafactory", AO, needs=("llamafactory",), LORA="16"),
    case("lf-te-ddp", "llamafactory", TE_WRITTEN, spread="ddp", gpus=2, needs=("llamafactory",)),
    case("trl-ao", "trl", AO, needs=("trl",)),
    case("trl-ao-fsdp2", "trl", AO, spread="fsdp2", gpus=2, needs=("trl",)),
]


class Runner:
    """What the runs of the cases are, and what came of them."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.home = Path(given.home)
        self.overlays = dict(one.split("=", 1) for one in given.overlay)
        self.found: dict[str, Case] = {}
        library = self.home / "lib" / "fp8check"  # nothing is installed there: the rooms of this checkout, by links
        library.mkdir(parents=True, exist_ok=True)
        for room in ("rules", "probe", "cli"):
            (library / room).unlink(missing_ok=True)
            (library / room).symlink_to(ROOT / room, target_is_directory=True)

    def lacks(self, one: Case) -> str:
        """Why it cannot run here."""
        missing = [name for name in one["needs"] if name not in self.overlays and not self.given.tiny]
        return f"no overlay {', '.join(missing)}" if missing else ""

    def jobs(self, one: Case, end: Callable[[Case], None]) -> list[Job]:
        """The three runs of a case; what they come to is handed on as soon as the last of them has ended."""
        began = time.monotonic()

        def ended(kind: str, code: int | None) -> None:
            runs = self.found.setdefault(one["name"], {})
            runs[kind] = self.came_of(one, kind, code)
            if len(runs) == len(KINDS):
                told = compared(one, *(runs[kind] for kind in KINDS))
                end({**told, "gpus": one["gpus"], "seconds": round(time.monotonic() - began, 1)})

        return [
            Job(
                f"{one['name']} {kind}",
                one["name"],
                one["gpus"],
                0.0 if self.given.tiny else GIB,
                functools.partial(self.begin, one, kind),
                lambda code, _seconds, kind=kind: ended(kind, code),  # type: ignore[misc]
                self.home / "made" if one["program"] in LOADING else Path("/"),
            )
            for kind in KINDS
        ]

    def begin(
        self, one: Case, kind: str, gpus: list[int], port: int, turn: Path, **variables: str
    ) -> subprocess.Popen[bytes]:
        """Start one of the three, with more variables where some are given."""
        folder = self.home / one["name"] / kind
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path in PROGRAMS.glob("*.py"):
            shutil.copy(path, folder)
        words = self.words(one, folder, port)
        if kind.startswith("watched"):
            mine = ["run", "--force", "--no-config", "--evidence", "evidence.json"]
            code = "from fp8check.cli import run; run()"
            words = [sys.executable, "-c", code, *mine, "--", *words]
        environ = {**self.environ(one, gpus, folder, everything=kind == "recorded"), "TURN": str(turn), **variables}
        with (folder / "log").open("wb") as out:
            return subprocess.Popen(
                words, cwd=folder, env=environ, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )

    def came_of(self, one: Case, kind: str, code: int | None) -> Case:
        """What one of the three left."""
        folder = self.home / one["name"] / kind
        text = (folder / "log").read_bytes().decode(errors="replace")
        found: Case = {"code": code, "log": text[-2500:], "verdict": _verdict(text)}
        for name in ("record.json", "evidence.json"):
            path = folder / name
            found[name.partition(".")[0]] = json.loads(path.read_text()) if path.exists() else None
        shutil.rmtree(folder / "out", ignore_errors=True)
        return found

    def words(self, one: Case, folder: Path, port: int) -> list[str]:
        """The command, as people write it."""
        tiny = self.given.tiny
        sizes = {"STEPS": str(self.given.steps), "ROWS": "2" if tiny else "4"}
        arguments = [sizes.get(word, word) for word in one["arguments"]]
        if one["launcher"] == "python":
            return [sys.executable, one["program"]]
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--master_port", str(port), "--nproc_per_node"]
        if one["launcher"] == "torchrun":
            return [*torchrun, str(one["gpus"]), one["program"]]
        file = dict(one["accelerate"])
        if tiny:
            file |= {"use_cpu": True}
            file["distributed_type"] = {"MULTI_GPU": "MULTI_CPU"}.get(
                file["distributed_type"], file["distributed_type"]
            )
            arguments += ["--use_cpu"] if one["program"] == "trainer.py" else []
        (folder / "accel.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
        program = [one["program"], *arguments]
        if one["program"] in LOADING:
            program = self.trainer(one, folder, sizes)
        launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", "accel.yaml"]
        return [*launch, "--main_process_port", str(port), *program]

    def trainer(self, one: Case, folder: Path, sizes: dict[str, str]) -> list[str]:
        """A trainer's own program, with its file."""
        shared = {
            "model_name_or_path": str(self.home / "model"),
            "output_dir": "out",
            "max_steps": int(sizes["STEPS"]),
            "per_device_train_batch_size": int(sizes["ROWS"]),
            "learning_rate": 1e-3,
            "save_strategy": "no",
            "report_to": "none",
            "logging_steps": self.given.logging,
            "bf16": False,
            "gradient_checkpointing": False,
            **({"use_cpu": True} if self.given.tiny else {}),
        }
        length = 64 if self.given.tiny else 2048
        if one["program"] == "trl":
            rows = {"dataset_name": str(self.home / "data" / "trl"), "max_length": length, "packing": True}
            file = {**shared, **rows, "packing_strategy": "wrapped", "loss_type": "nll"}
            (folder / "train.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
            return ["-m", "trl.scripts.sft", "--config", "train.yaml"]
        del shared["gradient_checkpointing"]
        lora = one["variables"].get("LORA")
        file = {
            **shared,
            "stage": "sft",
            "do_train": True,
            "finetuning_type": "lora" if lora else "full",
            **({"lora_rank": int(lora), "lora_target": "all"} if lora else {}),
            "dataset": "random",
            "dataset_dir": str(self.home / "data" / "lf"),
            "template": "alpaca",
            "cutoff_len": length,
            "packing": True,
            "disable_gradient_checkpointing": True,
        }
        (folder / "train.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
        return ["-m", "llamafactory.launcher", "train.yaml"]

    def environ(self, one: Case, gpus: list[int], folder: Path, *, everything: bool) -> dict[str, str]:
        """The shell of a run."""
        names = [one["program"], *(["zero"] if "zero" in one["needs"] else []), "all"]
        path = [
            str(RECORDER),
            *(self.overlays.get(name, "") for name in names),
            str(self.home / "lib"),
            os.environ.get("PYTHONPATH", ""),
        ]
        tiny = self.given.tiny
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE_", "FP8"))},
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "RECORD": str(folder / "record.json"),
            "RECORD_ALL": "1" if everything else "0",
            "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus)),
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / "hf"),
            "OMP_NUM_THREADS": "1" if tiny else "4",
            "WANDB_DISABLED": "true",
            "DISABLE_VERSION_CHECK": "1",
            "TRITON_CACHE_DIR": str(self.home / one["name"] / "triton"),
            "TORCHINDUCTOR_CACHE_DIR": str(self.home / one["name"] / "inductor"),
            "DETERMINISTIC": "1",
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "SIZE": "tiny" if tiny else "7b",
            "LAYERS": "2",
            "TOKENS": "2x64" if tiny else "4x2048",
            "STEPS": str(self.given.steps),
            **({"EMULATE": "1", "ACCELERATE_USE_CPU": "true", "ACCELERATE_BYPASS_DEVICE_MAP": "true"} if tiny else {}),
            **one["variables"],
        }


def _verdict(text: str) -> str:
    marks = [line for line in text.splitlines() if line.startswith("fp8check: ")]
    return marks[-1] if marks else ""


def compared(one: Case, recorded: Case, plain: Case, watched: Case) -> Case:
    """What the three come to: what is wrong with what was said, in words."""
    wrong: list[str] = []
    for kind, run in (("recorded", recorded), ("plain", plain), ("watched", watched)):
        allowed = (0, 1) if kind == "watched" else (0,)
        if run["code"] not in allowed or run["record"] is None:
            return {
                "name": one["name"],
                "agrees": False,
                "wrong": [f"{kind} ended with {run['code']}"],
                "log": run["log"],
            }
    seen = watched["evidence"]
    if seen is None:
        return {"name": one["name"], "agrees": False, "wrong": ["no evidence"], "log": watched["log"]}
    real, tail = recorded["record"], _tail(plain["record"])
    wrong += _facts(seen, real)
    spread = _apart(recorded["record"]["losses"], plain["record"]["losses"])
    apart = _apart(watched["record"]["losses"], plain["record"]["losses"])
    if apart > max(2 * spread, 1e-6):
        wrong.append(f"losses are {apart:.2e} from an unwatched run, two of which are {spread:.2e} apart")
    told = _apart(seen["loss"] or [], watched["record"]["losses"][: len(seen["loss"] or [])])
    if not seen["loss"] or told > 1e-5:
        wrong.append(f"losses told are {told:.2e} from those of the run")
    # A CPU shows no kernels: nothing is as requested there for certain, nor wrong by its kernels alone.
    on_cpu = seen["device"]["name"] == "CPU"
    right = "undecided" if on_cpu else "as requested"
    wanted = right if one["right"] or (on_cpu and one["rule"] == "FP807") else "not as requested"
    if not seen["verdict"].startswith(wanted):
        wrong.append(f"the verdict is {seen['verdict']}, and had to be {wanted}")
    rules = [difference["rule"] for difference in seen["differences"]]
    if one["rule"] and one["rule"] not in rules and wanted != right:
        wrong.append(f"{one['rule']} is not among {rules}")
    if (watched["code"] == 0) != (wanted == right):
        wrong.append(f"exit code {watched['code']}")
    unwatched = (tail, _tail(real))
    ratio = 2 * _tail(watched["record"]) / sum(unwatched)
    return {
        "name": one["name"],
        "agrees": not wrong,
        "wrong": wrong,
        "verdict": seen["verdict"],
        "rules": rules,
        "undecided": seen["undecided"],
        "seen": {
            key: seen[key] for key in ("layers", "in_fp8", "recipe", "gemms", "moved", "ms", "peak_gib", "tokens_per_s")
        },
        "real": {
            **{key: real[key] for key in ("layers", "kernels", "again", "names")},
            "still": len((real["moved"] or {"still": ()})["still"]),
        },
        "losses": {"apart": apart, "two unwatched": spread, "first": seen["loss"][:1], "last": real["losses"][-1:]},
        "ms": {
            "unwatched": [round(1000 * one, 2) for one in unwatched],
            "apart": round(unwatched[0] / unwatched[1], 4),
            "after": round(ratio, 4),
        },
        "log": watched["log"] if wrong else "",
    }


def _facts(seen: Case, real: Case) -> list[str]:
    """What was seen, against what the recorder saw."""
    wrong = []
    kinds = real["layers"]
    for name, key in (("transformer_engine", "te"), ("torchao", "torchao")):
        number = sum(
            count for kind, count in kinds.items() if kind.startswith(name) or (key == "torchao" and "Float8" in kind)
        )
        if kinds and seen["layers"] and seen["layers"][key] != number:
            wrong.append(f"{key} layers: seen {seen['layers'][key]}, recorded {number}")
    kernels, gemms = real["kernels"], seen["gemms"]
    if kernels and gemms is None:
        wrong.append("no product was seen")
    elif kernels and None not in gemms.values():
        back = gemms["dgrad"] + gemms["wgrad"]
        # Of a backward pass fp8check counts dgrad and wgrad, and no product of a forward pass that is made again.
        recorded = kernels["backward"] - real["again"]
        if (gemms["fprop"], back) != (kernels["forward"], recorded):
            wrong.append(f"FP8 products: seen {gemms['fprop']} + {back}, recorded {kernels['forward']} + {recorded}")
    if real["moved"] is not None and seen["moved"] is not None:
        still, told = set(real["moved"]["still"]), seen["moved"]["expected"] - seen["moved"]["moved"]
        if bool(still) != bool(told) and told:
            wrong.append(f"{told} weights do not move, and the recorder saw {len(still)}")
    return wrong


def _apart(one: list[float | None], other: list[float | None]) -> float:
    """The largest distance of two rows of losses, relative."""
    if len(one) != len(other):
        return float("inf")
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    return max((abs(a - b) / max(abs(b), 1e-9) for a, b in pairs), default=float("inf"))


def _tail(record: Case) -> float:
    """Seconds of a step at the end."""
    times = record["times"][-TAIL - 1 :]
    return statistics.median(b - a for a, b in itertools.pairwise(times)) or 1e-9


def prepare(home: Path, tiny: bool) -> None:
    """A model and data for the trainers that load them."""
    from tests.tools.gpu.trainers import make_data, make_tokenizer

    sys.path.insert(0, str(PROGRAMS))
    os.environ.update({"SIZE": "tiny" if tiny else "7b", "LAYERS": "2"})
    from llama import build  # type: ignore[import-not-found]

    build().cpu().bfloat16().save_pretrained(home / "model")
    make_tokenizer(home / "model")
    make_data(home / "data")
    (home / "made").touch()


def main() -> int:
    """Run the cases."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out")
    options.add_argument("--seconds", type=float, default=1e9, help="after which no case begins")
    options.add_argument("--limit", type=float, default=240, help="seconds of one run")
    options.add_argument("--only", nargs="*", default=[])
    options.add_argument("--gpus", type=int, default=4)
    options.add_argument("--steps", type=int, default=60)
    options.add_argument("--logging", type=int, default=1, help="steps from one line of a trainer's log to the next")
    options.add_argument("--home", default="/dev/shm/fp8check-run")
    options.add_argument("--overlay", nargs="*", default=[])
    options.add_argument("--tiny", action="store_true")
    options.add_argument("--size", type=float, default=78.0, help="GiB of a GPU")
    options.add_argument("--beside", type=int, default=4, help="runs on a GPU, of which one trains")
    options.add_argument("--points", default="", help="the runs of worth_cases.py, too, into this file")
    options.add_argument("--only-points", nargs="*", default=[])
    options.add_argument("--compared", default="", help="those of worth_points.COMPARED, into this file")
    options.add_argument("--predicted", default="docs/evidence/worth-predicted.json")
    options.add_argument("--device", default="cuda")
    given = options.parse_args()
    began = time.monotonic()
    runner = Runner(given)
    cases = [one for one in CASES if not given.only or one["name"] in given.only]
    cases.sort(key=lambda one: (not one["slow"], -one["gpus"]))
    turns = Turns(runner.home / "turns", given.gpus, given.size, given.beside)
    with open(given.out, "a", encoding="utf-8") as out, ProcessPoolExecutor(7, get_context("spawn")) as pool:

        def end(told: Case) -> None:
            print(json.dumps(told), file=out, flush=True)
            words = (told.get(key) for key in ("agrees", "left_out", "verdict", "wrong", "ms", "seconds"))
            print(told["name"], *words, flush=True)

        if any(one["program"] in LOADING for one in cases) and not (runner.home / "made").exists():
            pool.submit(prepare, runner.home, given.tiny)
        jobs: list[Job] = []
        for one in cases:
            if runner.lacks(one):
                end({"name": one["name"], "left_out": runner.lacks(one)})
            else:
                jobs += runner.jobs(one, end)
        if given.points:
            worth = argparse.Namespace(**{**vars(given), "only": given.only_points, "home": str(runner.home / "worth")})
            points = worth_points.jobs(worth, Path(given.points), runner.overlays, pool)
            tried = [one for one in points if one.name.startswith("compared-")]
            jobs = [*tried, *jobs, *(one for one in points if one not in tried)]
        left = turns.run(jobs, began + given.seconds, given.limit)
    print("not started:", *left, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
