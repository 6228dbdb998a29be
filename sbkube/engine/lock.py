"""The lock of one run: the row in the state database and the Lease in the cluster, held and renewed as one."""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
import time
from collections.abc import Callable, Mapping

from sbkube.engine.surroundings import Surroundings
from sbkube.errors import ClusterError, ClusterForbidden, LockLost, SbkubeError, StateLocked
from sbkube.models.deployment_state import DeploymentRecord, LockTarget

_POLL = 0.25  # seconds between two looks at a Lease that somebody else holds
RENEW = 0.27  # heartbeats come after this share of the time that one is good for
LAST_DEPLOYMENT = "sbkube.dev/last-deployment"
CLOSING = "sbkube.dev/last-closing"  # the hash that closes it in the ledger
RUNNING = "sbkube.dev/deployment"
UNSEEN = "sbkube.dev/unseen-deployments"


def lease_name(target: LockTarget) -> str:
    """`sbkube-<hash of project and namespace>`."""
    digest = hashlib.sha256(f"{target.project}\0{target.namespace}".encode()).hexdigest()
    return f"sbkube-{digest[:16]}"


def unseen(world: Surroundings, target: LockTarget, own: str = "") -> tuple[str, ...]:
    """Deployments that the Lease speaks of and this database does not know; `own` is the one that begins now."""
    try:
        lease = world.leases.read(target.namespace, lease_name(target))
    except ClusterForbidden:
        return ()  # whoever may not read Leases cannot take them either, and says so
    notes: Mapping[str, str] = ((lease or {}).get("metadata") or {}).get("annotations") or {}
    named = [notes.get(LAST_DEPLOYMENT, ""), notes.get(RUNNING, ""), *notes.get(UNSEEN, "").split(",")]
    return tuple(name for name in dict.fromkeys(named) if name and name != own and not world.ledger.knows(name))


class RunLock:
    """A held lock. `check` costs no request, so that it can stand before every write."""

    def __init__(
        self,
        world: Surroundings,
        target: LockTarget,
        command: str,
        *,
        wait: float = 0,
        cluster_lock: bool = True,
        deployment: str = "",
    ) -> None:
        """Take the row; raises StateLocked after `wait` seconds. The Lease comes with `attach`, if at all.

        `deployment` is the id of what begins now. How long a heartbeat is good for is the ledger's choice, for
        both halves.
        """
        self._world = world
        self._target = target
        self._attached = False
        self._tried = not cluster_lock
        self._lost = False
        self._deployment = deployment
        self.unseen: tuple[str, ...] = ()  # deployments of other databases that this one does not know
        self.begun = False  # something may have been sent under this lock
        began = world.clock.monotonic()
        self._until = began + wait
        self.info = world.ledger.acquire(target, command, wait=wait)
        if wait:  # nobody knows when in that time we got it
            began = world.clock.monotonic()
            self.info = world.ledger.renew(self.info)
        self._seconds = max(1, round((self.info.expires - self.info.acquired).total_seconds()))
        self._holder = {
            "holder": getpass.getuser() if hasattr(os, "getuid") else "",
            "host": socket.gethostname(),
            "pid": str(os.getpid()),
            "command": command,
        }
        self._extend(began)

    def _extend(self, began: float) -> None:
        """Count from before the heartbeat was sent: we may have been stopped before its answer was read."""
        self._deadline = began + self._seconds

    @property
    def renewal_due(self) -> bool:
        """A heartbeat is due."""
        return self._world.clock.monotonic() > self._deadline - self._seconds * (1 - RENEW)

    def attach(self, *, early: bool = False) -> None:
        """Take the Lease too, so that runs with another database are shut out.

        Raises StateLocked when it is held for longer than we may wait. `early`: somebody may still create the
        namespace that it lies in before it is our turn.
        """
        while not self._tried:
            try:
                self._take_lease(early=early)
                return
            except StateLocked:
                if self._world.clock.monotonic() >= self._until:
                    raise
            time.sleep(_POLL)
            if self.renewal_due:
                self.renew()

    def _take_lease(self, *, early: bool) -> None:
        name, namespace = lease_name(self._target), self._target.namespace
        began = self._world.clock.monotonic()
        try:
            self._world.leases.acquire(namespace, name, self._holder, self._seconds)
        except ClusterError as error:
            if not error.not_found:
                raise
            # Without its namespace nobody else can hold the Lease either.
            if early:
                return
            self._world.emit("warning", message=f"no lock in the cluster: namespace {namespace} is missing")
            self._tried = True
            return
        self._tried = self._attached = True
        self.unseen = unseen(self._world, self._target, self._deployment)
        self._deadline = min(self._deadline, began + self._seconds)

    def announce(self) -> None:
        """Name the deployment on the Lease, now that it is recorded and before anything of it is sent: if its run
        is killed, other databases can tell that they do not know it."""
        if self._deployment and "deployment" not in self._holder:
            self._holder = {**self._holder, "deployment": self._deployment}
            if self._attached:
                self.renew()

    def caught_up(self) -> None:
        """What the database did not know has been found out: nobody has to be told of it any more."""
        self.unseen = ()

    def check(self) -> None:
        """Raise LockLost if the lock was taken over or its deadline (suspended time counts) has passed."""
        if self._lost or self._world.clock.monotonic() > self._deadline:
            self._lost = True
            raise LockLost(
                "the deployment lock was lost while working; nothing new was started",
                hint="see `sbkube history`, then run the command again",
            )

    def renew(self) -> None:
        """Heartbeat of both halves; raises LockLost when either is no longer ours."""
        self.check()
        began = self._world.clock.monotonic()
        try:
            self.info = self._world.ledger.renew(self.info)
            if self._attached:
                name = lease_name(self._target)
                self._world.leases.renew(self._target.namespace, name, self._holder, self._seconds)
        except LockLost:
            self._lost = True
            raise
        self._extend(began)

    def release(self, record: DeploymentRecord | None = None, *, gone: bool = False) -> None:
        """Give both halves up. `record` is left on the Lease as the last deployment; `gone` removes the Lease.

        What cannot be given up expires by itself, so errors here are not the run's errors; and one half that
        cannot be given up is no reason to keep the other.
        """
        if self._attached and not self._lost:
            self._try(lambda: self._give_back(self._notes(record), gone))
        self._try(lambda: self._world.ledger.release(self.info))

    def _try(self, give_up: Callable[[], None]) -> None:
        try:
            give_up()
        except SbkubeError as error:
            self._world.emit("warning", message=f"the lock could not be given back and will expire: {error}")

    def _notes(self, record: DeploymentRecord | None) -> Mapping[str, str]:
        """What the next holder must know; an empty text takes a note away."""
        notes = {UNSEEN: ",".join(self.unseen)}
        last = record.deployment_id if record else self._deployment if self.begun else ""
        if last:
            notes |= {LAST_DEPLOYMENT: last, CLOSING: self._world.ledger.closing_hash(last) if record else ""}
        return notes

    def _give_back(self, notes: Mapping[str, str], gone: bool) -> None:
        name, namespace = lease_name(self._target), self._target.namespace
        if gone:
            self._world.leases.delete(namespace, name)
        else:
            self._world.leases.release(namespace, name, self._holder, notes)
