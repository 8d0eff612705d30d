"""Reports of the nodes of a cluster."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "004"
down_revision = "003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "node_reports",
        sa.Column("job", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("told", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("job", "host", "caller", name="pk_node_reports"),
    )
    op.create_index("ix_node_reports_updated_ms", "node_reports", ["updated_ms"])


def downgrade() -> None:
    """What nodes told is lost."""
    op.drop_table("node_reports")
