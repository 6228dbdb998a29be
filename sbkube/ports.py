"""What the core asks of the world, on one page: Protocols without code.

Edges and fakes implement them. Every method raises the classes of `sbkube.errors` and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from sbkube.models.command import Command, Ran
from sbkube.models.deployment_state import (
    DeploymentCreate,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
    HelmReleaseRecord,
    LockInfo,
    LockTarget,
    ResourceRecord,
)
from sbkube.models.outcome import Event, Outcome
from sbkube.models.plan import Operation, Plan
from sbkube.models.release import ReleaseRecord, ReleaseSpec, RenderedChart
from sbkube.models.resource import ClusterInfo, ResourceKey, ResourceType
from sbkube.models.source import Repository, WebAnswer, WebRequest

Json = dict[str, Any]


class Clock(Protocol):
    """Time, so that tests can own it."""

    def now(self) -> datetime:
        """Wall clock, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back and count suspended time where the system can (CLOCK_BOOTTIME)."""


Listener = Callable[[Event], None]


KEPT = "kept"  # the verb of objects that we took part in and that are not ours to delete


@dataclass(frozen=True, slots=True)
class Recorded:
    """The newest recorded state of an object that a project left in a cluster.

    `verb` is the one of its newest operation, or `KEPT` for namespaces that were there before us. `intent` and
    `image` are fingerprints (see `Ledger.fingerprint`) of what was wanted and of the live object right after;
    `intent` is empty for objects of a Helm release.
    """

    app: str
    verb: str
    uid: str
    resource_version: str
    intent: str
    image: str
    deployment_id: str


@dataclass(frozen=True, slots=True)
class ReleaseAction:
    """A recorded Helm action; `live` tells that its deployment holds the lock, so that it may still be at work."""

    row: HelmReleaseRecord
    deployment_id: str
    live: bool


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Json = field(repr=False)


class ClusterReader(Protocol):
    """Reading from one Kubernetes API server. Safe for use from several threads."""

    def info(self) -> ClusterInfo:
        """Name, server, version and UID of the cluster; raises ClusterUnreachable or ClusterForbidden."""

    def resource_type(self, api_version: str, kind: str) -> ResourceType | None:
        """The kind as discovery describes it (cached; asked again once when missing), or None."""

    def api_versions(self) -> tuple[str, ...]:
        """All served `group/version` and `group/version/Kind`, as Helm's capabilities want them."""

    def get(self, key: ResourceKey) -> Json | None:
        """The live object or None. A missing kind or namespace is None too."""

    def list(self, kind: ResourceType, namespace: str = "", *, labels: str = "", fields: str = "") -> list[Json]:
        """All live objects of a kind (of all namespaces when empty), with `apiVersion` and `kind` filled in."""

    def dry_run_apply(self, body: Mapping[str, Any], *, manager: str, force: bool) -> Json:
        """Server-side dry run of `apply`: the object as it would be stored."""

    def dry_run_patch(self, key: ResourceKey, steps: Sequence[Json], *, manager: str) -> Json:
        """Server-side dry run of `patch`."""

    def watch(
        self,
        kind: ResourceType,
        namespace: str,
        *,
        resource_version: str = "",
        fields: str = "",
        timeout: float = 60,
    ) -> Iterator[WatchEvent]:
        """Events until `timeout` seconds have passed or the server ends; a 410 raises ClusterError(code=410)."""

    def logs(self, namespace: str, pod: str, container: str, *, tail: int = 20, previous: bool = False) -> str:
        """The last lines of a container's log, or an empty text."""


class Cluster(ClusterReader, Protocol):
    """Reading and writing. Everything that changes the cluster goes through here or through HelmPort."""

    def apply(self, body: Mapping[str, Any], *, manager: str, force: bool) -> Json:
        """Server-side apply; `metadata.uid`/`resourceVersion` in the body are preconditions (409)."""

    def create(self, body: Mapping[str, Any], *, manager: str) -> Json:
        """Create; 409 AlreadyExists when it is there."""

    def merge(self, key: ResourceKey, patch: Mapping[str, Any], *, manager: str) -> Json:
        """JSON merge patch of one object; never creates."""

    def patch(self, key: ResourceKey, steps: Sequence[Json], *, manager: str) -> Json:
        """JSON patch (RFC 6902) of one object; a step that sets its resource version makes that a precondition."""

    def delete(self, key: ResourceKey, *, uid: str = "", propagation: str = "Background") -> None:
        """Delete if the uid matches; an object that is already gone is no error."""


class LeasePort(Protocol):
    """The in-cluster half of the lock: a `coordination.k8s.io/Lease`. Expiry is judged by server time."""

    def acquire(self, namespace: str, name: str, holder: Mapping[str, str], seconds: int) -> int:
        """Take or take over an expired Lease; returns the fencing token (`leaseTransitions`).

        `holder` has holder, host, pid, command and perhaps the deployment that begins. Raises StateLocked naming
        the holder when it is held, and ClusterForbidden when Leases are not allowed.
        """

    def renew(self, namespace: str, name: str, holder: Mapping[str, str], seconds: int) -> None:
        """Heartbeat; raises LockLost when it is no longer ours."""

    def release(
        self, namespace: str, name: str, holder: Mapping[str, str], annotations: Mapping[str, str]
    ) -> None:
        """Give it up (it stays, without holder), leaving annotations such as the last deployment's id."""

    def read(self, namespace: str, name: str) -> Json | None:
        """The Lease as it is, or None."""

    def delete(self, namespace: str, name: str) -> None:
        """Remove it, at the end of `delete`."""

    def free(self, namespace: str, name: str) -> None:
        """Take it from whoever holds it."""

    def check_free(self, namespace: str, name: str) -> bool:
        """Raise StateLocked, naming the holder, while somebody else has it. Changes nothing.

        Tells whether it was left behind by a holder that is dead or has expired.
        """


class HelmPort(Protocol):
    """Native Helm releases. `cancel` is polled or waited for by long actions: set it to stop them."""

    name: str  # "sdk" or "program"
    version: str

    def render(self, spec: ReleaseSpec, *, revision: int, upgrade: bool) -> RenderedChart:
        """Render against the cluster (`lookup` works); raises RenderError with Helm's message."""

    def install(self, spec: ReleaseSpec, cancel: CancelToken) -> ReleaseRecord:
        """Install; raises HelmError, Interrupted when cancelled."""

    def upgrade(self, spec: ReleaseSpec, cancel: CancelToken) -> ReleaseRecord:
        """Upgrade an existing release."""

    def rollback(self, spec: ReleaseSpec, revision: int, cancel: CancelToken) -> ReleaseRecord:
        """Back to a revision that Helm still has; makes a new revision."""

    def uninstall(
        self, name: str, namespace: str, *, timeout: float, wait: bool, disable_hooks: bool = False
    ) -> None:
        """Remove the release and its objects; a missing one is no error."""

    def releases(self, namespace: str) -> tuple[ReleaseRecord, ...]:
        """The newest revision of every release in a namespace, all statuses."""

    def history(self, name: str, namespace: str) -> tuple[ReleaseRecord, ...]:
        """All stored revisions of a release, oldest first."""

    def decode(self, raw: str, namespace: str) -> ReleaseRecord:
        """A record from its stored form (`ReleaseRecord.raw`)."""

    def storage_object(self, record: ReleaseRecord, *, status: str = "superseded", description: str = "") -> Json:
        """The object that Helm keeps `record` in, with another status; `superseded` can be rolled back to."""


class CancelToken(Protocol):
    """Set once, from any thread, to stop long work."""

    def is_set(self) -> bool:
        """Stop now?"""

    def wait(self, timeout: float | None = None) -> bool:
        """Block until set or `timeout` seconds have passed; tells whether it is set."""


class Lock(Protocol):
    """A held lock: row and Lease together."""

    info: LockInfo

    def check(self) -> None:
        """Raise LockLost if the token is no longer ours or its monotonic deadline has passed."""

    def renew(self) -> None:
        """Heartbeat."""

    def release(self) -> None:
        """Give it up; never raises for a lock that is already lost."""


class Journal(Protocol):
    """The record of one running deployment. All methods are called from one thread."""

    record: DeploymentRecord

    def app_started(self, app: str) -> None:
        """Mark an app of the plan as running."""

    def intend(self, operations: Sequence[Operation]) -> None:
        """Commit the intents of a batch in one transaction, fully synchronised, before any of them is sent."""

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Commit outcomes of intended operations (and evidence) in one transaction."""

    def app_ended(self, app: str, status: DeploymentStatus, error: str | None = None) -> None:
        """Mark an app as ended."""

    def event(self, event: Event) -> None:
        """Keep a message."""

    def finish(self, error: str | None = None, *, interrupted: bool = False) -> DeploymentRecord:
        """End the deployment; its status is computed from its operations and apps."""


class Ledger(Protocol):
    """The state system as the engine sees it."""

    def acquire(self, target: LockTarget, command: str, *, wait: float = 0) -> LockInfo:
        """Take the lock row; raises StateLocked naming the holder after `wait` seconds."""

    def renew(self, lock: LockInfo) -> LockInfo:
        """Heartbeat of the row; raises LockLost."""

    def release(self, lock: LockInfo) -> None:
        """Give the row up if it is still ours."""

    def announce(self, parts: Sequence[tuple[DeploymentCreate, Plan, LockInfo]]) -> Sequence[DeploymentRecord]:
        """Record, as pending and in one go, deployments of one run that come one after the other."""

    def begin(self, data: DeploymentCreate, plan: Plan, lock: LockInfo) -> Journal:
        """Record the deployment with its whole plan, before anything is done; or take over an announced one."""

    def unsettled(self, target: LockTarget) -> tuple[DeploymentDetail, ...]:
        """Deployments of this target that did not end, with their open intents."""

    def settle(self, deployment_id: str, outcomes: Sequence[Outcome]) -> DeploymentRecord:
        """Close the open intents of an interrupted deployment and mark it so."""

    def forgotten_since(self, deployment_id: str, target: LockTarget) -> bool:
        """Deployments that ended after this one have been forgotten."""

    def detail(self, reference: str, target: LockTarget | None = None) -> DeploymentDetail:
        """By id, prefix, `latest` or `latest~N`; raises DeploymentNotFound."""

    def since(self, deployment_id: str, target: LockTarget) -> tuple[DeploymentDetail, ...]:
        """This deployment and all newer ones of the target, oldest first."""

    def left_by(self, deployment_id: str, target: LockTarget) -> Mapping[ResourceKey, ResourceRecord]:
        """The newest record, up to a deployment, of each object that was not Helm's: what it left behind."""

    def inventory(self, target: LockTarget) -> Mapping[ResourceKey, Recorded]:
        """Objects that this project created or changed and has not deleted since, release objects included."""

    def images(self, target: LockTarget, keys: Collection[ResourceKey]) -> Mapping[ResourceKey, ResourceRecord]:
        """The newest record, with its images, of those of the objects that the inventory has."""

    def releases(self, target: LockTarget) -> tuple[HelmReleaseRecord, ...]:
        """The newest record of each release that this project left in place."""

    def fingerprint(self, body: Mapping[str, Any]) -> str:
        """Digest of an object without status and server-managed metadata; an HMAC for sensitive content."""

    def plan(self, reference: str, target: LockTarget | None = None) -> Plan:
        """The plan that a deployment was recorded with; raises StateError if parts cannot be decrypted here."""

    def app_status(self, target: LockTarget, app: str) -> DeploymentStatus | None:
        """How the newest deployment that began an app ended for it, None where there is none."""

    def knows(self, deployment_id: str) -> bool:
        """A deployment of exactly this id is recorded."""

    def closing_hash(self, deployment_id: str) -> str:
        """The hash that ends the chain with this deployment, "" before it has ended."""

    def last_action(self, target: LockTarget, namespace: str, name: str) -> ReleaseAction | None:
        """The newest Helm action of the target's deployments on a release, repairs left out."""

    def release_record(self, deployment_id: str, operation: str) -> str:
        """`raw` of the release as it was before a Helm operation, "" when there was none or no key for it."""


class Web(Protocol):
    """Downloading over HTTP. Safe for use from several threads."""

    def get(self, request: WebRequest, into: BinaryIO) -> WebAnswer:
        """Write the body into `into` and give status and headers; redirects are followed, failures tried again.

        Raises SourceUnavailable with the server's reason for everything but 2xx, 304 and, where asked for, 401.
        """


class GitPort(Protocol):
    """Reading git repositories. Safe for use from several threads."""

    def resolve(self, repository: Repository, revision: str) -> str:
        """The commit (40 hex digits) that a branch, tag or commit means now; empty: the default branch.

        Raises SourceUnavailable.
        """

    def check_out(self, repository: Repository, commit: str, folder: Path) -> None:
        """Write the files of a commit into an empty folder, without history. Raises SourceUnavailable."""


class CommandPort(Protocol):
    """Running commands of a project on this machine. Safe for use from several threads."""

    allowed: bool  # SBKUBE_ALLOW_EXEC does not forbid it

    def run(self, command: Command, facts: Mapping[str, str], cancel: CancelToken) -> Ran:
        """One attempt of a shell command, with `facts` (SBKUBE_*) in its environment; it never raises."""

    def ask(self, command: Command, cancel: CancelToken) -> Ran:
        """One HTTP request; it never raises."""


class Decryptor(Protocol):
    """Opening encrypted files, in memory. Safe for use from several threads."""

    known: set[str]  # every value that was decrypted

    def document(self, value: Mapping[str, Any], path: Path) -> Json:
        """A document that sops encrypted, without its metadata; raises RenderError, ToolMissing."""

    def file(self, content: bytes) -> bytes:
        """A file that age encrypted as a whole; raises RenderError, ToolMissing."""


class Kustomize(Protocol):
    """Building kustomizations. Safe for use from several threads."""

    def build(self, folder: Path) -> str:
        """The manifests of a kustomization; raises RenderError with its message, ToolMissing without a program."""
