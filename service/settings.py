"""The settings of the service: variables FP8CHECK_..., with their meaning, bounds and defaults. docs/service.md is
made from this file."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "FP8CHECK_"
KIB = 1024
MIB = 1024 * KIB


class Settings(BaseSettings):
    """What an operator can set. Everything has a default that is safe on a laptop."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    database: SecretStr = Field(
        default=SecretStr("sqlite:///fp8check.db"),
        description="Where checks are stored, as an SQLAlchemy URL: a file of SQLite, or "
        "`postgresql+psycopg://user:password@host/name`.",
    )
    sqlite_synchronous: Literal["FULL", "NORMAL"] = Field(
        default="FULL",
        description="FULL: what was answered survives a power failure. NORMAL: it survives a crash of the service, "
        "and the last moments before a power failure may be lost.",
    )
    keep_days: int = Field(default=90, ge=1, description="Stored checks older than this are deleted.")
    keep_checks: int = Field(
        default=100_000, ge=1, description="Of the stored checks, no more than this many are kept: the newest."
    )

    tokens_file: Path | None = Field(
        default=None,
        description="The tokens that are accepted, one a line as `fp8check serve --new-token` prints them. Without "
        "it, only callers on this machine are served.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Names that this service is reached by, separated by commas; requests to another Host are refused. "
        "Empty: any name where tokens are required, and this machine's own names where they are not.",
    )
    share_links: bool = Field(
        default=True, description="Whether a stored check has a link that opens it without a token, to be passed on."
    )

    body_limit: int = Field(default=2 * MIB, ge=KIB, description="The largest body, in bytes as they arrive.")
    body_timeout_s: float = Field(default=10, gt=0, description="By when a body has to have arrived whole.")
    header_timeout_s: float = Field(default=10, gt=0, description="By when the head of a request has to have arrived.")
    send_timeout_s: float = Field(
        default=30, gt=0, description="When a client is hung up on that does not read its answer."
    )
    uploads_bytes: int = Field(
        default=64 * MIB,
        ge=0,
        description="Memory for the bodies that are there at a time, beyond 64 KiB of each; so small ones always get "
        "through. Where it is taken the answer is 503.",
    )
    check_timeout_s: float = Field(
        default=5, gt=0, description="By when a check in a process of its own is ended: nothing was decided, 422."
    )
    check_wait_s: float = Field(
        default=0.7, gt=0, description="How long a check may wait for its turn; then the answer is 503."
    )
    check_queue: int = Field(
        default=1000, ge=0, description="How many checks may wait at a time; the next is answered with 503."
    )
    inline_limit: int = Field(
        default=8 * KIB,
        ge=0,
        description="Files up to this many bytes in all are checked at once; larger ones in a process of their own, "
        "which can be ended.",
    )
    check_processes: int = Field(
        default=2, ge=1, description="How many such processes there are. One does no body of more than 256 KiB."
    )
    check_helpers: int = Field(
        default_factory=lambda: max(0, min(4, (os.cpu_count() or 1) - 1)),
        ge=0,
        description="How many more processes do smaller files where many come at a time; they start then. Default: "
        "one for each core but one, and 4 at most.",
    )
    cache_bytes: int = Field(
        default=32 * MIB,
        ge=0,
        description="Memory for answers that may be asked again: CI often sends what it sent before.",
    )

    own_environment: bool = Field(
        default=True,
        description="Whether a check without facts is about this machine. Say false where another machine trains: "
        "such checks then have no facts, and say what they cannot decide.",
    )
    training_python: str | None = Field(
        default=None, description="The interpreter of this machine that trains; the service's own where it is not set."
    )
    own_environment_s: float = Field(default=300, gt=0, description="How long what is known of this machine is kept.")

    probe: bool = Field(default=True, description="Whether probes may be asked for.")
    probe_runner: str = Field(
        default="fp8check.service.probing:run", description="What runs a probe, as module:function. For tests."
    )
    probe_slots: int = Field(
        default=0,
        ge=0,
        description="How many probes run at a time; 0: one for each GPU of this machine, and at least one.",
    )
    probe_queue: int = Field(default=8, ge=0, description="How many probes may wait; the next is answered with 503.")
    probe_timeout_s: float = Field(default=180, gt=0, description="When a probe is ended.")
    listeners: int = Field(
        default=100,
        ge=0,
        description="How many may listen to events of probes, or wait for one with `Prefer: wait=`. The next listener "
        "gets 503; who would wait gets the job's address instead.",
    )
    wait_limit_s: float = Field(default=60, gt=0, description="The longest that `Prefer: wait=` makes an answer wait.")
    node: str = Field(
        default_factory=socket.gethostname,
        description="The name of this instance, where several share a database: each looks after its own jobs. "
        "Default: the host's name.",
    )

    metrics: bool = Field(default=True, description="Whether /metrics is there.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )
    log_format: Literal["json", "text"] = Field(default="json", description="Logs for programs or for people.")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def variables() -> tuple[str, ...]:
    """The names of all variables that set something."""
    return tuple(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)


def markdown() -> str:
    """The table of settings, as docs/service.md has it."""
    rows = [f"| `{PREFIX}{name.upper()}` | {_default(name)} | {Settings.model_fields[name].description} |"
            for name in Settings.model_fields]  # fmt: skip
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return ""
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    if value is None or value == ():
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
