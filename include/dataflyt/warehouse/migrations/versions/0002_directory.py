"""The kommune's present directory, as imported: the bearer of each name, and every name that has ever been there.

Revision ID: 0002
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: a forgotten name could be given to another person."""
    raise NotImplementedError("restore a backup instead")
