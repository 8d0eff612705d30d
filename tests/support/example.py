"""Files for the tests."""

from __future__ import annotations

import json

from tests.support.paths import EXAMPLE

TRAINING = (EXAMPLE / "train.yaml").read_text()
ACCELERATE = (EXAMPLE / "accelerate.yaml").read_text()
FACTS = json.loads((EXAMPLE / "facts.json").read_text())
BODY = {"training": TRAINING, "accelerate": ACCELERATE, "facts": FACTS}
