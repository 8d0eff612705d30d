"""Probes as jobs: asked for, followed, cancelled, interrupted; none lost, none twice, none for ever."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.example import BODY
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

FAKE = {"probe_runner": "tests.support.fake_probe:run", "probe_slots": 1}
ENDED = ("done", "failed", "cancelled", "interrupted")


def body(script: str = "train.py", **options: object) -> dict[str, object]:
    return {**BODY, "options": {"probe": True, "launch": f"python {script}", **options}}


def ended(client: TestClient | Served, job: str, within_s: float = 30) -> dict[str, Any]:
    """The job when it has ended."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        one: dict[str, Any] = client.get(job).json()
        if one["state"] in ENDED:
            return one
        time.sleep(0.05)
    raise AssertionError(f"still {one['state']}")


@pytest.fixture
def pids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the endless probe writes the processes that it is made of."""
    monkeypatch.setenv("NVTE_TEST_PIDS", str(tmp_path / "pids"))  # a name that the allow-list lets through
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent.parent))
    monkeypatch.chdir(tmp_path)  # what lies in the current folder is not imported
    return tmp_path / "pids"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def wait_for(what: Callable[[], object], within_s: float = 15) -> None:
    until = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.usefixtures("pids")
def test_a_probe_is_a_job_and_its_report_is_stored(service: Any) -> None:
    with service(**FAKE) as client:
        answer = client.post("/check", json=body())
        assert answer.status_code == 202
        job = ended(client, answer.headers["location"])
        assert job["state"] == "done"
        report = client.get(job["report"]).json()
        assert (report["probe"]["ended"], report["probe"]["kernels"]) == (
            "done",
            {"forward": {"sm90_xmma_gemm_e4m3": 7}, "backward": {}, "nodes": {}},
        )


@pytest.mark.usefixtures("pids")
def test_prefer_wait_answers_with_the_report(service: Any) -> None:
    with service(**FAKE) as client:
        answer = client.post("/check", json=body("slow.py"), headers={"Prefer": "respond-async, wait=30"})
        assert answer.status_code == 200
        assert answer.headers["preference-applied"] == "wait=30"
        assert answer.json()["probe"]["ended"] == "done"
        assert client.post("/check", json=body("slow.py"), headers={"Prefer": "wait=0"}).status_code == 202


def test_without_a_gpu_the_probe_is_undecided_and_no_pass(client: TestClient) -> None:
    answer = client.post("/check", json={**BODY, "options": {"probe": True}}, headers={"Prefer": "wait=30"})
    report = answer.json()
    assert report["probe"]["ended"] == "not run"
    assert "GPU" in report["probe"]["why"]
    assert report["verdict"] != "pass"


@pytest.mark.usefixtures("pids")
@pytest.mark.parametrize(("script", "words"), [("dies.py", "signal 11"), ("raises.py", "ended with 1")])
def test_a_probe_that_dies_has_failed_and_says_how(service: Any, script: str, words: str) -> None:
    with service(**FAKE) as client:
        job = ended(client, client.post("/check", json=body(script)).headers["location"])
        assert job["state"] == "failed"
        assert words in job["note"]
        assert job["report"] is None


def test_a_probe_that_takes_too_long_is_killed_with_all_that_it_started(service: Any, pids: Path) -> None:
    for limit_s in (1, 5, 25):  # a busy machine may need longer to start it
        with service(**FAKE, probe_timeout_s=limit_s) as client:
            started = client.post("/check", json=body("endless.py"))
            job = ended(client, started.headers["location"], within_s=60)
            assert job["state"] == "failed"
            assert "not done after" in job["note"]
            if pids.exists():
                break
    wait_for(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))


def test_a_running_probe_can_be_cancelled(service: Any, pids: Path) -> None:
    with service(**FAKE) as client:
        job = client.post("/check", json=body("endless.py")).json()
        wait_for(pids.exists)
        assert client.post(job["cancel"]).json()["state"] == "cancelled"
        wait_for(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))
        assert client.post(job["cancel"]).status_code == 409
        assert client.get(f"/jobs/{job['id']}").json()["state"] == "cancelled"


def test_one_probe_at_a_time_and_a_bounded_queue(service: Any, pids: Path) -> None:
    with service(**FAKE, probe_queue=2) as client:
        first = client.post("/check", json=body("endless.py")).json()
        wait_for(pids.exists)
        waiting = [client.post("/check", json=body()).json() for _ in range(2)]
        refused = client.post("/check", json=body())
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/queue-full")
        assert int(refused.headers["retry-after"]) > 0
        assert {client.get(f"/jobs/{one['id']}").json()["state"] for one in waiting} == {"queued"}
        assert client.post(waiting[0]["cancel"]).json()["state"] == "cancelled"
        client.post(first["cancel"])
        assert ended(client, f"/jobs/{waiting[1]['id']}")["state"] == "done"
        assert client.get(f"/jobs/{waiting[0]['id']}").json()["state"] == "cancelled"


@pytest.mark.usefixtures("pids")
def test_a_retry_with_the_same_key_starts_no_second_probe(service: Any) -> None:
    with service(**FAKE) as client:
        headers = {"Idempotency-Key": "run-17"}
        first = client.post("/check", json=body("slow.py"), headers=headers)
        again = client.post("/check", json=body("slow.py"), headers=headers)
        assert again.headers["location"] == first.headers["location"]
        other = client.post("/check", json=body("train.py"), headers=headers)
        assert (other.status_code, other.json()["type"]) == (422, "/problems/key-reused")
        ended(client, first.headers["location"])
        late = client.post("/check", json=body("slow.py"), headers={**headers, "Prefer": "wait=5"})
        assert late.status_code == 200


@pytest.mark.usefixtures("pids")
def test_retries_at_the_same_moment_are_one_job(service: Any) -> None:
    with service(**FAKE) as client:
        places: list[str] = []

        def ask() -> None:
            answer = client.post("/check", json=body(), headers={"Idempotency-Key": "same"})
            places.append(answer.headers["location"])

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(places) == 8
        assert len(set(places)) == 1


@pytest.mark.usefixtures("pids")
def test_progress_comes_as_events(tmp_path: Path) -> None:
    import httpx2 as httpx

    variables = {f"FP8CHECK_{name.upper()}": str(value) for name, value in FAKE.items()}
    with served(tmp_path, **variables) as one:
        job = one.post("/check", json=body("slow.py")).json()
        seen = []
        with httpx.stream("GET", one.url.rstrip("/") + job["events"], timeout=30) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    data = json.loads(line[5:])
                    seen.append((data["state"], data["note"]))
        assert ("running", "step 1") in seen
        assert seen[-1][0] == "done"


def test_a_probe_that_a_crash_interrupted_is_reported_and_dies(tmp_path: Path, pids: Path) -> None:
    variables = {f"FP8CHECK_{name.upper()}": str(value) for name, value in FAKE.items()}
    with served(tmp_path, **variables) as one:
        running = one.post("/check", json=body("endless.py")).json()
        waiting = one.post("/check", json=body()).json()
        wait_for(pids.exists)
        os.kill(one.process.pid, signal.SIGKILL)
        one.process.wait()
        wait_for(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))
    with served(tmp_path, **variables) as one:
        job = one.get(f"/jobs/{running['id']}").json()
        assert job["state"] == "interrupted"
        assert "Ask again" in job["note"]
        assert ended(one, f"/jobs/{waiting['id']}")["state"] == "done"


def test_a_stop_interrupts_what_runs(tmp_path: Path, pids: Path) -> None:
    variables = {f"FP8CHECK_{name.upper()}": str(value) for name, value in FAKE.items()}
    with served(tmp_path, **variables) as one:
        running = one.post("/check", json=body("endless.py")).json()
        wait_for(pids.exists)
    assert one.process.returncode == -signal.SIGTERM  # uvicorn ends by the signal it got, after all is put away
    assert not any(alive(int(pid)) for pid in pids.read_text().split())
    with served(tmp_path, **variables) as one:
        assert one.get(f"/jobs/{running['id']}").json()["state"] == "interrupted"


def test_probes_can_be_switched_off(service: Any) -> None:
    with service(probe=False) as client:
        assert client.post("/check", json=body()).status_code == 501
