"""A launch command, taken apart: by a launcher itself, or by a trainer's own command."""

from __future__ import annotations

from fp8check.rules.settings import launch as settings
from fp8check.rules.trainers.registry import of_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.trainers.training import Training


def parse(command: str, trainer: type[Training] | None = None) -> Launch:
    """How a command starts a run: "accelerate launch --config_file a.yaml train.py cfg.yaml", or a tool's bare name.

    Args:
        trainer: one that an installed package brings, whose programs count, too.

    Raises:
        LaunchError: unbalanced quotes, or a program that starts no training that is known here.
    """
    variables, (first, *words) = settings.split(command)
    program = first.rsplit("/", 1)[-1]
    own = trainer if trainer is not None and program in trainer.programs else of_program(program)
    launch = settings.started_by(program, words) if own is None else own.launch(program, words)
    return launch._replace(variables=variables)
