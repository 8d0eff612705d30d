"""What goes wrong around a running service: a full disk, a locked, read-only, deleted or replaced database, a frozen one.

While it lasts, nothing is acknowledged that is not stored, and /readyz says what is wrong; when it is over, the service goes
on by itself. The faults are real ones, made from outside of the process.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.example import BODY, TRAINING
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WITHIN_S = 15.0


class Checks:
    """Checks that are asked for, no two the same; and which of them were acknowledged."""

    def __init__(self, service: Served) -> None:
        self._service = service
        self._number = 0
        self.places: list[str] = []

    def ask(self) -> tuple[int, str]:
        """Ask for one; the status, and what a problem says."""
        self._number += 1
        training = TRAINING.replace("saves/qwen2.5-7b-fp8", f"saves/run-{self._number}")
        answer = self._service.post("/check", json={**BODY, "training": training})
        if answer.status_code == 200:
            self.places.append(answer.headers["content-location"])
            return 200, ""
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
        return answer.status_code, answer.json()["detail"]

    def assert_all_there(self) -> None:
        """Everything that was acknowledged can be had."""
        assert self.places
        assert [one for one in self.places if self._service.get(one).status_code != 200] == []


def until(what: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    end = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < end
        time.sleep(0.2)


def readiness(service: Served) -> tuple[int, str]:
    answer = service.get("/readyz")
    return answer.status_code, answer.json().get("detail", "")


def assert_told(service: Served, checks: Checks, *words: str) -> None:
    """The fault is told within seconds, and no check is acknowledged."""
    until(lambda: readiness(service)[0] == 503)
    status, detail = readiness(service)
    assert status == 503
    assert any(one in detail for one in words), detail
    for _ in range(3):
        status, detail = checks.ask()
        assert status == 503
        assert any(one in detail for one in words), detail
    assert service.get("/healthz").status_code == 200


def assert_recovered(service: Served, checks: Checks) -> None:
    """It goes on by itself, and has lost nothing."""
    until(lambda: readiness(service)[0] == 200)
    until(lambda: checks.ask()[0] == 200)
    checks.assert_all_there()
    assert '"crash"' not in service.log.read_text()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as one:
        yield one


@pytest.fixture
def checks(service: Served) -> Checks:
    made = Checks(service)
    for _ in range(5):
        assert made.ask()[0] == 200
    return made


@contextlib.contextmanager
def files_do_not_grow(pid: int) -> Iterator[None]:
    """As on a full disk: no file of the process grows beyond 4 KiB; its log finds no room either."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_files_that_may_not_grow(service: Served, checks: Checks) -> None:
    with files_do_not_grow(service.process.pid):
        assert_told(service, checks, "the disk")
    assert_recovered(service, checks)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk") as disk,
        served(tmp_path, FP8CHECK_DATABASE=f"sqlite:///{disk}/checks.db") as service,
    ):
        checks = Checks(service)
        assert checks.ask()[0] == 200
        filler = os.open(disk / "filler", os.O_CREAT | os.O_WRONLY)
        with contextlib.suppress(OSError):
            while True:
                os.write(filler, bytes(4096))
        os.close(filler)
        assert_told(service, checks, "the disk is full", "the disk does not take it")
        (disk / "filler").unlink()
        assert_recovered(service, checks)


def test_a_disk_that_becomes_read_only(tmp_path: Path) -> None:
    """As Linux does with one that has faults. What is open for writing keeps it from being remounted: SQLite's files are
    let go of by a stop, and it starts on a disk that it cannot write to."""
    with small_disk(tmp_path / "disk") as disk:
        url = f"sqlite:///{disk}/checks.db"
        with served(tmp_path, FP8CHECK_DATABASE=url) as service:
            assert Checks(service).ask()[0] == 200
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        code, errors = refused(tmp_path, FP8CHECK_DATABASE=url)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert code == 2
        assert "FP8CHECK_DATABASE" in errors
        assert "read-only" in errors or "cannot be opened" in errors
        assert "Traceback" not in errors
        with served(tmp_path, FP8CHECK_DATABASE=url) as service:
            assert Checks(service).ask()[0] == 200


def refused(folder: Path, **variables: str) -> tuple[int, str]:
    """How the service ends that cannot start."""
    from tests.support.command import COMMAND

    done = subprocess.run(
        [COMMAND, "serve", "--port", "0"],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        cwd=folder,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "what", ["a file in the place of the folder", "a folder in the place of the file", "no database"]
)
def test_a_database_that_cannot_be_is_told_at_start(tmp_path: Path, what: str) -> None:
    path = tmp_path / "data" / "checks.db"
    if what == "a file in the place of the folder":
        path.parent.write_text("")
    elif what == "a folder in the place of the file":
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        path.write_text("this is no database, but it is long enough to be looked at as one\n" * 100)
    code, errors = refused(tmp_path, FP8CHECK_DATABASE=f"sqlite:///{path}")
    assert code == 2
    assert "FP8CHECK_DATABASE" in errors
    assert "Traceback" not in errors


def test_a_database_that_another_process_has_locked(tmp_path: Path, service: Served, checks: Checks) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "checks.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert_told(service, checks, "another process has locked it")
        other.execute("ROLLBACK")
    assert_recovered(service, checks)


def test_a_database_that_is_deleted(tmp_path: Path, service: Served, checks: Checks) -> None:
    before = sqlite3.connect(tmp_path / "checks.db")
    (tmp_path / "checks.db").rename(tmp_path / "elsewhere.db")
    assert_told(service, checks, "deleted or moved away")
    assert not (tmp_path / "checks.db").exists(), "an empty one was made in its place"
    (tmp_path / "elsewhere.db").rename(tmp_path / "checks.db")
    assert_recovered(service, checks)
    before.close()


def test_a_database_that_is_deleted_for_good(tmp_path: Path, service: Served, checks: Checks) -> None:
    for path in tmp_path.glob("checks.db*"):
        path.unlink()
    assert_told(service, checks, "deleted or moved away")
    # Who begins anew does so knowingly: a file in its place, or another start.
    checks.places.clear()
    (tmp_path / "checks.db").touch()
    assert_recovered(service, checks)


def test_a_database_that_is_replaced_by_a_copy(tmp_path: Path, service: Served, checks: Checks) -> None:
    """A backup is put in its place: the service goes on with it, and reads from it."""
    with contextlib.closing(sqlite3.connect(tmp_path / "checks.db")) as database:
        database.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
    os.replace(tmp_path / "backup.db", tmp_path / "checks.db")
    until(lambda: readiness(service)[0] == 200)
    assert_recovered(service, checks)
    with contextlib.closing(sqlite3.connect(tmp_path / "checks.db")) as database:
        assert database.execute("SELECT count(*) FROM checks").fetchone()[0] == len(checks.places)


def test_a_log_that_is_deleted(tmp_path: Path, service: Served, checks: Checks) -> None:
    (tmp_path / "checks.db-wal").unlink()
    until(lambda: checks.ask()[0] == 200)
    assert_recovered(service, checks)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in tmp_path.glob("checks.db*"):  # as after a crash: what is on the disk, and no more
        shutil.copy(path, copy)
    with contextlib.closing(sqlite3.connect(copy / "checks.db")) as database:
        assert database.execute("SELECT count(*) FROM checks").fetchone()[0] == len(checks.places)


def test_tables_that_are_dropped(tmp_path: Path, service: Served, checks: Checks) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "checks.db")) as database:
        database.execute("ALTER TABLE checks RENAME TO away")
    assert_told(service, checks, "its tables are gone")
    with contextlib.closing(sqlite3.connect(tmp_path / "checks.db")) as database:
        database.execute("ALTER TABLE away RENAME TO checks")
    assert_recovered(service, checks)


@pytest.mark.skipif("TEST_DATABASE" not in os.environ, reason="make service-postgres has one")
def test_postgresql_that_is_frozen(tmp_path: Path) -> None:
    pids = [int(one) for one in os.environ.get("TEST_DATABASE_PIDS", "").split()]
    with served(tmp_path, FP8CHECK_DATABASE=os.environ["TEST_DATABASE"]) as service:
        checks = Checks(service)
        assert checks.ask()[0] == 200
        backends = [*pids, *(child for pid in pids for child in _children(pid))]
        for pid in backends:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert_told(service, checks, "does not answer", "does not keep up", "cannot be reached")
        finally:
            for pid in backends:
                os.kill(pid, signal.SIGCONT)
        assert_recovered(service, checks)


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(one) for one in file.read().split()]
