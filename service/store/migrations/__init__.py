"""Migrations. To add one: `alembic` is not needed; copy the newest, and change both directions."""
