"""Publications know which access had ended, and which of their files are gone.

Revision ID: 0030
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse, as every migration here does."""
    raise NotImplementedError("restore a backup instead")
