"""A database of the first schema with data in it: brought up to date, nothing is lost; and on a copy, with the original
untouched. On SQLite, or on TEST_DATABASE, with the programs that docs/deploy.md names."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import secrets
import sqlite3
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, make_url, select, table, text
from starlette.testclient import TestClient

from fp8check.service.application import create_app
from fp8check.service.settings import Settings
from fp8check.service.store.migrate import upgrade
from fp8check.service.store.store import make_engine
from tests.support.example import BODY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    Rows: TypeAlias = Mapping[str, Sequence[tuple[Any, ...]]]

CHECKS = 2500  # more than a migration takes at once
ANSWERS = 40
JOBS = 60
TABLES = ("answers", "checks", "jobs")
STATES = ("done", "failed", "cancelled", "interrupted")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """An empty database of its own."""
    with _empty_database(os.environ.get("TEST_DATABASE"), tmp_path / "service.db") as one:
        yield one


@contextlib.contextmanager
def _empty_database(server: str | None, file: Path) -> Iterator[str]:
    if server is None:
        yield f"sqlite:///{file}"
        return
    name = f"upgrade_{secrets.token_hex(4)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


def fill(url: str) -> dict[str, str]:
    """Make the first schema and put into it what its release did; returns each check's secret."""
    engine = make_engine(url)
    upgrade(engine, "001")
    shared = {f"c{number:07d}": secrets.token_urlsafe(16) for number in range(CHECKS)}
    answers = [_answer(number) for number in range(ANSWERS)]
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO answers VALUES (:digest, :question, :report, :verdict, :findings)"), answers
        )
        connection.execute(
            text("INSERT INTO checks VALUES (:id, :at, :caller, :share, :digest)"),
            [
                {"id": id_, "at": 1_760_000_000_000 + number, "caller": f"ci-{number % 7}", "share": secret,
                 "digest": answers[number % ANSWERS]["digest"]}
                for number, (id_, secret) in enumerate(shared.items())
            ],
        )  # fmt: skip
        connection.execute(
            text("INSERT INTO jobs VALUES (:id, :at, :at, 'node', :caller, :key, :digest, :q, :state, :note, :check)"),
            [
                {"id": f"j{number}", "at": 1_760_000_000_000 + number, "caller": "ci", "key": f"k{number}" if number % 2 else None,
                 "digest": "0" * 64, "q": b"\x00\xff" * number, "state": STATES[number % 4], "note": "é\n" * number,
                 "check": f"c{number:07d}" if number % 3 else None}
                for number in range(JOBS)
            ],
        )  # fmt: skip
    engine.dispose()
    return shared


def _answer(number: int) -> dict[str, Any]:
    content = secrets.token_bytes(200) + bytes(range(256)) * number
    digest = hashlib.sha256(content).hexdigest()
    return {
        "digest": digest,
        "question": content,
        "report": gzip.compress(content),
        "verdict": "fail",
        "findings": "1/0/0/0/0",
    }


def rows(url: str) -> Rows:
    """All that the tables of the first schema hold, in order."""
    engine = make_engine(url)
    with engine.connect() as connection:
        found = {
            name: [_plain(row) for row in connection.execute(select(text("*")).select_from(table(name)))]
            for name in TABLES
        }
    engine.dispose()
    return {name: sorted(held, key=repr) for name, held in found.items()}


def _plain(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)


def upgraded(url: str) -> None:
    engine = make_engine(url)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def expected(before: Rows) -> Rows:
    """What is there after the upgrade: all of it, of each share secret its hash, and of no answer a name."""
    hashed = [
        (id_, at, caller, hashlib.sha256(share.encode()).hexdigest(), digest)
        for id_, at, caller, share, digest in before["checks"]
    ]
    answers = sorted([(*row, "") for row in before["answers"]], key=repr)
    return {**before, "answers": answers, "checks": sorted(hashed, key=repr)}


def test_nothing_is_lost_on_the_way_from_the_first_schema(url: str) -> None:
    shared = fill(url)
    before = rows(url)
    assert [len(before[name]) for name in TABLES] == [ANSWERS, CHECKS, JOBS]
    upgraded(url)
    assert rows(url) == expected(before)
    assert {row[3] for row in rows(url)["checks"]} == {
        hashlib.sha256(one.encode()).hexdigest() for one in shared.values()
    }


def test_nothing_is_lost_on_the_way_from_the_schema_before(url: str) -> None:
    fill(url)
    engine = make_engine(url)
    upgrade(engine, "003")
    before = rows(url)
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM node_reports")).scalar() == 0
    engine.dispose()
    assert [len(before[name]) for name in TABLES] == [ANSWERS, CHECKS, JOBS]
    assert rows(url) == before


@pytest.mark.parametrize("step", ["create_table", "create_index"])  # of the second migration, of the fourth
def test_an_upgrade_that_fails_changes_nothing(step: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(url)
    before = rows(url)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the machine stops here")

    monkeypatch.setattr(f"alembic.op.{step}", fails)
    with pytest.raises(RuntimeError, match="stops here"):
        upgraded(url)
    monkeypatch.undo()
    assert rows(url) == before
    upgraded(url)
    assert rows(url) == expected(before)


def test_what_an_upgrade_left_behind_that_was_ended_is_not_in_the_way(url: str) -> None:
    """As the first release left it on SQLite, where it was killed between two tables."""
    fill(url)
    before = rows(url)
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE _alembic_tmp_checks (id VARCHAR(32))"))
    engine.dispose()
    upgraded(url)
    assert rows(url) == expected(before)


def _copy_sqlite(url: str, folder: Path) -> str:
    """`sqlite3 fp8check.db "VACUUM INTO 'copy.db'"`, while somebody has it open."""
    with contextlib.closing(sqlite3.connect(str(make_url(url).database))) as connection:
        connection.execute("VACUUM INTO ?", (str(folder / "copy.db"),))
    return f"sqlite:///{folder / 'copy.db'}"


def _copy_postgres(url: str, to: str, folder: Path) -> str:
    """pg_dump and pg_restore."""
    from tests.tools.service.postgres import binaries

    plain = [make_url(one).set(drivername="postgresql").render_as_string(hide_password=False) for one in (url, to)]
    dump = folder / "fp8check.dump"
    subprocess.run([binaries() / "pg_dump", "--format=custom", f"--file={dump}", plain[0]], check=True)
    words = ["--exit-on-error", "--single-transaction", "--no-owner", f"--dbname={plain[1]}", str(dump)]
    subprocess.run([binaries() / "pg_restore", *words], check=True)
    return to


def test_a_backup_is_upgraded_and_the_original_stays(url: str, tmp_path: Path) -> None:
    fill(url)
    before = rows(url)
    with _empty_database(os.environ.get("TEST_DATABASE"), tmp_path / "other.db") as other:
        copy = _copy_sqlite(url, tmp_path) if url.startswith("sqlite") else _copy_postgres(url, other, tmp_path)
        assert rows(copy) == before
        upgraded(copy)
        assert rows(copy) == expected(before)
        assert rows(url) == before


def test_a_service_starts_on_it_and_answers_from_it(url: str) -> None:
    """A stored check of this release, back in the first schema, upgraded by the start of the service."""
    settings = Settings(database=url, log_level="error")  # type: ignore[arg-type]
    with _client(settings) as client:
        answer = client.post("/check", json=BODY)
        place = answer.headers["Content-Location"]
    secret = _as_first_schema(url)
    with _client(settings) as client:
        again = client.get(place, headers={"Accept": "application/json"})
        assert again.status_code == 200
        assert json.loads(again.content) == answer.json()
        shared = client.get(f"{place}?share={secret}", headers={"Accept": "application/json"})
        assert shared.status_code == 200
        assert client.get("/readyz").status_code == 200


def _as_first_schema(url: str) -> str:
    """Take the tables back to the first schema, where the share secret stands in plain text."""
    from alembic import command

    from fp8check.service.store.migrate import config

    secret = secrets.token_urlsafe(16)
    engine = make_engine(url)
    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.downgrade(made, "001")
        connection.execute(text("UPDATE checks SET share = :secret"), {"secret": secret})
    engine.dispose()
    return secret


def _client(settings: Settings) -> TestClient:
    return TestClient(create_app(settings), base_url="http://localhost", client=("127.0.0.1", 50_000))
