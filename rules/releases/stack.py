"""The packages that the run meets: known from the facts, or assumed where the facts do not tell."""

from __future__ import annotations

from functools import lru_cache

from fp8check.rules.facts import UNKNOWN
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.versions import EXECUTED, NEWEST, at_least, between, parse, parsed
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fp8check.rules.facts import Facts
    from fp8check.rules.releases.accelerate_enums import Backend
    from fp8check.rules.releases.behaviors import Behavior
    from fp8check.rules.releases.pairs import Pair
    from fp8check.rules.releases.versions import Version

    Limit = Callable[["Stack", str], Version | None]

# `accelerate` treats an older torchao as absent (utils/imports.py is_torchao_available).
OLDEST_TORCHAO = (0, 6, 1)
# The first torch that torchao 0.18 can be imported under, and the last torchao for those before.
TORCH_OF_TORCHAO, TORCHAO_BEFORE = (2, 10), "0.17.0"


class Stack:
    """Package versions for one prediction.

    Attributes:
        assumed: packages whose version was not known, and the one that was taken instead.
        newer: packages that are newer than the newest modeled, treated as that one.

    Args:
        limit: the newest release of a package that the run's trainer takes; None of one that it says nothing of.
    """

    __slots__ = ("_answers", "_assumed_versions", "_facts", "_limit", "_versions", "assumed", "newer")

    def __init__(self, facts: Facts, assumed_versions: Mapping[str, str] = NEWEST, limit: Limit | None = None) -> None:
        self._facts = facts
        self._limit = limit
        self._assumed_versions = assumed_versions
        self._versions: dict[str, Version] = {}
        self._answers: dict[int, bool] = {}  # by the identity of a behavior, which is a constant
        self.assumed: dict[str, str] = {}
        self.newer: dict[str, str] = {}

    def version(self, package: str) -> Version:
        """The release of a package that the run uses; one of the assumed releases where it is not known.

        Raises:
            Undecided: it is not known, and nothing is assumed of that package.
        """
        if package not in self._versions:
            self._versions[package] = self._find(package)
        return self._versions[package]

    def _find(self, package: str) -> Version:
        known = self._facts.package(package)
        version = parsed(known) if isinstance(known, str) else None
        if version is None:
            assumed = self._assumed_versions.get(package)
            if assumed is None:  # a package that only an installed trainer knows: there is no release to assume
                raise Undecided(f"the release of {package.replace('_', ' ')}", "packages")
            limit = None if self._limit is None else self._limit(self, package)
            if limit is not None and not at_least(limit, *parse(assumed)):
                assumed = ".".join(map(str, limit))
            self.assumed[package] = assumed
            return parse(assumed)
        newest = NEWEST.get(package)
        if newest is not None and version > parse(newest):
            self.newer[package] = str(known)
            return parse(newest)
        return version

    def name(self, package: str) -> str:
        """The package and its release, for people: "accelerate 1.15.0"."""
        return _named(package, self.version(package))

    def has(self, package: str) -> bool | None:
        """Whether a package is installed; None where it is not known."""
        known = self._facts.package(package)
        if known is UNKNOWN:
            return None
        return known is not None

    def capability(self, visible: str | None) -> Version | None:
        """The compute capability of the first GPU that a process sees, (0,) where it sees none; None if not known.

        Args:
            visible: its CUDA_VISIBLE_DEVICES, where that is known.
        """
        facts = self._facts if visible is None else self._facts.with_variables({"CUDA_VISIBLE_DEVICES": visible})
        gpus = facts.visible_gpus()
        if gpus is None:
            return None
        return parse(gpus[0].compute_capability) if gpus else (0,)

    def known(self, package: str) -> str | None:
        """The release that is known to be installed; None where none is, and where that is not known."""
        version = self._facts.package(package)
        return version if isinstance(version, str) else None

    @property
    def is_beyond(self) -> bool:
        """Whether any release that is known to be installed is newer than those that were executed."""
        newest = EXECUTED.items()
        return any((version := parsed(self.known(package))) and version > parse(last) for package, last in newest)

    @property
    def knows_variables(self) -> bool:
        """Whether the shell's variables are known."""
        return self._facts.variables is not None

    def does(self, behavior: Behavior) -> bool:
        """Whether the release that the run uses does so."""
        answer = self._answers.get(id(behavior))
        if answer is None:
            answer = between(self.version(behavior.package), behavior.since, behavior.until)
            self._answers[id(behavior)] = answer
        return answer

    def sees_gpu(self) -> bool | None:
        """torch.cuda.is_available(): whether a process sees a GPU; None where that is not known."""
        gpus = self._facts.visible_gpus()
        return None if gpus is None else bool(gpus)

    # What Accelerate's own availability checks answer: find_spec plus metadata, nothing imported.

    def sees_te(self) -> bool | None:
        """accelerate.utils.is_transformer_engine_available(): the metapackage is what counts."""
        return self.has("transformer_engine")

    def sees_torchao(self) -> bool | None:
        """accelerate.utils.is_torchao_available(): installed, and not older than 0.6.1."""
        installed = self.has("torchao")
        if not installed:
            return installed
        return not between(self.version("torchao"), (0,), OLDEST_TORCHAO)

    def torchao_breaks(self) -> Pair | None:
        """How importing torchao.float8 fails under the torch at hand; None where it does not, or one is not known."""
        if not self.has("torchao") or not self.has("torch"):
            return None
        from fp8check.rules.releases.pairs import of_torchao  # most runs need no torchao

        return of_torchao(self.version("torchao"), self.version("torch"))

    def adapters_break(self, *, pins_old_peft: bool) -> Pair | None:
        """How PEFT fails to wrap a layer beside the torchao at hand; None where it does not.

        Args:
            pins_old_peft: whether a PEFT that is not known is one before 0.19.
        """
        if not self.sees_torchao() or not (self.has("peft") or pins_old_peft):
            return None
        from fp8check.rules.releases.pairs import of_adapters  # most runs have no adapters, or no torchao

        peft = self.version("peft") if self.has("peft") else (0, 18, 1)
        return of_adapters(peft, self.version("torchao"))

    def sees_msamp(self) -> bool | None:
        """accelerate.utils.is_msamp_available()."""
        return self.has("msamp")

    def sees_fp8_library(self) -> bool | None:
        """accelerate.utils.is_fp8_available()."""
        answers = [self.sees_msamp(), self.sees_te()]
        if self.does(Accelerate.TORCHAO_COUNTS_AS_FP8_LIBRARY):
            answers.append(self.sees_torchao())
        return True if True in answers else None if None in answers else False

    def first_backend(self) -> Backend:
        """The backend that Accelerate picks where none is named: torchao, then Transformer Engine, then MS-AMP.

        One of them is there: without any, Accelerator's state has raised before.

        Raises:
            Undecided: whether one of them is installed is not known.
        """
        answers: dict[Backend, bool | None] = {
            "AO": self.sees_torchao(),
            "TE": self.sees_te(),
            "MSAMP": self.sees_msamp(),
        }
        first = next(backend for backend, answer in answers.items() if answer is not False)
        if answers[first] is None:
            raise Undecided(
                "no backend is named, and which FP8 packages are installed is not known: Accelerate takes torchao if "
                "it finds it, else Transformer Engine, else MS-AMP",
                "packages",
            )
        return first

    def newest(self, package: str) -> str | None:
        """The newest release of a package that was looked at and fits the torch of this stack; None where none was."""
        torch = parsed(self.known("torch"))
        if package == "torchao" and torch is not None and not at_least(torch, *TORCH_OF_TORCHAO):
            return TORCHAO_BEFORE
        return NEWEST.get(package)


@lru_cache(maxsize=256)  # each run names the same few again and again
def _named(package: str, version: Version) -> str:
    return f"{package.replace('_', ' ')} {'.'.join(map(str, version))}"
