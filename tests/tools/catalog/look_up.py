"""Look up the source evidence of all rules in the released wheels: `make evidence` writes docs/evidence/sources.json.

    python -m tests.tools.catalog.look_up CACHE_FOLDER OUT

Wheels are downloaded and read as archives; nothing of them is installed or run. Then it prints which share of the rules
is executed, measured or our own, and ends with 1 where that is too little.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from fp8check.rules.catalog import RULES
from tests.tools.catalog import share
from tests.tools.catalog.evidence import Source, parse

PLATFORMS = [f"--platform=manylinux_2_{minor}_x86_64" for minor in (17, 24, 27, 28, 31, 34)]
PLATFORMS += ["--platform=manylinux2014_x86_64"]


def wheel(package: str, release: str, cache: Path) -> zipfile.ZipFile:
    """The released wheel, from the cache or the package index.

    Raises:
        CalledProcessError: there is none.
    """
    folder = cache / f"{package}-{release}"
    if not list(folder.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--python-version=3.11", "--implementation=cp", *PLATFORMS, f"--dest={folder}"]
        subprocess.run([*command, f"{package}=={release}"], check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def text_of(archive: zipfile.ZipFile, file: str) -> str:
    """The file of that name below the package's own folder, or below any; "" where the wheel has none.

    Of a compiled library it is what stands in it between other bytes: the texts of its messages.
    """
    names = [name for name in archive.namelist() if name.endswith(f"/{file}")]
    return archive.read(min(names, key=len)).decode(errors="replace") if names else ""


def main() -> int:
    """Look everything up; what is not as the rules say is printed, and makes the exit code 1."""
    cache, out = Path(sys.argv[1]), Path(sys.argv[2])
    wanted: dict[str, tuple[Source, str, str]] = {}
    for one in RULES:
        for line in one.evidence:
            evidence = parse(line)
            if isinstance(evidence, Source):
                for release in evidence.releases:
                    for text in (*evidence.present, *evidence.absent):
                        wanted[f"{evidence.package} {release} {evidence.file} {text}"] = (evidence, release, text)
    known = json.loads(out.read_text()) if out.exists() else {}
    answers: dict[str, bool] = {key: answer for key, answer in known.items() if key in wanted}
    wrong = 0
    for key, (evidence, release, text) in sorted(wanted.items()):
        if key not in answers:
            with wheel(evidence.package, release, cache) as archive:
                answers[key] = text in text_of(archive, evidence.file)
        if answers[key] is not (text in evidence.present):
            wrong += 1
            sys.stdout.write(f"not so: {key}\n")
    out.write_text(json.dumps(dict(sorted(answers.items())), indent=1) + "\n")
    sys.stdout.write(f"{len(answers)} texts looked up, {wrong} not as a rule says\n")
    made, enough = share.lines(RULES)
    sys.stdout.write("".join(f"{line}\n" for line in made))
    return int(bool(wrong) or not enough)


if __name__ == "__main__":
    sys.exit(main())
