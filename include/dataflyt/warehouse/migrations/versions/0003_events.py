"""Events: the keyed hashes that each owner holds, the place in FREG's event list, and the people still to ask about.

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
    """Refuse: the waiting people would be forgotten."""
    raise NotImplementedError("restore a backup instead")
