"""A person that FREG names in its list but does not answer about is asked about once a day.

Revision ID: 0010
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: the record of reported people would be lost."""
    raise NotImplementedError("restore a backup instead")
