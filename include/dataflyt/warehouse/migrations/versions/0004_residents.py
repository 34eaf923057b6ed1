"""Children who live here and are not pupils, and unknown fields of FREG.

Revision ID: 0004
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: history is never thrown away."""
    raise NotImplementedError("restore a backup instead")
