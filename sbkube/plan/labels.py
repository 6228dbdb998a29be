"""Labels that tell which project and app an object belongs to: enough to find all again without a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROJECT = "sbkube.dev/project"
APP = "sbkube.dev/app"
MANAGED_BY = "app.kubernetes.io/managed-by"
OWNERSHIP = (PROJECT, APP)
DELETION = "sbkube.dev/deletion"
RELEASE_NAME = "meta.helm.sh/release-name"
RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"
HELM_KEEP = "helm.sh/resource-policy"
MANAGER = "sbkube"
HELM_MANAGER = "helm"


def ownership(project: str, app: str) -> dict[str, str]:
    """The two labels that every object of an app carries."""
    return {PROJECT: label_value(project), APP: app_label(app)}


def app_label(app: str) -> str:
    """The label of an app: a dot stands for the slash behind its phase, which labels do not take."""
    return label_value(app.replace("/", "."))


def app_of(record: Mapping[str, str]) -> str:
    """The app that labels name, or an empty text; no name of an app or phase has a dot in it."""
    return record.get(APP, "").replace(".", "/")


def label_value(text: str) -> str:
    """Text as a valid label value (at most 63 characters of `[A-Za-z0-9._-]`, alphanumeric at both ends)."""
    cleaned = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in text)[:63]
    return cleaned.strip("._-")


def decorate(
    body: Mapping[str, Any],
    ownership: Mapping[str, str],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> dict[str, Any]:
    """A copy of an object with our labels and the project's; what the manifest sets itself wins over the latter.

    Only top-level metadata is touched, never pod templates, selectors or claim templates.
    """
    meta = dict(body.get("metadata") or {})
    own = meta.get("labels") or {}
    merged = {**labels, MANAGED_BY: own.get(MANAGED_BY, MANAGER), **own, **ownership}
    meta["labels"] = merged
    if annotations or meta.get("annotations"):
        meta["annotations"] = {**annotations, **(meta.get("annotations") or {})}
    return {**body, "metadata": meta}


def as_helm(body: Mapping[str, Any], release: str, namespace: str) -> dict[str, Any]:
    """An object of a chart as Helm sends it: with Helm's ownership label and annotations.

    Source: Helm's `action.setMetadataVisitor`.
    """
    meta = dict(body.get("metadata") or {})
    meta["labels"] = {**(meta.get("labels") or {}), MANAGED_BY: "Helm"}
    owner = {RELEASE_NAME: release, RELEASE_NAMESPACE: namespace}
    meta["annotations"] = {**(meta.get("annotations") or {}), **owner}
    return {**body, "metadata": meta}


def missing_labels(
    live: Mapping[str, Any] | None, wanted: Mapping[str, str], field: str = "labels"
) -> dict[str, str]:
    """Those of `wanted` that a live object does not have with that value."""
    have = ((live or {}).get("metadata") or {}).get(field) or {}
    return {key: value for key, value in wanted.items() if have.get(key) != value}


def ours(live: Mapping[str, Any], project: str) -> bool:
    """The object carries our project's label, or our field manager is on it."""
    meta = live.get("metadata") or {}
    if (meta.get("labels") or {}).get(PROJECT) == label_value(project):
        return True
    return any(entry.get("manager") == MANAGER for entry in meta.get("managedFields") or ())


def kept(live: Mapping[str, Any]) -> bool:
    """An annotation says that the object must survive its app."""
    annotations = (live.get("metadata") or {}).get("annotations") or {}
    return annotations.get(DELETION) == "keep" or annotations.get(HELM_KEEP) == "keep"
