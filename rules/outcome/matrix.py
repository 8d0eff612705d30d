"""The table that nobody publishes: what really trains in FP8, for one stack of releases.

Trainer by backend by distribution by what else the run does. Each cell is a prediction; where the same run was
executed on a GPU, the cell names that case of docs/evidence/h200-cases.jsonl.
"""

from __future__ import annotations

from fp8check.rules import models
from fp8check.rules.facts import Facts, Gpu
from fp8check.rules.outcome.predict import Outcome, predict
from fp8check.rules.record import Record
from fp8check.rules.settings.accelerate import AccelerateConfig
from fp8check.rules.settings.launch import Launch
from fp8check.rules.settings.values import Section
from fp8check.rules.trainers.registry import TRAINERS as KNOWN
from fp8check.rules.trainers.run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.trainers.training import Training

BACKENDS = ("TE", "AO", "AO, gather off")
LAYOUTS = ("single", "DDP", "FSDP1", "FSDP2", "ZeRO")
FEATURES = ("plain", "bf16: true", "checkpointing", "LoRA", "tied head")

# The most general trainer first: the one whose files are told last.
_SAMPLED = sorted(
    (trainer for trainer in KNOWN if trainer.sample(bf16=False, checkpointing=False, lora=False) is not None),
    key=lambda trainer: -max((detection.place for detection in trainer.detections), default=100),
)
TRAINERS = tuple(trainer.name for trainer in _SAMPLED)

_KINDS = {"single": "NO", "DDP": "MULTI_GPU", "FSDP1": "FSDP", "FSDP2": "FSDP", "ZeRO": "DEEPSPEED"}

# Cells that were executed on an H200 with accelerate 1.15.0, transformers 5.17.0, Transformer Engine 2.20.2 and
# torchao 0.17.0: the names of the cases.
EXECUTED: Mapping[tuple[str, str, str, str], str] = {
    ("script", "TE", "single", "plain"): "te-default",
    ("script", "AO", "single", "plain"): "ao-default",
    ("script", "AO, gather off", "single", "plain"): "ao-gather-off",
    ("script", "TE", "DDP", "plain"): "ddp-te",
    ("script", "AO", "DDP", "plain"): "ddp-ao",
    ("script", "TE", "FSDP1", "plain"): "fsdp1-te",
    ("script", "AO", "FSDP1", "plain"): "fsdp1-ao",
    ("script", "TE", "FSDP2", "plain"): "fsdp2-te",
    ("script", "AO", "FSDP2", "plain"): "fsdp2-ao",
    ("script", "TE", "single", "LoRA"): "lora16-te",
    ("script", "AO", "single", "LoRA"): "lora16-ao",
    ("script", "TE", "single", "tied head"): "tied-te",
    ("script", "AO, gather off", "single", "tied head"): "tied-ao",
    ("script", "TE", "single", "checkpointing"): "checkpoint-te",
    ("script", "AO, gather off", "single", "checkpointing"): "checkpoint-ao",
    ("transformers", "TE", "single", "plain"): "hf-te",
    ("transformers", "AO", "single", "plain"): "hf-ao",
    ("transformers", "AO, gather off", "single", "plain"): "hf-ao-gather-off",
    ("transformers", "TE", "single", "bf16: true"): "hf-te-bf16",
    ("transformers", "AO", "single", "bf16: true"): "hf-ao-bf16",
    ("transformers", "TE", "single", "checkpointing"): "hf-te-checkpointing",
    ("transformers", "TE", "FSDP1", "plain"): "hf-fsdp1-te",
    ("transformers", "TE", "FSDP2", "plain"): "hf-fsdp2-te",
    ("transformers", "TE", "single", "LoRA"): "hf-lora16-te",
}
EXECUTED_STACK = {
    "accelerate": "1.15.0",
    "transformers": "5.17.0",
    "transformer_engine": "2.20.2",
    "torchao": "0.17.0",
}


class Cell(Record):
    """One cell of the table.

    Attributes:
        words: what happens, for people.
        trains: whether the run really trains in FP8, forward and backward, all that it should.
        case: the executed case behind it; None where it is predicted only.
    """

    trainer: str
    backend: str
    layout: str
    feature: str
    words: str
    trains: bool
    case: str | None


def cells(packages: Mapping[str, str], capability: str = "9.0") -> Iterator[Cell]:
    """Every cell of the table for a stack of releases on a GPU of that compute capability."""
    same = all(packages.get(name) == version for name, version in EXECUTED_STACK.items())
    for trainer in _SAMPLED:
        for backend in BACKENDS:
            for layout in LAYOUTS:
                for feature in FEATURES:
                    training = _training(trainer, feature)
                    if training is None:
                        continue
                    outcome = predict(_run(packages, capability, training, backend, layout, feature))
                    words, trains = describe(outcome)
                    case = EXECUTED.get((trainer.name, backend, layout, feature)) if same else None
                    yield Cell(trainer.name, backend, layout, feature, words, trains, case)


def describe(outcome: Outcome) -> tuple[str, bool]:
    """What happens to a run in a few words, and whether it really trains in FP8."""
    if outcome.undecided is not None:
        return f"not known: {outcome.undecided.what}", False
    if outcome.error is not None:
        return f"{outcome.error.type} ({outcome.error.stage})", False
    precision = outcome.mixed_precision.value if outcome.mixed_precision is not None else "?"
    if not outcome.trains_in_fp8:
        return f"{precision}, no FP8", False
    if outcome.frozen is not None:
        return "converted weights never train", False
    if outcome.backend_name == "TE" and outcome.reentrant:
        return "backward not in FP8", False
    if precision != "fp8":
        return f"FP8 although it says {precision}, default recipe", False
    if outcome.backend_name != "TE":
        return "FP8", True
    if outcome.run.model is not None and outcome.run.model.tied:
        return "FP8, the head untied and never trained", False
    return ("FP8, frozen base thawed" if outcome.run.training.uses_lora else "FP8"), True


_TIED = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "vocab_size": 96,
    "tie_word_embeddings": True,
}


def _run(
    packages: Mapping[str, str], capability: str, training: Training, backend: str, layout: str, feature: str
) -> Run:
    facts = Facts(
        packages={"torch": "2.11.0", "deepspeed": "0.19.8", "msamp": None, **packages},
        variables={},
        gpus=[Gpu(0, "GPU", capability, None, None)],
    )
    name, _, off = backend.partition(", ")
    version = int(layout[-1]) if layout.startswith("FSDP") else None
    return Run(
        launch=Launch("accelerate"),
        facts=facts,
        accelerate=AccelerateConfig.sample(_KINDS[layout], name, fsdp_version=version, gather=not off),
        training=training,
        model=models.from_config(_TIED, "tied", "config.json") if feature == "tied head" else None,
    )


def _training(trainer: type[Training], feature: str) -> Training | None:
    """A training file with that feature; None where this trainer has none such."""
    settings = trainer.sample(
        bf16=feature == "bf16: true", checkpointing=feature == "checkpointing", lora=feature == "LoRA"
    )
    return None if settings is None else trainer(Section(data=settings))
