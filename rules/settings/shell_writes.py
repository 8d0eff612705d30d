"""The files that a command of a shell script writes or changes: what is on the disk now is not what comes after it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# What changes the files among its arguments where this is among its options, by the options' beginnings.
_IN_PLACE: Mapping[str, tuple[str, ...]] = {
    "sed": ("-i", "--in-place", "-Ei", "-ni", "-ri"),
    "gsed": ("-i", "--in-place"),
    "perl": ("-i", "-pi", "-ni"),
    "yq": ("-i", "--inplace", "-yi", "-Yi", "--in-place"),
    "crudini": ("--set", "--del", "--merge", "--inplace"),
    "dos2unix": ("",),
    "patch": ("",),
    "sponge": ("",),
    "tee": ("",),
    "truncate": ("",),
}
# What writes its last argument, or a file of the same name in that folder.
_TO_THE_LAST = ("cp", "mv", "ln", "install", "rsync", "scp")
# What writes the file behind an option.
_BEHIND: Mapping[str, tuple[str, ...]] = {
    "wget": ("-O", "--output-document"),
    "curl": ("-o", "--output"),
    "aria2c": ("-o", "--out"),
    "jinja2": ("-o", "--outfile"),
    "j2": ("-o",),
    "gomplate": ("-o", "--out"),
}


def written(words: Sequence[str]) -> Iterator[str]:
    """The names of the files that a command writes or changes, as far as its words tell; redirections apart."""
    if not words:
        return
    name, arguments = os.path.basename(words[0]), words[1:]
    if name in _IN_PLACE and _is_in_place(_IN_PLACE[name], arguments):
        yield from (one for one in arguments if not one.startswith("-"))
    if name in _TO_THE_LAST:
        files = [one for one in arguments if not one.startswith("-")]
        yield from files[-1:]
        yield from (os.path.join(files[-1], os.path.basename(one)) for one in files[:-1])
    if name == "dd":
        yield from (one[3:] for one in arguments if one.startswith("of="))
    for option in _BEHIND.get(name, ()):
        for at, one in enumerate(arguments):
            if one == option and at + 1 < len(arguments):
                yield arguments[at + 1]
            elif one.startswith(f"{option}="):
                yield one[len(option) + 1 :]


def _is_in_place(options: Sequence[str], arguments: Sequence[str]) -> bool:
    return any(not option or one.startswith(option) for option in options for one in arguments)
