"""The probes that are recorded on a GPU: healthy runs, runs that are not FP8, distribution, and faults.

python -m tests.tools.gpu.probe_cases --out FILE --faults FILE [--jobs N] [--only NAME ...]

One JSON line a case: what `fp8check probe --json` says. The first group runs alone, for its times; the others share the
GPU. A fault is done to the real packages by tests/support/fault_site, or by files that are moved away.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import TESTS
from tests.tools.gpu.cases import FSDP1, FSDP2, NO_RAM

FAULT_SITE = TESTS / "support" / "fault_site"
TRAIN: dict[str, Any] = {
    "model_name_or_path": "Qwen/Qwen2.5-7B",
    "max_seq_length": 2048,
    "per_device_train_batch_size": 4,
    "output_dir": "out",
}
TE: dict[str, Any] = {"backend": "TE"}
AO: dict[str, Any] = {"backend": "AO"}
OFF: dict[str, Any] = {**AO, "enable_fsdp_float8_all_gather": False}
BF16_WEIGHTS = {"dtype": "bfloat16"}
CHECKPOINT = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": True}}


def _accelerate(fp8: dict[str, Any] | None, kind: str = "NO", **more: Any) -> dict[str, Any]:
    config = {"distributed_type": kind, "mixed_precision": "fp8", "num_processes": 1, **more}
    return config if fp8 is None else {**config, "fp8_config": fp8}


def _case(fp8: dict[str, Any] | None, training: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    kind, extra = more.pop("kind", "NO"), more.pop("extra", {})
    return {"training": {**TRAIN, **(training or {})}, "accelerate": _accelerate(fp8, kind, **extra), **more}


ALONE = {
    "te": _case(TE),
    "te-e4m3": _case({**TE, "fp8_format": "E4M3", "amax_history_len": 16}),
    "ao": _case(AO),
    "ao-gather-off": _case(OFF),
    "ao-compiled": _case(OFF, {"torch_compile": True}),
    "te-bf16": _case(TE, {"bf16": True}),
    "no-backend-bf16": _case(None, {"bf16": True}),
    "ao-bf16": _case(OFF, {"bf16": True}),
    "te-512": _case(TE, {"max_seq_length": 512, "per_device_train_batch_size": 1}),
}
SHARED = {
    "te-reentrant": _case(TE, CHECKPOINT),
    "te-checkpointing": _case(TE, {"gradient_checkpointing": True}),
    "te-ddp": _case(TE, kind="MULTI_GPU"),
    "te-fsdp1": _case(TE, kind="FSDP", extra={"fsdp_config": {**FSDP1, **NO_RAM}}),
    "te-fsdp2": _case(TE, kind="FSDP", extra={"fsdp_config": {**FSDP2, **NO_RAM}}),
    "ao-fsdp2": _case(AO, BF16_WEIGHTS, kind="FSDP", extra={"fsdp_config": {**FSDP2, **NO_RAM}}),
    "ao-fsdp2-gather-off": _case(OFF, BF16_WEIGHTS, kind="FSDP", extra={"fsdp_config": {**FSDP2, **NO_RAM}}),
    "ao-fsdp2-float32": _case(AO, {"dtype": "float32"}, kind="FSDP", extra={"fsdp_config": {**FSDP2, **NO_RAM}}),
    "te-lora16": _case(TE, {"use_peft": True, "lora_r": 16}),
    "ao-lora16": _case(OFF, {"use_peft": True, "lora_r": 16}),
    "te-tied": _case(TE, {"model_name_or_path": "Qwen/Qwen2.5-0.5B"}),
    "te-mxfp8": _case({**TE, "use_mxfp8_block_scaling": True}),
    "te-32b": _case(TE, {"model_name_or_path": "Qwen/Qwen2.5-32B"}),
}
FAULTS = {
    "hang-in-step": _case(TE, fault="hang-in-step"),
    "gpu-memory-lies": _case(TE, {"per_device_train_batch_size": 128}, fault="gpu-memory-lies"),
    "autocast-off": _case(TE, fault="autocast-off"),
    "lying-name": _case(OFF, fault="lying-name"),
    "profiler-empty": _case(OFF, fault="profiler-empty"),
    "nan-weights": _case(OFF, fault="nan-weights"),
    "segfault": _case(OFF, fault="segfault"),
    "wrong-cudnn": _case(TE, unset="LD_LIBRARY_PATH"),
    "missing-extension": _case(TE, damage="extension"),
    "version-mismatch": _case(TE, damage="version"),
    "no-gpu": _case(TE, variables={"CUDA_VISIBLE_DEVICES": ""}),
}


def execute(name: str, case: dict[str, Any]) -> dict[str, Any]:
    """Probe one case with the command, and return what it said."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for key in ("training", "accelerate"):
            files.append(Path(folder, f"{key}.yaml"))
            files[-1].write_text(yaml.safe_dump(case[key], sort_keys=False))
        command = [sys.executable, "-c", "import sys; from fp8check.cli.main import main; sys.exit(main())", "probe"]
        done = subprocess.run(
            [*command, *map(str, files), "--trainer", "transformers", "--json"],
            env=_environment(case, Path(folder)),
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = {"verdict": "crash", "stderr": done.stderr[-1500:]}
    return {"id": name, **{key: case[key] for key in ("training", "accelerate")}, "exit": done.returncode, **said}


def _environment(case: dict[str, Any], folder: Path) -> dict[str, str]:
    environment = {**os.environ, **case.get("variables", {}), "HF_HOME": str(folder)}
    if "fault" in case:
        environment["NVTE_TEST_FAULT"] = case["fault"]
        environment["PYTHONPATH"] = os.pathsep.join((str(FAULT_SITE), environment.get("PYTHONPATH", "")))
    if "unset" in case:
        environment.pop(case["unset"], None)
    if "damage" in case:
        site = _damaged(case["damage"], folder)
        environment["PYTHONPATH"] = os.pathsep.join((str(site), environment.get("PYTHONPATH", "")))
    return environment


def _damaged(what: str, folder: Path) -> Path:
    """A copy of Transformer Engine without its extension for torch, or with one that says another release."""
    import transformer_engine

    source = Path(transformer_engine.__file__).parent.parent
    site = folder / "site"
    for pattern in ("transformer_engine*", "transformer_engine-*"):
        for part in source.glob(pattern):
            if part.is_dir():
                shutil.copytree(part, site / part.name, dirs_exist_ok=True)
            elif what != "extension" or part.suffix != ".so":
                site.mkdir(exist_ok=True)
                shutil.copy(part, site)
    for extension in site.rglob("transformer_engine_torch*.so"):
        if what == "extension":
            extension.unlink()
    if what == "version":
        for metadata in site.glob("transformer_engine_torch-*.dist-info/METADATA"):
            metadata.write_text(metadata.read_text().replace("Version: 2.", "Version: 1."))
    return site


def main() -> int:
    """Record the cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--faults", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    full = {"gpu-memory-lies": FAULTS["gpu-memory-lies"]}  # it fills the GPU: nothing runs beside it
    others = {name: case for name, case in FAULTS.items() if name not in full}
    groups = (
        (ALONE, 1, options.out),
        (SHARED, options.jobs, options.out),
        (others, options.jobs, options.faults),
        (full, 1, options.faults),
    )
    for path in (options.out, options.faults):
        path.write_text("")
    for group, jobs, path in groups:
        chosen = {name: case for name, case in group.items() if not options.only or name in options.only}
        with ThreadPoolExecutor(jobs) as pool, path.open("a") as out:
            for said in pool.map(lambda pair: execute(*pair), chosen.items()):
                out.write(json.dumps(said) + "\n")
                out.flush()
                _tell(said)
    return 0


def _tell(said: dict[str, Any]) -> None:
    seen = said.get("probe") or {}
    print(
        said["id"],
        said["verdict"],
        seen.get("ended"),
        seen.get("why"),
        seen.get("speedup"),
        seen.get("seconds"),
        flush=True,
    )
    for one in said.get("findings", ()):
        print("   ", one["rule"], one["message"], "|", one["label"][:150], "|", one["help"][:100], flush=True)
    print(
        "    undecided:",
        "; ".join(f"{one['rule']} {one['needs'][:70]}" for one in said.get("undecided", ())),
        flush=True,
    )
    if said["verdict"] == "crash":
        print(said["stderr"], flush=True)


if __name__ == "__main__":
    sys.exit(main())
