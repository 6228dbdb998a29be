"""From rows to the frozen values that may leave this folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbkube.models.deployment_state import (
    AppDeploymentRecord,
    DeploymentRecord,
    DeploymentStatus,
    EventRecord,
    HelmReleaseRecord,
    LockInfo,
    LockTarget,
    ResourceRecord,
)
from sbkube.models.outcome import OpState
from sbkube.models.resource import ResourceKey

Row = Any
Values = Mapping[str, Any]


def deployment_record(
    row: Row, values: Values, rolled_back_by: str = "", resumed_by: str = ""
) -> DeploymentRecord:
    """A row of `deployments`; `values` has the blobs by name. What came of it since is told by later rows."""
    return DeploymentRecord(
        id=row.id,
        deployment_id=row.deployment_id,
        status=DeploymentStatus(row.status),
        created_at=row.created_at,
        cluster=row.cluster,
        namespace=row.namespace,
        app_config_dir=row.app_config_dir,
        config_file_path=row.config_file_path,
        command=row.command,
        config_snapshot=values.get(row.config_blob) or {},
        command_args=row.command_args,
        sources_snapshot=values.get(row.sources_blob),
        dry_run=bool(row.dry_run),
        sbkube_version=row.sbkube_version,
        operator=row.operator,
        parent=row.parent,
        error_message=row.error_message,
        project=row.project,
        cluster_uid=row.cluster_uid,
        context=row.context,
        host=row.host,
        kubernetes_user=row.kubernetes_user,
        origin=row.origin or {},
        ended_at=row.ended_at,
        plan_digest=row.plan_digest or row.plan_blob or "",  # earlier versions kept it twice
        counts=row.counts or {},
        rolled_back_by=rolled_back_by,
        resumed_by=resumed_by,
    )


def app_record(row: Row, values: Values) -> AppDeploymentRecord:
    """A row of `app_deployments`."""
    return AppDeploymentRecord(
        id=row.id,
        app_name=row.app_name,
        app_type=row.app_type,
        namespace=row.namespace,
        status=DeploymentStatus(row.status),
        spec=values.get(row.spec_blob) or {},
        sources=row.sources or {},
        started_at=row.started_at,
        ended_at=row.ended_at,
        error_message=row.error_message,
        rollback_info=row.rollback_info,
    )


def resource_key(row: Row) -> ResourceKey:
    """The identity of a row of `deployed_resources`."""
    return ResourceKey(row.api_group, row.api_version, row.kind, row.namespace, row.name)


def resource_record(row: Row, app_name: str, values: Values) -> ResourceRecord:
    """A row of `deployed_resources`; an image whose blob is not among `values` cannot be decrypted here."""
    blobs = (row.intent_blob, row.before_blob, row.after_blob)
    return ResourceRecord(
        id=row.id,
        app_name=app_name,
        operation=row.operation,
        key=resource_key(row),
        verb=row.verb,
        state=OpState(row.state),
        position=row.position,
        intent=values.get(row.intent_blob),
        before=values.get(row.before_blob),
        after=values.get(row.after_blob),
        missing_key=any(name is not None and name not in values for name in blobs),
        uid=row.uid,
        resource_version_before=row.resource_version_before,
        resource_version_after=row.resource_version_after,
        checksum=row.image_digest,
        reason=row.reason,
        message=row.message,
        source_file=row.source_file,
        source_line=row.source_line,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def release_record(row: Row, app_name: str) -> HelmReleaseRecord:
    """A row of `helm_releases`."""
    copied = (
        "id operation release_name namespace chart chart_version verb status app_version chart_digest "
        "values_digest manifest_digest revision_before revision_after reason message started_at ended_at"
    )
    fields = {name: getattr(row, name) for name in copied.split()}
    return HelmReleaseRecord(app_name=app_name, state=OpState(row.state), **fields)


def event_record(row: Row, values: Values) -> EventRecord:
    """A row of `events`."""
    detail = values.get(row.detail_blob) or ""
    return EventRecord(row.id, row.created_at, row.kind, row.app_name, row.subject, row.message, detail)


def lock_info(row: Row) -> LockInfo:
    """A row of `locks` that is held."""
    return LockInfo(
        target=LockTarget(row.project, row.cluster_uid, row.namespace),
        holder=row.holder,
        host=row.host,
        pid=row.pid,
        command=row.command,
        acquired=row.acquired_at,
        expires=row.expires_at,
        token=row.token,
    )
