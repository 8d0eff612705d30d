"""FP9xx: the files themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.rule import ERROR, WARNING, Found, Related, rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.outcome import Outcome
    from fp8check.rules.reading import Document
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.launch import Launch


@rule(
    "FP901",
    "unquoted-no",
    ERROR,
    "ran accelerate 1.15.0 [conformance file-precision-unquoted-no-1.15]: AttributeError: 'bool' object has "
    "no attribute 'lower'",
    "ran accelerate 1.15.0 [conformance file-distributed-unquoted-no-processes-1.15]: ValueError: You need to "
    "manually pass in `--num_processes`",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl unquoted-no]: AttributeError: 'bool' object has no "
    "attribute 'lower'",
)
def unquoted_no(accelerate: AccelerateConfig, launch: Launch, outcome: Outcome) -> Iterator[Found]:
    """An unquoted `no` or `NO` where Accelerate wants a word.

    Why it hurts: YAML 1.1 reads it as the boolean false. `mixed_precision: no` ends the launcher with an
    AttributeError; `distributed_type: NO` without num_processes ends it with a ValueError.

    Example: `mixed_precision: no`.

    Write instead: `mixed_precision: "no"`.
    """
    error = outcome.error
    if accelerate.is_sagemaker:
        return
    for name, word in (("mixed_precision", "no"), ("distributed_type", "NO")):
        setting = accelerate.top.get(name)
        if setting is None or setting.value is not False:
            continue
        if launch.flag(name) is not None:
            continue
        if name == "distributed_type" and (error is None or setting not in error.because):
            continue  # with num_processes the simple launcher is chosen all the same: executed on 1.10.1 and 1.11.0
        fails = error is not None and setting in error.because
        yield Found(
            f"{name}: {word} without quotes is the boolean false",
            setting,
            f"{error.type}: {error.message}" if fails and error is not None else "accelerate launch stops here",
            help=f'write {name}: "{word}"',
        )


@rule(
    "FP902",
    "duplicate-key",
    WARNING,
    "ran pyyaml 6.0.3, omegaconf 2.4.0, json of Python 3.11 [executed duplicate-key]: PyYAML and json keep "
    "the last, OmegaConf refuses",
)
def duplicate_key(documents: Sequence[Document]) -> Iterator[Found]:
    """A key stands twice in one mapping.

    Why it hurts: the last one wins and the first one is dead text, or the file is refused, depending on the tool.

    Example: `bf16: true` and, forty lines below, `bf16: false`.

    Write instead: one of them.
    """
    for document in documents:
        for problem in document.problems:
            if problem.code != "duplicate-key":
                continue
            related = (Related(problem.related, "this one is dropped"),) if problem.related is not None else ()
            yield Found(problem.message, problem.span, "this one counts", related, help="delete one of the two")
