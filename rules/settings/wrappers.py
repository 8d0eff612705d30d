"""What people write in front of a launch command: taken off, and what it changes for the command is kept.

An option that stands in no table makes the command unclear: nobody knows whether it takes the word behind it.
"""

from __future__ import annotations

import os

from fp8check.rules.settings import wrapper_effects as effects
from fp8check.rules.settings.command import is_python, split
from fp8check.rules.settings.launch import LAUNCHERS, NotARun, Unclear, is_several
from fp8check.rules.settings.values import is_filled_in
from fp8check.rules.settings.wrapper_data import Given, Inside, Wrapper
from fp8check.rules.settings.wrapper_table import GLOBAL, PLAIN, WRAPPERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.settings.wrapper_data import Options
    from fp8check.rules.settings.wrapper_table import Entry

# Wrappers in wrappers in wrappers: nobody writes more.
_DEEPEST = 16


def unwrap(words: Sequence[str], variables: Mapping[str, str]) -> Inside:
    """The command behind all wrappers.

    Raises:
        NotARun: a wrapper that was told to start nothing.
        Unclear: an option that is not known, or a command that cannot be told.
    """
    inside = Inside(tuple(words), dict(variables))
    for _ in range(_DEEPEST):
        name = inside.words[0].rpartition("/")[2] if inside.words else ""
        entry = WRAPPERS.get(name)
        if entry is None:
            return inside
        inside = _taken_off(name, entry, inside._replace(words=inside.words[1:]))
    raise Unclear("it has more wrappers in each other than are looked at")


def starts_with_a_wrapper(words: Sequence[str]) -> bool:
    """Whether the first of these words is one."""
    return bool(words) and words[0].rpartition("/")[2] in WRAPPERS


def _taken_off(name: str, entry: Entry, inside: Inside, earlier: Options = ()) -> Inside:
    if isinstance(entry, Wrapper):
        return _started_by(name, entry, inside, earlier)
    general = GLOBAL.get(name, PLAIN)
    options, rest = _options(name, general._replace(may_vary=False), inside.words)
    inside = _gone(inside, Given(name, options, ()), general)
    command = rest[0] if rest else ""
    if command not in entry:
        if is_filled_in(command):
            raise Unclear(f"what {command} stands for is not known")
        raise NotARun(f"{name} {command} starts no training that is known here".replace("  ", " "))
    return _taken_off(f"{name} {command}", entry[command], inside._replace(words=rest[1:]), earlier + options)


def _gone(inside: Inside, given: Given, wrapper: Wrapper) -> Inside:
    """The command in the working folder that a wrapper says."""
    folder = given.value(*wrapper.folders)
    if folder is None:
        return inside
    if wrapper.mounts:  # what a container calls by another name
        folder = effects.outside(folder, given, wrapper.mounts)
    return inside.around(folder=os.path.normpath(os.path.join(inside.surroundings.folder, folder)).removeprefix("."))


def _started_by(name: str, wrapper: Wrapper, inside: Inside, earlier: Options) -> Inside:
    options, rest = _options(name, wrapper, inside.words)
    later = next((value for option, value in options if option == _LATER), None)
    if later is not None and not _starts(rest):
        raise Unclear(f"what {later} stands for is not known: options of {name}, or the command")
    before, rest = rest[: wrapper.before], rest[wrapper.before :]
    if before and rest[:1] == ("--",):  # kubectl exec POD -- COMMAND
        rest = rest[1:]
    given = Given(name, earlier + options, before)
    inside = _gone(inside, given._replace(options=options), wrapper)._replace(words=rest)
    if given.has(*_SPLIT_STRING) and wrapper.effect is effects.env:
        inside, given = _split_string(inside, given, wrapper)
    if wrapper.effect is not None:
        inside = wrapper.effect(inside, given)
    if later is not None:
        inside = inside.around(hides=name)
        if wrapper.effect in (effects.slurm, effects.mpi):
            inside = inside.around(copies=None)
    if not inside.words:
        raise NotARun(f"no command stands behind {name}")
    return inside


_SPLIT_STRING = ("-S", "--split-string")


def _split_string(inside: Inside, given: Given, wrapper: Wrapper) -> tuple[Inside, Given]:
    """`env -S TEXT`: the text stands for words of its own, and its options may be among them."""
    variables, words = split(str(given.value(*_SPLIT_STRING)))
    assigned = [f"{name}={value}" for name, value in variables.items()]
    options, rest = _options(given.name, wrapper, (*assigned, *words, *inside.words))
    return inside._replace(words=rest), given._replace(options=given.options + options)


def _options(
    name: str, wrapper: Wrapper, words: tuple[str, ...]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """A wrapper's own options, and the words behind them."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(words) and (_is_option(words[at]) or (wrapper.may_vary and _varies(words, at))):
        word = words[at]
        if is_several(word):
            found.append((_LATER, word))
            at += 1
            continue
        if word == "--":
            at += 1
            break
        if word in wrapper.ends:
            raise NotARun(f"{name} {word} starts nothing")
        if _is_of_a_plugin(wrapper, words, at):
            at += 1
            continue
        taken, values = _option(name, wrapper, word)
        if values == _PAIR and word in _JOINED and "=" in "".join(words[at + 1 : at + 2]):
            values = 1  # MVAPICH's mpirun takes NAME=VALUE behind -env, too
        if values == 1 and _is_yours(words[at + 1 : at + 3]):
            values = 2
        behind = words[at + 1 : at + 1 + values]
        if len(behind) < values:
            raise Unclear(f"{name} {taken[-1][0]} has no value")
        if values:
            taken[-1] = (taken[-1][0], " ".join(behind))
        found += taken
        at += 1 + values
    return tuple(found), words[at:]


def _is_of_a_plugin(wrapper: Wrapper, words: tuple[str, ...], at: int) -> bool:
    """Whether an option is that of a plug-in, and takes no value: what stands behind it is the command."""
    word = words[at]
    known = wrapper.values | wrapper.switches | wrapper.pairs
    is_own = word[:2] == "--" and "=" not in word and word not in known and not is_filled_in(word)
    return wrapper.extends and is_own and _starts(words[at + 1 :])


def _is_yours(words: Sequence[str]) -> bool:
    """Whether a value is what a page leaves to its reader, in two words: -p Your Partition."""
    return words[:1] in (("Your",), ("YOUR",), ("your",)) and words[1:] != () and words[1].isalpha()


_PAIR = 2
_JOINED = ("-env", "-genv")
# The name under which options that are filled in later stand among those of a wrapper.
_LATER = "options that are filled in later"


def _is_option(word: str) -> bool:
    return word[:1] == "-" and word != "-"


def _varies(words: Sequence[str], at: int) -> bool:
    """Whether a word is filled in later, and a command stands behind it that is known to be one."""
    return is_several(words[at]) and any(_starts(words[behind : behind + 2]) for behind in range(at + 1, len(words)))


def _starts(words: Sequence[str]) -> bool:
    """Whether the first of these words is a launcher, Python, or another wrapper."""
    name = words[0].rpartition("/")[2] if words else ""
    return len(words) > 1 and (name in LAUNCHERS or name in _STARTING or name in WRAPPERS or is_python(name))


_STARTING = ("accelerate-launch", "llamafactory-cli", "trl", "axolotl", "swift")


def _option(name: str, wrapper: Wrapper, word: str) -> tuple[list[tuple[str, str]], int]:
    """The options in one word, and how many words behind it belong to the last of them.

    Raises:
        Unclear: one is not known.
    """
    option, equals, value = word.partition("=")
    known = wrapper.values | wrapper.switches | wrapper.pairs
    if equals and (option in known or (wrapper.extends and option[:2] == "--")):
        return [(option, value)], 0
    if word in known:
        return [(word, "")], 1 if word in wrapper.values else 2 if word in wrapper.pairs else 0
    if word[1:].isdigit() and "-N" in wrapper.values:  # nice -10
        return [("-N", word[1:])], 0
    if word[1:2] != "-" and not wrapper.one_dash:
        return _letters(name, wrapper, word)
    raise _not_known(name, option)


def _letters(name: str, wrapper: Wrapper, word: str) -> tuple[list[tuple[str, str]], int]:
    """`-it`, `-n4`: letters in one word, the last of which may have its value there as well."""
    found: list[tuple[str, str]] = []
    for at, letter in enumerate(word[1:], 1):
        option = f"-{letter}"
        if option in wrapper.values:
            rest = word[at + 1 :]
            return [*found, (option, rest.removeprefix("="))], 0 if rest else 1
        if option not in wrapper.switches:
            break
        if word[at + 1 :].isdigit():  # srun -K1
            return [*found, (option, word[at + 1 :])], 0
        found.append((option, ""))
    else:
        return found, 0
    raise _not_known(name, word.partition("=")[0])


def _not_known(name: str, option: str) -> Unclear:
    if is_filled_in(option):
        return Unclear(f"what {option} stands for is not known: options of {name}, or the command")
    return Unclear(f"{name} has an option that is not known here: {option}")
