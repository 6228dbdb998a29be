"""The ledger: deployments, their apps, objects, releases, blobs, events, locks and closings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _blobs() -> None:
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("codec", sa.String(length=40), nullable=False),
        sa.Column("key_id", sa.String(length=16), server_default="", nullable=False),
        sa.Column("size", sa.Integer(), server_default="0", nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_blobs")),
    )


def _closings() -> None:
    op.create_table(
        "closings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cluster_uid", sa.Text(), server_default="", nullable=False),
        sa.Column("project", sa.Text(), server_default="", nullable=False),
        sa.Column("sequence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("kind", sa.String(length=20), server_default="", nullable=False),
        sa.Column("deployment_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("status", sa.String(length=20), server_default="", nullable=False),
        sa.Column("closed_at", sa.String(length=27), nullable=False),
        sa.Column("content_digest", sa.String(length=64), server_default="", nullable=False),
        sa.Column("previous", sa.String(length=64), server_default="", nullable=False),
        sa.Column("hash", sa.String(length=64), server_default="", nullable=False),
        sa.Column("key_id", sa.String(length=16), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closings")),
        sa.UniqueConstraint(
            "cluster_uid", "project", "sequence", name=op.f("uq_closings_cluster_uid_project_sequence")
        ),
    )
    op.create_index(op.f("ix_closings_deployment_id"), "closings", ["deployment_id"], unique=False)


def _deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deployment_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("ended_at", sa.String(length=27), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("purpose", sa.String(length=40), server_default="", nullable=False),
        sa.Column("command", sa.Text(), server_default="", nullable=False),
        sa.Column("command_args", sa.Text(), nullable=True),
        sa.Column("project", sa.Text(), server_default="", nullable=False),
        sa.Column("cluster", sa.Text(), server_default="", nullable=False),
        sa.Column("cluster_uid", sa.Text(), server_default="", nullable=False),
        sa.Column("context", sa.Text(), server_default="", nullable=False),
        sa.Column("namespace", sa.Text(), server_default="", nullable=False),
        sa.Column("app_config_dir", sa.Text(), server_default="", nullable=False),
        sa.Column("config_file_path", sa.Text(), server_default="", nullable=False),
        sa.Column("config_blob", sa.String(length=80), nullable=True),
        sa.Column("sources_blob", sa.String(length=80), nullable=True),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("sbkube_version", sa.Text(), nullable=True),
        sa.Column("operator", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("kubernetes_user", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("parent", sa.String(length=64), nullable=True),
        sa.Column("plan_blob", sa.String(length=80), nullable=True),
        sa.Column("plan_digest", sa.String(length=80), server_default="", nullable=False),
        sa.Column("counts", sa.Text(), nullable=True),
        sa.Column("lock_token", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("deployment_id", name=op.f("uq_deployments_deployment_id")),
    )
    op.create_index(
        op.f("ix_deployments_cluster_uid_project_namespace_id"),
        "deployments",
        ["cluster_uid", "project", "namespace", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_deployments_created_at"), "deployments", ["created_at"], unique=False)
    op.create_index(op.f("ix_deployments_status"), "deployments", ["status"], unique=False)


def _locks() -> None:
    op.create_table(
        "locks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project", sa.Text(), server_default="", nullable=False),
        sa.Column("cluster_uid", sa.Text(), server_default="", nullable=False),
        sa.Column("namespace", sa.Text(), server_default="", nullable=False),
        sa.Column("holder", sa.Text(), server_default="", nullable=False),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("host_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("pid", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pid_started", sa.Text(), server_default="", nullable=False),
        sa.Column("command", sa.Text(), server_default="", nullable=False),
        sa.Column("acquired_at", sa.String(length=27), nullable=True),
        sa.Column("expires_at", sa.String(length=27), nullable=True),
        sa.Column("token", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_locks")),
        sa.UniqueConstraint(
            "project", "cluster_uid", "namespace", name=op.f("uq_locks_project_cluster_uid_namespace")
        ),
    )


def _app_deployments() -> None:
    op.create_table(
        "app_deployments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deployment_id", sa.Integer(), nullable=False),
        sa.Column("app_name", sa.Text(), server_default="", nullable=False),
        sa.Column("app_type", sa.String(length=40), server_default="", nullable=False),
        sa.Column("namespace", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("spec_blob", sa.String(length=80), nullable=True),
        sa.Column("sources", sa.Text(), nullable=True),
        sa.Column("started_at", sa.String(length=27), nullable=True),
        sa.Column("ended_at", sa.String(length=27), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("rollback_info", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
            name=op.f("fk_app_deployments_deployment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_deployments")),
    )
    op.create_index(op.f("ix_app_deployments_app_name"), "app_deployments", ["app_name"], unique=False)
    op.create_index(op.f("ix_app_deployments_deployment_id"), "app_deployments", ["deployment_id"], unique=False)


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deployment_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("kind", sa.String(length=40), server_default="", nullable=False),
        sa.Column("app_name", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("detail_blob", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_events_deployment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_deployment_id"), "events", ["deployment_id"], unique=False)


def _deployed_resources() -> None:
    op.create_table(
        "deployed_resources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deployment_id", sa.Integer(), nullable=False),
        sa.Column("app_deployment_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("operation", sa.Text(), server_default="", nullable=False),
        sa.Column("api_group", sa.Text(), server_default="", nullable=False),
        sa.Column("api_version", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("namespace", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("verb", sa.String(length=20), server_default="", nullable=False),
        sa.Column("state", sa.String(length=20), server_default="", nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("intent_blob", sa.String(length=80), nullable=True),
        sa.Column("before_blob", sa.String(length=80), nullable=True),
        sa.Column("after_blob", sa.String(length=80), nullable=True),
        sa.Column("intent_digest", sa.String(length=64), server_default="", nullable=False),
        sa.Column("image_digest", sa.String(length=64), server_default="", nullable=False),
        sa.Column("uid", sa.Text(), server_default="", nullable=False),
        sa.Column("resource_version_before", sa.Text(), server_default="", nullable=False),
        sa.Column("resource_version_after", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("source_file", sa.Text(), server_default="", nullable=False),
        sa.Column("source_line", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.String(length=27), nullable=True),
        sa.Column("ended_at", sa.String(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["app_deployment_id"],
            ["app_deployments.id"],
            name=op.f("fk_deployed_resources_app_deployment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
            name=op.f("fk_deployed_resources_deployment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployed_resources")),
    )
    op.create_index(
        op.f("ix_deployed_resources_app_deployment_id"), "deployed_resources", ["app_deployment_id"], unique=False
    )
    op.create_index(
        op.f("ix_deployed_resources_deployment_id_operation"),
        "deployed_resources",
        ["deployment_id", "operation"],
        unique=False,
    )
    op.create_index(
        op.f("ix_deployed_resources_kind_name_namespace"),
        "deployed_resources",
        ["kind", "name", "namespace"],
        unique=False,
    )


def _helm_releases() -> None:
    op.create_table(
        "helm_releases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deployment_id", sa.Integer(), nullable=False),
        sa.Column("app_deployment_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("operation", sa.Text(), server_default="", nullable=False),
        sa.Column("release_name", sa.Text(), server_default="", nullable=False),
        sa.Column("namespace", sa.Text(), server_default="", nullable=False),
        sa.Column("verb", sa.String(length=20), server_default="", nullable=False),
        sa.Column("state", sa.String(length=20), server_default="", nullable=False),
        sa.Column("status", sa.String(length=40), server_default="", nullable=False),
        sa.Column("chart", sa.Text(), server_default="", nullable=False),
        sa.Column("chart_version", sa.Text(), server_default="", nullable=False),
        sa.Column("app_version", sa.Text(), server_default="", nullable=False),
        sa.Column("chart_digest", sa.String(length=80), server_default="", nullable=False),
        sa.Column("values_digest", sa.String(length=64), server_default="", nullable=False),
        sa.Column("manifest_digest", sa.String(length=64), server_default="", nullable=False),
        sa.Column("values_blob", sa.String(length=80), nullable=True),
        sa.Column("before_blob", sa.String(length=80), nullable=True),
        sa.Column("after_blob", sa.String(length=80), nullable=True),
        sa.Column("revision_before", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revision_after", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.String(length=27), nullable=True),
        sa.Column("ended_at", sa.String(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["app_deployment_id"],
            ["app_deployments.id"],
            name=op.f("fk_helm_releases_app_deployment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_helm_releases_deployment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_helm_releases")),
    )
    op.create_index(
        op.f("ix_helm_releases_app_deployment_id"), "helm_releases", ["app_deployment_id"], unique=False
    )
    op.create_index(
        op.f("ix_helm_releases_deployment_id_operation"),
        "helm_releases",
        ["deployment_id", "operation"],
        unique=False,
    )
    op.create_index(
        op.f("ix_helm_releases_namespace_release_name"),
        "helm_releases",
        ["namespace", "release_name"],
        unique=False,
    )


def upgrade() -> None:
    """Forward only: a database goes back by its backup copy."""
    _blobs()
    _closings()
    _deployments()
    _locks()
    _app_deployments()
    _events()
    _deployed_resources()
    _helm_releases()
