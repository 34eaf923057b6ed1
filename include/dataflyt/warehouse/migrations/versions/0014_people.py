"""Decisions about people: overrides, links, people registered by hand.

Revision ID: 0014
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: decisions would be lost."""
    raise NotImplementedError("restore a backup instead")
