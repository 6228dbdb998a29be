"""First half of planning: what the project wants, as decorated objects with known kinds and namespaces."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sbkube.apps import APP_TYPES
from sbkube.apps.base import AppSpec, RenderContext, Rendered, RenderedTask
from sbkube.apps.steps import around
from sbkube.config.model import ProjectConfig
from sbkube.engine.surroundings import ReleaseIndex, Surroundings, at_once
from sbkube.errors import Place, Problem, ProjectError, RenderError
from sbkube.models.command import Command
from sbkube.models.release import ReleaseRecord, ReleaseSpec, RenderedChart
from sbkube.models.resource import Manifest, ResourceKey
from sbkube.plan import labels


@dataclass(frozen=True, slots=True)
class Desired:
    """One object that an app wants. `simulated` says why it cannot be dry-run ("" if it can); `project` is the
    label of the project whose release it belongs to."""

    key: ResourceKey
    body: Mapping[str, Any]
    app: str
    source: Place | None = None
    simulated: str = ""
    project: str = ""


@dataclass(frozen=True, slots=True)
class DesiredRelease:
    """A release that an app wants, what it renders to, and what is there now."""

    spec: ReleaseSpec
    rendered: RenderedChart
    objects: tuple[Desired, ...]
    current: ReleaseRecord | None


@dataclass(frozen=True, slots=True)
class DesiredTask:
    """A step around an app's own objects: a command, or objects (see `RenderedTask` for `mode`)."""

    name: str
    command: Command | None = None
    objects: tuple[Desired, ...] = ()
    mode: str = ""


@dataclass(frozen=True, slots=True)
class DesiredApp:
    """One app after rendering: own objects (server-side apply by us), perhaps a release, and steps around them."""

    spec: AppSpec
    rendered: Rendered
    objects: tuple[Desired, ...]
    release: DesiredRelease | None = None
    before: tuple[DesiredTask, ...] = ()
    after: tuple[DesiredTask, ...] = ()

    @property
    def all_objects(self) -> Iterator[Desired]:
        """Every object that is to be there because of the app."""
        yield from self.objects
        yield from self.task_objects
        if self.release:
            yield from self.release.objects

    @property
    def task_objects(self) -> Iterator[Desired]:
        """Those of its steps."""
        for task in (*self.before, *self.after):
            if task.mode != "delete":
                yield from task.objects


def render_all(
    config: ProjectConfig, apps: Sequence[AppSpec], world: Surroundings, index: ReleaseIndex
) -> list[tuple[AppSpec, Rendered]]:
    """Render every app; all errors of all apps are raised together, before anything is looked at."""

    def context(app: AppSpec) -> RenderContext:
        scope, own = config.of(app.name), app.force_conflicts
        return RenderContext(
            folder=scope.folder,
            namespace=app.namespace or scope.settings.namespace,
            cleanup_metadata=scope.settings.cleanup_metadata,
            timeout=app.timeout or scope.settings.timeout,
            force_conflicts=scope.settings.force_conflicts if own is None else own,
            shared_values=scope.values,
            catalogue=world.catalogue,
            decryptor=world.decryptor,
            render_chart=lambda spec: render_chart(spec, world, index),
            build_kustomization=world.kustomize.build,
        )

    def render(app: AppSpec) -> Rendered | ProjectError:
        try:
            given = context(app)
            rendered: Rendered = APP_TYPES[app.type].render(app, given)
            steps, sources = around(app, given)
            return replace(rendered, around=steps, sources={**rendered.sources, **sources})
        except ProjectError as error:
            return error

    _fetch_all(config, context)
    answers = at_once(render, apps, config.settings.max_workers)
    errors = [(app, a) for app, a in zip(apps, answers, strict=True) if isinstance(a, ProjectError)]
    if errors:
        raise _together(errors)
    return [(app, a) for app, a in zip(apps, answers, strict=True) if isinstance(a, Rendered)]


def _fetch_all(config: ProjectConfig, context: Callable[[AppSpec], RenderContext]) -> None:
    """What apps put into the project's folder comes first: any other app may read it."""

    def fetch(app: AppSpec) -> None:
        act = APP_TYPES[app.type].fetch
        if act is not None:
            act(app, context(app))

    at_once(fetch, [app for app in config.apps.values() if app.enabled], config.settings.max_workers)


def _together(errors: Sequence[tuple[AppSpec, ProjectError]]) -> ProjectError:
    if len(errors) == 1:
        app, error = errors[0]
        error.subject = error.subject or app.name
        return error
    problems = [
        problem
        for app, error in errors
        for problem in (error.problems or (Problem(f"{app.name}: {error.message}", error.place, error.hint),))
    ]
    return RenderError(f"{len(errors)} apps cannot be rendered", problems=problems)


def render_chart(spec: ReleaseSpec, world: Surroundings, index: ReleaseIndex) -> RenderedChart:
    """Render as the next revision of the release would be."""
    current = index.get(spec.namespace, spec.name)
    revision = current.revision + 1 if current else 1
    return world.helm.render(spec, revision=revision, upgrade=current is not None)


class Resolver:
    """Gives manifests their namespace, labels and kind; collects what does not fit."""

    def __init__(self, config: ProjectConfig, world: Surroundings, own: Sequence[Manifest]) -> None:
        """`own` are all manifests of the run: their CRDs and namespaces count as existing."""
        self._config = config
        self._cluster = world.cluster
        self._crds = _kinds(own)
        self._templated: dict[str, dict[tuple[str, str], bool]] = {}
        self.problems: list[Problem] = []

    def templates(self, app: AppSpec, manifests: Sequence[Manifest]) -> None:
        """Take note of kinds that a release of this run brings in its templates."""
        if kinds := _kinds(manifests):
            self._templated[app.name] = kinds

    def own(self, app: AppSpec, manifests: Sequence[Manifest]) -> tuple[Desired, ...]:
        """Objects that we apply ourselves."""
        scope = self._config.of(app.name)
        extra = {**scope.labels, **app.labels}
        notes = {**scope.annotations, **app.annotations}
        ownership = labels.ownership(self._config.name, app.name)
        found = (self._place(app, m) for m in manifests)
        return tuple(
            replace(d, body=labels.decorate(_encoded(d.body), ownership, extra, notes))
            for d in found
            if d is not None
        )

    def task(self, app: AppSpec, task: RenderedTask) -> DesiredTask:
        """A step with its objects; what is patched or deleted is not ours and gets no labels."""
        if task.mode in ("patch", "delete"):
            placed = (self._place(app, m) for m in task.manifests)
            found = tuple(replace(d, body=_encoded(d.body)) for d in placed if d is not None)
            return DesiredTask(task.name, task.command, found, task.mode)
        return DesiredTask(task.name, task.command, self.own(app, task.manifests), task.mode)

    def released(self, app: AppSpec, manifests: Sequence[Manifest], spec: ReleaseSpec) -> tuple[Desired, ...]:
        """Objects of a release: as Helm will send them."""
        found = (self._place(app, m) for m in manifests)
        return tuple(
            replace(
                d,
                body=labels.as_helm(d.body, spec.name, spec.namespace),
                project=labels.label_value(self._config.name),
            )
            for d in found
            if d is not None
        )

    def _brought(self, app: AppSpec, key: ResourceKey) -> bool | None:
        """Whether a kind that this run creates is namespaced, or None when nobody creates it (in time)."""
        others = (kinds for name, kinds in self._templated.items() if name != app.name)
        for kinds in (self._crds, *others):
            if (key.group, key.kind) in kinds:
                return kinds[key.group, key.kind]
        return None

    def _place(self, app: AppSpec, manifest: Manifest) -> Desired | None:
        key, note = manifest.key, ""
        kind = self._cluster.resource_type(key.api_version, key.kind)
        if kind is not None:
            namespaced = kind.namespaced
        elif (brought := self._brought(app, key)) is not None:
            namespaced, note = brought, "its CRD is created by this plan"
        elif (key.group, key.kind) in self._templated.get(app.name, {}):
            self.problems.append(
                Problem(
                    f"{app.name}: the chart creates the kind {key.kind} and an object of it in one go, which Helm "
                    "cannot do",
                    manifest.source,
                    "move the CRD to the chart's crds/ folder, or to an app of its own",
                )
            )
            return None
        else:
            self.problems.append(
                Problem(
                    f"{app.name}: the cluster does not know the kind {key.kind} of {key.api_version}",
                    manifest.source,
                    "install its CRD first, or add it to this project",
                )
            )
            return None
        namespace = (key.namespace or app.namespace or self._config.settings.namespace) if namespaced else ""
        placed = replace(key, namespace=namespace)
        meta = {k: v for k, v in (manifest.body.get("metadata") or {}).items() if k != "namespace"}
        if namespace:
            meta["namespace"] = namespace
        return Desired(placed, {**manifest.body, "metadata": meta}, app.name, manifest.source, note)


def _encoded(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Secret as it is stored: `stringData` goes into `data`, as the server does it.

    Server-side apply would own the write-only `stringData` and nobody the `data` made of it, so that a key that
    leaves the file would stay in the cluster.
    """
    given = body.get("stringData")
    if body.get("kind") != "Secret" or body.get("apiVersion") != "v1" or not isinstance(given, Mapping):
        return body
    if not all(isinstance(value, str) for value in given.values()):
        return body  # the server's own message says best what is wrong
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in given.items()}
    rest = {name: value for name, value in body.items() if name != "stringData"}
    return {**rest, "data": {**(body.get("data") or {}), **encoded}}


def _kinds(manifests: Iterable[Manifest]) -> dict[tuple[str, str], bool]:
    """Kinds that the CRDs among the manifests define, and whether each is namespaced."""
    crds = (m for m in manifests if m.key.kind == "CustomResourceDefinition")
    return dict(filter(None, map(_defined, crds)))


def _defined(manifest: Manifest) -> tuple[tuple[str, str], bool] | None:
    spec = manifest.body.get("spec") or {}
    kind = (spec.get("names") or {}).get("kind")
    return ((str(spec.get("group")), str(kind)), spec.get("scope") == "Namespaced") if kind else None


def resolve(
    config: ProjectConfig, rendered: Sequence[tuple[AppSpec, Rendered]], world: Surroundings, index: ReleaseIndex
) -> list[DesiredApp]:
    """Everything the project wants; raises ProjectError with all unknown kinds and all objects wanted twice."""
    resolver = Resolver(config, world, [m for _, r in rendered for m in (*r.own_manifests, *_of_tasks(r))])
    for app, result in rendered:
        if result.release is not None:
            resolver.templates(app, result.manifests)
    apps = []
    for app, result in rendered:
        release = None
        if result.release is not None and result.chart is not None:
            spec = replace(result.release, labels=labels.ownership(config.name, app.name))
            current = index.get(spec.namespace, spec.name)
            release = DesiredRelease(spec, result.chart, resolver.released(app, result.manifests, spec), current)
        own, steps = resolver.own(app, result.own_manifests), result.around
        before, after = (tuple(resolver.task(app, task) for task in g) for g in (steps.before, steps.after))
        apps.append(DesiredApp(app, result, own, release, before, after))
    world.sensitive.learn((item.body for app in apps for item in app.all_objects), world.decryptor.known)
    problems = [*resolver.problems, *_duplicates(apps)]
    if problems:
        raise ProjectError("the project cannot be deployed to this cluster", problems=problems)
    return apps


def _of_tasks(rendered: Rendered) -> Iterator[Manifest]:
    for task in (*rendered.around.before, *rendered.around.after):
        yield from task.manifests


def _duplicates(apps: Sequence[DesiredApp]) -> list[Problem]:
    seen: dict[tuple[str, str, str, str], Desired] = {}
    problems = []
    for app in apps:
        for wanted in app.all_objects:
            first = seen.setdefault(wanted.key.identity, wanted)
            if first is not wanted:
                problems.append(
                    Problem(
                        f"{wanted.app}: {wanted.key} is also wanted by app {first.app} ({first.source})",
                        wanted.source,
                        "keep it in one place",
                    )
                )
    return problems
