"""What came of each run, for the page of all kommuner.

Revision ID: 0022
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: what came of the runs would be lost."""
    raise NotImplementedError("restore a backup instead")
