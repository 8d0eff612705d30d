"""Where the real stack would raise, and where a prediction cannot be made."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.settings.values import Setting


class PredictedError(Exception):
    """The run ends here with an exception of the real stack.

    Attributes:
        stage: launch, arguments, trainer, accelerator, prepare or step.
        type: the exception's class name.
        message: its text, as the package writes it.
        because: the settings that lead to it.
    """

    def __init__(self, stage: str, type_: str, message: str, because: tuple[Setting | None, ...] = ()) -> None:
        super().__init__(f"{type_} at {stage}: {message}")
        self.stage = stage
        self.type = type_
        self.message = message
        self.because = tuple(setting for setting in because if setting is not None)


class Undecided(Exception):
    """What happens next depends on something that is not known.

    Attributes:
        what: the thing that is missing, for people.
        needs: the kind of facts that would decide it (packages, gpus, ...).
    """

    def __init__(self, what: str, needs: str) -> None:
        super().__init__(what)
        self.what = what
        self.needs = needs
