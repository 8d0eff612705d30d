"""What has been released since: `make drift` compares the newest releases with those that are known here.

    python -m tests.tools.catalog.drift CACHE_FOLDER docs/evidence/sources.json

For each package of NEWEST it prints the newest release that is known, the newest that was executed, and the newest that
the package index has. Where that is newer, the texts that rules and version bounds rest on are looked up in its wheel,
and what differs from the newest release that they were looked up in before is printed. Wheels of torch are not
downloaded: of a newer torch it is only said that it is there.

Ends with 1 where a newer release is out, with 2 where the index could not be asked of some package and none is newer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.releases.versions import EXECUTED, NEWEST, parse
from tests.tools.catalog.look_up import text_of, wheel

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterable, Mapping

    # The newest release of a package; None where the index could not be asked.
    Index = Callable[[str], str | None]
    # The wheel of a release.
    Wheel = Callable[[str, str], zipfile.ZipFile]

TOO_LARGE = ("torch",)  # half a gigabyte and more
INDEX_SECONDS = 60


class Text(NamedTuple):
    """A text that something rests on: whether it stands in that file of that release."""

    file: str
    text: str
    release: str
    stood: bool


class Drift(NamedTuple):
    """What became of one package.

    Attributes:
        released: None where it could not be asked.
        differing: the texts that are otherwise in the newer wheel; None where they were not compared.
        compared: how many were.
        why: why they were not compared.
    """

    package: str
    released: str | None
    differing: tuple[Text, ...] | None = ()
    compared: int = 0
    why: str = ""

    @property
    def is_newer(self) -> bool:
        """Whether a release is out that is not known here."""
        return self.released is not None and parse(self.released) > parse(NEWEST[self.package])


def ask_pip(package: str) -> str | None:
    """The newest release that pip's index has, without pre-releases."""
    command = [sys.executable, "-m", "pip", "index", "versions", "--disable-pip-version-check", package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INDEX_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    available = next((line for line in done.stdout.splitlines() if line.startswith("Available versions:")), "")
    releases = [one.strip() for one in available.partition(":")[2].split(",") if one.strip()]
    return max(releases, key=parse, default=None)


def texts(sources: Mapping[str, bool], package: str) -> list[Text]:
    """The texts of a package in the newest release of it that any was looked up in.

    What was looked up in older releases alone is of these: a rule says until when it holds.
    """
    keys = [key.split(" ", 3) for key in sources if key.startswith(f"{package} ")]
    newest = max((release for _, release, _, _ in keys), key=parse, default="")
    return [
        Text(file, text, release, sources[f"{of} {release} {file} {text}"])
        for of, release, file, text in keys
        if release == newest
    ]


def look(package: str, sources: Mapping[str, bool], index: Index, wheel_of: Wheel) -> Drift:
    """What became of a package since."""
    found = Drift(package, index(package))
    if not found.is_newer or found.released is None:
        return found
    if package in TOO_LARGE:
        return found._replace(differing=None, why=f"the wheels of {package} are not downloaded")
    wanted = texts(sources, package)
    try:
        with wheel_of(package, found.released) as archive:
            differing = [one for one in wanted if (one.text in text_of(archive, one.file)) is not one.stood]
    except (OSError, subprocess.CalledProcessError):
        return found._replace(differing=None, why="its wheel could not be had")
    return found._replace(differing=tuple(differing), compared=len(wanted))


def lines(found: Iterable[Drift]) -> list[str]:
    """What is printed."""
    made = [f"{'package':<20}{'known':<12}{'executed':<12}{'released':<12}"]
    for one in found:
        row = f"{one.package:<20}{NEWEST[one.package]:<12}{EXECUTED[one.package]:<12}"
        if one.released is None:
            made.append(f"{row}undecided: the package index could not be asked")
        elif not one.is_newer:
            made.append(f"{row}{one.released:<12}nothing newer")
        elif one.differing is None:
            made.append(f"{row}{one.released:<12}newer; its texts are undecided: {one.why}")
        else:
            made.append(f"{row}{one.released:<12}newer; {len(one.differing)} of {one.compared} texts differ")
            made += [_difference(text) for text in one.differing]
    return made


def _difference(one: Text) -> str:
    was, now = ("stood", "is gone") if one.stood else ("was absent", "is there")
    return f'    {one.file} "{one.text}": {was} in {one.release}, {now}'


def status(found: Iterable[Drift]) -> int:
    """1 where something is newer, 2 where something is undecided, else 0."""
    everything = list(found)
    if any(one.is_newer for one in everything):
        return 1
    return 2 if any(one.released is None for one in everything) else 0


def main(arguments: list[str] | None = None, index: Index = ask_pip, wheel_of: Wheel | None = None) -> int:
    """Look at all packages."""
    cache, file = (sys.argv[1:] if arguments is None else arguments)[:2]
    sources = json.loads(Path(file).read_text(encoding="utf-8"))
    get = wheel_of or (lambda package, release: wheel(package, release, Path(cache)))
    found = [look(package, sources, index, get) for package in NEWEST]
    sys.stdout.write("".join(f"{line}\n" for line in lines(found)))
    return status(found)


if __name__ == "__main__":
    sys.exit(main())
