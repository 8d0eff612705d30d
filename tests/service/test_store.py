"""The store: migrations, retention, what happens when the database does not answer. On SQLite, or on TEST_DATABASE."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, inspect, select, text
from sqlalchemy.exc import OperationalError

from fp8check.service.settings import Settings
from fp8check.service.store import NewCheck, Store, Unavailable, nodes
from fp8check.service.store.migrate import upgrade
from fp8check.service.store.reasons import reason
from fp8check.service.store.store import make_engine, now_ms
from fp8check.service.store.tables import ANSWERS, CHECKS, METADATA, NODES
from tests.support.example import BODY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    one = os.environ.get("TEST_DATABASE", f"sqlite:///{tmp_path}/checks.db")
    _empty(one)
    yield one
    _empty(one)


def _empty(url: str) -> None:
    engine = make_engine(url)
    with engine.begin() as connection:
        for table in ("node_reports", "trials", "jobs", "checks", "answers", "alembic_version"):
            connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    engine.dispose()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    one = make_engine(url)
    yield one
    one.dispose()


def check(number: int, digest: str = "d", created_ms: int | None = None) -> NewCheck:
    created = now_ms() if created_ms is None else created_ms
    return NewCheck(f"id-{number}", created, "test", "s", digest, b"q", b"r", "pass", "0/0/0/0/0")


def in_store(url: str, work: Any, **settings: object) -> Any:
    """Run a coroutine with an open store."""

    async def run() -> Any:
        store = Store(Settings(database=url, **settings))  # type: ignore[arg-type]
        store.open()
        try:
            return await work(store)
        finally:
            store.close()

    return asyncio.run(run())


def told(host: str, caller: str = "one", job: str = "j", content: bytes = b"{}") -> nodes.NewNode:
    return nodes.NewNode(job, host, caller, now_ms(), content)


def put(*those: nodes.NewNode) -> Any:
    """A transaction that stores what nodes told."""

    def work(connection: Connection) -> None:
        for one in those:
            nodes.put(connection, one)

    return work


def test_what_nodes_tell_is_kept_by_job_node_and_caller(url: str) -> None:
    async def work(store: Store) -> None:
        await store.write(put(told("b"), told("a"), told("a", "two", content=b"2"), told("a", job="k", content=b"k")))
        await store.write(put(told("b", content=b"later")))
        assert await store.read(lambda connection: nodes.reports_of(connection, "j", None)) == [b"{}", b"2", b"later"]
        assert await store.read(lambda connection: nodes.reports_of(connection, "j", "two")) == [b"2"]
        assert await store.read(lambda connection: nodes.reports_of(connection, "none", None)) == []

    in_store(url, work)


def test_a_job_without_room_takes_no_more_and_loses_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(store: Store) -> None:
        monkeypatch.setattr(nodes, "MOST_OF_A_JOB", 2)
        await store.write(put(told("a"), told("b")))
        with pytest.raises(nodes.TooMany):
            await store.write(put(told("c")))
        monkeypatch.setattr(nodes, "MOST_BYTES_OF_A_JOB", 5)
        with pytest.raises(nodes.TooMany):
            await store.write(put(told("a", content=b"1234")))
        assert await store.read(lambda connection: nodes.reports_of(connection, "j", None)) == [b"{}", b"{}"]

    in_store(url, work)


def test_of_what_nodes_told_the_oldest_goes(url: str) -> None:
    async def work(store: Store) -> None:
        await store.write(put(*(told(f"n{place}")._replace(updated_ms=place) for place in range(6))))
        await store.write(lambda connection: nodes.tidy(connection, 2, 3))
        left = await store.read(lambda connection: list(connection.execute(select(NODES.c.host)).scalars()))
        assert sorted(left) == ["n3", "n4", "n5"]

    in_store(url, work)


def test_migrations_make_the_tables_that_the_code_has(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_migrations_can_be_taken_back_and_repeated(engine: Engine) -> None:
    from alembic import command

    from fp8check.service.store.migrate import config

    upgrade(engine)
    upgrade(engine)
    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.downgrade(made, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    upgrade(engine)


def test_secrets_of_share_links_are_hashed_and_the_links_still_open(url: str, engine: Engine, service: Any) -> None:
    """From the first schema, with more checks than are taken at once."""
    upgrade(engine, "001")
    number = 2500
    dumped = b'{"files":[["a.yaml","mixed_precision: fp8\\n"]],"facts":null}'
    with service(database=f"{url}") as client:  # a report as this release stores it
        report = client.post("/check", json=BODY).content
    _empty(url)
    upgrade(engine, "001")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO answers (digest, question, report, verdict, findings) VALUES ('d', :q, :r, 'pass', '0/0/0/0/0')"
            ),
            {"q": dumped, "r": report},
        )
        rows = [{"id": f"id-{one}", "at": now_ms(), "share": f"PLAIN-{one}-SECRET"} for one in range(number)]
        insert = "INSERT INTO checks (id, created_ms, caller, share, digest) VALUES (:id, :at, 'ci', :share, 'd')"
        connection.execute(text(insert), rows)
    with service(database=url) as client:
        for one in (0, 999, 1000, number - 1):
            assert client.get(f"/checks/id-{one}?share=PLAIN-{one}-SECRET").status_code == 200
            assert client.get(f"/checks/id-{one}?share=PLAIN-{one + 1}-SECRET").status_code == 404
        with engine.connect() as connection:
            stored = connection.execute(text("SELECT share FROM checks")).scalars().all()
            assert len(stored) == number
            assert not [share for share in stored if "PLAIN" in share or len(share) != 64]
            assert connection.execute(text("SELECT count(*) FROM answers")).scalar() == 1


def test_after_the_migration_the_file_holds_no_secret_in_plain_text(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/first.db"
    engine = make_engine(url)
    upgrade(engine, "001")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO answers (digest, question, report, verdict, findings) VALUES ('d', 'q', 'r', 'pass', '0')"
            )
        )
        rows = [{"id": f"id-{one}", "share": f"PLAIN-{one}-SECRET"} for one in range(300)]
        insert = "INSERT INTO checks (id, created_ms, caller, share, digest) VALUES (:id, 1, 'ci', :share, 'd')"
        connection.execute(text(insert), rows)
    engine.dispose()
    assert b"PLAIN-7-SECRET" in (tmp_path / "first.db").read_bytes()
    engine = make_engine(url)
    upgrade(engine)
    assert [path.name for path in tmp_path.glob("first.db*") if b"PLAIN-" in path.read_bytes()] == []
    engine.dispose()


def test_what_is_stored_is_there(url: str) -> None:
    async def work(store: Store) -> None:
        await asyncio.gather(*(store.add(check(number, f"d{number % 3}")) for number in range(200)))
        found = await store.check("id-7")
        assert found is not None
        assert (found.check_request, found.report, found.verdict) == (b"q", b"r", "pass")
        assert await store.check("id-none") is None
        answers = await store.read(lambda one: one.execute(select(ANSWERS.c.digest)).scalars().all())
        assert sorted(answers) == ["d0", "d1", "d2"]

    in_store(url, work)


def test_old_and_surplus_checks_go_and_answers_that_nobody_has(url: str) -> None:
    async def work(store: Store) -> None:
        day = 24 * 3600 * 1000
        for number in range(10):
            await store.add(check(number, f"d{number}", now_ms() - number * day))
        assert await store.tidy() == 6
        left = await store.checks(50, None)
        assert [one.id for one in left] == ["id-0", "id-1", "id-2", "id-3"]
        answers = await store.read(lambda one: one.execute(select(ANSWERS.c.digest)).scalars().all())
        assert sorted(answers) == ["d0", "d1", "d2", "d3"]
        await store.add(check(99, "d9"))  # an answer that went is stored anew
        assert await store.check("id-99") is not None

    in_store(url, work, keep_days=7, keep_checks=4)


def test_an_answer_that_another_instance_deleted_is_stored_again(url: str) -> None:
    async def work(store: Store) -> None:
        await store.add(check(1))
        with store.engine.begin() as other:
            other.execute(delete(CHECKS))
            other.execute(delete(ANSWERS))
        await store.add(check(2))
        assert await store.check("id-2") is not None

    in_store(url, work)


def test_pages_of_checks_lose_none_that_came_at_the_same_moment(url: str) -> None:
    async def work(store: Store) -> None:
        for number in range(25):
            await store.add(check(number, created_ms=1000 + number // 10))
        seen: list[str] = []
        before = None
        while page := await store.checks(7, before):
            seen += [one.id for one in page]
            before = page[-1].cursor
        assert len(seen) == len(set(seen)) == 25

    in_store(url, work)


def test_a_database_that_does_not_answer_is_said_and_nothing_is_answered(url: str, service: Any) -> None:
    with service(database=url) as client:
        assert client.post("/check", json=BODY).status_code == 200
        running = client.app.state.service

        def broken(*_: object, **__: object) -> None:
            raise OperationalError("INSERT", {}, Exception("disk full"))

        running.store.writer._commit = broken
        answer = client.post("/check", json=BODY)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/storage")
        assert int(answer.headers["retry-after"]) > 0
        assert "disk full" not in answer.text


def test_a_full_queue_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fp8check.service.store.writer.MOST_WAITING", 0)

    async def work(store: Store) -> None:
        with pytest.raises(Unavailable, match="does not keep up"):
            await store.add(check(1))

    in_store(url, work)


def test_readyz_says_that_the_database_is_gone(url: str, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(database=url) as client:
        assert client.get("/readyz").status_code == 200

        def gone() -> None:
            raise OperationalError("SELECT 1", {}, Exception("gone"))

        monkeypatch.setattr("fp8check.service.store.store._TRIED_EVERY_S", 0)
        monkeypatch.setattr(client.app.state.service.store.engine, "connect", gone)
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200


def test_a_password_in_the_url_is_not_shown() -> None:
    settings = Settings(database="postgresql+psycopg://u:CANARY@h/d")  # type: ignore[arg-type]
    assert "CANARY" not in repr(settings) + str(settings)


def test_a_database_that_does_not_answer_at_start_is_named_without_its_password(tmp_path: Path) -> None:
    import subprocess

    from tests.support.command import COMMAND

    url = "postgresql+psycopg://u:CANARY@127.0.0.1:1/x"
    environment = {**os.environ, "FP8CHECK_DATABASE": url}
    done = subprocess.run(
        [COMMAND, "serve", "--port", "0"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "postgresql+psycopg://u:***@127.0.0.1:1/x does not answer" in done.stderr
    assert "CANARY" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("database or disk is full", "the disk is full, or the file may not grow"),
        ("attempt to write a readonly database", "it is read-only"),
        ("no such table: checks", "its tables are gone"),
        ("near SECRET: syntax error", "OperationalError"),
    ],
)
def test_why_is_said_in_words_that_hold_no_value(message: str, words: str) -> None:
    assert reason(OperationalError("SELECT SECRET", {}, Exception(message))) == words


@pytest.mark.parametrize(
    ("state", "words"),
    [("53100", "the disk is full"), ("57P03", "it is shutting down, or starting"), ("XX000", "SQLSTATE XX000")],
)
def test_why_is_said_by_the_sqlstate(state: str, words: str) -> None:
    error = Exception("SECRET")
    error.sqlstate = state  # type: ignore[attr-defined]
    assert reason(OperationalError("SELECT SECRET", {}, error)) == words


def test_a_fault_of_the_work_does_not_end_the_thread_that_writes(url: str) -> None:
    async def work(store: Store) -> None:
        with pytest.raises(ZeroDivisionError):
            await store.write(lambda _: 1 / 0)
        await store.add(check(1))
        assert await store.check("id-1") is not None

    in_store(url, work)


def test_the_line_of_what_waits_to_be_written_has_a_bound_of_bytes(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fp8check.service.store.writer.MOST_BYTES", 5)

    async def work(store: Store) -> None:
        await store.add(check(1))
        with pytest.raises(Unavailable, match="does not keep up"):
            await store.add(check(2)._replace(report=b"12345"))
        for number in range(3, 10):  # what was written makes room
            await store.add(check(number))

    in_store(url, work)
