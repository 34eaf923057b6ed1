"""Every look at a person and every change is kept, and a decision by two people begins as a proposal.

Revision ID: 0012
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: the audit would be lost."""
    raise NotImplementedError("restore a backup instead")
