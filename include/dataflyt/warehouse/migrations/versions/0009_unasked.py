"""A person that FREG cannot be asked about is not published without a decision.

Revision ID: 0009
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: decisions would be lost."""
    raise NotImplementedError("restore a backup instead")
