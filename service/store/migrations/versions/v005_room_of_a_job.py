"""How much room the reports of a job take is looked up without reading them."""

from __future__ import annotations

from alembic import op

revision = "005"
down_revision = "004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_node_reports_job_size", "node_reports", ["job", "size"])


def downgrade() -> None:
    """Nothing is lost."""
    op.drop_index("ix_node_reports_job_size", "node_reports")
