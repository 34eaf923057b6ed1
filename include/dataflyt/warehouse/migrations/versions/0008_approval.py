"""Answers are kept in the warehouse, and a decision takes two people.

Revision ID: 0008
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: answers would be lost."""
    raise NotImplementedError("restore a backup instead")
