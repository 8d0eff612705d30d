"""Write the schemas into a folder: `make docs`.

python -m tests.tools.schemas docs/schemas
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fp8check.cli.schema import SCHEMAS, made


def main() -> None:
    """Write one file a schema."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for name in SCHEMAS:
        text = json.dumps(made(name), indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
