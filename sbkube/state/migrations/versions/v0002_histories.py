"""Closings of several databases beside each other: a sequence number is no key any more, the hash is.

The migration of rows is `closings.reseal_earlier`: it needs the state key.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Forward only: a database goes back by its backup copy."""
    with op.batch_alter_table("closings") as batch:
        batch.drop_constraint("uq_closings_cluster_uid_project_sequence", type_="unique")
    op.create_index(
        op.f("ix_closings_cluster_uid_project_sequence"), "closings", ["cluster_uid", "project", "sequence"]
    )
    op.create_index(op.f("ix_closings_hash"), "closings", ["hash"])
