"""A table and a column get names that need not be guessed.

Revision ID: 0011
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: a version before this one reads the old name."""
    raise NotImplementedError("restore a backup instead")
