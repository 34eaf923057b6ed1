"""The page of all runs tells who answered.

Revision ID: 0027
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: a backup has the rights of its time."""
    raise NotImplementedError("restore a backup instead")
