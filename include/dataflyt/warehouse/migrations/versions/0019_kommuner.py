"""Kommuner change realm, merge and split.

Revision ID: 0019
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: what was taken over would be lost."""
    raise NotImplementedError("restore a backup instead")
