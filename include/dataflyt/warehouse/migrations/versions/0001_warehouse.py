"""The whole warehouse: control, history, golden; row-level security.

Revision ID: 0001
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the statements beside this file."""
    # Straight to the driver without parameters, so that it looks for no placeholder in the text.
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: history is never thrown away by a tool."""
    raise NotImplementedError("restore a backup instead")
