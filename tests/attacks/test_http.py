"""Attacks on the service, over HTTP: who is served, who may read what is stored, and what the many cost the others."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.attacks.lines import attack
from tests.support.command import COMMAND, run
from tests.support.example import BODY
from tests.support.service import served

if TYPE_CHECKING:
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
        said, errors = process.communicate(timeout=10)
        return Ended(process.returncode, said, errors)
    except subprocess.TimeoutExpired:
        return Ended(None, "", "")
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
