"""Protections follow the person, and a publication knows the state that it was written from.

Revision ID: 0006
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: a protection would be lost."""
    raise NotImplementedError("restore a backup instead")
