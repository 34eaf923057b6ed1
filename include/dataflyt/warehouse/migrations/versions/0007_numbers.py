"""Vetoes and decisions are numbered within each kommune, and the manifest no longer has the size of the files.

Revision ID: 0007
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: numbers would be given twice."""
    raise NotImplementedError("restore a backup instead")
