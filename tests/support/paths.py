"""Where things stand in the repository."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
CASES = TESTS / "catalog" / "cases"
DOCS = ROOT / "docs"
EVIDENCE = DOCS / "evidence"
EXAMPLE = ROOT / "examples" / "llamafactory-qwen2.5-7b"
SHARED = ROOT.parent / "shared"
CORPUS = SHARED / "corpus"
