"""Published files are delivered to recipients.

Revision ID: 0024
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: what lies with the recipients would be lost."""
    raise NotImplementedError("restore a backup instead")
