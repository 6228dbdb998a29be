"""The values that cross the border of `sbkube.state`: frozen, complete, and never tied to a database session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from sbkube.models.outcome import OpState
from sbkube.models.resource import ResourceKey

T = TypeVar("T")
PART_OF = "part_of"  # in the origin of a deployment: the run of another project that it belongs to
RESUME = "resume"  # the command under which an interrupted deployment is gone on with


class DeploymentStatus(StrEnum):
    """Status words of deployments and of the apps in them."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILED = "failed"
    PARTIALLY_FAILED = "partially_failed"
    ROLLED_BACK = "rolled_back"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """No longer running."""
        return self not in (DeploymentStatus.PENDING, DeploymentStatus.IN_PROGRESS)


def _from_mapping(cls: type[T], data: Mapping[str, Any], what: str) -> T:
    """Build a value from a mapping; unknown fields and missing required ones raise `ValueError`."""
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    required = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    if unknown := sorted(set(data) - set(known)):
        raise ValueError(f"unknown {what} fields: {', '.join(unknown)}")
    if missing := sorted(name for name in required if data.get(name) is None):
        raise ValueError(f"missing {what} fields: {', '.join(missing)}")
    return cls(**data)


@dataclass(frozen=True, slots=True)
class DeploymentCreate:
    """What is known when a deployment begins. Times are the database's business.

    The first six fields are required; `deployment_id` (unique, up to 64 characters) is made when missing.
    `command_args`, snapshots and `origin` must already be redacted.
    """

    cluster: str
    namespace: str
    app_config_dir: str
    config_file_path: str
    command: str
    config_snapshot: Mapping[str, Any]
    deployment_id: str | None = None
    command_args: Mapping[str, Any] | None = None
    sources_snapshot: Mapping[str, Any] | None = None
    dry_run: bool = False
    sbkube_version: str | None = None
    operator: str | None = None
    parent: str | None = None
    project: str = ""
    cluster_uid: str = ""
    context: str = ""
    host: str = ""
    kubernetes_user: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> DeploymentCreate:
        """Build from a mapping; unknown fields and missing required ones raise `ValueError`."""
        return _from_mapping(cls, data, "deployment")


@dataclass(frozen=True, slots=True)
class AppDeploymentCreate:
    """An app that takes part in a deployment. `spec` must already be redacted."""

    app_name: str
    app_type: str
    namespace: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sources: Mapping[str, str] = field(default_factory=dict)
    status: DeploymentStatus = DeploymentStatus.IN_PROGRESS

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> AppDeploymentCreate:
        """Build from a mapping; unknown fields and missing required ones raise `ValueError`."""
        return _from_mapping(cls, data, "app")


@dataclass(frozen=True, slots=True)
class ResourceCreate:
    """One object that was acted on by somebody who has no plan: `action` is a verb such as `apply` or `delete`.

    States are the live object before and after (None: absent), `desired` what was wanted.
    """

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    action: str = "apply"
    previous_state: Mapping[str, Any] | None = field(default=None, repr=False)
    current_state: Mapping[str, Any] | None = field(default=None, repr=False)
    desired: Mapping[str, Any] | None = field(default=None, repr=False)
    state: OpState = OpState.APPLIED
    operation: str = ""
    sensitive: bool = False
    source_file: str = ""
    source_line: int = 0
    reason: str = ""
    message: str = ""

    @property
    def key(self) -> ResourceKey:
        """The object's identity."""
        group, _, version = self.api_version.rpartition("/")
        return ResourceKey(group, version, self.kind, self.namespace, self.name)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> ResourceCreate:
        """Build from a mapping; unknown fields and missing required ones raise `ValueError`."""
        return _from_mapping(cls, data, "resource")


@dataclass(frozen=True, slots=True)
class HelmReleaseCreate:
    """A release that was acted on by somebody who has no plan; `values` count as sensitive."""

    release_name: str
    namespace: str
    chart: str
    chart_version: str = ""
    app_version: str = ""
    revision: int = 0
    revision_before: int = 0
    values: Mapping[str, Any] | None = field(default=None, repr=False)
    status: str = ""
    action: str = "helm_upgrade"
    state: OpState = OpState.APPLIED
    operation: str = ""
    reason: str = ""
    message: str = ""

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> HelmReleaseCreate:
        """Build from a mapping; unknown fields and missing required ones raise `ValueError`."""
        return _from_mapping(cls, data, "release")


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """A deployment as recorded; `id` is the integer key, `deployment_id` the public one; times are aware UTC.

    `rolled_back_by` is the id of the deployment that undid all of it and was not undone itself, `resumed_by` that
    of the one that went on with it. Both are derived when a record is read: the status stays the one that the
    deployment ended with.
    """

    id: int
    deployment_id: str
    status: DeploymentStatus
    created_at: datetime
    cluster: str
    namespace: str
    app_config_dir: str
    config_file_path: str
    command: str
    config_snapshot: Mapping[str, Any] = field(repr=False)
    command_args: Mapping[str, Any] | None = None
    sources_snapshot: Mapping[str, Any] | None = field(default=None, repr=False)
    dry_run: bool = False
    sbkube_version: str | None = None
    operator: str | None = None
    parent: str | None = None
    error_message: str | None = None
    project: str = ""
    cluster_uid: str = ""
    context: str = ""
    host: str = ""
    kubernetes_user: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)
    ended_at: datetime | None = None
    plan_digest: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    rolled_back_by: str = ""
    resumed_by: str = ""

    @property
    def resumes(self) -> str:
        """The interrupted deployment that this one went on with, "" for none."""
        return (self.parent or "") if self.command == RESUME else ""


@dataclass(frozen=True, slots=True)
class AppDeploymentRecord:
    """One app of a deployment as recorded."""

    id: int
    app_name: str
    app_type: str
    namespace: str
    status: DeploymentStatus
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sources: Mapping[str, str] = field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error_message: str | None = None
    rollback_info: Mapping[str, Any] | None = None


UNREAD: Mapping[str, Any] = MappingProxyType({})  # an image that is there and was not asked for


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """One operation on one object as recorded.

    Images are None where the object was absent, and `UNREAD` where they were not asked for; `missing_key` tells
    that an image exists but cannot be decrypted here. `operation` is the plan's operation id. `position` gives
    the order of the intents.
    """

    id: int
    app_name: str
    operation: str
    key: ResourceKey
    verb: str
    state: OpState
    position: int = 0
    intent: Mapping[str, Any] | None = field(default=None, repr=False)
    before: Mapping[str, Any] | None = field(default=None, repr=False)
    after: Mapping[str, Any] | None = field(default=None, repr=False)
    missing_key: bool = False
    uid: str = ""
    resource_version_before: str = ""
    resource_version_after: str = ""
    checksum: str = ""
    reason: str = ""
    message: str = ""
    source_file: str = ""
    source_line: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HelmReleaseRecord:
    """A release touched by a deployment, as recorded. `record` is Helm's stored record before the action
    (`raw` of `ReleaseRecord`), None where there was none or it cannot be decrypted."""

    id: int
    app_name: str
    operation: str
    release_name: str
    namespace: str
    chart: str
    chart_version: str
    verb: str
    state: OpState
    status: str = ""
    app_version: str = ""
    chart_digest: str = ""
    values_digest: str = ""
    manifest_digest: str = ""
    revision_before: int = 0
    revision_after: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A message that was kept: hook output, warnings, failure evidence."""

    id: int
    created_at: datetime
    kind: str
    app_name: str = ""
    subject: str = ""
    message: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentDetail:
    """A deployment with everything below it."""

    deployment: DeploymentRecord
    apps: tuple[AppDeploymentRecord, ...] = ()
    resources: tuple[ResourceRecord, ...] = ()
    releases: tuple[HelmReleaseRecord, ...] = ()
    events: tuple[EventRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class LockTarget:
    """What a lock covers: one project in one base namespace of one cluster."""

    project: str
    cluster_uid: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Together:
    """Where a part of a project was deployed along with it: another project, or this one in another `context`."""

    target: LockTarget
    context: str
    file: str


@dataclass(frozen=True, slots=True)
class LockInfo:
    """Who holds a lock; `token` is the fencing token, times are aware UTC of the database's clock."""

    target: LockTarget
    holder: str
    host: str
    pid: int
    command: str
    acquired: datetime
    expires: datetime
    token: int
