"""Credentials in the variables of a shell script: found where they are written."""

from __future__ import annotations

import pytest

from fp8check.rules.reading import Document
from fp8check.rules.reading.read import read
from fp8check.rules.report.masking import masked_text
from fp8check.rules.report.shell_secrets import values


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("TOKEN=abcdefgh1\n", ["abcdefgh1"]),
        ("export MY_TOKEN='abc def1' A=b; C=d\n", ["abc def1"]),
        ('if x; then API_TOKEN+="abcdefgh1" run; fi\n', ["abcdefgh1"]),
        ("TOKEN=$OTHER; TOKEN=; TOKEN=$(cat f)\n", []),
        ("A=1; --token=abcdefgh1\n", []),
        ("T=(TOKEN=abcdefgh1)\n", []),
    ],
)
def test_variables_whose_names_say_so(text: str, secrets: list[str]) -> None:
    document = read("run.sh", text.encode())
    assert [text[start:end] for start, end in values(document)] == secrets
    masked = masked_text(document)
    assert len(masked) == len(text)
    assert not any(secret in masked for secret in secrets)


def test_another_file_has_none() -> None:
    assert values(Document("a.yaml", "TOKEN=abcdefgh1", "yaml", None, loader="pyyaml")) == ()
