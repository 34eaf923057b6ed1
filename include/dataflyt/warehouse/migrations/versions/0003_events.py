"""Events: who holds whom by keyed hash, how far FREG's event list is read, and whom an owner has yet to ask about.

Revision ID: 0003
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: what is waiting would be forgotten."""
    raise NotImplementedError("restore a backup instead")
