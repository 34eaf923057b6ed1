"""Numbers of decisions that do not let people count, and who a renaming holds back.

Revision ID: 0021
"""

from pathlib import Path

from alembic import op

from dataflyt.storage.database import driver

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run the statements beside this file."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """Refuse: numbers in a row again would let people count."""
    raise NotImplementedError("restore a backup instead")
