"""A person's history is found by an index.

Revision ID: 0018
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse, as every migration here does."""
    raise NotImplementedError("restore a backup instead")
