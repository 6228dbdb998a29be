"""A project that is opened with a cluster and a state database."""

from __future__ import annotations

import getpass
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbkube._version import __version__
from sbkube.api.outcomes import dump, read_back
from sbkube.api.where import HERE, Where, sandbox, state_url
from sbkube.errors import (
    ClusterError,
    DeploymentNotFound,
    HelmError,
    PlanRefused,
    ProjectError,
    RecordLost,
    SurroundingsError,
    UsageError,
)
from sbkube.models.deployment_state import (
    DeploymentCreate,
    DeploymentDetail,
    DeploymentRecord,
    DeploymentStatus,
    LockTarget,
)
from sbkube.models.outcome import Event, Outcome
from sbkube.models.plan import Plan
from sbkube.models.resource import ClusterInfo
from sbkube.ports import Listener

if TYPE_CHECKING:
    from sbkube.config.model import ProjectConfig
    from sbkube.engine.inspect import StatusReport
    from sbkube.engine.lock import RunLock
    from sbkube.engine.surroundings import Surroundings
    from sbkube.state.tracker import DeploymentTracker


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run: its record with everything below, and the process exit code that goes with it."""

    record: DeploymentDetail
    outcomes: tuple[Outcome, ...]
    exit_code: int


@contextmanager
def before_any_write() -> Iterator[None]:
    """What a cluster refuses while we only look is a matter of the surroundings: nothing was touched."""
    try:
        yield
    except (ClusterError, HelmError) as error:
        raise SurroundingsError(error.message, subject=error.subject, hint=error.hint) from error


def _silent(_: Event) -> None:
    """A listener that does not listen."""


def open_project(
    target: str | Path = ".",
    *,
    namespace: str | None = None,
    where: Where = HERE,
    listener: Listener | None = None,
    environ: Mapping[str, str] | None = None,
) -> Project:
    """Open the project in a folder (or file) and say where to deploy it.

    `namespace` replaces the project's base namespace. Raises ConfigError with every problem of the file. Nothing
    is connected to before it is needed.
    """
    from sbkube.config.load import load_project

    env = dict(os.environ if environ is None else environ)
    return Project(load_project(target, namespace=namespace, environ=env), where, listener or _silent, env)


class Project:
    """A project with a cluster and a state database. Use it as a context manager, or call `close`."""

    def __init__(
        self, config: ProjectConfig, where: Where, listener: Listener, environ: Mapping[str, str]
    ) -> None:
        self.config = config
        self.cancel = threading.Event()
        self._where = where
        self._listener = listener
        self._newest: DeploymentRecord | None = None
        self._environ = environ

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened."""
        opened = self.__dict__
        if "world" in opened:
            self.world.cluster.close()  # type: ignore[attr-defined]
        if "ledger" in opened:
            self.ledger.close()

    @cached_property
    def ledger(self) -> DeploymentTracker:
        """The state system, opened on first use; raises StateError."""
        from sbkube.state.tracker import DeploymentTracker

        return DeploymentTracker(state_url(self._where.state_url, self._environ, self.config.settings.state_url))

    @cached_property
    def world(self) -> Surroundings:
        """Everything real, connected on first use; raises SurroundingsError or StateError."""
        from sbkube.edges import clock, cluster, helm, kubeconfig, lease
        from sbkube.edges.access import minimal
        from sbkube.engine.surroundings import Surroundings
        from sbkube.state import locks

        access = kubeconfig.load(*self._access(), self._environ)
        http = cluster.connect(access)
        text = minimal(access)
        port = helm.choose(text, prefer=self._environ.get("SBKUBE_HELM"), environ=self._environ, cluster=http)
        leases = lease.HttpLease(http, proof=locks.proof(), dead=locks.is_dead)
        return Surroundings(http, port, self.ledger, leases, clock.SystemClock(), self._listener)

    def _access(self) -> tuple[str | None, str | None]:
        """Kubeconfig and context: the sandbox, else the command line, else the project, else the environment."""
        if self._where.sandbox:
            return str(sandbox(self.config.folder).up()), None
        settings = self.config.settings
        path = self._where.kubeconfig or (str(settings.kubeconfig) if settings.kubeconfig else None)
        return path, self._where.context or settings.kubeconfig_context

    def cluster_info(self) -> ClusterInfo:
        """The cluster that this project acts on."""
        return self.world.cluster.info()

    @property
    def target(self) -> LockTarget:
        """Identity of the project on its cluster."""
        return LockTarget(self.config.name, self.cluster_info().uid, self.config.settings.namespace)

    def plan(self, apps: Sequence[str] = ()) -> Plan:
        """What an apply would do. Reads only. Raises ProjectError, SurroundingsError or StateError."""
        from sbkube.engine.prepare import Selection, prepare

        self._mention_interrupted()
        self._look_at_newest()
        with before_any_write():
            return prepare(self.config, self.world, Selection(tuple(apps), self._foreign_origin()))

    def _look_at_newest(self) -> None:
        """Remember what the plan is made on top of; `execute` compares under the lock."""
        self._newest = self._newest_deployment()

    def _newest_deployment(self) -> DeploymentRecord | None:
        target = self.target
        found = self.ledger.list_deployments(
            project=target.project, cluster=target.cluster_uid, namespace=target.namespace, limit=1
        )
        return found[0] if found else None

    def _foreign_origin(self) -> str:
        """Why nothing may be pruned: another folder has deployed under this name, or there is no name."""
        from sbkube.edges import origin

        newest = self._newest
        if self._where.same_project or newest is None:
            return ""
        here = origin.identity(origin.describe(self.config.folder, self._environ))
        there = origin.identity(newest.origin)
        if there and there != here:
            return f"{self.config.name} was last deployed from {there}, this is {here}"
        return "" if self.config.name_given else "the project has no metadata.name"

    def _mention_interrupted(self) -> None:
        """Say what a killed run left open; the next command that takes the lock settles it."""
        for detail in self.ledger.unsettled(self.target):
            name = detail.deployment.deployment_id
            text = f"deployment {name} was interrupted; `sbkube recover` (or the next apply) settles it"
            self.world.emit("warning", message=text)

    def plan_delete(self, apps: Sequence[str] = (), *, delete_data: bool = False) -> Plan:
        """What a delete would do; objects that hold data only with `delete_data`."""
        from sbkube.engine.prepare import Selection
        from sbkube.engine.remove import plan_delete

        self._look_at_newest()
        with before_any_write():
            return plan_delete(self.config, self.world, Selection(tuple(apps)), consent=delete_data)

    def plan_rollback(
        self,
        reference: str = "",
        *,
        to: str = "",
        apps: Sequence[str] = (),
        force: bool = False,
        delete_data: bool = False,
    ) -> Plan:
        """What a rollback to the state before `reference` (or to what `to` left) would do."""
        from sbkube.engine.rollback import plan_rollback
        from sbkube.engine.undo import Undo

        if reference and to:
            raise UsageError("give either a deployment to undo, or --to, not both")
        self._look_at_newest()
        with before_any_write():
            return plan_rollback(self.config, self.world, Undo(reference, to, tuple(apps), force, delete_data))

    def masked(self, plan: Plan) -> Plan:
        """The plan as people may see it: secret values replaced."""
        from sbkube.plan.redact import Redactor

        return Redactor(self.ledger.redaction_key(), self.config.settings.sensitive).plan(plan)

    def execute(
        self, plan: Plan, *, command: str, args: Mapping[str, Any] | None = None, wait_for_lock: float = 0
    ) -> Result:
        """Execute a plan under the lock, recorded. What fails in the cluster is in the result, not raised.

        Raises StateLocked and other StateErrors with nothing touched, RecordLost when the cluster was changed and
        the record failed. `wait_for_lock` is in seconds.
        """
        from sbkube.engine.execute import execute
        from sbkube.engine.lock import RunLock
        from sbkube.engine.recover import settle_interrupted

        world = self.world
        lock = RunLock(
            world, self.target, command, wait=wait_for_lock, cluster_lock=not self._where.no_cluster_lock
        )
        record: DeploymentRecord | None = None
        try:
            self._refuse_stale()
            with before_any_write():
                interrupted = settle_interrupted(world, self.target)
            for settled in interrupted:
                world.emit(
                    "warning", message=f"deployment {settled.deployment_id} was interrupted and has been settled"
                )
            run = execute(plan, self._describe(plan, command, args), world, lock, self.cancel)
            record = run.record
            self._undo_failed(plan, record, lock)
            detail = read_back(self.ledger.detail, run)
        except RecordLost as error:
            error.hint = f"outcomes are in {dump(error, self.ledger.folder())}"
            raise
        finally:
            done = record is not None and record.status is DeploymentStatus.SUCCESS
            lock.release(record, gone=plan.purpose == "delete" and done)
        return Result(detail, run.outcomes, exit_code(run.record.status))

    def _refuse_stale(self) -> None:
        """Under the lock: the plan must still be made on top of the newest deployment."""
        newest = self._newest_deployment()
        if (newest.id if newest else 0) != (self._newest.id if self._newest else 0):
            who = f"{newest.operator}@{newest.host} has" if newest else "somebody has"
            raise PlanRefused(
                f"{who} deployed {self.config.name} since this plan was made; nothing was changed",
                hint="run the command again to plan on top of that",
            )

    def _undo_failed(self, plan: Plan, record: DeploymentRecord, lock: RunLock) -> None:
        """`on_failure: rollback`: undo a failed apply (failed apps, or all) as a deployment of its own.

        The failed run stays what it is, and so does its exit code. What others changed
        meanwhile is not overwritten: then the rollback is refused, and the output says so.
        """
        from sbkube.engine.execute import execute
        from sbkube.engine.rollback import plan_rollback
        from sbkube.engine.undo import Undo

        failed = {DeploymentStatus.FAILED, DeploymentStatus.PARTIALLY_FAILED}
        settings = self.config.settings
        if settings.on_failure != "rollback" or plan.purpose != "apply" or record.status not in failed:
            return
        detail = self.ledger.detail(record.deployment_id)
        bad = tuple(app.app_name for app in detail.apps if app.status in failed)
        apps = bad if settings.rollback_scope == "app" else ()
        try:
            undo = plan_rollback(self.config, self.world, Undo(record.deployment_id, apps=apps))
            execute(
                undo, self._describe(undo, "rollback", {"on_failure": "rollback"}), self.world, lock, self.cancel
            )
        except (ProjectError, SurroundingsError, ClusterError, HelmError) as error:
            # The cluster was changed by now: the failed run's own exit code stays.
            problems = error.problems if isinstance(error, ProjectError) else ()
            reasons = "; ".join(str(p) for p in problems) or str(error)
            self.world.emit("warning", message=f"the failed deployment was not rolled back: {reasons}")

    def settle(self) -> None:
        """Before a plan that will be executed: settle interrupted runs, so that the plan knows what they did."""
        if self.ledger.unsettled(self.target):
            for record in self.recover():
                text = f"deployment {record.deployment_id} was interrupted and has been settled"
                self.world.emit("warning", message=text)

    def break_lock(self) -> None:
        """Take both halves of the lock from whoever holds them; only sensible when that run is dead."""
        from sbkube.engine.lock import lease_name

        self.ledger.break_lock(self.target)
        with before_any_write():
            self.world.leases.delete(self.target.namespace, lease_name(self.target))

    def recover(self) -> tuple[DeploymentRecord, ...]:
        """Settle what interrupted runs of this project left open."""
        from sbkube.engine.lock import RunLock
        from sbkube.engine.recover import settle_interrupted

        lock = RunLock(self.world, self.target, "recover")
        try:
            with before_any_write():
                return settle_interrupted(self.world, self.target)
        finally:
            lock.release()

    def status(self, apps: Sequence[str] = ()) -> StatusReport:
        """How everything that was deployed is now."""
        from sbkube.engine.inspect import status

        self._mention_interrupted()
        with before_any_write():
            return status(self.config, self.world, tuple(apps))

    def history(self, **filters: Any) -> tuple[DeploymentRecord, ...]:
        """Deployments of this project, newest first; filters as `DeploymentDatabase.list_deployments` takes."""
        return tuple(self.ledger.list_deployments(project=self.config.name, **filters))

    def show(self, reference: str) -> DeploymentDetail:
        """One deployment with everything below it, by id, prefix, `latest` or `latest~N`; needs no cluster.

        `latest` means this project's, on whichever cluster it was deployed to last.
        """
        name, _, number = reference.partition("~")
        if name == "latest" and (not number or number.isdigit()):
            found = self.history(limit=1, offset=int(number or 0))
            if not found:
                raise DeploymentNotFound(
                    f"{self.config.name} has no deployment {reference}", hint="sbkube history"
                )
            reference = found[0].deployment_id
        return self.ledger.detail(reference)

    def template(self, apps: Sequence[str] = ()) -> str:
        """All manifests as they would be sent, secret values masked."""
        from sbkube.engine.template import template

        with before_any_write():
            return template(self.config, self.world, tuple(apps), self.ledger.redaction_key())

    def validate(self) -> tuple[str, ...]:
        """Warnings about the project; its errors were raised when it was opened."""
        return self.config.warnings

    def _describe(self, plan: Plan, command: str, args: Mapping[str, Any] | None) -> DeploymentCreate:
        from sbkube.edges import origin

        info = self.cluster_info()
        sources = {app.name: dict(app.sources) for app in plan.apps if app.sources}
        return DeploymentCreate(
            cluster=info.name,
            namespace=self.config.settings.namespace,
            app_config_dir=str(self.config.folder),
            config_file_path=str(self.config.path),
            command=command,
            config_snapshot=self.config.snapshot(),
            command_args=dict(args or {}),
            sources_snapshot=sources,
            sbkube_version=__version__,
            operator=getpass.getuser(),
            parent=plan.parent or None,
            project=self.config.name,
            cluster_uid=info.uid,
            context=info.context,
            host=socket.gethostname(),
            kubernetes_user=info.user,
            origin=origin.describe(self.config.folder, self._environ),
        )


def exit_code(status: DeploymentStatus) -> int:
    """The exit code that a recorded status means."""
    return {DeploymentStatus.SUCCESS: 0, DeploymentStatus.INTERRUPTED: 130}.get(status, 1)
