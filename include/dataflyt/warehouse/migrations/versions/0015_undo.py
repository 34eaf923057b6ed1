"""A released run can be undone by two people.

Revision ID: 0015
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: the record of it would be lost."""
    raise NotImplementedError("restore a backup instead")
