"""The report as OpenAPI shows it: schema fp8check/report/1. Only a description: reports are made by rules/report."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel


class File(BaseModel):
    """A file of the run, and what it is."""

    path: str
    kind: Literal["training", "accelerate", "deepspeed", "model", "script", "other"]
    dialect: str | None


class Related(BaseModel):
    """A second place that a finding speaks of."""

    file: str | None
    line: int | None
    column: int | None
    end_line: int | None
    end_column: int | None
    message: str


class Finding(BaseModel):
    """One finding; lines and columns count from 1, the end is exclusive."""

    rule: str
    name: str
    severity: Literal["error", "warning", "info"]
    message: str
    file: str | None
    line: int | None
    column: int | None
    end_line: int | None
    end_column: int | None
    pointer: str | None
    label: str
    related: list[Related]
    notes: list[str]
    help: str
    fix: dict[str, Any] | None
    url: str
    fingerprint: str
    state: Literal["new", "unchanged"] | None


class Undecided(BaseModel):
    """A rule that could not be decided, what it needs, and the command that gets it."""

    rule: str
    needs: str
    command: str


class InternalError(BaseModel):
    """A rule that failed: it said nothing, which is no pass."""

    rule: str
    error: str


class Report(BaseModel):
    """What is said of one run. What `outcome` holds is in docs/service.md."""

    schema_: Literal["fp8check/report/1"]
    verdict: Literal["fail", "warn", "pass", "undecided"]
    files: list[File]
    summary: dict[str, str]
    outcome: dict[str, Any]
    findings: list[Finding]
    undecided: list[Undecided]
    suppressed: list[dict[str, Any]]
    baseline: dict[str, Any] | None
    internal_errors: list[InternalError]
    probe: dict[str, Any] | None
    facts: dict[str, Any]
    versions: dict[str, str]

    model_config = {"alias_generator": lambda name: "schema" if name == "schema_" else name}
