"""What a Dockerfile says of the image: the instructions of its last stage."""

from __future__ import annotations

from tests.support.paths import ROOT


def last(name: str) -> dict[str, str]:
    """Each instruction of the last stage, the last of its kind, continued lines joined."""
    text = "\n".join(line for line in (ROOT / "docker" / name).read_text().splitlines() if not line.startswith("#"))
    lines = [line.split(None, 1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    begin = max(number for number, line in enumerate(lines) if line[0] == "FROM")
    return {word: rest.strip() for word, rest in lines[begin:]}
