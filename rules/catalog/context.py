"""What the rules look at: one run, its outcome, and what was asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fp8check.rules.catalog.engine import Crash
    from fp8check.rules.evidence import Evidence
    from fp8check.rules.outcome import Outcome, Run
    from fp8check.rules.reading import Document
    from fp8check.rules.settings.values import Section, Setting
    from fp8check.rules.triage.suppressions import Suppressions

# What recipe keys of fp8_config are called in the recipe that the backend ends with.
RECIPE_KEYS = {
    "fp8_format": "fp8_format",
    "format": "fp8_format",
    "amax_history_len": "amax_history_len",
    "amax_compute_algo": "amax_compute_algo",
    "margin": "margin",
}


class Asked:
    """What the user's files and command ask for.

    Attributes:
        fp8: the settings that ask for FP8; empty where nothing does.
        backend: the setting that names a backend.
        recipe: the recipe's values that somebody wrote, by their name in the recipe.
    """

    __slots__ = ("backend", "fp8", "recipe")

    def __init__(self, run: Run) -> None:
        self.fp8: tuple[Setting, ...] = tuple(_askers(run))
        self.backend: Setting | None = None
        self.recipe: dict[str, Setting] = {}
        trainer = run.training.get("fp8_backend") if run.training.on("fp8") else None
        if run.accelerate is not None and run.accelerate.wants_fp8():
            self.backend = run.accelerate.fp8.get("backend")
            self.recipe = _recipe(run.accelerate.fp8)
        if self.backend is None and trainer is not None and trainer.value not in (None, "auto"):
            self.backend = trainer


def _askers(run: Run) -> list[Setting]:
    from fp8check.rules.settings.values import Origin, Setting

    askers: list[Setting] = []
    flag = run.launch.flag("mixed_precision")
    file = run.accelerate.mixed_precision if run.accelerate is not None and run.accelerate.wants_fp8() else None
    if flag == "fp8":
        askers.append(Setting("fp8", Origin(flag="--mixed_precision fp8")))
    elif flag is None and file is not None:
        askers.append(file)
    others = (run.training.get("fp8"), run.script.mixed_precision)
    askers.extend(setting for setting in others if setting is not None and setting.value in (True, "fp8"))
    return askers


def _recipe(fp8: Section) -> dict[str, Setting]:
    written: dict[str, Setting] = {}
    for key, name in RECIPE_KEYS.items():
        setting = fp8.get(key)
        if setting is not None and setting.value is not None:
            written[name] = setting
    return written


class Context:
    """The inputs of the rules, by the name that a rule's parameter has."""

    __slots__ = ("asked", "crashes", "documents", "evidence", "known_rules", "outcome", "run", "suppressions")

    def __init__(
        self,
        run: Run,
        outcome: Outcome,
        documents: tuple[Document, ...] = (),
        evidence: Evidence | None = None,
    ) -> None:
        self.suppressions: Suppressions | None = None
        self.known_rules: Mapping[str, str] = {}
        self.crashes: tuple[Crash, ...] = ()
        self.evidence = evidence
        self.run = run
        self.outcome = outcome
        self.documents = documents
        self.asked = Asked(run)

    def has(self, name: str) -> bool:
        """Whether that input is there, or known."""
        return self.get(name) is not None

    def get(self, name: str) -> object:
        """The input of that name; None where the run has none, or where it is not known.

        Raises:
            KeyError: no input is called that: a mistake in the rule.
        """
        return _INPUTS[name](self)

    @property
    def concerns_fp8(self) -> bool:
        """Whether the run asks for FP8, or may get it: else nothing about it is left undecided."""
        return bool(self.asked.fp8) or self.outcome.trains_in_fp8 is not False


_INPUTS: dict[str, Callable[[Context], object]] = {
    "run": lambda context: context.run,
    "outcome": lambda context: context.outcome,
    "asked": lambda context: context.asked,
    "launch": lambda context: context.run.launch,
    "facts": lambda context: context.run.facts,
    "accelerate": lambda context: context.run.accelerate,
    "training": lambda context: context.run.training if context.run.training.is_huggingface else None,
    "deepspeed": lambda context: context.run.deepspeed,
    "documents": lambda context: context.documents or None,
    "script": lambda context: context.run.script.source,
    "packages": lambda context: context.run.facts.packages,
    "variables": lambda context: context.run.facts.variables,
    "gpus": lambda context: context.run.facts.gpus,
    "transformer_engine": lambda context: context.run.facts.transformer_engine,
    "model": lambda context: context.run.model,
    "suppressions": lambda context: context.suppressions,
    "known_rules": lambda context: context.known_rules,
    "crashes": lambda context: context.crashes,
    "evidence": lambda context: context.evidence,
    # Whether a probe came to its end: what it saw is then judged by the FP8xx rules.
    "probed": lambda context: context.evidence is not None and context.evidence.ended == "done",
}
