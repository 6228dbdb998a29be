"""Discovery: which groups, versions and resources are served, in the legacy and the aggregated form."""

from __future__ import annotations

from typing import Any

from sbkube.sandbox.kinds import Kind, Registry, Subresource

Json = dict[str, Any]


def groups(registry: Registry) -> dict[str, list[str]]:
    """The versions of each named group, the preferred one first."""
    found: dict[str, list[str]] = {}
    for kind in registry:
        if kind.group and kind.version not in found.setdefault(kind.group, []):
            found[kind.group].append(kind.version)
    return found


def kinds_of(registry: Registry, group: str, version: str) -> list[Kind]:
    """The kinds of one version, by resource."""
    return sorted((k for k in registry if (k.group, k.version) == (group, version)), key=lambda k: k.plural)


def api_versions(server: str) -> Json:
    """/api."""
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": server}
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}


def group(name: str, versions: list[str]) -> Json:
    """One group, without kind."""
    listed = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def group_list(registry: Registry) -> Json:
    """/apis."""
    found = [group(n, v) for n, v in groups(registry).items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def resource_list(registry: Registry, group_name: str, version: str) -> Json:
    """/api/v1 or /apis/GROUP/VERSION."""
    resources: list[Json] = []
    for kind in kinds_of(registry, group_name, version):
        resources.append(_legacy(kind))
        resources += [_legacy_sub(kind, s) for s in kind.subresources]
    out: Json = {
        "kind": "APIResourceList",
        "groupVersion": f"{group_name}/{version}" if group_name else version,
        "resources": resources,
    }
    return out if not group_name else {"apiVersion": "v1", **out}


def _legacy(kind: Kind) -> Json:
    out: Json = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        out["shortNames"] = list(kind.short_names)
    if kind.categories:
        out["categories"] = list(kind.categories)
    if "list" in kind.verbs and kind.kind != "ComponentStatus":
        out["storageVersionHash"] = kind.storage_version_hash
    return out


def _legacy_sub(kind: Kind, sub: Subresource) -> Json:
    out: Json = {
        "name": f"{kind.plural}/{sub.name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": sub.kind,
        "verbs": list(sub.verbs),
    }
    if sub.version:
        out |= {"group": sub.group, "version": sub.version}
    return out


def aggregated(registry: Registry, core: bool, version: str) -> Json:
    """/api or /apis as one APIGroupDiscoveryList (`version`: v2 or v2beta1)."""
    found = {"": ["v1"]} if core else groups(registry)
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [
                {
                    "version": v,
                    "resources": [_aggregated(k) for k in kinds_of(registry, name, v)],
                    "freshness": "Current",
                }
                for v in versions
            ],
        }
        for name, versions in found.items()
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _response(kind: str, group_name: str = "", version: str = "") -> Json:
    return {"group": group_name, "version": version, "kind": kind}


def _aggregated(kind: Kind) -> Json:
    own = (kind.group, kind.version) if kind.custom else ("", "")
    out: Json = {
        "resource": kind.plural,
        "responseKind": _response(kind.kind, *own),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        out["shortNames"] = list(kind.short_names)
    if kind.categories:
        out["categories"] = list(kind.categories)
    if kind.subresources:
        out["subresources"] = [
            {
                "subresource": s.name,
                "responseKind": _response(s.kind, *((s.group, s.version) if s.version else own)),
                "verbs": list(s.verbs),
            }
            for s in kind.subresources
        ]
    return out
