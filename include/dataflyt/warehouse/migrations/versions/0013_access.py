"""Decisions about access: grants, consents, blocks, suspensions.

Revision ID: 0013
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: decisions would be lost."""
    raise NotImplementedError("restore a backup instead")
