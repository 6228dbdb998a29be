"""Helm releases: what is wanted and what is stored in the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RELEASE_STORAGE = "sh.helm.release.v1."  # begins the name of the Secret that holds a revision: then NAME.vN


def is_stuck(status: str) -> bool:
    """An action was begun and never finished, going by Helm's word for the release."""
    return status.startswith("pending-") or status == "uninstalling"


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """A release as an app wants it. `chart` is a local folder or archive; `timeout` is in seconds.

    `values` are the merged user values (sensitive: never logged). `labels` go on the release's storage
    object, not on the chart's objects. `disable_hooks` and `replace` go on with an action that was cut off:
    hooks that have run are not run again, and a first install is made again over its failed revision.
    `take_ownership` takes over objects that exist already and are not the release's.
    """

    name: str
    namespace: str
    chart: str
    values: Mapping[str, Any] = field(repr=False)
    chart_name: str = ""
    chart_version: str = ""
    chart_digest: str = ""
    app_version: str = ""
    wait: bool = True
    atomic: bool = False
    timeout: float = 300.0
    force_conflicts: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    disable_hooks: bool = False
    replace: bool = False
    take_ownership: bool = False


@dataclass(frozen=True, slots=True)
class RenderedChart:
    """What a chart renders to. `manifest` and `hooks` hold YAML documents; `crds` those of `crds/`."""

    manifest: str = field(repr=False)
    hooks: tuple[str, ...] = field(default=(), repr=False)
    crds: tuple[str, ...] = field(default=(), repr=False)
    notes: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class HookRun:
    """A hook in a stored release and its last run, which Helm writes down when it begins and when the next begins.

    `events` and `deletes` (deletion policies) are Helm's words; `phase` is "" (never run), `Running`, `Succeeded`,
    `Failed` or `Unknown`; `started` is RFC 3339.
    """

    name: str
    kind: str
    manifest: str = field(repr=False)
    events: tuple[str, ...] = ()
    weight: int = 0
    deletes: tuple[str, ...] = ()
    phase: str = ""
    started: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """One revision of a release as Helm stored it.

    `status` is Helm's word (`deployed`, `failed`, `superseded`, `pending-install`, …). `raw` is the stored
    record (base64 of gzip of JSON) that can be put back; it and `values` count as sensitive.
    """

    name: str
    namespace: str
    revision: int
    status: str
    chart_name: str
    chart_version: str
    app_version: str
    manifest: str = field(repr=False)
    hooks: tuple[str, ...] = field(default=(), repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    updated: str = ""
    description: str = ""
    raw: str = field(default="", repr=False)
    hook_runs: tuple[HookRun, ...] = field(default=(), repr=False)
    deleted: str = ""

    @property
    def pending(self) -> bool:
        """An action was begun and never finished."""
        return self.status.startswith("pending-")

    @property
    def stuck(self) -> bool:
        """An action was begun and never finished: installing, upgrading, rolling back or uninstalling."""
        return is_stuck(self.status)

    @property
    def begun(self) -> str:
        """When the action that made this status began, RFC 3339."""
        return (self.status == "uninstalling" and self.deleted) or self.updated
