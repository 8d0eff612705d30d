"""House rules of one team. Each is a function made by `rule`; its parameters name what it looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.engine import WARNING, Found, rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from acme_fp8_rules.trainer import AcmeTune
    from fp8check.rules.trainers.training import Training

SHARED_DISK = "/shared/"


@rule("ACME101", "output-not-on-shared-disk", WARNING, "https://wiki.example.com/training/checkpoints")
def output_not_on_shared_disk(training: Training) -> Iterator[Found]:
    """Checkpoints go to a disk that is wiped with the node.

    Why it hurts: the run is lost with the node that it ran on.

    Example: `output_dir: /tmp/out`.

    Write instead: a folder below /shared/.
    """
    output = training.get("output_dir")
    if output is None or str(output.value).startswith(SHARED_DISK):
        return
    yield Found(
        f"checkpoints go to {output.value}",
        place=output,
        label="this is not on the shared disk",
        help=f"write a folder below {SHARED_DISK}",
    )


@rule("ACME102", "pinned-accelerate", WARNING, "https://wiki.example.com/training/versions")
def pinned_accelerate(packages: Mapping[str, str | None]) -> Iterator[Found]:
    """Another accelerate than the one that the team has tested.

    Why it hurts: what FP8 does changes from release to release.

    Example: accelerate 1.14.0.

    Write instead: accelerate 1.15.0.
    """
    version = packages.get("accelerate")
    if version not in (None, "1.15.0"):
        yield Found(f"accelerate {version} is not the tested one", help="install accelerate 1.15.0")


@rule("ACME103", "context-too-long", WARNING, "https://wiki.example.com/training/acmetune")
def context_too_long(acmetune: AcmeTune) -> Iterator[Found]:
    """A context that AcmeTune's data loader cannot cut. A rule about one trainer has an input of its name.

    Why it hurts: longer documents are dropped without a word.

    Example: `context: 65536`.

    Write instead: at most 32768.
    """
    if (acmetune.sequence or 0) > 32768:
        yield Found(
            f"AcmeTune drops documents at a context of {acmetune.sequence:,}",
            place=acmetune.setting_for("sequence"),
            help="write context: 32768",
        )
