"""What is known of the dependencies: pip-audit, where its data can be had, and their releases with their days.

python -m tests.tools.dependencies.audit dist/fp8check-0.1.0-py3-none-any.whl docs/evidence/dependencies.md
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import InvalidVersion, Version
from pypi_simple import PyPISimple

from tests.tools.dependencies.environment import EXTRAS, Package, installed, made, needed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVICES = ("pypi", "osv")


class Audited(NamedTuple):
    """What pip-audit knows.

    Attributes:
        service: who was asked; "" where nobody answered.
        known: how many packages it has data of.
        faults: known vulnerabilities, in words.
        silence: why the others said nothing.
    """

    service: str
    known: int
    faults: tuple[str, ...]
    silence: str


class Release(NamedTuple):
    """A release of a package on the index, and the newest one."""

    day: str
    newest: str
    newest_day: str
    yanked: bool


def audited(packages: Sequence[Package], folder: Path) -> Audited:
    """Ask pip-audit, with the first of its services that knows something."""
    pins = folder / "pins.txt"
    pins.write_text("".join(f"{one.name}=={one.version}\n" for one in packages), encoding="utf-8")
    silence = []
    for service in SERVICES:
        words = [
            "-s",
            service,
            "-r",
            str(pins),
            "--no-deps",
            "--disable-pip",
            "-f",
            "json",
            "--progress-spinner",
            "off",
        ]
        done = subprocess.run([sys.executable, "-m", "pip_audit", *words], capture_output=True, text=True, check=False)
        try:
            every = json.loads(done.stdout)["dependencies"]
        except ValueError:
            silence.append(f"{service}: {done.stderr.strip().rpartition(chr(10))[2][:200]}")
            continue
        known = [one for one in every if "skip_reason" not in one]
        if not known:
            silence.append(f"{service}: {every[0]['skip_reason']}")
            continue
        faults = tuple(
            f"{one['name']} {one['version']}: {fault['id']}, cured in {', '.join(fault['fix_versions']) or 'nothing yet'}"
            for one in known
            for fault in one["vulns"]
        )
        return Audited(service, len(known), faults, "")
    return Audited("", 0, (), "; ".join(silence))


def released(packages: Sequence[Package]) -> dict[str, Release]:
    """The releases on the index: an ordinary look-up of each package."""
    found = {}
    with PyPISimple() as index:
        for one in packages:
            days: dict[str, str] = {}
            yanked: dict[str, bool] = {}
            for file in index.get_project_page(one.name).packages:
                if file.version is not None and file.upload_time is not None:
                    day = file.upload_time.date().isoformat()
                    days[file.version] = min(day, days.get(file.version, day))
                    yanked[file.version] = yanked.get(file.version, True) and file.is_yanked
            newest = max((text for text in days if not yanked[text] and _is_final(text)), key=Version)
            found[one.name] = Release(days.get(one.version, ""), newest, days[newest], yanked.get(one.version, False))
    return found


def _is_final(text: str) -> bool:
    try:
        return not Version(text).is_prerelease
    except InvalidVersion:
        return False


def page(
    packages: Sequence[Package],
    who: Mapping[str, Sequence[str]],
    releases: Mapping[str, Release],
    audit: Audited,
    alone: Sequence[str],
) -> str:
    """The page, as docs/evidence has it."""
    today = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    if audit.service:
        faults = "none" if not audit.faults else "; ".join(audit.faults)
        said = f"pip-audit ({audit.service}) knows {audit.known} of {len(packages)} packages. Known vulnerabilities: {faults}."
    else:
        said = (
            "pip-audit got no data where this was written: what is known of vulnerabilities has to be looked up where it "
            "does (`make audit`). Until then, the table tells how old each release is, and whether it was withdrawn."
        )
    rows = [
        f"| {one.name} | {one.version} | {releases[one.name].day} | {_newest(one, releases[one.name])} | "
        f"{', '.join(who[name])} |"
        for name, one in sorted((one.name.lower().replace("_", "-"), one) for one in packages)
    ]
    about = (
        f"Written by `make audit` on {today}; `make sbom` writes the same as CycloneDX, with licenses. The command alone "
        f"needs {' and '.join(alone)}; the rest comes with `fp8check[service,postgres,gpu]`."
    )
    return "\n".join(
        [
            "# Dependencies",
            "",
            about,
            "",
            said,
            "",
            "| package | release | of | newest | needed by |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _newest(one: Package, release: Release) -> str:
    if release.yanked:
        return f"WITHDRAWN; {release.newest} of {release.newest_day}"
    return "this" if release.newest == one.version else f"{release.newest} of {release.newest_day}"


def main(words: list[str]) -> int:
    """Exit code 1 where a vulnerability is known, or a release was withdrawn."""
    wheel, target = Path(words[0]).resolve(), Path(words[1])
    extras = EXTRAS["service"]
    with tempfile.TemporaryDirectory(prefix="fp8check-audit-") as place:
        every = installed(made(wheel, extras, Path(place) / "env"))
        who = needed(every, extras)
        packages = [every[name] for name in who]
        audit = audited(packages, Path(place))
    releases = released(packages)
    alone = [every[name].name for name in needed(every, ())]
    target.write_text(page(packages, who, releases, audit, alone), encoding="utf-8")
    withdrawn = [one.name for one in packages if releases[one.name].yanked]
    print(f"{len(packages)} packages; {target}")
    print(f"pip-audit: {f'{audit.known} known to {audit.service}' if audit.service else f'no data ({audit.silence})'}")
    print(
        "".join(f"VULNERABLE {one}\n" for one in audit.faults),
        *(f"WITHDRAWN {one}\n" for one in withdrawn),
        sep="",
        end="",
    )
    return 1 if audit.faults or withdrawn else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
