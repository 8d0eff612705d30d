"""Releases as people name them, "accelerate==1.16 torch==2.13", and a machine that has them."""

from __future__ import annotations

from fp8check.rules.input_error import InputError
from fp8check.rules.releases.versions import NEWEST, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.facts import Facts

LONGEST = 4_000  # characters
MOST = 200  # packages
NAME, RELEASE = 80, 60  # characters
_OF_NAMES = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.")
_OF_RELEASES = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.+!-")
# A command that carries its own release: what pip installs under another name.
_WITH = {"transformer_engine": ("transformer_engine", "transformer_engine_torch")}
_OTHER_NAMES = {"llama_factory": "llamafactory", "ms_amp": "msamp"}
_OF_TORCH = ("nvidia_cudnn", "nvidia_cublas", "nvidia_nccl", "nvidia_cuda", "nvidia_cusparselt", "triton")


class BadStack(InputError):
    """Releases that cannot be understood."""

    hint = "one release of each package, as of pip freeze: accelerate==1.16.0 torch==2.13.0"


def releases(text: str) -> dict[str, str]:
    """The releases that are named, by package; of a package without one the newest that is modeled.

    Raises:
        BadStack: a word is no NAME==RELEASE, or a package is named twice.
    """
    if len(text) > LONGEST:
        raise BadStack(f"a stack of more than {LONGEST:,} characters")
    found: dict[str, str] = {}
    for word in text.replace(",", " ").split():
        name, release = _one(word)
        if found.setdefault(name, release) != release:
            raise BadStack(f"{name} is named twice: {found[name]} and {release}")
    if not found:
        raise BadStack("no package is named")
    if len(found) > MOST:
        raise BadStack(f"a stack of more than {MOST} packages")
    return found


def _one(word: str) -> tuple[str, str]:
    name, equals, release = word.partition("==")
    normal = name.lower().replace("-", "_")
    normal = _OTHER_NAMES.get(normal, normal)
    if not normal or len(normal) > NAME or not normal[0].isalnum() or not _OF_NAMES.issuperset(normal):
        raise BadStack(f"{word[:NAME]!r} is not NAME==RELEASE")
    if not equals:
        newest = NEWEST.get(normal)
        if newest is None:
            raise BadStack(f"{normal} needs its release: {normal}==...")
        return normal, newest
    if len(release) > RELEASE or not _OF_RELEASES.issuperset(release.lower()) or parsed(release) is None:
        raise BadStack(f"{word[:NAME]!r}: {release[:RELEASE]!r} is no release")
    return normal, release


def matters(package: str) -> bool:
    """Whether anything that is predicted, or any rule, looks at that package."""
    from fp8check.rules.facts.packages import WATCHED

    return package in NEWEST or package in WATCHED or package.startswith(("transformer_engine", "nvidia_"))


def installed(facts: Facts, packages: Mapping[str, str | None]) -> Facts:
    """The machine with these packages installed over those that it has."""
    there = dict(facts.packages or {})
    changed = {name for name, release in packages.items() if there.get(name) != release}
    if "torch" in changed and isinstance(there.get("torch"), str):  # it brings its own
        there = {name: release for name, release in there.items() if not name.startswith(_OF_TORCH)}
        cuda = {name: release for name, release in (facts.cuda or {}).items() if name != "torch"}
        facts = facts._replace(cuda=cuda or None, libraries=None)
    for name, release in packages.items():
        there.update(dict.fromkeys(_WITH.get(name, (name,)), release))
    duplicates = {name: every for name, every in (facts.duplicates or {}).items() if name not in changed}
    facts = facts._replace(packages=there, duplicates=duplicates if facts.duplicates is not None else None)
    if "transformer_engine" in packages:  # how its parts fit is known once it is installed
        facts = facts._replace(transformer_engine=None)
    return facts


def changed_facts(facts: Facts, variables: Mapping[str, str | None], packages: Mapping[str, str]) -> Facts:
    """The machine with these variables (None: unset) and these packages."""
    if variables:
        kept = {name: value for name, value in (facts.variables or {}).items() if name not in variables}
        new = {name: value for name, value in variables.items() if value is not None}
        facts = facts._replace(variables={**kept, **new})
    return installed(facts, packages) if packages else facts
