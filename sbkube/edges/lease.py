"""The in-cluster half of the deployment lock: a `coordination.k8s.io/v1` Lease.

Two laptops with two databases meet here. Every write names the resource version that was read, so that of two
takers one wins; times are the API server's (its Date header), so that wrong local clocks do no harm. The fencing
token is `spec.leaseTransitions`, which grows with every taking.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import orjson

from sbkube.edges.cluster import HttpCluster
from sbkube.edges.connection import Request
from sbkube.errors import ClusterError, ClusterForbidden, ClusterUnreachable, LockLost, StateLocked
from sbkube.models.resource import ResourceKey
from sbkube.ports import Json

PREFIX = "sbkube.dev/"
ANNOTATIONS = {"holder": "holder", "host": "holder-host", "pid": "holder-pid", "command": "command"}
PROOF = "holder-proof"
DEPLOYMENT = "deployment"  # the one that the holder is at work on
UNSEEN = "unseen-deployments"  # of holders that never gave the Lease up, or whose successors did not know them
TRIES = 5  # lost races and lost answers before we give up
SLACK = timedelta(seconds=1)  # the Date header has whole seconds

T = TypeVar("T")


class HttpLease:
    """`ports.LeasePort` over an `HttpCluster`. One instance is one holder: a lock is not re-entrant.

    `proof` is left on the Lease and identifies our process; `dead` tells from host, pid and proof of another
    holder whether it was a process of this machine that no longer runs. Its Lease is free before it expires.
    """

    def __init__(
        self, cluster: HttpCluster, *, proof: str = "", dead: Callable[[str, str, str], bool] | None = None
    ) -> None:
        self._connection = cluster.connection
        self._proof = proof
        self._dead = dead
        self._nonce = secrets.token_hex(4)

    def acquire(self, namespace: str, name: str, holder: Mapping[str, str], seconds: int) -> int:
        """Take the Lease for `seconds`, or take over one that is free or expired; returns the fencing token.

        Raises StateLocked naming holder, host, pid, command and age; ClusterForbidden when Leases are not
        allowed; ClusterError (404) when the namespace is missing.
        """
        unsure = False  # an answer was lost: we may have taken it already
        for _ in range(TRIES):
            lease = self.read(namespace, name)
            now = self._connection.server_time()
            if lease is not None and not _free(lease, now) and not self._orphaned(lease):
                if unsure and _spec(lease).get("holderIdentity") == self._identity(holder):
                    return _transitions(lease)  # our own try had arrived, only its answer was lost
                raise _locked(namespace, name, lease, now)
            wanted = self._taken(lease, (namespace, name), holder, seconds, now)
            try:
                return _transitions(self._write(wanted, new=lease is None))
            except ClusterUnreachable:
                unsure = True
            except ClusterError as error:
                if not error.conflict:
                    raise
        raise ClusterError(
            "the deployment lock could not be taken: others were quicker each time",
            code=409,
            reason="Conflict",
            subject=f"Lease/{name} in {namespace}",
            hint="try again",
        )

    def renew(self, namespace: str, name: str, holder: Mapping[str, str], seconds: int) -> None:
        """Heartbeat: `seconds` from now on; raises LockLost when the Lease is gone or somebody else's."""

        def extend(lease: Json, now: datetime) -> None:
            _spec(lease).update(renewTime=_micro(now), leaseDurationSeconds=seconds)
            if deployment := holder.get("deployment"):
                lease["metadata"].setdefault("annotations", {})[PREFIX + DEPLOYMENT] = deployment

        if not self._change(namespace, name, holder, extend):
            raise LockLost(
                "the deployment lock in the cluster is no longer ours",
                subject=f"Lease/{name} in {namespace}",
                hint="see `sbkube history`, then run the command again",
            )

    def release(
        self, namespace: str, name: str, holder: Mapping[str, str], annotations: Mapping[str, str]
    ) -> None:
        """Give it up, leaving `annotations`; keys without a prefix get `sbkube.dev/`. No error when it is lost."""

        def give_up(lease: Json, now: datetime) -> None:
            spec, notes = _spec(lease), lease["metadata"].setdefault("annotations", {})
            spec.pop("holderIdentity", None)
            spec["renewTime"] = _micro(now)
            for suffix in (*ANNOTATIONS.values(), PROOF, DEPLOYMENT):
                notes.pop(PREFIX + suffix, None)
            notes.update({key if "/" in key else PREFIX + key: value for key, value in annotations.items()})
            for key in [key for key, value in notes.items() if not value]:
                del notes[key]

        self._change(namespace, name, holder, give_up)

    def free(self, namespace: str, name: str) -> None:
        """Take it from whoever holds it; what he was at work on is kept as unseen."""
        for _ in range(TRIES):
            lease = self.read(namespace, name)
            if lease is None:
                return
            _keep_unseen(lease)
            spec = _spec(lease)
            spec.pop("holderIdentity", None)
            spec["leaseTransitions"] = _transitions(lease) + 1
            try:
                self._write(lease, new=False)
                return
            except ClusterError as error:
                if not error.conflict:
                    raise

    def check_free(self, namespace: str, name: str) -> bool:
        """Raise StateLocked, naming the holder, while somebody else has it; tells whether a dead one left it."""
        lease = self.read(namespace, name)
        now = self._connection.server_time()
        if lease is not None and not _free(lease, now) and not self._orphaned(lease):
            raise _locked(namespace, name, lease, now)
        return lease is not None and bool(_spec(lease).get("holderIdentity"))

    def read(self, namespace: str, name: str) -> Json | None:
        """The Lease as it is, or None."""
        try:
            return self._send(Request("GET", _path(namespace, name), subject=_key(namespace, name)))
        except ClusterError as error:
            if error.not_found:
                return None
            raise

    def delete(self, namespace: str, name: str) -> None:
        """Remove it; one that is gone is no error."""
        try:
            self._send(Request("DELETE", _path(namespace, name), repeatable=False, subject=_key(namespace, name)))
        except ClusterError as error:
            if not error.not_found:
                raise

    def _orphaned(self, lease: Json) -> bool:
        notes = lease["metadata"].get("annotations") or {}
        host, pid, proof = (str(notes.get(PREFIX + name, "")) for name in ("holder-host", "holder-pid", PROOF))
        return bool(proof) and self._dead is not None and self._dead(host, pid, proof)

    def _identity(self, holder: Mapping[str, str]) -> str:
        who = f"{holder.get('holder') or 'sbkube'}@{holder.get('host', '')}"
        return f"{who}/{holder.get('pid', '')}/{self._nonce}"

    def _taken(
        self, lease: Json | None, where: tuple[str, str], holder: Mapping[str, str], seconds: int, now: datetime
    ) -> Json:
        namespace, name = where
        body = lease or {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": "sbkube"},
            },
            "spec": {},
        }
        notes = _keep_unseen(body)
        notes.update({PREFIX + suffix: str(holder.get(key, "")) for key, suffix in ANNOTATIONS.items()})
        if deployment := holder.get("deployment"):
            notes[PREFIX + DEPLOYMENT] = deployment
        notes[PREFIX + PROOF] = self._proof
        body.setdefault("spec", {}).update(
            holderIdentity=self._identity(holder),
            leaseDurationSeconds=seconds,
            acquireTime=_micro(now),
            renewTime=_micro(now),
            leaseTransitions=_transitions(body) + 1,
        )
        return body

    def _change(
        self, namespace: str, name: str, holder: Mapping[str, str], edit: Callable[[Json, datetime], None]
    ) -> bool:
        """Change our Lease; False when it is not ours. A lost answer is followed by another look."""
        for left in reversed(range(TRIES)):
            lease = self.read(namespace, name)
            if lease is None or _spec(lease).get("holderIdentity") != self._identity(holder):
                return False
            edit(lease, self._connection.server_time())
            try:
                self._write(lease, new=False)
                return True
            except ClusterUnreachable:
                if not left:
                    raise
            except ClusterError as error:
                if error.not_found:
                    return False
                if not error.conflict or not left:
                    raise
        return False

    def _write(self, lease: Json, *, new: bool) -> Json:
        meta = lease["metadata"]
        key = _key(meta["namespace"], meta["name"])
        path = _path(meta["namespace"], "" if new else meta["name"])
        request = Request(
            "POST" if new else "PUT",
            f"{path}?fieldManager=sbkube",
            orjson.dumps(lease),
            # A second PUT would meet the first one's resource version; the caller looks again instead.
            repeatable=False,
            subject=key,
        )
        return self._send(request)

    def _send(self, request: Request) -> Json:
        try:
            answer: Json = orjson.loads(self._connection.request(request).body)
        except ClusterForbidden as error:
            raise ClusterForbidden(
                error.message,
                subject=error.subject,
                hint="the deployment lock needs get, create, update and delete on leases.coordination.k8s.io; "
                "--no-cluster-lock does without it",
            ) from error
        return answer


def _key(namespace: str, name: str) -> ResourceKey:
    return ResourceKey("coordination.k8s.io", "v1", "Lease", namespace, name)


def _path(namespace: str, name: str = "") -> str:
    root = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases"
    return f"{root}/{quote(name, safe='')}" if name else root


def _spec(lease: Mapping[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = lease.get("spec") or {}
    return spec


def _keep_unseen(lease: Json) -> dict[str, str]:
    """The Lease's annotations; a deployment whose holder never came back joins the unseen ones."""
    notes: dict[str, str] = lease["metadata"].setdefault("annotations", {})
    left = notes.pop(PREFIX + DEPLOYMENT, "")
    if left:
        unseen = [*filter(None, notes.get(PREFIX + UNSEEN, "").split(",")), left]
        notes[PREFIX + UNSEEN] = ",".join(dict.fromkeys(unseen))
    return notes


def _transitions(lease: Mapping[str, Any]) -> int:
    return int(_spec(lease).get("leaseTransitions") or 0)


def _micro(moment: datetime) -> str:
    """`MicroTime` of the API."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def _free(lease: Mapping[str, Any], now: datetime) -> bool:
    spec = _spec(lease)
    renewed = _moment(spec.get("renewTime"))
    if not spec.get("holderIdentity") or renewed is None:
        return True
    return now > renewed + timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0)) + SLACK


def _locked(namespace: str, name: str, lease: Mapping[str, Any], now: datetime) -> StateLocked:
    notes = lease["metadata"].get("annotations") or {}
    holder, host, pid, command = (notes.get(PREFIX + suffix, "?") for suffix in ANNOTATIONS.values())
    since = _moment(_spec(lease).get("acquireTime"))
    age = f" for {_age(now - since)}" if since else ""
    return StateLocked(
        f'locked by {holder} on {host} (pid {pid}, "{command}"){age}',
        subject=f"Lease/{name} in {namespace}",
        hint="wait (--wait-for-lock 5m); if that process is dead it expires, or `sbkube recover --break-lock`",
    )


def _age(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"
