"""A project as people and programs use it: open it, plan, act, look."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sbkube.api.acting import Acting
from sbkube.api.opening import before_any_write
from sbkube.api.where import HERE, Where
from sbkube.errors import PlanRefused, Problem, SurroundingsError
from sbkube.models.outcome import Event
from sbkube.ports import Listener

if TYPE_CHECKING:
    from sbkube.api.family import Member
    from sbkube.config.model import Child
    from sbkube.engine.fetching import Prepared
    from sbkube.engine.inspect import StatusReport
    from sbkube.engine.updates import Update
    from sbkube.models.drift import DriftReport


def _silent(_: Event) -> None:
    """A listener that does not listen."""


def open_project(
    target: str | Path = ".",
    *,
    namespace: str | None = None,
    environment: str | None = None,
    where: Where = HERE,
    listener: Listener | None = None,
    environ: Mapping[str, str] | None = None,
) -> Project:
    """Open the project in a folder (or file) and say where to deploy it.

    `namespace` replaces the project's base namespace; the file of `environment` is laid over the project's.
    `where` names cluster and state database, `listener` is called with each `Event` (also from other threads),
    `environ` replaces the environment of the process.
    Raises ConfigError with every problem of the file. Nothing is connected to before it is needed.
    """
    from sbkube.config.contexts import split
    from sbkube.config.load import load_project

    env = dict(os.environ if environ is None else environ)
    config = load_project(target, namespace=namespace, environment=environment, environ=env)
    if not where.sandbox:  # which has one cluster, whatever apps say
        config = split(config)
    return Project(config.forcing() if where.force_conflicts else config, where, listener or _silent, env)


class Project(Acting):
    """A project with a cluster and a state database. Use it as a context manager, or call `close`.

    Verbs are quiet: what happens goes to the listener, or comes out of `stream` and `apply_events`.
    """

    @cached_property
    def children(self) -> tuple[tuple[Child, Project], ...]:
        """Projects that are deployed along with this one: projects of their own, and other contexts."""

        def opened(child: Child) -> Project:
            where = replace(self._where, context=child.context) if child.context else self._where
            where = replace(where, sandbox_of=self._where.sandbox_of or self.config.folder)
            config = child.config if child.context or where.sandbox else split(child.config)
            project = Project(config, where, self._listener, self._environ)
            project.cancel = self.cancel
            return project

        from sbkube.config.contexts import split

        return tuple((child, opened(child)) for child in self.config.children)

    def family(self, apps: Sequence[str] = (), *, connected: bool = True) -> list[Member]:
        """This project and those that are part of it, in the order in which they are deployed; with `apps` only
        those of whom some are asked for. Each `Member` has its `project`, and which `apps` of it are meant.

        Raises UsageError for a name that several apps have, and PlanRefused where two of them are the same project
        on one cluster; that is not looked at unless `connected`.
        """
        from sbkube.api.family import members, parts

        return (members if connected else parts)(self, self.config.full_names(apps))

    def refuse_same_cluster(self, among: Sequence[Project]) -> None:
        """Raise PlanRefused where a context of an app leads to the cluster that the others are on as well: their
        records could not be told apart. What cannot be reached is refused by whoever needs it."""
        contexts = [(f'"{child.context}"', other) for child, other in self.children if child.context]
        chosen = [(name, one) for name, one in (("the project's own", self), *contexts) if one in among]
        seen: dict[str, str] = {}
        for name, project in chosen if len(chosen) > 1 else ():
            with suppress(SurroundingsError):
                uid = project.cluster_info().uid
                if uid in seen:
                    text = f"the context {name} is the same cluster as {seen[uid]}"
                    raise PlanRefused(text, hint="leave `context` away from these apps")
                seen[uid] = name

    def close(self) -> None:
        """Close what was opened."""
        for _, child in self.__dict__.get("children", ()):
            child.close()
        super().close()

    def status(self, apps: Sequence[str] = (), *, alone: bool = False) -> StatusReport:
        """How everything that was deployed is now: per app its health, the worst object first. Reads only.

        `alone` leaves out the projects that are part of this one; else their reports are in `parts`. Raises
        SurroundingsError, StateError, or UsageError for an app that there is not.
        """
        from sbkube.api.family import reported
        from sbkube.engine.inspect import status

        if not alone:
            return reported(self.family(apps), lambda m: m.project.status(m.apps, alone=True))
        self._mention_interrupted()
        with before_any_write():
            return status(self.config, self.world, tuple(apps))

    def drift(self, apps: Sequence[str] = (), *, alone: bool = False) -> DriftReport:
        """What others changed of what we left; values that are secret are masked. Reads only.

        `alone` leaves out the projects that are part of this one; else their reports are in `parts`.
        """
        from sbkube.api.family import reported
        from sbkube.engine.drift import drift
        from sbkube.plan.redact import Redactor

        if not alone:
            return reported(self.family(apps), lambda m: m.project.drift(m.apps, alone=True))
        self._mention_interrupted()
        self._look_at_newest()
        redactor = Redactor(self.ledger.redaction_key(), self.sensitive)
        with before_any_write():
            return drift(self.config, self.world, redactor, tuple(apps))

    def template(self, apps: Sequence[str] = (), *, show_secrets: bool = False) -> str:
        """All manifests as they would be sent, secret values masked unless they are to be shown."""
        from sbkube.engine.template import template

        with before_any_write():
            key = None if show_secrets else self.ledger.redaction_key()
            return template(self.config, self.world, tuple(apps), key)

    def prepare(self, apps: Sequence[str] = ()) -> list[Prepared]:
        """Fetch what apps need from elsewhere. Needs no cluster; raises SourceUnavailable or ProjectError."""
        from sbkube.engine.fetching import prepare
        from sbkube.engine.prepare import Selection, selected_apps

        chosen = selected_apps(self.config, Selection(tuple(apps)))
        found = prepare(self.config, self.catalogue, chosen)
        self.catalogue.lock.save(whole=not apps)
        return found

    def build(self, apps: Sequence[str] = ()) -> tuple[list[Prepared], list[str]]:
        """Charts as they will be rendered, and warnings. Needs no cluster."""
        from sbkube.engine.fetching import build
        from sbkube.engine.prepare import Selection, selected_apps

        return build(self.config, self.catalogue, selected_apps(self.config, Selection(tuple(apps))))

    def updates(self, apps: Sequence[str] = ()) -> list[Update]:
        """Newer versions of the charts in use; needs no cluster. Raises SourceUnavailable."""
        from sbkube.engine.prepare import Selection, selected_apps
        from sbkube.engine.updates import updates

        return updates(selected_apps(self.config, Selection(tuple(apps))), self.catalogue)

    def write_updates(self, found: Sequence[Update], *, major: bool = False) -> list[Update]:
        """Put newer versions into the project's files; gives what was changed."""
        from sbkube.engine.updates import write

        return write(found, major=major)

    def validate(self) -> tuple[list[Problem], tuple[str, ...]]:
        """Problems of what the project names, and warnings; errors of its file were raised when it was opened.

        Needs no cluster and fetches nothing.
        """
        from sbkube.edges.decryption import Decryption
        from sbkube.engine.files import check_files

        here = Project(self.config, replace(self._where, offline=True), self._listener, self._environ)
        problems, unseen = check_files(self.config, here.catalogue, Decryption(self._environ))
        return problems, (*self.config.warnings, *unseen)
