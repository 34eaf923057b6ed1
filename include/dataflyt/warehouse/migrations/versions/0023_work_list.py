"""People take items of the work list.

Revision ID: 0023
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: who has taken what would be lost."""
    raise NotImplementedError("restore a backup instead")
