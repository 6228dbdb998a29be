"""Kinds as people write them: `deployment`, `Deployment`, `deployments`, `deployments.apps`."""

from __future__ import annotations

from sbkube.models.resource import ResourceType
from sbkube.ports import ClusterReader

_FIRST = ("v1/", "apps/", "batch/", "networking.k8s.io/", "rbac.authorization.k8s.io/")


def kind_named(cluster: ClusterReader, word: str) -> ResourceType | None:
    """The kind that a word means, core kinds first, or None."""
    wanted, _, group = word.lower().partition(".")
    found = [entry for entry in cluster.api_versions() if entry.rpartition("/")[2][:1].isupper()]
    for entry in sorted(found, key=_rank):
        api_version, _, kind = entry.rpartition("/")
        if group and not api_version.startswith(f"{group}/"):
            continue
        if kind.lower() == wanted or wanted in (f"{kind.lower()}s", f"{kind.lower()}es", _plural(kind.lower())):
            return cluster.resource_type(api_version, kind)
    return None


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else kind


def _rank(entry: str) -> tuple[int, str]:
    place = next((i for i, start in enumerate(_FIRST) if entry.startswith(start)), len(_FIRST))
    return place, entry
