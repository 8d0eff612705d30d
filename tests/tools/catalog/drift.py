"""What has been released since: `make drift` compares the newest releases with those that are known here.

    python -m tests.tools.catalog.drift CACHE_FOLDER docs/evidence/sources.json docs/evidence/releases.json [--write]

For each package of NEWEST it prints the newest release that is known, the newest that was executed, and the newest that
the package index has. Where that is newer, the texts that rules and version bounds rest on are looked up in its wheel,
and what differs from the newest release that they were looked up in before is printed. Wheels of torch are not
downloaded: of a newer torch it is only said that it is there. A patch of an older line is no newer release, and changes
what people run all the same (Transformer Engine 2.16.1 refuses what 2.16.0 loads): releases that releases.json does not
list are named; --write takes them in, once somebody has looked.

Ends with 1 where something was released since, with 2 where the index could not be asked of some package and else nothing.
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
    from collections.abc import Callable, Iterable, Mapping, Sequence

    # All releases of a package; None where the index could not be asked.
    Index = Callable[[str], Sequence[str] | None]
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
        released: the newest; None where it could not be asked.
        beside: other releases that were not there before, the newest first.
        differing: the texts that are otherwise in the newer wheel; None where they were not compared.
        compared: how many were.
        why: why they were not compared.
    """

    package: str
    released: str | None
    beside: tuple[str, ...] = ()
    differing: tuple[Text, ...] | None = ()
    compared: int = 0
    why: str = ""

    @property
    def is_newer(self) -> bool:
        """Whether a release is out that is not known here."""
        return self.released is not None and parse(self.released) > parse(NEWEST[self.package])


def ask_pip(package: str) -> list[str] | None:
    """The releases that pip's index has, without pre-releases."""
    command = [sys.executable, "-m", "pip", "index", "versions", "--disable-pip-version-check", package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INDEX_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    available = next((line for line in done.stdout.splitlines() if line.startswith("Available versions:")), "")
    return [one.strip() for one in available.partition(":")[2].split(",") if one.strip()] or None


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


def look(package: str, sources: Mapping[str, bool], index: Index, wheel_of: Wheel, before: Sequence[str] = ()) -> Drift:
    """What became of a package since; `before` are the releases that were there, where that is known."""
    releases = index(package)
    if releases is None:
        return Drift(package, None)
    newest = max(releases, key=parse)
    new = {one for one in releases if before and _plain(one) not in before and parse(one) <= parse(NEWEST[package])}
    found = Drift(package, newest, tuple(sorted(new, key=parse, reverse=True)))
    if not found.is_newer:
        return found
    if package in TOO_LARGE:
        return found._replace(differing=None, why=f"the wheels of {package} are not downloaded")
    wanted = texts(sources, package)
    try:
        with wheel_of(package, newest) as archive:
            differing = [one for one in wanted if (one.text in text_of(archive, one.file)) is not one.stood]
    except (OSError, subprocess.CalledProcessError):
        return found._replace(differing=None, why="its wheel could not be had")
    return found._replace(differing=tuple(differing), compared=len(wanted))


def _plain(release: str) -> str:
    """Without the local part: a build for the CPU is no other release."""
    return release.partition("+")[0]


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
        if one.beside:
            made.append(f"    and of older lines, since: {', '.join(one.beside)}")
    return made


def _difference(one: Text) -> str:
    was, now = ("stood", "is gone") if one.stood else ("was absent", "is there")
    return f'    {one.file} "{one.text}": {was} in {one.release}, {now}'


def status(found: Iterable[Drift]) -> int:
    """1 where something was released since, 2 where something is undecided, else 0."""
    everything = list(found)
    if any(one.is_newer or one.beside for one in everything):
        return 1
    return 2 if any(one.released is None for one in everything) else 0


def main(arguments: list[str] | None = None, index: Index = ask_pip, wheel_of: Wheel | None = None) -> int:
    """Look at all packages."""
    cache, texts_file, releases_file, *options = sys.argv[1:] if arguments is None else arguments
    sources = json.loads(Path(texts_file).read_text(encoding="utf-8"))
    listed = Path(releases_file)
    before = json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else {}
    get = wheel_of or (lambda package, release: wheel(package, release, Path(cache)))
    asked = {package: index(package) for package in NEWEST}
    found = [look(package, sources, asked.__getitem__, get, before.get(package, ())) for package in NEWEST]
    sys.stdout.write("".join(f"{line}\n" for line in lines(found)))
    if "--write" in options:
        known = {package: before.get(package, []) if all_ is None else _sorted(all_) for package, all_ in asked.items()}
        listed.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return status(found)


def _sorted(releases: Sequence[str]) -> list[str]:
    return sorted({_plain(one) for one in releases}, key=parse)


if __name__ == "__main__":
    sys.exit(main())
