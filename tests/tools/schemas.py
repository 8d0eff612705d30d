"""Write the schemas into a folder: `make docs`.

python -m tests.tools.schemas docs/schemas
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fp8check.cli.schema import ADDRESS, SCHEMAS, schema_of

# What is written by hand, and so by an editor: its name, what it is, and the files that it is of.
WRITTEN_BY_HAND = {
    "accelerate": (
        "Hugging Face Accelerate",
        "What accelerate launch --config_file takes, with the FP8 keys that are really read",
        ["**/accelerate/default_config.yaml", "accelerate*.yaml", "accel.yaml"],
    ),
    "config": ("fp8check", "The configuration of fp8check", ["fp8check.toml"]),
}


def catalog() -> dict[str, object]:
    """What SchemaStore has of each schema, and editors take as a catalog of their own."""
    entries = [
        {"name": title, "description": about, "fileMatch": files, "url": f"{ADDRESS}{name}.json"}
        for name, (title, about, files) in WRITTEN_BY_HAND.items()
    ]
    return {"$schema": "https://json.schemastore.org/schema-catalog.json", "version": 1, "schemas": entries}


def main() -> None:
    """Write one file a schema."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for name in SCHEMAS:
        text = json.dumps(schema_of(name), indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    (folder / "catalog.json").write_text(json.dumps(catalog(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
