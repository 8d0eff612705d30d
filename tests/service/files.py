"""Files for the tests."""

from __future__ import annotations

import json
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "llamafactory-qwen2.5-7b"
TRAINING = (EXAMPLE / "train.yaml").read_text()
ACCELERATE = (EXAMPLE / "accelerate.yaml").read_text()
FACTS = json.loads((EXAMPLE / "facts.json").read_text())
BODY = {"training": TRAINING, "accelerate": ACCELERATE, "facts": FACTS}
