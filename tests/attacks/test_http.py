"""Attacks on the service, over HTTP: who is served, who may read what is stored, and what the many cost the others."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import sqlite3
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import TYPE_CHECKING, NamedTuple

import pytest
from alembic import command

from fp8check.service.store.migrate import config
from fp8check.service.store.store import make_engine
from tests.attacks.lines import attack
from tests.support.command import COMMAND, run
from tests.support.example import BODY, TRAINING
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path


class Ended(NamedTuple):
    """How `fp8check serve` ended; `code`: None where it did not, and served."""

    code: int | None
    said: str
    errors: str


def started(folder: Path, *arguments: str, **variables: str) -> Ended:
    """Start the service, and see whether it refuses."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FP8CHECK_")}
    environment |= {"FP8CHECK_DATABASE": f"sqlite:///{folder}/checks.db", **variables}
    process = subprocess.Popen(
        [COMMAND, "serve", "--port", "0", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
    )
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 30)  # it says where it serves, or ends
        said = process.stdout.readline() if ready else ""
        if not ready or said.startswith("fp8check serves"):
            return Ended(None, said, "")
        return Ended(process.wait(30), said, process.communicate()[1])
    finally:
        process.kill()
        process.communicate()


# S8: a tokens file that holds none


@attack("S8")
@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"# the tokens\n", b"   \n\t\n# ci check never sha256:00", b"#\r\n#\r\n"],
    ids=["empty", "blank lines", "a comment", "a token in a comment", "comments of Windows"],
)
def test_a_tokens_file_without_a_token_does_not_open_the_service(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokens").write_bytes(content)
    ended = started(tmp_path, FP8CHECK_TOKENS_FILE=str(tmp_path / "tokens"))
    assert ended.code == 2, "it serves everybody who has no token"
    assert "tokens" in ended.errors
    assert "--new-token" in ended.errors


@pytest.mark.parametrize(
    "what", ["missing", "folder", "pipe", "device", "not UTF-8", "a byte order mark", "empty name", "dangling"]
)
def test_tokens_that_cannot_be_read_do_not_open_the_service(tmp_path: Path, what: str) -> None:
    path = tmp_path / "tokens"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "not UTF-8":
        path.write_bytes(b"\xff\xfe")
    elif what == "a byte order mark":
        path.write_bytes(b"\xef\xbb\xbf")
    elif what == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    name = {"device": "/dev/zero", "empty name": ""}.get(what, str(path))
    ended = started(tmp_path, FP8CHECK_TOKENS_FILE=name)
    assert ended.code == 2
    assert "FP8CHECK_TOKENS_FILE" in ended.errors
    assert "Traceback" not in ended.errors


def new_token(folder: Path, *scopes: str) -> str:
    """A new token, in the tokens file of the folder."""
    done = run("serve", "--new-token", "test", "--scopes", ",".join(scopes), cwd=folder)
    secret, line = (one.partition(": ")[2] for one in done.stdout.splitlines())
    (folder / "tokens").write_text(line + "\n")
    (folder / "tokens").chmod(0o600)
    return secret


def test_a_token_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    secret = new_token(tmp_path, "check")
    for line in (
        secret,
        f"ci check {secret} sha256:{'0' * 64}",
        f"ci check never {secret}",
        f"ci check never sha256:{secret}",
    ):
        (tmp_path / "tokens").write_text(line)
        ended = started(tmp_path, FP8CHECK_TOKENS_FILE=str(tmp_path / "tokens"))
        assert ended.code == 2
        assert secret not in ended.errors


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602, 0o666])
def test_a_tokens_file_that_others_can_read_or_change_is_told(tmp_path: Path, mode: int) -> None:
    secret = new_token(tmp_path, "check")
    (tmp_path / "tokens").chmod(mode)
    with served(tmp_path, FP8CHECK_TOKENS_FILE=str(tmp_path / "tokens")) as service:
        assert service.post("/check", json=BODY, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
        assert service.post("/check", json=BODY).status_code == 401
    assert "others can" in service.log.read_text()


# A proxy in front is not this machine


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host", "X-Forwarded-Proto", "CF-Connecting-IP"],
)
def test_what_a_proxy_passes_on_is_not_of_this_machine(tmp_path: Path, header: str) -> None:
    with served(tmp_path) as service:
        for value in ("192.0.2.7", "127.0.0.1", ""):
            for path in ("/checks", "/environment", "/metrics", "/"):
                assert service.get(path, headers={header: value}).status_code == 401
            assert service.post("/check", json=BODY, headers={header: value}).status_code == 401
        assert service.post("/check", json=BODY).status_code == 200


# Q6: what the many cost the others

# Each takes long, or took: suppressions, unknown keys, sexagesimal numbers.
SLOW = (
    "bf16: true\n" + "x: 1 # fp8check: ignore[FP101] because\n" * 5_600,
    "mixed_precision: fp8\nfp8_config:\n" + "".join(f"  k{number}: 1\n" for number in range(20_000)),
    "bf16: true\nx: [" + "1:59:59, " * 40_000 + "1]\n",
)
# Larger than what is checked between other requests.
LARGER = TRAINING + "# a comment of people who write more than they need\n" * 300


class Answer(NamedTuple):
    """An answer, and how long it took."""

    status: int
    seconds: float
    retry_after: str
    media_type: str

    @property
    def is_honest(self) -> bool:
        """Whether it is a report, or says when to ask again."""
        refused = self.status == 503 and self.media_type == "application/problem+json" and self.retry_after.isdigit()
        return self.status == 200 or (refused and int(self.retry_after) > 0)


def ask(service: Served, body: object) -> Answer:
    """One request over a connection of its own, by a client that costs little."""
    content, headers = json.dumps(body), {"Content-Type": "application/json"}
    began = time.monotonic()
    with contextlib.closing(HTTPConnection("127.0.0.1", service.port, timeout=90)) as connection:
        connection.request("POST", "/check", content, headers)
        got = connection.getresponse()
        got.read()
    took = time.monotonic() - began
    return Answer(got.status, took, got.getheader("retry-after") or "", got.getheader("content-type") or "")


def all_at_once(service: Served, bodies: list[object]) -> Iterator[Future[Answer]]:
    """Ask in so many threads."""
    pool = ThreadPoolExecutor(len(bodies))
    try:
        yield from [pool.submit(ask, service, body) for body in bodies]
    finally:
        pool.shutdown(wait=False)


@attack("Q6")
def test_slow_bodies_do_not_delay_a_larger_check(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        ask(service, {"training": LARGER})  # whatever has to be started has been
        slow = [{"training": SLOW[number % 3], "accelerate": f"# {number}\n{SLOW[1]}"} for number in range(8)]
        waiting = list(all_at_once(service, slow))
        time.sleep(0.5)
        took = [ask(service, {"training": f"{LARGER}# {number}\n"}) for number in range(3)]
        assert [one for one in took if not one.is_honest or one.seconds > 6] == []
        for one in waiting:
            assert one.result(120).status in (200, 422, 503)


@attack("Q6")
def test_the_queue_has_a_bound(tmp_path: Path) -> None:
    """With 200 callers at once each is answered soon, some with 503; before, the last one waited for all others."""
    with served(tmp_path) as service:
        ask(service, {"training": LARGER})
        many = [{"training": f"{LARGER}# {number}\n"} for number in range(200)]
        answers = [one.result(120) for one in all_at_once(service, many)]
        assert [one for one in answers if not one.is_honest] == []
        assert max(one.seconds for one in answers) < 12
        assert [one for one in answers if one.status == 200] != []
        assert ask(service, {"training": LARGER}).status == 200


@pytest.mark.parametrize("name", ["lists", "keys", "form"])
def test_a_body_that_is_slow_to_parse_delays_nobody(tmp_path: Path, name: str) -> None:
    """Reading 2 MB of JSON into objects takes half a second: that is not done between other requests."""
    half = 1_990_000
    bodies = {
        "lists": ('{"accelerate":"a: 1","deepspeed":{"a":[' + "[]," * (half // 3) + "[]]}}", "application/json"),
        "keys": ("{" + ",".join(f'"k{one}":1' for one in range(half // 12)) + "}", "application/json"),
        "form": ("training=" + "%41" * (half // 3), "application/x-www-form-urlencoded"),
    }
    content, kind = bodies[name]
    with served(tmp_path) as service, ThreadPoolExecutor(6) as pool:
        ask(service, {"training": LARGER})
        sent = [pool.submit(service.post, "/check", content=content, headers={"Content-Type": kind}) for _ in range(6)]
        longest = 0.0
        while not all(one.done() for one in sent):
            began = time.monotonic()
            assert service.get("/healthz").status_code == 200
            longest = max(longest, time.monotonic() - began)
        assert longest < 1.5
        assert {one.result().status_code for one in sent} <= {200, 413, 422, 503}


# S7: what is stored is for its owner alone


def database_files(folder: Path) -> list[Path]:
    """The files of the database, where the service runs."""
    files = sorted(folder.glob("checks.db*"))
    assert folder / "checks.db" in files
    return files


def others(path: Path) -> int:
    """What others than its owner may do with a file."""
    return stat.S_IMODE(path.stat().st_mode) & 0o077


@contextlib.contextmanager
def umask(value: int):  # type: ignore[no-untyped-def]
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


@attack("S7")
@pytest.mark.parametrize("mask", [0o022, 0o000, 0o002])
def test_the_database_is_for_its_owner_alone(tmp_path: Path, mask: int) -> None:
    with umask(mask), served(tmp_path) as service:
        service.post("/check", json=BODY)
        assert {path.name: others(path) for path in database_files(tmp_path) if others(path)} == {}


@attack("S7")
def test_a_database_that_others_could_read_is_tightened(tmp_path: Path) -> None:
    with umask(0o022), served(tmp_path) as service:
        service.post("/check", json=BODY)
    (tmp_path / "checks.db").chmod(0o644)
    with umask(0o022), served(tmp_path) as service:
        service.post("/check", json=BODY)
        assert {path.name: others(path) for path in database_files(tmp_path) if others(path)} == {}


@attack("S7")
def test_the_database_holds_no_secret_that_opens_a_report(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        answer = service.post("/check", json=BODY)
        link = answer.links["share"]["url"]
        secret = link.partition("share=")[2]
        assert len(secret) >= 16
        assert service.get(link).status_code == 200
        assert [path.name for path in database_files(tmp_path) if secret.encode() in path.read_bytes()] == []


def test_a_folder_that_the_service_makes_is_for_its_owner_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data/fp8check/checks.db"
    with umask(0o022), served(tmp_path, FP8CHECK_DATABASE=url) as service:
        assert service.post("/check", json=BODY).status_code == 200
        assert [others(tmp_path / "data"), others(tmp_path / "data/fp8check")] == [0, 0]
        assert others(tmp_path / "data/fp8check/checks.db") == 0


def test_what_stands_in_the_database_opens_no_report(tmp_path: Path) -> None:
    """Whoever reads the database, in a backup for example, has no link."""
    secret = new_token(tmp_path, "check")
    with served(tmp_path, FP8CHECK_TOKENS_FILE=str(tmp_path / "tokens")) as service:
        answer = service.post("/check", json=BODY, headers={"Authorization": f"Bearer {secret}"})
        place = answer.headers["content-location"]
        with contextlib.closing(sqlite3.connect(tmp_path / "checks.db")) as database:
            stored = database.execute("SELECT share FROM checks").fetchone()[0]
        assert service.get(f"{place}?share={stored}").status_code == 404
        assert service.get(answer.links["share"]["url"]).status_code == 200


def test_links_of_the_first_release_still_open(tmp_path: Path) -> None:
    """The database of the first release had secrets in plain text; none is left, and the links open."""
    first = "Zm9yLXRoZS1maXJzdC0x"
    with served(tmp_path) as service:
        place = service.post("/check", json=BODY).headers["content-location"]
    engine = make_engine(f"sqlite:///{tmp_path / 'checks.db'}")
    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.downgrade(made, "002")  # what came later; the last step back is none of a release
    engine.dispose()
    with contextlib.closing(sqlite3.connect(tmp_path / "checks.db")) as database:
        database.executescript("DROP TABLE trials; UPDATE alembic_version SET version_num = '001'")
        database.execute("UPDATE checks SET share = ?", (first,))
        database.commit()
    with served(tmp_path) as service:
        assert service.get(f"{place}?share={first}", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 200
        assert service.get(f"{place}?share={first[:-1]}").status_code == 404
        assert [path.name for path in database_files(tmp_path) if first.encode() in path.read_bytes()] == []
        with contextlib.closing(sqlite3.connect(tmp_path / "checks.db")) as database:
            assert database.execute("SELECT share FROM checks").fetchall() == [
                (hashlib.sha256(first.encode()).hexdigest(),)
            ]
