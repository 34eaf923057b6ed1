"""A run lets a recipient have an export, and what lies at a place may be unknown.

Revision ID: 0026
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: who may have contact details would be lost."""
    raise NotImplementedError("restore a backup instead")
