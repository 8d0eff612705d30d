"""Of share secrets only the hash is kept, and each instance can try whether it may write."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "002"
down_revision = "001"
branch_labels = None
depends_on = None

_AT_ONCE = 1000
_CHECKS = sa.table("checks", sa.column("id", sa.String), sa.column("share", sa.String))


def upgrade() -> None:
    """Hash the secrets that stand there in plain text: links that were passed on still open."""
    # On SQLite, an upgrade that was ended in its midst left this behind before migrations were one transaction.
    op.execute("DROP TABLE IF EXISTS _alembic_tmp_checks")
    with op.batch_alter_table("checks") as checks:
        checks.alter_column("share", existing_type=sa.String(32), type_=sa.String(64), existing_nullable=False)
    connection = op.get_bind()
    after = ""
    some = sa.select(_CHECKS.c.id, _CHECKS.c.share).order_by(_CHECKS.c.id).limit(_AT_ONCE)
    while rows := connection.execute(some.where(_CHECKS.c.id > after)).all():
        hashed = sa.update(_CHECKS).where(_CHECKS.c.id == sa.bindparam("one")).values(share=sa.bindparam("digest"))
        connection.execute(hashed, [{"one": row.id, "digest": _digest(row.share)} for row in rows])
        after = rows[-1].id
    op.create_table(
        "trials",
        sa.Column("node", sa.String(255), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("filler", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("node", name="pk_trials"),
    )


def downgrade() -> None:
    """A hash cannot be taken back: links that were passed on do not open any more."""
    op.drop_table("trials")
    connection = op.get_bind()
    connection.execute(sa.update(_CHECKS).values(share=sa.func.substr(_CHECKS.c.share, 1, 32)))
    with op.batch_alter_table("checks") as checks:
        checks.alter_column("share", existing_type=sa.String(64), type_=sa.String(32), existing_nullable=False)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
