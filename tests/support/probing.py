"""What the tests of the probe share: a small run, the interpreter with torch, and faults in its packages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fp8check.probe import probe
from fp8check.probe.process import Limits
from fp8check.rules.checking.examining import examine
from fp8check.rules.outcome import predict
from tests.support.paths import ROOT
from tests.support.runs import assembled_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.seen import Seen
    from fp8check.rules.suppression.examined import Examined

FAULT_SITE = Path(__file__).with_name("fault_site")

SMALL = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 512,
    "tie_word_embeddings": False,
}
TRAINING = "per_device_train_batch_size: 2\nmax_seq_length: 64\ndtype: float32\n"
AO = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: AO\n"
AO_OFF = AO + "  enable_fsdp_float8_all_gather: false\n"
TE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"


def torch_python() -> str:
    """An interpreter that has torch, torchao, accelerate and peft (make probe-env); skips the test where there is none."""
    named = os.environ.get("FP8CHECK_PROBE_PYTHON")
    python = Path(named) if named else ROOT / ".probe-env" / "bin" / "python"
    if not python.exists():
        pytest.skip("no interpreter with torch: make probe-env, or FP8CHECK_PROBE_PYTHON")
    return str(python)


def probed(
    case: Mapping[str, object],
    *,
    python: str = sys.executable,
    emulate: bool = False,
    fault: str | None = None,
    path: Path | None = None,
    limits: Limits | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Examined, Seen]:
    """Probe the run of a case, with a fault or with the packages of a folder in front; the report of it, whole."""
    one = assembled_of({"training": TRAINING, "model": SMALL, **case})
    shell = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shell.update(environ or {})
    if fault is not None:
        shell.update(NVTE_TEST_FAULT=fault, PYTHONPATH=str(FAULT_SITE))  # a name that the allow-list lets through
    if path is not None:
        shell["PYTHONPATH"] = str(path)
    seen = probe(one.run, predict(one.run), python=python, emulate=emulate, limits=limits, environ=shell)
    return examine(one.run, one.documents, seen=seen), seen


def said(report: Examined, rule: str) -> str:
    """Everything that a rule says in the report: findings, and why it is undecided."""
    parts = [" ".join((one.message, one.label, *one.notes, one.help)) for one in report.findings if one.rule == rule]
    parts += [f"undecided: {one.needs}" for one in report.undecided if one.rule == rule]
    return "\n".join(parts)


def not_a_pass(report: Examined) -> None:
    """Whatever went wrong, the report does not say that all is well."""
    assert report.crashes == ()
    assert report.verdict != "pass"
