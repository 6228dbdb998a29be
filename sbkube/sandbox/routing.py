"""From a URL path to what it names."""

from __future__ import annotations

from dataclasses import dataclass

from sbkube.sandbox.kinds import Kind, Registry

_NAMESPACE_PARTS = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; `name` is "" for a collection. `watching`: the path itself asks for a watch."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watching: bool = False


def resolve(registry: Registry, path: str) -> Target | None:
    """The target of /api/v1/… or /apis/GROUP/VERSION/…; None when nothing serves the path."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    watching = rest[0] == "watch" and len(rest) > 1
    if watching:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not (group == "" and rest[2] in _NAMESPACE_PARTS):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    kind = registry.by_path(group, version, rest[0])
    if kind is None or (namespace and not kind.namespaced):
        return None
    name = rest[1] if len(rest) > 1 else ""
    if name and kind.namespaced and not namespace:
        return None
    return Target(kind, namespace, name, rest[2] if len(rest) > 2 else "", watching)
