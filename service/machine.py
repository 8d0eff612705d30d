"""What is known of the machine that the service runs on, gathered once in a while and never during a request."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from fp8check.rules import facts as machine

if TYPE_CHECKING:
    from pydantic import JsonValue

    from fp8check.rules.facts import Facts
    from fp8check.service.settings import Settings


class OwnMachine:
    """The facts of this machine. `generation` changes when they do."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.own_environment
        self._python = settings.training_python
        self._keep_s = settings.own_environment_s
        self._lock = threading.Lock()
        self._facts = machine.Facts()
        self._dumped = ""
        self._until = 0.0
        self.generation = 0

    @property
    def facts(self) -> Facts:
        """What was learned last; nothing where the settings say that another machine trains."""
        return self._facts

    @property
    def is_stale(self) -> bool:
        """Whether it is time to look again."""
        return self._wanted and time.monotonic() >= self._until

    @property
    def dumped(self) -> str:
        """The facts as facts.json."""
        return self._dumped or machine.dump(self._facts)

    def look(self) -> None:
        """Look at this machine again, where it is time. Takes a tenth of a second; starts no GPU work.

        Raises:
            BadInterpreter: FP8CHECK_TRAINING_PYTHON is not an interpreter that answers.
        """
        with self._lock:
            if not self.is_stale:
                return
            facts = machine.collect_for_run(self._python)
            dumped = machine.dump(facts)
            self._until = time.monotonic() + self._keep_s
            if dumped != self._dumped:
                self._facts, self._dumped = facts, dumped
                self.generation += 1

    def as_data(self) -> dict[str, JsonValue]:
        """The facts as facts.json has them."""
        data: dict[str, JsonValue] = json.loads(machine.dump(self._facts))
        return data
