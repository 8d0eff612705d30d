"""Schemathesis with all its checks on the served OpenAPI, bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fp8check.rules.trainers.registry import NAMES
from fp8check.service.options import Trainer
from fp8check.service.tokens import make
from tests.support.service import served

EXAMPLES = os.environ.get("TEST_EXAMPLES", "2")


def test_the_served_openapi_holds_for_generated_requests(tmp_path: Path) -> None:
    command = str(Path(sys.executable).with_name("schemathesis"))
    config = Path(__file__).with_name("schemathesis.toml")
    secret, token = make("test", ("check", "probe", "read"), 1)
    (tmp_path / "tokens").write_text(token.line())
    variables = {"FP8CHECK_TOKENS_FILE": str(tmp_path / "tokens"), "FP8CHECK_PROBE_QUEUE": "10000"}
    with served(tmp_path, **variables) as one:
        words = [
            "--config-file",
            str(config),
            "run",
            one.url + "openapi.json",
            "--max-examples",
            EXAMPLES,
            "--seed",
            "1",
        ]
        words += ["-H", f"Authorization: Bearer {secret}", "--warnings", "off", "--no-color"]
        done = subprocess.run([command, *words], capture_output=True, text=True, timeout=600, cwd=tmp_path, check=False)
    print(done.stdout[-1500:])
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]
    assert '"crash"' not in one.log.read_text()


def test_trainers_are_those_of_the_command() -> None:
    assert Trainer.__args__ == NAMES
