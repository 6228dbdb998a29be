"""What every app type has in common: the fields of its spec, what it is given to render, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from sbkube.apps.fields import Annotations, Labels, Namespace, Seconds, Text
from sbkube.apps.hooks import AppHooks
from sbkube.errors import Place, ToolMissing
from sbkube.models.command import Command
from sbkube.models.release import ReleaseSpec, RenderedChart
from sbkube.models.resource import Manifest
from sbkube.models.source import Repository
from sbkube.ports import Decryptor
from sbkube.sources.catalogue import Catalogue

MASKED = "(masked)"  # stands for what may be secret in the record of a spec


class Where(Protocol):
    """Place of a part of an app in its file."""

    def __call__(self, *path: str | int, key: bool = False) -> Place:
        """Where the value at `path` below the app stands, or its key."""


class AppSpec(BaseModel):
    """Fields of every app. `name` and places are known once the app was read from a file."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    type: str
    enabled: bool = Field(
        default=True, description="False leaves the app out; what it deployed counts as removed."
    )
    depends_on: tuple[Text, ...] = Field(default=(), description="Apps that must be deployed before this one.")
    namespace: Namespace | None = Field(default=None, description="Namespace instead of the project's.")
    context: Text | None = Field(default=None, description="Another context of the kubeconfig for this app only.")
    create_namespace: bool | None = Field(default=None, description="Create the namespace if it is missing.")
    timeout: Seconds | None = Field(default=None, description='Time for this app: seconds, or "5m".')
    force_conflicts: bool | None = Field(default=None, description="Take fields that another field manager owns.")
    notes: Text = Field(default="", description="Text recorded and shown with the app.")
    labels: Labels = Field(default_factory=dict, description="Labels for every object of the app.")
    annotations: Annotations = Field(default_factory=dict, description="Annotations for every object.")
    sensitive: tuple[Text, ...] = Field(default=(), description="Path globs of values that are never shown.")
    hooks: AppHooks | None = Field(default=None, description="What is done around the stages of the app.")

    _name: str = PrivateAttr("")
    _where: Where | None = PrivateAttr(None)

    def located(self, name: str, where: Where | None = None) -> Self:
        """This spec with its name and the way to find places in the file it came from."""
        self._name, self._where = name, where
        return self

    def resolved(self, namespace: str) -> Self:
        """This spec with the namespace that it did not name itself."""
        return self.model_copy(update={"namespace": namespace})

    @property
    def name(self) -> str:
        """The app's name in the project: `PHASE/NAME` for an app of a phase."""
        return self._name

    @property
    def short(self) -> str:
        """The app's name in its file."""
        return self._name.rpartition("/")[2]

    @property
    def place(self) -> Place | None:
        """Where the app begins."""
        return self._where(key=True) if self._where else None

    def where(self, *path: str | int) -> Place | None:
        """Where one of its fields stands."""
        return self._where(*path) if self._where else None

    def checkouts(self, named: Mapping[str, Repository]) -> dict[str, Repository]:
        """Git repositories that this app makes known to others, by name; `named` are those of the settings."""
        return {}

    def snapshot(self) -> dict[str, Any]:
        """The spec as it is recorded with a deployment: JSON, without anything secret."""
        return {"type": self.type, **self.model_dump(mode="json", exclude_defaults=True)}


class NoDecryptor:
    """Opens nothing."""

    known: set[str] = set()

    def document(self, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """Always refuses."""
        raise ToolMissing(f"nothing here can decrypt {path.name}")

    def file(self, content: bytes) -> bytes:
        """Always refuses."""
        raise ToolMissing("nothing here can decrypt it")


def _no_kustomize(folder: Path) -> str:
    raise ToolMissing(f"nothing here can build {folder}")


@dataclass(frozen=True, slots=True)
class RenderContext:
    """What an app may use to render. `folder` is the project's; `timeout` is in seconds.

    `shared_values` (files and maps, with their places) come before each Helm app's own.
    `catalogue` fetches what comes from elsewhere; it raises SourceUnavailable.

    `render_chart` renders a release as its next revision would be, `build_kustomization` a folder's
    kustomization; both raise RenderError.
    """

    folder: Path
    namespace: str
    render_chart: Callable[[ReleaseSpec], RenderedChart]
    build_kustomization: Callable[[Path], str] = _no_kustomize
    cleanup_metadata: bool = True
    timeout: float = 600.0
    force_conflicts: bool = False
    shared_values: tuple[tuple[str | Mapping[str, Any], Place | None], ...] = ()
    catalogue: Catalogue = field(default_factory=Catalogue.empty)
    decryptor: Decryptor = field(default_factory=NoDecryptor)


@dataclass(frozen=True, slots=True)
class RenderedTask:
    """One step around the objects of an app: a command, or objects.

    `mode` says what becomes of the objects: `apply` (also ""), `create` (only if absent), `replace` (fields of
    others are taken), `patch` (some fields of what is not ours), `delete`.
    """

    name: str
    command: Command | None = None
    manifests: tuple[Manifest, ...] = ()
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Around:
    """Steps before and after the objects of an app, and commands for when it failed; `always`: also if nothing of
    the app is to be changed."""

    before: tuple[RenderedTask, ...] = ()
    after: tuple[RenderedTask, ...] = ()
    failed: tuple[Command, ...] = ()
    always: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """What an app wants.

    `manifests` are all objects; those of a release belong to Helm, and `crds` (of a chart's `crds/`) are applied
    by us before it; `label_release`: they get our labels. `sources` maps the name of each source to its digest.
    """

    manifests: tuple[Manifest, ...] = ()
    release: ReleaseSpec | None = None
    chart: RenderedChart | None = None
    crds: tuple[Manifest, ...] = ()
    notes: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    label_release: bool = True
    around: Around = Around()

    @property
    def own_manifests(self) -> tuple[Manifest, ...]:
        """Objects that we apply ourselves."""
        return self.manifests if self.release is None else self.crds


@dataclass(frozen=True, slots=True)
class AppType:
    """One kind of app: its spec, what it contributes to a plan, and what it puts into the project's folder before
    any app is rendered."""

    name: str
    spec: type[AppSpec]
    render: Callable[[Any, RenderContext], Rendered]
    fetch: Callable[[Any, RenderContext], None] | None = None
