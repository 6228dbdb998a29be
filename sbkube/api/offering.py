"""Plans that are shown to people by a server, and executed when one of them agrees.

A server acts on the projects, and on the cluster, that its own command line names. What it has offered is kept in
memory, as a saved plan is kept in a file: when somebody agrees, the plan is made again, and executed only if it
comes out the same. Commands of a project are never run.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sbkube.api import approval
from sbkube.api.patience import patiently
from sbkube.api.project import Project, open_project
from sbkube.api.where import HERE, Where, state_url
from sbkube.errors import PlanRefused, Problem, StateError, UsageError
from sbkube.models.deployment_state import RESUME, DeploymentRecord, LockTarget
from sbkube.models.outcome import Event
from sbkube.models.plan import Plan
from sbkube.ports import Listener

if TYPE_CHECKING:
    from sbkube.config.model import ProjectConfig
    from sbkube.engine.inspect import StatusReport
    from sbkube.models.drift import DriftReport

ROLLBACK = "rollback"
KEPT = 20  # offers; an older one has to be made again
AT_ONCE = 8  # deployments at work
_WHOLE = "{} has other projects or contexts in it, which are planned together"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted: a `rollback` to before a deployment (with `to`: to what it left), or a `resume` of it.

    `force` and `delete_data` are the consents of a rollback. Raises UsageError for another command.
    """

    command: str
    deployment: str
    to: bool = False
    force: bool = False
    delete_data: bool = False

    def __post_init__(self) -> None:
        if self.command not in (ROLLBACK, RESUME):
            raise UsageError(f"{self.command!r} cannot be asked for here", hint="use the command line")

    @property
    def words(self) -> str:
        """The same on the command line."""
        flags = {"--force": self.force, "--delete-data": self.delete_data}
        target = f"--to {self.deployment}" if self.to else self.deployment
        return " ".join([self.command, target, *(flag for flag, given in flags.items() if given)])

    def plan(self, project: Project) -> Plan:
        """What it comes to. Reads only; raises what `plan_rollback` and `plan_resume` raise, and PlanRefused where
        nothing is left to resume."""
        if self.command == ROLLBACK:
            there = {"to": self.deployment} if self.to else {"reference": self.deployment}
            return project.plan_rollback(**there, force=self.force, delete_data=self.delete_data)
        plan = project.plan_resume(self.deployment)
        if plan is None:
            raise PlanRefused(f"nothing is left to resume of {self.deployment}")
        return plan


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan that may be agreed to: `plan` as people may see it, `saved` as it is compared later."""

    wish: Wish
    record: DeploymentRecord
    plan: Plan
    saved: Mapping[str, Any] = field(repr=False)

    @property
    def digest(self) -> str:
        """Names the offer."""
        return str(self.saved["digest"])


@dataclass(frozen=True, slots=True)
class Look:
    """How the cluster was when somebody looked: what others had changed, and how everything did."""

    drift: DriftReport
    status: StatusReport
    moment: datetime


class Actions:
    """Plans, checks and executes for people at a page, from any thread. `close` in the end.

    Each verb raises SurroundingsError, StateError (StateLocked among them), and ProjectError with what stands in
    the way: PlanRefused for a deployment of another project or cluster, for projects with other projects in them,
    and for plans with commands. Nothing has been touched then.
    """

    def __init__(
        self,
        targets: Sequence[str],
        *,
        namespace: str | None = None,
        environment: str | None = None,
        where: Where = HERE,
        environ: Mapping[str, str] | None = None,
        tell: Callable[[BaseException], None],
    ) -> None:
        """Open the projects in `targets` once, to know their names.

        `tell` hears, in another thread, of errors that ended a deployment after it had begun. Raises ConfigError,
        and UsageError where they cannot be served together.
        """
        env = dict(os.environ if environ is None else environ)
        self._how: dict[str, Any] = {"namespace": namespace, "environment": environment, "where": where}
        self._how["environ"] = env | {"SBKUBE_ALLOW_EXEC": "false"}
        self._tell = tell
        self._targets: dict[tuple[str, str], str] = {}
        self._together: dict[tuple[str, str], str] = {}  # why these are not planned by themselves
        self._offers: dict[str, Offer] = {}
        self._looks: dict[LockTarget, Look] = {}
        self._running: set[Future[None]] = set()
        self._guard = threading.Lock()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sbkube-action")
        self.cancel = threading.Event()
        self.state_url = self._look(targets, where, env)

    def _look(self, targets: Sequence[str], where: Where, environ: Mapping[str, str]) -> str | None:
        """Remember which projects there are; gives the state database that all of them are recorded in."""
        urls, configs = set(), []
        for target in targets:
            with open_project(target, **self._how) as project:
                settings = project.config.settings
                urls.add(state_url(where.state_url, environ, settings.state_url))
                if self._targets.setdefault(_name(project.config), target) != target:
                    raise UsageError(f"two of the projects are {project.config.name} in {settings.namespace}")
                configs.append(project.config)
        if len(urls) > 1:
            raise UsageError("these projects are recorded in different databases", hint="serve each by itself")
        parts = {name: why for config in configs for name, why in _parts(config) if name not in self._targets}
        whole = {_name(config): _WHOLE.format(config.name) for config in configs if config.children}
        self._together = parts | whole
        return next(iter(urls), None)

    def obstacle(self, record: DeploymentRecord) -> PlanRefused | None:
        """Why this server can plan nothing for a deployment, if its cluster is the one at hand."""
        name = record.project, record.namespace
        if name in self._together:
            return PlanRefused(self._together[name], hint="use the command line")
        if name in self._targets:
            return None
        why = f"this server does not act on {record.project or 'deployments without a project'}"
        return PlanRefused(f"{why} in namespace {record.namespace}", hint="sbkube serve --allow-actions FOLDER")

    def offer(self, wish: Wish, record: DeploymentRecord) -> Offer:
        """Plan what is wanted of a deployment, and keep the plan for `agree`. What was interrupted is settled."""
        with self._project(record) as project:
            made = patiently(lambda: (project,), 0, lambda: self._made(project, wish, record))
        with self._guard:
            self._offers.pop(made.digest, None)
            self._offers[made.digest] = made
            while len(self._offers) > KEPT:
                del self._offers[next(iter(self._offers))]
        return made

    @staticmethod
    def _made(project: Project, wish: Wish, record: DeploymentRecord) -> Offer:
        plan = wish.plan(project)
        _refuse_commands(plan, wish)
        saved = approval.document(project, plan)
        approval.refuse_incomparable(project, saved)
        return Offer(wish, record, project.masked(plan), saved)

    def offered(self, digest: str) -> Offer:
        """An offer by its digest; raises PlanRefused for one that is not kept."""
        with self._guard:
            found = self._offers.get(digest)
        if found is None:
            raise PlanRefused("this plan is not kept any more", hint="make it again on the page of the deployment")
        return found

    def agree(self, offer: Offer, person: str) -> str:
        """Execute an offer, recorded as done by `person`; gives the id of the deployment as soon as it has begun.

        The rest goes on in a thread of its own. Raises PlanRefused with what has changed since it was offered.
        """
        begun: Future[str] = Future()
        with self._guard:
            self._refuse_stopped()
            if len(self._running) >= AT_ONCE:  # what begins later could surprise who agreed to it
                raise PlanRefused(f"{AT_ONCE} deployments are at work", hint="agree again when one has ended")
            job = self._pool.submit(self._execute, offer, person, begun)
            self._running.add(job)
        job.add_done_callback(self._running.discard)
        both: tuple[Future[Any], ...] = (begun, job)
        wait(both, return_when=FIRST_COMPLETED)
        if not begun.done():
            job.result()
        job.add_done_callback(self._ended)
        return begun.result()

    def _execute(self, offer: Offer, person: str, begun: Future[str]) -> None:
        def listen(event: Event) -> None:
            if event.kind == "deployment.started" and not begun.done():
                begun.set_result(event.subject)

        with self._project(offer.record, listen) as project:
            project.operator, project.cancel = person, self.cancel
            args = {"line": f"sbkube serve: {offer.wish.words}", "plan": offer.digest}

            def go() -> None:
                plan = approval.agreed(project, offer.saved).plan
                _refuse_commands(plan, offer.wish)
                self._refuse_stopped()
                project.execute(plan, command=offer.wish.command, args=args)

            patiently(lambda: (project,), 0, go)

    def _refuse_stopped(self) -> None:
        if self.cancel.is_set():
            raise StateError("this server is being stopped; nothing was changed")

    def _ended(self, job: Future[None]) -> None:
        if error := job.exception():
            self._tell(error)

    def look(self, record: DeploymentRecord) -> None:
        """Look at the project of a deployment on the cluster, and keep what is seen for `looked`."""
        with self._project(record) as project:
            seen = Look(project.drift(), project.status(), datetime.now(UTC))
        with self._guard:
            self._looks[_target(record)] = seen

    def looked(self, record: DeploymentRecord) -> Look | None:
        """What the newest look at the project of a deployment has seen; None before the first."""
        with self._guard:
            return self._looks.get(_target(record))

    @contextmanager
    def _project(self, record: DeploymentRecord, listen: Listener | None = None) -> Iterator[Project]:
        """The project of a deployment, on the cluster of that deployment."""
        if refusal := self.obstacle(record):
            raise refusal
        target = self._targets[record.project, record.namespace]
        with open_project(target, listener=listen, **self._how) as project:
            if project.config.children:  # since this server was started
                raise PlanRefused(_WHOLE.format(record.project), hint="use the command line")
            here, there = project.target, _target(record)
            if here != there:
                made = f"{record.deployment_id} was made on {_told(there, record.cluster)}"
                raise PlanRefused(
                    f"{made}; this server acts on {_told(here, project.cluster_info().name)}",
                    hint="start a server with --context or --kubeconfig of that cluster",
                )
            yield project

    @property
    def busy(self) -> bool:
        """A deployment is being executed."""
        return bool(self._running)

    def stop(self) -> None:
        """Begin nothing more, and stop what runs as Ctrl-C does: what is in flight is finished and recorded."""
        with self._guard:
            self.cancel.set()

    def close(self) -> None:
        """Stop, and wait until nothing runs any more."""
        self.stop()
        self._pool.shutdown()


def _name(config: ProjectConfig) -> tuple[str, str]:
    return config.name, config.settings.namespace


def _parts(config: ProjectConfig) -> Iterator[tuple[tuple[str, str], str]]:
    """Each project that is part of another one, and why it is not planned by itself."""
    for child in config.children:
        yield _name(child.config), f"{child.config.name} is part of {config.name}: they are planned together"
        yield from _parts(child.config)


def _target(record: DeploymentRecord) -> LockTarget:
    return LockTarget(record.project, record.cluster_uid, record.namespace)


def _told(target: LockTarget, cluster: str) -> str:
    return f"{cluster} ({target.cluster_uid or 'unknown UID'}), {target.project} in {target.namespace}"


def _refuse_commands(plan: Plan, wish: Wish) -> None:
    """What runs on the machine of a server is nobody's choice at a page."""
    from sbkube.engine.commands import commands_in

    if found := commands_in(plan):
        problems = [Problem(f"{op.app}: {command.name}: {command.title}", op.source) for op, command in found]
        raise PlanRefused(
            "the plan runs commands, which is never done from a page; nothing was changed",
            problems=problems,
            hint=f"in a terminal, in the folder of the project: sbkube {wish.words}",
        )
