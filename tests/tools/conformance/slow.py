"""The slow way: a real `accelerate launch` in processes of its own, which must agree with the fork server.

    python -m tests.tools.conformance.slow --root .conformance

Runs a fixed set of cases both ways, prints what differs, and ends with status 1 where anything does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tools.conformance import edges, launching, stacks
from tests.tools.conformance.files import RESULT, gpus, lay_out
from tests.tools.conformance.record import Server

if TYPE_CHECKING:
    from tests.tools.conformance.cases import Case

LIMIT_SECONDS = 180
CASES = (
    "file-te-e4m3-16-1.15",
    "file-ao-1.15",
    "file-backend-lower-1.15",
    "file-te-override-scalar-1.15",
    "train-bf16-te-1.15",
    "layout-ddp-TE-script-1.15",
    "layout-fsdp2-AO-script-1.15",
    "model-tied-te-1.15",
    "train-bf16-ao-1.10",
    "file-te-1.8",
    "file-te-1.3",
    "flags-backend-upper-1.10",
)
FIELDS = (
    "started",
    "mixed_precision",
    "fp8_enabled",
    "backend",
    "distributed_type",
    "recipe",
    "linears",
    "fp8_linears_run",
    "trainable",
    "tied",
    "moved",
)


def run(case: Case, root: Path) -> dict[str, Any]:
    """The observation of one case by the real launcher."""
    with tempfile.TemporaryDirectory(prefix="fp8check-slow-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
        environment = stacks.environment(case["stack"], root)
        environment |= {"HF_HOME": str(folder / "home"), "CONFORMANCE_COMPUTE_CAPABILITY": _capability(case)}
        environment |= {"ACCELERATE_BYPASS_DEVICE_MAP": "true", "DS_ACCELERATOR": "cpu", **case["variables"]}
        config_file = lay_out(case, folder, folder / "home")
        output, status = _run(_command(case, config_file, folder, root), environment)
        result = folder / RESULT
        if result.exists():
            return dict(json.loads(result.read_text(encoding="utf-8")))
        return {"started": False, "error": _launcher_error(output, status)}


def _capability(case: Case) -> str:
    return str(case["gpu"]["compute_capability"])


def _command(case: Case, config_file: str | None, folder: Path, root: Path) -> list[str]:
    program = [str(stacks.HERE / "execute.py"), str(folder)]
    python = str(stacks.python(root))
    if case["launch"]["with"] == "python":
        return [python, *program]
    if case["launch"]["with"] == "torchrun":
        return [python, "-m", "torch.distributed.run", f"--nproc_per_node={gpus(case)}", *program]
    words = launching.launch_arguments(case, config_file, program)
    return [python, "-m", "accelerate.commands.accelerate_cli", "launch", *words]


def _run(command: list[str], environment: dict[str, str]) -> tuple[str, int]:
    """Output and exit status; at the limit the whole process group ends."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        output, _ = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    return output, process.returncode


def _launcher_error(output: str, status: int) -> dict[str, str]:
    """What the launcher raised: the last line of its traceback, or SystemExit where it refused its arguments."""
    raised = re.findall(r"^([\w.]*(?:Error|Exception)): (.*)$", output, re.MULTILINE)
    if raised:
        kind, message = raised[-1]
        return {"stage": "launch", "type": kind.rpartition(".")[2], "message": message}
    return {"stage": "launch", "type": "SystemExit", "message": str(status)}


def differences(fast: dict[str, Any], slow: dict[str, Any]) -> list[str]:
    """The fields in which the two ways differ."""
    kinds = [(side.get("error") or {}).get("type") for side in (fast, slow)]
    wrong = [] if kinds[0] == kinds[1] else [f"error: {kinds[0]} and {kinds[1]}"]
    return wrong + [
        f"{field}: {fast.get(field)!r} and {slow.get(field)!r}"
        for field in FIELDS
        if fast.get(field) != slow.get(field)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the fixed cases both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(".conformance"))
    root = parser.parse_args(arguments).root.resolve()
    chosen = {case["id"]: case for case in edges.cases_by_hand() if case["id"] in CASES}
    stacks.prepare(root, [case["stack"] for case in chosen.values()])
    failed = 0
    for name in CASES:
        with Server(chosen[name]["stack"], root) as server:
            fast = server.run(chosen[name])["observed"]
        wrong = differences(fast, run(chosen[name], root))
        failed += bool(wrong)
        print(f"{'differs' if wrong else 'agrees ':8} {name} {'; '.join(wrong)}", flush=True)
    print(f"{len(CASES) - failed} of {len(CASES)} cases agree both ways")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
