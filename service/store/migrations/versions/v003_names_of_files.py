"""A list of checks names their files without reading what was asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "003"
down_revision = "002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of what was stored before, and by an older instance beside this one, no names are kept."""
    op.add_column("answers", sa.Column("names", sa.String(255), nullable=False, server_default=""))


def downgrade() -> None:
    """Without names."""
    op.drop_column("answers", "names")  # in place: a table made anew would be missed by the checks that refer to it
