"""The outcome of every check is kept per run.

Revision ID: 0017
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: the outcomes would be lost."""
    raise NotImplementedError("restore a backup instead")
