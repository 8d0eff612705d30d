"""A PostgreSQL of our own in a folder, on a free port of this machine; and the kill test on it.

python -m tests.tools.service.postgres [--times N]
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "nobody"  # the server refuses to run as root


def binaries() -> Path:
    """Where initdb is; installs Debian's PostgreSQL where it is nowhere."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "postgresql"], check=True)
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def postgres(port: int = 0, password: str = "", database: str = "postgres") -> Iterator[tuple[str, str]]:
    """Start a server with a new database, and yield its URL and its process; it is stopped and removed afterward.

    port: 0 takes a free one. password: of its user; without one, who connects is believed.
    """
    where = binaries()
    folder = Path(tempfile.mkdtemp(prefix="fp8check-pg-"))
    as_user = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
    port = port or free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    try:
        if as_user:
            shutil.chown(folder, USER)
        data = str(folder / "data")
        secret = folder / "password"
        secret.write_text(password or "none")
        secret.chmod(0o644)  # in a folder that is the user's alone
        who = ["-A", "scram-sha-256" if password else "trust", "-U", "fp8check", "--pwfile", secret]
        subprocess.run([*as_user, where / "initdb", "-D", data, *who], check=True, cwd=folder, **quiet)  # type: ignore[call-overload]
        control = [*as_user, where / "pg_ctl", "-D", data, "-w", "-l", str(folder / "log")]
        listen = f"-h 127.0.0.1 -p {port} -k {folder}"
        subprocess.run([*control, "-o", listen, "start"], check=True, cwd=folder, **quiet)  # type: ignore[call-overload]
        try:
            if database != "postgres":
                create = [str(where / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "fp8check", database]
                named = {**os.environ, "PGPASSWORD": password}
                subprocess.run(create, check=True, cwd=folder, env=named)
            yield (
                f"postgresql+psycopg://fp8check@127.0.0.1:{port}/{database}",
                (folder / "data/postmaster.pid").read_text().split()[0],
            )
        finally:
            subprocess.run([*control, "-m", "fast", "stop"], check=True, cwd=folder, **quiet)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(folder)


def main() -> int:
    """The kill test, and the tests of the store, on PostgreSQL."""
    with postgres() as (url, pid):
        print(
            subprocess.run(
                [binaries() / "postgres", "--version"], capture_output=True, text=True, check=True
            ).stdout.strip()
        )
        environment = {**os.environ, "TEST_DATABASE": url, "TEST_DATABASE_PIDS": pid}
        tests = [sys.executable, "-m", "pytest", "-q", "tests/service/test_store.py", "tests/service/test_upgrade.py"]
        tests.append("tests/service/test_faults.py")
        code = subprocess.run(tests, env=environment, check=False).returncode
        killed = [sys.executable, "-m", "tests.tools.service.kill", "--database", url, *sys.argv[1:]]
        return code or subprocess.run(killed, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
