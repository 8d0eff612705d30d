"""The tables. A change here needs a migration; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# What was asked and what was answered, once for all checks that were the same; `digest` is the SHA-256 of both.
ANSWERS = Table(
    "answers",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("question", LargeBinary, nullable=False, key="check_request"),  # the name it has had from the first release
    Column("report", LargeBinary, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("findings", String(64), nullable=False),
    Column("names", String(255), nullable=False, server_default=""),  # of the files, a line each; as many as fit
)

# One row for each check that was answered. Times are milliseconds since 1970, UTC.
CHECKS = Table(
    "checks",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("created_ms", BigInteger, nullable=False, index=True),
    Column("caller", String(64), nullable=False),
    Column("share", String(64), nullable=False),  # the SHA-256 of the secret, which nobody but the caller has
    Column("digest", String(64), ForeignKey("answers.digest"), nullable=False, index=True),
)

# What an instance writes to find out whether it can: one row for each, which is written over.
TRIALS = Table(
    "trials",
    METADATA,
    Column("node", String(255), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("filler", LargeBinary, nullable=False),
)

# What is compared of a node of a cluster, one row for each that reported for a job, and for each caller.
NODES = Table(
    "node_reports",
    METADATA,
    Column("job", String(64), primary_key=True),
    Column("host", String(255), primary_key=True),
    Column("caller", String(64), primary_key=True),
    Column("updated_ms", BigInteger, nullable=False, index=True),
    Column("size", Integer, nullable=False),  # of `told`, in bytes
    Column("told", LargeBinary, nullable=False),
    Index("ix_node_reports_job_size", "job", "size"),  # the room of a job is looked up with each report
)

# One row for each probe that was asked for. `state`: queued, running, done, failed, cancelled or interrupted.
JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("created_ms", BigInteger, nullable=False, index=True),
    Column("updated_ms", BigInteger, nullable=False),
    Column("node", String(255), nullable=False),
    Column("caller", String(64), nullable=False),
    Column("idempotency_key", String(255), nullable=True),
    Column("request_digest", String(64), nullable=False),
    Column("question", LargeBinary, nullable=False, key="check_request"),  # the name it has had from the first release
    Column("state", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("check_id", String(32), nullable=True),
    UniqueConstraint("caller", "idempotency_key"),
    Index("ix_jobs_node_state", "node", "state"),
)
