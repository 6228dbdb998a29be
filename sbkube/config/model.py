"""The project file as values: settings, and the project that the engine works with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from sbkube.apps.base import AppSpec
from sbkube.apps.fields import Annotations, Labels, Namespace, OneOrMore, Retention, Seconds, Text, Whole, refuse
from sbkube.apps.hooks import ProjectHooks
from sbkube.apps.values import masked
from sbkube.config.repositories import GitRepos, HelmRepos, OciRegistries, merged, repositories
from sbkube.errors import Place, UsageError
from sbkube.sources.catalogue import Repositories
from sbkube.sources.yaml_reader import Document

API_VERSION = "sbkube/v1"
_URL_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


def _api_version(value: Any) -> Any:
    if not value:
        raise refuse("is missing", f'begin the file with "apiVersion: {API_VERSION}"')
    if value != API_VERSION:
        raise refuse(f'must be {API_VERSION}, not "{value}"', "a newer format wants a newer sbkube")
    return value


def _apps(value: Any) -> Any:
    if not isinstance(value, dict | list):
        raise refuse("must be a map of apps by name, or a list of apps with names")
    return value


ApiVersion = Annotated[str, BeforeValidator(_api_version), WithJsonSchema({"const": API_VERSION})]
Apps = Annotated[dict[str, Any] | list[Any], BeforeValidator(_apps)]


class StateSettings(BaseModel):
    """Where deployments are recorded."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: Text | None = Field(
        default=None, description="Database: sqlite:///PATH or postgresql://…; default: local."
    )
    retention: Retention | None = Field(
        default=None,
        description='What is kept of this project: so many deployments (100), or for so long ("90d").',
    )


class Settings(BaseModel):
    """How a project is deployed. Strings expand `${ENV}` and `${ENV:-default}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kubeconfig: Path | None = Field(default=None, description="Kubeconfig file; default: that of kubectl.")
    kubeconfig_context: Text | None = Field(default=None, description="Context of the kubeconfig.")
    cluster: Text | None = Field(default=None, description="A name for the cluster, for people.")
    namespace: Namespace = Field(default="default", description="Namespace of apps that name none.")
    timeout: Seconds = Field(default=600.0, description='Time for one app: seconds, or "10m".')
    on_failure: Literal["stop", "continue", "rollback"] = Field(
        default="stop", description="After a failure: start nothing new, go on with independent apps, or undo."
    )
    rollback_scope: Literal["app", "phase", "all"] = Field(default="app", description="What a rollback undoes.")
    max_workers: Whole = Field(default=4, ge=1, le=32, description="Apps deployed at the same time, at most.")
    execution_order: Literal["apps_first", "phases_first"] = Field(
        default="apps_first", description="Whether the file's own apps or its phases come first."
    )
    parallel: bool = Field(default=False, description="Deploy independent phases at the same time.")
    parallel_apps: bool = Field(default=False, description="Deploy independent apps at the same time.")
    environment: Text | None = Field(
        default=None, description="Environment whose file sbkube.NAME.yaml is laid over this one, without --env."
    )
    cluster_values_file: OneOrMore = Field(
        default=(), description="Values files that come before each Helm app's."
    )
    global_values: dict[str, Any] = Field(
        default_factory=dict, description="Values that come before each Helm app's own."
    )
    helm_repos: HelmRepos = Field(default_factory=dict, description="Helm repositories by name: URL, or a map.")
    oci_registries: OciRegistries = Field(
        default_factory=dict, description="Registries with charts by name: host and path, or a map."
    )
    git_repos: GitRepos = Field(default_factory=dict, description="Git repositories by name: URL, or a map.")
    http_proxy: Text | None = Field(default=None, description="Proxy for http downloads; default: HTTP_PROXY.")
    https_proxy: Text | None = Field(default=None, description="Proxy for https downloads; default: HTTPS_PROXY.")
    no_proxy: Text | None = Field(default=None, description="Hosts without proxy; default: NO_PROXY.")
    state: StateSettings = Field(default_factory=StateSettings, description="Where deployments are recorded.")
    prune: bool = Field(default=True, description="Delete what was deployed earlier and no app wants any more.")
    create_namespaces: bool = Field(default=True, description="Create namespaces that are missing.")
    force_conflicts: bool = Field(default=False, description="Take fields that other field managers own.")
    cleanup_metadata: bool = Field(default=True, description="Drop what only a server writes from manifests.")
    helm_label_injection: bool = Field(default=True, description="Label objects of releases with project and app.")
    incompatible_charts: tuple[Text, ...] = Field(
        default=(), description="Charts (repo/chart, or the chart's name) whose objects get no labels of ours."
    )
    force_label_injection: tuple[Text, ...] = Field(
        default=(), description="Charts whose objects get our labels whatever else is said."
    )
    sensitive: tuple[Text, ...] = Field(default=(), description="Path globs of values that are never shown.")
    global_labels: Labels = Field(default_factory=dict, description="Labels for every object of every app.")
    global_annotations: Annotations = Field(default_factory=dict, description="Annotations for every object.")

    def proxies(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment with the proxies of these settings, which win over its own."""
        given = {"HTTP_PROXY": self.http_proxy, "HTTPS_PROXY": self.https_proxy, "NO_PROXY": self.no_proxy}
        return {**environ, **{name: value for name, value in given.items() if value is not None}}

    @property
    def state_url(self) -> str | None:
        """URL of the state database, or None for the default."""
        return self.state.url


class TopLevel(BaseModel):
    """Keys of the file itself, without what is below `settings` and `apps`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    apiVersion: ApiVersion = Field(default="", validate_default=True, description="Version of this format.")
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Name of the project and whatever else should be recorded with it."
    )
    settings: dict[str, Any] = Field(default_factory=dict)
    apps: Apps = Field(default_factory=dict)
    phases: dict[str, Any] = Field(default_factory=dict, description="Groups of apps, deployed in order.")
    app_dirs: tuple[Text, ...] = Field(
        default=(), description="Folders with a project file each: short for one phase per folder, in this order."
    )
    hooks: ProjectHooks = Field(default=ProjectHooks(), description="What is done around the whole project.")
    deps: tuple[Text, ...] = Field(
        default=(), description="Projects that must have been deployed to the same cluster before this one."
    )
    global_labels: Labels = Field(default_factory=dict, description="Labels for every object of every app.")
    global_annotations: Annotations = Field(default_factory=dict, description="Annotations for every object.")


class PhaseKeys(BaseModel):
    """One phase: apps of its own, or those of another project file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: Text = Field(default="", description="What it is for.")
    source: Text | None = Field(
        default=None, description="Another project file, or its folder, relative to this one."
    )
    apps: Apps | None = Field(default=None, description="The apps by name.")
    depends_on: tuple[Text, ...] = Field(default=(), description="Phases that must be deployed before this one.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Settings instead of the project's.")
    enabled: bool = Field(default=True, description="False leaves the phase out; its apps count as removed.")
    on_failure: Literal["stop", "continue", "rollback"] | None = Field(
        default=None, description="After a failure in this phase, instead of the project's."
    )


@dataclass(frozen=True, slots=True)
class Scope:
    """What the apps of one phase share; `phase` is "" for the project's own apps, `OUTER/INNER` in nested files.

    `settings` are effective: with everything that the phase inherits. Paths are relative to `folder`. `values` are
    files and maps that come before each Helm app's own; `depends_on` are phases beside it.
    """

    phase: str
    folder: Path
    settings: Settings
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    values: tuple[tuple[str | Mapping[str, Any], Place | None], ...] = ()
    depends_on: tuple[str, ...] = ()

    def labels_charts_of(self, app: AppSpec | None) -> bool:
        """Whether objects of a release get our labels."""
        chart = str(getattr(app, "chart", ""))
        names = {chart, chart.rpartition("/")[2]}
        if names & set(self.settings.force_label_injection):
            return True
        if names & set(self.settings.incompatible_charts):
            return False
        return bool(getattr(app, "helm_label_injection", True)) and self.settings.helm_label_injection


@dataclass(frozen=True, slots=True)
class Child:
    """A project of its own that is deployed along with another one: the file of the phase `phase` gives it a name.

    Or the same project in another `context` of the kubeconfig, with the apps that name it. `first`: it comes
    before the apps of the other, because some of them depend on it; else it comes behind them. `depends_on` are
    phases beside it.
    """

    phase: str
    config: ProjectConfig
    first: bool = False
    context: str = ""
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """One project, checked. `apps` are in the order of execution where nothing else is said; apps of phases are
    called `PHASE/NAME`. `scopes` has one for each phase, and one for ""; `hooks` those that files have for all of
    their apps, by phase. `children` are projects of their own that belong to it, in order.

    `name_given`: the file names the project (else its folder does). `deps` are projects that come before this one.
    `warnings` are for people.
    """

    path: Path
    folder: Path
    name: str
    name_given: bool
    metadata: Mapping[str, Any]
    settings: Settings
    apps: Mapping[str, AppSpec]
    scopes: Mapping[str, Scope]
    deps: tuple[str, ...] = ()
    hooks: Mapping[str, ProjectHooks] = field(default_factory=dict)
    children: tuple[Child, ...] = ()
    warnings: tuple[str, ...] = ()
    document: Document | None = field(default=None, repr=False, compare=False)

    def place(self, *path: str | int) -> Place:
        """Where the value at `path` of the file stands, or the nearest part around it."""
        return self.document.place(*path) if self.document else Place(str(self.path))

    def of(self, app: str) -> Scope:
        """What an app shares with its phase; for one that is in no file any more, what is left around it."""
        phase = app
        while phase:
            phase = phase.rpartition("/")[0]
            if phase in self.scopes:
                return self.scopes[phase]
        return self.scopes[""]

    def full_names(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names as the project has them: an app of a phase may be called by its own name where only one has it.

        Raises UsageError for one that several have. Unknown names stay as they are.
        """
        found = []
        known = [*self.apps, *(name for child in self.children if child.context for name in child.config.apps)]
        for name in names:
            same = [full for full in known if full.rpartition("/")[2] == name]
            if name not in known and len(same) > 1:
                raise UsageError(f"several apps are called {name!r}", hint=f"say which: {', '.join(same)}")
            found.append(same[0] if name not in known and same else name)
        return tuple(found)

    def passwords(self) -> tuple[str, ...]:
        """Passwords of the named repositories: they are nobody else's business."""
        kinds = (s.settings for s in self.scopes.values())
        found = (
            r for s in kinds for r in (*s.helm_repos.values(), *s.oci_registries.values(), *s.git_repos.values())
        )
        return tuple({str(p) for r in found if (p := getattr(r, "password", ""))})

    def repositories(self) -> Repositories:
        """The named repositories of the settings of all phases."""
        named = merged(repositories(scope.settings, scope.folder) for scope in self.scopes.values())
        git = dict(named.git)
        for app in self.apps.values():
            git |= app.checkouts(git)
        return replace(named, git=git)

    def forcing(self) -> ProjectConfig:
        """This project with consent to take fields that other field managers own, whatever its file says."""
        consent = {"force_conflicts": True}
        apps = {name: app.model_copy(update=consent) for name, app in self.apps.items()}
        scopes = {
            name: replace(scope, settings=scope.settings.model_copy(update=consent))
            for name, scope in self.scopes.items()
        }
        return replace(self, settings=self.settings.model_copy(update=consent), scopes=scopes, apps=apps)

    def snapshot(self, sensitive: Sequence[str] = ()) -> dict[str, Any]:
        """What is recorded with a deployment: JSON without Helm values, passwords or expanded variables.

        `sensitive` are the path globs that were hidden, whoever named them.
        """
        raw = self.document.value if self.document else {}
        settings = {k: v for k, v in (raw.get("settings") or {}).items() if v is not None}
        settings = _without_passwords(settings)
        if settings.get("global_values"):
            settings["global_values"] = masked(settings["global_values"])
        hidden = {"sensitive": list(sensitive)} if sensitive else {}
        return {
            "apiVersion": API_VERSION,
            "metadata": {**self.metadata, "name": self.name},
            "settings": {**settings, **hidden, "namespace": self.settings.namespace},
            "phases": {name: self._phase(name, scope) for name, scope in self.scopes.items() if name},
            "apps": {name: app.snapshot() for name, app in self.apps.items()},
            "global_labels": dict(self.scopes[""].labels),
            "global_annotations": dict(self.scopes[""].annotations),
            **self._hooks_of(""),
        }

    def _phase(self, name: str, scope: Scope) -> dict[str, Any]:
        own = {"folder": str(scope.folder), "on_failure": scope.settings.on_failure, **self._hooks_of(name)}
        return own | ({"depends_on": list(scope.depends_on)} if scope.depends_on else {})

    def _hooks_of(self, phase: str) -> dict[str, Any]:
        hooks = self.hooks.get(phase, ProjectHooks()).model_dump(mode="json", exclude_defaults=True)
        return {"hooks": hooks} if hooks else {}


def _without_passwords(value: Any) -> Any:
    """Settings as they may be recorded: no field called password, no password in a URL."""
    if isinstance(value, dict):
        return {k: "***" if k == "password" and v else _without_passwords(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_passwords(item) for item in value]
    return _URL_PASSWORD.sub(r"\1:***@", value) if isinstance(value, str) else value
