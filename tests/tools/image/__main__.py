"""Build the images as their Dockerfiles say, start the one for the CPU as an engine would, and try what it promises.

python -m tests.tools.image [--out dist] [cpu] [gpu]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import yaml

from fp8check.rules.version import VERSION
from fp8check.service.tokens import make
from tests.support.example import ACCELERATE, TRAINING
from tests.support.paths import ROOT
from tests.tools.image.base import base
from tests.tools.image.sbom import described
from tests.tools.image.started import mounted, new_container, own_network, running
from tests.tools.image.store import CPU, GPU, build, buildah, configuration, get_programs
from tests.tools.service.postgres import postgres

if TYPE_CHECKING:
    from tests.tools.image.started import Container, Running

MOST_MB = 250
URL = "http://127.0.0.1:8000"
BODY = {"training": TRAINING, "accelerate": ACCELERATE}
LABELS = ("title", "description", "source", "licenses", "version", "revision")
NO_CAPABILITY = "0" * 16


def say(text: str) -> None:
    """A line of the protocol, at once."""
    print(text, flush=True)


def held(promise: str, so: bool, seen: object = "") -> None:
    """Say that a promise is held, or end."""
    if not so:
        raise SystemExit(f"NOT HELD: {promise}: {seen}")
    say(f"  {promise}{f' ({seen})' if seen != '' else ''}")


def megabytes(tree: Path) -> float:
    """What the files of a tree take, in 10**6 bytes, hard links once."""
    said = subprocess.run(["du", "-sb", "--one-file-system", tree], capture_output=True, text=True, check=True).stdout
    return int(said.split()[0]) / 1e6


def try_image(image: str, out: Path, most_mb: float | None) -> None:
    """What can be told of an image without starting it."""
    config = configuration(image)
    labels = {name: config["Labels"].get(f"org.opencontainers.image.{name}", "") for name in LABELS}
    held("runs as a user of its own", config["User"] == "10001")
    held("labels", all(labels.values()), f"{labels['version']}, {labels['revision'][:12]}")
    held("version", labels["version"] == VERSION)
    held("a health check", config["Healthcheck"]["Test"][0] == "CMD")
    with mounted(image) as tree:
        size = megabytes(tree)
        held(f"at most {most_mb} MB" if most_mb else "size", most_mb is None or size <= most_mb, f"{size:.0f} MB")
        bom = described(tree, image.rpartition("/")[2], VERSION)
        path = out / f"{image.rpartition('/')[2]}-image-{VERSION}.cdx.json"
        path.write_text(json.dumps(bom, indent=1) + "\n")
        kinds = [one["purl"].partition("/")[0] for one in bom["components"]]
        held(
            "SBOM",
            {*kinds} == {"pkg:deb", "pkg:pypi"},
            f"{kinds.count('pkg:deb')} of Debian, {kinds.count('pkg:pypi')} of Python",
        )
        own = [one["version"] for one in bom["components"] if one["purl"].startswith("pkg:pypi/fp8check@")]
        held("fp8check in it", own == [VERSION])


def try_running(one: Running) -> None:
    """What the kernel and the image's own commands say while it runs."""
    status = one.status()
    held("HEALTHCHECK met", one.healthy())
    held("no root", status["Uid"].split() == ["10001"] * 4, f"uid {status['Uid'].split()[0]}")
    held("no capability", status["CapEff"] == status["CapBnd"] == NO_CAPABILITY)
    held("no new privileges", status["NoNewPrivs"] == "1")
    for place in ("/", "/opt/fp8check", "/run/secrets", "/etc"):
        done = one.inside("touch", f"{place}/x")
        held(f"{place} is read-only", "Read-only file system" in done.stderr, done.stderr.strip().rpartition(": ")[2])
    held("/data and /tmp can be written", one.inside("touch", "/data/x", "/tmp/x").returncode == 0)


def ask(token: str | None = None) -> httpx.Response:
    """POST /check."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{URL}/check", json=BODY, headers=headers, timeout=30)


def try_service(container: Container, token: str, log: Path, *, looks: bool) -> None:
    """Checks, and a stored report across a restart."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    with running(container, log) as one:
        if looks:
            try_running(one)
        held("GET /readyz", httpx.get(f"{URL}/readyz").status_code == 200)
        held("POST /check without a token", ask().status_code == 401, "401")
        held("POST /check with another token", ask("fp8_" + "0" * 40).status_code == 401, "401")
        answer = ask(token)
        held("POST /check with the token", answer.status_code == 200, answer.headers.get("FP8check-Verdict"))
        place = answer.headers["Content-Location"]
    held("ends by SIGTERM", one.process.returncode in (0, -15), one.process.returncode)
    with running(container, log):
        again = httpx.get(URL + place, headers=headers, timeout=30)
        held("the report is there after a restart", again.status_code == 200 and again.json() == answer.json())
        held("not without a token", httpx.get(URL + place, timeout=30).status_code == 401, "401")


def composed() -> tuple[dict[str, Any], dict[str, Any]]:
    """The two services of the compose file."""
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    return services["fp8check"], services["db"]


def try_cpu() -> None:
    """The image for the CPU, with SQLite, and with PostgreSQL as the compose file has it."""
    own_network()
    secret, token = make("ci", ["check", "read"], 1)
    with mounted(CPU) as tree, tempfile.TemporaryDirectory(prefix="fp8check-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        say("started, with SQLite in its volume:")
        (folder / "sqlite").mkdir()
        try_service(
            new_container(tree, CPU, folder / "sqlite", token.line() + "\n"), secret, folder / "log", looks=True
        )
        say("started as docker/compose.yaml says, with a PostgreSQL of this machine's own:")
        (folder / "postgres").mkdir()
        service, database = composed()
        held("read-only, without capabilities", service["read_only"] and service["cap_drop"] == ["ALL"])
        (tree / "etc/hosts").write_text("127.0.0.1 localhost db\n")  # an engine names the other service so
        container = new_container(tree, CPU, folder / "postgres", token.line() + "\n", **service["environment"])
        passwords = container.secrets / "pgpass"
        passwords.write_text("db:5432:fp8check:fp8check:of-this-test\n")
        passwords.chmod(0o400)
        subprocess.run(["chown", container.config["User"], passwords], check=True)
        with postgres(port=5432, password="of-this-test", database=database["environment"]["POSTGRES_DB"]):
            try_service(container, secret, folder / "log", looks=False)
        held("nothing in the volume", not any(container.data.iterdir()))


def build_gpu(of: str, arguments: dict[str, str]) -> None:
    """The steps of gpu.Dockerfile but for the stack that trains: that is gigabytes of CUDA."""
    build(f"{GPU}-system", "gpu.Dockerfile", of, arguments, ["--target", "system"])
    made = buildah("from", "--pull-never", f"{GPU}-system").stdout.strip()
    try:
        buildah("run", "--isolation", "chroot", made, "--", "python3", "-m", "venv", "/opt/fp8check")
        buildah("commit", "--quiet", made, f"{GPU}-stack")
    finally:
        buildah("rm", made)
    # The last stage is built on that in the place of the stage `stack`.
    text = (ROOT / "docker/gpu.Dockerfile").read_text()
    head, last = text[: text.index("FROM ${BASE}")], text[text.index("FROM stack\n") :]
    with tempfile.NamedTemporaryFile("w", suffix=".Dockerfile") as file:
        file.write(head + last.replace("FROM stack\n", "FROM ${BASE}\n", 1))
        file.flush()
        build(GPU, file.name, f"{GPU}-stack", arguments)


def try_gpu() -> None:
    """The image for GPUs, where there is none: the service starts, and a probe is undecided, never passed."""
    own_network()
    secret, token = make("ci", ["check", "probe", "read"], 1)
    with mounted(GPU) as tree, tempfile.TemporaryDirectory(prefix="fp8check-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        container = new_container(tree, GPU, folder, token.line() + "\n")
        try_service(container, secret, folder / "log", looks=True)
        with running(container, folder / "log"):
            headers = {"Authorization": f"Bearer {secret}", "Prefer": "wait=60"}
            body = BODY | {"options": {"probe": True}}
            answer = httpx.post(f"{URL}/check", json=body, headers=headers, timeout=90)
            verdict = answer.headers.get("FP8check-Verdict", answer.json().get("state"))
            held("a probe without a GPU does not pass", answer.status_code in (200, 202) and verdict != "pass", verdict)


def in_child(step: str) -> None:
    """Try in a process of its own: its network is another one, and the next build needs this one's."""
    done = subprocess.run([sys.executable, "-m", "tests.tools.image", f"--only-try={step}"], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def main() -> int:
    """Exit code 1 where a promise is not held."""
    made = argparse.ArgumentParser()
    made.add_argument("images", nargs="*", default=["cpu", "gpu"])
    made.add_argument("--out", type=Path, default=ROOT / "dist")
    made.add_argument("--only-try", choices=["cpu", "gpu"])
    options = made.parse_args()
    if options.only_try:
        {"cpu": try_cpu, "gpu": try_gpu}[options.only_try]()
        return 0
    get_programs()
    options.out.mkdir(exist_ok=True)
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    arguments = {"VERSION": VERSION, "REVISION": revision.stdout.strip() or "unknown"}
    of = base(say)
    for image in options.images:
        begin = time.monotonic()
        if image == "cpu":
            build(CPU, "cpu.Dockerfile", of, arguments)
        else:
            say("gpu.Dockerfile: on Debian, and without its stage `stack` (CUDA, torch, Transformer Engine)")
            build_gpu(of, arguments)
        say(f"built docker/{image}.Dockerfile in {time.monotonic() - begin:.0f} s:")
        try_image(CPU if image == "cpu" else GPU, options.out, MOST_MB if image == "cpu" else None)
        in_child(image)
    return 0


if __name__ == "__main__":
    sys.exit(main())
