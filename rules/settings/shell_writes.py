"""The files that a command of a shell script writes or changes: what is on the disk now is not what comes after it."""

from __future__ import annotations

import os

from fp8check.rules.reading.kind import SHELLS

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
# The same for programs of which a word says what they do.
_COPIERS: Mapping[str, tuple[str, ...]] = {
    "aws": ("cp", "mv", "sync"),
    "azcopy": ("copy", "cp", "sync"),
    "gcloud": ("cp", "mv", "rsync"),
    "gsutil": ("cp", "mv", "rsync"),
    "hdfs": ("-get", "-copyToLocal"),
    "mc": ("cp", "mv"),
    "rclone": ("copy", "copyto", "sync"),
    "s3cmd": ("get", "sync"),
}
# What writes the file behind an option.
_BEHIND: Mapping[str, tuple[str, ...]] = {
    "wget": ("-O", "--output-document"),
    "curl": ("-o", "--output"),
    "aria2c": ("-o", "--out"),
    "jinja2": ("-o", "--outfile"),
    "j2": ("-o",),
    "gomplate": ("-o", "--out"),
}
# What stands in front of a command and leaves its files the same.
_IN_FRONT = ("sudo", "doas", "env", "nice", "ionice", "time", "timeout", "nohup", "command", "exec", "srun", "stdbuf")


def files_written(words: Sequence[str]) -> Iterator[str]:
    """The names of the files that a command writes or changes, as far as its words tell; redirections apart."""
    if words and os.path.basename(words[0]) in _IN_FRONT:
        names = [os.path.basename(word) for word in words]
        known = (_IN_PLACE, _TO_THE_LAST, _COPIERS, _BEHIND, SHELLS, ("dd",))
        start = next((at for at, name in enumerate(names) if any(name in table for table in known)), len(names))
        words = words[start:]
    if not words:
        return
    if os.path.basename(words[0]) in SHELLS:
        yield from _written_by_shell(words)
        return
    name, arguments = os.path.basename(words[0]), words[1:]
    if name in _IN_PLACE and _is_in_place(_IN_PLACE[name], arguments):
        yield from (argument for argument in arguments if not argument.startswith("-"))
    if name in _TO_THE_LAST or any(one in arguments for one in _COPIERS.get(name, ())):
        files = [argument for argument in arguments if not argument.startswith("-")]
        yield from files[-1:]
        yield from (os.path.join(files[-1], os.path.basename(file)) for file in files[:-1])
    if name == "dd":
        yield from (argument[3:] for argument in arguments if argument.startswith("of="))
    for option in _BEHIND.get(name, ()):
        for at, one in enumerate(arguments):
            if one == option and at + 1 < len(arguments):
                yield arguments[at + 1]
            elif one.startswith(f"{option}="):
                yield one[len(option) + 1 :]


def _written_by_shell(words: Sequence[str]) -> Iterator[str]:
    """The same of the commands in `bash -c TEXT`, redirections as well."""
    import re
    import shlex

    option = next((at for at, one in enumerate(words) if one[:1] == "-" and one[1:2] != "-" and "c" in one), len(words))
    for text in words[option + 1 : option + 2]:
        for part in re.split(r"[;&|\n]+", text):
            try:
                inner = shlex.split(part)
            except ValueError:  # a quote that holds one of the signs above
                continue
            yield from files_written(inner)
        yield from re.findall(r">\s*([^\s<>;&|()'\"]+)", text)


def _is_in_place(options: Sequence[str], arguments: Sequence[str]) -> bool:
    return any(not option or argument.startswith(option) for option in options for argument in arguments)
