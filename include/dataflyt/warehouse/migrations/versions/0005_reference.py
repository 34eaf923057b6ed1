"""Schools, subject codes and kommuner, as NSR, Grep and Klass have them: one copy for all.

Revision ID: 0005
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: a repeated run would not find the rows of its own time."""
    raise NotImplementedError("restore a backup instead")
