"""Positions and memberships have PIFU's roles and subroles.

Revision ID: 0029
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse, as every migration here does."""
    raise NotImplementedError("restore a backup instead")
