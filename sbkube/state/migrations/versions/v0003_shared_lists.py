"""Plans may name a list of objects that they share, and contents may be compressed with a dictionary: no table
shows that, but an sbkube that cannot read it must refuse the database. An index that no query used is dropped.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Forward only: a database goes back by its backup copy."""
    op.drop_index(op.f("ix_closings_hash"), "closings")
